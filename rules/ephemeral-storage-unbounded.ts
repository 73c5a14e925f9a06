import {
  type Container,
  counted,
  evictionsOf,
  type Fault,
  flagOf,
  formatEvictions,
  type Graph,
  rule,
  set,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A pod may fill memory or disk of its node through a volume',
  category: 'resources',
  severity: 'info',
  why: `An emptyDir lives on the node's disk, or in its memory with \`medium: Memory\`. Without
\`sizeLimit\` a log or cache that grows takes the disk, and the kubelet evicts pods of others; a memory
volume counts as memory of the pod and grows to its limit, or to all that the node has.`,
  remedy: 'Set `sizeLimit`.',
  decides: `\`emptyDir\` without \`sizeLimit\` in a workload behind a Service or a DaemonSet: a warning for
\`medium: Memory\` when no running container has a memory limit, else an info; volumes on disk only with \`disk\`.
Where the rule is asked for: other workloads that are no Jobs, and an info for containers that log in detail and
neither request nor limit ephemeral storage. One finding per workload.

In a cluster an error: the kubelet evicted pods of the workload because they exceeded a limit of local
storage, or because the disk of their node was full and, by its message, a container had written 1Gi more
than it requests.

Exempt: volumes for sockets, shared memory and temporary files only (mounted at or below /tmp, /run,
/var/run, /dev/shm): what they hold rarely outlives the process, and its memory limit, or the finding that
there is none, covers them.`,
  versions:
    'Memory volumes are bounded by the pod limit or the node allocatable from 1.22 (SizeMemoryBackedVolumes).',
  sources: ['kubernetes/pkg/volume/emptydir/empty_dir.go'],
  stories: ['bluematador-node-oom', 'betz-log-tailing', 'zalando-misc-races'],
  params: { disk: { type: 'boolean', default: false, asked: true, about: 'Report volumes on disk, too.' } },
  for: 'Workload',
  check(workload, { graph, params, report, isAsked }) {
    const filled = filledDisk(workload, graph)
    if (filled) return report(...filled)
    if (workload.batch) return
    const loud =
      isAsked &&
      workload.running.find((container) => isLoud(container) && !isStorageLimited(container, workload))
    if (loud)
      report(
        loud.spec,
        'resources',
        `Logs of ${loud.name} may fill the node's disk, and pods of others are evicted for it: it logs in detail, and has no limit of ephemeral storage.`,
        {
          severity: 'info',
          recommended: false,
          symptomOf: { rules: ['log-volume-excessive'], objects: [workload.object] },
        },
      )
    const isServing = workload.kind === 'DaemonSet' || graph.servicesOf(workload).length > 0
    if (!isServing && !isAsked) return
    const open = (workload.pod.volumes ?? []).find(
      ({ name, emptyDir }) =>
        emptyDir !== undefined &&
        emptyDir !== null &&
        emptyDir.sizeLimit === undefined &&
        (emptyDir.medium === 'Memory' || params.disk) &&
        !onlyTemporary(workload, name),
    )
    if (open) report(...withoutLimit(open, workload, isServing))
  },
})

/** That pods were evicted for what they have written, more than their node was merely short of. */
function filledDisk(workload: Workload, graph: Graph): Fault | undefined {
  const evicted = evictionsOf(workload, graph.live, 'disk').filter(
    ({ message, excess }) =>
      !message.includes('low on resource') || (excess && excess.used - excess.requested > 2 ** 30),
  )
  const [first] = evicted
  if (!first) return undefined
  const named = /EmptyDir volume "([^"]+)"/.exec(first.message)?.[1]
  const volume = workload.pod.volumes?.find(({ name }) => name === named)
  const spec = workload.containers.find(({ name }) => name === first.excess?.container)?.spec
  return [
    volume ?? spec ?? workload.object,
    volume ? 'emptyDir' : spec && 'resources',
    `Pods of ${workload.name} fill the disk of their node and are evicted: ${counted(evicted.length, 'pod')} within a day.`,
    { severity: 'error', evidence: [formatEvictions(evicted), first.message] },
  ]
}

type Volume = NonNullable<Workload['pod']['volumes']>[number]

/** That nothing bounds a volume: one in memory is bounded by the limit of the pod, where it has one. */
function withoutLimit(volume: Volume, workload: Workload, isServing: boolean): Fault {
  const { name = '', emptyDir } = volume
  const memory = emptyDir?.medium === 'Memory'
  const unlimited =
    workload.running.every(({ spec }) => spec.resources?.limits?.memory === undefined) &&
    workload.pod.resources?.limits?.memory === undefined
  return [
    volume,
    'emptyDir',
    memory
      ? `Volume ${name} may take all memory of ${unlimited ? 'the node' : 'the pod'}: it is in memory and has no size limit.`
      : `Volume ${name} may fill the node's disk, and pods of others are evicted for it.`,
    {
      severity: memory && unlimited ? 'warning' : 'info',
      recommended: isServing,
      fix: set(volume, 'emptyDir', { ...emptyDir, sizeLimit: '1Gi' }, 'emptyDir.sizeLimit'),
    },
  ]
}

/** Whether its variables or flags ask for debug logs, as klog has them from 4 on. */
function isLoud(container: Container): boolean {
  const isDebug = (text: string | undefined) => /^(debug|trace)$/i.test(text ?? '')
  return (
    (container.spec.env ?? []).some(({ name = '', value }) => /LOG_?LEVEL$/i.test(name) && isDebug(value)) ||
    ['log-level', 'loglevel', 'log.level'].some((flag) => isDebug(flagOf(container, flag))) ||
    Number(flagOf(container, 'v')) >= 4
  )
}

function isStorageLimited({ spec }: Container, { pod }: Workload): boolean {
  return [spec.resources, pod.resources].some(
    (one) =>
      one?.limits?.['ephemeral-storage'] !== undefined || one?.requests?.['ephemeral-storage'] !== undefined,
  )
}

function onlyTemporary(workload: Workload, volume: string | undefined): boolean {
  const mounts = workload.containers.flatMap(({ spec }) =>
    (spec.volumeMounts ?? []).filter((mount) => mount.name === volume),
  )
  return (
    mounts.length > 0 &&
    mounts.every((mount) => /^(\/tmp|\/run|\/var\/run|\/dev\/shm)(\/|$)/.test(mount.mountPath ?? ''))
  )
}
