/** One model of what makes pods, whatever its kind. */
import type { WorkloadKind } from '../config/settings.js'
import {
  type CronJob,
  type Deployment,
  isKind,
  type Job,
  type KubernetesObject,
  type ObjectMeta,
  type Pod,
  type PodSpec,
  type PodTemplateSpec,
} from '../kubernetes.js'
import type { Labels } from '../values/selector.js'
import { isObject, numberAt, valueAt } from '../values/untyped.js'
import { type Container, containersOf } from './container.js'
import type { Resource } from './resource.js'

/** An object that makes pods, or a Pod itself. */
export interface Workload {
  /** The root of the object that makes the pods. */
  readonly object: KubernetesObject
  /** `Deployment`, `CronJob`, `Rollout`… */
  readonly kind: string
  readonly name: string
  /** Empty when the manifest names none. */
  readonly namespace: string
  /** The pod's metadata and spec: the pod template, or the Pod itself. Report on it for what the template lacks. */
  readonly template: { readonly metadata?: ObjectMeta | undefined; readonly spec?: PodSpec | undefined }
  readonly pod: PodSpec
  /** The labels of its pods: those of the template, and those that kustomizations add. */
  readonly labels: Labels
  /** The annotations of its pods. */
  readonly annotations: Labels
  /** Ordinary containers, native sidecars and init containers. */
  readonly containers: readonly Container[]
  /** Ordinary containers and native sidecars: what runs while the pod serves. */
  readonly running: readonly Container[]
  /** Job, CronJob and their kin: pods that end. */
  readonly batch: boolean
  /**
   * Where the number of replicas is written: the mapping that has (or would have) `replicas`;
   * absent when the kind has none.
   */
  readonly scale: { readonly node: object; readonly replicas: number | undefined } | undefined
  /** True when another object controls it (`ownerReferences` with `controller: true`): report on the owner. */
  readonly controlled: boolean
}

const made = new WeakSet<object>()

/** The account that pods run under; the field's older name still counts: kubernetes/pkg/apis/core/v1/conversion.go. */
export function accountOf({ serviceAccountName, serviceAccount }: PodSpec): string {
  return serviceAccountName || serviceAccount || 'default'
}

/** The reference to the object that controls this one: that has made it, and keeps it as it is. */
export function controllerOf({ metadata }: KubernetesObject) {
  return metadata?.ownerReferences?.find(({ controller }) => controller === true)
}

/** How many pods of a Job run at the same time at most. Source: k8s.io/api/batch/v1/types.go (JobSpec.Parallelism). */
export function podsAtOnce({
  parallelism = 1,
  completions,
}: Pick<NonNullable<Job['spec']>, 'parallelism' | 'completions'>): number {
  return Math.min(parallelism, completions ?? parallelism)
}

/**
 * The seconds that the pods have between the wish to end them and SIGKILL.
 * Source: kubernetes/pkg/apis/core/v1/defaults.go (terminationGracePeriodSeconds 30).
 */
export function graceOf({ pod }: Workload): number {
  return pod.terminationGracePeriodSeconds ?? 30
}

/** What a Job is to do, or each of a CronJob's. */
export function jobSpecOf(subject: CronJob | Job) {
  return isKind(subject, 'CronJob') ? subject.spec?.jobTemplate?.spec : subject.spec
}

/** Tells workloads from plain objects, for rules that look at both. */
export function isWorkload(subject: object): subject is Workload {
  return made.has(subject)
}

/** Custom kinds that make pods from a pod template. Extended by `workloadKinds` in the configuration. */
export const customWorkloads: readonly WorkloadKind[] = [
  { kind: 'argoproj.io/Rollout', template: 'spec.template', replicas: 'spec.replicas' },
  { kind: 'apps.kruise.io/CloneSet', template: 'spec.template', replicas: 'spec.replicas' },
  { kind: 'apps.kruise.io/StatefulSet', template: 'spec.template', replicas: 'spec.replicas' },
  { kind: 'apps.kruise.io/DaemonSet', template: 'spec.template' },
  { kind: 'apps.openshift.io/DeploymentConfig', template: 'spec.template', replicas: 'spec.replicas' },
  { kind: 'serving.knative.dev/Service', template: 'spec.template' },
  { kind: 'keda.sh/ScaledJob', template: 'spec.jobTargetRef.template' },
]

