/** From one sick object to the likely causes: the findings around it, ranked by how near, how grave and how evident they are. */
import { type Aim, aimed } from '../engine/patch.js'
import type { Report } from '../engine/report.js'
import { type Finding, formatSubject, type Severity } from '../finding.js'
import { withoutAddress } from '../graph/condition.js'
import type { Graph } from '../graph/graph.js'
import { countOf, timeOf } from '../graph/live.js'
import { kubectlName } from '../graph/resource.js'
import type { KubernetesObject } from '../kubernetes.js'
import { counted } from '../values/enumerate.js'
import { formatSpan } from '../values/quantity.js'
import {
  commonGround,
  type Neighbour,
  neighbourhood,
  podlessness,
  podsAbout,
  symptomsOf,
} from './neighbourhood.js'
import { fitFor } from './symptom.js'

export interface Diagnosis {
  /** `Deployment shop/web`. */
  readonly object: string
  /** What is seen on the object and its pods, a line each. */
  readonly seen: readonly string[]
  /** How many pods it has: its own, those behind a Service, those on a Node. */
  readonly pods: number
  /** The likely causes, the likeliest first. */
  readonly causes: readonly Cause[]
  /** The objects that were looked at around it. */
  readonly around: number
  /** What could not be read and might have told more: `pods: forbidden`. */
  readonly unread: readonly string[]
}

export interface Cause {
  readonly finding: Finding
  /** How the finding's object is related, `Service shop/web sends requests to it`; empty when it's the object itself. */
  readonly relation: string
  /** The kubectl command that shows whether it is so. */
  readonly confirm: string
  /**
   * False for a weak point, unless the symptom speaks of it: of what everything depends on when nothing was seen to fail
   * there, of other nodes when it is no error, and of anything, an info, when something near was seen to fail, but for what was
   * seen on the object itself.
   */
  readonly likely: boolean
}

const gravity: Readonly<Record<Severity, number>> = { error: 3, warning: 2, info: 1 }
/** By steps from the object: what is found on itself counts before what has happened beside it. */
const nearness = [1.3, 0.8, 0.6, 0.4]
const common = 0.35
/** Of nodes that run none of its pods. */
const otherNode = 0.2
/** Of rules that are off by default: what they find, many live with. */
const unusual = 0.9

/**
 * Diagnoses one object.
 * @param report what all rules found in the cluster
 * @param symptom what somebody sees, in words; ranks the causes that speak of it first
 * @param aim the cluster that the commands are for
 */
export function diagnose(
  object: KubernetesObject,
  graph: Graph,
  report: Report,
  symptom: string | undefined,
  aim: Aim = {},
): Diagnosis {
  const around = neighbourhood(object, graph)
  const byName = new Map(around.map((one) => [graph.describe(one.object), one]))
  const self = graph.describe(object)
  const aptness = symptom === undefined ? () => 0 : fitFor(symptom, report.rules, report.story)
  const isSeen = seenAround(around, graph)
  const evident = report.findings.some(
    (finding) =>
      finding.subject &&
      !finding.suppressed &&
      byName.has(formatSubject(finding.subject)) &&
      (finding.severity === 'error' || (finding.severity === 'warning' && isSeen(finding))),
  )
  const ranked = report.findings.flatMap((finding) => {
    const { subject, suppressed, severity, rule } = finding
    if (!subject || suppressed) return []
    const tie = tieOf(finding, byName.get(formatSubject(subject)), object, graph)
    if (!tie) return []
    const fit = aptness(rule)
    const seen = isSeen(finding)
    const usual = report.rules.get(rule)?.recommended === false ? unusual : 1
    const score = gravity[severity] * tie.nearness * usual * (seen ? 1.6 : 1) * (1 + 2 * fit)
    const likely =
      severity === 'error' ||
      fit >= 0.5 ||
      (tie.steps === undefined
        ? seen && subject.kind !== 'Node'
        : !evident || severity === 'warning' || (seen && tie.steps === 0))
    const { relation } = tie
    return [{ score, cause: { finding, relation, confirm: aimed(confirmation(finding), aim), likely } }]
  })
  const unread = report.summary.cluster?.unread ?? []
  // Without them nobody knows.
  const isKnown = !unread.some(({ resource }) => resource === 'pods')
  return {
    object: self,
    seen: [
      ...(isKnown ? podlessness(object, graph) : []),
      ...symptomsOf(object, graph),
      ...eventsOf(object, graph),
    ],
    pods: podsAbout(object, graph).length,
    causes: ranked.sort((a, b) => b.score - a.score).map(({ cause }) => cause),
    around: around.length - 1,
    unread: unread.map(({ resource, reason }) => `${resource}: ${reason}`),
  }
}

