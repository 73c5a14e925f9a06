import {
  type Container,
  isWorkload,
  objectAt,
  objectsAt,
  quantity,
  rule,
  set,
  stringAt,
} from '../src/rule.js'

const mebi = 2 ** 20

export default rule({
  title: 'A quantity in the wrong unit',
  category: 'resources',
  severity: 'warning',
  why: `In a quantity \`m\` means a thousandth and a bare number counts bytes or cores: \`memory: 100m\` is a
tenth of a byte, \`memory: 512\` half a kilobyte, \`cpu: 500\` five hundred cores. The API server takes them
all, for the first with a warning. A container with such a memory limit is killed while it starts, a
request for that many cores keeps the pod Pending, and one for a few bytes reserves nothing.`,
  remedy: 'Write the unit: `Mi` or `Gi` for memory and storage, `m` for thousandths of a core.',
  decides: `Memory and ephemeral storage of containers and the storage of claims below 1Mi, and CPU requests of
\`cores\` or more (the limit, where there is no request). Zero is left alone: it says on purpose that nothing is
wanted. A memory limit that small is an error, for no process can start with it. What the API server refuses
(\`1GB\`, \`1gi\`) is reported by \`invalid-value\`.`,
  versions: 'Tried with a kube-apiserver 1.36: all are taken, fractions of a byte with a warning.',
  sources: [
    'k8s.io/apimachinery/pkg/api/resource/quantity.go',
    'kubernetes/pkg/api/pod/warnings.go',
    'kubernetes/pkg/kubelet/kuberuntime/kuberuntime_container_linux.go',
  ],
  stories: [],
  params: {
    cores: { type: 'integer', minimum: 2, default: 250, about: 'The fewest cores that no container means.' },
  },
  for: ['Workload', 'PersistentVolumeClaim'],
  check(subject, { params, report }) {
    const slips = isWorkload(subject)
      ? [
          ...subject.containers.flatMap((container) => slipsOf(container, params.cores)),
          ...objectsAt(subject.object, 'spec', 'volumeClaimTemplates').flatMap(claimSlips),
        ]
      : claimSlips(subject)
    for (const { node, resource, message, severity, meant } of slips)
      report(node, resource, message, {
        severity,
        onValue: true,
        label: meant && `did you mean ${meant}?`,
        fix: meant === undefined ? undefined : set(node, resource, meant),
      })
  },
})

interface Slip {
  readonly node: object
  readonly resource: string
  readonly message: string
  readonly severity: 'error' | 'warning'
  readonly meant: string | undefined
}

/** At most one for each resource: the limit's, or else the request's. */
function slipsOf({ name, spec }: Container, cores: number): Slip[] {
  const { limits, requests } = spec.resources ?? {}
  const asked = requests?.cpu === undefined ? limits : requests
  const slips: Slip[] = []
  const add = (node: Amounts, resource: string, severity: Slip['severity'], message: string) =>
    slips.push({ node, resource, severity, message, meant: meantBy(node[resource] ?? '', resource) })
  if (asked && (quantity(asked.cpu) ?? 0) >= cores)
    add(
      asked,
      'cpu',
      'warning',
      `Pods stay Pending: container ${name} asks for ${asked.cpu} cores, more than almost any node has.`,
    )
  for (const [resource, what] of [
    ['memory', 'memory'],
    ['ephemeral-storage', 'ephemeral storage'],
  ] as const) {
    const node = [limits, requests].find((one) => isTiny(one?.[resource]))
    if (!node) continue
    const shown = inBytes(node[resource] ?? '')
    if (node === requests)
      add(
        node,
        resource,
        'warning',
        `The scheduler reserves next to nothing for container ${name}: its ${what} request is ${shown}.`,
      )
    else if (resource === 'memory')
      add(node, resource, 'error', `Container ${name} cannot start: its memory limit is ${shown}.`)
    else
      add(
        node,
        resource,
        'warning',
        `Container ${name} is evicted as soon as it writes: its limit of ${what} is ${shown}.`,
      )
  }
  return slips
}

type Amounts = Readonly<Record<string, string | undefined>>

function isTiny(text: string | undefined): boolean {
  const amount = quantity(text) ?? 0
  return amount > 0 && amount < mebi
}

function claimSlips(claim: object): Slip[] {
  const node = objectAt(claim, 'spec', 'resources', 'requests')
  const text = node && stringAt(node, 'storage')
  if (!node || text === undefined || !isTiny(text)) return []
  const message = `The claim asks for ${inBytes(text)}: the volume gets the driver's least size, or none.`
  return [{ node, resource: 'storage', message, severity: 'warning', meant: meantBy(text, 'storage') }]
}

/** `100m, 0.1 of a byte`, `512 bytes`, `64k bytes`. */
function inBytes(text: string): string {
  const amount = quantity(text) ?? 0
  return amount < 1
    ? `${text}, ${Number(amount.toPrecision(3))} of a byte`
    : `${text} ${amount === 1 ? 'byte' : 'bytes'}`
}

/** `100m` → `100Mi` of memory; `500` and `500M` → `500m` of a core. */
function meantBy(text: string, resource: string): string | undefined {
  const [, number, unit] = /^([\d.]+)(m|M|)$/.exec(text) ?? []
  if (number === undefined || (resource !== 'cpu' && unit === 'M')) return undefined
  return resource === 'cpu' ? `${number}m` : `${number}Mi`
}
