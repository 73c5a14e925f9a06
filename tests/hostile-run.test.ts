/**
 * What a run reads and writes for itself, broken or hostile: configuration, ignore files, baselines, reports, git and the tools that
 * build. Each is refused in one line or left out, nothing is waited for, and the rest of the run goes on where it can.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, linkSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Files, folderWith } from './folders.js'
import { builtProgram, type Outcome } from './program.js'

const program = builtProgram()

const manifest = 'apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {replicaz: 1}\n'
const found = 'a.yaml:4:8: error unknown-field'

/** A folder with a manifest that is a repository as far as the program looks. */
function folder(files: Files = {}): string {
  const path = folderWith({ 'a.yaml': manifest, ...files })
  mkdirSync(join(path, '.git'))
  return path
}

function lint(cwd: string, ...args: readonly string[]): Outcome {
  const outcome = program.run(['lint', '-o', 'concise', ...args], { cwd })
  expect(`${outcome.out}${outcome.err}`).not.toMatch(/internal error|\n\s+at /)
  return outcome
}

function refusal(cwd: string, ...args: readonly string[]): string {
  const { code, out, err } = lint(cwd, ...args)
  expect([code, out]).toEqual([2, ''])
  return err.trimEnd().replace(/^k8s-af: /, '')
}

const pipe = (path: string) => execFileSync('mkfifo', [path])
const isPosix = process.platform !== 'win32'

/** What stands in the place of a file, and why it is not read. */
const inPlace: Readonly<Record<string, readonly [make: (path: string) => void, why: string]>> = {
  'a pipe': [pipe, 'is a pipe that nobody writes to.'],
  'a link to itself': [(path) => symlinkSync(path, path), 'links lead round in a circle (ELOOP).'],
  'a link that leads nowhere': [(path) => symlinkSync('nowhere', path), 'is a link that leads nowhere.'],
  'an endless device': [(path) => symlinkSync('/dev/zero', path), 'has more than 16 MiB.'],
  'a folder': [(path) => mkdirSync(path), 'is a folder.'],
}

describe.skipIf(!isPosix)('in the place of a configuration', () => {
  for (const [what, [make, why]] of Object.entries(inPlace))
    it(`${what} is refused`, () => {
      const cwd = folder()
      make(join(cwd, '.k8s-af.yaml'))
      const said = refusal(cwd)
      expect(said).toMatch(/^\.k8s-af\.yaml cannot be read: /)
      expect(said).toContain(why)
      const other = folder({ '.k8s-af.yaml': 'extends: other.yaml\n' })
      make(join(other, 'other.yaml'))
      expect(refusal(other)).toMatch(/^\.k8s-af\.yaml:1:10: other\.yaml cannot be read: /)
    })
  it('nothing is read of a device that is empty', () => {
    expect(lint(folder(), 'a.yaml', '--config', '/dev/null').out).toContain(found)
  })
  it('a process may write', () => {
    const { out, code } = program.shell("k8s-af lint -o concise --config <(echo 'failOn: never')", {
      cwd: folder(),
    })
    expect([code, out]).toEqual([0, expect.stringContaining(found)])
  })
})

describe('a configuration', () => {
  const refused = (content: string | Buffer) => refusal(folder({ '.k8s-af.yaml': content }))
  it('is no text in UTF-16, and may begin with a mark', () => {
    expect(refused(Buffer.from('\ufefffailOn: never', 'utf16le'))).toBe(
      '.k8s-af.yaml cannot be read: it is encoded in UTF-16: save it as UTF-8.',
    )
    expect(refused(Buffer.from('a\0b'))).toBe('.k8s-af.yaml cannot be read: it is binary, not text.')
    expect(lint(folder({ '.k8s-af.yaml': '\ufefffailOn: never' })).code).toBe(0)
  })
  it('with more mistakes than anybody reads names a hundred, soon', () => {
    const keys = Array.from({ length: 20_000 }, (_, i) => `  r${i}: off\n`).join('')
    const lines = refused(`rules:\n${keys}`).split('\n')
    expect(lines[0]).toBe('.k8s-af.yaml:2:3: There is no rule "r0".')
    expect(lines).toHaveLength(101)
    expect(lines.at(-1)).toContain('.k8s-af.yaml may have more mistakes than these.')
  })
  it('does not grow by what extends the next one twice', () => {
    const chain = Object.fromEntries(
      Array.from({ length: 30 }, (_, i) => [`c${i}.yaml`, `extends: [c${i + 1}.yaml, c${i + 1}.yaml]\n`]),
    )
    const cwd = folder({ ...chain, 'c30.yaml': '', '.k8s-af.yaml': 'extends: c0.yaml\n' })
    expect(refusal(cwd)).toMatch(/ it is one of more than 100 configurations that extend each other/)
  })
  it('shows numbers that are none', () => {
    expect(refused('failOn: .inf')).toContain('failOn cannot be .inf.')
  })
  it('is not asked for patterns that take for ever', () => {
    const cwd = folder({
      [`${'a'.repeat(200)}.yaml`]: manifest,
      '.k8s-af.yaml': `crds: ["${'*a'.repeat(30)}b"]`,
    })
    expect(refusal(cwd)).toMatch(/^crds: (?:\*a)+b has too many stars: write out more of the names\.$/)
    expect(refusal(cwd, '--isolated', '+(+(+(a)*)*)b')).toContain('too many stars')
    expect(refusal(cwd, '--isolated', `*${'a'.repeat(70_000)}`)).toContain('too many stars')
  })
})

