/** Every output format on real and on hostile reports. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import Ajv2020 from 'ajv/dist/2020.js'
import Draft04 from 'ajv-draft-04'
import { load } from 'js-yaml'
import { describe, expect, it } from 'vitest'
import type { Report } from '../src/engine/report.js'
import type { Finding, Severity } from '../src/finding.js'
import { gather } from '../src/reporters/gather.js'
import { lookOf, wantsColor } from '../src/reporters/look.js'
import { type Format, formatNames, formats, type Look } from '../src/reporters/reporter.js'
import { columns, cut, printable, wrap } from '../src/reporters/text.js'
import { lintPaths, root } from './harness.js'
import { incident, look } from './report.js'

const clean = lintPaths(['fixtures/job-without-deadline/good.yaml'], [])

async function text(format: Format, report: Report, how: Look = look): Promise<string> {
  const { render } = await formats[format]()
  return [...render(report, how)].join('')
}

/** The report with other findings and a fixed time. */
function withFindings(findings: readonly Finding[]): Report {
  return { ...incident, findings, summary: { ...incident.summary, milliseconds: 12 } }
}

const evil = 'a\u001b[31m\u009b2J\u202e\r\n::error::x%0A<script>alert(1)</script>\u0000"\ud800'
const hostile: Finding = {
  rule: 'service-selects-nothing',
  severity: 'error',
  message: `Message ${evil}.`,
  label: evil,
  subject: { apiVersion: 'v1', kind: evil, name: evil, namespace: evil },
  place: {
    file: `dir/${evil}.yaml`,
    line: 3,
    column: 1,
    endLine: 3,
    endColumn: 9,
    path: `.metadata["${evil}"]`,
  },
  related: [{ file: evil, line: 1, column: 1, endLine: 1, endColumn: 2, path: '', object: evil, note: evil }],
  stories: [],
  fix: { title: evil, safe: false, edits: [] },
}

const command = '##vso[task.setvariable variable=PATH]x ##[error]y ::error::z'
const driving: Finding = {
  ...hostile,
  message: `Message ${command} ${'long '.repeat(10)}${command}.`,
  label: command,
  subject: { apiVersion: 'v1', kind: command, name: `${'x'.repeat(70)}::error::y`, namespace: command },
  place: { ...hostile.place, file: '::add-mask::x.yaml', path: `.metadata["${command}"]` },
  related: [{ ...hostile.place, file: command, path: '', object: command, note: command }],
  fix: { title: command, safe: false, edits: [] },
}

const built: Finding = {
  ...hostile,
  message: 'It breaks.',
  place: {
    ...hostile.place,
    file: 'overlays/prod/kustomization.yaml',
    path: '.spec.replicas',
    built: {
      file: `overlays/prod/<kustomize build>${evil}`,
      line: 7,
      column: 3,
      endLine: 7,
      endColumn: 11,
      near: { file: `base/${evil}.yaml`, line: 4 },
    },
  },
}

