/** Configuration files: found, read, merged, checked; and what flags and they make of a run. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../src/config/load.js'
import { type Flags, findConfig, resolveSettings } from '../src/config/resolve.js'
import { configSchema } from '../src/config/schema.js'
import { parseSource } from '../src/config/source.js'
import { UsageError } from '../src/config/usage.js'
import { configProblems } from '../src/config/validate.js'
import { minorOf } from '../src/config/version.js'
import { loadRules } from '../src/registry.js'
import { durationPattern, quantityPattern, type Rule, rule } from '../src/rule.js'
import { folderWith } from './folders.js'

const made = (spec: Partial<Rule> = {}) =>
  ({
    ...rule({
      title: 'A test',
      category: 'batch',
      severity: 'warning',
      why: '',
      remedy: '',
      decides: '',
      stories: [],
      for: 'Job',
      check() {},
    }),
    ...spec,
  }) satisfies Rule

const rules = new Map<string, Rule>([
  ['job-too-old', made()],
  [
    'job-without-deadline',
    made({
      stories: ['acme-queue'],
      params: {
        seconds: { type: 'integer', minimum: 1, default: 3600, about: 'The deadline.' },
        images: {
          type: 'array',
          items: { type: 'string', format: 'regex' },
          default: ['a'],
          about: 'Images.',
        },
        all: { type: 'boolean', default: false, asked: true, about: 'Everything.' },
        after: { type: 'string', pattern: durationPattern, default: '1h', about: 'How long.' },
        memory: { type: 'string', pattern: `^$|${quantityPattern}`, default: '', about: 'Such as `2Gi`.' },
      },
    }),
  ],
  ['probe-missing', made({ category: 'networking', recommended: false })],
])

function config(text: string, others: Readonly<Record<string, string>> = {}) {
  return loadConfig('.k8s-af.yaml', folderWith({ ...others, '.k8s-af.yaml': text }), rules)
}

/** What the user is told. */
function mistakes(text: string, others: Readonly<Record<string, string>> = {}): readonly string[] {
  try {
    config(text, others)
  } catch (error) {
    if (error instanceof UsageError) return error.lines
    throw error
  }
  return []
}

const settings = (text: string, flags: Flags = {}) =>
  resolveSettings(text === '' ? undefined : config(text), flags, rules)
const ids = (text: string, flags: Flags = {}) => settings(text, flags).active.map(({ id }) => id)

describe('a configuration file', () => {
  it('may be empty', () => {
    expect(config('# nothing yet\n')).toMatchObject({ file: '.k8s-af.yaml', rules: {}, ignore: [] })
  })
  it('says everything that a run can be told', () => {
    const found = config(`
kubernetesVersion: "1.30"
complete: true
namespace: shop
preset: all
rules:
  job-too-old: off
  probe-missing: error
  job-without-deadline: { severity: info, params: { seconds: 10 } }
externals: [{ kind: Secret, name: "*-tls" }]
workloadKinds: [{ kind: example.com/Fleet, template: spec.template, replicas: spec.size }]
crds: [crds, ../shared/*.yaml]
suppressions:
  - rules: [job-too-old]
    name: legacy
    until: 2030-01-31
    reason: Kept for the audit.
ignore: [vendor/]
failOn: warning
minSeverity: warning
output: [pretty, sarif=out.sarif]
`)
    expect(found).toMatchObject({
      minor: 30,
      complete: true,
      namespace: 'shop',
      preset: 'all',
      rules: {
        'job-too-old': { enabled: false },
        'probe-missing': { severity: 'error' },
        'job-without-deadline': { severity: 'info', params: { seconds: 10 } },
      },
      externals: [{ kind: 'Secret', name: '*-tls' }],
      workloadKinds: [{ kind: 'example.com/Fleet', template: 'spec.template', replicas: 'spec.size' }],
      crds: ['crds', '../shared/*.yaml'],
      ignore: ['vendor/'],
      failOn: 'warning',
      minSeverity: 'warning',
      output: ['pretty', 'sarif=out.sarif'],
    })
    expect(found.suppressions[0]).toMatchObject({
      until: '2030-01-31',
      place: { file: '.k8s-af.yaml', column: 5 },
    })
  })
  it('may be JSON', () => {
    const cwd = folderWith({ '.k8s-af.json': '{"failOn": "never"}' })
    expect(loadConfig('.k8s-af.json', cwd, rules).failOn).toBe('never')
  })
  it('builds on others: values replace, rules merge, lists grow', () => {
    const found = config(
      'extends: [shared/a.yaml, shared/b.yaml]\nrules: { job-without-deadline: { params: { seconds: 5 } } }\nignore: [c]\ncrds: [c]\n',
      {
        'shared/a.yaml':
          'failOn: info\nignore: [a]\ncrds: [a]\nrules: { job-without-deadline: { params: { seconds: 1, images: [x] } } }\n',
        'shared/b.yaml': 'failOn: never\nignore: [b]\nrules: { job-without-deadline: error }\n',
      },
    )
    expect(found.failOn).toBe('never')
    expect(found.ignore).toEqual(['a', 'b', 'c'])
    expect(found.crds).toEqual(['shared/a', 'c'])
    expect(found.rules['job-without-deadline']).toEqual({
      severity: 'error',
      params: { seconds: 5, images: ['x'] },
    })
    const on = (text: string) =>
      resolveSettings(
        config(`extends: [a.yaml]\n${text}`, { 'a.yaml': 'rules: { job-too-old: off }\n' }),
        {},
        rules,
      ).active.map(({ id }) => id)
    expect(on('rules: { job-too-old: { params: {} } }\n')).not.toContain('job-too-old')
    expect(on('rules: { job-too-old: error }\n')).toContain('job-too-old')
  })
})

