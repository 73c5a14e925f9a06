/** The built program from outside: exit codes, streams, files, mistakes. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { folderWith } from './folders.js'
import { builtProgram, type Outcome, repository } from './program.js'

const program = builtProgram()
const { run } = program

const job = (name: string, extra = '') => `apiVersion: batch/v1
kind: CronJob
metadata:
  name: ${name}
spec:
  schedule: 7 4 * * *
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
${extra}      template:
        spec:
          restartPolicy: Never
          containers:
            - name: main
              image: example/sync:2.0.1
`
const good = job('good', '      activeDeadlineSeconds: 60\n')
const only = ['--only', 'job-without-deadline']
const files = folderWith({
  'good.yaml': good,
  'bad.yaml': job('bad'),
  'broken.yaml': 'apiVersion: v1\nkind: [Pod\n',
  'values.yaml': 'replicas: 2\n',
})
const lint = (...args: string[]): Outcome => run(['lint', ...args], { cwd: files })

/** One line on standard error, nothing on standard output. */
function refusal({ code, out, err }: Outcome): string {
  expect(out).toBe('')
  expect(code).toBe(2)
  expect(err).toMatch(/^k8s-af: [^\n]+\n$/)
  return err.slice(8, -1)
}

describe('the exit code', () => {
  it('is 0 when nothing counts', () => {
    expect(lint(...only, 'good.yaml')).toMatchObject({ code: 0, err: '' })
    expect(lint(...only, 'bad.yaml')).toMatchObject({ code: 0, err: '' })
  })
  it('is 0 with a word about it where lint can decide nothing that was asked for', () => {
    const { code, err } = lint('--only', 'node-not-ready', 'good.yaml')
    expect({ code, err }).toEqual({
      code: 0,
      err: 'k8s-af: k8s-af scan decides node-not-ready, lint does not\n',
    })
  })
  it('is 1 at the threshold and above', () => {
    expect(lint(...only, 'bad.yaml', '--fail-on', 'info').code).toBe(1)
    expect(lint(...only, 'bad.yaml', '--fail-on', 'error').code).toBe(0)
  })
  it('is 1 for a manifest that cannot be read, and the rest is linted', () => {
    const { code, out, err } = lint(...only, '-o', 'concise', 'broken.yaml', 'bad.yaml')
    expect(code).toBe(1)
    expect(err).toBe('')
    expect(out).toContain('job-without-deadline')
    expect(out).toContain('broken.yaml:')
    expect(lint('broken.yaml', '--fail-on', 'never').code).toBe(0)
  })
  it('is what the configuration makes of a manifest that cannot be read', () => {
    const code = (choice: string) =>
      run(['lint', ...only, 'broken.yaml', 'good.yaml', '--config', choice], { cwd: files }).code
    const choices = folderWith({
      'off.yaml': 'rules: {invalid-yaml: off}',
      'info.yaml': 'rules: {invalid-yaml: info}',
    })
    expect(code(join(choices, 'off.yaml'))).toBe(0)
    expect(code(join(choices, 'info.yaml'))).toBe(0)
  })
  it('is 2 when there is nothing to lint', () => {
    expect(refusal(lint('values.yaml'))).toMatch(
      /^there are no Kubernetes objects in values\.yaml \(left out: 1 not Kubernetes\)/,
    )
    expect(lint('values.yaml', '--allow-empty').code).toBe(0)
    expect(refusal(run(['lint'], { cwd: folderWith() }))).toBe(
      'there are no Kubernetes objects in this folder.',
    )
    const kustomization = (text: string) => run(['lint'], { cwd: folderWith({ 'kustomization.yaml': text }) })
    expect(refusal(kustomization('resources: []'))).toMatch(/ \(left out: 1 kustomization\)\. .*lint -k \.$/)
    const many = folderWith({
      'a/kustomization.yaml': 'resources: []',
      'b/kustomization.yaml': 'resources: []',
      'shop/Chart.yaml': 'name: shop',
      'shop/values.yaml': 'a: b',
    })
    expect(refusal(run(['lint', 'a', 'b'], { cwd: many }))).toMatch(/ 2 kustomizations\)\. .*lint -k FOLDER$/)
    expect(refusal(run(['lint', 'shop'], { cwd: many }))).toMatch(
      / 2 files of Helm charts\)\. .*lint --helm shop$/,
    )
    // What is found in one is something.
    expect(kustomization('resources: [""]').code).toBe(1)
  })
  it('comes with what is in the reports where all of them are files', () => {
    const cwd = folderWith({ 'bare.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n' })
    const { out, err, code } = run(['lint', 'bare.yaml', '-o', 'json=a.json', '-o', 'sarif=b'], { cwd })
    expect([out, err, code]).toEqual(['', 'k8s-af: No findings: a.json, b\n', 0])
    expect(run(['lint', 'bare.yaml', '-o', 'json=a.json', '-o', 'concise'], { cwd }).err).toBe('')
  })
  it('is 0 for help that was asked for, and 2 for a command that is incomplete', () => {
    expect(run(['help', 'lint']).code).toBe(0)
    expect(run(['config']).code).toBe(2)
  })
})