describe('policyreport', () => {
  const word = { type: 'string' } as const
  // What the definitions of wg-policy-prototypes and of Kyverno ask for, both v1alpha2.
  const validate = new Ajv2020({ strict: true, strictRequired: false }).compile({
    type: 'object',
    required: ['apiVersion', 'kind', 'metadata', 'summary', 'results'],
    additionalProperties: false,
    properties: {
      apiVersion: { const: 'wgpolicyk8s.io/v1alpha2' },
      kind: { enum: ['PolicyReport', 'ClusterPolicyReport'] },
      metadata: { type: 'object' },
      summary: {
        type: 'object',
        additionalProperties: false,
        properties: Object.fromEntries(
          ['pass', 'fail', 'warn', 'error', 'skip'].map((name) => [name, { type: 'integer' }]),
        ),
      },
      results: {
        type: 'array',
        items: {
          type: 'object',
          required: ['policy'],
          additionalProperties: false,
          properties: {
            source: word,
            policy: word,
            category: word,
            message: word,
            scored: { type: 'boolean' },
            severity: { enum: ['high', 'medium', 'low'] },
            result: { enum: ['pass', 'fail', 'warn', 'error', 'skip'] },
            properties: { type: 'object', additionalProperties: word },
            resources: {
              type: 'array',
              items: {
                type: 'object',
                additionalProperties: false,
                properties: { apiVersion: word, kind: word, name: word, namespace: word },
              },
            },
          },
        },
      },
    },
  })
  const live = (name: string, namespace: string, more: Partial<Finding> = {}): Finding => ({
    ...hostile,
    message: 'It breaks.',
    subject: { apiVersion: 'v1', kind: namespace ? 'Service' : 'Node', name, namespace },
    place: { ...hostile.place, file: `x/${name}`, live: true, path: '.spec' },
    ...more,
  })
  const objectsOf = async (findings: readonly Finding[]) =>
    JSON.parse(await text('policyreport', withFindings(findings), look)).items

  it('is objects that the definitions accept', async () => {
    for (const report of [incident, clean, withFindings([hostile])]) {
      const { items } = JSON.parse(await text('policyreport', report, { ...look, showSuppressed: true }))
      expect(items).not.toEqual([])
      for (const item of items) expect(validate(item), JSON.stringify(validate.errors)).toBe(true)
    }
  })

  it('has an object for each namespace, and one for the cluster', async () => {
    const found = [live('n', ''), live('a', 'x', { severity: 'info' }), live('b', 'y'), live('c', 'x')]
    const items = await objectsOf(found)
    expect(items).toMatchObject([
      { kind: 'ClusterPolicyReport', metadata: { name: 'k8s-af' }, summary: { fail: 1 } },
      { kind: 'PolicyReport', metadata: { name: 'k8s-af', namespace: 'x' }, summary: { fail: 1, warn: 1 } },
      { kind: 'PolicyReport', metadata: { name: 'k8s-af', namespace: 'y' } },
    ])
    expect(items[1].results[0]).toMatchObject({
      source: 'k8s-af',
      policy: 'service-selects-nothing',
      severity: 'low',
      result: 'warn',
      message: 'It breaks.',
      resources: [{ apiVersion: 'v1', kind: 'Service', namespace: 'x', name: 'a' }],
    })
    const [empty, ...none] = await objectsOf([])
    expect([empty.kind, empty.results, none]).toEqual(['ClusterPolicyReport', [], []])
  })

  it('makes objects that kubectl apply can annotate', async () => {
    const message = `It ${'\u00e9'.repeat(1000)} breaks.`
    const items = await objectsOf(Array.from({ length: 200 }, (_, i) => live(`s${i}`, 'x', { message })))
    expect(items.map((one: { metadata: { name: string } }) => one.metadata.name)).toEqual([
      'k8s-af',
      'k8s-af',
      'k8s-af-2',
      'k8s-af-3',
      'k8s-af-4',
    ])
    for (const item of items) expect(Buffer.byteLength(JSON.stringify(item))).toBeLessThan(200_000)
  })
})

describe('json', () => {
  const schema = JSON.parse(readFileSync(join(root, 'src/reporters/report.schema.json'), 'utf8')) as object
  const validate = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true }).compile(schema)
  for (const [name, report] of Object.entries({ incident, clean, hostile: withFindings([hostile, built]) })) {
    it(`follows its schema: ${name}`, async () => {
      const parsed: unknown = JSON.parse(await text('json', report))
      validate(parsed)
      expect(validate.errors).toBeNull()
    })
  }
  it('refuses what is no report', () => {
    expect(validate({ schemaVersion: 1 })).toBe(false)
  })
  it('is one object a line as jsonl', async () => {
    const lines = (await text('jsonl', incident)).trimEnd().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as Finding).rule)).toEqual(
      incident.findings.map(({ rule }) => rule),
    )
  })
})

describe('yaml', () => {
  it('says what json says', async () => {
    const odd = {
      ...hostile,
      message: 'y',
      label: 'a: b #c',
      evidence: ['- x', '1e3', '', 'null', ' x', '~'],
    }
    for (const report of [incident, clean, withFindings([hostile, odd])])
      expect(load(await text('yaml', report))).toEqual(
        JSON.parse((await text('json', report)).replaceAll('\\ud800', '\ufffd')),
      )
  })
})