describe('a category in the configuration', () => {
  const on = (text: string, flags = {}) =>
    resolveSettings(config(text), flags, rules).active.map(({ id }) => id)

  it('is off but for the rules that are named', () => {
    expect(on('')).toEqual(['job-too-old', 'job-without-deadline'])
    expect(on('rules: { batch: off }\n')).toEqual([])
    expect(on('rules: { batch: off, job-too-old: warning }\n')).toEqual(['job-too-old'])
    expect(on('rules: { batch: off, job-too-old: { enabled: true } }\n')).toEqual(['job-too-old'])
    expect(on('rules: { batch: off, job-without-deadline: { params: { seconds: 5 } } }\n')).toEqual([])
    expect(on('rules: { networking: off }\n')).toEqual(['job-too-old', 'job-without-deadline'])
  })
  it('is off in the preset all, and on where a flag asks for it', () => {
    expect(on('preset: all\nrules: { batch: off }\n')).toEqual(['probe-missing'])
    expect(on('rules: { batch: off }\n', { enable: ['job-too-old'] })).toEqual(['job-too-old'])
  })
})

describe('a mistake in a configuration', () => {
  const cases: Readonly<Record<string, readonly [text: string, message: string]>> = {
    'an unknown key': [
      'failsOn: error\n',
      '.k8s-af.yaml:1:1: There is no key "failsOn". Did you mean "failOn"?',
    ],
    'an unknown rule': [
      'rules:\n  job-witout-deadline: off\n',
      '.k8s-af.yaml:2:3: There is no rule "job-witout-deadline". Did you mean "job-without-deadline"?',
    ],
    'a category with a severity': [
      'rules:\n  batch: error\n',
      '.k8s-af.yaml:2:10: rules.batch cannot be "error". It can be off.',
    ],
    'a suppression of a category that does not exist': [
      'suppressions: [{rules: [bach], reason: x}]\n',
      '.k8s-af.yaml:1:25: There is no rule "bach". Did you mean "batch"?',
    ],
    'an unknown parameter': [
      'rules:\n  job-without-deadline:\n    params: {second: 1}\n',
      '.k8s-af.yaml:3:14: The rule job-without-deadline has no parameter "second". Did you mean "seconds"?',
    ],
    'a parameter of a rule without any': [
      'rules:\n  job-too-old: {params: {x: 1}}\n',
      '.k8s-af.yaml:2:26: The rule job-too-old has no parameter "x".',
    ],
    'a bad severity': [
      'rules:\n  job-too-old: loud\n',
      '.k8s-af.yaml:2:16: rules.job-too-old cannot be "loud". It can be off, error, warning or info.',
    ],
    'a short severity': [
      'rules:\n  job-too-old: warn\n',
      '.k8s-af.yaml:2:16: rules.job-too-old cannot be "warn". Did you mean "warning"?',
    ],
    'a bad severity inside': [
      'rules:\n  job-too-old: {severity: eror}\n',
      '.k8s-af.yaml:2:27: rules.job-too-old.severity cannot be "eror". Did you mean "error"?',
    ],
    'a wrong type': [
      'rules:\n  job-without-deadline: {params: {seconds: soon}}\n',
      '.k8s-af.yaml:2:44: rules.job-without-deadline.params.seconds must be a whole number, not "soon".',
    ],
    'a number out of range': [
      'rules:\n  job-without-deadline: {params: {seconds: 0}}\n',
      '.k8s-af.yaml:2:44: rules.job-without-deadline.params.seconds must be at least 1.',
    ],
    'a text that is no duration': [
      'rules:\n  job-without-deadline: {params: {after: soon}}\n',
      '.k8s-af.yaml:2:42: rules.job-without-deadline.params.after cannot be "soon". Write it like "1h".',
    ],
    'a text that is no quantity': [
      'rules:\n  job-without-deadline: {params: {memory: much}}\n',
      '.k8s-af.yaml:2:43: rules.job-without-deadline.params.memory cannot be "much". Such as `2Gi`.',
    ],
    'a text that is no regular expression': [
      'rules:\n  job-without-deadline: {params: {images: ["("]}}\n',
      '.k8s-af.yaml:2:44: rules.job-without-deadline.params.images[0] is no regular expression: "(".',
    ],
    'something else than a choice': [
      'rules:\n  job-too-old: [off]\n',
      '.k8s-af.yaml:2:16: rules.job-too-old cannot be a list. It can be off, error, warning, info or a mapping.',
    ],
    'aliases without end': [
      `a: &a [x]\n${Array.from({ length: 9 }, (_, i) => `b${i}: &b${i} [${`*${i === 0 ? 'a' : `b${i - 1}`},`.repeat(9)}]\n`).join('')}`,
      '.k8s-af.yaml: its aliases make far too many values: write them out, or use fewer.',
    ],
    'an alias of itself': [
      'ignore: &a [*a]\n',
      '.k8s-af.yaml: its aliases make far too many values: write them out, or use fewer.',
    ],
    'a version without quotes': [
      'kubernetesVersion: 1.30\n',
      '.k8s-af.yaml:1:20: kubernetesVersion must be text: put it in quotes.',
    ],
    'an unknown version': [
      'kubernetesVersion: "1.99"\n',
      '.k8s-af.yaml:1:20: kubernetesVersion: Kubernetes 1.99 is not known here; 1.22 to 1.37 are.',
    ],
    'a suppression without a reason': [
      'suppressions:\n  - rules: [job-too-old]\n',
      '.k8s-af.yaml:2:5: suppressions[0] needs "reason".',
    ],
    'a suppression of an unknown rule': [
      'suppressions: [{rules: [job-to-old], reason: x}]\n',
      '.k8s-af.yaml:1:25: There is no rule "job-to-old". Did you mean "job-too-old"?',
    ],
    'a day that is none': [
      'suppressions: [{rules: [job-too-old], reason: x, until: 2030-02-30}]\n',
      '.k8s-af.yaml:1:57: 2030-02-30 is not a day of the calendar.',
    ],
    'a kind that is none': [
      'workloadKinds:\n  - {kind: v1/Fleet, template: spec.template}\n',
      '.k8s-af.yaml:2:12: workloadKinds[0].kind cannot be "v1/Fleet". Write it like "example.com/Fleet".',
    ],
    'no YAML': [
      'rules: [\n',
      '.k8s-af.yaml:2:1: this is not YAML: unexpected end of the stream within a flow collection.',
    ],
    'a repeated key': [
      'failOn: error\nfailOn: info\n',
      '.k8s-af.yaml:2:1: this key is in the mapping already.',
    ],
    'no mapping': ['- failOn\n', '.k8s-af.yaml:1:1: a configuration is a mapping of keys to values.'],
    'a base that is not there': [
      'extends: ./team.yaml\n',
      '.k8s-af.yaml:1:10: ./team.yaml cannot be read: there is no such file.',
    ],
    'a circle': ['extends: [.k8s-af.yaml]\n', '.k8s-af.yaml:1:11: .k8s-af.yaml extends this file again.'],
  }
  for (const [name, [text, message]] of Object.entries(cases))
    it(name, () => expect(mistakes(text)).toEqual([message]))

  it('does not hide the next one', () => {
    expect(mistakes('a: 1\nb: 2\n')).toHaveLength(2)
  })
  it('may be a path of fields that is none', () => {
    const kind = (template: string, replicas: string) =>
      `workloadKinds:\n  - kind: example.com/Fleet\n    template: ${template}\n    replicas: ${replicas}\n`
    for (const path of [
      '.spec.template',
      '/spec/template',
      'spec..template',
      'spec.pools[0].template',
      '"{.x}"',
    ])
      expect(mistakes(kind(path, 'spec.size'))).toEqual([
        `.k8s-af.yaml:3:15: workloadKinds[0].template cannot be ${JSON.stringify(path.replaceAll('"', ''))}. Write it like "spec.template".`,
      ])
    expect(mistakes(kind('spec.template.spec', '$.spec.size'))).toEqual([
      '.k8s-af.yaml:3:15: workloadKinds[0].template cannot be "spec.template.spec". Write it like "spec.template".',
      '.k8s-af.yaml:4:15: workloadKinds[0].replicas cannot be "$.spec.size". Write it like "spec.replicas".',
    ])
    for (const path of ['spec.template', 'template', 'spec.server.podTemplate', 'spec.my-template.x_1'])
      expect(mistakes(kind(path, 'spec.size'))).toEqual([])
  })
  it('in a base is shown there', () => {
    expect(mistakes('extends: a.yaml\n', { 'a.yaml': 'x: 1\n' })[0]).toMatch(
      /^a\.yaml:1:1: There is no key "x"\./,
    )
  })
})

