/** The program that the control plane runs from: built once for each state of `server/`, and kept in the clone. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'

const source = join(__dirname, 'server')
const cache = join(__dirname, '..', '..', '.cache')

/** Ends a build that hangs. From nothing and with two cores it takes 6 minutes. */
const longestBuild = 40 * 60_000

/**
 * The path of the binary. Builds it when there is none, which needs Go and takes minutes.
 *
 * The environment variable K8S_AF_TESTCLUSTER names one that is ready. Throws when the build fails.
 * @param lean etcd and kube-apiserver are enough
 */
export function binary(lean: boolean): string {
  const ready = process.env.K8S_AF_TESTCLUSTER
  if (ready) return ready
  const full = cached('full')
  if (!lean || existsSync(full)) return existsSync(full) ? full : build(full, [])
  const small = cached('lean')
  return existsSync(small) ? small : build(small, ['lean'])
}

function cached(variant: string): string {
  const hash = createHash('sha256')
  for (const file of readdirSync(source).sort()) hash.update(file).update(readFileSync(join(source, file)))
  return join(cache, `testcluster-${hash.digest('hex').slice(0, 12)}`, variant)
}

function build(target: string, tags: readonly string[]): string {
  console.error('building the control plane for the tests, which takes minutes the first time')
  mkdirSync(join(target, '..'), { recursive: true })
  const unfinished = `${target}.${process.pid}`
  const { status, error, signal } = spawnSync(
    'go',
    [
      'build',
      '-mod=readonly',
      '-trimpath',
      '-buildvcs=false',
      `-tags=${['grpcnotrace', ...tags].join(',')}`,
      `-ldflags=${linkerFlags()}`,
      `-o=${unfinished}`,
      '.',
    ],
    {
      cwd: source,
      env: { ...process.env, CGO_ENABLED: '0' },
      stdio: 'inherit',
      timeout: longestBuild,
    },
  )
  if (status !== 0)
    throw new Error(
      `the control plane cannot be built: ${error?.message ?? signal ?? `go ended with ${status}`}`,
    )
  renameSync(unfinished, target)
  return target
}

/** Without them a server calls itself v0.0.0-master. */
function linkerFlags(): string {
  const version = `v${kubernetesVersion()}`
  const [, major = '', minor = ''] = /^v(\d+)\.(\d+)/.exec(version) ?? []
  const values = {
    'k8s.io/component-base/version.gitVersion': version,
    'k8s.io/component-base/version.gitMajor': major,
    'k8s.io/component-base/version.gitMinor': minor,
    'k8s.io/component-base/version.gitTreeState': 'clean',
    'sigs.k8s.io/kwok/pkg/consts.Version': `v${required('sigs.k8s.io/kwok')}`,
  }
  return ['-s -w', ...Object.entries(values).map(([name, value]) => `-X ${name}=${value}`)].join(' ')
}

/** The version of the control plane that `server/go.mod` asks for: `1.36.3`. */
export function kubernetesVersion(): string {
  return required('k8s.io/kubernetes')
}

function required(module: string): string {
  const line = new RegExp(`^\\s*${module.replaceAll('.', '\\.')} v(\\S+)`, 'm')
  const version = line.exec(readFileSync(join(source, 'go.mod'), 'utf8'))?.[1]
  if (version === undefined) throw new Error(`server/go.mod does not require ${module}`)
  return version
}
