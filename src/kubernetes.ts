/**
 * The Kubernetes objects as rules see them.
 *
 * The types come from `@kubernetes/client-node` (types only, nothing of it is loaded here), loosened to what
 * a manifest can be relied on to hold after the reader has shaped it: every field may be absent, `null` is
 * read as absent (as the API server does), a date is its text.
 */
import type * as k8s from '@kubernetes/client-node'

/** An object whose fields nothing has checked: custom resources and configuration files of components. */
export interface Untyped {
  readonly [field: string]: unknown
}

/** The field name that a manifest uses for a property that client-node had to rename (`_from`, `_default`). */
type FieldName<K> = K extends `_${infer Name}` ? Name : K

/** `T` with every field optional at every depth. */
export type Loose<T> = T extends Date
  ? string
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends readonly (infer U)[]
      ? readonly Loose<U>[]
      : string extends keyof T
        ? { readonly [key: string]: Loose<T[keyof T]> }
        : T extends object
          ? { readonly [K in keyof T as FieldName<K>]?: Loose<T[K]> | undefined }
          : T

export type ObjectMeta = Loose<k8s.V1ObjectMeta>

/** What every Kubernetes object has. */
export interface KubernetesObject {
  readonly apiVersion?: string | undefined
  readonly kind?: string | undefined
  readonly metadata?: ObjectMeta | undefined
}

type Typed<T> = Omit<Loose<T>, 'apiVersion' | 'kind' | 'metadata'> & KubernetesObject

export type Pod = Typed<k8s.V1Pod>
export type Deployment = Typed<k8s.V1Deployment>
export type StatefulSet = Typed<k8s.V1StatefulSet>
export type DaemonSet = Typed<k8s.V1DaemonSet>
export type ReplicaSet = Typed<k8s.V1ReplicaSet>
export type ReplicationController = Typed<k8s.V1ReplicationController>
export type Job = Typed<k8s.V1Job>
export type CronJob = Typed<k8s.V1CronJob>
export type Service = Typed<k8s.V1Service>
export type Endpoints = Typed<k8s.V1Endpoints>
export type EndpointSlice = Typed<k8s.V1EndpointSlice>
export type Ingress = Typed<k8s.V1Ingress>
export type IngressClass = Typed<k8s.V1IngressClass>
export type NetworkPolicy = Typed<k8s.V1NetworkPolicy>
export type ConfigMap = Typed<k8s.V1ConfigMap>
/** Secret values are dropped by the reader: `data` and `stringData` keep their keys with empty values. */
export type Secret = Typed<k8s.V1Secret>
export type ServiceAccount = Typed<k8s.V1ServiceAccount>
export type Namespace = Typed<k8s.V1Namespace>
export type Node = Typed<k8s.V1Node>
export type ResourceQuota = Typed<k8s.V1ResourceQuota>
export type LimitRange = Typed<k8s.V1LimitRange>
export type PersistentVolume = Typed<k8s.V1PersistentVolume>
export type PersistentVolumeClaim = Typed<k8s.V1PersistentVolumeClaim>
export type StorageClass = Typed<k8s.V1StorageClass>
export type PriorityClass = Typed<k8s.V1PriorityClass>
export type PodDisruptionBudget = Typed<k8s.V1PodDisruptionBudget>
/** `autoscaling/v2`; the older `autoscaling/v1` shape (`targetCPUUtilizationPercentage`) is added here. */
export type HorizontalPodAutoscaler = Omit<Typed<k8s.V2HorizontalPodAutoscaler>, 'spec'> & {
  readonly spec?:
    | (Loose<k8s.V2HorizontalPodAutoscalerSpec> & { readonly targetCPUUtilizationPercentage?: number })
    | undefined
}
export type Role = Typed<k8s.V1Role>
export type ClusterRole = Typed<k8s.V1ClusterRole>
export type RoleBinding = Typed<k8s.V1RoleBinding>
export type ClusterRoleBinding = Typed<k8s.V1ClusterRoleBinding>
export type ValidatingWebhookConfiguration = Typed<k8s.V1ValidatingWebhookConfiguration>
export type MutatingWebhookConfiguration = Typed<k8s.V1MutatingWebhookConfiguration>
export type ValidatingAdmissionPolicy = Typed<k8s.V1ValidatingAdmissionPolicy>
export type APIService = Typed<k8s.V1APIService>
export type CustomResourceDefinition = Typed<k8s.V1CustomResourceDefinition>
export type Lease = Typed<k8s.V1Lease>
export type Event = Typed<k8s.CoreV1Event>
export type Custom = KubernetesObject & { readonly spec?: unknown; readonly [field: string]: unknown }

