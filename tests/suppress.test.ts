/** Suppressions in comments, annotations and the configuration: what they hide, and what is said when they are wrong. */
import { basename } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Settings } from '../src/config/settings.js'
import { lint } from '../src/engine/lint.js'
import { readPaths } from '../src/reader/read.js'
import { parseDirective } from '../src/suppress/grammar.js'
import { activeRule, allRules, root, settings } from './harness.js'

const rules = await allRules()
const deadline = 'job-without-deadline'
const all = [deadline, 'suppression-invalid', 'suppression-expired', 'suppression-unused']

/** Lints a text as `job.yaml` with the rule about deadlines, and names what is left, with the first lines of the place. */
function left(text: string, others: Partial<Settings> = {}, ids = all) {
  const input = readPaths(['-'], { cwd: root, stdin: () => text, stdinFilename: 'job.yaml' })
  const chosen = ids.map((id) => activeRule(id, id === deadline ? { params: { bareJobs: true } } : {}))
  const report = lint(input, {
    settings: { ...settings(chosen), ...others },
    rules,
    stories: () => new Map(),
  })
  return {
    findings: report.findings.filter((one) => !one.suppressed).map((one) => one.rule),
    hidden: report.findings.flatMap((one) => (one.suppressed ? [one.suppressed.reason] : [])),
    messages: report.findings.filter((one) => one.rule !== deadline).map((one) => one.message),
  }
}

const job = (
  name: string,
  comments: { readonly before?: string; readonly spec?: string; readonly at?: string } = {},
) => `${comments.before ?? ''}apiVersion: batch/v1
kind: Job
metadata:
  name: ${name}
${comments.spec ?? ''}spec:${comments.at ?? ''}
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: main
          image: example/sync:2.0.1
`

describe('the grammar', () => {
  it('names rules, a container, a last day and a reason', () => {
    expect(parseDirective('a-rule, other container=web until=2030-01-31 -- because -- so')).toEqual({
      rules: ['a-rule', 'other'],
      container: 'web',
      until: '2030-01-31',
      reason: 'because -- so',
    })
    expect(parseDirective('a b -- x')).toMatchObject({ rules: ['a', 'b'] })
  })
  for (const [text, mistake] of [
    ['', /names no rule/],
    ['-- why', /names no rule/],
    ['a-rule', /gives no reason/],
    ['a-rule --', /gives no reason/],
    ['a-rule -- ', /gives no reason/],
    ['a-rule --why', /"--why" is not the name of a rule/],
    ['a-rule because of x.', /"x." is not the name of a rule/],
    ['a-rule until=tomorrow -- x', /"tomorrow" is not a day/],
    ['a-rule until=2030-02-30 -- x', /"2030-02-30" is not a day/],
    ['a-rule from=2030-02-20 -- x', /"from" is not known here/],
    ['a-rule container= -- x', /names no container/],
  ] as const)
    it(`refuses ${JSON.stringify(text)}`, () => expect(parseDirective(text)).toMatch(mistake))
})