describe('the configuration that applies', () => {
  it('is the nearest one, not above the repository', () => {
    const own = folderWith({
      '.k8s-af.yaml': '',
      'repo/.git/HEAD': '',
      'repo/team/.k8s-af.yml': '',
      'repo/team/app/x': '',
      'repo/b/x': '',
    })
    expect(findConfig(join(own, 'repo/team/app'))).toBe(join(own, 'repo/team/.k8s-af.yml'))
    expect(findConfig(join(own, 'repo/b'))).toBeUndefined()
    expect(findConfig(own)).toBe(join(own, '.k8s-af.yaml'))
  })
  it('is never a choice between two', () => {
    expect(() => findConfig(folderWith({ '.k8s-af.yaml': '', '.k8s-af.json': '' }))).toThrow(
      /\.k8s-af\.yaml, \.k8s-af\.json/,
    )
  })
})

describe('settings', () => {
  it('have defaults', () => {
    expect(settings('')).toMatchObject({
      minor: 37,
      complete: false,
      minSeverity: 'info',
      failOn: 'error',
      off: 1,
    })
    expect(settings('').active[1]?.params).toEqual({
      seconds: 3600,
      images: ['a'],
      all: false,
      after: '1h',
      memory: '',
    })
    const all = (text: string) => settings(text).active[1]?.params.all
    expect(all('preset: all\n')).toBe(true)
    expect(all('preset: all\nrules: { job-without-deadline: { params: { all: false } } }\n')).toBe(false)
    expect(all('rules: { job-without-deadline: { enabled: true } }\n')).toBe(true)
    expect(all('rules: { job-without-deadline: error }\n')).toBe(false)
    expect(settings('').today).toMatch(/^\d{4}-\d{2}-\d{2}$/)
  })
  it('start from a preset', () => {
    expect(ids('')).toEqual(['job-too-old', 'job-without-deadline'])
    expect(ids('preset: all\n')).toHaveLength(3)
    expect(ids('preset: all\n', { preset: 'recommended' })).toHaveLength(2)
  })
  it('tell rules that somebody has asked for from those of the preset', () => {
    const asked = (text: string, flags = {}) =>
      settings(text, flags)
        .active.filter(({ isAsked }) => isAsked)
        .map(({ id }) => id)
    expect(asked('rules: { job-too-old: { params: {} } }\n')).toEqual([])
    expect(asked('preset: all\n')).toHaveLength(3)
    expect(asked('rules: { probe-missing: error }\n')).toEqual([])
    expect(ids('rules: { probe-missing: error }\n')).toContain('probe-missing')
    expect(asked('rules: { probe-missing: { enabled: true, severity: error } }\n')).toEqual(['probe-missing'])
    expect(asked('', { enable: ['job-too-old'] })).toEqual(['job-too-old'])
    expect(asked('', { only: ['batch'] })).toEqual(ids('', { only: ['batch'] }))
  })
  it('switch rules on and off: flags win', () => {
    const text = 'rules: { job-too-old: off, probe-missing: error }\n'
    expect(ids(text)).toEqual(['job-without-deadline', 'probe-missing'])
    expect(ids(text, { enable: ['job-too-old'], disable: ['probe-missing'] })).toEqual([
      'job-too-old',
      'job-without-deadline',
    ])
    expect(ids('rules: { probe-missing: { enabled: true } }\n')).toHaveLength(3)
    expect(ids('rules: { probe-missing: { params: {} } }\n')).toHaveLength(2)
  })
  it('choose by rule, category or story', () => {
    expect(ids('rules: { probe-missing: off }\n', { only: ['probe-missing'] })).toEqual(['probe-missing'])
    expect(ids('', { only: ['batch'] })).toEqual(['job-too-old', 'job-without-deadline'])
    expect(ids('', { only: ['acme-queue'] })).toEqual(['job-without-deadline'])
    expect(() => ids('', { only: ['job-too-oldd'] })).toThrow(
      '--only: there is no rule, category or story "job-too-oldd". Did you mean "job-too-old"?',
    )
  })
  it('take parameters and severities from the configuration', () => {
    const [, active] = settings(
      'rules: { job-without-deadline: { severity: error, params: { seconds: 7 } } }\n',
    ).active
    expect(active).toMatchObject({ severity: 'error', params: { seconds: 7, images: ['a'] } })
  })
})