export type PodSpec = Loose<k8s.V1PodSpec>
export type PodTemplateSpec = Loose<k8s.V1PodTemplateSpec>
export type ContainerSpec = Loose<k8s.V1Container>
export type ContainerPort = Loose<k8s.V1ContainerPort>
export type Probe = Loose<k8s.V1Probe>
export type Volume = Loose<k8s.V1Volume>
export type LabelSelector = Loose<k8s.V1LabelSelector>
export type ServicePort = Loose<k8s.V1ServicePort>
export type PodAffinityTerm = Loose<k8s.V1PodAffinityTerm>
export type TopologySpreadConstraint = Loose<k8s.V1TopologySpreadConstraint>
export type NodeSelectorTerm = Loose<k8s.V1NodeSelectorTerm>
/** `spec.x` of kind IntOrString: a number, or text such as `"25%"` or a port's name. */
export type IntOrString = number | string

/**
 * The built-in kinds that rules may name without a group, with the groups that ever served them.
 * The first group is today's; the others were served earlier and are read as the same kind.
 * Source: the OpenAPI documents of Kubernetes 1.16 to 1.37.
 */
export const builtinGroups = {
  Pod: [''],
  Deployment: ['apps', 'extensions'],
  StatefulSet: ['apps'],
  DaemonSet: ['apps', 'extensions'],
  ReplicaSet: ['apps', 'extensions'],
  ReplicationController: [''],
  Job: ['batch'],
  CronJob: ['batch'],
  Service: [''],
  Endpoints: [''],
  EndpointSlice: ['discovery.k8s.io'],
  Ingress: ['networking.k8s.io', 'extensions'],
  IngressClass: ['networking.k8s.io'],
  NetworkPolicy: ['networking.k8s.io', 'extensions'],
  ConfigMap: [''],
  Secret: [''],
  ServiceAccount: [''],
  Namespace: [''],
  Node: [''],
  ResourceQuota: [''],
  LimitRange: [''],
  PersistentVolume: [''],
  PersistentVolumeClaim: [''],
  StorageClass: ['storage.k8s.io'],
  PriorityClass: ['scheduling.k8s.io'],
  PodDisruptionBudget: ['policy'],
  HorizontalPodAutoscaler: ['autoscaling'],
  Role: ['rbac.authorization.k8s.io'],
  ClusterRole: ['rbac.authorization.k8s.io'],
  RoleBinding: ['rbac.authorization.k8s.io'],
  ClusterRoleBinding: ['rbac.authorization.k8s.io'],
  ValidatingWebhookConfiguration: ['admissionregistration.k8s.io'],
  MutatingWebhookConfiguration: ['admissionregistration.k8s.io'],
  ValidatingAdmissionPolicy: ['admissionregistration.k8s.io'],
  APIService: ['apiregistration.k8s.io'],
  CustomResourceDefinition: ['apiextensions.k8s.io'],
  Lease: ['coordination.k8s.io'],
  Event: ['', 'events.k8s.io'],
} as const satisfies Record<string, readonly [string, ...string[]]>

/**
 * Built-in kinds without a namespace, by the names of `kindNameOf`, those of releases that have gone included: -n does not apply to
 * them. Source: `kubectl api-resources --namespaced=false` of 1.36, and pkg/registry/.../strategy.go (NamespaceScoped) for the rest.
 */
export const clusterScoped: ReadonlySet<string> = new Set([
  'Namespace',
  'Node',
  'PersistentVolume',
  'StorageClass',
  'PriorityClass',
  'ClusterRole',
  'ClusterRoleBinding',
  'IngressClass',
  'ValidatingWebhookConfiguration',
  'MutatingWebhookConfiguration',
  'ValidatingAdmissionPolicy',
  'APIService',
  'CustomResourceDefinition',
  'admissionregistration.k8s.io/MutatingAdmissionPolicy',
  'admissionregistration.k8s.io/MutatingAdmissionPolicyBinding',
  'admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding',
  'authentication.k8s.io/TokenReview',
  'authorization.k8s.io/SubjectAccessReview',
  'certificates.k8s.io/CertificateSigningRequest',
  'certificates.k8s.io/ClusterTrustBundle',
  'extensions/PodSecurityPolicy',
  'flowcontrol.apiserver.k8s.io/FlowSchema',
  'flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration',
  'networking.k8s.io/IPAddress',
  'networking.k8s.io/ServiceCIDR',
  'node.k8s.io/RuntimeClass',
  'policy/PodSecurityPolicy',
  'resource.k8s.io/DeviceClass',
  'resource.k8s.io/DeviceTaintRule',
  'resource.k8s.io/ResourceSlice',
  'storage.k8s.io/CSIDriver',
  'storage.k8s.io/CSINode',
  'storage.k8s.io/VolumeAttachment',
  'storage.k8s.io/VolumeAttributesClass',
  'storagemigration.k8s.io/StorageVersionMigration',
])

