/** The table of retired API versions against what Kubernetes itself says of them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { newestMinor } from '../src/schema/definitions.js'
import { retiredApi, retiredApis } from '../src/schema/removed-apis.js'

/** What the Deprecated API Migration Guide on kubernetes.io lists, whose last entry is 1.32. */
const guide = `
1.16 extensions/v1beta1 NetworkPolicy,PodSecurityPolicy,DaemonSet,Deployment,ReplicaSet
1.16 apps/v1beta1 Deployment,StatefulSet
1.16 apps/v1beta2 DaemonSet,Deployment,StatefulSet,ReplicaSet
1.22 admissionregistration.k8s.io/v1beta1 MutatingWebhookConfiguration,ValidatingWebhookConfiguration
1.22 apiextensions.k8s.io/v1beta1 CustomResourceDefinition
1.22 apiregistration.k8s.io/v1beta1 APIService
1.22 authentication.k8s.io/v1beta1 TokenReview
1.22 authorization.k8s.io/v1beta1 LocalSubjectAccessReview,SelfSubjectAccessReview,SubjectAccessReview
1.22 certificates.k8s.io/v1beta1 CertificateSigningRequest
1.22 coordination.k8s.io/v1beta1 Lease
1.22 extensions/v1beta1 Ingress
1.22 networking.k8s.io/v1beta1 Ingress,IngressClass
1.22 rbac.authorization.k8s.io/v1beta1 ClusterRole,ClusterRoleBinding,Role,RoleBinding
1.22 scheduling.k8s.io/v1beta1 PriorityClass
1.22 storage.k8s.io/v1beta1 CSIDriver,CSINode,StorageClass,VolumeAttachment
1.25 autoscaling/v2beta1 HorizontalPodAutoscaler
1.25 batch/v1beta1 CronJob
1.25 discovery.k8s.io/v1beta1 EndpointSlice
1.25 events.k8s.io/v1beta1 Event
1.25 node.k8s.io/v1beta1 RuntimeClass
1.25 policy/v1beta1 PodDisruptionBudget,PodSecurityPolicy
1.26 autoscaling/v2beta2 HorizontalPodAutoscaler
1.26 flowcontrol.apiserver.k8s.io/v1beta1 FlowSchema,PriorityLevelConfiguration
1.27 storage.k8s.io/v1beta1 CSIStorageCapacity
1.29 flowcontrol.apiserver.k8s.io/v1beta2 FlowSchema,PriorityLevelConfiguration
1.32 flowcontrol.apiserver.k8s.io/v1beta3 FlowSchema,PriorityLevelConfiguration
`

/** Gone earlier than their tags say, as the OpenAPI documents of those releases show. */
const goneEarlier = new Set([
  'certificates.k8s.io/v1alpha1 PodCertificateRequest',
  'coordination.k8s.io/v1alpha1 LeaseCandidate',
  'networking.k8s.io/v1alpha1 ClusterCIDR',
  'networking.k8s.io/v1alpha1 IPAddress',
  'networking.k8s.io/v1alpha1 ServiceCIDR',
  'resource.k8s.io/v1alpha3 DeviceClass',
  'resource.k8s.io/v1alpha3 ResourceClaim',
  'resource.k8s.io/v1alpha3 ResourceClaimTemplate',
  'resource.k8s.io/v1alpha3 ResourceSlice',
  'storage.k8s.io/v1alpha1 VolumeAttachment',
  'storagemigration.k8s.io/v1alpha1 StorageVersionMigration',
])
/** No objects that anybody writes to a file. */
const unwritten = /Review|Eviction|DeploymentRollback|Scale|JobTemplate|APIGroupDiscovery/

describe('retired API versions', () => {
  it('are those of the migration guide', () => {
    for (const line of guide.trim().split('\n')) {
      const [release = '', apiVersion = '', kinds = ''] = line.split(' ')
      for (const kind of kinds.split(','))
        expect(`1.${retiredApi(apiVersion, kind)?.removed}`, `${apiVersion} ${kind}`).toBe(release)
    }
  })
  it('are those that the Go types are tagged with', () => {
    const text = readFileSync(join(__dirname, '..', 'scripts', 'schema', 'lifecycles.txt'), 'utf8')
    const lines = text.split('\n').filter((one) => one !== '' && !one.startsWith('#'))
    expect(lines.length).toBeGreaterThan(retiredApis.length / 2)
    for (const line of lines) {
      const [apiVersion = '', kind = '', deprecated, removed] = line.split(' ')
      if (removed === '-' || unwritten.test(kind)) continue
      // Beta versions are tagged years ahead; the table has them once they are deprecated.
      if (Number(deprecated) > newestMinor) continue
      const ours = retiredApi(apiVersion, kind)
      if (goneEarlier.has(`${apiVersion} ${kind}`)) expect(ours?.removed, line).toBeLessThan(Number(removed))
      else expect([ours?.deprecated, ours?.removed], line).toEqual([Number(deprecated), Number(removed)])
    }
  })
  it('are deprecated before they go, and named once', () => {
    const names = retiredApis.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`)
    expect(new Set(names).size).toBe(names.length)
    for (const { deprecated, removed } of retiredApis) expect(deprecated).toBeLessThan(removed ?? 99)
  })
})
