/** What the reader makes of files, folders, patterns and standard input, good and bad. */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Document, ReadProblem } from '../src/document.js'
import type { Input } from '../src/reader/input.js'
import { type ReadOptions, readPaths } from '../src/reader/read.js'
import { secretRanges } from '../src/reader/secret.js'
import { unfold } from '../src/reader/unfold.js'
import { type Files, folderWith } from './folders.js'

const root = join(__dirname, '..')

const configMap = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n`

function read(cwd: string, paths: readonly string[] = ['.'], options: Partial<ReadOptions> = {}): Input {
  return readPaths(paths, { cwd, ...options })
}

/** What is read of a folder with these files. */
function inputOf(files: Files): Input {
  return read(folderWith(files))
}

function names(input: Input): string[] {
  return input.documents.flatMap((document) =>
    unfold(document).map(({ value }) => String((value.metadata as { name?: unknown } | undefined)?.name)),
  )
}

function fileNames(input: Input): string[] {
  return input.documents.map((document) => document.file.name)
}

function skips(input: Input): Record<string, string> {
  return Object.fromEntries(input.skips.map(({ file, reason }) => [file, reason]))
}

/** The text that stands where a problem is reported, to the end of the line. */
function textAt(cwd: string, { file, range }: ReadProblem): string {
  const line = readFileSync(join(cwd, file), 'utf8').split(/\r\n|\n|\r/)[range.line - 1] ?? ''
  return line.slice(range.column - 1)
}

describe('what is broken', () => {
  const cwd = join(root, 'fixtures', 'broken')
  /** File, text that stands at the place, words of the message. */
  const problems: readonly [string, string, RegExp][] = [
    ['after-hyphen.yaml', 'port', /6 spaces, between the hyphen.*4.*8/],
    ['alias-bomb.yaml', '*a, *a', /aliases/],
    ['alias-of-itself.yaml', '*metadata', /alias/],
    ['bad-escape.yaml', 'd+"', /backslash/],
    ['broken-secret.yaml', 'other:', /indented by 3 spaces/],
    ['colon-in-value.yaml', ': it breaks', /colon.*quotes/],
    ['control-character.yaml', '\u0001b', /control character/],
    ['dedent.yaml', 'namespace', /indented by 2 spaces.*4/],
    ['glob.yaml', '*.example', /quotes/],
    ['four-hyphens.yaml', '-', /three hyphens.*more/],
    ['glued-name.yaml', 'apiVersion: v1', /Another object begins within this line/],
    ['glued-object.yaml', 'apiVersion: v1', /Another object begins within this line/],
    ['here-document.yaml', 'kubectl', /shell command/],
    ['here-string.yaml', '@"', /PowerShell/],
    ['indentation.yaml', 'selector', /indented by 3 spaces, deeper/],
    ['infinity.yaml', '.inf', /quotes/],
    ['json-escape.yaml', '\\/b', /escape/],
    ['list-on-key-line.yaml', '- name', /dash on the next line/],
    ['markdown-fence.yaml', '```', /from Markdown and no YAML: remove it/],
    ['markdown-page.yaml', '- **Step', /page in Markdown/],
    ['merge-bomb.yaml', '*a, l1', /aliases/],
    ['merge-conflict.yaml', '<<<<<<<', /merge conflict/],
    ['middle-of-three.yaml', 'namespace: shop', /indented/],
    ['missing-colon.yaml', 'metadata', /colon/],
    ['missing-space.yaml', 'shop', /space is missing after the colon/],
    ['non-breaking-space.yaml', '\u00a0 labels', /non-breaking space/],
    ['null-key.yaml', 'null:', /key is missing or null/],
    ['other-dash.yaml', '— key', /hyphen \(-\).*another dash \(—\)/],
    ['question-in-brackets.yaml', '?page', /question mark needs quotes/],
    ['reserved-character.yaml', '@admin', /@.*quotes/],
    ['shell-prompt.yaml', 'student@', /terminal/],
    ['tab.yaml', '\tname', /tab.*spaces/],
    ['tab-on-empty-line.yaml', '\t', /tab.*spaces/],
    ['terminal-between.yaml', '[root@', /terminal.*---/],
    ['text-after-bracket.yaml', 'An empty', /closed bracket/],
    ['text-after-mark.yaml', 'apiVersion', /follow ---/],
    ['text-after-quote.yaml', 'and b', /closed quote/],
    ['unclosed-bracket.yaml', '["sh"', /bracket that opens here/],
    ['unclosed-quote.yaml', '"web', /quote that opens here/],
    ['unknown-alias.yaml', '*labels', /anchor/],
  ]
  it.each(problems)('%s is reported at %j', (file, text, message) => {
    const input = read(cwd, [file])
    expect(input.problems.map(({ rule }) => rule)).toEqual(['invalid-yaml'])
    const [problem] = input.problems
    if (!problem) throw new Error('no problem')
    expect(problem.message).toMatch(message)
    expect(problem.message).toMatch(/\.$/)
    expect(textAt(cwd, problem).startsWith(text)).toBe(true)
  })
  it.each([
    ['binary.yaml', /binary/],
    ['git-crypt.yaml', /git-crypt/],
    ['latin1.yaml', /UTF-8/],
    ['utf16.yaml', /UTF-16/],
  ])('%s cannot be read', (file, message) => {
    expect(read(cwd, [file]).problems).toMatchObject([
      { rule: 'unreadable-file', file, message: expect.stringMatching(message) },
    ])
  })
  it.each([
    ['empty.yaml', 'empty'],
    ['only-comments.yaml', 'empty'],
    ['go-template.yaml', 'Go template'],
    ['jinja.yaml', 'Go template'],
  ])('%s is left out', (file, reason) => {
    const input = read(cwd, [file])
    expect(input.problems).toEqual([])
    expect(skips(input)).toEqual({ [file]: reason })
  })
  it('values of a chart in UTF-16 are no objects', () => {
    const text = Buffer.from('\ufeffpersistence:\n  kind: StatefulSet\n', 'utf16le')
    const values = inputOf({ 'default.yaml': text })
    expect([values.problems, skips(values)]).toEqual([[], { 'default.yaml': 'not Kubernetes' }])
  })
  it('encrypted files that a walk meets are left out', () => {
    const input = read(cwd)
    expect(skips(input)['git-crypt.yaml']).toBe('encrypted')
    expect(input.problems.filter(({ file }) => file === 'git-crypt.yaml')).toEqual([])
  })
  it('has a case for every fixture', () => {
    const input = read(cwd)
    const known = [
      ...input.problems.map(({ file }) => file),
      ...input.skips.map(({ file }) => file),
      ...fileNames(input),
    ]
    const files = readdirSync(cwd).filter((name) => !name.startsWith('.'))
    expect(files.filter((file) => !known.includes(file))).toEqual([])
  })
  it('spares its neighbours', () => {
    const input = read(cwd)
    expect(names(input)).toEqual(expect.arrayContaining(['neighbour', 'first', 'third']))
    expect(names(input)).not.toContain('second\n   namespace: shop')
  })
  it('is a problem only when it was meant for Kubernetes or was named', () => {
    expect(read(cwd).problems.map(({ file }) => file)).not.toContain('not-kubernetes.yaml')
    expect(read(cwd, ['not-kubernetes.yaml']).problems).toMatchObject([{ rule: 'invalid-yaml' }])
  })
  it('keeps odd keys as data', () => {
    const [document] = read(cwd, ['prototype-keys.yaml']).documents
    const value = document?.value as Record<string, Record<string, unknown>>
    expect(Object.keys(value)).toContain('__proto__')
    expect(Object.keys(value.data ?? {})).toEqual(['__proto__', 'toString'])
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  })
  it('hides the lines of broken Secrets', () => {
    const { hidden, broken } = read(cwd, ['broken-secret.yaml', 'tab.yaml'])
    expect(hidden?.map(({ file }) => file)).toEqual(['broken-secret.yaml'])
    expect(broken?.map(({ name }) => name)).toEqual(['broken-secret.yaml', 'tab.yaml'])
    const input = read(cwd)
    expect(JSON.stringify(input.problems)).not.toContain('hunter')
  })
  it('reads objects of the wrong shape for others to report', () => {
    expect(names(read(cwd, ['wrong-types.yaml']))).toEqual([
      '5',
      'undefined',
      'undefined',
      'web',
      'undefined',
    ])
  })
})