describe.skipIf(!isPosix)('in the place of an ignore file', () => {
  for (const [what, [make]] of Object.entries(inPlace))
    it(`${what} is a finding, and the rest is read`, () => {
      const cwd = folder()
      make(join(cwd, '.k8s-af-ignore'))
      const { out, err, code } = lint(cwd)
      expect([err, code]).toEqual(['', 1])
      expect(out).toMatch(/^\.k8s-af-ignore:1:1: error unreadable-file: \w.*\n/)
      expect(out).toContain(found)
    })
  it('another encoding is one, and a mark at the beginning is not', () => {
    const utf16 = folder({ '.k8s-af-ignore': Buffer.from('\ufeffa.yaml', 'utf16le') })
    expect(lint(utf16).out).toMatch(
      /^\.k8s-af-ignore:1:1: error unreadable-file: It is encoded in UTF-16: save it as UTF-8\.\n/,
    )
    const marked = folder({ '.k8s-af-ignore': '\ufeffa.yaml\n', 'b.yaml': manifest })
    expect(lint(marked).out).not.toContain('a.yaml')
  })
  it('a pattern that is no expression any more matches nothing', () => {
    const cwd = folder({ '.k8s-af-ignore': `${'a'.repeat(1_000_000)}\n[z-a]\nb.yaml\n`, 'b.yaml': manifest })
    const { out } = lint(cwd)
    expect(out).toContain(found)
    expect(out).not.toContain('b.yaml')
  })
  it('a pipe that git would read is left alone', () => {
    const cwd = folder({ 'k/kustomization.yaml': 'resources: [gone.yaml]\n' })
    pipe(join(cwd, '.gitignore'))
    expect(lint(cwd).err).toBe('')
  })
})

describe('a path that no system takes', () => {
  it('is nothing that a kustomization may name', () => {
    const names = [`${'x'.repeat(5000)}.yaml`, 'a\\0b', 'loop/x']
    const cwd = folder({
      'kustomization.yaml': `resources: [${names.map((name) => `"${name}"`).join(', ')}]\n`,
    })
    symlinkSync('loop', join(cwd, 'loop'))
    expect(lint(cwd, '--complete').code).toBe(1)
  })
  it('is nothing to build', () => {
    const cwd = folder()
    symlinkSync('loop', join(cwd, 'loop'))
    for (const flag of ['-k', '--helm']) {
      for (const name of ['loop', 'a.yaml/x', 'x'.repeat(5000)])
        expect(refusal(cwd, flag, name)).toMatch(/^no such file or folder: /)
    }
  })
})

describe.skipIf(!isPosix)('a program in Go beside manifests', () => {
  it('may be a pipe, or ask for what takes for ever', () => {
    const text = `package a\n\n//go:embed ${'*a'.repeat(30)}b\nvar files embed.FS\n`
    const cwd = folder({ 'main.go': text, [`${'a'.repeat(200)}.yaml`]: manifest })
    pipe(join(cwd, 'pipe.go'))
    expect(lint(cwd).out).toContain(found)
  })
})

describe('a baseline', () => {
  const none = '{"baseline": 1, "findings": []}'
  it('may begin with a mark, and is told from one of a newer program', () => {
    const cwd = folder({ 'marked.json': `\ufeff${none}`, 'newer.json': none.replace('1', '2') })
    expect(lint(cwd, '--baseline', 'marked.json').out).toContain(found)
    expect(refusal(cwd, '--baseline', 'newer.json')).toBe(
      '--baseline: newer.json was written by a newer k8s-af: use that one here, too.',
    )
  })
  it('needs a name', () => {
    expect(refusal(folder(), '--baseline=')).toBe('--baseline names no file.')
    expect(refusal(folder(), '--write-baseline=')).toBe('the name of a file is empty.')
  })
  it.skipIf(!isPosix)('is not waited for', () => {
    const cwd = folder()
    pipe(join(cwd, 'b.json'))
    expect(refusal(cwd, '--baseline', 'b.json')).toBe(
      '--baseline: b.json cannot be read: it is a pipe that nobody writes to.',
    )
    expect(refusal(cwd, '--baseline', '/dev/zero')).toContain('it has more than 256 MiB')
  })
})

