/** `--baseline`, `--write-baseline` and `--since` of the built program: what is left out. */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { folderWith } from './folders.js'
import { builtProgram } from './program.js'

const program = builtProgram()

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
  const path = folderWith(files)
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
    expect(out).toMatch(/^No findings · 2 in the baseline/)
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
    expect(run().err).toContain('1 finding of known.json is gone: --write-baseline known.json drops it\n')
    expect(run('other.yaml').err).toBe('')
    expect(run('--only', 'duplicate-key').err).toBe('')
    write('new.yaml', job('new'))
    expect(run().err).toMatch(/ drops it, and takes up what is reported now\n$/)
  })

  it('does not call gone what has got worse', () => {
    const { path, write } = folder({ 'export.yaml': job('export') })
    const all = (...args: string[]) => program.run(['lint', '--isolated', ...args], { cwd: path })
    all('--write-baseline', 'known.json')
    write('export.yaml', job('export', '*/15 * * * *'))
    const { err, out } = all('-o', 'concise', '--baseline', 'known.json')
    expect(out).toContain('error job-without-deadline')
    expect(err).toBe('')
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

describe("the program's own files", () => {
  it('are no part of what is counted', () => {
    const { lint, write } = folder({ 'b.yaml': job('other'), '.k8s-af.yaml': 'failOn: never\n' })
    write('.k8s-af.schema.json', '{}')
    const plain = / · 1 object in 1 file · 4 rules /
    expect(lint().out).toMatch(plain)
    expect(lint('--write-baseline', 'known.json', '-o', 'json=report.json').out).toMatch(plain)
    expect(lint('--baseline', 'known.json', '-o', 'json=report.json').out).toMatch(plain)
    expect(lint().out).toMatch(/ · 1 object in 3 files · 2 skipped \(not Kubernetes\) · /)
  })
})

describe('--since', () => {
  const git = (path: string, ...args: string[]) => {
    const own = ['-c', 'user.name=a', '-c', 'user.email=a@example.com', '-c', 'init.defaultBranch=main']
    const { status, stderr } = spawnSync('git', [...own, ...args], { cwd: path, encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
  }
  const quiet = { 'old.yaml': job('old'), 'apps/ä b.yaml': job('edited') }
  const repository = (files: Readonly<Record<string, string>> = quiet) => {
    const made = folder(files)
    git(made.path, 'init')
    git(made.path, 'add', '.')
    git(made.path, 'commit', '-m', 'first')
    return made
  }

  it('reports what is about changed and new files, and reads all', () => {
    const { path, lint, lintIn, write } = repository()
    git(path, 'switch', '-c', 'feature')
    write('apps/ä b.yaml', `# edited\n${job('edited')}`)
    git(path, 'commit', '-am', 'second')
    write('new.yaml', job('new'))
    const { out } = lint('--since', 'main')
    expect(out).toContain('apps/ä b.yaml:9:5')
    expect(out).toContain('new.yaml:8:5')
    expect(out).not.toContain('old.yaml')
    expect(out).toContain('2 warnings')
    expect(out).toContain('3 objects')
    expect(lintIn('apps', '--since', 'main').out).toContain('1 warning')
    expect(lint('--since', 'HEAD').out).toContain('1 warning')
  })

  it('says how many findings it leaves out', () => {
    const { path, lint, write } = repository()
    expect(lint('--since', 'HEAD').out).toMatch(/^No findings · 2 in unchanged files · 2 objects in 2 files/)
    write('old.yaml', `# k8s-af-ignore-file job-without-deadline -- as long as it takes\n${job('old')}`)
    git(path, 'commit', '-am', 'second')
    expect(lint('--since', 'HEAD').out).toMatch(/^No findings · 1 in unchanged files · /)
    write('apps/ä b.yaml', `# edited\n${job('edited')}`)
    expect(lint('--since', 'HEAD').out).toMatch(
      /\n1 warning · 2 objects|\n1 warning \(1 with a fix\) · 2 objects/,
    )
  })

  it.skipIf(process.platform === 'win32')(
    'reports what is about a file with a line break in its name',
    () => {
      const { lint, write } = repository()
      write('two\nlines.yaml', job('new'))
      expect(lint('--since', 'HEAD').out).toContain('two\\nlines.yaml:8:5')
    },
  )

  it('counts what a change elsewhere brings about', () => {
    const pair = { 'service.yaml': serviceOf('web'), 'web.yaml': deployment('web') }
    const { path, write } = repository(pair)
    write('web.yaml', deployment('wbe'))
    const { out } = program.run(['lint', '--isolated', '-o', 'concise', '--complete', '--since', 'HEAD'], {
      cwd: path,
    })
    expect(out).toContain('service-selects-nothing')
  })

  it('says what keeps it from comparing', () => {
    const { path, lint } = repository()
    const plain = folder(quiet)
    expect(lint('--since', 'mian').err).toBe(
      'k8s-af: --since: there is no commit "mian" here. In a pipeline, fetch it first: git fetch origin mian\n',
    )
    expect(lint('--since', 'origin/mian').err).toMatch(/: git fetch origin mian\n$/)
    expect(lint('--since', 'HEAD~99').err).toMatch(/fetch all commits first: git fetch --unshallow\n$/)
    expect(lint('--since', '--output=x').err).toBe('k8s-af: --since: "--output=x" is no commit.\n')
    expect(plain.lint('--since', 'HEAD').err).toBe('k8s-af: --since: this folder is in no git repository.\n')
    expect(lint('--since', 'HEAD', '-').err).toContain('does not go with standard input')
    expect(lint('--since', 'HEAD', plain.path).err).toBe(
      `k8s-af: --since: ${plain.path} is outside of this repository: what has changed there git does not say.\n`,
    )
    const none = program.run(['lint', '--since', 'HEAD'], { cwd: path, env: { PATH: '' } })
    expect(none.err).toBe('k8s-af: --since needs git on the PATH, and does not find it.\n')
    expect([none.code, none.out]).toEqual([2, ''])
  })
})

function serviceOf(name: string): string {
  return `apiVersion: v1\nkind: Service\nmetadata:\n  name: ${name}\nspec:\n  selector: {app: ${name}}\n  ports: [{port: 80}]\n`
}

function deployment(name: string): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels: {app: ${name}}
  template:
    metadata:
      labels: {app: ${name}}
    spec:
      containers:
        - name: web
          image: registry.example.com/web:1.4.2
`
}