describe('a comment', () => {
  const ignore = `# k8s-af-ignore ${deadline} -- short`

  it('is needed at all', () => expect(left(job('a')).findings).toEqual([deadline]))
  it('behind something covers its line', () => {
    expect(left(job('a', { at: ` ${ignore}` }))).toEqual({ findings: [], hidden: ['short'], messages: [] })
  })
  it('alone covers the node that follows', () => {
    expect(left(job('a', { spec: `${ignore}\n` })).hidden).toEqual(['short'])
    expect(left(job('a', { spec: `\n${ignore}\n# and more\n\n` })).hidden).toEqual(['short'])
  })
  it('does not reach past that node', () => {
    const text = job('a').replace('metadata:', `${ignore}\nmetadata:`)
    expect(left(text).findings.sort()).toEqual([deadline, 'suppression-unused'])
  })
  it('before the first key covers the object, and no other', () => {
    const text = `${job('a', { before: `${ignore}\n` })}---\n${job('b')}`
    expect(left(text)).toMatchObject({ findings: [deadline], hidden: ['short'] })
    expect(left(`${job('a')}---\n${ignore}\n${job('b')}`)).toMatchObject({
      findings: [deadline],
      hidden: ['short'],
    })
    expect(left(`${ignore}\n---\n${job('b')}`).hidden).toEqual(['short'])
    expect(left(`${job('a')}--- ${ignore}\n${job('b')}`)).toMatchObject({
      findings: [deadline],
      hidden: ['short'],
    })
  })
  it('does not reach over what is not Kubernetes', () => {
    expect(left(`${ignore}\nfoo: bar\n---\n${job('b')}`).findings).toContain(deadline)
  })
  it('may cover the file', () => {
    const text = `${job('a')}---\n${job('b')}# k8s-af-ignore-file ${deadline} -- both\n`
    expect(left(text)).toEqual({ findings: [], hidden: ['both', 'both'], messages: [] })
  })
  it('is only what YAML takes for one', () => {
    const inScalar = (value: string) =>
      job('a').replace('metadata:\n', `metadata:\n  annotations:\n    note: ${value}\n`)
    for (const value of [
      `|\n      ${ignore}`,
      `>-\n      text\n      ${ignore}\n      text`,
      `"x ${ignore}"`,
      `'x\n      ${ignore}'`,
    ])
      expect(left(inScalar(value)).findings).toEqual([deadline])
    expect(left(inScalar(`plain ${ignore}`)).findings.sort()).toEqual([deadline, 'suppression-unused'])
  })
  it('may be the end of a file that has no line break there', () => {
    const pod = '{restartPolicy: Never, containers: [{name: main, image: "example/sync:2.0.1"}]}'
    const text = `apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {template: {spec: ${pod}}} ${ignore}`
    expect(left(text)).toMatchObject({ findings: [], hidden: ['short'] })
    expect(left(`${text}\n`)).toMatchObject({ findings: [], hidden: ['short'] })
  })
  it('works with CRLF and in a list', () => {
    const list = `apiVersion: v1\nkind: List\nitems:\n${ignore}\n- ${job('a').replaceAll('\n', '\n  ').trim()}\n- ${job('b').replaceAll('\n', '\n  ').trim()}\n`
    expect(left(list)).toMatchObject({ findings: [deadline], hidden: ['short'] })
    expect(left(list.replaceAll('\n', '\r\n'))).toMatchObject({ findings: [deadline], hidden: ['short'] })
  })
})

describe('in a file of which a part cannot be read, a comment', () => {
  const broken = 'apiVersion: v1\nkind: [Pod\n'
  const ids = [...all, 'invalid-yaml']
  it('may cover that finding with the file', () => {
    const text = `${broken}---\n${job('a')}# k8s-af-ignore-file invalid-yaml -- generated\n`
    expect(left(text, {}, ids)).toMatchObject({ findings: [deadline], hidden: ['generated'] })
  })
  it('is not called unused', () => {
    const text = `# k8s-af-ignore ${deadline} -- x\n${broken}---\n${job('a')}`
    expect(left(text, {}, ids).findings).toEqual(['invalid-yaml', deadline])
  })
})

describe('an annotation', () => {
  const annotated = (value: string) =>
    job('a').replace('metadata:\n', `metadata:\n  annotations:\n    k8s-af.dev/ignore: ${value}\n`)

  it('covers its object', () => {
    expect(left(annotated(`${deadline} -- short`))).toEqual({ findings: [], hidden: ['short'], messages: [] })
    expect(left(`${annotated(`${deadline} -- short`)}---\n${job('b')}`).findings).toEqual([deadline])
  })
  it('may stand on the pod template', () => {
    const text = job('a').replace(
      '  template:\n',
      `  template:\n    metadata:\n      annotations:\n        k8s-af.dev/ignore: ${deadline} -- short\n`,
    )
    expect(left(text).hidden).toEqual(['short'])
  })
  it('is spelt right', () => {
    for (const key of ['k8s-af.dev/ingore', 'k8s-af.io/ignore', 'k8saf.dev/ignore', 'K8s-af.dev/Ignore']) {
      const text = annotated(`${deadline} -- short`).replace('k8s-af.dev/ignore', key)
      const { findings, messages } = left(text)
      expect(findings.sort()).toEqual([deadline, 'suppression-invalid'])
      expect(messages).toEqual([`Nothing reads the annotation ${key}. Did you mean k8s-af.dev/ignore?`])
    }
    const text = annotated('x').replace('k8s-af.dev/ignore', 'k8s-af.dev/owner')
    expect(left(text).messages).toEqual(['Nothing reads the annotation k8s-af.dev/owner.'])
  })
  it("is never somebody else's", () => {
    for (const key of ['ignore', 'ingore', 'example.dev/ignore', 'k8s.dev/ignore', 'k8s-ai.dev/ignore'])
      expect(left(annotated('x').replace('k8s-af.dev/ignore', key)).findings).toEqual([deadline])
  })
  it('may hold several', () => {
    const { findings, messages } = left(
      annotated(`|\n      ${deadline} -- a; ${deadline} container=x -- b\n      no-such-rule -- c`),
    )
    expect(findings.sort()).toEqual(['suppression-invalid', 'suppression-unused'])
    expect(messages.join(' ')).toContain('There is no rule no-such-rule to suppress.')
  })
})

