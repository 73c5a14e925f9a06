/**
 * The contract of a rule, and everything that a rule may use: a file in `rules/` imports from here only.
 *
 * A rule is a plain value. It looks at one subject at a time, may ask the graph about everything else, and
 * reports on its own subject only.
 */
import type { Range } from './document.js'
import type { Edit, Path, Severity } from './finding.js'
import type { Container } from './graph/container.js'
import type { Graph } from './graph/graph.js'
import { hasDefault } from './graph/limit-range.js'
import { countsCpuLimits } from './graph/quota.js'
import type { Workload } from './graph/workload.js'
import type { KindName, KubernetesObject, ObjectOf } from './kubernetes.js'
import type { Kustomization } from './reader/input.js'

export { formatPath, isSamePath, isWithin, type Path, type Severity, severities } from './finding.js'
export { absentFor, pulledWithout } from './graph/absent.js'
export { saidOfAddress } from './graph/address.js'
export { hasRollouts, isAlone, isOfOnePod, isParked, podsBeside } from './graph/alone.js'
export { etcdBackupAnnotation } from './graph/annotation.js'
export {
  albTargetType,
  configuredService,
  nlbAttributes,
  type PodTargets,
  podTargetsOfIngress,
  podTargetsTo,
  sendsToPods,
  targetGroupsOf,
} from './graph/balancer.js'
export { blankWordIn } from './graph/blank-word.js'
export { blockSizeOf, givesToPods, isSecondView } from './graph/calico.js'
export {
  askersOf,
  type Callout,
  calloutKinds,
  calloutsOf,
  calloutsTo,
  type ServiceReference,
} from './graph/callout.js'
export { type Certificate, certificatesIn, dayOf, decoded, lastToEnd } from './graph/certificate.js'
export { announcesServices } from './graph/cilium-bgp.js'
export { hasOwnVolumes, isDefaultClass, isForOneNode } from './graph/claim.js'
export { instancesOfCluster } from './graph/cloudnative.js'
export { delayOfCommand, flagOf, isAsleep, secondsOfRun, wordsOf } from './graph/command.js'
export {
  type Condition,
  changedAt,
  conditionIn,
  conditionOf,
  conditionsOf,
  formatCondition,
  heldFor,
  holds,
  placeOfCondition,
  type Unmet,
  unmet,
  withoutAddress,
} from './graph/condition.js'
export { type Configuration, configurationsIn, documentsIn } from './graph/configuration.js'
export { configuredLately, dataWrittenAt } from './graph/configured.js'
export { type ConnectionTable, connectionClashes, connectionTables } from './graph/conntrack.js'
export { type Container, isInjected } from './graph/container.js'
export { type CorefilePlugin, corefile, type ServerBlock } from './graph/corefile.js'
export { customDefinition } from './graph/definition.js'
export { corednsOf, hasNodeDns, isOfClusterDns, servesClusterDns } from './graph/dns.js'
export { type Dropped, losses } from './graph/dropped.js'
export { isUnhealthy, killsOf } from './graph/ending.js'
export type { NamedBackend } from './graph/entrance.js'
export { type Eviction, evictedAt, evictionsOf, formatEvictions } from './graph/eviction.js'
export type { Graph } from './graph/graph.js'
export { failingCalls } from './graph/harm.js'
export {
  imageNamed,
  imageOf,
  imageParts,
  ingressControllers,
  isKubeProxy,
  movingTags,
  proxyNames,
} from './graph/image.js'
export { holderOf, silenceAllowed, silentFor } from './graph/lease.js'
export { defaultsIn, type Given, givenTo, hasDefault } from './graph/limit-range.js'
export { ageOf, countOf, endOf, firstTimeOf, type Live, startOf, timeOf } from './graph/live.js'
export { allowanceOf, idleProgram, probeKillsOf } from './graph/liveness.js'
export { formatMaker, secretMaker } from './graph/maker.js'
export { isGuess, matchesAnywhere, mayMean, mayShareNamespace, variantsOf } from './graph/meant.js'
export {
  controlledBy,
  type Measured,
  measuredBy,
  targetNamed,
  updateModeOf,
  verticalAutoscalerOf,
} from './graph/measured.js'
export { formatMemoryKill, type MemoryKill, memoryKillsOf, memoryTrouble } from './graph/memory.js'
export {
  asksToHold,
  hasNativeSidecars,
  holdsApplications,
  keptFromIstio,
  type Mesh,
  meshOf,
} from './graph/mesh.js'
export { looksInto, namespacesOfMonitor, selectorIn } from './graph/monitors.js'
export { isNamespaceOf, namespaceNamed } from './graph/namespace.js'
export { nearlyMatching } from './graph/nearly.js'
export {
  cordonedSince,
  isAway,
  isControlPlane,
  isExcludedFromBalancers,
  isLeaving,
  isStranded,
  kernelOf,
  kubeletMinor,
  mayGrow,
  nodesBy,
  poolLabels,
  turnedAt,
  turnedTogether,
} from './graph/node.js'
export { operatorLabels } from './graph/operated.js'
export { patience } from './graph/patience.js'
export { type Agreement, agreementOf, laggardsAmong, leaderAmong, membersIn } from './graph/patroni.js'
export { linesOf, type Pending, pendingPods } from './graph/pending.js'
export {
  type Compute,
  formatCompute,
  inOnePod,
  isChosen,
  isFor,
  isOfOneHost,
  limitOf,
  requested,
  requestOf,
  requestOfPod,
  spreadTermsOf,
  takesHostPort,
  toleratesAll,
  topologyOf,
  zoneLabel,
} from './graph/placement.js'
export {
  type ContainerState,
  containerStates,
  formatEnd,
  hasEnded,
  isCrashing,
  isGone,
  isReady,
  lastEnd,
  presentPods,
  readyByNode,
  readyFor,
  unreadyFor,
  unreadyPods,
  unreadySince,
} from './graph/pod.js'
export { makersOfPods, type PodMaker } from './graph/pod-maker.js'
export {
  type Enforced,
  enforcedBy,
  enforceLabel,
  type SecurityFault,
  securityFaults,
} from './graph/pod-security.js'
export { hasOtherPolicies, isForIngress, isUnenforced } from './graph/policies.js'
export { refusalOf, throttledBy, type Waiting, waitingForImages } from './graph/pull.js'
export {
  countsCpuLimits,
  isBoundOfOthers,
  quotaCompute,
  quotasFor,
  type Unbounded,
  type Unstated,
  unboundedFor,
  unstatedFor,
} from './graph/quota.js'
export type { ConfigReference } from './graph/references.js'
export { findClient, requestedOf, requestedSince } from './graph/requested.js'
export { rulesOf } from './graph/role.js'
export { recreates, rollingBounds, surgeBeforeStop } from './graph/rolling.js'
export { balancerOf, claimingKinds, classOf, classParamsOf, ingressClassOf } from './graph/routes.js'
export { isInvented, isLeftToDo, isUnfilledSample } from './graph/sample.js'
export { boundsOfScaled, placeOfCount } from './graph/scaling.js'
export { areForScrapers, clientsFirst, isForTrial, isScrapedOnly } from './graph/scraped.js'
export { type Shell, shellOf } from './graph/shell.js'
export { ownManager, readyIn, type Slice } from './graph/slice.js'
export { standbysOf } from './graph/standby.js'
export { throttledOf } from './graph/throttling.js'
export { atMost, causeOf, formatRestarts, spanSince, troubleOf, troubles } from './graph/trouble.js'
export { formatTurnover, isScaleUp, rescalesOf } from './graph/turnover.js'
export { unbuilt } from './graph/unbuilt.js'
export { allocatableMemory, heavyPods, podsNearLimit, unevenCpu } from './graph/usage.js'
export { takenVariables, variablesNamedIn } from './graph/variables.js'
export { type VeleroBackup, veleroBackups, veleroLocation } from './graph/velero.js'
export { inRange, type Version, version } from './graph/version.js'
export {
  callCounts,
  callsOf,
  isOptIn,
  isRuledIn,
  mayFillIn,
  type Request as WebhookRequest,
  selects,
  type Webhook,
  webhooksOf,
} from './graph/webhook.js'
export {
  accountOf,
  controllerOf,
  graceOf,
  isMirror,
  isWorkload,
  jobSpecOf,
  podsAtOnce,
  scaledKinds,
  type Workload,
} from './graph/workload.js'
export { type Written, writtenVersions } from './graph/written.js'
export type * from './kubernetes.js'
export { groupOf, isKind, lastApplied, madeAt, versionOf } from './kubernetes.js'
export type { Kustomization, PatchTarget, Reference } from './reader/input.js'
export { blankIn, isPlaceholder } from './schema/format.js'
export {
  type KustomizationFault,
  kustomizationFaults,
} from './schema/kustomization.js'
export { formatPlace, placeOf } from './schema/lookup.js'
export type { Expected, Format, JsonType, SchemaProblem } from './schema/problem.js'
export { type RetiredApi, retiredApi, successorOf, versionsOf } from './schema/removed-apis.js'
export { type Suggestion, standsFor, strayVolumes, suggestion } from './schema/suggest.js'
export { type Cidr, cidr, cidrs, overlaps } from './values/cidr.js'
export { allOf, counted, enumerate, enumerateFew, firstOf, grouped, times } from './values/enumerate.js'
export { countBy, groupBy, mostFirst, push } from './values/group.js'
export {
  bytes,
  cpuCores,
  exact,
  formatBytes,
  formatInterval,
  formatSeconds,
  formatSpan,
  intOrPercent,
  quantity,
  seconds,
} from './values/quantity.js'
export { quoted } from './values/quoted.js'
export {
  formatStarts,
  isIdle,
  type NoStart,
  neverStarts,
  schedule,
} from './values/schedule.js'
export {
  asksForOwner,
  matchesLabels,
  matchesSelector,
  pairsOf,
  selectsAll,
  slipIn,
} from './values/selector.js'
export { editDistance, inSeries, nearestName } from './values/similar.js'
export {
  arrayAt,
  isObject,
  numberAt,
  objectAt,
  objectsAt,
  ownValue,
  stringAt,
  valueAt,
} from './values/untyped.js'
export { matchesWildcard } from './values/wildcard.js'