const batchKinds = new Set(['Job', 'CronJob', 'ScaledJob'])
/** The built-in kinds with a scale. */
export const scaledKinds: ReadonlySet<string> = new Set([
  'Deployment',
  'StatefulSet',
  'ReplicaSet',
  'ReplicationController',
])
const empty: Labels = {}

/**
 * The workload that an object is, or undefined when it makes no pods (or has no pod spec), and for what only `helm test`
 * makes.
 */
export function workloadOf(
  { value: object, kindName, namespace, podLabels }: Resource,
  custom: ReadonlyMap<string, WorkloadKind>,
): Workload | undefined {
  if (isTest(object)) return undefined
  const { template, scale } = sourceOf(object, kindName, custom)
  const pod = template?.spec
  if (!template || !pod) return undefined
  const containers = containersOf(pod)
  const kind = object.kind ?? ''
  // Kustomize writes a label over one that is there, and over what selectors ask for: what is written fits what is written.
  const labels = podLabels ? { ...podLabels, ...template.metadata?.labels } : template.metadata?.labels
  const workload: Workload = {
    object,
    kind,
    name: object.metadata?.name ?? object.metadata?.generateName ?? '',
    namespace,
    template,
    pod,
    labels: labels ?? empty,
    annotations: template.metadata?.annotations ?? empty,
    containers,
    running: containers.filter((container) => container.role !== 'init'),
    batch: batchKinds.has(kind),
    scale,
    // A node controls the pods of its own manifests: there is no other object to look at.
    controlled:
      object.metadata?.ownerReferences?.some((owner) => owner.controller === true && owner.kind !== 'Node') ??
      false,
  }
  made.add(workload)
  return workload
}

/**
 * Whether Helm makes the object for `helm test` alone: `helm template` writes it, and no installation has it. Source:
 * helm/pkg/release/hook.go.
 */
function isTest({ metadata }: KubernetesObject): boolean {
  const events = metadata?.annotations?.['helm.sh/hook']
  return events?.split(',').every((event) => event.trim().startsWith('test')) ?? false
}

/** Where an object says what its pods are, and how many. */
interface Source {
  readonly template?: Workload['template'] | undefined
  readonly scale?: Workload['scale']
}

function sourceOf(
  object: KubernetesObject,
  kindName: string,
  custom: ReadonlyMap<string, WorkloadKind>,
): Source {
  switch (kindName) {
    case 'Pod':
      return { template: object as Pod }
    case 'CronJob':
      return { template: (object as CronJob).spec?.jobTemplate?.spec?.template }
    case 'Deployment':
    case 'StatefulSet':
    case 'DaemonSet':
    case 'ReplicaSet':
    case 'ReplicationController':
    case 'Job': {
      const { spec } = object as Deployment
      const scale = spec && scaledKinds.has(kindName) ? { node: spec, replicas: spec.replicas } : undefined
      return { template: spec?.template, scale }
    }
    default: {
      const kind = custom.get(kindName)
      return kind ? customSource(object, kind) : {}
    }
  }
}

function customSource(object: KubernetesObject, { template, replicas }: WorkloadKind): Source {
  const found = valueAt(object, ...template.split('.'))
  if (!isObject(found)) return {}
  const path = replicas?.split('.') ?? []
  const node = replicas ? valueAt(object, ...path.slice(0, -1)) : undefined
  return {
    // The engine has shaped it: `withShapedTemplate` in resources.ts.
    template: found as PodTemplateSpec,
    scale: isObject(node) ? { node, replicas: numberAt(object, ...path) } : undefined,
  }
}

/**
 * Whether it shows a pod that the kubelet runs from a file on its node. Source: kubernetes/pkg/kubelet/types (ConfigMirrorAnnotationKey).
 */
export function isMirror({ annotations }: Workload): boolean {
  return annotations['kubernetes.io/config.mirror'] !== undefined
}
