import {
  type Certificate,
  type Custom,
  certificatesIn,
  conditionOf,
  configurationsIn,
  dayOf,
  type Fault,
  firstOf,
  formatSpan,
  type Graph,
  groupOf,
  imageNamed,
  isControlPlane,
  isKind,
  type KubernetesObject,
  type Live,
  lastToEnd,
  type ObjectOf,
  rule,
  seconds,
  stringAt,
} from '../src/rule.js'

const kubeletConfiguration = 'kubelet.config.k8s.io/KubeletConfiguration'
const clusterConfiguration = 'kubeadm.k8s.io/ClusterConfiguration'
const clientSigner = 'kubernetes.io/kube-apiserver-client-kubelet'
const servingSigner = 'kubernetes.io/kubelet-serving'

/** What stands for the name of a node that has none yet. */
const newMachine = 'a new machine'

export default rule({
  title: 'Certificates of the cluster end, or are not renewed',
  category: 'control-plane',
  severity: 'error',
  why: `A kubelet talks to the API server with a client certificate, of a year by default, and asks for the next
one with a certificate signing request. When it doesn't ask, or nobody approves and signs, the API server refuses it
from the second that the old one ends, and the node turns NotReady; nodes that were made on one day go together. With
an authority (CA) of the cluster, often made for ten years, all that it has signed ends at once, and nothing renews it by
itself.`,
  remedy: 'Rotate the certificates, the authorities first, and look why requests are not approved or signed.',
  decides: `A KubeletConfiguration (a file, or in a ConfigMap) with \`rotateCertificates: false\`: a warning, unless kubeadm
reads it (beside a configuration of its own, or as \`kubelet-config\` of kube-system), which makes it true. A
ClusterConfiguration of kubeadm whose \`certificateValidityPeriod\` is below \`minDays\`: a warning. Where the rule
is asked for, \`serverTLSBootstrap: true\` and nothing in the input that approves the requests: an info.

In a cluster, certificate signing requests of kubelets that wait longer than \`minutes\` for approval or for their
signer: an error for client certificates (nodes can't join or go on), a warning for serving certificates
(logs, exec and metrics fail). All requests to one signer are one finding.

The authorities that the API server publishes (\`kube-root-ca.crt\`, \`extension-apiserver-authentication\`) are one
finding, at a node: the last certificate of a bundle ends within \`caDays\`, an error within a third of that. Those
made for less than a year are left alone, as whoever makes them renews them (OpenShift does).

Not looked at: the dates of other certificates, which are in files of machines and in Secrets.`,
  versions: 'kubeadm sets `rotateCertificates: true`; the default of the configuration file is `false`.',
  sources: [
    'k8s.io/kubelet/config/v1beta1/types.go',
    'kubernetes/cmd/kubeadm/app/componentconfigs/kubelet.go (Default: sets rotateCertificates whatever is written)',
    'kubernetes/cmd/kubeadm/app/apis/kubeadm/v1beta4/types.go (CertificateValidityPeriod)',
    'kubernetes/pkg/controller/certificates (and rootcacertpublisher)',
    'kubernetes/pkg/controlplane/controller/clusterauthenticationtrust',
  ],
  stories: ['webhookrelay-gke-certs', 'oath-101-ways'],
  params: {
    minutes: { type: 'integer', minimum: 0, default: 10, about: 'How long a request may wait.' },
    caDays: {
      type: 'integer',
      minimum: 0,
      default: 90,
      about:
        'Days before the end of an authority that are worth a finding: every client and node must learn the next one.',
    },
    minDays: {
      type: 'integer',
      minimum: 0,
      default: 30,
      about: 'The shortest certificateValidityPeriod of kubeadm that is fine.',
    },
  },
  for: [
    kubeletConfiguration,
    clusterConfiguration,
    'ConfigMap',
    'Node',
    'certificates.k8s.io/CertificateSigningRequest',
  ],
  check(subject, { graph, params, report }) {
    for (const fault of faultsOf(subject, graph, params)) report(...fault)
  },
})

interface Limits {
  readonly minutes: number
  readonly caDays: number
  readonly minDays: number
}

function faultsOf(
  subject: Custom | ObjectOf<'ConfigMap'> | ObjectOf<'Node'>,
  graph: Graph,
  limits: Limits,
): readonly Fault[] {
  const { live } = graph
  if (isKind(subject, 'Node')) return live ? faultsOfAuthorities(subject, graph, live, limits.caDays) : []
  if (subject.kind === 'CertificateSigningRequest')
    return live ? faultsOfRequests(subject, graph, live, limits.minutes) : []
  return [...faultsOfKubelet(subject, graph), ...faultsOfKubeadm(subject, limits.minDays)]
}