describe('the configuration', () => {
  const one = { rules: [deadline], reason: 'agreed' }
  const hidden = (...suppressions: Settings['suppressions']) => left(job('a'), { suppressions }).hidden

  it('covers by file, kind and name', () => {
    expect(hidden(one)).toEqual(['agreed'])
    expect(hidden({ ...one, kind: 'Job', name: 'a' })).toEqual(['agreed'])
    expect(hidden({ ...one, name: '*' })).toEqual(['agreed'])
    expect(hidden({ ...one, files: ['*.yaml', '!job.yaml'] })).toEqual([])
    expect(hidden({ ...one, files: ['job.yaml'] })).toEqual(['agreed'])
    expect(hidden({ ...one, kind: 'CronJob' })).toEqual([])
    expect(hidden({ ...one, namespace: 'shop' })).toEqual([])
  })
  it('is relative to its own folder', () => {
    const hiddenAt = (file: string) =>
      left(job('a'), { suppressions: [{ ...one, files: [file] }], configFile: '../.k8s-af.yaml' }).hidden
    expect(hiddenAt(`/${basename(root)}/job.yaml`)).toEqual(['agreed'])
    expect(hiddenAt('/apps/job.yaml')).toEqual([])
  })
  it('is unused when its object is there and the rule finds nothing', () => {
    const fine = job('a').replace('  template:', '  activeDeadlineSeconds: 60\n  template:')
    expect(left(fine, { suppressions: [{ ...one, name: 'a' }] }).findings).toEqual(['suppression-unused'])
    expect(left(fine, { suppressions: [{ ...one, name: 'b' }] }).findings).toEqual([])
    expect(left(fine, { suppressions: [{ ...one, name: 'b' }], complete: true }).findings).toEqual([
      'suppression-unused',
    ])
  })
})

describe('a suppression of a category or of all rules', () => {
  const fine = job('a').replace('  template:', '  activeDeadlineSeconds: 60\n  template:')
  const accepted = (name: string) => ({ rules: [name], name: 'a', reason: 'agreed' })

  it('covers their findings, and no others', () => {
    expect(left(job('a'), { suppressions: [accepted('batch')] }).hidden).toEqual(['agreed'])
    expect(left(job('a'), { suppressions: [accepted('*')] }).hidden).toEqual(['agreed'])
    expect(left(job('a'), { suppressions: [accepted('networking')] }).hidden).toEqual([])
  })
  it('is needed as long as it hides anything, and else unused once', () => {
    expect(left(job('a'), { suppressions: [accepted('batch')] }).findings).toEqual([])
    const { findings, messages } = left(fine, { suppressions: [accepted('batch'), accepted('*')] })
    expect(findings).toEqual(['suppression-unused', 'suppression-unused'])
    expect(messages).toEqual([
      'There is nothing left to suppress here: the rules of batch find nothing.',
      'There is nothing left to suppress here: all rules find nothing.',
    ])
  })
  it('does not cover what is said of suppressions', () => {
    const text = job('a', { before: '# k8s-af-ignore job-witout-deadline -- why\n' })
    const { findings } = left(text, { suppressions: [{ rules: ['*'], reason: 'agreed' }] })
    expect(findings).toEqual(['suppression-invalid'])
  })
  it('says so when it has ended', () => {
    const { messages } = left(job('a'), {
      suppressions: [{ ...accepted('batch'), until: '2000-01-01' }],
    })
    expect(messages).toEqual([
      'The suppression of the rules of batch ended on 2000-01-01: what it hid counts again.',
    ])
  })
})