describe('what cannot be read', () => {
  it('is one huge file among good ones', () => {
    const cwd = folderWith({ 'good.yaml': configMap('good') })
    writeFileSync(
      join(cwd, 'huge.yaml'),
      `${configMap('huge')}data:\n  a: "${'x'.repeat(50 * 1024 * 1024)}"\n`,
    )
    const input = read(cwd)
    expect(names(input)).toEqual(['good'])
    expect(input.problems).toMatchObject([{ rule: 'unreadable-file', file: 'huge.yaml' }])
  })
  it.each([
    ['mappings', `${'{a: '.repeat(10_000)}x${'}'.repeat(10_000)}`],
    ['lists', `${'['.repeat(10_000)}${']'.repeat(10_000)}`],
    [
      'indented mappings',
      Array.from({ length: 3_000 }, (_, i) => `${' '.repeat(i + 2)}a:`)
        .join('\n')
        .trimStart(),
    ],
    ['dashes', `${'- '.repeat(10_000)}x`],
  ])('is nesting without end: %s', (_, text) => {
    const input = inputOf({
      'good.yaml': configMap('good'),
      'deep.yaml': `${configMap('deep')}data:\n  ${text}\n`,
    })
    expect(names(input)).toEqual(['good'])
    expect(input.problems).toMatchObject([
      { rule: 'invalid-yaml', file: 'deep.yaml', message: expect.stringMatching(/nested/) },
    ])
  })
  it('is nesting without end in JSON', () => {
    const deep = `{"apiVersion": "v1", "kind": "ConfigMap", "data": ${'['.repeat(10_000)}${']'.repeat(10_000)}}`
    const input = inputOf({ 'good.yaml': configMap('good'), 'deep.json': deep })
    expect(names(input)).toEqual(['good'])
    expect(input.problems).toMatchObject([{ file: 'deep.json', message: expect.stringMatching(/nested/) }])
  })
  it.runIf(process.platform === 'linux')('is a name that is not UTF-8', () => {
    const cwd = folderWith({ 'good.yaml': configMap('good') })
    writeFileSync(Buffer.concat([Buffer.from(join(cwd, 'a')), Buffer.from([0xff]), Buffer.from('.yaml')]), '')
    expect(read(cwd).problems).toMatchObject([{ message: expect.stringMatching(/^Its name.* is not UTF-8/) }])
  })
  it('is a merge that left conflicts in several documents: told once', () => {
    const conflict = (name: string) =>
      `${configMap(name)}\n<<<<<<< ours\n  a: b\n=======\n  a: c\n>>>>>>> theirs\n`
    const input = inputOf({ 'a.yaml': `${conflict('a')}---\n${conflict('b')}`, 'c.yaml': conflict('c') })
    expect(input.problems.map(({ file, range }) => `${file} ${range.line}`)).toEqual([
      expect.stringMatching(/^a\.yaml /),
      expect.stringMatching(/^c\.yaml /),
    ])
  })
  it('is a link that leads to itself, or nowhere', () => {
    const cwd = folderWith({ 'good.yaml': configMap('good') })
    symlinkSync('loop.yaml', join(cwd, 'loop.yaml'))
    symlinkSync('nowhere.yaml', join(cwd, 'gone.yaml'))
    symlinkSync('/nix/store/nowhere.json', join(cwd, '.pre-commit-config.yaml'))
    symlinkSync('.', join(cwd, 'again'))
    const input = read(cwd)
    expect(names(input)).toEqual(['good'])
    expect(input.problems.map(({ file, rule }) => `${file} ${rule}`)).toEqual([
      'gone.yaml unreadable-file',
      'loop.yaml unreadable-file',
    ])
    expect(read(cwd, ['loop.yaml', 'gone.yaml']).problems.map(({ file }) => file)).toEqual([
      'loop.yaml',
      'gone.yaml',
    ])
  })
  it.skipIf(process.platform === 'win32')('is a pipe that nobody writes to', () => {
    const cwd = folderWith({ 'good.yaml': configMap('good') })
    execFileSync('mkfifo', [join(cwd, 'pipe.yaml')])
    const input = read(cwd)
    expect(names(input)).toEqual(['good'])
    const problem = { file: 'pipe.yaml', message: expect.stringMatching(/pipe/) }
    expect(input.problems).toMatchObject([problem])
    expect(read(cwd, ['pipe.yaml']).problems).toMatchObject([problem])
  })
  it.skipIf(!existsSync('/dev/null'))('is a device', () => {
    expect(read(folderWith(), ['/dev/null']).problems).toMatchObject([
      { message: expect.stringMatching(/device/) },
    ])
  })
  it.skipIf(process.getuid?.() === 0)('is a file or folder without permission', () => {
    const cwd = folderWith({
      'good.yaml': configMap('good'),
      'secret.yaml': configMap('x'),
      'closed/a.yaml': configMap('y'),
    })
    chmodSync(join(cwd, 'secret.yaml'), 0)
    chmodSync(join(cwd, 'closed'), 0)
    const input = read(cwd)
    chmodSync(join(cwd, 'closed'), 0o755)
    expect(names(input)).toEqual(['good'])
    expect(input.problems.map(({ file }) => file).sort()).toEqual(['closed', 'secret.yaml'])
  })
  it('is a path that does not exist', () => {
    const cwd = folderWith({ 'good.yaml': configMap('good') })
    const input = read(cwd, ['good.yaml', 'missing.yaml', 'missing/', '*.json'])
    expect(names(input)).toEqual(['good'])
    expect(input.missing).toEqual(['missing.yaml', 'missing/', '*.json'])
    expect(input.problems).toEqual([])
  })
  it('is text in another encoding, only where it matters', () => {
    const cwd = folderWith({
      'other.yaml': Buffer.from('name: caf\xe9\n', 'latin1'),
      'mine.yaml': Buffer.from(
        `${configMap('x')}data:\n  ok: "\ufffd"\n  a: caf\xe9\n`.replace('\ufffd', '?'),
        'latin1',
      ),
      'replacement.yaml': `${configMap('replacement')}data:\n  a: "\ufffd"\n`,
    })
    const input = read(cwd)
    expect(input.problems.map(({ file }) => file)).toEqual(['mine.yaml'])
    expect(textAt(cwd, input.problems[0] as ReadProblem)).toMatch(/^\ufffd/)
    expect(names(input)).toEqual(['replacement'])
  })
})

describe('where manifests come from', () => {
  const tree = {
    'a.yaml': configMap('a'),
    'b.yml': configMap('b'),
    'c.json': JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } }),
    'd.txt': configMap('d'),
    'sub/e.yaml': configMap('e'),
    'sub/.hidden/f.yaml': configMap('f'),
    '.git/g.yaml': configMap('g'),
    'node_modules/h/h.yaml': configMap('h'),
  }
  it('folders, with all below them', () => {
    expect(fileNames(inputOf(tree))).toEqual([
      'a.yaml',
      'b.yml',
      'c.json',
      'sub/.hidden/f.yaml',
      'sub/e.yaml',
    ])
  })
  it('folders alone', () => {
    expect(names(read(folderWith(tree), ['.'], { recursive: false }))).toEqual(['a', 'b', 'c'])
  })
  it('files of any name', () => {
    expect(names(read(folderWith(tree), ['d.txt', '.git/g.yaml']))).toEqual(['d', 'g'])
  })
  it('patterns', () => {
    const cwd = folderWith(tree)
    expect(names(read(cwd, ['**/*.yaml']))).toEqual(['a', 'f', 'e'])
    expect(names(read(cwd, ['*.{yml,json}']))).toEqual(['b', 'c'])
    expect(names(read(cwd, [`${cwd}/sub/*.yaml`]))).toEqual(['e'])
  })
  it('patterns and folders in any order', () => {
    const cwd = folderWith(tree)
    for (const paths of [
      ['*.yaml', '.'],
      ['.', '*.yaml'],
      ['sub/*.yaml', '*.json', '.', '*.yml'],
    ]) {
      const found = read(cwd, paths)
      expect(names(found).sort()).toEqual(['a', 'b', 'c', 'e', 'f'])
      expect(found.missing).toEqual([])
    }
    expect(read(cwd, ['.', '*.yaml.bak']).missing).toEqual(['*.yaml.bak'])
  })
  it('what cannot be read of several arguments once', () => {
    const cwd = folderWith(tree)
    symlinkSync('nowhere.yaml', join(cwd, 'gone.yaml'))
    expect(read(cwd, ['.', '*.yaml', '.']).problems).toMatchObject([
      { file: 'gone.yaml', message: 'This link leads nowhere: nowhere.yaml is missing.' },
    ])
  })
  it('links that break because one folder is gone, once', () => {
    const cwd = folderWith({ 'tests/a/x.yaml': configMap('x') })
    for (const name of ['b', 'c'])
      symlinkSync(`../../examples/policies/${name}.yaml`, join(cwd, `tests/a/${name}.yaml`))
    symlinkSync('../gone.yaml', join(cwd, 'tests/a/d.yaml'))
    expect(read(cwd).problems).toMatchObject([
      { file: 'tests/a/b.yaml', message: 'This link and 1 more lead nowhere: examples is missing.' },
      { file: 'tests/a/d.yaml', message: 'This link leads nowhere: tests/gone.yaml is missing.' },
    ])
  })
  it('nothing where a pattern matches nothing, whatever another argument leaves out', () => {
    const cwd = folderWith({ ...tree, 'other/i.yaml': configMap('i'), '.k8s-af-ignore': 'sub\n' })
    expect(read(cwd, ['.', 'sub/*.yaml']).missing).toEqual([])
    expect(read(cwd, ['.', 'other/*.json']).missing).toEqual(['other/*.json'])
  })
  it('each file once', () => {
    const cwd = folderWith(tree)
    symlinkSync('a.yaml', join(cwd, 'link.yaml'))
    symlinkSync('sub', join(cwd, 'sub-link'))
    expect(names(read(cwd, ['.', 'a.yaml', './a.yaml', cwd, 'sub', 'link.yaml']))).toEqual([
      'a',
      'b',
      'c',
      'f',
      'e',
    ])
  })
  it('standard input', () => {
    const stdin = () => configMap('in')
    expect(fileNames(read(folderWith(), ['-'], { stdin }))).toEqual(['<stdin>'])
    expect(fileNames(read(folderWith(), ['-'], { stdin, stdinFilename: 'x.yaml' }))).toEqual(['x.yaml'])
    expect(read(folderWith(), ['-'], { stdin: () => '' }).skips).toEqual([
      { file: '<stdin>', reason: 'empty' },
    ])
    expect(read(folderWith(), ['-'], { stdin: () => 'a: [' }).problems).toMatchObject([
      { file: '<stdin>', rule: 'invalid-yaml' },
    ])
  })
  it.skipIf(process.platform === 'win32')('a pipe that is written to', () => {
    const script = join(root, 'src', 'reader', 'read.ts')
    const program = `import { readPaths } from ${JSON.stringify(script)}
      console.log(readPaths([process.argv[2]], { cwd: '/' }).documents.length)`
    const file = join(folderWith({ 'run.ts': program }), 'run.ts')
    const tsx = join(root, 'node_modules', '.bin', 'tsx')
    const out = execFileSync('bash', [
      '-c',
      `"${tsx}" "${file}" <(sleep 0.2; printf '${configMap('x').replaceAll('\n', '\\n')}')`,
    ])
    expect(out.toString().trim()).toBe('1')
  })
  it('names outside of the working directory', () => {
    const cwd = folderWith(tree)
    expect(fileNames(read(join(cwd, 'sub'), ['../a.yaml']))).toEqual(['../a.yaml'])
  })
})

describe('what is ignored', () => {
  it('is listed in ignore files, as in git', () => {
    const cwd = folderWith({
      '.k8s-af-ignore': '# generated\n/generated/\n*.skip.yaml\n!keep.skip.yaml\n',
      'a.yaml': configMap('a'),
      'b.skip.yaml': configMap('b'),
      'keep.skip.yaml': configMap('keep'),
      'generated/c.yaml': configMap('c'),
      'sub/generated/d.yaml': configMap('d'),
      'sub/.k8s-af-ignore': '!e.skip.yaml\nf.yaml\n',
      'sub/e.skip.yaml': configMap('e'),
      'sub/f.yaml': configMap('f'),
    })
    const input = read(cwd)
    expect(names(input)).toEqual(['a', 'keep', 'e', 'd'])
    expect(skips(input)).toEqual({ 'b.skip.yaml': 'ignored', generated: 'ignored', 'sub/f.yaml': 'ignored' })
    expect(names(read(join(cwd, 'sub')))).toEqual(['e', 'd'])
    expect(skips(read(cwd, ['b.skip.yaml']))).toEqual({ 'b.skip.yaml': 'ignored' })
  })
  it('is given by the configuration', () => {
    const cwd = folderWith({ 'a.yaml': configMap('a'), 'sub/b.yaml': configMap('b') })
    expect(names(read(cwd, ['.'], { ignore: [{ patterns: ['/b.yaml'], base: cwd }] }))).toEqual(['a', 'b'])
    expect(names(read(cwd, ['.'], { ignore: [{ patterns: ['/b.yaml'], base: join(cwd, 'sub') }] }))).toEqual([
      'a',
    ])
  })
})

describe('folders that are switched off', () => {
  const tree = {
    'app/a.yaml': configMap('a'),
    'disabled/b.yaml': configMap('b'),
    'apps/_disabled/web/c.yaml': configMap('c'),
    'apps/.archive/d.yaml': configMap('d'),
    'apps/archive/e.yaml': configMap('e'),
  }
  it('are left out on a walk', () => {
    const input = inputOf(tree)
    expect(names(input)).toEqual(['a', 'e'])
    expect(skips(input)).toEqual({
      'apps/.archive': 'switched off',
      'apps/_disabled': 'switched off',
      disabled: 'switched off',
    })
  })
  it('are read where an argument names them or a pattern takes them back', () => {
    const cwd = folderWith(tree)
    expect(names(read(cwd, ['disabled', 'apps/_disabled/**/*.yaml']))).toEqual(['b', 'c'])
    expect(names(read(join(cwd, 'disabled')))).toEqual(['b'])
    expect(names(inputOf({ ...tree, '.k8s-af-ignore': '!.archive/\n' }))).toEqual(['a', 'd', 'e'])
  })
})