describe('junit', () => {
  const named = (xml: string) => [...xml.matchAll(/name="([^"]*)" file/g)].map(([, name]) => name)

  it('has no two cases of a rule with one name, and none that a new line above would change', async () => {
    const at = (file: string, line: number, path = '.spec') => ({
      ...hostile,
      rule: 'pdb-missing',
      subject: { apiVersion: 'v1', kind: 'Service', name: 'web', namespace: 'shop' },
      place: { ...hostile.place, file, line, path },
    })
    const all = [at('a.yaml', 1), at('a.yaml', 1, '.spec.type'), at('a.yaml', 9), at('b.yaml', 1)]
    const names = named(await text('junit', withFindings(all)))
    expect(names).toEqual([
      'Service shop/web (a.yaml .spec)',
      'Service shop/web (a.yaml .spec.type)',
      'Service shop/web (a.yaml .spec) 2',
      'Service shop/web (b.yaml .spec)',
    ])
    const moved = all.map((one) => ({ ...one, place: { ...one.place, line: one.place.line + 5 } }))
    expect(named(await text('junit', withFindings(moved)))).toEqual(names)
  })
  it('has the message where it is an attribute, and where only text is shown', async () => {
    const [first] = incident.findings
    if (!first) throw new Error('no finding')
    const xml = await text('junit', withFindings([{ ...first, message: 'It breaks.' }]))
    expect(xml).toMatch(/<failure type="\w+" message="It breaks\.">It breaks\.\n[^<]*cronjob\.yaml:\d+:\d+/)
  })
})

describe('checkstyle', () => {
  it('has the findings of each file under its name', async () => {
    const [first, second, third] = incident.findings
    if (!first || !second || !third) throw new Error('too few findings')
    const at = (one: Finding, file: string) => ({ ...one, place: { ...one.place, file } })
    const suppressed = { ...at(third, 'b.yaml'), suppressed: { reason: 'known' } }
    const report = withFindings([at(first, 'a&.yaml'), at(second, 'a&.yaml'), suppressed])
    const shape = (xml: string) => xml.match(/<file name="[^"]*"|severity="\w+"|<\/\w+>/g)
    expect(shape(await text('checkstyle', report))).toEqual([
      '<file name="a&#38;.yaml"',
      `severity="${first.severity}"`,
      `severity="${second.severity}"`,
      '</file>',
      '</checkstyle>',
    ])
    expect(await text('checkstyle', report, { ...look, showSuppressed: true })).toContain('severity="ignore"')
    expect(shape(await text('checkstyle', clean))).toEqual(['</checkstyle>'])
  })
})

describe('sarif', () => {
  const official = createRequire(__filename)(
    '@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json',
  ) as object
  const validate = new Draft04({ strict: false, validateFormats: false, unicodeRegExp: false }).compile(
    official,
  )
  for (const [name, report] of Object.entries({ incident, clean, hostile: withFindings([hostile]) })) {
    it(`follows the official schema: ${name}`, async () => {
      validate(JSON.parse(await text('sarif', report)))
      expect(validate.errors).toBeNull()
    })
  }
  it('keeps its fingerprints when lines move', async () => {
    const moved = withFindings(
      incident.findings.map((one) => ({
        ...one,
        place: { ...one.place, line: one.place.line + 7, endLine: one.place.endLine + 7 },
      })),
    )
    const prints = async (report: Report) =>
      (
        JSON.parse(await text('sarif', report)) as { runs: { results: { partialFingerprints: object }[] }[] }
      ).runs[0]?.results.map((one) => one.partialFingerprints)
    expect(await prints(moved)).toEqual(await prints(incident))
    expect(new Set((await prints(incident))?.map((one) => JSON.stringify(one))).size).toBe(
      incident.findings.length,
    )
  })
  it('tells what was accepted from what a baseline knows', async () => {
    const kinds = async (suppressed: Finding['suppressed']) =>
      JSON.parse(await text('sarif', withFindings([{ ...hostile, ...(suppressed && { suppressed }) }])))
        .runs[0].results[0].suppressions
    expect(await kinds({ reason: 'x' })).toEqual([{ kind: 'inSource', justification: 'x' }])
    expect(await kinds({ reason: 'x', baseline: true })).toEqual([{ kind: 'external', justification: 'x' }])
  })
  it('encodes file names as URIs', async () => {
    const odd = withFindings(
      incident.findings
        .slice(0, 1)
        .map((one) => ({ ...one, place: { ...one.place, file: 'a b/c#d%.yaml' } })),
    )
    expect(await text('sarif', odd)).toContain('"uri":"a%20b/c%23d%25.yaml"')
  })
})

