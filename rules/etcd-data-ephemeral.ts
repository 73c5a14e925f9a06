import {
  at,
  type Container,
  flagOf,
  type Graph,
  imageParts,
  isMirror,
  rule,
  type Volume,
  type Workload,
  wordsOf,
} from '../src/rule.js'

export default rule({
  title: 'etcd keeps its data where it does not outlive the pod',
  category: 'control-plane',
  severity: 'error',
  why: `A member that starts with an empty directory is not the member that the others know: it refuses to join,
or starts a cluster of its own. When all pods are replaced, by a node upgrade or a delete of the namespace,
everything in etcd is gone.`,
  remedy: 'Give each member a persistent volume, and try how a member joins again.',
  decides: `A container of the image \`etcd\` that runs etcd and whose \`--data-dir\` (or \`ETCD_DATA_DIR\`, or
the default beside the working directory) lies on an \`emptyDir\` or \`ephemeral\` volume, on the container's own file
system, or on a host path below \`/tmp\`, \`/run\` or \`/dev/shm\`. A warning for a single member: often a test, and it loses
everything with its first restart of the pod.

Exempt: Jobs, objects that a patch of a kustomization completes, and containers that run something else with
the image (\`etcdctl\`).`,
  falsePositives: 'Clusters for tests, and caches that can be made again: suppress with that reason.',
  sources: [
    'etcd documentation, configuration flags (data-dir)',
    'k8s.io/api/core/v1/types.go (EmptyDirVolumeSource, EphemeralVolumeSource)',
  ],
  stories: ['oath-101-ways'],
  for: 'Workload',
  check(workload, { graph, report }) {
    const loss = workload.batch ? undefined : lossOf(workload)
    if (!loss || graph.patched(workload.object)) return
    const { container, where, volume, fate } = loss
    const twins = isMirror(workload) ? twinsOf(workload, graph) : [workload]
    if (twins[0] !== workload) return
    const pods = Math.max(graph.fewestPods(workload)?.pods ?? 1, twins.length)
    const name = twins.length > 1 ? container.name : workload.name
    report(
      container.spec,
      container.spec.volumeMounts ? 'volumeMounts' : undefined,
      `${pods > 1 ? `Each of the ${pods} members of ${name} loses its data` : `All data of ${name} is lost`} with its ${volume?.hostPath ? 'node' : 'pod'}: ${where} is ${fate}.`,
      {
        severity: pods > 1 ? 'error' : 'warning',
        see: volume ? [at(workload.object, volume, undefined, 'the volume')] : [],
      },
    )
  },
})

/** The etcd pods that kubelets run from files on all machines, whose data is as volatile. */
function twinsOf({ object }: Workload, graph: Graph): readonly Workload[] {
  return graph.nearby(object).filter((one) => isMirror(one) && lossOf(one))
}

/** The container of etcd whose data goes with the pod or node, and where it keeps it. */
function lossOf(workload: Workload) {
  const container = workload.running.find(isEtcd)
  const where = container && dataDir(container)
  // Named by a variable of the pod or by a file.
  if (!container || where === undefined) return undefined
  const { mount, volume } = volumeAt(where, container, workload)
  const fate = fateOf(mount !== undefined, volume)
  return fate === undefined ? undefined : { container, where, volume, fate }
}

function isEtcd({ image, spec }: Container): boolean {
  const words = wordsOf(spec)
  return (
    image !== undefined &&
    imageParts(image).name === 'etcd' &&
    !words.some((word) => /\betcd(ctl|utl)\b/.test(word))
  )
}

/** The directory of the data, with the default of the image; undefined when it can't be told. */
function dataDir(container: Container): string | undefined {
  const { env = [], command = [], args = [], envFrom } = container.spec
  const flag = flagOf(container, 'data-dir')
  const variable = env.find(({ name }) => name === 'ETCD_DATA_DIR')
  const written = flag ?? variable?.value
  if (written !== undefined) return written.startsWith('/') ? clean(written) : undefined
  // Scripts and files of configuration may name it, too.
  const words = [...command, ...args].join(' ')
  if (variable || envFrom || /--data-dir|--config-file|\bsh\b|\bbash\b|\.sh\b/.test(words)) return undefined
  // By default a directory below the working directory, which no volume holds when there is none;
  // Bitnami's image has its own.
  if (/(^|\/)bitnami/.test(container.image ?? '')) return '/bitnami/etcd'
  return container.spec.volumeMounts ? undefined : '/default.etcd'
}

function clean(path: string): string {
  return path.replace(/\/+/g, '/').replace(/(.)\/$/, '$1')
}

/** The volume on which a path lies: that of the longest mount path above it. */
function volumeAt(path: string, container: Container, workload: Workload) {
  const [mount] = (container.spec.volumeMounts ?? [])
    .filter(({ mountPath }) => {
      const base = clean(mountPath ?? '')
      return base === '/' || path === base || path.startsWith(`${base}/`)
    })
    .sort((a, b) => (b.mountPath ?? '').length - (a.mountPath ?? '').length)
  return { mount, volume: (workload.pod.volumes ?? []).find(({ name }) => name === mount?.name) }
}

/** What happens to the volume's data; undefined when it stays. A mount without a volume is of a claim template. */
function fateOf(isMounted: boolean, volume: Volume | undefined): string | undefined {
  if (!isMounted) return 'on no volume'
  if (volume?.emptyDir) return 'an emptyDir, deleted with the pod'
  if (volume?.ephemeral) return 'an ephemeral volume, whose claim is deleted with the pod'
  const host = volume?.hostPath?.path
  return host !== undefined && /^\/(tmp|run|var\/run|dev\/shm)(\/|$)/.test(host)
    ? `${host} of the node, which a boot may empty`
    : undefined
}