describe('skills of agents', () => {
  const tree = {
    'a.yaml': configMap('a'),
    '.claude/skills/deploy/SKILL.md': '---\nname: deploy\n---\n',
    '.claude/skills/deploy/examples/web/kustomization.yaml': 'resources: [../../../gone]\n',
    '.claude/skills/deploy/examples/web/b.yaml': configMap('b'),
    'skills/c.yaml': configMap('c'),
    'agents/deploy/SKILL.md': '',
    'agents/deploy/d.yaml': configMap('d'),
  }
  it('are left out on a walk, as what they hold is copied elsewhere', () => {
    const input = read(folderWith(tree))
    expect(names(input)).toEqual(['a', 'd', 'c'])
    expect(skips(input)).toEqual({ '.claude/skills/deploy': 'agent skill' })
  })
  it('are read where an argument names them or a pattern takes them back', () => {
    const cwd = folderWith(tree)
    expect(names(read(cwd, ['.claude/skills/deploy/examples/web/b.yaml']))).toEqual(['b'])
    expect(names(read(join(cwd, '.claude/skills')))).toEqual(['b'])
    expect(names(read(join(cwd, '.claude/skills/deploy')))).toEqual(['b'])
    expect(names(read(folderWith({ ...tree, '.k8s-af-ignore': '!.claude/skills/deploy/\n' })))).toEqual([
      'b',
      'a',
      'd',
      'c',
    ])
  })
})

describe('folders of what is no longer applied', () => {
  const flux = (path: string) =>
    `apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps}\nspec: {path: ${path}}\n`
  const argo = (spec: string) =>
    `apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: apps}\nspec: ${spec}\n`
  const kustomization = 'resources: [a.yaml]\n'
  const tree = {
    'cluster/ks.yaml': flux('./apps'),
    'apps/kustomization.yaml': kustomization,
    'apps/a.yaml': configMap('a'),
    'apps/archive/b.yaml': configMap('b'),
    'apps/archive/broken.yaml': 'apiVersion: v1\nkind: Pod\n foo: [\n',
    'apps/archive/web/c.yaml': configMap('c'),
    '_deprecated/d.yaml': configMap('d'),
    'old/e.yaml': configMap('e'),
  }
  it('are left out where Flux applies what stands beside them', () => {
    const input = inputOf(tree)
    expect(names(input)).toEqual(['a', 'apps', 'e'])
    expect(input.problems).toEqual([])
    expect(skips(input)).toEqual({ 'apps/archive': 'switched off', _deprecated: 'switched off' })
  })
  it('are left out where a generator of Argo CD looks for files that they lack', () => {
    const files = (name: string) => ({
      ...tree,
      'cluster/ks.yaml': argo(
        `{generators: [{git: {files: [{path: "**/${name}"}]}}], template: {spec: {source: {path: "{{.path.path}}"}}}}`,
      ),
      'apps/archive/web/config.json': '{}',
    })
    expect(names(inputOf(files('argocd.yaml')))).not.toContain('c')
    expect(names(inputOf(files('config.json')))).toContain('c')
  })
  it('are read where an argument names them or a pattern takes them back', () => {
    const cwd = folderWith({ ...tree, '.k8s-af-ignore': '!archive/\nbroken.yaml\n' })
    expect(names(read(cwd)).toSorted()).toEqual(['a', 'apps', 'b', 'c', 'e'])
    expect(names(read(cwd, ['.', '_deprecated'])).toSorted()).toEqual(['a', 'apps', 'b', 'c', 'd', 'e'])
  })
  it.each([
    ['without Flux and Argo CD', { 'cluster/ks.yaml': configMap('ks') }],
    ['that a path of Flux leads into', { 'cluster/ks.yaml': flux('./apps/archive/web') }],
    ['in a folder of which Flux applies all', { 'apps/kustomization.yaml': '' }],
    ['that a kustomization names', { 'apps/kustomization.yaml': 'resources: [archive]\n' }],
    [
      'that a generator of Argo CD may find',
      { 'cluster/ks.yaml': argo('{generators: [{git: {directories: [{path: apps/*}]}}]}') },
    ],
    [
      'that an Application takes in',
      { 'cluster/ks.yaml': argo('{template: {spec: {source: {path: apps, directory: {recurse: true}}}}}') },
    ],
  ])('are read %s', (_, change: Record<string, string>) => {
    const { '_deprecated/d.yaml': _other, 'apps/archive/broken.yaml': _broken, ...rest } = tree
    const input = inputOf({ ...rest, ...change })
    expect(names(input)).toEqual(expect.arrayContaining(['b', 'c']))
  })
})