describe('findings of live objects that read the same', () => {
  const found = (name: string, message: string, more: Partial<Finding> = {}): Finding => ({
    rule: 'pdb-missing',
    severity: 'warning',
    message,
    subject: { apiVersion: 'apps/v1', kind: 'Deployment', name, namespace: 'shop' },
    place: { ...hostile.place, file: `deployment/shop/${name}`, live: true, path: '.spec' },
    related: [],
    stories: [],
    ...more,
  })
  const groups = (...findings: Finding[]) =>
    gather(findings).map(({ first, objects, clusters }) =>
      [first, ...objects.map((subject) => ({ subject }))].map((one) => one.subject?.name).concat(clusters),
    )

  it('are one, whatever their names', () => {
    const same = ['web', 'api', 'a.b'].map((name) => found(name, `Pods of shop/${name} end with ${name}.`))
    expect(groups(...same)).toEqual([['web', 'api', 'a.b']])
    // Nor whatever was seen of them.
    const seen = (name: string, age: string) =>
      found(name, `${name} breaks.`, { evidence: [`made ${age} ago`] })
    expect(groups(seen('web', '2 d'), seen('api', '3 h'))).toEqual([['web', 'api']])
  })
  it('are several when they differ in anything else', () => {
    expect(groups(found('web', 'web has 3.'), found('api', 'api has 4.'))).toEqual([['web'], ['api']])
    // A name is a whole word.
    expect(groups(found('a', 'a data.'), found('b', 'b dbtb.'))).toEqual([['a'], ['b']])
    expect(groups(found('a', 'a-x.y'), found('b', 'b-x.y'))).toEqual([['a'], ['b']])
  })
  it('are one in the same clusters only', () => {
    const of = (name: string, cluster: string) => found(name, `${name} breaks.`, { cluster })
    expect(
      groups(of('api', 'eu'), of('api', 'us'), of('job', 'eu'), of('web', 'eu'), of('web', 'us')),
    ).toEqual([
      ['api', 'web', 'eu', 'us'],
      ['job', 'eu'],
    ])
  })
})

describe('findings of files that read the same', () => {
  const at = (file: string, line: number) => ({ ...hostile.place, file, line, column: 7, path: '.spec' })
  const found = (name: string, file: string, line: number, related: Finding['related'] = []): Finding => ({
    rule: 'pdb-missing',
    severity: 'warning',
    message: `One drain may stop ${name}.`,
    subject: { apiVersion: 'apps/v1', kind: 'Deployment', name, namespace: 'shop' },
    place: at(file, line),
    related,
    stories: [],
  })
  const shown = async (...findings: Finding[]) =>
    (await text('pretty', withFindings(findings))).split('\n').slice(0, -3)

  it('are shown once, with every place', async () => {
    const long = `overlays/${'very-'.repeat(12)}far/web.yaml`
    const findings = [
      found('web', 'a.yaml', 3),
      found('web', 'a.yaml', 90),
      found('api', 'b.yaml', 4),
      found('web', 'c.yaml', 5),
      found('job', long, 6),
    ]
    expect(await shown(...findings)).toEqual([
      'a.yaml',
      `  warning  pdb-missing${' '.repeat(39)}Deployment shop/web`,
      '  One drain may stop web.',
      '     ╭─ a.yaml:3:7',
      '     ├─ also line 90',
      '     ├─ also b.yaml:4:7  Deployment shop/api',
      '     ├─ also c.yaml:5:7',
      `     ├─ also ${long}:6:7`,
      '     │  Deployment shop/job',
      ...(await shown(found('web', 'a.yaml', 3))).slice(4),
    ])
  })
  it('are cut short where they are many: other formats list them', async () => {
    const at = (count: number) => Array.from({ length: count }, (_, i) => found('web', 'a.yaml', 3 + 10 * i))
    const also = async (count: number) =>
      (await shown(...at(count))).filter((line) => /also|more/.test(line)).map((line) => line.trim())
    expect(await also(10)).toHaveLength(9)
    expect(await also(12)).toEqual([
      ...[13, 23, 33, 43, 53, 63, 73, 83].map((line) => `├─ also line ${line}`),
      '├─ and 3 more: -o concise lists them',
    ])
    const narrow = await text('pretty', withFindings(at(12)), { ...look, width: 40 })
    expect(narrow).toContain('     ├─ and 3 more: -o concise lists\n     │  them\n')
    expect((await text('concise', withFindings(at(12)))).match(/pdb-missing/g)).toHaveLength(12)
    expect((await text('html', withFindings(at(12)))).match(/<li id=/g)).toHaveLength(11)
  })
  it('name the others once where one line makes several objects', async () => {
    const findings = ['web', 'api', 'job'].map((name) => found(name, 'kustomization.yaml', 8))
    expect((await shown(...findings)).slice(3)).toEqual([
      '     ╭─ kustomization.yaml:8:7',
      '     ├─ also Deployment shop/api, shop/job',
      ...(await shown(found('web', 'a.yaml', 3))).slice(4),
    ])
  })
  it('fit the terminal', async () => {
    const findings = Array.from({ length: 50 }, (_, i) => found('a'.repeat(i + 1), 'a.yaml', i + 1))
    expect((await shown(...findings)).filter((line) => columns(line) > 80)).toEqual([])
  })
  it('stay apart when they have another half that is not the same', () => {
    const service = (file: string, line: number) => ({ ...at(file, line), object: 'Service shop/x' })
    const count = (...findings: Finding[]) => gather(findings).length
    const { subject: _, ...broken } = found('x', 'a', 3)
    expect(count(broken, { ...broken, place: at('b', 3) })).toBe(2)
    // Copies of a file, two users of one object, the same line of two files.
    expect(count(found('x', 'a', 3, [service('a', 9)]), found('x', 'b', 3, [service('b', 9)]))).toBe(1)
    expect(count(found('x', 'a', 3, [service('c', 9)]), found('x', 'b', 3, [service('c', 9)]))).toBe(1)
    expect(count(found('x', 'a', 3, [service('c', 9)]), found('x', 'b', 3, [service('d', 9)]))).toBe(2)
    expect(count(found('x', 'a', 3, [service('a', 9)]), found('x', 'b', 3, [service('b', 8)]))).toBe(2)
  })
})

