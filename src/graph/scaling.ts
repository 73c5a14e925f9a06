/** What decides how many pods a workload runs with: itself, an autoscaler, a kustomization. */
import type { HorizontalPodAutoscaler, KindName, KubernetesObject, ObjectOf } from '../kubernetes.js'
import type { Kustomization } from '../reader/input.js'
import { groupBy, push } from '../values/group.js'
import { lazy, memo } from '../values/lazy.js'
import { numberAt, objectAt, stringAt, valueAt } from '../values/untyped.js'
import { type Belonging, farness, isNear } from './belonging.js'
import { identity, type Objects } from './objects.js'
import type { Patches } from './patches.js'
import type { Resource } from './resource.js'
import type { Workload } from './workload.js'

/** The fewest pods that a workload may run with. */
export interface FewestPods {
  readonly pods: number
  /** The object that decides: an autoscaler or the workload itself. */
  readonly of: KubernetesObject
  /** The mapping in it that holds (or would hold) the number. */
  readonly node: object
  readonly field: string
  /** What to say there when a kustomization sets the number, and something else or nothing is written. */
  readonly note?: string
}

/**
 * Where a finding about the number of a workload's pods stands in the workload: at the number, or at the whole where another object has it,
 * which is beside then.
 */
export function placeOfCount({ object }: Workload, fewest: FewestPods | undefined) {
  const { of, node, field, note } = fewest ?? { of: object, node: object }
  return of === object
    ? { node, field, beside: undefined }
    : { node: object, field: undefined, beside: { of, node, field, note } }
}

type Rollout = ObjectOf<'argoproj.io/Rollout'>
/** Of KEDA; its add-on for HTTP makes a ScaledObject of each HTTPScaledObject. */
type ScaledObject = ObjectOf<'keda.sh/ScaledObject' | 'http.keda.sh/HTTPScaledObject'>

/** How many pods KEDA keeps, and where its object has (or would have) the numbers. */
export interface ScaledBounds {
  readonly node: object
  readonly min: number
  readonly minField: string
  readonly max: number
  readonly maxField: string
}

/**
 * The bounds of a ScaledObject or HTTPScaledObject of KEDA. Sources of the defaults: keda/apis/keda/v1alpha1/scaledobject_types.go,
 * kedacore/http-add-on/operator/apis/http/v1alpha1/httpscaledobject_types.go (ReplicaStruct).
 */
export function boundsOfScaled(scaled: ScaledObject): ScaledBounds | undefined {
  const spec = objectAt(scaled, 'spec')
  if (!spec) return undefined
  const isHttp = scaled.kind === 'HTTPScaledObject'
  const node = isHttp ? (objectAt(spec, 'replicas') ?? spec) : spec
  const [minField, maxField] = isHttp
    ? (['min', 'max'] as const)
    : (['minReplicaCount', 'maxReplicaCount'] as const)
  return {
    node,
    min: numberAt(node, minField) ?? 0,
    minField,
    max: numberAt(node, maxField) ?? 100,
    maxField,
  }
}

/** What rules may ask about the scale of workloads. */
export interface Scaling {
  /** The workload that an autoscaler targets. */
  targetOf(autoscaler: KubernetesObject): Workload | undefined
  /** The variants of the workload that an autoscaler targets, of which one is applied: those that are equally near. */
  targetsOf(autoscaler: KubernetesObject): readonly Workload[]
  /** The HorizontalPodAutoscaler that targets the workload. */
  autoscalerOf(workload: Workload): HorizontalPodAutoscaler | undefined
  /** The ScaledObject or HTTPScaledObject of KEDA that targets the workload. */
  scaledObjectOf(workload: Workload): ScaledObject | undefined
  /**
   * The autoscaler's minimum, else `replicas`, else 1; those of the Rollout of Argo that names a Deployment in `workloadRef`. Where
   * kustomizations set `replicas` for it, the largest of these numbers: a base is small, what runs is an overlay. Undefined for kinds
   * without a number of replicas (DaemonSet, Job), and where somebody still has to fill in the number (`${REPLICAS}` of Flux,
   * `<REPLICAS>`).
   */
  fewestPods(workload: Workload): FewestPods | undefined
  /**
   * Whether it is written with no pods, and nothing in the input starts any: no autoscaler, no overlay, and no object that works with it.
   */
  isSwitchedOff(workload: Workload): boolean
}