/** For the `pattern` of a parameter that `seconds` reads: a Go duration, or a number of seconds. */
export const durationPattern = '^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$|^[0-9]+(\\.[0-9]+)?$'
/** For the `pattern` of a parameter that `bytes` or `cpuCores` reads. */
export const quantityPattern = '^[0-9]+(\\.[0-9]+)?([KMGTPE]i|[mkMGTPE])?$'

/** JSON Schema of one parameter. `default` is what applies without configuration; `about` is one line of documentation. */
export type Param =
  | {
      readonly type: 'integer' | 'number'
      readonly minimum?: number
      readonly maximum?: number
      readonly default: number
      /** The default in `diagnose`: who asks about one object has seen that it is sick, and need not wait for it to last. */
      readonly diagnosed?: number
      readonly about: string
    }
  | {
      readonly type: 'boolean'
      readonly default: boolean
      /** The default where the rule is asked for by name or by `--preset all`: who does so wants to see all of it. */
      readonly asked?: boolean
      readonly about: string
    }
  | {
      readonly type: 'string'
      readonly enum?: readonly string[]
      readonly pattern?: string
      readonly default: string
      readonly about: string
    }
  | {
      readonly type: 'array'
      readonly items: { readonly type: 'string' | 'integer' | 'number'; readonly format?: 'regex' }
      readonly default: readonly string[] | readonly number[]
      readonly about: string
    }

