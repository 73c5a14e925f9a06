/**
 * API versions that Kubernetes deprecated or stopped serving between 1.16 and 1.37.
 *
 * Keyed by group, version and kind: versions were reused for other kinds later. Sources: the prerelease-lifecycle
 * functions of k8s.io/api v0.21 to v0.37, k8s.io/apiextensions-apiserver and k8s.io/kube-aggregator (tags in types.go), the
 * Deprecated API Migration Guide, and for alpha versions the first release whose OpenAPI document lacks them.
 * tests/removed-apis.test.ts compares this table with the first two, tests/schema.test.ts with the last.
 */
import { builtinGroups, groupOf, versionOf } from '../kubernetes.js'
import { groupBy } from '../values/group.js'
import { isServed, kindsByName, newestMinor } from './definitions.js'

export interface RetiredApi {
  readonly apiVersion: string
  readonly kind: string
  /** The minor version from which the API server warns. */
  readonly deprecated: number
  /** The first minor version that does not serve it; undefined while no version is named. May lie ahead. */
  readonly removed: number | undefined
  /** Whether a manifest stays right when only its apiVersion is exchanged for the successor's. */
  readonly sameShape: boolean
}

/** apiVersion, kinds, deprecated in, removed in (`-`: not planned), `=`: same shape as the successor. */
const table = `
admissionregistration.k8s.io/v1alpha1 MutatingAdmissionPolicy,MutatingAdmissionPolicyBinding 35 38
admissionregistration.k8s.io/v1alpha1 ValidatingAdmissionPolicy,ValidatingAdmissionPolicyBinding 29 32
admissionregistration.k8s.io/v1beta1 MutatingAdmissionPolicy,MutatingAdmissionPolicyBinding 37 40 =
admissionregistration.k8s.io/v1beta1 MutatingWebhookConfiguration,ValidatingWebhookConfiguration 16 22
admissionregistration.k8s.io/v1beta1 ValidatingAdmissionPolicy,ValidatingAdmissionPolicyBinding 31 34 =
apiextensions.k8s.io/v1beta1 CustomResourceDefinition 16 22
apiregistration.k8s.io/v1beta1 APIService 19 22 =
apps/v1beta1 ControllerRevision,Deployment,StatefulSet 8 16
apps/v1beta2 ControllerRevision,DaemonSet,Deployment,ReplicaSet,StatefulSet 9 16
auditregistration.k8s.io/v1alpha1 AuditSink 18 19
authentication.k8s.io/v1alpha1 SelfSubjectReview 29 32 =
authentication.k8s.io/v1beta1 SelfSubjectReview 30 33 =
authentication.k8s.io/v1beta1 TokenReview 19 22 =
authorization.k8s.io/v1beta1 LocalSubjectAccessReview,SelfSubjectAccessReview,SubjectAccessReview 19 22
authorization.k8s.io/v1beta1 SelfSubjectRulesReview 19 22 =
autoscaling/v2beta1 HorizontalPodAutoscaler 22 25
autoscaling/v2beta2 HorizontalPodAutoscaler 23 26 =
batch/v1beta1 CronJob 21 25 =
batch/v2alpha1 CronJob 20 21 =
certificates.k8s.io/v1alpha1 ClusterTrustBundle 34 37
certificates.k8s.io/v1alpha1 PodCertificateRequest 34 35
certificates.k8s.io/v1beta1 CertificateSigningRequest 19 22
certificates.k8s.io/v1beta1 ClusterTrustBundle,PodCertificateRequest 37 40
coordination.k8s.io/v1alpha1 LeaseCandidate 31 32
coordination.k8s.io/v1alpha2 LeaseCandidate 35 38
coordination.k8s.io/v1beta1 Lease 19 22 =
coordination.k8s.io/v1beta1 LeaseCandidate 36 39
discovery.k8s.io/v1alpha1 EndpointSlice 16 17
discovery.k8s.io/v1beta1 EndpointSlice 21 25
events.k8s.io/v1beta1 Event 22 25
extensions/v1beta1 DaemonSet,Deployment,ReplicaSet 8 16
extensions/v1beta1 Ingress 14 22
extensions/v1beta1 NetworkPolicy 9 16 =
extensions/v1beta1 PodSecurityPolicy 11 16 =
flowcontrol.apiserver.k8s.io/v1alpha1 FlowSchema,PriorityLevelConfiguration 20 21
flowcontrol.apiserver.k8s.io/v1beta1 FlowSchema,PriorityLevelConfiguration 23 26
flowcontrol.apiserver.k8s.io/v1beta2 FlowSchema,PriorityLevelConfiguration 26 29
flowcontrol.apiserver.k8s.io/v1beta3 FlowSchema,PriorityLevelConfiguration 29 32
networking.k8s.io/v1alpha1 ClusterCIDR 28 29
networking.k8s.io/v1alpha1 IPAddress,ServiceCIDR 30 31 =
networking.k8s.io/v1beta1 IPAddress,ServiceCIDR 34 37 =
networking.k8s.io/v1beta1 Ingress 19 22
networking.k8s.io/v1beta1 IngressClass 19 22 =
node.k8s.io/v1alpha1 RuntimeClass 20 24
node.k8s.io/v1beta1 RuntimeClass 22 25 =
policy/v1beta1 PodDisruptionBudget 21 25 =
policy/v1beta1 PodSecurityPolicy 21 25
rbac.authorization.k8s.io/v1alpha1 ClusterRole,ClusterRoleBinding,Role,RoleBinding 17 23 =
rbac.authorization.k8s.io/v1beta1 ClusterRole,ClusterRoleBinding,Role,RoleBinding 17 22 =
resource.k8s.io/v1alpha1 PodScheduling,ResourceClaim,ResourceClaimTemplate,ResourceClass 26 27
resource.k8s.io/v1alpha2 PodSchedulingContext,ResourceClaim,ResourceClaimParameters,ResourceClaimTemplate 30 31
resource.k8s.io/v1alpha2 ResourceClass,ResourceClassParameters,ResourceSlice 30 31
resource.k8s.io/v1alpha3 DeviceClass,ResourceClaim,ResourceClaimTemplate,ResourceSlice 33 34
resource.k8s.io/v1alpha3 DeviceTaintRule 36 39
resource.k8s.io/v1alpha3 PodSchedulingContext 31 32
resource.k8s.io/v1beta1 DeviceClass,ResourceClaim,ResourceClaimTemplate,ResourceSlice 35 38
resource.k8s.io/v1beta2 DeviceClass,ResourceClaim,ResourceClaimTemplate,ResourceSlice 36 39
scheduling.k8s.io/v1alpha1 PriorityClass 14 23 =
scheduling.k8s.io/v1alpha1 Workload 35 36
scheduling.k8s.io/v1alpha2 PodGroup,Workload 36 37
scheduling.k8s.io/v1beta1 PriorityClass 14 22 =
settings.k8s.io/v1alpha1 PodPreset 19 20
storage.k8s.io/v1alpha1 CSIStorageCapacity 21 24 =
storage.k8s.io/v1alpha1 VolumeAttachment 21 23 =
storage.k8s.io/v1alpha1 VolumeAttributesClass 32 35 =
storage.k8s.io/v1beta1 CSIDriver 19 22 =
storage.k8s.io/v1beta1 CSINode 17 22 =
storage.k8s.io/v1beta1 CSIStorageCapacity 24 27 =
storage.k8s.io/v1beta1 StorageClass,VolumeAttachment 19 22 =
storage.k8s.io/v1beta1 VolumeAttributesClass 34 37 =
storagemigration.k8s.io/v1alpha1 StorageVersionMigration 33 35
storagemigration.k8s.io/v1beta1 StorageVersionMigration 37 40
v1 ComponentStatus 19 -
v1 Endpoints 33 -
`

