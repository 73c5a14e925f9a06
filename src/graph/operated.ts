/** Pods that operators make: no manifest has them. */
import { groupOf } from '../kubernetes.js'
import { isChosen, isNear } from './belonging.js'
import { groupBy } from './group.js'
import { lazy } from './lazy.js'
import type { Objects } from './objects.js'
import type { Resource } from './resource.js'
import type { Labels } from './selector.js'

/** Beginnings of the keys of labels that operators, or the programs themselves, put on pods. */
export const operatorLabels: readonly string[] = [
  'cnpg.io/',
  'serving.knative.dev/',
  'strimzi.io/',
  'ceph.rook.io/',
  'rook_cluster',
  'postgres-operator.crunchydata.com/',
  'spilo-role',
  'longhorn.io/',
  'ray.io/',
  'elasticsearch.k8s.elastic.co/',
  'operator.prometheus.io/',
  'gateway.networking.k8s.io/',
  'jobset.sigs.k8s.io/',
  'leaderworkerset.sigs.k8s.io/',
  // Prow's pods of jobs: sigs.k8s.io/prow/pkg/kube/prowjob.go.
  'created-by-prow',
  'prow.k8s.io/',
  // Vault labels its own pod: documentation of its Kubernetes service registration.
  'vault-active',
  'vault-initialized',
  'vault-perf-standby',
  'vault-sealed',
  'vault-version',
]

/** Groups of custom resources that make no pods of their name. */
const podless =
  /(?:^|\.)(?:k8s\.io|cert-manager\.io|external-secrets\.io|monitoring\.coreos\.com|traefik\.(?:io|containo\.us)|istio\.io|projectcontour\.io|keda\.sh|cilium\.io|projectcalico\.org|route\.openshift\.io)$/

/**
 * Tells whether the pods with some labels, beside an object, may be some that an operator makes: it or the program puts one of
 * the labels on them, or a custom resource of the same namespace has the name that a label gives, or its beginning (`argocd`,
 * `argocd-server`). Of what an operator of OLM makes in its namespace nothing is known.
 */
export function operated({ resources }: Objects): (labels: Labels, near: Resource) => boolean {
  const makers = lazy(() => groupBy(resources.filter(mayMakePods), ({ namespace }) => namespace))
  return (labels, near) => {
    if (Object.keys(labels).some((key) => operatorLabels.some((start) => key.startsWith(start)))) return true
    const values = Object.values(labels)
    return (makers().get(near.namespace) ?? []).some(
      (one) =>
        (isChosen(near.namespace) || isNear(one.folders, near.folders)) &&
        (isOfOlm(one) || values.some((value) => isOf(one.name, value))),
    )
  }
}

/** Whether something is called as what made it, or after it. */
export function isOf(maker: string, name: string): boolean {
  return name === maker || name.startsWith(`${maker}-`)
}

/** Whether it is a custom resource that may make pods. Applications of Argo CD are called as what they apply. */
function mayMakePods({ apiVersion, kind }: Resource): boolean {
  const group = groupOf(apiVersion)
  return group.includes('.') && !podless.test(group) && !kind.startsWith('App')
}

function isOfOlm({ apiVersion }: Resource): boolean {
  return groupOf(apiVersion) === 'operators.coreos.com'
}
