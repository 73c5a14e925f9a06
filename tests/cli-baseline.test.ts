/** `--baseline` and `--write-baseline` of the built program. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { builtProgram } from './program.js'

const program = builtProgram()
afterAll(() => program.remove())

const job = (name: string, schedule = '0 3 * * *') => `apiVersion: batch/v1
kind: CronJob
metadata:
  name: ${name}
spec:
  schedule: "${schedule}"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: main
              image: registry.example.com/export:1.4.2
`
const rules = ['--only', 'job-without-deadline,misplaced-spec-field', '-o', 'concise']

function folder(files: Readonly<Record<string, string>>) {
  const path = program.folderWith(files)
  return {
    path,
    lint: (...args: string[]) => program.run(['lint', ...rules, ...args], { cwd: path }),
    lintIn: (below: string, ...args: string[]) =>
      program.run(['lint', ...rules, ...args], { cwd: join(path, below) }),
    read: (name: string) => readFileSync(join(path, name), 'utf8'),
    write: (name: string, text: string) => writeFileSync(join(path, name), text),
  }
}

describe('a baseline', () => {
  it('keeps what was found, a line each, without lines and messages', () => {
    const { lint, read } = folder({ 'a/export.yaml': job('export'), 'b.yaml': job('other') })
    const { code, out, err } = lint('--write-baseline', 'known.json', '--fail-on', 'info')
    expect({ code, err }).toEqual({
      code: 0,
      err: 'k8s-af: 2 findings kept in known.json: --baseline known.json reports what is new or worse\n',
    })
    expect(out).toMatch(/^No findings · 2 suppressed/)
    expect(read('known.json')).toBe(`{
  "baseline": 1,
  "findings": [
    {"rule":"job-without-deadline","severity":"warning","file":"a/export.yaml","object":"CronJob export","field":".spec.jobTemplate.spec.activeDeadlineSeconds"},
    {"rule":"job-without-deadline","severity":"warning","file":"b.yaml","object":"CronJob other","field":".spec.jobTemplate.spec.activeDeadlineSeconds"}
  ]
}
`)
  })

  it('hides that, wherever it stands by now and wherever the program runs', () => {
    const { lint, lintIn, read, write } = folder({ 'a/export.yaml': job('export') })
    lint('--write-baseline', 'known.json')
    write('a/export.yaml', `# moved\n\n${job('export')}`)
    expect(lint('--baseline', 'known.json', '--fail-on', 'info')).toMatchObject({ code: 0, err: '' })
    expect(lintIn('a', '--baseline', '../known.json', '--fail-on', 'info')).toMatchObject({
      code: 0,
      err: '',
    })
    lint('--baseline', 'known.json', '--show-suppressed', '-o', 'json=all.json')
    expect(read('all.json')).toContain('in the baseline known.json')
  })

  it('does not hide what is new, more or worse, nor what cannot be read', () => {
    const { lint, write } = folder({ 'export.yaml': job('export') })
    lint('--write-baseline', 'known.json')
    write('export.yaml', job('export', '*/15 * * * *'))
    write('new.yaml', job('new'))
    write('broken.yaml', 'apiVersion: v1\nkind: [Pod\n')
    const { code, out } = lint('--baseline', 'known.json')
    expect(code).toBe(1)
    expect(out).toContain('export.yaml:8:5: error job-without-deadline')
    expect(out).toContain('new.yaml:8:5: warning job-without-deadline')
    expect(out).toContain('broken.yaml:2:')
    write('export.yaml', `${job('export')}---\n${job('export')}`)
    expect(lint('--baseline', 'known.json', 'export.yaml').out).toMatch(
      /^export\.yaml:23:5: warning[^\n]*\n1 warning/,
    )
  })

  it('says what is gone, where that is known', () => {
    const { path, write } = folder({ 'export.yaml': job('export'), 'other.yaml': job('other') })
    const all = (...args: string[]) => program.run(['lint', '--isolated', ...args], { cwd: path })
    all('--write-baseline', 'known.json')
    write('export.yaml', job('export').replace('template:', 'activeDeadlineSeconds: 60\n      template:'))
    const run = (...args: string[]) => all('-o', 'concise', '--baseline', 'known.json', ...args)
    expect(run().err).toContain('1 finding of known.json is gone: --write-baseline known.json drops them')
    expect(run('other.yaml').err).toBe('')
    expect(run('--only', 'duplicate-key').err).toBe('')
  })

  it('is left alone by --fix', () => {
    const misplaced = job('export').replace('template:', 'concurrencyPolicy: Forbid\n      template:')
    const { lint, read } = folder({ 'export.yaml': misplaced })
    lint('--write-baseline', 'known.json')
    expect(lint('--baseline', 'known.json', '--fix').err).toBe('k8s-af: nothing was fixed\n')
    expect(read('export.yaml')).toBe(misplaced)
  })
})

describe('a file that is no baseline', () => {
  const { lint } = folder({
    'export.yaml': job('export'),
    'text.json': 'hello',
    'report.json': '{"findings": []}',
    'half.json': '{"baseline": 1, "findings": [{"rule": "x"}]}',
    'hostile.json': '{"baseline": 1, "findings": [null, {"__proto__": {"rule": 1}}]}',
  })
  const refused = (name: string) => {
    const { code, out, err } = lint('--baseline', name)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    return err.trimEnd()
  }
  it('is named, with the remedy', () => {
    expect(refused('none.json')).toBe(
      'k8s-af: --baseline: there is no file none.json. --write-baseline none.json makes it.',
    )
    expect(refused('text.json')).toBe(
      'k8s-af: --baseline: text.json is no baseline: it is not JSON. --write-baseline text.json makes one.',
    )
    for (const name of ['report.json', 'half.json', 'hostile.json'])
      expect(refused(name)).toContain('is no baseline')
    expect(lint('--baseline', 'a', '--write-baseline', 'b').err).toContain('contradict each other')
  })
})