describe('a mistake is one line', () => {
  const cases: Readonly<Record<string, readonly [args: readonly string[], message: string | RegExp]>> = {
    'a missing path': [['lint', 'bda.yaml'], 'no such file or folder: bda.yaml. Did you mean bad.yaml?'],
    'an address': [
      ['lint', 'https://example.com/a.yaml?b=1&c'],
      "https://example.com/a.yaml?b=1&c is an address, and lint does not use the network: curl -fsSL 'https://example.com/a.yaml?b=1&c' | k8s-af lint -",
    ],
    'a folder that is not to be built': [
      ['lint', '-k', '.'],
      'there is no kustomization.yaml in this folder. -k takes the folder of one.',
    ],
    'a command of another name': [
      ['baseline'],
      'there is no command "baseline". Did you mean "lint --write-baseline FILE"?',
    ],
    'a pattern without a match': [['lint', 'overlays/*/x.yaml'], 'nothing matches overlays/*/x.yaml.'],
    'a path for a command': [['./bad.yaml'], './bad.yaml is no command. To lint it: k8s-af lint ./bad.yaml'],
    'a file for a command': [['bad.yaml'], 'bad.yaml is no command. To lint it: k8s-af lint bad.yaml'],
    'a misspelt command': [['lnit'], 'there is no command "lnit". Did you mean "lint"?'],
    'help for a misspelt command': [['help', 'lnit'], 'there is no command "lnit". Did you mean "lint"?'],
    'an unknown command': [['deploy'], 'there is no command "deploy". k8s-af --help lists them.'],
    'a misspelt command of a command': [
      ['config', 'prnt'],
      'there is no command "config prnt". Did you mean "print"?',
    ],
    'an unknown command of a command': [
      ['config', 'deploy'],
      'there is no command "config deploy". k8s-af config --help lists them.',
    ],
    'a misspelt flag': [
      ['lint', '--compelte'],
      "unknown option '--compelte'. Did you mean --complete? (k8s-af lint --help)",
    ],
    'a flag without its value': [['lint', '--only'], '--only <rules> needs its value (k8s-af lint --help)'],
    'an unknown severity': [
      ['lint', '--fail-on', 'fatal'],
      '--fail-on cannot be "fatal". It can be error, warning, info or never. (k8s-af lint --help)',
    ],
    'a misspelt severity': [
      ['lint', '--fail-on', 'eror'],
      '--fail-on cannot be "eror". Did you mean "error"? (k8s-af lint --help)',
    ],
    'an unknown rule': [
      ['lint', '--disable', 'job-without-deadlines'],
      '--disable: there is no rule, category or story "job-without-deadlines". Did you mean "job-without-deadline"?',
    ],
    'an unknown version': [
      ['lint', '--k8s-version', '1.99'],
      /^--k8s-version: Kubernetes 1\.99 is not known here/,
    ],
    'a flag of other linters': [
      ['lint', '--format', 'json'],
      "unknown option '--format'. Did you mean -o? (k8s-af lint --help)",
    ],
    'a flag of other linters with two meanings': [
      ['lint', '--exclude', 'vendor'],
      "unknown option '--exclude'. Did you mean --disable for rules, or ignore in .k8s-af.yaml for files? (k8s-af lint --help)",
    ],
    'a flag that means nothing there': [
      ['explain', '--format', 'json', 'x'],
      "unknown option '--format' (k8s-af explain --help)",
    ],
    'an unknown format': [['lint', '-o', 'jsno'], 'there is no report format "jsno". Did you mean "json"?'],
    'a format without its file': [['lint', '-o', 'json='], /^-o json= names no file/],
    'two reports at once': [
      ['lint', '-o', 'json', '-o', 'sarif'],
      /^only one report can go to standard output, not json and sarif/,
    ],
    'two reports for one file': [
      ['lint', '-o', 'json=a', '-o', 'sarif=./a'],
      'two reports cannot go to one file: ./a',
    ],
    'a name that is too long': [
      ['lint', '-o', `json=${'a'.repeat(300)}`],
      /^a+ cannot be written: ENAMETOOLONG\.$/,
    ],
    'a missing folder': [
      ['lint', '-o', 'sarif=no/such/x.sarif'],
      'there is no folder no/such for no/such/x.sarif. Make it first: mkdir -p no/such',
    ],
    'a folder for a file': [['lint', '-o', 'json=.'], '. is a folder. Name a file in it.'],
    'a missing configuration': [
      ['lint', '--config', 'x.yaml'],
      'x.yaml cannot be read: there is no such file.',
    ],
    'two ways to say it': [
      ['lint', '--config', 'x.yaml', '--isolated'],
      '--config and --isolated contradict each other. Keep one.',
    ],
    'an empty path': [['lint', ''], 'a path is empty. Write . for this folder.'],
    'no namespace': [
      ['lint', '-n', 'Shop'],
      '--namespace cannot be "Shop". It is no name of a namespace. (k8s-af lint --help)',
    ],
    'the beginning of a name': [
      ['lint', '--only', 'zalando-cronjob'],
      '--only: there is no rule, category or story "zalando-cronjob". Did you mean "zalando-cronjob-apiserver"?',
    ],
    'an unknown rule to explain': [
      ['explain', 'job-without-dedline'],
      /^there is no rule or story "job-without-dedline"\. Did you mean "job-without-deadline"\?$/,
    ],
    'a part of a name': [
      ['explain', 'job-deadline'],
      'there is no rule or story "job-deadline". Did you mean "job-without-deadline"?',
    ],
    'a name in one word': [
      ['explain', 'networkpolicymissing'],
      'there is no rule or story "networkpolicymissing". Did you mean "network-policy-missing"?',
    ],
    'the beginning of several names': [
      ['lint', '--only', 'pdb-p'],
      /Did you mean "pdb-protects-unhealthy-pods"\?$/,
    ],
    'a word of many names': [
      ['explain', 'zalando'],
      /Did you mean "zalando-[\w-]+"(, "zalando-[\w-]+"){3} or one of \d+ more\?$/,
    ],
    'no part of any name': [
      ['explain', 'xyzzy'],
      'there is no rule or story "xyzzy". k8s-af rules and k8s-af stories list them.',
    ],
    'a category to explain': [
      ['explain', 'networking'],
      'networking is a category. k8s-af rules lists its rules.',
    ],
    'an unknown shell': [
      ['completion', 'tcsh'],
      'shell cannot be "tcsh". It can be bash, zsh or fish. (k8s-af completion --help)',
    ],
    'no configuration to check': [
      ['config', 'validate'],
      'there is no .k8s-af.yaml here or above. k8s-af init writes one.',
    ],
  }
  for (const [name, [args, message]] of Object.entries(cases))
    it(name, () => {
      const said = refusal(run(args, { cwd: files }))
      if (typeof message === 'string') expect(said).toBe(message)
      else expect(said).toMatch(message)
    })
  it('and shows where it comes from on request', () => {
    const { err } = run(['lint', 'bda.yaml'], { cwd: files, env: { K8S_AF_DEBUG: '1' } })
    expect(err).toMatch(/\n\s+at /)
  })
})

