import {
  at,
  type Container,
  imageParts,
  objectsAt,
  rule,
  stringAt,
  type Volume,
  type Workload,
} from '../src/rule.js'

/** The servers of databases and queues by the names of their images, with the program that serves. */
const servers: ReadonlyMap<string, RegExp> = new Map([
  ['cassandra', /\bcassandra\b/],
  ['clickhouse-server', /\bclickhouse\b/],
  ['couchdb', /\bcouchdb\b/],
  ['elasticsearch', /\belasticsearch\b/],
  ['influxdb', /\binfluxd\b/],
  ['mariadb', /\b(mysqld|mariadbd)\b/],
  ['mongo', /\bmongod\b/],
  ['mongodb', /\bmongod\b/],
  ['mysql', /\bmysqld\b/],
  ['neo4j', /\bneo4j\b/],
  ['opensearch', /\bopensearch\b/],
  ['postgis', /\bpostgres\b/],
  ['postgres', /\bpostgres\b/],
  ['postgresql', /\bpostgres\b/],
  ['rabbitmq', /\brabbitmq-server\b/],
  ['timescaledb', /\bpostgres\b/],
])

const kinds = ['Deployment', 'StatefulSet', 'ReplicaSet', 'ReplicationController', 'DaemonSet']

export default rule({
  title: 'A database loses its data with its pod',
  category: 'storage',
  severity: 'info',
  why: `What a container writes beside its volumes, or on an \`emptyDir\`, is gone when its pod is replaced: by a
rollout, a drain, an upgrade or the loss of its node. The next pod of the database starts empty, and nothing
says so: its probes succeed, and applications make their tables again.`,
  remedy: 'Mount a PersistentVolumeClaim where the database keeps its data.',
  decides: `A Deployment, StatefulSet or other controller with a container of the image of a database or queue (by
the last part of its name: \`postgres\`, \`mysql\`, \`mariadb\`, \`mongo\`, \`rabbitmq\`, \`elasticsearch\` and
their like) that mounts no volume which outlives the pod: nothing but ConfigMaps, Secrets, \`emptyDir\` and
\`ephemeral\` volumes, whose claim is deleted with the pod, and \`image\` volumes, which are read-only. One
finding per workload.

Exempt: Jobs and single Pods, containers whose command is not the server, workloads that a patch of a kustomization
completes, and those scaled to zero.`,
  falsePositives:
    'Databases for tests and demonstrations, and replicas that are filled again from elsewhere.',
  sources: [
    'k8s.io/api/core/v1/types.go (EmptyDirVolumeSource, EphemeralVolumeSource)',
    'Documentation of the images named',
  ],
  stories: ['oath-101-ways'],
  for: 'Workload',
  check(workload, { graph, report }) {
    if (!kinds.includes(workload.kind) || workload.controlled || graph.patched(workload.object)) return
    const pods = graph.fewestPods(workload)?.pods ?? 1
    const container = pods > 0 ? workload.running.find((one) => isServer(one)) : undefined
    if (!container || container.spec.volumeDevices?.length) return
    const mounted = (container.spec.volumeMounts ?? []).map(({ name }) => volumeNamed(name ?? '', workload))
    if (mounted.some((volume) => !volume || outlivesPod(volume))) return
    const scratch = mounted.find((volume) => volume?.emptyDir ?? volume?.ephemeral)
    const owner =
      pods > 1
        ? `Each of the ${pods} pods of ${workload.name} loses its data when it is replaced`
        : `All data of ${workload.name} is lost when its pod is replaced`
    report(
      container.spec,
      container.spec.volumeMounts ? 'volumeMounts' : undefined,
      `${owner}: container ${container.name} has ${scratch ? `an ${scratch.emptyDir ? 'emptyDir' : 'ephemeral volume'} and no other volume for it` : 'no volume for it'}.`,
      { see: scratch ? [at(workload.object, scratch, scratch.emptyDir ? 'emptyDir' : 'ephemeral')] : [] },
    )
  },
})

/** Whether the container runs the server of its image, and not a client or a script. */
function isServer({ image, spec }: Container): boolean {
  const program = image === undefined ? undefined : servers.get(imageParts(image).name)
  if (!program) return false
  const [first = '', ...others] = [...(spec.command ?? []), ...(spec.args ?? [])]
  return (
    first === '' || (!spec.command && first.startsWith('-')) || program.test([first, ...others].join(' '))
  )
}

/**
 * Undefined for a mount of a claim template, which takes the place of a volume of the same name.
 * Source: kubernetes/pkg/controller/statefulset/stateful_set_utils.go (updateStorage).
 */
function volumeNamed(name: string, { object, pod }: Workload): Volume | undefined {
  const isClaimed = objectsAt(object, 'spec', 'volumeClaimTemplates').some(
    (template) => stringAt(template, 'metadata', 'name') === name,
  )
  return isClaimed ? undefined : pod.volumes?.find((volume) => volume.name === name)
}

function outlivesPod(volume: Volume): boolean {
  const { emptyDir, ephemeral, image, configMap, secret, projected, downwardAPI } = volume
  return !(emptyDir || ephemeral || image || configMap || secret || projected || downwardAPI)
}
