/** `lint --fix` and `--diff` of the built program: files, patches, and what is left alone. */
import { spawnSync } from 'node:child_process'
import { chmodSync, lstatSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { folderWith } from './folders.js'
import { builtProgram } from './program.js'

const program = builtProgram()

/** A CronJob of a removed version, whose policy stands in the wrong place, and which has no deadline. */
const before = `# The nightly export.
apiVersion: batch/v1beta1 # since 2019
kind: CronJob
metadata:
  name: export
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      # never two at a time
      concurrencyPolicy: Forbid
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: export
              image: registry.example.com/export:1.4.2
`
const after = `# The nightly export.
apiVersion: batch/v1 # since 2019
kind: CronJob
metadata:
  name: export
spec:
  schedule: "0 3 * * *"
  # never two at a time
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: export
              image: registry.example.com/export:1.4.2
`
const rules = ['--only', 'removed-api-version,misplaced-spec-field,job-without-deadline']
const secret = 'apiVersion: v1\nkind: Secret\nmetadata:\n  name: keys\nstringData:\n  key: hunter2\n'

function folder(files: Readonly<Record<string, string>>) {
  const path = folderWith(files)
  return {
    path,
    lint: (...args: string[]) => program.run(['lint', ...rules, '-o', 'concise', ...args], { cwd: path }),
    diff: (...args: string[]) => program.run(['lint', ...rules, '--diff', ...args], { cwd: path }),
    read: (name: string) => readFileSync(join(path, name), 'utf8'),
  }
}

describe('--fix', () => {
  it('makes the safe changes, and reports what is left', () => {
    const { lint, read } = folder({
      'export.yaml': before,
      'other.yaml': after.replaceAll('export', 'other'),
    })
    const { code, out, err } = lint('--fix')
    expect(read('export.yaml')).toBe(after)
    expect(err).toBe('k8s-af: 2 findings fixed in 1 file; 2 more with --unsafe-fixes\n')
    expect(out).toContain('job-without-deadline')
    expect(out).not.toContain('misplaced')
    expect(code).toBe(0)
  })

  it('says so where nothing is safe to fix', () => {
    const { lint, diff } = folder({ 'other.yaml': after.replaceAll('export', 'other') })
    const all = 'k8s-af: nothing is safe to fix; 1 finding with --unsafe-fixes\n'
    expect(lint('--fix').err).toBe(all)
    expect(diff().err).toBe(all)
  })

  it('has nothing to do the second time', () => {
    const { lint, read } = folder({ 'export.yaml': before })
    lint('--fix', '--unsafe-fixes')
    const fixed = read('export.yaml')
    expect(fixed).toContain('activeDeadlineSeconds: 86400')
    expect(lint('--fix', '--unsafe-fixes')).toMatchObject({ code: 0, err: 'k8s-af: nothing was fixed\n' })
    expect(read('export.yaml')).toBe(fixed)
  })

  it('keeps line breaks, byte order marks, modes and links as they are', () => {
    const windows = (text: string) => `\ufeff${text.replaceAll('\n', '\r\n')}`
    const { path, lint, read } = folder({ 'real.txt': windows(before) })
    chmodSync(join(path, 'real.txt'), 0o640)
    symlinkSync('real.txt', join(path, 'export.yaml'))
    expect(lint('--fix', 'export.yaml').err).toContain('2 findings fixed')
    expect(read('real.txt')).toBe(windows(after))
    expect(lstatSync(join(path, 'export.yaml')).isSymbolicLink()).toBe(true)
    expect(statSync(join(path, 'real.txt')).mode & 0o777).toBe(0o640)
  })

  it('changes JSON, lists, and one document of several', () => {
    const list = (text: string) =>
      `kind: List\napiVersion: v1\nitems:\n- ${text.replaceAll('\n', '\n  ').trimEnd()}\n`
    const json = (version: string) =>
      `{"apiVersion": "${version}", "kind": "CronJob", "metadata": {"name": "j"}}\n`
    const { lint, read } = folder({
      'list.yaml': list(before.replace(/^#.*\n/, '')),
      'j.json': json('batch/v1beta1'),
      'two.yaml': `a: b\n---\n${before}---\n${secret}`,
    })
    expect(lint('--fix').err).toContain('5 findings fixed in 3 files')
    expect(read('list.yaml')).toBe(list(after.replace(/^#.*\n/, '')))
    expect(read('j.json')).toBe(json('batch/v1'))
    expect(read('two.yaml')).toBe(`a: b\n---\n${after}---\n${secret}`)
  })

  it('keeps the other options of a pod when it adds one', () => {
    const { path } = folder({
      'web.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      dnsConfig:
        options:
          - name: single-request-reopen
      containers:
        - name: web
          image: registry.example.com/web:1.4.2
          env: [{ name: API_URL, value: "https://api.example.com" }]
`,
    })
    const run = ['lint', '--only', 'dns-ndots-amplification', '--unsafe-fixes', '--diff', 'web.yaml']
    const { out } = program.run(run, { cwd: path })
    expect(out.split('\n').filter((line) => /^[-+] /.test(line))).toEqual([
      '+          - name: ndots',
      "+            value: '2'",
    ])
  })

  it('leaves alone what it cannot change for sure, and says so', () => {
    const files = {
      'rendered.yaml': `---\n# Source: app/templates/cronjob.yaml\n${before}`,
      'mixed.yaml': before.replace('kind: CronJob\n', 'kind: CronJob\r\n'),
      'large.yaml': `${before}# ${'x'.repeat(1 << 20)}\n`,
      'shared.yaml': before.replace('spec:', 'spec: &spec').concat('x-copy: *spec\n'),
      'ignored.yaml': before
        .replace('batch/v1beta1', 'batch/v1')
        .replace(
          'concurrencyPolicy',
          '# k8s-af-ignore misplaced-spec-field -- known\n      concurrencyPolicy',
        ),
    }
    const { lint, read } = folder(files)
    const { err } = lint('--fix')
    for (const name of ['rendered.yaml', 'mixed.yaml', 'ignored.yaml', 'large.yaml'] as const)
      expect(read(name)).toBe(files[name])
    expect(read('shared.yaml')).toBe(files['shared.yaml'].replace('batch/v1beta1', 'batch/v1'))
    expect(err).toMatchInlineSnapshot(`
      "k8s-af: 1 finding fixed in 1 file; 5 more with --unsafe-fixes
      k8s-af: not fixed: large.yaml:2 removed-api-version: its document has more than 1 MiB
      k8s-af: not fixed: large.yaml:11 misplaced-spec-field: its document has more than 1 MiB
      k8s-af: not fixed: mixed.yaml:2 removed-api-version: its lines end in different ways
      k8s-af: not fixed: mixed.yaml:11 misplaced-spec-field: its lines end in different ways
      k8s-af: not fixed: rendered.yaml:13 misplaced-spec-field: Helm has rendered it: change the chart
      k8s-af: not fixed: shared.yaml:11 misplaced-spec-field: an anchor, a repeated key or a comment is in the way
      "
    `)
  })

  // Root may write everywhere.
  it.skipIf(process.getuid?.() === 0)('goes on when a file cannot be written', () => {
    const { path, lint, read } = folder({ 'a/export.yaml': before, 'b.yaml': before })
    chmodSync(join(path, 'a'), 0o500)
    const { err } = lint('--fix')
    chmodSync(join(path, 'a'), 0o700)
    expect(read('b.yaml')).toBe(after)
    expect(err).toContain(
      'not fixed: a/export.yaml:2 removed-api-version: a/export.yaml cannot be written: no permission (EACCES)',
    )
  })
})

describe('--diff', () => {
  it('prints a patch that git applies, and changes nothing', () => {
    const { path, diff, read } = folder({
      'deploy/export.yaml': before,
      'crlf.yaml': before.replaceAll('\n', '\r\n'),
    })
    const { out, err, code } = diff()
    expect(code).toBe(1)
    expect(err).toBe('k8s-af: --fix changes 2 files, for 4 findings; 2 more with --unsafe-fixes\n')
    expect(read('deploy/export.yaml')).toBe(before)
    const apply = spawnSync('git', ['apply', '-'], { cwd: path, input: out, encoding: 'utf8' })
    expect(apply).toMatchObject({ status: 0, stderr: '' })
    expect(read('deploy/export.yaml')).toBe(after)
    expect(read('crlf.yaml')).toBe(after.replaceAll('\n', '\r\n'))
  })

  it('reads standard input, and writes the reports that have files', () => {
    const { path, read } = folder({})
    const flags = ['--diff', '--unsafe-fixes', '-o', 'json=report.json', '-']
    const { out, err } = program.run(['lint', ...rules, ...flags], { cwd: path, input: before })
    expect(err).toMatch(/^k8s-af: --fix --unsafe-fixes changes 1 file, /)
    expect(out).toMatchInlineSnapshot(`
      "--- a/<stdin>
      +++ b/<stdin>
      @@ -1,14 +1,15 @@
       # The nightly export.
      -apiVersion: batch/v1beta1 # since 2019
      +apiVersion: batch/v1 # since 2019
       kind: CronJob
       metadata:
         name: export
       spec:
         schedule: "0 3 * * *"
      +  # never two at a time
      +  concurrencyPolicy: Forbid
         jobTemplate:
           spec:
      -      # never two at a time
      -      concurrencyPolicy: Forbid
      +      activeDeadlineSeconds: 86400
             template:
               spec:
                 restartPolicy: Never
      "
    `)
    expect(JSON.parse(read('report.json'))).toMatchObject({ summary: { objects: 1 } })
  })

  it('shows no values of Secrets, and nothing that drives a log', () => {
    const { diff } = folder({
      'secret.yaml': `${secret}---\n${before}`,
      'log.yaml': `${before}---\n${before.replace('image:', 'command:\n                - |\n                  ::error::x\n              image:').replace('# never two at a time', '# \u001b[31m')}`,
    })
    const { out, err } = diff()
    expect(out).not.toContain('hunter2')
    expect(out).toContain('+++ b/secret.yaml')
    expect(out).not.toContain('log.yaml')
    expect(err).toContain('not shown: log.yaml')
  })
})

describe('flags that do not go together', () => {
  const refused: readonly (readonly [readonly string[], string])[] = [
    [['--unsafe-fixes'], '--unsafe-fixes goes with --fix, which changes files, or --diff, which shows how.'],
    [['--fix', '--diff'], '--diff shows what --fix would change: give one of them.'],
    [['--diff', '-o', 'json'], '--diff prints a patch. Give the report a file: -o json=FILE'],
    [['--fix', '-'], '--fix cannot change standard input. --diff shows the changes as a patch.'],
  ]
  for (const [flags, message] of refused)
    it(flags.join(' '), () => {
      const outcome = program.run(['lint', ...flags], { input: before })
      expect(outcome).toEqual({ code: 2, out: '', err: `k8s-af: ${message}\n` })
    })
})