describe('test data', () => {
  const tree = {
    'a.yaml': configMap('a'),
    'api/testdata/b.yaml': configMap('b'),
    'api/testdata/old/c.yaml': configMap('c'),
    'api/testdata.yaml': configMap('d'),
  }
  it('is what stands in tests beside a program of its name', () => {
    const cwd = folderWith({
      'conformance/tests/invalid-route.yaml': configMap('route'),
      'conformance/tests/invalid-route.go': 'package tests',
      'conformance/tests/mesh/backend.yaml': configMap('backend'),
      'conformance/base/gateway.yaml': configMap('gateway'),
      'tests/manifests.yaml': configMap('manifests'),
      'tests/main.go': 'package tests',
      'deploy/web.yaml': configMap('web'),
      'deploy/web.go': 'package deploy',
    })
    const input = read(cwd)
    expect(names(input)).toEqual(['gateway', 'web', 'manifests'])
    expect(skips(input)).toEqual({ 'conformance/tests': 'test data' })
    expect(names(read(cwd, ['conformance/tests/invalid-route.yaml']))).toEqual(['route'])
  })
  it('is what is wrong on purpose, beside what is right', () => {
    const cwd = folderWith({
      'policy/manifests/invalid/a.yaml': configMap('a'),
      'policy/manifests/valid/b.yaml': configMap('b'),
      'probes/fail/c.yaml': configMap('c'),
      'probes/pass/d.yaml': configMap('d'),
      'apps/fail/e.yaml': configMap('e'),
      'try/bad/f.yaml': configMap('f'),
      'try/good/g.yaml': configMap('g'),
    })
    const input = read(cwd)
    expect(names(input)).toEqual(['e', 'b', 'd', 'f', 'g'])
    expect(skips(input)).toEqual({ 'policy/manifests/invalid': 'test data', 'probes/fail': 'test data' })
    expect(names(read(cwd, ['policy/manifests/invalid']))).toEqual(['a'])
  })
  it('is what tests say of a policy by the names of their files', () => {
    const cwd = folderWith({
      'policy/tests/accept-own-account.yaml': configMap('accepted'),
      'policy/tests/reject-root.yaml': configMap('rejected'),
      'policies/allow-dns.yaml': configMap('dns'),
      'policies/deny-all.yaml': configMap('deny'),
      'app/tests/accept-all.yaml': configMap('all'),
    })
    expect(names(read(cwd))).toEqual(['all', 'dns', 'deny'])
    expect(skips(read(cwd))).toEqual({ 'policy/tests': 'test data' })
    expect(names(read(cwd, ['policy/tests']))).toEqual(['accepted', 'rejected'])
  })
  it('is what a check fails, below tests, and what stands beside it', () => {
    const cwd = folderWith({
      'test/checks/hostIPC/failure.yaml': configMap('failed'),
      'test/checks/hostIPC/success.yaml': configMap('passed'),
      'test/checks/tag/failure.latest.yaml': configMap('latest'),
      'test/checks/alone/failure.yaml': configMap('alone'),
      'rules/failure.yaml': configMap('failures'),
      'rules/success.yaml': configMap('successes'),
      'cmd/_testdata/broken.yaml': configMap('broken'),
      'course/2-test-data/faulty/web.yaml': configMap('faulty'),
      'course/2-data/web.yaml': configMap('second'),
      'chaos/tests/scenarios/crashloop.yaml': configMap('crashloop'),
      'scenarios/blue.yaml': configMap('blue'),
      'gateway/testutils/inputs/missing-backend.yaml': configMap('input'),
    })
    expect(names(read(cwd))).toEqual(['second', 'failures', 'successes', 'blue', 'alone', 'latest'])
    expect(skips(read(cwd))).toEqual({
      'chaos/tests/scenarios': 'test data',
      'cmd/_testdata': 'test data',
      'course/2-test-data': 'test data',
      'gateway/testutils': 'test data',
      'test/checks/hostIPC': 'test data',
    })
    expect(names(read(cwd, ['cmd/_testdata']))).toEqual(['broken'])
  })
  it('is what a test in Go compares with', () => {
    const cwd = folderWith({
      'chart/test/unit/web/golden/deployment.golden.yaml': configMap('rendered'),
      'chart/test/golden/service.yaml': configMap('rendered, too'),
      'golden/base/web.yaml': configMap('web'),
      'ui/cypress/fixtures/crd.yaml': configMap('cypress'),
      'ui/fixtures/seed.yaml': configMap('seed'),
      'charts/unit/web.golden.yaml': configMap('by its name'),
      'tests/e2e/bats/fixtures/pod.yaml': configMap('far below'),
      'injector/fake/data/pod.yaml': configMap('fake'),
      'samples/invalid.yaml': configMap('invalid'),
      'editor/fixtures/valid/web.yaml': configMap('valid'),
      'editor/fixtures/invalid/web.yaml': configMap('not valid'),
      'policies/valid/web.yaml': configMap('alone'),
      'chart/.snapshots/full.yaml': configMap('taken down'),
      'samples/data/table.yaml': configMap('table'),
    })
    const golden = 'chart/test/unit/web/golden'
    expect(names(read(cwd))).toEqual(['web', 'alone', 'table', 'seed'])
    expect(skips(read(cwd))).toEqual({
      [golden]: 'test data',
      'chart/.snapshots': 'test data',
      'chart/test/golden': 'test data',
      'charts/unit/web.golden.yaml': 'test data',
      'editor/fixtures/invalid': 'test data',
      'editor/fixtures/valid': 'test data',
      'injector/fake/data': 'test data',
      'samples/invalid.yaml': 'test data',
      'tests/e2e/bats/fixtures': 'test data',
      'ui/cypress/fixtures': 'test data',
    })
    expect(names(read(cwd, ['samples/invalid.yaml']))).toEqual(['invalid'])
    expect(names(read(cwd, [golden]))).toEqual(['rendered'])
    expect(names(read(cwd, [`${golden}/deployment.golden.yaml`]))).toEqual(['rendered'])
  })
  it('is what the Invoker of Maven builds, and what of a pair of files a test expects', () => {
    const cwd = folderWith({
      'plugin/src/it/web/expected/web.yml': configMap('expected'),
      'plugin/src/it/web/src/main/jkube/web.yml': configMap('fragment'),
      'it/web.yaml': configMap('italian'),
      'test/suites/render/_fixtures/web.yaml': configMap('fixture'),
      'test/helm/web.in.yaml': 'replicas: 2\n',
      'test/helm/web.out.yaml': configMap('rendered'),
      'test/helm/alone.out.yaml': configMap('alone'),
      'deploy/web.in.yaml': configMap('template'),
      'deploy/web.out.yaml': configMap('applied'),
    })
    expect(names(read(cwd))).toEqual(['template', 'applied', 'italian', 'alone'])
    expect(skips(read(cwd))).toMatchObject({
      'plugin/src/it': 'test data',
      'test/suites/render/_fixtures': 'test data',
      'test/helm/web.out.yaml': 'test data',
    })
    expect(names(read(cwd, ['plugin/src/it']))).toEqual(['expected', 'fragment'])
  })
  it('is what tests of Jest and pytest read, render and upgrade from', () => {
    const cwd = folderWith({
      'src/__TESTS__/crd.yaml': configMap('jest'),
      'tests/conftest.py': '',
      'tests/files/pod.yaml': configMap('pytest'),
      'checks/test_backup.py': '',
      'checks/data/pod.yaml': configMap('beside a test'),
      'apps/files/pod.yaml': configMap('files'),
      'src/test/helm-output/web/output.yaml': configMap('rendered'),
      'apps/helm-output/web.yaml': configMap('applied'),
      'test/upgrade/targets/2.0.1/web.yaml': configMap('older'),
      'test/2.0/web.yaml': configMap('environment'),
      'test/e2e/resources/pod.yaml': configMap('resource'),
      'test/web/resources/pod.yaml': configMap('of an environment'),
    })
    expect(names(read(cwd)).sort()).toEqual(['applied', 'environment', 'files', 'of an environment'])
    expect(skips(read(cwd))).toEqual({
      'checks/data': 'test data',
      'src/__TESTS__': 'test data',
      'src/test/helm-output': 'test data',
      'test/e2e/resources': 'test data',
      'test/upgrade/targets/2.0.1': 'test data',
      'tests/files': 'test data',
    })
    expect(names(read(cwd, ['tests/files']))).toEqual(['pytest'])
  })
  it('is what was rendered with the values beside it', () => {
    const input = inputOf({
      '.helm-tests/default/result.yaml': configMap('rendered'),
      '.helm-tests/default/values.yaml': 'replicas: 2\n',
      '.helm-tests/other/result.yaml': configMap('alone'),
      'apps/web/result.yaml': configMap('result'),
      'apps/web/values.yaml': 'replicas: 2\n',
      'docs/examples/auth/output.yaml': configMap('example'),
      'docs/examples/auth/values.yaml': 'replicas: 2\n',
      'examples/basic/rendered/web.yaml': configMap('example, too'),
      'examples/basic/values.yaml': 'replicas: 2\n',
      'examples/none/rendered/web.yaml': configMap('no values'),
      'apps/db/rendered/web.yaml': configMap('applied'),
      'apps/db/values.yaml': 'replicas: 2\n',
      'tests/web/.rendered/web.yaml': configMap('hidden'),
      'examples/both/rendered/web.yaml': configMap('of two values'),
      'examples/both/agent-values.yaml': 'replicas: 2\n',
      'unit-tests/affinity/expected.yaml': configMap('expected'),
      'apps/web/expected.yaml': configMap('no test'),
      'tests/generated/web.yaml': configMap('generated'),
      'test/generated/web.yaml': configMap('of an environment'),
      'charts/web/ci/fixtures/db.yaml': configMap('for an installation'),
      'charts/web/ci/db.yaml': configMap('of a pipeline'),
    })
    expect(names(input).sort()).toEqual([
      'alone',
      'applied',
      'no test',
      'no values',
      'of a pipeline',
      'of an environment',
      'result',
    ])
    expect(skips(input)).toMatchObject({
      '.helm-tests/default/result.yaml': 'test data',
      'docs/examples/auth/output.yaml': 'test data',
      'charts/web/ci/fixtures': 'test data',
      'examples/basic/rendered': 'test data',
      'examples/both/rendered': 'test data',
      'tests/generated': 'test data',
      'tests/web/.rendered': 'test data',
      'unit-tests/affinity/expected.yaml': 'test data',
    })
  })
  it('is a piece of a pod, or a name, that a page shows', () => {
    const pod = (spec: string) => `apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n${spec}`
    const input = inputOf({
      'docs/gone.yaml': pod(''),
      'docs/gated.yaml': pod('spec: {schedulingGates: [{name: checks}]}\n'),
      'tests/asserted-pod.yaml': pod('status: {phase: Succeeded}\n'),
      'docs/typo.yaml': pod('spec: {container: []}\n').replace('name: a', 'name: typo'),
      'examples/job.yaml':
        'apiVersion: batch/v1\nkind: Job\nspec: {template: {spec: {containers: [{name: a, env: []}]}}}\n',
    })
    expect(names(input)).toEqual(['typo'])
    expect(skips(input)).toEqual({
      'docs/gated.yaml': 'kustomize patch',
      'docs/gone.yaml': 'test data',
      'examples/job.yaml': 'kustomize patch',
      'tests/asserted-pod.yaml': 'test data',
    })
  })
  it('is not what was released before', () => {
    const cwd = folderWith({
      'deploy/releases/csi-v0.9.0.yaml': configMap('first'),
      'deploy/releases/csi-v0.10.0.yaml': configMap('second'),
      'deploy/releases/csi-v1.0.0-rc.1/driver.yaml': configMap('third'),
      'deploy/releases/csi-dev.yaml': configMap('dev'),
      'alpha-releases/v0.9.0-alpha.9.yml': configMap('alpha'),
      'alpha-releases/v0.9.0-alpha.10.yml': configMap('last'),
      'deploy/olm-catalog/web/0.1.0/web.yaml': configMap('old'),
      'deploy/olm-catalog/web/0.2.0/web.yaml': configMap('new'),
      'deploy/web/1.2.3/web.yaml': configMap('a'),
      'deploy/web/1.2.4/web.yaml': configMap('b'),
      'hub/web/web.package.yaml': 'packageName: web\nchannels: [{name: stable, currentCSV: web.v1.1.0}]\n',
      'hub/web/1.0.1/web.yaml': configMap('first bundle'),
      'hub/web/1.1.0/web.yaml': configMap('second bundle'),
    })
    expect(names(read(cwd))).toEqual(['last', 'new', 'dev', 'third', 'a', 'b', 'second bundle'])
    expect(skips(read(cwd))).toEqual({
      'alpha-releases/v0.9.0-alpha.9.yml': 'older release',
      'deploy/olm-catalog/web/0.1.0': 'older release',
      'hub/web/1.0.1': 'older release',
      'hub/web/web.package.yaml': 'not Kubernetes',
      'deploy/releases/csi-v0.10.0.yaml': 'older release',
      'deploy/releases/csi-v0.9.0.yaml': 'older release',
    })
    expect(names(read(cwd, ['deploy/releases']))).toEqual(['dev', 'second', 'first', 'third'])
    expect(names(read(cwd, ['.', 'deploy/releases/csi-v0.9.0.yaml']))).toContain('first')
    expect(names(read(cwd, ['deploy'], { ignore: [{ patterns: ['!*.yaml'], base: cwd }] }))).toContain(
      'second',
    )
  })
  it('is not what a driver is deployed from no longer, nor what an older Kubernetes needs', () => {
    const cwd = folderWith({
      'deploy/driver.yaml': configMap('driver'),
      'deploy/v1.9.0/driver.yaml': configMap('first'),
      'deploy/v1.10.0/driver.yaml': configMap('second'),
      'deploy/v1.11.0/driver.yaml': configMap('third'),
      'host/kubernetes-1.9/host.yaml': configMap('nine'),
      'host/kubernetes-1.26/host.yaml': configMap('twenty-six'),
      'host/kubernetes-1.27/host.yaml': configMap('twenty-seven'),
      'clusters/k8s-1.36/web.yaml': configMap('of a cluster'),
      'clusters/k8s-1.37/web.yaml': configMap('of the other'),
      'host/kubernetes-1.26-test/host.yaml': configMap('test'),
      'web/v1.0.0/web.yaml': configMap('web one'),
      'web/v1.1.0/web.yaml': configMap('web two'),
      'web/v1.2.0/web.yaml': configMap('web three'),
      'two/deploy/v1.0.0/two.yaml': configMap('of one cluster'),
      'two/deploy/v1.1.0/two.yaml': configMap('of another'),
      'charts/v1.9.0/web/crd.yaml': configMap('chart one'),
      'charts/v1.10.0/web/crd.yaml': configMap('chart two'),
      'charts/v1.10.1/web/crd.yaml': configMap('chart three'),
      'charts/latest/web/crd.yaml': configMap('chart'),
      'node/deployment/0.9.0/node.yaml': configMap('node one'),
      'node/deployment/0.10.0/node.yaml': configMap('node two'),
      'node/deployment/0.10.1/node.yaml': configMap('node three'),
      'two/deployment/0.1.0/two.yaml': configMap('of one region'),
      'two/deployment/0.2.0/two.yaml': configMap('of the next'),
    })
    expect(names(read(cwd)).toSorted()).toEqual(
      'chart,chart three,driver,node three,of a cluster,of another,of one cluster,of one region,of the next,of the other,test,third,twenty-seven,web one,web three,web two'.split(
        ',',
      ),
    )
    expect(skips(read(cwd))).toEqual({
      'charts/v1.10.0': 'older release',
      'charts/v1.9.0': 'older release',
      'node/deployment/0.10.0': 'older release',
      'node/deployment/0.9.0': 'older release',
      'deploy/v1.10.0': 'older release',
      'deploy/v1.9.0': 'older release',
      'host/kubernetes-1.26': 'older release',
      'host/kubernetes-1.9': 'older release',
    })
    expect(names(read(cwd, ['host/kubernetes-1.9']))).toEqual(['nine'])
  })
  it('is what several tests of KUTTL share, by the links in their folders', () => {
    const cwd = folderWith({
      'tests/basic/010-assert-openshift.yaml': configMap('asserted'),
      'tests/common/central-errors.yaml': configMap('shared'),
      'tests/common/web.yaml': configMap('web'),
    })
    symlinkSync('../common/central-errors.yaml', join(cwd, 'tests/basic/010-errors.yaml'))
    symlinkSync('../common/gone.yaml', join(cwd, 'tests/basic/020-errors.yaml'))
    expect(names(read(cwd))).toEqual(['web'])
    expect(skips(read(cwd))).toEqual({
      'tests/basic': 'test data',
      'tests/common/central-errors.yaml': 'test data',
    })
    expect(names(read(cwd, ['.', 'tests/common/central-errors.yaml']))).toEqual(['shared', 'web'])
  })
  it('is what tests compare with an object that a controller has made: nobody knows the uid of its owner, or it has a name alone', () => {
    const owned = (uid: string) =>
      `${configMap('owned')}  ownerReferences:\n    - {apiVersion: example.com/v1, kind: Letter, name: a${uid}}\n`
    const cwd = folderWith({
      'tests/e2e/netpol.yaml': owned(''),
      'tests/e2e/known.yaml': owned(', uid: 1-2').replace('name: owned', 'name: known'),
      'tests/gone.yaml': 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: gone}\n',
      'deploy/owned.yaml': owned('').replace('name: owned', 'name: deployed'),
      'deploy/web.yaml': 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n',
    })
    expect(names(read(cwd))).toEqual(['deployed', 'web', 'known'])
    expect(names(read(cwd, ['tests/e2e/netpol.yaml']))).toEqual(['owned'])
  })
  it('is what a suite of Gatekeeper compares with a policy, unless a kustomization builds it', () => {
    const suite = `kind: Suite
apiVersion: test.gatekeeper.sh/v1alpha1
tests:
  - template: template.yaml
    constraint: samples/constraint.yaml
    cases:
      - object: samples/refused.yaml
        inventory: [samples/others.yaml]
      - object: ../web/web.yaml
`
    const cwd = folderWith({
      'library/suite.yaml': suite,
      'library/template.yaml': configMap('template'),
      'library/samples/constraint.yaml': configMap('constraint'),
      'library/samples/refused.yaml': configMap('refused'),
      'library/samples/others.yaml': configMap('others'),
      'web/web.yaml': configMap('web'),
      'web/kustomization.yaml': 'resources: [web.yaml]\n',
    })
    const input = read(cwd)
    expect(names(input)).toEqual(['constraint', 'template', 'web'])
    expect(skips(input)).toEqual({
      'library/samples/others.yaml': 'test data',
      'library/samples/refused.yaml': 'test data',
      'library/suite.yaml': 'test data',
    })
    expect(names(read(cwd, ['library/samples/refused.yaml', 'library/suite.yaml']))).toEqual(['refused'])
  })
  it('is left out on a walk, as one', () => {
    const input = inputOf(tree)
    expect(names(input)).toEqual(['a', 'd'])
    expect(skips(input)).toEqual({ 'api/testdata': 'test data' })
  })
  it('is called otherwise by some', () => {
    const cwd = folderWith({
      'lib/testData/a.yaml': configMap('a'),
      'unit/test_data/expected/e.yaml': configMap('e'),
      'tools/tests/fixtures/b.yaml': configMap('b'),
      'chart/tests/expected/f.yaml': configMap('f'),
      'app/tests/data/kubectl/h.yaml': configMap('h'),
      'src/test/resources/g.yaml': configMap('g'),
      'tests/validation/test-cases/invalid-syntax/i.yaml': configMap('i'),
      'fixtures/c.yaml': configMap('c'),
      'tests/manifests/d.yaml': configMap('d'),
    })
    expect(names(read(cwd))).toEqual(['c', 'd'])
    expect(names(read(cwd, ['tools/tests/fixtures/b.yaml', 'tools/tests/fixtures']))).toEqual(['b'])
  })
  it('is read where an argument names it', () => {
    const cwd = folderWith({ ...tree, 'api/testdata/old/testdata/e.yaml': configMap('e') })
    expect(names(read(cwd, ['api/testdata']))).toEqual(['b', 'c', 'e'])
    expect(names(read(cwd, ['api/testdata/old/c.yaml']))).toEqual(['c'])
    expect(skips(read(cwd, ['.', 'api/testdata']))).toEqual({})
    expect(names(read(cwd, ['**/testdata/*.yaml']))).toEqual(['b', 'e'])
    expect(names(read(cwd, ['api/**/*.yaml']))).toEqual(['d'])
    expect(names(read(join(cwd, 'api', 'testdata', 'old')))).toEqual(['c'])
  })
  it('is read where a pattern takes it back', () => {
    expect(names(inputOf({ ...tree, '.k8s-af-ignore': '!/api/testdata/\n' }))).toEqual(['a', 'b', 'c', 'd'])
    const cwd = folderWith({ 'testdata/a.yaml': configMap('a') })
    expect(names(read(cwd, ['.'], { ignore: [{ patterns: ['!testdata/'], base: cwd }] }))).toEqual(['a'])
  })
  it('is what stands beside an assertion of KUTTL', () => {
    const input = inputOf({
      'e2e/kuttl-test.yaml': configMap('suite'),
      'e2e/claims/00-install.yaml': configMap('claim'),
      'e2e/claims/00-assert.yaml': configMap('bound'),
      'app/assert.yaml': configMap('app'),
    })
    expect(names(input)).toEqual(['app', 'suite'])
    expect(skips(input)).toEqual({ 'e2e/claims': 'test data' })
  })
  it('is what a program makes many of, each with a name of its own', () => {
    const volume = 'apiVersion: v1\nkind: PersistentVolume\nspec: {capacity: {storage: 1Gi}}\n'
    const pod = (metadata: string) => `apiVersion: v1\nkind: Pod\nmetadata: ${metadata}\nspec: {}\n`
    const input = inputOf({
      'test/perf/templates/pv.yaml': volume,
      'test/perf/templates/pod.yaml': pod('{labels: {app: web}}'),
      'test/perf/templates/named.yaml': pod('{name: named}'),
      'test/perf/templates/prefixed.yaml': pod('{generateName: web-}'),
      'test/perf/templates/empty.yaml': pod('{name: }'),
      'apps/pv.yaml': volume,
    })
    expect(fileNames(input)).toEqual([
      'apps/pv.yaml',
      'test/perf/templates/empty.yaml',
      'test/perf/templates/named.yaml',
      'test/perf/templates/prefixed.yaml',
    ])
    expect(skips(input)).toEqual({
      'test/perf/templates/pv.yaml': 'test data',
      'test/perf/templates/pod.yaml': 'test data',
    })
  })
  it('is what a script or a test in Go or of Bats beside it reads', () => {
    const input = inputOf({
      'pkg/ingress/client_test.go': 'package ingress',
      'pkg/ingress/fixtures/ingress.yaml': configMap('ingress'),
      'e2e-tests/upgrade/run': '#!/bin/bash\n',
      'e2e-tests/upgrade/compare/set.yaml': configMap('set'),
      'e2e-tests/upgrade/conf/cr.yaml': configMap('cr'),
      'apps/compare/web.yaml': configMap('web'),
      'acceptance.bats': '@test "web" { true; }\n',
      'fixtures/web.yaml': configMap('broken'),
    })
    expect(names(input)).toEqual(['web', 'cr'])
    expect(skips(input)).toEqual({
      'e2e-tests/upgrade/compare': 'test data',
      fixtures: 'test data',
      'pkg/ingress/fixtures': 'test data',
    })
  })
  it('is what a catalog of Tekton tests a version of a task with', () => {
    const input = inputOf({
      'catalog/git-clone/0.1/git-clone.yaml': configMap('task'),
      'catalog/git-clone/0.1/tests/run.yaml': configMap('run'),
      'catalog/git-clone/tests/run.yaml': configMap('of no version'),
    })
    expect(names(input)).toEqual(['task', 'of no version'])
    expect(skips(input)).toEqual({ 'catalog/git-clone/0.1/tests': 'test data' })
  })
  it('is what stands beside a test of Chainsaw or the Kyverno CLI', () => {
    const test = 'apiVersion: chainsaw.kyverno.io/v1alpha1\nkind: Test\nmetadata: {name: t}\n'
    const cwd = folderWith({
      'policy.yaml': configMap('policy'),
      '.chainsaw-test/chainsaw-test.yaml': test,
      '.chainsaw-test/resources/refused.yaml': configMap('refused'),
      'other/test/kyverno-test.yaml': configMap('of the test'),
      'sub/.chainsaw-test/assert.yaml': configMap('assert'),
      'tests/labels/kyverno-test.yaml': configMap('another test'),
      'app/kyverno-test.yaml': configMap('app test'),
      'app/deployment.yaml': configMap('app'),
    })
    expect(names(read(cwd))).toEqual(['app', 'app test', 'policy'])
    expect(skips(read(cwd))).toEqual({
      '.chainsaw-test': 'test data',
      'other/test': 'test data',
      'sub/.chainsaw-test': 'test data',
      'tests/labels': 'test data',
    })
    expect(names(read(cwd, ['.chainsaw-test']))).toEqual(['t', 'refused'])
    expect(names(read(cwd, ['.chainsaw-test/resources']))).toEqual(['refused'])
    expect(names(read(cwd, ['**/.chainsaw-test/**/*.yaml']))).toEqual(['t', 'refused', 'assert'])
    expect(
      skips(read(cwd, ['.', 'other/test', '.chainsaw-test', 'sub/.chainsaw-test', 'tests/labels'])),
    ).toEqual({})
  })
  it('is not what a folder holds because the one that was named is called a test', () => {
    const cwd = folderWith({
      'latest/app/kyverno-test.yaml': configMap('app test'),
      'latest/app/deployment.yaml': configMap('app'),
      'latest/tests/labels/kyverno-test.yaml': configMap('labels'),
    })
    const found = read(cwd, ['latest'])
    expect(names(found)).toEqual(['app', 'app test'])
    expect(skips(found)).toEqual({ 'latest/tests/labels': 'test data' })
    expect(names(read(join(cwd, 'latest')))).toEqual(['app', 'app test'])
  })
  it('is not what is in a checkout that is called as the folders of test data are', () => {
    const cwd = folderWith({
      'tests/data/a.yaml': configMap('a'),
      'tests/test/fixtures/b.yaml': configMap('b'),
      'test/resources/c.yaml': configMap('c'),
    })
    const found = read(join(cwd, 'tests'))
    expect(names(found)).toEqual(['a'])
    expect(skips(found)).toEqual({ 'test/fixtures': 'test data' })
    expect(names(read(cwd, ['test']))).toEqual(['c'])
    expect(names(read(cwd))).toEqual([])
  })
})

