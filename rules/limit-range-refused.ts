import {
  at,
  type Container,
  countOf,
  exact,
  formatBytes,
  type Given,
  type Graph,
  givenTo,
  inOnePod,
  isBoundOfOthers,
  isWorkload,
  type LimitRange,
  type Live,
  type Node,
  objectAt,
  objectsAt,
  ownValue,
  type PersistentVolumeClaim,
  presentPods,
  quantity,
  rule,
  type Sight,
  stringAt,
  times,
  type Workload,
} from '../src/rule.js'

type Item = NonNullable<NonNullable<NonNullable<LimitRange['spec']>['limits']>[number]>

export default rule({
  title: 'A LimitRange refuses the pods or claims of its namespace',
  category: 'resources',
  severity: 'error',
  why: `The API server holds every new pod and claim against the LimitRanges of its namespace, with what they give to containers that say
nothing. The Deployment is applied without an error, and its pods are refused: nothing is Pending, and only events of the ReplicaSet tell.
Two of these traps are easy to miss: a container that asks for more than the default limit, which it gets without asking for one, and a
bound for whole pods, which gives nobody a default.`,
  remedy:
    'Ask for an amount within the bounds, and write the limit that the LimitRange would choose too low.',
  decides: `Each container, and each pod as a whole, with what the LimitRanges of the namespace give it, against their \`min\` and
\`maxLimitRequestRatio\`; a request above the default limit that its container is given; in a cluster pods without a limit that a LimitRange of type Pod
bounds by \`max\`; and claims, also those of a StatefulSet's templates, against \`min\` and \`max\` of type PersistentVolumeClaim. What is written above
\`max\` in a container or pod is \`request-exceeds-node\`. In a cluster claims that exist are left alone, and it is a warning where pods of the
workload run, which were made before.

Where a ratio is bounded and an amount is not written at all it is a warning, as another LimitRange may give it, and an error with \`--complete\`; what else is not written is
\`resource-requests-missing\` in manifests.

Exempt: LimitRanges and workloads that a patch changes, and, where a kustomization builds them, amounts that are not written at all. A LimitRange that names no
namespace and stands in a folder with workloads counts for that folder alone.`,
  sources: [
    'kubernetes/plugin/pkg/admission/limitranger/admission.go',
    'kubernetes/pkg/apis/core/v1/defaults.go (SetDefaults_LimitRangeItem, SetDefaults_Pod)',
    'kubernetes/pkg/apis/core/validation/validation.go (validateContainerResourceRequirements)',
  ],
  stories: [],
  unless: ['request-exceeds-node'],
  for: ['Workload', 'PersistentVolumeClaim'],
  check(subject, { graph, report }) {
    if (!isWorkload(subject)) {
      const { spec, metadata } = subject
      const fault = graph.live ? undefined : faultOfClaim(spec, subject, graph)
      if (fault)
        report(
          fault.node,
          fault.field,
          `kubectl apply is refused: claim ${metadata?.name ?? ''} asks for ${fault.text}.`,
          {
            see: [fault.see],
          },
        )
      return
    }
    const { object, kind, name, scale } = subject
    // A Pod that is there was let in, and nobody makes it anew.
    if (graph.live ? kind === 'Pod' || scale?.replicas === 0 : graph.patched(object)) return
    const runs = graph.live !== undefined && presentPods(subject, graph.live).length > 0
    const fault = faultOf(subject, graph)
    if (fault) {
      const evidence = graph.live ? refusals(subject, graph.live) : []
      const who = runs
        ? `The next pod of ${name} is refused`
        : kind === 'Pod'
          ? `Pod ${name} is refused`
          : `Pods of ${name} are refused`
      const isSure = !fault.isGuess || graph.complete
      const unless = isSure ? '' : ' unless another LimitRange says more'
      report(fault.node, fault.field, `${who}${unless}: ${fault.text}.`, {
        severity: (runs && evidence.length === 0) || !isSure ? 'warning' : 'error',
        evidence,
        see: [fault.see],
      })
      return
    }
    if (graph.live) return
    for (const claim of objectsAt(object, 'spec', 'volumeClaimTemplates')) {
      const found = faultOfClaim(objectAt(claim, 'spec') as PersistentVolumeClaim['spec'], object, graph)
      if (!found) continue
      report(
        found.node,
        found.field,
        `Claims ${stringAt(claim, 'metadata', 'name') ?? ''} of ${name} are refused: they ask for ${found.text}.`,
        { see: [found.see] },
      )
      return
    }
  },
})

interface Fault {
  readonly node: Node
  readonly field: string
  readonly text: string
  /** Whether another LimitRange may be the answer. */
  readonly isGuess?: boolean
  readonly see: Sight
}