function faultsOfKubelet(subject: KubernetesObject, graph: Graph): readonly Fault[] {
  return configurationsIn(subject, kubeletConfiguration).flatMap(({ value, place }): Fault[] => {
    if (value.rotateCertificates === false && !isReadByKubeadm(subject, graph))
      return [
        [
          ...place(value, 'rotateCertificates'),
          'Nodes turn NotReady when the certificates of their kubelets end: rotation is off.',
          { severity: 'warning' },
        ],
      ]
    if (value.serverTLSBootstrap === true && !graph.live && !hasApprover(graph))
      return [
        [
          ...place(value, 'serverTLSBootstrap'),
          `Logs, exec and metrics of nodes fail until somebody approves their certificates: nothing in ${graph.source} does.`,
          { severity: 'info', recommended: false },
        ],
      ]
    return []
  })
}

function faultsOfKubeadm(subject: KubernetesObject, minDays: number): readonly Fault[] {
  return configurationsIn(subject, clusterConfiguration).flatMap(({ value, place }): Fault[] => {
    const lasts = seconds(stringAt(value, 'certificateValidityPeriod'))
    return lasts === undefined || lasts >= minDays * 86_400
      ? []
      : [
          [
            ...place(value, 'certificateValidityPeriod'),
            `The control plane stops ${formatSpan(lasts)} after kubeadm last made its certificates, unless somebody renews them: they last a year by default.`,
            { severity: 'warning' },
          ],
        ]
  })
}

/** All requests to one signer are one finding, at the oldest of them. */
function faultsOfRequests(
  subject: KubernetesObject,
  graph: Graph,
  live: Live,
  minutes: number,
): readonly Fault[] {
  const signer = stringAt(subject, 'spec', 'signerName')
  const waiting = graph
    .once('control-plane-cert-expiring: waiting-requests', () => waitingRequests(graph, live, minutes * 60))
    .filter((one) => stringAt(one, 'spec', 'signerName') === signer)
  const [oldest] = waiting
  if (subject !== oldest) return []
  const nodes = [...new Set(waiting.map(nodeOf))].sort()
  const what = isApproved(oldest) ? 'was approved, and nobody has signed it' : 'has waited for approval'
  const cause = `can't be made, a request ${what} for ${formatSpan((live.now - madeAt(oldest)) / 1000)}`
  return [
    [
      subject,
      'spec',
      `${effectOf(signer, nodes)} ${cause}.`,
      {
        severity: signer === clientSigner ? 'error' : 'warning',
        evidence:
          waiting.length > 1 ? [`${waiting.length} requests of ${firstOf(nodes)} wait for ${signer}`] : [],
      },
    ],
  ]
}

/** What it means that nodes wait for their certificates, up to the certificates. */
function effectOf(signer: string | undefined, nodes: readonly string[]): string {
  if (signer === clientSigner && nodes.every((one) => one === newMachine))
    return 'No machine can join as a node: the certificate that it asks for'
  const [node] = nodes
  const one = node === newMachine ? newMachine : `node ${node}`
  const who = nodes.length > 1 ? `${nodes.length} nodes` : one
  const own = nodes.length > 1 ? 'their certificates' : 'its certificate'
  return signer === clientSigner
    ? `The API server will refuse ${who}: ${own}`
    : `Logs, exec and metrics of ${who} fail: ${own}`
}

/**
 * Whether kubeadm reads the configuration, from a file or from the ConfigMap that it keeps.
 * Source: kubernetes/cmd/kubeadm/app/constants/constants.go (KubeletBaseConfigurationConfigMap).
 */
function isReadByKubeadm(subject: KubernetesObject, graph: Graph): boolean {
  return isKind(subject, 'ConfigMap')
    ? graph.namespaceOf(subject) === 'kube-system' &&
        /^kubelet-config(-\d+\.\d+)?$/.test(subject.metadata?.name ?? '')
    : graph.objects.some(
        (one) => groupOf(one.apiVersion ?? '') === 'kubeadm.k8s.io' && graph.apart(one, subject) === 0,
      )
}

interface Authority {
  readonly where: string
  readonly consequence: string
  /** Of its bundle the one that ends last. */
  readonly last: Certificate
}