/** The type of each built-in kind. */
export interface BuiltinKinds {
  Pod: Pod
  Deployment: Deployment
  StatefulSet: StatefulSet
  DaemonSet: DaemonSet
  ReplicaSet: ReplicaSet
  ReplicationController: ReplicationController
  Job: Job
  CronJob: CronJob
  Service: Service
  Endpoints: Endpoints
  EndpointSlice: EndpointSlice
  Ingress: Ingress
  IngressClass: IngressClass
  NetworkPolicy: NetworkPolicy
  ConfigMap: ConfigMap
  Secret: Secret
  ServiceAccount: ServiceAccount
  Namespace: Namespace
  Node: Node
  ResourceQuota: ResourceQuota
  LimitRange: LimitRange
  PersistentVolume: PersistentVolume
  PersistentVolumeClaim: PersistentVolumeClaim
  StorageClass: StorageClass
  PriorityClass: PriorityClass
  PodDisruptionBudget: PodDisruptionBudget
  HorizontalPodAutoscaler: HorizontalPodAutoscaler
  Role: Role
  ClusterRole: ClusterRole
  RoleBinding: RoleBinding
  ClusterRoleBinding: ClusterRoleBinding
  ValidatingWebhookConfiguration: ValidatingWebhookConfiguration
  MutatingWebhookConfiguration: MutatingWebhookConfiguration
  ValidatingAdmissionPolicy: ValidatingAdmissionPolicy
  APIService: APIService
  CustomResourceDefinition: CustomResourceDefinition
  Lease: Lease
  Event: Event
}
export type BuiltinKind = keyof BuiltinKinds

/**
 * A kind that rules may ask for: a built-in one by its bare name, any other by its group, as in
 * `monitoring.coreos.com/ServiceMonitor` (all versions).
 */
export type KindName = BuiltinKind | `${string}/${string}`

/** Whether a kind is one of those that have a name without a group. */
export function isBuiltin(kind: string): kind is BuiltinKind {
  return Object.hasOwn(builtinGroups, kind)
}

export type ObjectOf<K extends KindName> = K extends BuiltinKind ? BuiltinKinds[K] : Custom

/** Whether the object is of a built-in kind, in any group that ever served it: tells the subjects of a rule apart. */
export function isKind<K extends BuiltinKind>(object: object, kind: K): object is BuiltinKinds[K] {
  const { apiVersion, kind: own }: KubernetesObject = object
  const groups: readonly string[] = builtinGroups[kind]
  return own === kind && apiVersion !== undefined && groups.includes(groupOf(apiVersion))
}

/** The annotation in which `kubectl apply` keeps what it has applied. */
export const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** The fields that objects of every kind have. */
export const headFields: ReadonlySet<unknown> = new Set(['apiVersion', 'kind', 'metadata'])

/** The group of an `apiVersion`: `apps/v1` → `apps`, `v1` → `''`. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/')
  return slash < 0 ? '' : apiVersion.slice(0, slash)
}

/** The version of an `apiVersion`: `apps/v1` → `v1`. */
export function versionOf(apiVersion: string): string {
  return apiVersion.slice(apiVersion.indexOf('/') + 1)
}

/** The name that rules use for an object's kind, whatever version it is written in. */
export function kindNameOf(apiVersion: string, kind: string): KindName {
  const group = groupOf(apiVersion)
  if (isBuiltin(kind)) {
    const groups: readonly string[] = builtinGroups[kind]
    if (groups.includes(group)) return kind
  }
  return `${group}/${kind}`
}

/**
 * The plural that paths and roles have for a kind, as it follows from its name: that of all built-in kinds but Endpoints.
 * Source: UnsafeGuessKindToResource, k8s.io/apimachinery/pkg/api/meta/restmapper.go.
 */
export function pluralOf(kind: string): string {
  const name = kind.toLowerCase()
  if (name.endsWith('s')) return `${name}es`
  return name.endsWith('y') ? `${name.slice(0, -1)}ies` : `${name}s`
}

/** When an object was made, in milliseconds since 1970; 0 where it does not say. */
export function madeAt({ metadata }: KubernetesObject): number {
  return Date.parse(metadata?.creationTimestamp ?? '') || 0
}