/** The parameters of a rule by their names. */
export type Params = Readonly<Record<string, Param>>

/** The values of a rule's parameters, with the defaults filled in. */
type ParamValues<P extends Params> = {
  readonly [K in keyof P]: P[K] extends { type: 'array'; items: { type: infer T } }
    ? T extends 'string'
      ? readonly string[]
      : readonly number[]
    : P[K] extends { type: 'boolean' }
      ? boolean
      : P[K] extends { type: 'string' }
        ? string
        : number
}

/**
 * What a rule can be asked to look at: every object of a kind, every workload whatever its kind (those that another
 * object controls are left out: their owner is looked at), every object, every object that the schema finds fault with,
 * every object that is being deleted (of which no other interest in a cluster tells), or every kustomization of kustomize, which is
 * no object: Flux's Kustomizations are.
 */
export type Interest = KindName | 'Workload' | 'Object' | 'FaultyObject' | 'EndingObject' | 'Kustomization'
/** What `check` is called with for an interest. */
type SubjectOf<I extends Interest> = I extends 'Workload'
  ? Workload
  : I extends 'Object' | 'FaultyObject' | 'EndingObject'
    ? KubernetesObject
    : I extends 'Kustomization'
      ? Kustomization
      : I extends KindName
        ? ObjectOf<I>
        : never

