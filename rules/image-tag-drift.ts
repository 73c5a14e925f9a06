import {
  at,
  type Container,
  containerStates,
  type Fault,
  firstOf,
  type Graph,
  imageParts,
  movingTags,
  type Pod,
  rule,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'Replicas will run different images under one tag',
  category: 'images',
  severity: 'warning',
  why: `With \`imagePullPolicy: IfNotPresent\` (the default for every tag but latest) a node that has the
tag keeps its old image, and a new node pulls the new one. With a tag that moves, replicas of one workload
run different code, by the age of their nodes.`,
  remedy:
    'Pin a version or a digest; with `imagePullPolicy: Always` replicas still differ, by when they were last started.',
  decides: `A workload with two or more pods at least (or a DaemonSet) and an image with a tag of
\`mutableTags\` that is pulled only if it is not present, by \`imagePullPolicy\` or by default, or never. A repository with upper
case letters waits to be filled in. What a container of the pod that starts before has pulled anew (\`Always\`) is not told here.

In a cluster: running pods of one workload, on nodes of the same architecture and container runtime, whose
containers have the image of the pod template, tag and all, and different digests. That is an error,
whatever the tag. Where the rule is asked for, workloads that run different digests of one tag are an info.`,
  sources: ['kubernetes/pkg/apis/core/v1/defaults.go (SetDefaults_Container)'],
  stories: ['betz-shared-tags', 'datadog-10-ways'],
  params: {
    mutableTags: {
      type: 'array',
      items: { type: 'string' },
      default: movingTags,
      about: 'Tags that are known to move.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, isAsked, report }) {
    const fault =
      runningApart(workload, graph) ??
      mayDrift(workload, params.mutableTags, graph) ??
      (isAsked ? apartInCluster(workload, graph) : undefined)
    if (fault) report(...fault)
  },
})

/** That running pods of a workload have several images under one tag. */
function runningApart(workload: Workload, graph: Graph): Fault | undefined {
  for (const { name, image, spec } of workload.containers) {
    const running = image ? digestsOf(workload, name, image, graph) : []
    if (running.length < 2) continue
    return [
      spec,
      'image',
      `Pods of ${workload.name} run different code under one tag: ${tagged(image)} is ${running.length} images.`,
      {
        severity: 'error',
        evidence: running.map(({ digest, pods }) => `${digest.slice(0, 19)}: ${firstOf(pods, 2)}`),
      },
    ]
  }
  return undefined
}

/** That pods of a workload may come to have several images: the tag moves, and nodes keep what they have. */
function mayDrift(workload: Workload, mutableTags: readonly string[], graph: Graph): Fault | undefined {
  const { kind, batch, containers, name: own } = workload
  const pods = graph.fewestPods(workload)?.pods ?? (kind === 'DaemonSet' ? Number.POSITIVE_INFINITY : 1)
  if (pods < 2 || batch) return undefined
  for (const container of containers) {
    const { image, spec } = container
    if (!image || /[${}<>]/.test(image)) continue
    const { name, tag, digest, repository } = imageParts(image)
    // No registry takes upper case in a repository: CONTAINER_IMAGE waits to be filled in.
    if (/[A-Z]/.test(repository)) continue
    const moves = !digest && (tag === undefined || mutableTags.includes(tag))
    const policy = policyOf(spec, tag)
    if (!moves || policy === 'Always' || graph.tagSetElsewhere(image)) continue
    if (containers.some((one) => isBefore(one, container) && isPulledAs(one, image))) continue
    return [
      spec,
      'image',
      policy === 'Never'
        ? `Pods of ${own} may run different code: tag ${tag ?? 'latest'} of image ${name} is whatever was last loaded onto their node, as no node pulls it.`
        : `Pods of ${own} may run different code on old and new nodes: tag ${tag ?? 'latest'} of image ${name} moves, and a node that has it does not pull it again.`,
      { see: [spec.imagePullPolicy ? at(workload, spec, 'imagePullPolicy') : undefined] },
    ]
  }
  return undefined
}

