import {
  at,
  conditionOf,
  formatCondition,
  formatSpan,
  type Graph,
  imageNamed,
  isReady,
  type KindName,
  type KubernetesObject,
  type Live,
  type Pod,
  placeOfCount,
  presentPods,
  rule,
  troubles,
  unreadyFor,
  unreadySince,
  type Workload,
  wordsOf,
} from '../src/rule.js'

export default rule({
  title: 'The provider of credentials is down, alone or throttled',
  category: 'identity',
  severity: 'error',
  why: `Pods wait for their Secrets, and Secrets wait for the controller that makes them. When it is scaled
down, evicted or throttled, running pods live on what they have until it expires; new ones wait for what is not made
yet, or start without it. Its queue then grows, and it comes back slower than it went.`,
  remedy: 'Run it with two replicas, a priority class and a budget, and without a CPU limit.',
  decides: `A workload whose image is one of \`providerImages\`, while the input has objects that depend on it:
ExternalSecrets, SealedSecrets or Certificates for their own controller, annotated pods for Vault's injector and
kiam, volumes for the secrets-store CSI driver, and all of these for others. Where the rule is asked for, also
without any of these. An error with zero replicas; a warning where an autoscaler may leave none, for a CPU limit, and, where pods ask the provider
themselves, for a single replica that no budget guards and no priority class protects: Secrets that exist outlive
their controller's restart (an info where the rule is asked for). One finding, with all causes. Workloads that run
the same image as webhook or for its certificate are left alone.

In a cluster: an error when none of its pods has been ready for two minutes, a warning when at least three
ExternalSecrets or SealedSecrets, and half of all, are not: then what it asks is away, or refuses it.`,
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
        'csi-secrets-store',
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
    if (!container || workload.batch || makesNothing(workload)) return
    const provider = providers.find(({ image }) => imageNamed(container.image, [image]))
    const consumer = graph.once(`consumer of ${provider?.image}`, () => consumerOf(provider, graph))
    const fewest = graph.fewestPods(workload)
    const recommended = consumer !== undefined
    const place = placeOfCount(workload, fewest)
    const see = [consumer && at(consumer, consumer, undefined, 'depends on it'), place.beside]
    if (fewest?.pods === 0) {
      const { beside } = place
      const message = beside
        ? `${effectOf(provider)} while ${graph.describe(beside.of)} keeps no pod of ${workload.name}.`
        : `${effectOf(provider)}: ${workload.name} runs no pods.`
      report(place.node, place.field, message, { ...(beside && { severity: 'warning' }), see, recommended })
      return
    }
    const trouble = graph.live && troubleNow(workload, provider, graph, graph.live)
    if (trouble) {
      const { message, evidence, severity } = trouble
      report(place.node, place.field, message, {
        see,
        evidence,
        severity,
        recommended,
      })
      return
    }
    const { limits } = container.spec.resources ?? {}
    const causes: string[] = []
    if (limits?.cpu !== undefined) causes.push(`its CPU is limited to ${limits.cpu}`)
    // Secrets that were made stay when their controller is away for a while; pods that ask it directly can't start.
    const isAsked = provider?.kind === undefined
    const isAlone =
      fewest?.pods === 1 && !workload.pod.priorityClassName && graph.budgetsOf(workload).length === 0
    if (isAlone && isAsked) causes.push('its only pod has neither priority nor budget')
    else if (isAlone && causes.length === 0)
      report(
        place.node,
        place.field,
        `No Secret is made or renewed while ${workload.name} is away: its only pod has neither priority nor budget.`,
        { severity: 'info', recommended: false, see },
      )
    if (causes.length === 0) return
    report(
      limits?.cpu !== undefined && limits ? limits : place.node,
      limits?.cpu !== undefined ? 'cpu' : place.field,
      isAsked
        ? `New pods wait for their credentials when ${workload.name} is slow or gone: ${causes.join(', and ')}.`
        : `Secrets are made and renewed late when ${workload.name} has much to do: ${causes.join(', and ')}.`,
      { severity: 'warning', see, recommended },
    )
  },
})

/** What its absence does: Secrets that it has made stay, and pods that ask it themselves get nothing. */
function effectOf(provider: Provider | undefined): string {
  return provider?.kind === undefined ? 'New pods get no credentials' : 'No Secret is made or renewed'
}

