/**
 * Compares the table of retired API versions with the lifecycle functions that Kubernetes generates from the tags of its
 * types. Needs the Go toolchain, which downloads the modules; prints each difference and fails when there is one.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { retiredApi } from '../../src/schema/removed-apis.js'

/** Oldest first: what a later release says counts. Between them every kind that was ever tagged. */
const modules = [
  'k8s.io/api@v0.21.14',
  'k8s.io/apiextensions-apiserver@v0.21.14',
  'k8s.io/kube-aggregator@v0.21.14',
  ...['24.17', '26.15', '28.15', '30.14', '32.13', '34.4', '36.3', '37.0'].map(
    (version) => `k8s.io/api@v0.${version}`,
  ),
]

/**
 * Where the tags and what a server does differ: removed earlier than tagged, as the OpenAPI documents show, or no object
 * that anybody writes.
 */
const known = new Set([
  'certificates.k8s.io/v1alpha1 PodCertificateRequest',
  'coordination.k8s.io/v1alpha1 LeaseCandidate',
  'networking.k8s.io/v1alpha1 ClusterCIDR',
  'networking.k8s.io/v1alpha1 IPAddress',
  'networking.k8s.io/v1alpha1 ServiceCIDR',
  'resource.k8s.io/v1alpha3 DeviceClass',
  'resource.k8s.io/v1alpha3 ResourceClaim',
  'resource.k8s.io/v1alpha3 ResourceClaimTemplate',
  'resource.k8s.io/v1alpha3 ResourceSlice',
  'storage.k8s.io/v1alpha1 VolumeAttachment',
  'storagemigration.k8s.io/v1alpha1 StorageVersionMigration',
])
const unwritten = /Review|Eviction|DeploymentRollback|Scale|JobTemplate|APIGroupDiscovery/

interface Lifecycle {
  readonly deprecated: number | undefined
  readonly removed: number | undefined
}

const folder = mkdtempSync(join(tmpdir(), 'k8s-af-lifecycles-'))
execFileSync('go', ['mod', 'init', 'lifecycles'], { cwd: folder, stdio: 'ignore' })
const tagged = new Map<string, Lifecycle>()
for (const module of modules)
  for (const [key, lifecycle] of lifecyclesOf(download(module))) tagged.set(key, lifecycle)

let different = 0
for (const [key, { deprecated, removed }] of tagged) {
  const [apiVersion = '', kind = ''] = key.split(' ')
  if (removed === undefined || known.has(key) || unwritten.test(kind)) continue
  const ours = retiredApi(apiVersion, kind)
  // Beta versions are tagged years ahead; the table has them once they are deprecated.
  if (!ours && (deprecated ?? 0) > 37) continue
  if (ours?.removed === removed && ours.deprecated === deprecated) continue
  different++
  console.log(
    `${key}: tagged deprecated ${deprecated} removed ${removed}, in the table ${ours?.deprecated} ${ours?.removed}`,
  )
}
console.log(`${tagged.size} kinds compared, ${different} different`)
if (different > 0) process.exitCode = 1

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