/** How a finding is tied to the object that is diagnosed. */
interface Tie {
  readonly relation: string
  /** From the object to what the finding is about; undefined for what only everything depends on. */
  readonly steps: number | undefined
  readonly nearness: number
}

function tieOf(
  { subject, related }: Finding,
  neighbour: Neighbour | undefined,
  object: KubernetesObject,
  graph: Graph,
): Tie | undefined {
  const far = subject?.kind === 'Node' ? otherNode : common
  if (neighbour) {
    const { steps } = neighbour
    return { relation: relationOf(neighbour, graph), steps, nearness: nearness[steps] ?? far }
  }
  const self = graph.describe(object)
  if (related.some((one) => one.object === self))
    return { relation: 'the finding is about it, too', steps: 1, nearness: nearness[1] ?? far }
  const relation = subject && commonGround(subject, object, graph)
  return relation === undefined ? undefined : { relation, steps: undefined, nearness: far }
}

function relationOf({ relation, from, steps }: Neighbour, graph: Graph): string {
  return relation.replace('{}', steps === 1 || !from ? 'it' : graph.describe(from))
}

/** Whether something was seen to happen. What a finding about many nodes has seen on one that is not around happened elsewhere. */
function seenAround(around: readonly Neighbour[], graph: Graph): (finding: Finding) => boolean {
  const near = new Set(around.map(({ object }) => object))
  const others = new Set(
    graph.all('Node').flatMap((node) => (near.has(node) ? [] : [`${node.metadata?.name}:`])),
  )
  return ({ evidence = [] }) => evidence.some((line) => !others.has(line.split(' ', 1)[0] ?? ''))
}

/** Shows the field that the finding is about, or what happened to the object. */
function confirmation({ subject, place, evidence }: Finding): string {
  const { kind = '', namespace = '', name = '', apiVersion = '' } = subject ?? {}
  const within = namespace === '' ? '' : ` -n ${namespace}`
  const object = kubectlName({ kind, apiVersion, metadata: { name } })
  const [, pod, container] =
    /^pod ([a-z0-9.-]+)(?:, |: )(?:container ([a-z0-9-]+):)?/.exec(evidence?.[0] ?? '') ?? []
  if (pod && namespace !== '')
    return container && /exit code/.test(evidence?.[0] ?? '')
      ? `kubectl logs ${pod}${within} -c ${container} --previous`
      : `kubectl describe pod/${pod}${within}`
  // What happened to another object is on record there.
  const [, other = '', where, victim] =
    /^([A-Z]\w+) ([a-z0-9.-]+)\/([a-z0-9.-]+): /.exec(evidence?.[0] ?? '') ?? []
  if (victim) return `kubectl describe ${other.toLowerCase()}/${victim} -n ${where}`
  if (evidence && evidence.length > 0) return `kubectl describe ${object}${within}`
  const field = place.path.replace(/\["([^"]+)"\]/g, (_, key: string) => `.${key.replaceAll('.', '\\.')}`)
  return field === ''
    ? `kubectl get ${object}${within} -o yaml`
    : `kubectl get ${object}${within} -o jsonpath='{${field}}'`
}

/** The events about the object and what it made, warnings and what autoscalers did, the same ones together. */
function eventsOf(object: KubernetesObject, graph: Graph): string[] {
  const { live } = graph
  if (!live) return []
  const groups = new Map<string, { count: number; last: number; message: string }>()
  for (const event of live.eventsOf(graph.workload(object) ?? object)) {
    const { reason = 'Event', message = '' } = event
    const group = groups.get(reason) ?? { count: 0, last: 0, message }
    group.count += countOf(event)
    group.last = Math.max(group.last, timeOf(event))
    groups.set(reason, group)
  }
  return [...groups]
    .sort(([, a], [, b]) => b.last - a.last)
    .slice(0, 5)
    .map(
      ([reason, { count, last, message }]) =>
        `${reason}, ${counted(count, 'time')}, ${formatSpan((live.now - last) / 1000)} ago: ${withoutAddress(message)}`,
    )
}