describe("Go's modules", () => {
  const cwd = folderWith({
    'a.yaml': configMap('a'),
    'tools/vendor/modules.txt': '# example.com/x v1.0.0\n',
    'tools/vendor/example.com/x/b.yaml': configMap('b'),
    'vendor/c.yaml': configMap('c'),
    'web/Godeps/Godeps.json': '{}',
    'web/Godeps/_workspace/src/example.com/x/d.yaml': configMap('d'),
  })
  it('are left out on a walk', () => {
    expect(names(read(cwd))).toEqual(['a', 'c'])
  })
  it('are read where an argument names them', () => {
    expect(names(read(cwd, ['tools/vendor']))).toEqual(['b'])
  })
})

describe('what is an object', () => {
  const kindOf = (text: string, file = 'a.yaml') => {
    const input = inputOf({ [file]: text })
    if (input.problems.length > 0) return 'problem'
    if (input.kustomizations.length > 0) return 'kustomization'
    return input.documents.length > 0 ? 'object' : Object.values(skips(input)).join()
  }
  it.each([
    ['an object', configMap('a')],
    ['an unknown kind', 'apiVersion: example.com/v1\nkind: Thing\nspec: {}\n'],
    ['a list', 'apiVersion: v1\nkind: List\nitems: []\n'],
    ['a kind without apiVersion', 'kind: Pod\nmetadata: {name: a}\nspec: {}\n'],
    ['an apiVersion without kind', 'apiVersion: apps/v1\nmetadata: {name: a}\nspec: {}\n'],
    [
      'a list without apiVersion',
      `kind: List\nitems:\n- ${configMap('a').trim().replaceAll('\n', '\n  ')}\n`,
    ],
    [
      "Flux's Kustomization",
      'apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: a}\n',
    ],
    ['quoted keys', '"apiVersion": v1\n"kind": Pod\n'],
    ['flow style', '{apiVersion: v1, kind: Pod}'],
    ['JSON', '{"apiVersion": "v1", "kind": "Pod"}'],
    ['braces in text', `${configMap('a')}data:\n  rule: "{{ $labels.pod }}"\n  script: |\n    {{ x }}\n`],
    ['shell variables', configMap('${' + 'NAME}')],
    ['a block scalar in the line below its key', `${configMap('a')}data:\n  a.conf:\n  |\n    x y\n  b: c\n`],
    [
      'an alias right before its colon',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: &app a}\nspec:\n  *app:\n    x: 1\n',
    ],
    [
      'the same where the text is looked at twice',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: &app a}\nspec:\n  *app:\n    x: &x {y: 1}\n  b: *x\n',
    ],
  ])('%s is', (_, text) => {
    expect(kindOf(text)).toBe('object')
  })
  it.each([
    ['Helm values', 'image:\n  kind: x\nreplicas: 2\n'],
    ['a workflow', 'on: push\njobs:\n  a:\n    steps: []\n'],
    ['a Compose file', 'services:\n  web:\n    image: x\n'],
    [
      'OpenAPI',
      'openapi: 3.0.0\ninfo: {title: x}\npaths: {}\ncomponents:\n  schemas:\n    kind: {type: string}\n',
    ],
    ['a pipeline', 'kind: pipeline\nname: default\nsteps: []\n'],
    ['a list of patches', '- op: replace\n  path: /kind\n  value: x\n'],
    ['a scalar', 'kind: x'],
    ['package.json', '{"name": "x", "kind": "y"}'],
  ])('%s is not', (_, text) => {
    expect(kindOf(text)).toBe('not Kubernetes')
  })
  it('values that YAML takes for comments are left to a script', () => {
    expect(kindOf('kind: Service\napiVersion: v1\nmetadata:\n  name: #SERVICE_NAME#-web\n')).toBe(
      'Go template',
    )
    expect(kindOf(`${configMap('a')}data: #NOTE: none yet\n`)).toBe('object')
  })
  it.each([
    ['a value', 'kind: Namespace\napiVersion: v1\nmetadata:\n  name: #@ ns.name\n'],
    ['a loop', '#@ for ns in data.values.namespaces:\nkind: Namespace\napiVersion: v1\n#@ end\n'],
    ['an overlay', '#@overlay/match by="name"\nkind: Namespace\napiVersion: v1\n'],
  ])('what ytt works with makes a template: %s', (_, text) => {
    expect(kindOf(text)).toBe('Go template')
    expect(kindOf(`#@someone wrote this\n${configMap('a')}`)).toBe('object')
  })
  it('brackets are those of Go templates where a line has a directive in them, and nothing else explains them', () => {
    const text = (first: string) => `${configMap('a')}${first}\ndata: {a: b}\n[[- end ]]\n`
    expect(kindOf(text('[[- if .settings.ha]]'))).toBe('Go template')
    expect(kindOf(text('[[ range $name, $app := .apps -]]'))).toBe('Go template')
    expect(kindOf(`${configMap('a')}data:\n  run.sh: |\n    if [[ -f a ]]; then\n      b\n    fi\n`)).toBe(
      'object',
    )
    expect(kindOf(`${configMap('a')}data:\n  a: [[ b ]\n`)).not.toBe('Go template')
  })
  it('lines that a script replaces make a template', () => {
    expect(
      kindOf(
        'kind: Pod\napiVersion: v1\nmetadata:\n  name: a\n  labels:\n    app: a\n    DATE_LABEL\nspec: {}\n',
      ),
    ).toBe('Go template')
    expect(kindOf('kind: Role\napiVersion: v1\nmetadata:\n  ROLE_NAME\n  namespace: a\n')).toBe('Go template')
    expect(kindOf('kind: Role\napiVersion: v1\nmetadata:\n  name: a\n  <EXTRA_1>\n  <EXTRA_2>\n')).toBe(
      'Go template',
    )
    expect(kindOf('kind: Role\napiVersion: v1\nmetadata:\n  name: a\nrules:\n${rules}\n')).toBe('Go template')
    expect(kindOf('kind: Role\napiVersion: v1\nmetadata:\n  name: a\nrules: []\n$extraRules\n')).toBe(
      'Go template',
    )
    expect(kindOf('kind: Role\napiVersion: v1\nrules: []\n${off}  metadata:\n${off}    name: a\n')).toBe(
      'Go template',
    )
    expect(
      kindOf('kind: Pod\napiVersion: v1\nspec:\n  %{~ if tls ~}\n  hostNetwork: true\n  %{~ endif ~}\n'),
    ).toBe('Go template')
    const pod = (spec: string) =>
      `{"kind": "Service"}\n{\n  "kind": "Pod",\n  "apiVersion": "v1",\n  "metadata": {"name": "a"},\n  "spec": {\n    ${spec}\n  }\n}\n`
    expect(kindOf(pod('$CONTEXT'))).toBe('Go template')
    expect(kindOf(pod('"replicas": ${COUNT},'))).toBe('Go template')
    expect(inputOf({ 'a.yaml': pod('oops') }).problems).toHaveLength(1)
    const gateway = (name: string) => `kind: Pod\napiVersion: v1\nmetadata:\n  name: ${name}\n`
    expect(kindOf('kind: Pod\napiVersion: v1\nspec:\n__EXTRA_VOLUMES__\n  containers: []\n')).toBe(
      'Go template',
    )
    expect(kindOf(gateway('%%REPLACE_WITH_NAME%%'))).toBe('Go template')
    expect(kindOf(gateway('@NAME@-web'))).toBe('Go template')
    expect(kindOf(gateway('@app_name-config'))).toBe('Go template')
    expect(kindOf(gateway('@@host'))).toBe('Go template')
    expect(kindOf(gateway('@@sizeGi'))).toBe('Go template')
    expect(inputOf({ 'a.yaml': gateway('@@') }).problems).toHaveLength(1)
    expect(inputOf({ 'a.yaml': gateway('@@a b') }).problems).toHaveLength(1)
    expect(kindOf(gateway('%%%'))).toBe('Go template')
    const config = "apiVersion: v1\nkind: Config\nclusters:\n  - name: '{'\n  cluster: {0}\n"
    expect(kindOf(config)).toBe('not Kubernetes')
    expect(inputOf({ 'a.yaml': gateway('@web') }).problems).toHaveLength(1)
    expect(kindOf(gateway('{your-account}/web'))).toBe('Go template')
    expect(kindOf('kind: Pod\napiVersion: v1\nspec:\n  ...\n  hostNetwork: true\n')).toBe('Go template')
    expect(kindOf(gateway('{images[web]}'))).toBe('Go template')
    expect(kindOf('kind: Pod\napiVersion: v1\nspec:\n{extra.ports}\n  a: b\n')).toBe('Go template')
    expect(inputOf({ 'a.yaml': gateway('{a: b} c') }).problems).toHaveLength(1)
    expect(inputOf({ 'a.yaml': gateway('%web') }).problems).toHaveLength(1)
    expect(
      inputOf({ 'a.yaml': 'kind: Pod\napiVersion: v1\nmetadata:\n  name: a\n  oops\n' }).problems,
    ).toHaveLength(1)
  })
  it('a definition with nothing but what is merged is a patch', () => {
    const definition = (spec: string) =>
      `apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: pools.example.com}\n${spec}`
    expect(kindOf(definition('spec:\n  versions: [{name: v1, subresources: {}}]\n'))).toBe('kustomize patch')
    expect(kindOf(definition('spec: {group: example.com}\n'))).toBe('object')
    expect(kindOf(definition('spec: {versions: []}\nscope: Namespaced\n'))).toBe('object')
  })
  it('a patch as Hive lists it is one', () => {
    const patch = "name: a\npatch: '{}'\n"
    expect(kindOf(`kind: Namespace\napiVersion: v1\n${patch}patchType: merge\n`)).toBe('kustomize patch')
    expect(kindOf(`${configMap('a')}patch: '{}'\npatchType: merge\n`)).toBe('object')
  })
  it('a workload without selector and images, or with nothing but a status, is a piece', () => {
    const deployment = (rest: string) => `kind: Deployment\napiVersion: apps/v1\nmetadata: {name: a}\n${rest}`
    const container = (rest: string) =>
      deployment(`spec:\n  template:\n    spec:\n      containers:\n      - name: a\n        ${rest}\n`)
    expect(kindOf(container('args: [-v]'))).toBe('kustomize patch')
    expect(kindOf(deployment('spec: {replicas: 3}\n'))).toBe('kustomize patch')
    expect(kindOf(deployment('status: {replicas: 3}\n'))).toBe('kustomize patch')
    expect(kindOf('kind: Pod\napiVersion: v1\nmetadata: {labels: {a: b}}\nstatus: {phase: Running}\n')).toBe(
      'kustomize patch',
    )
    expect(kindOf('kind: Namespace\napiVersion: v1\nstatus: {phase: Terminating}\n')).toBe('kustomize patch')
    expect(kindOf('kind: Namespace\napiVersion: v1\nmetadata: {name: a}\nstatus: {phase: Active}\n')).toBe(
      'object',
    )
    expect(kindOf('kind: ConfigMap\napiVersion: v1\nstatus: {phase: a}\ndata: {a: b}\n')).toBe('object')
    expect(kindOf(container('image: a'))).toBe('object')
    expect(kindOf(deployment('spec: []\n'))).toBe('object')
    expect(kindOf(deployment(''))).toBe('object')
  })
  it('what SOPS has encrypted and has no name is read by a tool', () => {
    const secret =
      'kind: Secret\napiVersion: v1\ndata: {a: "ENC[AES256_GCM,data:x]"}\nsops: {mac: x, version: 3.7.3}\n'
    expect(kindOf(secret)).toBe('encrypted')
    expect(kindOf(`${secret}metadata: {name: a}\n`)).toBe('object')
  })
  it('what kustomize keeps to itself is none', () => {
    const annotated = (key: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {${key}: "true"}}\n`
    expect(kindOf(annotated('config.kubernetes.io/local-config'))).toBe('kustomization')
    expect(kindOf(annotated('config.kubernetes.io/index'))).toBe('object')
  })
  it('Helm charts are left out, but for plain manifests', () => {
    const input = inputOf({
      'Chart.yaml': 'apiVersion: v2\nname: x\nversion: 1.0.0\n',
      'values.yaml': 'kind: x\n',
      'values-prod.yaml': configMap('values'),
      'templates/plain.yaml': configMap('plain'),
      'templates/braces.yaml': configMap('{{ .Release.Name }}'),
      'templates/quoted.yaml': configMap('"{{ .Release.Name }}"'),
      'crds/crd.yaml':
        'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: "{{x}}"}\n',
      'files/generated.yaml': configMap('generated'),
      'docs/files/example.yaml': configMap('example'),
    })
    expect(fileNames(input)).toEqual(['crds/crd.yaml', 'docs/files/example.yaml', 'templates/plain.yaml'])
    expect(skips(input)).toEqual({
      'Chart.yaml': 'Helm chart',
      'files/generated.yaml': 'Helm chart',
      'values.yaml': 'Helm chart',
      'values-prod.yaml': 'Helm chart',
      'templates/braces.yaml': 'Helm template',
      'templates/quoted.yaml': 'Helm template',
    })
  })
  it('what the templates of a chart get as files is read where it is named', () => {
    const cwd = folderWith({ 'Chart.yaml': 'name: x\n', 'files/a.yaml': configMap('a') })
    expect(names(read(cwd, ['files/a.yaml']))).toEqual(['a'])
  })
  it('directives of Terraform make a template', () => {
    const loop = `%{ for one in all ~}\n---\n${configMap('${one.name}')}%{ if one.data != null ~}\ndata: {a: b}\n%{ endif ~}\n%{ endfor ~}\n`
    const input = inputOf({ 'templates/a.yaml': loop })
    expect(input.problems).toEqual([])
    expect(skips(input)).toEqual({ 'templates/a.yaml': 'Go template' })
    expect(kindOf(`%{ if enabled }\n${configMap('a')}%{ endif }\n`)).toBe('object')
    expect(kindOf(`${configMap('a')}data:\n  a: %{host}\n`)).toBe('problem')
  })
  it('directives of ERB make a template, and so do marks that no value begins with', () => {
    const service = (rest: string) => `apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n${rest}`
    expect(kindOf(service('  replicas: <%= prod ? "a: b" : 1 %>\n'))).toBe('Go template')
    expect(
      kindOf(service('  ports:\n<% ports.each do |port| %>\n    - <%= port %>: 1\n   a: b\n<% end %>\n')),
    ).toBe('Go template')
    for (const mark of ['%s', '%d', '%5d', '%{PRIORITY}', '%IP', '%s-web', '%%image%%', '@web.image@'])
      expect(kindOf(service(`  type: ${mark}\n`))).toBe('Go template')
    for (const text of ['"<% a %>": b: c', '%', '%{host}', '100%: a: b'])
      expect(kindOf(service(`  type: ${text}\n`))).toBe('problem')
  })
  it('directives of FreeMarker make a template, and comments with a mark of less do not', () => {
    const role = (rest: string) =>
      `apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: web\n  annotations:\n${rest}`
    for (const directive of [
      '<#if mail?? && mail.active>\n    a: b\n</#if>',
      '<#list names as name>\n    a: b\n  </#list>',
      '<#-- said of a -->\n    a: b',
    ])
      expect(kindOf(role(`${directive}\n`))).toBe('Go template')
    for (const text of ['    a: b: <#if c>', '    <a: b: c', '<#1 a>\n    a: b', '# <#if c>\n    a: b: c'])
      expect(kindOf(role(`${text}\n`))).toBe('problem')
    expect(kindOf(role('    # <#if c>\n    a: <#b>\n'))).toBe('object')
  })
  it('a broken manifest is no template because of braces in its text', () => {
    const text = `${configMap('a')}data:\n  rule: "{{ $labels.pod }}"\n   other: x\n`
    expect(kindOf(text)).toBe('problem')
  })
  it('a definition that leads into other files is the source of one', () => {
    const definition = (reference: string) =>
      `apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.b.c}\nspec:\n  scope: Namespaced\n  versions:\n    - {name: v1, schema: {openAPIV3Schema: {properties: {spec: {$ref: '${reference}'}}}}}\n`
    expect(kindOf(definition('python://web/templates.yaml#/definitions/Spec'))).toBe('source of a build')
    expect(kindOf(definition('#/definitions/Spec'))).toBe('object')
  })
  it('a template begins with variables of its own, or adds arguments to those that are there', () => {
    const claim = `{{$count := (or .count 1) | Int}}\n\n${configMap('a')}data:{{range $count}}\n  a: b{{end}}\n`
    expect(kindOf(claim)).toBe('Go template')
    const pod =
      'kind: Pod\napiVersion: v1\nspec:\n  {{ run_as_user }}\n  command: [ "/serve"{{ more_args }} ]\n'
    expect(kindOf(pod)).toBe('Go template')
    expect(inputOf({ 'a.yaml': pod.replace('{{ run_as_user }}', 'oops') }).problems).toHaveLength(1)
  })
  it('a template that parses as a mapping of a mapping is one', () => {
    expect(kindOf(configMap('{{ .Values.name }}'))).toBe('Go template')
    expect(kindOf(configMap('{{ name }}'))).toBe('Go template')
  })
  it('variables between braces make a template of a file that is called so', () => {
    const service =
      'kind: Service\napiVersion: v1\nmetadata: {name: a}\nspec:\n  ports: [{ port: ${' + 'PORT} }]\n'
    expect(kindOf(service, 'templates/service.yaml')).toBe('Go template')
    expect(kindOf(service, 'service-template.yaml')).toBe('Go template')
    expect(kindOf(service)).toBe('problem')
    expect(kindOf(service.replace('a}', 'a'), 'templates/service.yaml')).toBe('problem')
  })
  it('a file called a template is one where a name is to be replaced', () => {
    expect(kindOf(configMap('service_name'), 'template.yaml')).toBe('Go template')
    expect(kindOf(configMap('TEST_NAME'), 'test.tmpl.yaml')).toBe('Go template')
    expect(kindOf(configMap('web-{THREAD_ID}'), 'web.template.yaml')).toBe('Go template')
    expect(kindOf(configMap('service_name'))).toBe('object')
    expect(kindOf(configMap('web'), 'template.yaml')).toBe('object')
    expect(kindOf(configMap('${jobName}'), 'job.tmpl.yaml')).toBe('object')
  })
  it('a variable in the place of a kind or of a field makes a template', () => {
    const variable = (name: string) => `$\{${name}}`
    const role = 'apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: a\n'
    expect(kindOf(role.replace('Role', variable('ROLE_KIND')))).toBe('Go template')
    expect(kindOf(`${role}  ${variable('COMMENT')}namespace: b\n`)).toBe('Go template')
    expect(kindOf(role.replace('name: a', `name: ${variable('NAME')}`))).toBe('object')
  })
  it('what a test of Chainsaw compares is test data, wherever it stands', () => {
    const service = 'apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n'
    expect(kindOf(service.replace('name: a', 'name: ($name)'))).toBe('test data')
    expect(kindOf(service.replace('name: a', 'namespace: ($namespace)'))).toBe('test data')
    expect(kindOf(`${service}status:\n  (length(loadBalancer) == \`0\`): true\n`)).toBe('test data')
    expect(kindOf(`${service}spec:\n  # (none)\n  ports: []\n`)).toBe('object')
    expect(kindOf(service.replace('name: a', 'name: a(b)'))).toBe('object')
  })
  it('directives around a whole document are none of its text', () => {
    const text = `{{- if .Enabled }}\n# one\n${configMap('a')}{{ end }}\n---\n${configMap('b')}---\n{{ with .X }}\nkind: {{ . }}\n{{ end }}\n`
    const input = inputOf({ 'a.yaml': text })
    expect(names(input)).toEqual(['a', 'b'])
    expect(input.problems).toEqual([])
    expect(input.documents[0]?.locate().key(['metadata', 'name'])).toMatchObject({ line: 6, column: 3 })
  })
})