describe('input', () => {
  it('is this folder by default', () => {
    const { out } = lint(...only, '-o', 'concise')
    expect(out).toContain('bad.yaml:')
    expect(out).toContain('broken.yaml:')
  })
  it('is standard input for -', () => {
    const { out } = run(['lint', ...only, '-o', 'concise', '-'], { input: job('bad') })
    expect(out).toMatch(/^<stdin>:/)
    expect(
      run(['lint', ...only, '-o', 'concise', '-', '--stdin-filename', 'a.yaml'], { input: job('bad') }).out,
    ).toMatch(/^a\.yaml:/)
  })
  it('may be given with -f, too', () => {
    expect(lint(...only, '-o', 'concise', '-f', 'bad.yaml', '--filename', 'good.yaml').out).toContain(
      '2 objects in 2 files',
    )
  })
  it('leaves out what the configuration says, relative to it', () => {
    const cwd = folderWith({
      '.k8s-af.yaml': 'ignore: [/apps/old/]\n',
      'apps/old/a.yaml': job('a'),
      'apps/new/b.yaml': job('b'),
    })
    const { out } = run(['lint', ...only, '-o', 'concise', '.'], { cwd: join(cwd, 'apps') })
    expect(out).toContain('new/b.yaml:')
    expect(out).not.toContain('old/a.yaml:')
  })
})