/** A node of an object: any mapping or list that the rule reached by walking from an object's root. */
export type Node = object

/** A place in another object (or another place in the subject) for `see`. Make it with `at`. */
export interface Sight {
  readonly of: Node
  readonly node: Node
  readonly field: string | number | undefined
  readonly note: string | undefined
  /** The place itself, where the path leads to another one of the same name. */
  readonly range?: Range
}

/**
 * Points at a field of any object in the graph.
 * @param of the object's root (a value that the graph gave out), or a Workload
 * @param node a mapping or list inside it, or the root
 * @param field a field of `node`; when it is absent there, its parent's key is shown
 * @param note a few words for the reader
 */
export function at(of: Node, node: Node, field?: string | number, note?: string): Sight {
  return { of, node, field, note }
}

/** An edit at a place that the rule has in hand, or at a path from the subject's root. */
export type RuleEdit =
  | { readonly op: 'set'; readonly node: Node; readonly field: string | number; readonly value: unknown }
  | { readonly op: 'remove'; readonly node: Node; readonly field: string | number }
  | Edit

/** A change that cures the finding. `safe` only if it keeps the meaning or there is one right answer. */
export interface RuleFix {
  readonly title: string
  readonly safe: boolean
  readonly edits: readonly RuleEdit[]
}

/** Proposes to set `field` of `node`. Its title is the field as YAML, `minReplicas: 4`. */
export function set(node: Node, field: string | number, value: unknown, title?: string): RuleFix {
  return {
    title: title ?? `${field}: ${typeof value === 'string' ? value : inline(value)}`,
    safe: false,
    edits: [{ op: 'set', node, field, value }],
  }
}

/** A value as YAML on one line, to be read and copied. */
function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).filter(([, one]) => one !== undefined)
    return `{${fields.map(([name, one]) => `${inline(name)}: ${inline(one)}`).join(', ')}}`
  }
  const isPlain = typeof value !== 'string' || (/^[A-Za-z][\w./-]*$/.test(value) && !wordsOfYaml.test(value))
  return isPlain ? String(value) : JSON.stringify(value)
}

/** What YAML 1.1 reads as something else than text. */
const wordsOfYaml = /^(?:y|yes|n|no|true|false|on|off|null)$/i

/** Proposes to remove `field` of `node`. */
export function remove(node: Node, field: string | number, title?: string): RuleFix {
  return { title: title ?? `remove ${field}`, safe: false, edits: [{ op: 'remove', node, field }] }
}

/**
 * Proposes to remove the CPU limit of a container, or to raise it: where it is none of its own, where a quota refuses containers without
 * one, and where a LimitRange gives them another. A container without a request has its limit for one, too: that is kept. Source:
 * kubernetes/pkg/apis/core/v1/defaults.go (SetDefaults_Pod).
 */
export function liftCpuLimit(
  { resources = {} }: Container['spec'],
  { object }: Workload,
  graph: Graph,
): RuleFix {
  const { limits = {}, requests } = resources
  if (
    limits.cpu === undefined ||
    countsCpuLimits(object, graph) ||
    hasDefault(graph.siblings('LimitRange', object), 'limit', 'cpu')
  )
    return advise('Raise limits.cpu to what bursts need')
  const alone = remove(limits, 'cpu', 'remove limits.cpu')
  if (requests?.cpu !== undefined) return alone
  const kept = requests ? set(requests, 'cpu', limits.cpu) : set(resources, 'requests', { cpu: limits.cpu })
  return { ...kept, title: 'make limits.cpu the request', edits: [...alone.edits, ...kept.edits] }
}