/** What the kubelet does when a container of this image starts: pkg/apis/core/v1/defaults.go. */
function policyOf({ imagePullPolicy }: Container['spec'], tag: string | undefined): string {
  return imagePullPolicy ?? (tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent')
}

/** Whether a container starts before another one of its pod: init containers first, each list in its order. */
function isBefore(one: Container, other: Container): boolean {
  const isFirst = one.role !== 'ordinary'
  return isFirst === (other.role !== 'ordinary') ? one.index < other.index : isFirst
}

/** Whether the node pulls this image anew for a container: a later one then finds on it what the tag means now. */
function isPulledAs({ image, spec }: Container, wanted: string): boolean {
  return image === wanted && policyOf(spec, imageParts(wanted).tag) === 'Always'
}

/** That workloads of the cluster run several images under one tag; the first of them tells. */
function apartInCluster(workload: Workload, graph: Graph): Fault | undefined {
  for (const { image, spec } of workload.containers) {
    const apart = image ? apartOf(image, graph) : []
    if (apart.length < 2 || apart[0]?.first !== workload) continue
    return [
      spec,
      'image',
      `Workloads run different code under one tag: ${tagged(image)} is ${apart.length} images in the cluster.`,
      {
        severity: 'info',
        recommended: false,
        evidence: apart.map(({ digest, first }) => `${digest.slice(0, 19)}: ${graph.describe(first.object)}`),
      },
    ]
  }
  return undefined
}

/** `web:latest`, without the registry. */
function tagged(image = ''): string {
  const { name, tag } = imageParts(image)
  return `${name}:${tag ?? 'latest'}`
}

interface Running {
  /** `sha256:…` */
  readonly digest: string
  readonly pods: readonly string[]
}

/**
 * The digests that a container with this image has in the running pods, the most frequent first. Compared
 * are pods on nodes alike: an image of several architectures has a digest for each, and container runtimes
 * choose differently between them.
 */
function digestsOf(workload: Workload, container: string, image: string, graph: Graph): readonly Running[] {
  const { live } = graph
  const { digest: pinned, tag, registry, repository } = imageParts(image)
  if (!live || pinned) return []
  const pods = live.podsOf(workload)
  if (new Set(pods.map((pod) => stateOf(pod, container)?.imageID)).size < 2) return []
  const platformOf = graph.once('platforms of nodes', () => platformsOf(graph))
  const platforms = new Map<string, Map<string, string[]>>()
  for (const pod of pods) {
    const { spec, status, metadata } = pod
    const found = stateOf(pod, container)
    const digest = /sha256:[0-9a-f]{64}$/.exec(found?.imageID ?? '')?.[0]
    const has = imageParts(found?.image ?? '')
    const isSame =
      has.registry === registry &&
      has.repository === repository &&
      (has.tag ?? 'latest') === (tag ?? 'latest')
    // Without its node, as in a scan of one namespace, an architecture is not known.
    const platform = platformOf.get(spec?.nodeName ?? '')
    if (!digest || !isSame || platform === undefined || status?.phase !== 'Running') continue
    const digests = platforms.get(platform) ?? new Map<string, string[]>()
    const names = digests.get(digest) ?? []
    names.push(metadata?.name ?? '')
    digests.set(digest, names)
    platforms.set(platform, digests)
  }
  const [most] = [...platforms.values()].filter(({ size }) => size > 1)
  return [...(most ?? [])]
    .map(([digest, pods]) => ({ digest, pods: pods.sort() }))
    .sort((a, b) => b.pods.length - a.pods.length || (a.digest < b.digest ? -1 : 1))
}

/** The digests that an image has in workloads that each run one of it, with the first workload of each; one or none: no drift. */
function apartOf(image: string, graph: Graph): readonly { digest: string; first: Workload }[] {
  if (!graph.live) return []
  const all = graph.once('digests of images', () => digestsOfImages(graph))
  const [first] = [...(all.get(image)?.values() ?? [])].filter(({ size }) => size > 1)
  return [...(first ?? [])].map(([digest, first]) => ({ digest, first }))
}

/** By image as it is written, and by platform: the digests with the first workload that runs it. */
function digestsOfImages(
  graph: Graph,
): ReadonlyMap<string, ReadonlyMap<string, ReadonlyMap<string, Workload>>> {
  const platformOf = graph.once('platforms of nodes', () => platformsOf(graph))
  const found = new Map<string, Map<string, Map<string, Workload>>>()
  for (const workload of graph.workloads) {
    if (workload.controlled) continue
    for (const pod of graph.live?.podsOf(workload) ?? [])
      for (const { name, image } of workload.containers) {
        const digest = /sha256:[0-9a-f]{64}$/.exec(stateOf(pod, name)?.imageID ?? '')?.[0]
        const platform = platformOf.get(pod.spec?.nodeName ?? '')
        const written = pod.spec?.containers?.find((one) => one.name === name)?.image
        if (
          !image ||
          image !== written ||
          !digest ||
          platform === undefined ||
          pod.status?.phase !== 'Running'
        )
          continue
        const platforms = found.get(image) ?? new Map<string, Map<string, Workload>>()
        const digests = platforms.get(platform) ?? new Map<string, Workload>()
        if (!digests.has(digest)) digests.set(digest, workload)
        found.set(image, platforms.set(platform, digests))
      }
  }
  return found
}

/** Architecture and container runtime of each node, by name. */
function platformsOf(graph: Graph): ReadonlyMap<string, string> {
  return new Map(
    graph.all('Node').map(({ metadata, status }) => {
      const { architecture, containerRuntimeVersion } = status?.nodeInfo ?? {}
      return [metadata?.name ?? '', `${architecture} ${containerRuntimeVersion?.split(':')[0]}`]
    }),
  )
}

function stateOf(pod: Pod, container: string) {
  return containerStates(pod).find(({ name }) => name === container)
}
