import {
  type Custom,
  conditionOf,
  configurationsIn,
  firstOf,
  formatSpan,
  type Graph,
  groupOf,
  imageNamed,
  isKind,
  type KubernetesObject,
  type Live,
  rule,
  seconds,
  stringAt,
} from '../src/rule.js'

const kubeletConfiguration = 'kubelet.config.k8s.io/KubeletConfiguration'
const clusterConfiguration = 'kubeadm.k8s.io/ClusterConfiguration'
const clientSigner = 'kubernetes.io/kube-apiserver-client-kubelet'
const servingSigner = 'kubernetes.io/kubelet-serving'

export default rule({
  title: 'Certificates of kubelets are not renewed',
  category: 'control-plane',
  severity: 'error',
  why: `A kubelet talks to the API server with a client certificate, of a year by default, and asks for the next
one with a certificate signing request. When it doesn't ask, or nobody approves and signs, the API server refuses it
from the second that the old one ends, and the node turns NotReady; nodes that were made on one day go together.`,
  remedy: 'Rotate the certificates, and look why requests are not approved or signed.',
  decides: `A KubeletConfiguration (a file, or in a ConfigMap) with \`rotateCertificates: false\`: a warning, unless kubeadm
reads it (beside a configuration of its own, or as \`kubelet-config\` of kube-system), which makes it true. A
ClusterConfiguration of kubeadm whose \`certificateValidityPeriod\` is below \`minDays\`: a warning. Where the rule
is asked for, \`serverTLSBootstrap: true\` and nothing in the input that approves the requests: an info.

In a cluster, certificate signing requests of kubelets that wait longer than \`minutes\` for approval or for their
signer: an error for client certificates (nodes can't join or go on), a warning for serving certificates
(logs, exec and metrics fail). All requests to one signer are one finding.

Not looked at: the dates of the certificates themselves, which are in files of machines and in Secrets.`,
  versions: 'kubeadm sets `rotateCertificates: true`; the default of the configuration file is `false`.',
  sources: [
    'k8s.io/kubelet/config/v1beta1/types.go',
    'kubernetes/cmd/kubeadm/app/componentconfigs/kubelet.go (Default: sets rotateCertificates whatever is written)',
    'kubernetes/cmd/kubeadm/app/apis/kubeadm/v1beta4/types.go (CertificateValidityPeriod)',
    'kubernetes/pkg/controller/certificates',
  ],
  stories: ['webhookrelay-gke-certs', 'oath-101-ways'],
  params: {
    minutes: { type: 'integer', minimum: 0, default: 10, about: 'How long a request may wait.' },
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
    'certificates.k8s.io/CertificateSigningRequest',
  ],
  check(subject, { graph, params, report }) {
    if (subject.kind !== 'CertificateSigningRequest') {
      for (const { value, place } of configurationsIn(subject, kubeletConfiguration))
        if (value.rotateCertificates === false && !isReadByKubeadm(subject, graph))
          report(
            ...place(value, 'rotateCertificates'),
            'Nodes turn NotReady when the certificates of their kubelets end: rotation is off.',
            { severity: 'warning' },
          )
        else if (value.serverTLSBootstrap === true && !graph.live && !hasApprover(graph))
          report(
            ...place(value, 'serverTLSBootstrap'),
            `Logs, exec and metrics of nodes fail until somebody approves their certificates: nothing in ${graph.source} does.`,
            { severity: 'info', recommended: false },
          )
      for (const { value, place } of configurationsIn(subject, clusterConfiguration)) {
        const lasts = seconds(stringAt(value, 'certificateValidityPeriod'))
        if (lasts !== undefined && lasts < params.minDays * 86_400)
          report(
            ...place(value, 'certificateValidityPeriod'),
            `The control plane stops ${formatSpan(lasts)} after kubeadm last made its certificates, unless somebody renews them: they last a year by default.`,
            { severity: 'warning' },
          )
      }
      return
    }
    const { live } = graph
    if (!live) return
    const signer = stringAt(subject, 'spec', 'signerName')
    const waiting = graph
      .once('control-plane-cert-expiring: waiting-requests', () =>
        waitingRequests(graph, live, params.minutes * 60),
      )
      .filter((one) => stringAt(one, 'spec', 'signerName') === signer)
    const [oldest] = waiting
    if (subject !== oldest) return
    const nodes = [...new Set(waiting.map(nodeOf))].sort()
    const [node] = nodes
    const who = nodes.length === 1 ? `node ${node}` : `${nodes.length} nodes`
    const own = nodes.length === 1 ? 'its certificate' : 'their certificates'
    const span = formatSpan((live.now - madeAt(oldest)) / 1000)
    const what = isApproved(oldest) ? 'was approved, and nobody signs it' : 'waits for approval'
    report(
      subject,
      'spec',
      signer === clientSigner
        ? `The API server will refuse ${who}: ${own} can't be made, a request ${what} for ${span}.`
        : `Logs, exec and metrics of ${who} fail: ${own} can't be made, a request ${what} for ${span}.`,
      {
        severity: signer === clientSigner ? 'error' : 'warning',
        evidence:
          waiting.length > 1 ? [`${waiting.length} requests of ${firstOf(nodes)} wait for ${signer}`] : [],
      },
    )
  },
})

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
  return user.startsWith('system:node:') ? user.slice('system:node:'.length) : 'a new machine'
}
