/** The published package: what is in it, and that it works where nothing else is installed. */
import { spawnSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { folderWith, writeFiles } from './folders.js'
import { builtProgram, repository } from './program.js'

const program = builtProgram()
const root = folderWith()

/** Never asks a registry: a package that needed one would fail here. */
function npm(command: 'npm' | 'npx', args: readonly string[], cwd: string) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    shell: process.platform === 'win32',
    env: {
      // What an npm that runs these tests has set is not meant for the one that they run.
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_'))),
      npm_config_offline: 'true',
      npm_config_cache: join(root, 'cache'),
      npm_config_update_notifier: 'false',
    },
  })
  return { code: status, out: stdout, err: stderr }
}

const about = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
  readonly version: string
  readonly files: readonly string[]
  readonly dependencies?: object
}
// The folder that npm packs: the program as it was built, and the other files of the repository that belong to it.
for (const name of ['package.json', ...about.files.filter((name) => !/^(bin|dist|!.*)$/.test(name))])
  cpSync(join(repository, name), join(program.folder, name))
// What a run leaves there.
writeFileSync(join(program.folder, 'dist', 'k8s-af.cjs.v20.0.0-x64'), '')
const packed = npm('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', root], program.folder)
const tarball = join(root, `k8s-af-${about.version}.tgz`)
const project = join(root, 'project')
writeFiles(project, {
  'package.json': '{"private": true}',
  'job.yaml':
    'apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\nspec:\n  schedule: 7 4 * * *\n  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: "a/b:1.0.0"}]}}}}\n',
})
const lint = ['lint', '--only', 'job-without-deadline', '-o', 'concise', 'job.yaml']

describe('the package', () => {
  it('holds the program, its data and the licences, and no sources', () => {
    expect(packed.code).toBe(0)
    const [{ files }] = JSON.parse(packed.out) as [{ files: { path: string }[] }]
    const names = files.map(({ path }) => path)
    expect(names).toEqual(
      expect.arrayContaining([
        'bin/k8s-af',
        'dist/k8s-af.cjs',
        'dist/THIRD-PARTY-LICENSES',
        'LICENSE',
        'NOTICE',
        'README.md',
      ]),
    )
    expect(names.filter((name) => /\.cjs\.v/.test(name))).toEqual([])
    expect(names.filter((name) => /^(src|rules|tests|fixtures|node_modules)\//.test(name))).toEqual([])
  })
  it('needs no other package', () => {
    expect(about.dependencies).toBeUndefined()
  })
  it('runs with npx', () => {
    const { code, out, err } = npm('npx', ['-y', `../k8s-af-${about.version}.tgz`, ...lint], project)
    expect(err.replace(/^npm (warn|notice).*\n/gm, '')).toBe('')
    expect(out).toMatch(/^job\.yaml:/)
    expect(code).toBe(0)
  })
  it('runs when it is installed, as k8s-af and as a plugin of kubectl', () => {
    expect(npm('npm', ['install', '--no-audit', '--no-fund', tarball], project).code).toBe(0)
    for (const name of ['k8s-af', 'kubectl-af'])
      expect(npm('npx', [name, ...lint], project).out).toMatch(/^job\.yaml:/)
    expect(npm('npx', ['kubectl_complete-af', 'lin'], project).out).toMatch(/^lint\t.*\n:4\n$/)
    expect(readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([
      'k8s-af',
    ])
  })
  it('keeps what V8 compiled, for itself alone', () => {
    const folder = join(project, 'node_modules', 'k8s-af', 'dist')
    const kept = readdirSync(folder).filter((name) => /^k8s-af\.cjs\.v[\d.]+-\w+-files$/.test(name))
    expect(kept).toHaveLength(1)
    const file = join(folder, String(kept[0]))
    const whole = readFileSync(file)
    const run = () => {
      const { code, out, err } = npm('npx', ['k8s-af', ...lint], project)
      return { code, out: out.replace(/\d\.\d+ s\n/, ''), err: err.replace(/^npm (warn|notice).*\n/gm, '') }
    }
    const first = run()
    expect(readFileSync(file).equals(whole)).toBe(true)
    const damaged = (...pages: number[]) => {
      const bytes = Buffer.from(whole)
      for (const page of pages) bytes.fill(0xaa, 4096 * page, 4096 * (page + 1))
      return bytes
    }
    const last = Math.floor(whole.length / 4096) - 1
    for (const bytes of [
      damaged(0),
      damaged(1),
      damaged(Math.floor(last / 2)),
      damaged(last),
      damaged(...Array.from({ length: last }, (_, i) => i)),
      whole.subarray(0, whole.length / 2),
      Buffer.alloc(0),
      Buffer.from('no code'),
    ]) {
      writeFileSync(file, bytes)
      expect(run()).toEqual(first)
      expect(readFileSync(file).length).toBeGreaterThan(whole.length / 2)
    }
    // Bytecode of another bundle.
    const bundle = join(folder, 'k8s-af.cjs')
    const source = readFileSync(bundle, 'utf8')
    const [, stamp = ''] = /^\/\/ (\w+)\n/.exec(source) ?? []
    const other = source.replace(stamp, '0'.repeat(stamp.length))
    writeFileSync(bundle, other.replace(/\}\);?\s*$/, "console.error('another one')\n})"))
    expect(run().err).toBe('another one\n')
    writeFileSync(bundle, source)
  })
  it('gives the configuration its schema', () => {
    expect(npm('npx', ['k8s-af', 'init'], project).code).toBe(0)
    expect(readFileSync(join(project, '.k8s-af.yaml'), 'utf8')).toContain(
      '$schema=node_modules/k8s-af/dist/config.schema.json',
    )
    expect(readdirSync(project)).not.toContain('.k8s-af.schema.json')
  })
})