describe('kustomizations', () => {
  const cwd = folderWith({
    'overlay/kustomization.yaml': `namespace: shop
images:
- name: web
  newTag: "1.2"
- name: api
replicas:
- name: web
  count: 3
configMapGenerator:
- name: settings
  files: [program.yaml, job.yaml=templates/job.yaml, resource.yaml]
- {}
secretGenerator:
- name: token
  namespace: other
  literals:
  - password=hunter2
resources:
- resource.yaml
- ../base
components: [../component/]
patches:
- path: patch.yaml
- patch: |
    - op: remove
- target: {kind: Deployment, name: web-.*}
  patch: |
    - op: remove
- patch: |
    kind: Service
    metadata: {name: web}
patchesStrategicMerge:
- sub/merge.yaml
patchesJson6902:
- path: json.yaml
  target: {kind: Secret, name: keys}
replacements:
- source: {kind: ConfigMap, name: settings}
  targets:
  - select: {kind: Ingress, name: web, labelSelector: app=web}
    fieldPaths:
    - spec.rules.0.host
    - spec.containers.[name=web].image
    - metadata.annotations.[example.com/a]
`,
    'overlay/program.yaml': configMap('program'),
    'overlay/templates/job.yaml': configMap('job'),
    'overlay/patch.yaml': configMap('patch'),
    'overlay/sub/merge.yaml': configMap('merge'),
    'overlay/json.yaml': '- op: remove\n  path: /kind\n',
    'overlay/resource.yaml': configMap('resource'),
    'overlay/directive.yaml': `${configMap('directive')}$patch: delete\n`,
    'overlay/server-patch.yaml':
      'apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: server\nspec:\n  replicas: 3\n',
    'component/kustomization.yml': 'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n',
    'plain/Kustomization': 'resources: []\n',
    'old/kustomization.yaml': 'patches: [old-patch.yaml]\n',
    'old/old-patch.yaml': configMap('old-patch'),
    'strange/kustomization.yaml': 'images: 5\nreplicas: [x]\npatches: {a: b}\nsecretGenerator: x\n',
  })
  const input = read(cwd)
  const named = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } })
  it('are evidence, not documents', () => {
    expect(names(input)).toEqual(['resource'])
    expect(input.kustomizations.map(({ folder: path }) => path)).toEqual([
      'component',
      'old',
      'overlay',
      'plain',
      'strange',
    ])
    const { document, references = [], ...overlay } = input.kustomizations[2] ?? {}
    expect(overlay).toEqual({
      folder: 'overlay',
      namespace: 'shop',
      images: [
        { name: 'web', pinned: true },
        { name: 'api', pinned: false },
      ],
      isCheckedOut: expect.any(Function),
      podLabels: {},
      selectorLabels: {},
      replicas: [
        { name: 'web', count: 3 },
        { name: 'server', count: 3 },
      ],
      generated: [
        { kind: 'ConfigMap', name: 'settings', namespace: 'shop' },
        { kind: 'Secret', name: 'token', namespace: 'other' },
      ],
      resources: ['overlay/resource.yaml', 'base', 'component'],
      patches: [
        { kind: 'Deployment', name: 'web-.*', change: [{ op: 'remove' }], at: ['patches', 2, 'patch'] },
        {
          kind: 'Service',
          name: 'web',
          change: { kind: 'Service', metadata: { name: 'web' } },
          at: ['patches', 3, 'patch'],
          isOwnTarget: true,
        },
        {
          kind: 'ConfigMap',
          name: 'patch',
          change: named('patch'),
          at: ['patches', 0, 'path'],
          isOwnTarget: true,
        },
        {
          kind: 'Secret',
          name: 'keys',
          change: [{ op: 'remove', path: '/kind' }],
          at: ['patchesJson6902', 0, 'path'],
        },
        {
          kind: 'ConfigMap',
          name: 'merge',
          change: named('merge'),
          at: ['patchesStrategicMerge', 0],
          isOwnTarget: true,
        },
      ],
      replaced: [
        {
          kind: 'Ingress',
          name: 'web',
          labels: 'app=web',
          change: [
            { op: 'replace', path: '/spec/rules/0/host' },
            { op: 'replace', path: '/spec/containers/*/image' },
            { op: 'replace', path: '/metadata/annotations/example.com~1a' },
          ],
        },
      ],
    })
    expect(references.map(({ path, found, isRead }) => `${path} ${found} ${isRead ?? false}`)).toEqual([
      'overlay/resource.yaml file true',
      'base nothing false',
      'component blank false',
      'overlay/sub/merge.yaml file false',
      'overlay/patch.yaml file false',
      'overlay/json.yaml file false',
      'overlay/program.yaml file false',
      'overlay/templates/job.yaml file false',
      'overlay/resource.yaml file true',
    ])
    expect(JSON.stringify(document?.value)).not.toContain('hunter2')
    expect(document && hiddenText(document)).toContain('hunter2')
  })
  it('name patches', () => {
    expect(skips(input)).toMatchObject({
      'overlay/patch.yaml': 'kustomize patch',
      'overlay/sub/merge.yaml': 'kustomize patch',
      'overlay/json.yaml': 'not Kubernetes',
      'overlay/directive.yaml': 'kustomize patch',
      'overlay/server-patch.yaml': 'kustomize patch',
    })
  })
  it('list patches as texts, and replacements in files', () => {
    const input = inputOf({
      'kustomization.yaml':
        'resources: [web.yaml]\npatches: [one.yaml]\nreplacements:\n- path: cpu.yaml\n- path: both.yaml\n- path: none.yaml\n',
      'web.yaml': configMap('web'),
      'one.yaml': configMap('web'),
      'cpu.yaml': 'source: {kind: A}\ntargets:\n- select: {kind: B}\n  fieldPaths: [spec.cpu]\n',
      'both.yaml':
        '- targets:\n  - select: {kind: C}\n    fieldPaths: [spec.c]\n- targets:\n  - select: {kind: D}\n    fieldPaths: [spec.d]\n',
    })
    expect(names(input)).toEqual(['web'])
    const [kustomization] = input.kustomizations
    expect(kustomization?.patches).toMatchObject([{ kind: 'ConfigMap', name: 'web' }])
    expect(kustomization?.replaced).toEqual([
      { kind: 'B', change: [{ op: 'replace', path: '/spec/cpu' }] },
      { kind: 'C', change: [{ op: 'replace', path: '/spec/c' }] },
      { kind: 'D', change: [{ op: 'replace', path: '/spec/d' }] },
    ])
  })
  it('leave patches to be switched on', () => {
    const tree = folderWith({
      'crd/kustomization.yaml':
        'resources: [widgets.yaml, patches/listed.yaml]\n#patches:\n#- path: patches/webhook_in_widgets.yaml\n',
      'crd/widgets.yaml': configMap('widgets'),
      'crd/patches/webhook_in_widgets.yaml': configMap('webhook'),
      'crd/patches/listed.yaml': configMap('listed'),
      'crd/auth_patch.yaml': configMap('auth'),
      'docs/patch.yaml': configMap('docs'),
    })
    expect(names(read(tree))).toEqual(['listed', 'widgets', 'docs'])
    expect(skips(read(tree))['crd/auth_patch.yaml']).toBe('kustomize patch')
  })
  it('are evidence for a file of theirs that is named alone', () => {
    const kustomization = (text: string) =>
      `# All of it.\n---\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n${text}`
    const tree = folderWith({
      'app/base/kustomization.yaml': kustomization('resources: [web.yaml]\ncomponents: [../parts/labels]\n'),
      'app/base/web.yaml': configMap('web'),
      'app/parts/labels/kustomization.yaml':
        'kind: Component\nlabels: [{pairs: {tier: front}, includeTemplates: true}]\n',
      'app/overlays/prod/kustomization.yaml': kustomization(
        'resources: [../../base]\npatches: [path: more.yaml]\n',
      ),
      'app/overlays/prod/more.yaml': configMap('web'),
      'app/overlays/other/kustomization.yaml': kustomization('resources: [../../baseline]\n'),
    })
    const { kustomizations, files } = read(tree, ['app/base/web.yaml'])
    expect(kustomizations.map(({ folder }) => folder).sort()).toEqual([
      'app/base',
      'app/overlays/prod',
      'app/parts/labels',
    ])
    expect(kustomizations.every(({ isEvidence }) => isEvidence)).toBe(true)
    expect(kustomizations.flatMap(({ patches }) => patches)).toMatchObject([
      { kind: 'ConfigMap', name: 'web', change: { kind: 'ConfigMap' } },
    ])
    expect(files).toBe(1)
    expect(read(tree, ['app/base']).kustomizations.map(({ folder }) => folder)).toEqual(['app/base'])
  })
  it('name patches that are read alone', () => {
    const alone = read(cwd, ['overlay/patch.yaml', 'overlay/sub/merge.yaml', 'overlay/resource.yaml'])
    expect(names(alone)).toEqual(['resource'])
    expect(alone.kustomizations.every(({ isEvidence }) => isEvidence)).toBe(true)
  })
})