/** Advice in one imperative line, without an automatic change. */
export function advise(title: string): RuleFix {
  return { title, safe: false, edits: [] }
}

/** Marks a fix as safe. */
export function safe(fix: RuleFix): RuleFix {
  return { ...fix, safe: true }
}

/** A key of the subject that is written more than once in one mapping: the last one counts. */
export interface RepeatedKey {
  readonly path: Path
  /** The line of the first one in the file; undefined in what was built, which nobody has before their eyes. */
  readonly line: number | undefined
  /** Shows the first one. */
  readonly first: Sight
  /** Whether nothing is lost: the last value has all of the others. */
  readonly isSame: boolean
}

/** What a finding has besides its place and message. */
export interface ReportOptions {
  /** Overrides the rule's severity for this finding (the configuration overrides both). */
  readonly severity?: Severity
  /** False: left out unless the rule is asked for by name or by `--preset all`, as whole rules are. Default true. */
  readonly recommended?: boolean
  /** A few words under the caret, `needs more than 3`. */
  readonly label?: string | undefined
  /** What was seen in a cluster and bears the message out, a line each without a full stop: `web-7f9c: exit code 137, 12 restarts`. */
  readonly evidence?: readonly string[] | undefined
  /** How often in a cluster what it is about happens, lines that are shown after the evidence: `rolled out 6 times in the last 7 days`. */
  readonly often?: readonly string[] | undefined
  readonly see?: readonly (Sight | undefined)[]
  /** The rules that tell the cause, and the objects: the finding is left out when one of them reports one of these. */
  readonly symptomOf?: Cause | undefined
  readonly fix?: RuleFix | undefined
  /**
   * Other fields of the object that it rests on. Where a kustomization changes one of them, the one reported or one that the fix
   * changes, it is left out.
   */
  readonly restsOn?: readonly (readonly [node: Node, field: string])[]
  /** Stories that this finding resembles, when they differ from the rule's. */
  readonly stories?: readonly string[]
  /** Point at the field's value instead of its key. */
  readonly onValue?: boolean
  /** What the finding is about and is not there, in the form of the file names: whoever takes it away is told. */
  readonly absent?: string
  /** Several of a subject with the same key are decided one by one and shown as one. */
  readonly among?: Among | undefined
  /** The key of a ConfigMap or Secret that it is about: nothing is said where a script makes that object with it. */
  readonly lacks?: { readonly name: string; readonly key: string }
}

/** What a finding has in common with others of its subject and rule: one cause, told once. */
export interface Among {
  readonly key: string
  /** What this one is about. */
  readonly name: string
  /** The message of all of them, in the order of their places. */
  say(names: readonly string[]): string
  /** The title of their fixes together; that of the first one by default. */
  mend?(names: readonly string[]): string
}

/** What a finding follows from: any of these rules on any of these objects. */
export interface Cause {
  readonly rules: readonly string[]
  readonly objects: readonly object[]
  /** Only findings that a cluster bears out count: those with evidence. */
  readonly seen?: boolean
}

/** What a rule is given beside its subject. */
export interface Context<P extends Params> {
  readonly graph: Graph
  readonly params: ParamValues<P>
  /** The target minor version of Kubernetes: 37 for 1.37. */
  readonly minor: number
  /** The rule is asked for by name or by `--preset all`. Else findings that are not recommended are left out: no need to look for them. */
  readonly isAsked: boolean
  /**
   * Reports on the subject.
   * @param node a mapping or list inside the subject (or the subject itself)
   * @param field the field of `node` that is wrong; one that is absent is shown at `node`'s own key
   */
  report(node: Node, field: string | number | undefined, message: string, options?: ReportOptions): void
  /** The same for rules that know a path from the subject's root rather than a node. */
  reportPath(path: Path, message: string, options?: ReportOptions): void
  /**
   * The subject's value at a path as it is written in the file, quotes and all: `0755` where the value is 493. Undefined
   * where nothing is written, and for all of a Secret.
   */
  written(path: Path): string | undefined
  /** The keys that the subject's text repeats, each once. */
  repeatedKeys(): readonly RepeatedKey[]
}