describe('a suppression', () => {
  const headed = (text: string) => job('a', { before: `# k8s-af-ignore ${text}\n` })

  it('without a reason has no effect', () => {
    const { findings, messages } = left(headed(deadline))
    expect(findings.sort()).toEqual([deadline, 'suppression-invalid'])
    expect(messages[0]).toMatch(
      /^This suppression has no effect: it gives no reason after " -- ". Write it as </,
    )
  })
  it('names an existing rule', () => {
    expect(left(headed('job-witout-deadline -- x')).messages).toEqual([
      'There is no rule job-witout-deadline to suppress. Did you mean job-without-deadline?',
    ])
    expect(left(headed(`nonsense, ${deadline} -- x`))).toMatchObject({
      findings: ['suppression-invalid'],
      hidden: ['x'],
    })
  })
  it('is spelt right', () => {
    expect(left(job('a', { before: `# k8s-af-ignore-next ${deadline} -- x\n` })).findings.sort()).toEqual([
      deadline,
      'suppression-invalid',
    ])
  })
  it('is told how it was meant', () => {
    for (const [word, meant] of [
      ['k8s-af-ingore', 'k8s-af-ignore'],
      ['k8s-af-ignore_file', 'k8s-af-ignore-file'],
      ['k8saf-ignore', 'k8s-af-ignore'],
      ['k8s-af ignore', 'k8s-af-ignore'],
      ['k8s-af: ignore', 'k8s-af-ignore'],
      ['k8saf: ingore', 'k8s-af-ignore'],
      ['K8S-AF-IGNORE', 'k8s-af-ignore'],
    ])
      expect(left(job('a', { before: `# ${word} ${deadline} -- x\n` })).messages).toEqual([
        `This suppression has no effect: it starts with "${word}". Did you mean ${meant}?`,
      ])
    const prose =
      '# k8s-af ignore is not needed here\n# k8s-af: see job-without-deadline\n# k8s-af: ignored files are listed below\n# k8saf-ignore\n'
    expect(left(job('a', { before: prose })).findings).toEqual([deadline])
  })
  it('is no other comment that begins with the name of the program', () => {
    expect(left(job('a', { before: '# k8s-af-scan runs at night -- alone\n' })).findings).toEqual([deadline])
    expect(left(job('a', { before: `# k8s-af-disable ${deadline} -- why\n` })).findings).toContain(
      'suppression-invalid',
    )
  })
  it('ends after its last day', () => {
    const text = headed(`${deadline} until=2026-11-21 -- x`)
    expect(left(text, { today: '2026-11-21' }).hidden).toEqual(['x'])
    expect(left(text, { today: '2026-11-22' }).findings.sort()).toEqual([deadline, 'suppression-expired'])
  })
  it('is reported when it hides nothing', () => {
    const text = headed(`${deadline}, drain-delay-missing -- x`)
    expect(left(text).findings).toEqual([])
    expect(left(text, {}, [...all, 'drain-delay-missing']).messages).toEqual([
      'A part of this suppression is not needed: drain-delay-missing finds nothing here.',
    ])
  })
  it('may ask for a container', () => {
    const ids = [...all, 'mutable-image-tag']
    const text = (container: string) =>
      headed(`mutable-image-tag container=${container} -- x`).replace('sync:2.0.1', 'sync:latest')
    expect(left(text('main'), {}, ids).findings).toEqual([deadline])
    expect(left(text('other'), {}, ids).findings.sort()).toEqual([
      deadline,
      'mutable-image-tag',
      'suppression-unused',
    ])
  })
  it('of a rule that is off is not called unused', () => {
    expect(left(headed(`${deadline} -- x`), {}, ['suppression-unused']).findings).toEqual([])
  })
})