/** The text of the lines that must not be shown. */
function hiddenText(document: Document): string {
  const lines = document.file.text.split('\n')
  return secretRanges(document)
    .flatMap(({ startLine, endLine }) => lines.slice(startLine - 1, endLine))
    .join('\n')
}

describe('Secrets', () => {
  const secret = `apiVersion: v1
kind: Secret
metadata:
  name: token
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: |
      {"data":{"password":"aHVudGVyMg=="}}
type: Opaque
data:
  password: aHVudGVyMg==
  certificate: |
    -----BEGIN
    hunter3
stringData: {user: hunter4}
`
  it.each([
    ['alone', secret],
    ['in a list', `apiVersion: v1\nkind: List\nitems:\n- ${secret.trimEnd().replaceAll('\n', '\n  ')}\n`],
    [
      'with an alias',
      `${secret}extra: &x {a: hunter5}\n`
        .replace('stringData: {user: hunter4}', 'stringData: *x')
        .replace(/^([\s\S]*)(extra.*\n)$/, '$2$1'),
    ],
  ])('lose their values: %s', (_, text) => {
    const [document] = inputOf({ 'a.yaml': text }).documents
    if (!document) throw new Error('no document')
    const [object] = unfold(document)
    expect(object?.value.data).toEqual({ password: '', certificate: '' })
    expect(Object.values(object?.value.stringData as object)).toEqual([''])
    const { extra: _extra, ...rest } = object?.value ?? {}
    expect(JSON.stringify(rest)).not.toMatch(/hunter|aHVudGVyMg/)
  })
  it('have lines that are not to be shown', () => {
    const [document] = inputOf({ 'a.yaml': `# first\n---\n${secret}` }).documents
    if (!document) throw new Error('no document')
    const hidden = hiddenText(document)
    for (const value of ['aHVudGVyMg==', 'hunter3', 'hunter4', '{"data"']) expect(hidden).toContain(value)
    expect(hidden).not.toContain('type: Opaque')
  })
  it('are known in a SecretList without being named', () => {
    const text =
      '{"apiVersion": "v1", "kind": "SecretList", "items": [{"metadata": {"name": "a"}, "data": {"b": "c"}}]}'
    const [document] = inputOf({ 'a.json': text }).documents
    expect(document?.value).toMatchObject({ items: [{ data: { b: '' } }] })
    expect(document && secretRanges(document)).toHaveLength(1)
  })
  it.each([
    ['a level too high', `${secret}password: hunter5\n`],
    ['in the metadata', secret.replace('name: token', 'name: token\n  password: hunter5')],
    ['under a name with a slip', secret.replace('stringData', 'stringdata')],
    ['of a kind with a slip', secret.replace('kind: Secret', 'kind: Sercet')],
    ['of a group that there is not', secret.replace('apiVersion: v1', 'apiVersion: core/v1')],
  ])('lose and hide values %s', (_, text) => {
    const [document] = inputOf({ 'a.yaml': text }).documents
    expect(document?.value).toMatchObject({ metadata: { name: 'token' }, type: 'Opaque' })
    expect(JSON.stringify(document?.value)).not.toMatch(/hunter|aHVudGVyMg/)
    const shown = (document && text.split('\n').filter((line) => !hiddenText(document).includes(line))) ?? []
    expect(shown.join('\n')).not.toMatch(/hunter|aHVudGVyMg/)
    expect(shown).toContain('type: Opaque')
  })
  it.each([
    ['a list', '- name: a\n  literals:\n  - user=hunter2\n  files: [a.txt]'],
    ['no list of literals', '- name: a\n  literals: user=hunter2\n  files: [a.txt]'],
    ['a mapping', '- name: a\n  literals: {user: hunter2}\n  files: [a.txt]'],
    ['no generator', '- name: a\n  files: [a.txt]\n  stringData: {user: hunter2}\n  data: hunter3'],
    ['no list of generators', '  name: a\n  literals: [user=hunter2]\n  files: [a.txt]'],
  ])('of generators lose and hide values: %s', (_, generator) => {
    const text = `resources: []\nsecretGenerator:\n${generator}\n`
    const [kustomization] = inputOf({ 'kustomization.yaml': text }).kustomizations
    const { document } = kustomization ?? {}
    expect(JSON.stringify(document?.value)).not.toContain('hunter')
    expect(JSON.stringify(document?.value)).toContain('a.txt')
    const hidden = document && hiddenText(document)
    for (const [value] of text.matchAll(/hunter./g)) expect(hidden).toContain(value)
    expect(hidden).not.toContain('files: [a.txt]')
  })
  it('of other groups keep theirs', () => {
    const [document] = inputOf({
      'a.yaml': 'apiVersion: example.com/v1\nkind: Secret\ndata: {a: b}\n',
    }).documents
    expect(document?.value).toMatchObject({ data: { a: 'b' } })
    expect(document && secretRanges(document)).toEqual([])
  })
})