describe('live objects for people', () => {
  const found = (name: string, severity: Severity, line: number): Finding => ({
    ...hostile,
    severity,
    message: `${name}s ${severity}.`,
    subject: { apiVersion: 'apps/v1', kind: 'Deployment', name, namespace: 'shop' },
    place: { ...hostile.place, file: `deployment/shop/${name}`, live: true, path: '.spec', line },
    related: [],
  })
  it('stand in the order of what is worst about them', async () => {
    const findings = [found('api', 'info', 1), found('job', 'warning', 2), found('web', 'warning', 3)]
    const seen = { ...found('mail', 'warning', 4), evidence: ['pod mail-1: 3 restarts'] }
    const all = [...findings, seen, found('web', 'error', 5)]
    const pretty = await text('pretty', withFindings(all))
    expect(pretty.match(/\w+ (error|warning|info)\./g)).toEqual([
      'webs error.',
      'webs warning.',
      'mails warning.',
      'jobs warning.',
      'apis info.',
    ])
  })
  it('stand first of equals where a whole cluster depends on the object', async () => {
    const within = (one: Finding, namespace: string): Finding => ({
      ...one,
      subject: { apiVersion: 'v1', kind: 'Object', name: one.place.file, namespace },
    })
    const all = [
      found('api', 'error', 1),
      within(found('dns', 'error', 2), 'kube-system'),
      within(found('hook', 'error', 3), ''),
      within(found('node', 'warning', 4), ''),
    ]
    const pretty = await text('pretty', withFindings(all))
    expect(pretty.match(/\w+ (error|warning)\./g)).toEqual([
      'hooks error.',
      'dnss error.',
      'apis error.',
      'nodes warning.',
    ])
  })
  it('stand no higher for what happens often, which is shown with what was seen', async () => {
    const seen = { ...found('mail', 'warning', 1), evidence: ['pod mail-1: 3 restarts'] }
    const often = { ...found('api', 'warning', 2), often: ['rolled out 6 times in the last 7 days'] }
    const pretty = await text('pretty', withFindings([often, { ...seen, often: ['evicted: mail-2'] }]))
    expect(pretty.match(/\w+ warning\.|seen .*/g)).toEqual([
      'mails warning.',
      'seen  pod mail-1: 3 restarts',
      'seen  evicted: mail-2',
      'apis warning.',
      'seen  rolled out 6 times in the last 7 days',
    ])
    expect(await text('github', withFindings([often]))).toContain(
      'Seen: rolled out 6 times in the last 7 days.',
    )
  })
})

