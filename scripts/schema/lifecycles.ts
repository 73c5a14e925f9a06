/**
 * Writes `lifecycles.txt`: in which release Kubernetes deprecates and removes its API versions, by the lifecycle functions
 * that it generates from the tags of its types. tests/removed-apis.test.ts compares the table of retired API versions with
 * it. Needs the Go toolchain, which downloads the modules.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** Oldest first: what a later release says counts. Between them every kind that was ever tagged. */
const modules = [
  'k8s.io/api@v0.20.15',
  'k8s.io/api@v0.21.14',
  'k8s.io/apiextensions-apiserver@v0.21.14',
  'k8s.io/kube-aggregator@v0.21.14',
  ...[
    '22.17',
    '24.17',
    '26.15',
    '28.15',
    '30.14',
    '31.14',
    '32.13',
    '33.13',
    '34.4',
    '35.4',
    '36.3',
    '37.0',
  ].map((version) => `k8s.io/api@v0.${version}`),
  'k8s.io/apiextensions-apiserver@v0.36.3',
  'k8s.io/kube-aggregator@v0.36.3',
]

interface Lifecycle {
  readonly deprecated: number | undefined
  readonly removed: number | undefined
}

const folder = mkdtempSync(join(tmpdir(), 'k8s-af-lifecycles-'))
execFileSync('go', ['mod', 'init', 'lifecycles'], { cwd: folder, stdio: 'ignore' })
const tagged = new Map<string, Lifecycle>()
try {
  for (const module of modules)
    for (const [key, lifecycle] of lifecyclesOf(download(module))) tagged.set(key, lifecycle)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

const lines = [...tagged].map(
  ([key, { deprecated, removed }]) => `${key} ${deprecated ?? '-'} ${removed ?? '-'}`,
)
const text = [
  '# API version, kind, the minor release that deprecates it and the first that should not serve it.',
  '# Written by scripts/schema/lifecycles.ts from zz_generated.prerelease-lifecycle.go of',
  ...modules.map((module) => `#   ${module}`),
  ...lines.sort(),
  '',
].join('\n')
writeFileSync(join(__dirname, 'lifecycles.txt'), text)

function download(module: string): string {
  const answer = execFileSync('go', ['mod', 'download', '-json', module], { cwd: folder, encoding: 'utf8' })
  return (JSON.parse(answer) as { Dir: string }).Dir
}

function* lifecyclesOf(root: string): Generator<[string, Lifecycle]> {
  for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('zz_generated.prerelease-lifecycle.go')) continue
    const file = join(root, name)
    const version = /\/(v\d\w*)\/[^/]*$/.exec(file)?.[1] ?? ''
    const group = groupOf(dirname(file))
    const apiVersion = group ? `${group}/${version}` : version
    const found = new Map<string, { deprecated?: number; removed?: number }>()
    const functions = /func \(in \*(\w+)\) APILifecycle(Deprecated|Removed)\(\)[^{]*\{\s*return \d+, (\d+)\s/g
    for (const [, kind = '', what, minor] of readFileSync(file, 'utf8').matchAll(functions)) {
      if (kind.endsWith('List')) continue
      const lifecycle = found.get(kind) ?? {}
      found.set(kind, { ...lifecycle, [what === 'Removed' ? 'removed' : 'deprecated']: Number(minor) })
    }
    for (const [kind, { deprecated, removed }] of found)
      yield [`${apiVersion} ${kind}`, { deprecated, removed }]
  }
}

function groupOf(folder: string): string {
  for (const file of [join(folder, 'register.go'), join(folder, '..', 'register.go')]) {
    const name = /GroupName\s*=\s*"([^"]*)"/.exec(readFileSync(file, 'utf8'))?.[1]
    if (name !== undefined) return name
  }
  throw new Error(`no group name in ${folder}`)
}
