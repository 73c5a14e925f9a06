import { at, type Graph, imageNamed, rule, type Workload } from '../src/rule.js'

export default rule({
  title: 'The provider of credentials is down, alone or throttled',
  category: 'identity',
  severity: 'error',
  why: `Pods wait for their Secrets, and Secrets wait for the controller that makes them. When it is scaled
down, evicted or throttled, running pods live on what they have until it expires; new ones do not start. Its
queue then grows, and it comes back slower than it went.`,
  remedy: 'Run it with two replicas, a priority class and a budget, and without a CPU limit.',
  decides: `A workload whose image is one of \`providerImages\`, while the input has objects that depend on
it (ExternalSecrets, SealedSecrets, Certificates, SecretProviderClasses, pods with the secrets-store CSI
driver). An error with zero replicas; a warning for a CPU limit, or a single replica that no budget guards
and no priority class protects. One finding, with all causes.`,
  sources: [
    'Documentation of external-secrets, sealed-secrets, cert-manager and the Secrets Store CSI driver',
  ],
  stories: ['zalando-credentials-queue', 'dfds-kiam-cert'],
  params: {
    providerImages: {
      type: 'array',
      items: { type: 'string' },
      default: [
        'external-secrets',
        'secrets-store-csi',
        'vault-k8s',
        'sealed-secrets-controller',
        'bitnami-sealed-secrets-controller',
        'credentials-provider',
        'cert-manager-controller',
        'kiam',
      ],
      about: 'Parts of image names of providers.',
    },
  },
  unless: ['iam-agent-unprotected'],
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const container = workload.running.find(({ image }) => imageNamed(image, params.providerImages))
    const consumer =
      container && !workload.batch ? graph.once('consumers', () => consumerIn(graph)) : undefined
    if (!container || !consumer) return
    const fewest = graph.fewestPods(workload)
    const see = [at(consumer, consumer, undefined, 'depends on it')]
    if (fewest?.pods === 0) {
      report(
        fewest.node,
        fewest.field,
        `New pods that need credentials do not start: ${workload.name}, which makes them, runs no pods.`,
        { see },
      )
      return
    }
    const { limits } = container.spec.resources ?? {}
    const causes: string[] = []
    if (limits?.cpu !== undefined) causes.push(`its CPU is throttled at ${limits.cpu}`)
    if (fewest?.pods === 1 && !workload.pod.priorityClassName && graph.budgetsOf(workload).length === 0)
      causes.push('its only pod has neither priority nor budget')
    if (causes.length === 0) return
    report(
      limits?.cpu !== undefined && limits ? limits : (fewest?.node ?? workload.object),
      limits?.cpu !== undefined ? 'cpu' : fewest?.field,
      `New pods wait for their credentials when ${workload.name} is slow or gone: ${causes.join(', and ')}.`,
      { severity: 'warning', see },
    )
  },
})

const kinds = [
  'external-secrets.io/ExternalSecret',
  'bitnami.com/SealedSecret',
  'cert-manager.io/Certificate',
  'secrets-store.csi.x-k8s.io/SecretProviderClass',
  'zalando.org/PlatformCredentialsSet',
] as const

function consumerIn(graph: Graph): object | undefined {
  const custom = kinds.map((kind) => graph.all(kind)[0]).find((one) => one !== undefined)
  const mounts = (workload: Workload) =>
    workload.pod.volumes?.some((volume) => volume.csi?.driver === 'secrets-store.csi.k8s.io')
  return custom ?? graph.workloads.find(mounts)?.object
}