/** The LimitRanges whose bounds are known and that are for an object. */
function rangesFor(object: Workload['object'], graph: Graph): readonly LimitRange[] {
  return graph
    .siblings('LimitRange', object)
    .filter((range) => !isBoundOfOthers(range, { object }, graph) && !graph.patched(range))
}

/** Why a LimitRange refuses the pods of a workload. */
function faultOf(workload: Workload, graph: Graph): Fault | undefined {
  const ranges = rangesFor(workload.object, graph)
  if (ranges.length === 0) return undefined
  const unsaid = graph.live ? 'known' : graph.kustomized(workload.object) ? 'open' : 'likely'
  for (const container of workload.containers) {
    const fault = aboveDefault(container, ranges)
    if (fault) return fault
  }
  for (const range of ranges)
    for (const item of range.spec?.limits ?? []) {
      const fault =
        item.type === 'Container'
          ? first(workload.containers, (one) => outOfBounds(partOf(one, ranges), item, range, unsaid))
          : item.type === 'Pod'
            ? outOfBounds(wholeOf(workload, ranges), item, range, unsaid)
            : undefined
      if (fault) return fault
    }
  return undefined
}

/** That a container asks for more than the limit that it is given. */
function aboveDefault({ name, spec }: Container, ranges: readonly LimitRange[]): Fault | undefined {
  const { requests } = spec.resources ?? {}
  for (const resource in requests) {
    const asked = quantity(ownValue(requests, resource))
    const limit = givenTo(spec, 'limit', resource, ranges)
    if (asked === undefined || !limit?.from || asked <= limit.amount) continue
    const { range, amounts } = limit.from
    return {
      node: requests,
      field: resource,
      text: `container ${name} asks for ${show(asked, resource)}, and the limit that the LimitRange gives it is ${show(limit.amount, resource)}`,
      see: at(range, amounts, resource),
    }
  }
  return undefined
}

/** What bounds are held against: a container, or a pod as a whole. */
interface Part {
  /** `container web`, `each pod`. */
  readonly name: string
  readonly isWhole: boolean
  given(of: 'limit' | 'request', resource: string): Given | undefined
  /** Where an amount of it is written, or would be. */
  place(of: 'limit' | 'request', resource: string): { readonly node: Node; readonly field: string }
}

function partOf({ name, spec }: Container, ranges: readonly LimitRange[]): Part {
  return {
    name: `container ${name}`,
    isWhole: false,
    given: (of, resource) => givenTo(spec, of, resource, ranges),
    place: (of, resource) => {
      const { requests, limits } = spec.resources ?? {}
      const own = of === 'limit' || ownValue(requests, resource) === undefined ? limits : requests
      return own && ownValue(own, resource) !== undefined
        ? { node: own, field: resource }
        : { node: spec, field: 'resources' }
    },
  }
}

/** Overhead does not count, and what the pod itself asks for comes before the sum of its containers. */
function wholeOf({ pod, containers }: Workload, ranges: readonly LimitRange[]): Part {
  return {
    name: 'each pod',
    isWhole: true,
    given: (of, resource) => {
      const own = quantity(
        ownValue(of === 'limit' ? pod.resources?.limits : pod.resources?.requests, resource),
      )
      if (own !== undefined) return { amount: own, from: undefined }
      const amounts = new Map(containers.map((one) => [one, givenTo(one.spec, of, resource, ranges)]))
      if ([...amounts.values()].every((one) => one === undefined)) return undefined
      return {
        amount: exact(inOnePod(containers, (one) => amounts.get(one)?.amount ?? 0)),
        from: undefined,
      }
    },
    place: () => ({ node: pod, field: 'containers' }),
  }
}

/**
 * Whether what is not written is not there: in a cluster. In manifests another LimitRange may give it (`resource-requests-missing` tells of
 * that, but not of ratios), and what a kustomization builds may get it there.
 */
type Unsaid = 'known' | 'likely' | 'open'

/** The bound of an item that a container or pod is not within. What is written above a maximum is told elsewhere. */
function outOfBounds(part: Part, item: Item, range: LimitRange, unsaid: Unsaid): Fault | undefined {
  const { min, max, maxLimitRequestRatio: ratios } = item
  for (const resource in min) {
    const least = quantity(min[resource])
    const found = least === undefined ? undefined : belowMinimum(part, resource, least, unsaid)
    if (found) return { ...part.place(found.of, resource), text: found.text, see: at(range, min, resource) }
  }
  for (const resource in max) {
    const most = quantity(max[resource])
    const text = most === undefined ? undefined : aboveMaximum(part, resource, most, unsaid)
    if (text) return { ...part.place('limit', resource), text, see: at(range, max, resource) }
  }
  for (const resource in ratios) {
    const most = quantity(ratios[resource])
    const found = most === undefined ? undefined : aboveRatio(part, resource, most, unsaid)
    if (found) return { ...part.place('limit', resource), ...found, see: at(range, ratios, resource) }
  }
  return undefined
}