export const retiredApis: readonly RetiredApi[] = table
  .trim()
  .split('\n')
  .flatMap((line) => {
    const [apiVersion = '', kinds = '', deprecated, removed, same] = line.split(' ')
    return kinds.split(',').map((kind) => ({
      apiVersion,
      kind,
      deprecated: Number(deprecated),
      removed: removed === '-' ? undefined : Number(removed),
      sameShape: same === '=',
    }))
  })

/** By API version: rules ask for each object there is, and most are in one that has lost no kind. */
const retired = groupBy(retiredApis, ({ apiVersion }) => apiVersion)

/** What is known of an API version's end; undefined while it is not deprecated in any known release. */
export function retiredApi(apiVersion: string, kind: string): RetiredApi | undefined {
  return retired.get(apiVersion)?.find((one) => one.kind === kind)
}

/** The API versions that serve a kind at a minor version, the best first: stable before beta before alpha, newest first. */
export function versionsOf(group: string, kind: string, minor: number = newestMinor): readonly string[] {
  const groups: readonly string[] = Object.hasOwn(builtinGroups, kind)
    ? builtinGroups[kind as keyof typeof builtinGroups]
    : []
  const family = groups.includes(group)
    ? groups
    : kind === 'PodSecurityPolicy'
      ? ['policy', 'extensions']
      : [group]
  return (kindsByName.get(kind) ?? [])
    .filter((one) => family.includes(groupOf(one.apiVersion)) && isServed(one, minor))
    .filter((one) => {
      const removed = retiredApi(one.apiVersion, kind)?.removed
      return removed === undefined || minor < removed
    })
    .map((one) => one.apiVersion)
    .sort((a, b) => rank(b) - rank(a))
}

/**
 * What to write instead of an API version at a minor version; undefined when no other version did. The same major version
 * before others: `autoscaling/v1` is no successor of `autoscaling/v2beta1` as long as there is another.
 */
export function successorOf(apiVersion: string, kind: string, minor: number): string | undefined {
  const own = rank(apiVersion)
  const better = versionsOf(groupOf(apiVersion), kind, minor).filter((one) => rank(one) > own)
  return better.find((one) => major(one) >= major(apiVersion)) ?? better[0]
}

function major(apiVersion: string): number {
  return Number(/^v(\d+)/.exec(versionOf(apiVersion))?.[1] ?? 0)
}

/** Orders API versions as the API server does: v2 > v1 > v1beta2 > v1beta1 > v1alpha1. */
function rank(apiVersion: string): number {
  const [, major, stage, minor] = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(versionOf(apiVersion)) ?? []
  const level = stage === undefined ? 2 : stage === 'beta' ? 1 : 0
  return level * 10_000 + Number(major ?? 0) * 100 + Number(minor ?? 0)
}
