import {
  advise,
  type Container,
  type Custom,
  type Fault,
  flagOf,
  formatSeconds,
  imageNamed,
  isWorkload,
  numberAt,
  objectAt,
  objectsAt,
  rule,
  seconds,
  stringAt,
  valueAt,
  type Workload,
  wordsOf,
} from '../src/rule.js'

export default rule({
  title: 'Metrics are gone with the pod that holds them',
  category: 'observability',
  severity: 'info',
  why: `The incident that you will want to understand usually restarts the monitoring, too. With its data on
an emptyDir, or nothing kept for longer than a day, there is nothing left for the post-mortem.`,
  remedy: 'Put the data on a PersistentVolume, or write it to a remote store.',
  decides: `Reported are

- Prometheus resources without \`storage\` (which means emptyDir) or with \`storage.emptyDir\`, and without
  \`remoteWrite\`;
- Prometheus, VictoriaMetrics and Loki workloads whose data folder is an emptyDir, and where the rule is asked for,
  on no volume at all;
- a VMSingle without \`storage\`;
- a retention below \`minRetention\`, as are the 24 hours of a Prometheus resource that names none.

Agents that only forward are exempt.`,
  falsePositives: 'Prometheus that only evaluates alerts, with a Thanos or Mimir store behind it.',
  sources: [
    'Prometheus Operator API reference (PrometheusSpec)',
    'prometheus-operator/pkg/prometheus/server/statefulset.go (defaultRetention)',
    'Prometheus documentation, storage',
    'VictoriaMetrics operator documentation, VMSingle',
    'VictoriaMetrics/lib/flagutil/duration.go (a number alone is months)',
  ],
  stories: ['dfds-pvc-stuck', 'oneandone-open-issues', 'nunl-elastalert-oom'],
  params: {
    minRetention: {
      type: 'string',
      pattern: '^([0-9]+(ms|[smhdwy]))+$',
      default: '168h',
      about:
        'The shortest retention that is enough for a post-mortem (a Go duration, or Prometheus units such as 7d).',
    },
  },
  for: ['monitoring.coreos.com/Prometheus', 'operator.victoriametrics.com/VMSingle', 'Workload'],
  check(subject, { params, report }) {
    const enough = duration(params.minRetention) ?? 0
    const fault = isWorkload(subject)
      ? faultOfServer(subject, enough)
      : subject.kind === 'VMSingle'
        ? faultOfSingle(subject, enough)
        : faultOfPrometheus(subject, enough)
    if (fault) report(...fault)
  },
})

/** What is wrong with a Prometheus of the operator. */
function faultOfPrometheus(subject: Custom, enough: number): Fault | undefined {
  const spec = objectAt(subject, 'spec')
  const isSentOn =
    objectsAt(spec, 'remoteWrite').length > 0 ||
    valueAt(spec, 'thanos', 'objectStorageConfig') !== undefined ||
    valueAt(spec, 'thanos', 'objectStorageConfigFile') !== undefined
  if (!spec || isSentOn) return undefined
  const storage = objectAt(spec, 'storage')
  if (!storage || (storage.volumeClaimTemplate === undefined && storage.ephemeral === undefined))
    return [
      spec,
      'storage',
      `${lossOf(subject.metadata?.name ?? 'this Prometheus', numberAt(spec, 'replicas'))}: they are on an emptyDir.`,
      { fix: advise('storage.volumeClaimTemplate with the space for your retention') },
    ]
  const isBounded = ['retention', 'retentionSize', 'retentionPercentage'].some(
    (field) => spec[field] !== undefined,
  )
  const message = isBounded
    ? shortRetention(stringAt(spec, 'retention'), enough)
    : shortRetention(defaultRetention, enough, ", the operator's default")
  return message === undefined ? undefined : [spec, 'retention', message]
}

/** What the operator tells a Prometheus that has no bound of time or size. Source: its pkg/prometheus/server/statefulset.go. */
const defaultRetention = '24h'

/** What is wrong with a VMSingle: without storage its operator takes an emptyDir. Source: VictoriaMetrics operator, API reference. */
function faultOfSingle(subject: Custom, enough: number): Fault | undefined {
  const spec = objectAt(subject, 'spec')
  if (!spec) return undefined
  if (spec.storage === undefined && spec.storageDataPath === undefined)
    return [spec, 'storage', `${lossOf(subject.metadata?.name ?? 'this VMSingle')}: they are on an emptyDir.`]
  const message = shortRetention(inMonths(stringAt(spec, 'retentionPeriod')), enough)
  return message === undefined ? undefined : [spec, 'retentionPeriod', message]
}