function belowMinimum(part: Part, resource: string, least: number, unsaid: Unsaid) {
  const wants = `the LimitRange wants ${show(least, resource)} at least`
  const request = part.given('request', resource)
  const limit = part.given('limit', resource)
  const tell = (of: 'request' | 'limit', text: string) => ({ of, text: `${part.name} ${text} ${wants}` })
  if (!request)
    return unsaid === 'known' ? tell('request', `asks for no ${nameOf(resource)}, and`) : undefined
  if (!request.from && request.amount < least)
    return tell('request', `asks for ${show(request.amount, resource)},`)
  return limit && !limit.from && limit.amount < least
    ? tell('limit', `has a limit of ${show(limit.amount, resource)},`)
    : undefined
}

function aboveMaximum(part: Part, resource: string, most: number, unsaid: Unsaid): string | undefined {
  const limit = part.given('limit', resource)
  if (!limit)
    return unsaid === 'known'
      ? `${part.name} has no ${nameOf(resource)} limit, and the LimitRange allows ${show(most, resource)} at most`
      : undefined
  // Of a single container it is what somebody has written, or the bounds of another LimitRange.
  return part.isWhole && limit.amount > most
    ? `${part.name} has limits of ${show(limit.amount, resource)} with those that the LimitRange gives, which allows ${show(most, resource)}`
    : undefined
}

function aboveRatio(
  part: Part,
  resource: string,
  most: number,
  unsaid: Unsaid,
): Pick<Fault, 'text' | 'isGuess'> | undefined {
  const [request, limit] = [part.given('request', resource), part.given('limit', resource)]
  const allows = `the LimitRange allows limits of ${most} × the request`
  if (!request?.amount || !limit?.amount) {
    const lacking = request?.amount ? 'limit' : 'request'
    const text = `${part.name} has no ${nameOf(resource)} ${lacking}, and ${allows}`
    return unsaid === 'open' ? undefined : { text, isGuess: unsaid === 'likely' }
  }
  if (exact(limit.amount / request.amount) <= most) return undefined
  const amounts = `${show(request.amount, resource)} with a limit of ${show(limit.amount, resource)}`
  return { text: `${part.name} asks for ${amounts}, and ${allows}` }
}

/** Why a LimitRange refuses a claim. */
function faultOfClaim(
  spec: PersistentVolumeClaim['spec'],
  near: Workload['object'],
  graph: Graph,
): Fault | undefined {
  const requests = spec?.resources?.requests
  const asked = quantity(ownValue(requests, 'storage'))
  if (!requests || asked === undefined || graph.patched(near)) return undefined
  for (const range of rangesFor(near, graph))
    for (const { type, min, max } of range.spec?.limits ?? []) {
      if (type !== 'PersistentVolumeClaim') continue
      const [least, most] = [quantity(ownValue(min, 'storage')), quantity(ownValue(max, 'storage'))]
      const place = { node: requests, field: 'storage' }
      if (min && least !== undefined && asked < least)
        return {
          ...place,
          text: `${formatBytes(asked)}, the LimitRange wants ${formatBytes(least)} at least`,
          see: at(range, min, 'storage'),
        }
      if (max && most !== undefined && asked > most)
        return {
          ...place,
          text: `${formatBytes(asked)}, the LimitRange allows ${formatBytes(most)}`,
          see: at(range, max, 'storage'),
        }
    }
  return undefined
}

/** What the API server has said when it refused a pod for a LimitRange: the newest event. */
function refusals(workload: Workload, live: Live): readonly string[] {
  const event = live
    .eventsOf(workload)
    .find(({ reason, message = '' }) => reason === 'FailedCreate' && said.test(message))
  return event ? [`FailedCreate ${times(countOf(event))}: ${event.message}`] : []
}

const said = /imum \S+ usage per |max limit to request ratio per |must be less than or equal to \S+ limit/

function first<T, R>(all: readonly T[], find: (one: T) => R | undefined): R | undefined {
  for (const one of all) {
    const found = find(one)
    if (found !== undefined) return found
  }
  return undefined
}

function nameOf(resource: string): string {
  return resource === 'cpu' ? 'CPU' : resource.replace('-', ' ')
}

function show(amount: number, resource: string): string {
  const text = /memory|storage|^hugepages-/.test(resource)
    ? formatBytes(amount)
    : String(Number(amount.toFixed(3)))
  return `${text} ${nameOf(resource)}`
}