/** What the API server tells everybody to trust, and what happens when that ends. The copies of all namespaces are equal. */
const published = [
  {
    map: 'kube-root-ca.crt',
    key: 'ca.crt',
    consequence: 'no pod and no kubelet trusts the API server',
  },
  {
    map: 'extension-apiserver-authentication',
    key: 'client-ca-file',
    consequence: 'the API server refuses the certificates of all nodes and of its own components',
  },
  {
    map: 'extension-apiserver-authentication',
    key: 'requestheader-client-ca-file',
    consequence: 'requests for metrics and all other aggregated APIs fail',
  },
] as const

const year = 365 * 86_400_000

/** All that end soon are one finding, at one node. */
function faultsOfAuthorities(
  node: ObjectOf<'Node'>,
  graph: Graph,
  live: Live,
  days: number,
): readonly Fault[] {
  const { ending, place } = graph.once('control-plane-cert-expiring: authorities', () => {
    const ending = endingAuthorities(graph, live, days)
    return { ending, place: ending.length > 0 ? placeOfAuthorities(graph) : undefined }
  })
  const [first] = ending
  if (!first || node !== place) return []
  const { last, consequence } = first
  const left = (last.notAfter - live.now) / 1000
  const day = dayOf(last.notAfter)
  return [
    [
      node,
      'metadata',
      left > 0
        ? `In ${formatSpan(left)} ${consequence}: the authority ${last.name} ends on ${day}.`
        : `Since ${day} ${consequence}: the authority ${last.name} ended.`,
      {
        severity: left * 3 < days * 86_400 ? 'error' : 'warning',
        evidence: ending.map((one) => `${one.where}: ${one.last.name} until ${dayOf(one.last.notAfter)}`),
      },
    ],
  ]
}

/** The authorities of the cluster that end soon, the first of them first. */
function endingAuthorities(graph: Graph, live: Live, days: number): readonly Authority[] {
  const maps = graph.seen('ConfigMap')
  return published
    .flatMap(({ map, key, consequence }): Authority[] => {
      const text = maps.find(
        ({ metadata }) =>
          metadata?.name === map && (map === 'kube-root-ca.crt' || metadata.namespace === 'kube-system'),
      )?.data?.[key]
      const last = lastToEnd(certificatesIn(text ?? '') ?? [])
      const isEnding =
        last && last.notAfter - last.notBefore >= year && last.notAfter - live.now < days * 86_400_000
      return isEnding ? [{ where: `${map} ${key}`, consequence, last }] : []
    })
    .sort((a, b) => a.last.notAfter - b.last.notAfter)
}

/** The node at which the authorities are reported: the first of the control plane, where those are known. */
function placeOfAuthorities(graph: Graph): ObjectOf<'Node'> | undefined {
  const nodes = [...graph.seen('Node')].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  return nodes.find(isControlPlane) ?? nodes[0]
}

function nameOf({ metadata }: ObjectOf<'Node'>): string {
  return metadata?.name ?? ''
}

/** Whether a controller that approves serving certificates of kubelets is there. */
function hasApprover(graph: Graph): boolean {
  return graph.workloads.some(
    ({ name, running }) =>
      /csr-approver|rubber-stamp|cert-approver/.test(name) ||
      running.some(({ image }) => imageNamed(image, ['csr-approver', 'rubber-stamp', 'cert-approver'])),
  )
}

/** The requests of kubelets that wait too long, the oldest first. */
function waitingRequests(graph: Graph, { now }: Live, seconds: number): readonly Custom[] {
  return graph
    .all('certificates.k8s.io/CertificateSigningRequest')
    .filter((one) => {
      const ended = conditionOf(one, 'Denied') ?? conditionOf(one, 'Failed')
      const signer = stringAt(one, 'spec', 'signerName') ?? ''
      return (
        [clientSigner, servingSigner].includes(signer) &&
        !ended &&
        stringAt(one, 'status', 'certificate') === undefined &&
        (now - madeAt(one)) / 1000 > seconds
      )
    })
    .sort((a, b) => madeAt(a) - madeAt(b) || (nodeOf(a) < nodeOf(b) ? -1 : 1))
}

function isApproved(request: Custom): boolean {
  return conditionOf(request, 'Approved') !== undefined
}

function madeAt({ metadata }: Custom): number {
  return Date.parse(metadata?.creationTimestamp ?? '')
}

/** The node that asks; one that joins asks as a bootstrap token. */
function nodeOf(request: Custom): string {
  const user = stringAt(request, 'spec', 'username') ?? ''
  return user.startsWith('system:node:') ? user.slice('system:node:'.length) : newMachine
}