/** What is wrong with a workload that runs a metrics server by itself. */
function faultOfServer(workload: Workload, enough: number): Fault | undefined {
  const container = workload.running.find(({ image }) => imageNamed(image, servers))
  if (
    !container ||
    workload.batch ||
    workload.kind === 'DaemonSet' ||
    imageNamed(container.image, companions)
  )
    return undefined
  const words = wordsOf(container.spec).join(' ')
  if (/--agent\b|--enable-feature=\S*agent|remote[._-]?write/i.test(words)) return undefined
  const written = flagOf(container, 'storage.tsdb.path') ?? flagOf(container, 'storageDataPath')
  const path = written?.startsWith('/') ? written : defaultPath(container, written)
  if (path === undefined) return undefined
  const mount = (container.spec.volumeMounts ?? []).find((one) =>
    `${path}/`.startsWith(`${(one.mountPath ?? '-').replace(/\/$/, '')}/`),
  )
  const volume = workload.pod.volumes?.find((one) => one.name === mount?.name)
  const loss = lossOf(workload.name, workload.scale?.replicas)
  // Loki's configuration may put all but its index into object storage.
  const isCertain = written !== undefined
  if (mount && volume?.emptyDir)
    return [volume, 'emptyDir', `${loss}: ${path} is on an emptyDir.`, { recommended: isCertain }]
  if (!mount)
    return [
      container.spec,
      container.spec.volumeMounts ? 'volumeMounts' : undefined,
      `${loss}: ${path} is on no volume.`,
      { recommended: false },
    ]
  const retention =
    flagOf(container, 'storage.tsdb.retention.time') ?? inMonths(flagOf(container, 'retentionPeriod'))
  const message = shortRetention(retention, enough)
  return message === undefined
    ? undefined
    : [container.spec, container.spec.args ? 'args' : 'command', message]
}

/** Where the data is when no flag says so: the working directory of Prometheus' image, or what is mounted for Loki. */
function defaultPath({ image = '', spec }: Container, written: string | undefined): string | undefined {
  if (/(^|\/)prom\/prometheus(:|@|$)|prometheus\/prometheus(:|@|$)/.test(image))
    return written === undefined ? '/prometheus' : `/prometheus/${written.replace(/^\.\//, '')}`
  return imageNamed(image, ['loki'])
    ? (spec.volumeMounts ?? [])
        .map(({ mountPath }) => mountPath)
        .find((one) => /^\/(var\/)?(loki|data)\/?$/.test(one ?? ''))
    : undefined
}

const servers = ['prometheus', 'victoria-metrics', 'loki']
/** What stands beside a server, or is named after it. */
const companions = ['operator', 'config-reloader', 'prometheus-operator', 'adapter', 'prometheus-adapter']

function shortRetention(text: string | undefined, enough: number, why = ''): string | undefined {
  const kept = text === undefined ? undefined : duration(text)
  return kept !== undefined && kept < enough
    ? `Metrics are gone before most post-mortems are written: ${formatSeconds(kept)} are kept${why}.`
    : undefined
}

/** To VictoriaMetrics a number without a unit is one of months, of 31 days each. Source: lib/flagutil/duration.go. */
function inMonths(text: string | undefined): string | undefined {
  return text !== undefined && /^\d+$/.test(text) ? `${Number(text) * 31}d` : text
}

/** Replicas hold the same metrics: what one loses the others have, until they move, too. */
function lossOf(name: string, replicas = 1): string {
  return replicas > 1
    ? `A pod of ${name} that moves loses its metrics, and an upgrade of all nodes moves all ${replicas}`
    : `All metrics of ${name} are lost when its pod moves`
}

/** Prometheus' durations know days, weeks and years besides Go's units. */
function duration(text: string): number | undefined {
  const match = /^(\d+)(d|w|y)$/.exec(text)
  if (!match) return seconds(text)
  return Number(match[1]) * (match[2] === 'd' ? 86400 : match[2] === 'w' ? 604800 : 31536000)
}