describe('documents', () => {
  it('of a file are numbered by their lines', () => {
    const text = `# comment\n---\n${configMap('a')}---\n# more\n${configMap('b')}...\nignored: true\n---\n${configMap('c')}`
    const { documents } = inputOf({ 'a.yaml': text })
    const lines = text.split('\n')
    for (const document of documents) {
      const name = (document.value as { metadata: { name: string } }).metadata.name
      const { line, column } = document.locate().value(['metadata', 'name'])
      expect(lines[line - 1]?.slice(column - 1)).toBe(name)
      expect(document.text.startsWith(lines[document.line - 1] ?? '-')).toBe(true)
    }
    expect(documents.map(({ text: part }) => /name: (.)/.exec(part)?.[1])).toEqual(['a', 'b', 'c'])
  })
  it('of JSON may follow each other', () => {
    const object = (name: string) =>
      `{"apiVersion": "v1", "kind": "ConfigMap",\n "metadata": {"name": "${name}"}}`
    const text = `${object('a')} ${object('b')}\n\n${object('c')}`
    const { documents } = inputOf({ 'a.json': text })
    expect(documents).toHaveLength(3)
    for (const document of documents) {
      const { line, column } = document.locate().key(['metadata', 'name'])
      expect(text.split('\n')[line - 1]?.slice(column - 1)).toMatch(/^"name"/)
      expect(document.hasDuplicates).toBe(false)
    }
  })
  it('know their repeated keys', () => {
    const { documents } = inputOf({
      'a.yaml': `${configMap('a')}data:\n  x: 1\n  y: 2\n  x: 3\n`,
      'b.json': '{"apiVersion": "v1", "kind": "ConfigMap", "data": {"x": 1, "x": 2}}',
      'c.yaml': configMap('c'),
    })
    expect(documents.map(({ hasDuplicates }) => hasDuplicates)).toEqual([true, true, false])
    expect(
      documents.map((document) => document.locate().duplicates.map(({ path }) => path.join('.'))),
    ).toEqual([['data.x'], ['data.x'], []])
  })
  it('without a final line break, with CRLF and a byte order mark', () => {
    const text = `\ufeff---\r\n${configMap('a').replaceAll('\n', '\r\n')}---\r\n${configMap('b').replaceAll('\n', '\r\n').trimEnd()}`
    const { documents } = inputOf({ 'a.yaml': text })
    expect(documents.map(({ value }) => (value as { metadata: unknown }).metadata)).toEqual([
      { name: 'a' },
      { name: 'b' },
    ])
  })
})

describe('unfold', () => {
  it('gives the items of lists with their paths', () => {
    const value = {
      apiVersion: 'v1',
      kind: 'List',
      items: [
        { kind: 'A' },
        null,
        'x',
        { kind: 'PodList', items: [{ kind: 'B' }, { kind: 'List', items: [] }] },
      ],
    }
    expect(unfold({ value })).toEqual([
      { value: { kind: 'A' }, path: ['items', 0] },
      { value: { kind: 'B' }, path: ['items', 3, 'items', 0] },
    ])
    expect(unfold({ value: { kind: 'Pod' } })).toEqual([{ value: { kind: 'Pod' }, path: [] }])
    expect(unfold({ value: { kind: 'List', items: 'x' } })).toEqual([
      { value: { kind: 'List', items: 'x' }, path: [] },
    ])
  })
})