describe('hostile names', () => {
  for (const format of formatNames) {
    it(`can't drive whatever shows ${format}`, async () => {
      const shown = await text(format, withFindings([hostile, built]))
      expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
      if (format === 'junit') expect(shown).not.toContain('<script')
      if (format === 'github')
        expect(shown.split('\n').filter((line) => line.startsWith('::')).length).toBe(2)
      else expect(shown).not.toMatch(/^::/m)
    })
  }
  for (const format of formatNames) {
    it(`drive no log of a pipeline that shows ${format}`, async () => {
      const shown = await text(format, withFindings([driving]))
      expect(shown).not.toMatch(/##vso\[|##\[/)
      const commands = shown.split('\n').filter((line) => /^\s*::/.test(line))
      expect(commands).toEqual(
        format === 'github' ? [expect.stringMatching(/^::error file=[^:]*,line=3,[^:]*::Message /)] : [],
      )
      if (['json', 'sarif', 'gitlab'].includes(format))
        expect(JSON.stringify(JSON.parse(shown))).toContain('##vso[task.setvariable')
      if (format === 'yaml') expect(JSON.stringify(load(shown))).toContain('##vso[task.setvariable')
    })
  }
  it('may be addresses', () => {
    expect(printable('fe80::a is ::1, ::ffff:1.2.3.4, 2001:db8::/32 or arn:aws:iam::12:role')).toBe(
      'fe80::a is ::1, ::ffff:1.2.3.4, 2001:db8::/32 or arn:aws:iam::12:role',
    )
    expect(printable(`::${'g'.repeat(100_000)}`)).toHaveLength(100_002)
  })
  it('end up readable', () => {
    expect(printable('a\u001b[31m\nb')).toBe('a\\u001b[31m\\nb')
  })
})

describe('pretty', () => {
  it('shows the place, what was meant and the other half', async () => {
    const one = incident.findings.filter(({ place }) => place.path.endsWith('concurrencyPolicy'))
    expect((await text('pretty', withFindings(one))).split('\n\n')[0]).toMatchInlineSnapshot(`
      "fixtures/stories/zalando-cronjob-apiserver/before/cronjob.yaml
        error  misplaced-spec-field                             CronJob reports/foobar
        kubectl apply refuses concurrencyPolicy here, other clients may lose it: runs
        may overlap without limit.
           ╭─ fixtures/stories/zalando-cronjob-apiserver/before/cronjob.yaml:13:11
        13 │         concurrencyPolicy: Forbid # expect: misplaced-spec-field
           │         ━━━━━━━━━━━━━━━━━ did you mean .spec.concurrencyPolicy?
           ╰─ fix  move concurrencyPolicy to .spec                               --fix
        Zalando, 2018: A CronJob whose safety fields stood one level too deep flooded
        the cluster with pods until the API server ran out of memory and the ingress
        lost its routes.
        https://www.slideshare.net/try_except_/running-kubernetes-in-production-a-million-ways-to-crash-your-cluster-devopscon-munich-2018
        k8s-af explain misplaced-spec-field"
    `)
  })
  it('fits the terminal', async () => {
    for (const width of [40, 60, 80, 100]) {
      const lines = (await text('pretty', incident, { ...look, width })).split('\n')
      const long = lines.filter(
        (line) =>
          columns(line) > width && !/fixtures\/|k8s-af explain|\.spec\.|^ {2}https:\/\/\S+$/.test(line),
      )
      expect(long).toEqual([])
    }
  })
  it('says which flag makes a fix, wherever there is room for it', async () => {
    const ending = async (title: string, edits: boolean) => {
      const fix = { title, safe: false, edits: edits ? [{ op: 'remove' as const, path: ['x'] }] : [] }
      const one = { ...hostile, fix, place: { ...hostile.place, line: 3 }, related: [] }
      const shown = await text('pretty', withFindings([one]), { ...look, width: 50, color: true })
      const plain = shown.replaceAll(/\u001b\[\d+m/g, '').split('\n\n')[0] ?? ''
      return plain.slice(plain.indexOf('╰')).split('\n').slice(0, 3)
    }
    const first = ['╰─ fix  replicas: 2            --unsafe-fixes']
    expect((await ending('replicas: 2', true)).slice(0, 1)).toEqual(first)
    expect((await ending('replicas: 2', false)).slice(0, 1)).toEqual(['╰─ fix  replicas: 2'])
    const long = 'a preStop hook that waits 5 seconds or more'
    expect((await ending(long, true)).slice(0, 2)).toEqual([
      '╰─ fix  a preStop hook that waits 5 seconds',
      '             or more                --unsafe-fixes',
    ])
    const full = 'one two three four five six seven'
    expect((await ending(full, true)).slice(0, 2)).toEqual([
      `╰─ fix  ${full}`,
      `             ${' '.repeat(23)}--unsafe-fixes`,
    ])
  })
  it('has no colours unless asked', async () => {
    expect(await text('pretty', incident)).not.toContain('\u001b[')
    expect(await text('pretty', incident, { ...look, color: true })).toContain('\u001b[')
  })
  it('is ASCII where the terminal knows no more', async () => {
    const shown = await text(
      'pretty',
      withFindings(incident.findings.filter(({ rule }) => rule === 'job-without-deadline')),
      { ...look, unicode: false },
    )
    expect(shown).toContain('job-without-deadline')
    expect(shown.replaceAll('…', '')).toMatch(/^[\u0000-\u007f]*$/)
  })
  it('never shows a line of a Secret', async () => {
    const subject = { apiVersion: 'v1', kind: 'Secret', name: 'keys', namespace: 'shop' }
    const finding = { ...hostile, subject, related: [], place: { ...hostile.place, file: 'secret.yaml' } }
    const shown = (line: string | undefined) =>
      text('pretty', { ...withFindings([finding]), lines: { line: () => line } })
    expect(await shown(undefined)).toContain('(not shown: Secret)')
    expect(await shown('type: Opaque')).not.toContain('(not shown: Secret)')
  })
  it('ends with the rules that fill a long report, the gravest first, and with what makes it shorter', async () => {
    const of = (number: number, rule: string, severity: Severity, more: Partial<Finding> = {}) =>
      Array.from(
        { length: number },
        (_, i): Finding => ({
          ...hostile,
          rule,
          severity,
          message: `Message ${i}.`,
          place: { ...hostile.place, line: i + 1 },
          ...more,
        }),
      )
    const errors = of(2, 'pdb-missing', 'error')
    const warnings = [...of(30, 'job-without-deadline', 'warning'), ...of(8, 'hpa-at-limit', 'warning')]
    const infos = of(12, 'mutable-image-tag', 'info')
    const known = of(1, 'unknown-field', 'error', { suppressed: { reason: 'known', baseline: true } })
    const ending = async (findings: readonly Finding[], how = look) =>
      (await text('pretty', withFindings(findings), how)).split('\n').slice(-9)
    const all = [...infos, ...warnings, ...errors]
    expect(await ending(all)).toEqual([
      '',
      'error    pdb-missing 2',
      'warning  job-without-deadline 30, hpa-at-limit 8',
      'info     mutable-image-tag 12',
      '',
      expect.stringMatching(/^2 errors, 38 warnings, 12 infos · /),
      expect.stringMatching(/ rules for Kubernetes /),
      'For less: --min-severity warning, or a baseline first: --write-baseline FILE',
      '',
    ])
    expect((await ending([...all, ...known])).slice(-4)).toEqual([
      expect.stringContaining('2 errors, 38 warnings, 12 infos · 1 in the baseline · '),
      expect.stringMatching(/ rules for Kubernetes /),
      'For less: --min-severity warning',
      '',
    ])
    expect((await ending(of(51, 'pdb-missing', 'warning'))).at(-2)).toBe(
      'For less: a baseline first: --write-baseline FILE',
    )
    expect((await ending([...of(51, 'pdb-missing', 'warning'), ...known])).join()).not.toContain('For less')
    expect((await ending(all, { ...look, width: 40 })).filter((line) => columns(line) > 40)).toEqual([])
    const equal = of(60, 'hpa-at-limit', 'info', { message: 'One.' })
    const many = [
      'pdb-missing',
      'unknown-field',
      'duplicate-key',
      'wrong-type',
      'invalid-value',
      'missing-field',
    ]
    const different = many.flatMap((rule) => of(2, rule, 'error'))
    expect((await ending([...different, ...infos])).slice(1, 5)).toEqual([
      '',
      'error  duplicate-key 2, invalid-value 2, missing-field 2, pdb-missing 2,',
      '       unknown-field 2, wrong-type 2',
      'info   mutable-image-tag 12',
    ])
    const longer = await ending(all.slice(-30))
    expect(longer).toContain('warning  job-without-deadline 20, hpa-at-limit 8')
    expect(longer.join()).not.toContain('For less')
    for (const short of [all.slice(-10), equal])
      expect(await text('pretty', withFindings(short))).not.toMatch(/For less|hpa-at-limit \d/)
  })
  it('ends with the summary when there is nothing to say', async () => {
    expect(await text('pretty', clean)).toMatch(
      /^No findings · 1 object in 1 file · 0 rules for Kubernetes 1\.37/,
    )
  })
})

describe('what was built', () => {
  const line = (file: string, number: number) =>
    file === built.place.built?.file && number === 7 ? '  replicas: 1' : undefined
  const plain: Finding = {
    ...built,
    label: 'one',
    related: [],
    place: {
      ...built.place,
      ...(built.place.built && { built: { ...built.place.built, near: { file: 'base/web.yaml', line: 4 } } }),
    },
    subject: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', namespace: 'shop' },
    fix: { title: 'replicas: 2', safe: true, edits: [] },
  }
  const report = { ...withFindings([plain]), lines: { line } }

  it('is shown by its own text, without a line', async () => {
    expect((await text('pretty', report)).split('\n').slice(0, 8)).toEqual([
      'overlays/prod/kustomization.yaml',
      '  error  service-selects-nothing                             Deployment shop/web',
      '  It breaks.',
      '     ╭─ as built: .spec.replicas',
      '     │   replicas: 1',
      '     │   ━━━━━━━━ one',
      '     ├─ made from base/web.yaml:4',
      '     ╰─ fix  replicas: 2',
    ])
    const html = await text('html', report)
    expect(html).toContain('overlays/prod/kustomization.yaml, as built')
    expect(html).toContain('<mark>replicas</mark>')
    expect(await text('markdown', report)).toContain('overlays/prod/kustomization.yaml, as built')
  })
  it('is said to be where there is one text for all', async () => {
    for (const format of [
      'concise',
      'github',
      'gitlab',
      'junit',
      'sarif',
      'checkstyle',
      'policyreport',
    ] as const)
      expect(await text(format, report)).toContain(
        'It breaks. As built: .spec.replicas, from base/web.yaml:4.',
      )
  })
})

describe('looks', () => {
  it.each([
    [{ isTTY: true }, {}, 'auto', true],
    [{ isTTY: false }, {}, 'auto', false],
    [{ isTTY: true }, { NO_COLOR: '1' }, 'auto', false],
    [{ isTTY: true }, { NO_COLOR: '' }, 'auto', true],
    [{ isTTY: false }, { FORCE_COLOR: '1' }, 'auto', true],
    [{ isTTY: true }, { FORCE_COLOR: '0' }, 'auto', false],
    [{ isTTY: true }, { TERM: 'dumb' }, 'auto', false],
    [{ isTTY: false }, { NO_COLOR: '1' }, 'always', true],
    [{ isTTY: true }, {}, 'never', false],
  ] as const)('colours: %o %o %s', (stream, env, when, expected) => {
    expect(wantsColor(stream, env, when)).toBe(expected)
  })
  it('is 80 columns wide when nobody says', () => {
    expect(lookOf({}, {}).width).toBe(80)
    expect(lookOf({ columns: 20 }, {}).width).toBe(40)
    expect(lookOf({ columns: 300 }, {}).width).toBe(100)
  })
  it('measures text as terminals do', () => {
    expect(columns('日本')).toBe(4)
    expect(columns('e\u0301')).toBe(1)
    expect(cut('abcdef', 4)).toBe('abc…')
    expect(wrap('one two three', 7)).toEqual(['one two', 'three'])
    expect(wrap('after 15 s or 20 steps', 8)).toEqual(['after', '15 s or', '20 steps'])
    expect(wrap('one 20 steps', 6)).toEqual(['one 20', 'steps'])
  })
})