/** The image of a provider is also that of the webhook of its kinds and of the controller of that one's certificate. */
function makesNothing({ running }: Workload): boolean {
  return running.flatMap(({ spec }) => wordsOf(spec)).some((word) => /^(webhook|certcontroller)$/.test(word))
}

/** What a cluster shows: no pod is ready, or most of what the provider should make is not made. */
function troubleNow(workload: Workload, provider: Provider | undefined, graph: Graph, live: Live) {
  const pods = presentPods(workload, live)
  const made = provider?.kind ? graph.all(provider.kind) : []
  // Certificates fail each for reasons of their own: another rule looks at them.
  const failing = provider?.image === 'cert-manager-controller' ? [] : made.filter(failureOf)
  const reasons = [...new Set(failing.map(failureOf))]
  const lines = [
    ...(failing.length > 0 ? [`${failing.length} of ${made.length} ${made[0]?.kind}s are not ready`] : []),
    ...reasons.slice(0, 2).map(String),
  ]
  const isDown = !pods.some(isReady)
  if (isDown && pods.some((pod) => isFresh(pod, live))) return undefined
  const seconds = Math.min(...pods.map((pod) => unreadyFor(pod, live)))
  const span = pods.length > 0 && seconds > 0 ? formatSpan(seconds) : undefined
  if (isDown)
    return {
      severity: 'error',
      message: `${effectOf(provider)}: ${workload.name} has ${span ? `had no ready pod for ${span}` : 'no ready pod'}.`,
      evidence: [...troubles(pods, live), ...lines],
    } as const
  return failing.length >= 3 && 2 * failing.length >= made.length
    ? ({
        severity: 'warning',
        message: `Credentials are not made or renewed: ${workload.name} runs, and ${failing.length} of ${made.length} ${made[0]?.kind}s are not ready.`,
        evidence: lines.slice(1),
      } as const)
    : undefined
}

/** Whether the pod has just started, or just stopped being ready: what moves to another node is soon back. */
function isFresh(pod: Pod, live: Live): boolean {
  return unreadySince(pod) !== undefined && unreadyFor(pod, live) < 120
}

/** Why the object is not ready; undefined when it is. */
function failureOf(of: KubernetesObject): string | undefined {
  // SealedSecrets have the second one.
  const ready = conditionOf(of, 'Ready') ?? conditionOf(of, 'Synced')
  return ready?.status === 'False' ? formatCondition(ready) : undefined
}

interface Provider {
  /** A part of the image's name. */
  readonly image: string
  /** The objects that it turns into Secrets. */
  readonly kind?: KindName
  /** The annotation of pods that ask it for credentials. */
  readonly annotation?: string
  /** The CSI driver of volumes that it fills. */
  readonly driver?: string
}

const providers: readonly Provider[] = [
  { image: 'external-secrets', kind: 'external-secrets.io/ExternalSecret' },
  { image: 'sealed-secrets-controller', kind: 'bitnami.com/SealedSecret' },
  { image: 'bitnami-sealed-secrets-controller', kind: 'bitnami.com/SealedSecret' },
  { image: 'cert-manager-controller', kind: 'cert-manager.io/Certificate' },
  { image: 'secrets-store-csi', driver: 'secrets-store.csi.k8s.io' },
  { image: 'csi-secrets-store', driver: 'secrets-store.csi.k8s.io' },
  { image: 'vault-k8s', annotation: 'vault.hashicorp.com/agent-inject' },
  { image: 'kiam', annotation: 'iam.amazonaws.com/role' },
]

/** What depends on the provider: on one of its own, whatever asks for credentials. */
function consumerOf(provider: Provider | undefined, graph: Graph): object | undefined {
  const kinds: readonly (KindName | undefined)[] = provider
    ? [provider.kind]
    : ['zalando.org/PlatformCredentialsSet', ...providers.map(({ kind }) => kind)]
  const made = kinds.flatMap((kind) => (kind ? graph.all(kind) : []))[0]
  return made ?? graph.workloads.find((workload) => asks(workload, provider))?.object
}

function asks({ annotations, pod }: Workload, provider: Provider | undefined): boolean {
  return (provider ? [provider] : providers).some(
    ({ annotation, driver }) =>
      (annotation && annotations[annotation] !== undefined) ||
      (driver && pod.volumes?.some((volume) => volume.csi?.driver === driver)),
  )
}