describe('a report', () => {
  it('takes the place of nothing that is read', () => {
    const cwd = folder({ '.k8s-af.yaml': 'failOn: never\n', 'b.json': '{"baseline": 1, "findings": []}' })
    const cases = [
      ['-o', 'json=a.yaml', 'a.yaml'],
      ['--write-baseline', './a.yaml', 'a.yaml'],
      ['-o', 'json=.k8s-af.yaml', '.'],
      ['-o', 'json=b.json', '--baseline', 'b.json'],
    ]
    for (const args of cases)
      expect(refusal(cwd, ...args)).toMatch(
        / is read by this run, and would be lost: name another file for the report\.$/,
      )
    expect(readFileSync(join(cwd, 'a.yaml'), 'utf8')).toBe(manifest)
  })
  it('is not written over by another, whatever the names', () => {
    const cwd = folder({ one: '' })
    linkSync(join(cwd, 'one'), join(cwd, 'hard'))
    symlinkSync('one', join(cwd, 'soft'))
    mkdirSync(join(cwd, 'folder'))
    symlinkSync('folder', join(cwd, 'same'))
    const pairs = [
      ['one', 'hard'],
      ['one', 'soft'],
      ['folder/new', 'same/new'],
    ]
    for (const [a = '', b = ''] of pairs) {
      expect(refusal(cwd, '-o', `json=${a}`, '-o', `sarif=${b}`)).toBe(
        `two reports cannot go to one file: ${b}`,
      )
      expect(refusal(cwd, '-o', `json=${a}`, '--write-baseline', b)).toContain(
        'two reports cannot go to one file',
      )
    }
    expect(refusal(cwd, '-o', 'json=one', '-o', 'sarif=two', '-o', 'html=./two')).toContain('./two')
  })
})

describe('--since', () => {
  it('names a commit', () => {
    expect(refusal(folder(), '--since=')).toMatch(/^--since names no commit\. In a pipeline, /)
    expect(refusal(folder(), '--since', 'main..HEAD')).toBe(
      '--since: "main..HEAD" is no commit: name the one that the branch has left.',
    )
    expect(refusal(folder(), '--since=--upload-pack=touch x')).toContain('is no commit')
  })
})

describe.skipIf(!isPosix)('a tool that builds', () => {
  const tool = (name: string, script: string) => {
    const bin = folderWith({ [name]: `#!/bin/sh\n${script}\n` })
    chmodSync(join(bin, name), 0o755)
    return bin
  }
  const build = (script: string, files: Files = {}, prepare: (cwd: string) => void = () => {}) => {
    const cwd = folder({ 'c/Chart.yaml': 'name: shop\n', 'c/templates/a.yaml': manifest, ...files })
    prepare(cwd)
    const env = { PATH: `${tool('helm', script)}:${process.env.PATH ?? ''}` }
    return program.run(['lint', '--helm', 'c', '-o', 'concise'], { cwd, env })
  }
  it('and says nothing has its end told', () => {
    expect(build('exit 3').err).toBe(
      'k8s-af: c cannot be rendered. helm says:\nk8s-af:   (nothing; exit code 3)\n',
    )
    expect(build('kill -9 $$').err).toContain('(nothing; ended by SIGKILL)')
  })
  it('may name templates that no system has', () => {
    const naming = (name: string) => `printf -- '---\\n# Source: shop/${name}\\n'; cat c/templates/a.yaml`
    const link = (cwd: string) => symlinkSync('charts', join(cwd, 'c/charts'))
    const outcomes = [
      build(naming('templates/\\000.yaml')),
      build(naming(`charts/${'a'.repeat(5000)}/templates/a.yaml`)),
      build(naming('charts/redis/templates/a.yaml'), { 'c/charts': 'a file' }),
      build(naming('charts/redis/templates/a.yaml'), {}, link),
    ]
    for (const { code, err } of outcomes) expect([code, err]).toEqual([1, ''])
  })
})

describe.skipIf(!isPosix)('a folder that is gone', () => {
  it('is told', () => {
    const gone = folderWith()
    const { status, stderr } = spawnSync(
      'sh',
      ['-c', `rmdir ${gone} && exec ${process.execPath} ${program.bin} lint`],
      { cwd: gone, encoding: 'utf8' },
    )
    expect([status, stderr]).toEqual([
      2,
      'k8s-af: the folder that this runs in is gone: change to one that is there.\n',
    ])
  })
})