describe('broken and hostile input', () => {
  const broken = join(repository, 'fixtures', 'broken')
  it('never stops a run, and never speaks to the terminal', () => {
    const { code, out, err } = run(['lint', '.'], { cwd: broken })
    expect([code, err]).toEqual([1, ''])
    expect(out).toContain('invalid-yaml')
    expect(out).toMatch(/[1-9]\d* objects in \d+ files/)
    expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
  })
  it('is a finding, a skip or a plain refusal, each file for itself', () => {
    for (const name of readdirSync(broken)) {
      const { code, err } = run(['lint', name], { cwd: broken })
      expect([0, 1, 2], name).toContain(code)
      if (code === 2) expect(err, name).toMatch(/^k8s-af: there are no Kubernetes objects in /)
      else expect(err, name).toBe('')
    }
  })
  it('does not steer the terminal in messages either', () => {
    const { err } = run(['lint', 'a\u001b[2Jb.yaml'], { cwd: files })
    expect(err).toContain('a\\u001b[2Jb.yaml')
    expect(err).not.toContain('\u001b')
  })
  it('does not make a report unreadable', () => {
    const { out } = run(['lint', '-o', 'json', '-o', 'github=annotations.txt', '--show-suppressed', broken], {
      cwd: folderWith(),
    })
    expect(JSON.parse(out)).toHaveProperty('summary')
  })
})

describe('reports', () => {
  it('go to standard output and to files', () => {
    const cwd = folderWith({ 'bad.yaml': job('bad'), 'out/sarif.json': 'old' })
    const { out, err, code } = run(
      ['lint', ...only, '-o', 'json', '-o', 'sarif=out/sarif.json', '-o', 'concise=out/a.txt'],
      { cwd },
    )
    expect([code, err]).toEqual([0, ''])
    expect(JSON.parse(out)).toMatchObject({ findings: [{ rule: 'job-without-deadline' }] })
    expect(JSON.parse(readFileSync(join(cwd, 'out/sarif.json'), 'utf8'))).toMatchObject({ version: '2.1.0' })
    expect(readFileSync(join(cwd, 'out/a.txt'), 'utf8')).toContain('job-without-deadline')
    expect(readdirSync(join(cwd, 'out')).sort()).toEqual(['a.txt', 'sarif.json'])
  })
  it('have all that they need in the package', () => {
    const cwd = folderWith({ 'bad.yaml': job('bad') })
    const { out } = run(['lint', ...only, '-o', 'markdown', '-o', 'html=a.html'], { cwd })
    expect(out).toContain('| bad.yaml:9 | CronJob bad |')
    expect(readFileSync(join(cwd, 'a.html'), 'utf8')).toMatch(
      /<article [\s\S]*<h2>Rules<\/h2>[\s\S]*<\/script>/,
    )
  })
  it('may be chosen in the configuration', () => {
    const cwd = folderWith({ 'bad.yaml': job('bad'), '.k8s-af.yaml': 'output: json\n' })
    expect(JSON.parse(run(['lint'], { cwd }).out)).toHaveProperty('findings')
    expect(run(['lint', '-o', 'concise'], { cwd }).out).toMatch(/^bad\.yaml:/)
  })
  it('can go to a device', () => {
    expect(lint(...only, '-o', 'json=/dev/null', 'bad.yaml')).toMatchObject({ code: 0, out: '' })
  })
  it('have colours only where they are wanted', () => {
    const colored = (env: Readonly<Record<string, string>>, ...args: string[]) =>
      run(['lint', ...only, 'bad.yaml', ...args], { cwd: files, env }).out.includes('\u001b[')
    expect(colored({})).toBe(false)
    expect(colored({ FORCE_COLOR: '1' })).toBe(true)
    expect(colored({ FORCE_COLOR: '1', NO_COLOR: '1' })).toBe(false)
    expect(colored({ NO_COLOR: '1' }, '--color')).toBe(true)
    expect(colored({ FORCE_COLOR: '1' }, '--color=never')).toBe(false)
    expect(colored({ FORCE_COLOR: '1' }, '--no-color')).toBe(false)
  })
  it('end quietly when nobody reads on, with all files and the same verdict', () => {
    const file = join(folderWith(), 'report.json')
    const { err, code } = program.shell(
      `k8s-af lint -o pretty -o json=${file} fixtures | head -c 1 >/dev/null; exit \${PIPESTATUS[0]}`,
      { cwd: repository },
    )
    expect([err, code]).toEqual(['', 1])
    expect(JSON.parse(readFileSync(file, 'utf8'))).toHaveProperty('findings')
  })
  it('come whole through a pipe that another process has set not to wait', () => {
    const set = `node -e "new (require('net').Socket)({ fd: 1 }); process.kill(process.pid, 'SIGKILL')" 2>/dev/null`
    const { out } = program.shell(
      `{ ${set}; k8s-af lint -o jsonl fixtures; echo end; } 2>/dev/null | { sleep 2; cat; }`,
      {
        cwd: repository,
      },
    )
    const lines = out.trimEnd().split('\n')
    expect(lines.length).toBeGreaterThan(500)
    expect(lines.slice(0, -1).filter((line) => !line.startsWith('{') || !line.endsWith('}'))).toEqual([])
  })
  it.skipIf(!existsSync('/dev/full'))('say when they do not fit on the disk', () => {
    const why = 'cannot be written: no space is left (ENOSPC).'
    expect(refusal(lint('-o', 'json=/dev/full', 'bad.yaml'))).toBe(`/dev/full ${why}`)
    for (const command of ['lint -o json', 'rules', '--help'])
      expect(refusal(program.shell(`k8s-af ${command} > /dev/full`, { cwd: files }))).toBe(
        `standard output ${why}`,
      )
  })
  it('come with statistics and timings on standard error', () => {
    const { out, err } = lint(...only, 'bad.yaml', '-o', 'json', '--statistics', '--timings')
    expect(JSON.parse(out)).toHaveProperty('summary')
    expect(err).toMatch(/^ +1 {2}job-without-deadline$/m)
    expect(err).toMatch(/ ms {2}job-without-deadline$/m)
  })
})