/** What is to be reported: the arguments of `report`, for functions that find it. */
export type Fault = Parameters<Context<Params>['report']>
/** The same for `reportPath`. */
export type FaultAt = Parameters<Context<Params>['reportPath']>

/** A rule as its file declares it. */
export interface RuleSpec<I extends Interest, P extends Params> {
  /** The problem, never the cure. No full stop. */
  readonly title: string
  readonly category: Category
  readonly severity: Severity
  /** False: off unless asked for by name or by `--preset all`. For findings that many good owners would not act on. Default true. */
  readonly recommended?: boolean
  /** True: what it finds depends on the number of pods, which whoever completes the manifest may set. */
  readonly countsPods?: boolean
  /** The mechanism: what happens and why, in two to six lines of Markdown. */
  readonly why: string
  /** One imperative sentence. */
  readonly remedy: string
  /** How it is decided and what is exempt, in Markdown: what a reader needs to trust or to doubt a finding. */
  readonly decides: string
  /** Findings that an owner may rightly ignore, and how to tell. Markdown; absent when none are known. */
  readonly falsePositives?: string
  /** Releases in which the behaviour differs, with the source of the fact. */
  readonly versions?: string
  /** Where the facts come from: Kubernetes source files or documents. */
  readonly sources?: readonly string[]
  readonly stories: readonly string[]
  readonly params?: P
  /**
   * Rules whose finding on the same object makes this one noise: it is then left out. One cause, one finding. A finding that is
   * not recommended leaves out such ones only.
   */
  readonly unless?: readonly string[]
  /** Looks at objects of a cluster, too, although its category is about how manifests are written. */
  readonly live?: true
  /** Kinds besides those of `for` without which it decides nothing: it is then listed as not evaluated. */
  readonly reads?: readonly KindName[]
  /** What only a cluster can tell; the rule is then listed as not evaluated by `lint`. */
  readonly needs?: 'cluster'
  readonly for: I | readonly I[]
  /** False where the input does not tell whether the rule has something to report: a suppression is not unused there. Default true. */
  canTell?(subject: SubjectOf<I>, context: Pick<Context<P>, 'graph' | 'isAsked'>): boolean
  check(subject: SubjectOf<I>, context: Context<P>): void
}

/** What rules are about; `--only` takes these words, too. */
export const categories = [
  'api-schema',
  'batch',
  'workload-lifecycle',
  'scheduling',
  'autoscaling',
  'networking',
  'dns',
  'resources',
  'admission',
  'identity',
  'control-plane',
  'node',
  'images',
  'config',
  'storage',
  'observability',
] as const
/** What a rule is about: one of the categories. */
type Category = (typeof categories)[number]

/** A rule with its subject's type forgotten, as the engine holds it. */
export interface Rule extends Omit<RuleSpec<Interest, Params>, 'canTell' | 'check' | 'for' | 'params'> {
  readonly for: readonly Interest[]
  readonly params: Params
  canTell?(subject: object, context: Pick<Context<Params>, 'graph' | 'isAsked'>): boolean
  check(subject: object, context: Context<Params>): void
}

/** Declares a rule. The id is the file's name. */
export function rule<I extends Interest, const P extends Params = Record<never, never>>(
  spec: RuleSpec<I, P>,
): Rule {
  const { canTell, check, params, ...rest } = spec
  return {
    ...rest,
    for: (Array.isArray(spec.for) ? spec.for : [spec.for]) as readonly Interest[],
    params: params ?? {},
    // The engine calls a rule only with the subjects it asked for and with its own params.
    ...(canTell && { canTell: canTell as unknown as NonNullable<Rule['canTell']> }),
    check: check as unknown as Rule['check'],
  }
}

/**
 * Declares what the program itself finds before or after the rules run (a file that cannot be read, a suppression that
 * is not needed): a severity and the prose, and nothing to check.
 */
export function builtin(
  spec: Omit<RuleSpec<never, Params>, 'for' | 'canTell' | 'check' | 'params' | 'needs'>,
): Rule {
  return { ...spec, for: [], params: {}, check: () => {} }
}