describe('a Kubernetes version', () => {
  it('is read in the ways in which people write it', () => {
    expect(
      ['1.33', 'v1.33', '1.33.4', 'v1.33.1-gke.100', '1.33.2+k3s1'].map((text) => minorOf(text, 'x')),
    ).toEqual(Array(5).fill(33))
  })
  it('must be known', () => {
    expect(() => minorOf('1.21', '--k8s-version')).toThrow(
      '--k8s-version: Kubernetes 1.21 is not known here; 1.22 to 1.37 are.',
    )
    for (const text of ['', 'latest', '2.0', '1', '1.x'])
      expect(() => minorOf(text, 'x')).toThrow(/is no Kubernetes version/)
  })
})

describe('the documentation', () => {
  for (const name of ['README.md', 'docs/configuration.md'])
    it(`${name} shows configurations that are sound`, async () => {
      const all = await loadRules()
      const text = readFileSync(join(__dirname, '..', name), 'utf8')
      const blocks = [...text.matchAll(/^```yaml\n((?:kubernetesVersion|rules|suppressions):[\s\S]*?)^```/gm)]
      expect(blocks.length).toBeGreaterThan(0)
      for (const [, block = ''] of blocks)
        expect(configProblems(parseSource(name, block).value, all)).toEqual([])
    })
})

describe('the schema', () => {
  it('is sound and accepts a configuration', () => {
    const validate = new Ajv({ strict: true, allowUnionTypes: true, formats: { regex: true } }).compile(
      configSchema(rules),
    )
    expect(validate({ rules: { 'job-too-old': 'off' }, extends: 'x' })).toBe(true)
    expect(validate({ rules: { 'job-too-old': 'of' } })).toBe(false)
  })
  it('accepts the default of every parameter', async () => {
    const all = await loadRules()
    const chosen = Object.fromEntries(
      [...all].map(([id, { params }]) => [
        id,
        { params: Object.fromEntries(Object.entries(params).map(([name, param]) => [name, param.default])) },
      ]),
    )
    expect(configProblems({ rules: chosen }, all)).toEqual([])
  })
})