describe('a configuration', () => {
  it('is found, named or left alone', () => {
    const cwd = folderWith({
      '.k8s-af.yaml': 'rules: { job-without-deadline: error }\n',
      'other.yaml': 'rules: { job-without-deadline: off }\n',
      'app/bad.yaml': job('bad'),
    })
    const code = (...args: string[]) => run(['lint', 'bad.yaml', ...args], { cwd: join(cwd, 'app') }).code
    expect(code()).toBe(1)
    expect(code('--config', '../other.yaml')).toBe(0)
    expect(code('--isolated')).toBe(0)
    expect(code('--disable', 'job-without-deadline')).toBe(0)
  })
  it('names files with the definitions of custom objects, which are not linted', () => {
    const schema = (type: string) => `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: widgets.example.com }
spec:
  group: example.com
  scope: Namespaced
  names: { kind: Widget, plural: widgets }
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema: { type: object, properties: { size: { type: ${type} } } }
`
    const cwd = folderWith({
      'app/widget.yaml': 'apiVersion: example.com/v1\nkind: Widget\nmetadata: { name: a }\nsize: big\n',
      'config/k8s-af.yaml': 'crds: [../crds]\n',
      'crds/widget.yaml': schema('integer'),
      'broken/widget.yaml': schema('whole'),
    })
    const lintWith = (config: string) => run(['lint', 'app', '-o', 'concise', '--config', config], { cwd })
    expect(lintWith('config/k8s-af.yaml').out).toMatch(
      /app\/widget.yaml:4:7: error wrong-type: .*\n1 error .* 1 object/,
    )
    writeFileSync(join(cwd, 'config/broken.yaml'), 'crds: [../broken/*.yaml]\n')
    expect(lintWith('config/broken.yaml').out).toMatch(
      /^broken\/widget.yaml:13:\d+: error invalid-value: kubectl apply is refused: .*type cannot be "whole", so no Widget is checked here.\n1 error/,
    )
    writeFileSync(join(cwd, 'config/empty.yaml'), 'crds: [../app]\n')
    expect(refusal(lintWith('config/empty.yaml'))).toBe('crds: there is no CustomResourceDefinition in app.')
    writeFileSync(join(cwd, 'config/missing.yaml'), 'crds: [../crd]\n')
    expect(refusal(lintWith('config/missing.yaml'))).toBe(
      'crds: no such file or folder: crd. Did you mean crds?',
    )
    writeFileSync(join(cwd, 'config/piped.yaml'), 'crds:\n  - ../crds\n  - "-"\n')
    expect(refusal(lintWith('config/piped.yaml'))).toBe(
      'config/piped.yaml:3:5: definitions are read from files, not from standard input.',
    )
    // A file of that name is one.
    writeFileSync(join(cwd, '-'), schema('integer'))
    writeFileSync(join(cwd, 'named.yaml'), 'crds: [./-]\n')
    expect(lintWith('named.yaml').out).toContain('app/widget.yaml:4:7: error wrong-type: ')
  })
  it('with mistakes names them all', () => {
    const cwd = folderWith({ '.k8s-af.yaml': 'failsOn: x\nrules:\n  job-without-deadlin: off\n' })
    const { code, out, err } = run(['lint'], { cwd })
    expect([code, out]).toEqual([2, ''])
    expect(err.split('\n')).toEqual([
      'k8s-af: .k8s-af.yaml:1:1: There is no key "failsOn". Did you mean "failOn"?',
      'k8s-af: .k8s-af.yaml:3:3: There is no rule "job-without-deadlin". Did you mean "job-without-deadline"?',
      '',
    ])
  })
  it('names its mistakes in the order of its lines', () => {
    const cwd = folderWith({ '.k8s-af.yaml': 'kubernetesVersion: 1.30\npresets: all\nfailOn: warn\n' })
    expect(run(['lint'], { cwd }).err.match(/yaml:\d+/g)).toEqual(['yaml:1', 'yaml:2', 'yaml:3'])
  })
  it('is named where it asks for a report that there is not', () => {
    const cwd = folderWith({ '.k8s-af.yaml': 'output: [prety]\n', 'bad.yaml': job('bad') })
    const why = '.k8s-af.yaml: output: there is no report format "prety". Did you mean "pretty"?'
    expect(refusal(run(['lint'], { cwd }))).toBe(why)
    expect(refusal(run(['config', 'validate'], { cwd }))).toBe(why)
    expect(run(['lint', '-o', 'concise'], { cwd }).err).toBe('')
  })
  it('is written by init, once', () => {
    const cwd = folderWith({ 'bad.yaml': job('bad') })
    expect(run(['init'], { cwd })).toMatchObject({ code: 0, out: '' })
    const text = readFileSync(join(cwd, '.k8s-af.yaml'), 'utf8')
    const [, schema = ''] = /^# yaml-language-server: \$schema=(.*)$/m.exec(text) ?? []
    expect(existsSync(join(cwd, schema))).toBe(true)
    expect(run(['config', 'validate'], { cwd })).toMatchObject({
      code: 0,
      err: '.k8s-af.yaml: no mistakes\n',
    })
    expect(refusal(run(['init'], { cwd }))).toBe('.k8s-af.yaml is here already; it stays as it is.')
    // What it proposes is sound, too.
    const proposed = folderWith({ '.k8s-af.yaml': text.replace(/^# (?=[a-zA-Z]+:(?: |$)| )/gm, '') })
    expect(run(['config', 'validate'], { cwd: proposed })).toMatchObject({ code: 0 })
  })
  it('is validated with the files that its suppressions are for', () => {
    const suppression = (file: string) => `  - { rules: ["*"], files: ["${file}"], reason: agreed }\n`
    const shared = `suppressions:\n${suppression('elsewhere/')}`
    const cwd = folderWith({
      'shared.yaml': shared,
      '.k8s-af.yaml': `extends: shared.yaml\nsuppressions:\n${['/jobs/', 'jbos/', '*.yml', 'node_modules/x/'].map(suppression).join('')}`,
      'jobs/deep/bad.yaml': job('bad'),
      'node_modules/x/a.yaml': '',
    })
    const missing = (line: number) =>
      `k8s-af: .k8s-af.yaml:${line}:5: no file below this folder is one of the files of this suppression.\n`
    expect(run(['config', 'validate'], { cwd })).toMatchObject({
      code: 0,
      err: `${missing(4)}${missing(5)}${missing(6)}.k8s-af.yaml: no mistakes, but what is said above\n`,
    })
  })
  it('is printed whole, as a configuration', () => {
    const cwd = folderWith({
      '.k8s-af.yaml':
        'kubernetesVersion: "1.30"\nrules: { job-without-deadline: error }\noutput: json=a.json\n',
    })
    const { out } = run(['config', 'print', '--disable', 'mutable-image-tag'], { cwd })
    expect(out).toContain("kubernetesVersion: '1.30'")
    expect(out).toContain('json=a.json')
    const again = folderWith({ '.k8s-af.yaml': out })
    const printed = run(['config', 'print'], { cwd: again }).out
    expect(out).toMatch(/^# from \.k8s-af\.yaml, and the flags\n/)
    expect(printed).toBe(out.replace(', and the flags', ''))
    const told = run(['config', 'print', '--isolated', '--complete'], { cwd }).out
    expect(told).toMatch(/^# from the defaults, and the flags\n/)
  })
  it('has a schema', () => {
    expect(JSON.parse(run(['config', 'schema']).out)).toHaveProperty(
      'properties.rules.properties.job-without-deadline',
    )
  })
})

describe('the other commands', () => {
  it('list rules and stories', () => {
    expect(run(['rules', '-o', 'name']).out.split('\n')).toContain('job-without-deadline')
    expect(run(['rules']).out).toMatch(/^ {2}job-without-deadline +\w+/m)
    expect(run(['rules']).out).toMatch(/^cluster +only scan/m)
    expect(JSON.parse(run(['stories', '-o', 'json']).out)[0]).toHaveProperty('title')
    expect(run(['stories']).out).toContain('Zalando')
  })
  it('explain', () => {
    expect(run(['explain', 'job-without-deadline']).out).toContain('activeDeadlineSeconds')
    expect(run(['explain', 'zalando-cronjob-apiserver']).out).toContain('Zalando')
  })
  it('tell the version', () => {
    const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
      version: string
    }
    expect(run(['--version']).out).toBe(`k8s-af ${version}\n`)
    expect(run(['version']).out).toContain(`k8s-af ${version}\nKubernetes 1.22 to 1.`)
  })
  it('help', () => {
    expect(run(['--help'])).toMatchObject({ code: 0, err: '' })
    expect(run(['lint', '--help']).out).toContain('Exit code:')
    expect(run([])).toMatchObject({ code: 2, out: '' })
  })
})

describe('the start', () => {
  /** The files and parts of Node.js that a run has loaded. */
  const loaded = (cwd: string): readonly string[] => {
    const spy = `process.on('exit', () => console.error([...Object.keys(require.cache), ...process.moduleLoadList].join('\\n')))`
    const hook = join(folderWith({ 'spy.cjs': spy }), 'spy.cjs')
    return run(['lint', ...only, 'bad.yaml'], { cwd, env: { NODE_OPTIONS: `--require ${hook}` } }).err.split(
      '\n',
    )
  }
  const without = loaded(files)
  const withConfig = loaded(folderWith({ 'bad.yaml': job('bad'), '.k8s-af.yaml': 'failOn: never\n' }))

  it('loads no validator without a configuration', () => {
    expect(without.some((file) => file.endsWith('k8s-af.cjs'))).toBe(true)
    expect(without.filter((file) => file.endsWith('ajv.cjs'))).toEqual([])
    expect(withConfig.filter((file) => file.endsWith('ajv.cjs'))).toHaveLength(1)
  })
  it('loads nothing of the network, and no streams for files and pipes', () => {
    const unneeded = /^NativeModule (http|https|tls|dns|net|tty|stream|zlib|v8|child_process)$/
    expect(without).toContain('NativeModule fs')
    expect(without.filter((part) => unneeded.test(part))).toEqual([])
  })
})

describe('the sources', () => {
  it('run as they are in a clone', () => {
    const { out, code } = program.shell(
      `node ${join(repository, 'bin', 'k8s-af')} lint --only job-without-deadline -o concise bad.yaml`,
      { cwd: files },
    )
    expect(out).toMatch(/^bad\.yaml:/)
    expect(code).toBe(0)
  })
  it('print what the README shows', () => {
    const readme = readFileSync(join(repository, 'README.md'), 'utf8')
    const [, folder = ''] = /npm ci && node bin\/k8s-af lint (\S+)/.exec(readme) ?? []
    const [, shown = ''] = /```\n( {2}error[\s\S]*?)```/.exec(readme) ?? []
    const { out } = run(['lint', folder], { cwd: repository })
    expect(shown).not.toBe('')
    expect(out).toContain(shown)
  })
})