/** Answers what rules ask about the scale of workloads. */
export function scaling(
  objects: Objects,
  { together }: Belonging,
  kustomizations: readonly Kustomization[],
  patches: () => Patches,
): Scaling {
  const { resource } = objects
  const byName = lazy(() =>
    groupBy(objects.workloads, ({ kind, namespace, name }) => identity(kind, namespace, name)),
  )
  /** Several when variants of one workload, of which one is applied, are equally near. */
  const namedBy = (
    object: KubernetesObject,
    field: 'scaleTargetRef' | 'workloadRef',
  ): readonly Workload[] => {
    const own = resource(object)
    const ref = valueAt(object, 'spec', field)
    const name = stringAt(ref, 'name')
    if (name === undefined) return []
    const kind = stringAt(ref, 'kind') ?? 'Deployment'
    const named = byName().get(identity(kind, own.namespace, name)) ?? []
    const near = named.filter((workload) => together(resource(workload), own))
    const far = near.map((workload) => farness(resource(workload), own))
    const least = Math.min(...far)
    return near.filter((_, i) => far[i] === least)
  }
  /** The Rollouts of Argo that run the pods of a Deployment in its place, which has no pods of its own then. */
  const rollouts = lazy(() => {
    const index = new Map<Workload, Rollout>()
    for (const one of objects.all('argoproj.io/Rollout'))
      for (const target of namedBy(one, 'workloadRef')) index.set(target, one)
    return index
  })
  const targetsOf = memo((autoscaler: KubernetesObject): readonly Workload[] => {
    const targets = namedBy(autoscaler, 'scaleTargetRef')
    if (targets.length > 0 || stringAt(autoscaler, 'spec', 'scaleTargetRef', 'kind') !== 'Rollout')
      return targets
    const name = stringAt(autoscaler, 'spec', 'scaleTargetRef', 'name')
    const own = resource(autoscaler)
    return [...rollouts()].flatMap(([workload, rollout]) =>
      rollout.metadata?.name === name && together(resource(rollout), own) ? [workload] : [],
    )
  })
  const scalers = <K extends KindName>(kind: K) =>
    lazy(() => {
      const index = new Map<Workload, ObjectOf<K>>()
      for (const one of objects.all(kind))
        for (const target of targetsOf(one)) if (!index.has(target)) index.set(target, one)
      return index
    })
  const autoscalers = scalers('HorizontalPodAutoscaler')
  const scaledObjects = scalers('keda.sh/ScaledObject')
  const httpScaledObjects = scalers('http.keda.sh/HTTPScaledObject')
  const counts = lazy(() => countsByName(kustomizations))
  const autoscalerOf = (workload: Workload) => autoscalers().get(workload)
  const scaledObjectOf = (workload: Workload) =>
    scaledObjects().get(workload) ?? httpScaledObjects().get(workload)
  const startable = lazy(() => new Set(objects.resources.flatMap(({ value }) => startedBy(value))))
  const scale: Scaling = {
    targetOf: (autoscaler) => targetsOf(autoscaler)[0],
    targetsOf,
    autoscalerOf,
    scaledObjectOf,
    isSwitchedOff: (workload) =>
      workload.scale?.replicas === 0 &&
      scale.fewestPods(workload)?.pods === 0 &&
      !startable().has(workload.name),
    fewestPods: memo((workload) => {
      const own = resource(workload)
      const { name, folders } = own
      const overlays = own.document.built
        ? []
        : (counts().get(name) ?? []).filter((set) => isNear(set.folders, folders))
      const hpa = autoscalerOf(workload)
      const scaled = scaledObjectOf(workload)
      const set = [...overlays.map(({ count }) => count), ...patches().replicasOf(own)]
      const isOpen = hpa
        ? isText(resource(hpa), 'minReplicas')
        : scaled
          ? isText(resource(scaled), 'minReplicaCount') || isText(resource(scaled), 'replicas', 'min')
          : set.length === 0 && isText(own, 'replicas')
      const rollout = rollouts().get(workload)
      if (rollout) return fewestOfRollout(rollout, hpa ? leastOfAutoscaler(hpa) : leastOfScaledObject(scaled))
      return isOpen
        ? undefined
        : fewestPods(workload, hpa ? leastOfAutoscaler(hpa) : leastOfScaledObject(scaled), set)
    }),
  }
  return scale
}

/**
 * The names of workloads that an object scales or takes pods from: any autoscaler, a Rollout of Argo (`workloadRef`), a Canary of
 * Flagger (`targetRef`).
 */
function startedBy(object: unknown): readonly string[] {
  return ['scaleTargetRef', 'workloadRef', 'targetRef'].flatMap(
    (field) => stringAt(valueAt(object, 'spec', field), 'name') ?? [],
  )
}

/** Whether text stands where a number belongs: objects as rules see them have nothing there. */
function isText({ document, path }: Resource, ...field: readonly string[]): boolean {
  return typeof valueAt(document.value, ...path, 'spec', ...field) === 'string'
}

function leastOfAutoscaler(hpa: HorizontalPodAutoscaler): FewestPods {
  return { pods: hpa.spec?.minReplicas ?? 1, of: hpa, node: hpa.spec ?? hpa, field: 'minReplicas' }
}

function leastOfScaledObject(scaled: ScaledObject | undefined): FewestPods | undefined {
  const bounds = scaled && boundsOfScaled(scaled)
  return bounds && { pods: bounds.min, of: scaled, node: bounds.node, field: bounds.minField }
}

/** Source: argo-rollouts/docs/features/specification.md (replicas: 1 by default; workloadRef). */
function fewestOfRollout(rollout: Rollout, autoscaled: FewestPods | undefined): FewestPods | undefined {
  const node = objectAt(rollout, 'spec')
  const pods = numberAt(node, 'replicas')
  return autoscaled && pods !== 0
    ? autoscaled
    : node && { pods: pods ?? 1, of: rollout, node, field: 'replicas' }
}

function fewestPods(
  { object, scale }: Workload,
  autoscaled: FewestPods | undefined,
  overlays: readonly number[],
): FewestPods | undefined {
  if (!scale) return undefined
  const own = { of: object, node: scale.node, field: 'replicas' }
  // Autoscalers leave a workload alone that is scaled to 0 by hand: podautoscaler/horizontal.go.
  if (scale.replicas === 0 && !overlays.some((count) => count > 0)) return { pods: 0, ...own }
  if (autoscaled) return autoscaled
  const written = scale.replicas ?? 1
  const pods = Math.max(written, ...overlays)
  return { pods, ...own, ...(pods > written && { note: `an overlay makes it ${pods}` }) }
}

interface OverlayCount {
  readonly folders: readonly string[]
  readonly count: number
}

/** The counts that kustomizations set, by the name of the workload that they set them for. */
function countsByName(
  kustomizations: readonly Kustomization[],
): ReadonlyMap<string, readonly OverlayCount[]> {
  const index = new Map<string, OverlayCount[]>()
  for (const { folder, replicas } of kustomizations) {
    const folders = folder === '' || folder === '.' ? [] : folder.split('/')
    for (const { name, count } of replicas) push(index, name, { folders, count })
  }
  return index
}
