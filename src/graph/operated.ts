/** Pods that operators make: no manifest has them. */
import { groupOf, type ObjectOf } from '../kubernetes.js'
import { push } from '../values/group.js'
import { lazy } from '../values/lazy.js'
import type { Labels } from '../values/selector.js'
import { stringAt } from '../values/untyped.js'
import { isChosen, isNear } from './belonging.js'
import type { Objects } from './objects.js'
import type { Resource } from './resource.js'

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
  /(?:^|\.)(?:k8s\.io|cert-manager\.io|external-secrets\.io|traefik\.(?:io|containo\.us)|istio\.io|projectcontour\.io|keda\.sh|cilium\.io|projectcalico\.org|route\.openshift\.io)$/

/** What Flink writes on the pods that it makes itself. Source: flink-kubernetes/utils/Constants.java (LABEL_TYPE_NATIVE_TYPE). */
const ofFlink = 'flink-native-kubernetes'

/** Says of an object which program keeps it: recommended labels of Kubernetes. */
const managedBy = 'app.kubernetes.io/managed-by'

/**
 * Tells whether the pods with some labels, beside an object, may be some that an operator makes: it or the program puts one of
 * the labels on them, an operator is said to manage them, the domain of a label is the group of a definition of the input, or a
 * custom resource of the same namespace, or a bundle of Flux, has the name that a label gives, or its beginning (`argocd`,
 * `argocd-server`). Of what an operator of OLM makes in its namespace nothing is known.
 */
export function operated({ resources, all }: Objects): (labels: Labels, near: Resource) => boolean {
  const groups = lazy(() => groupsOf(all('CustomResourceDefinition')))
  const bundles = lazy(() => resources.filter(isBundle).map(({ name }) => name))
  const makers = lazy(() => {
    const found = new Map<string, Resource[]>()
    for (const one of resources) {
      if (mayMakePods(one)) push(found, one.namespace, one)
      if (isVersion(one) && one.namespace !== '') push(found, '', one)
    }
    return found
  })
  return (labels, near) => {
    const keys = Object.keys(labels)
    if (keys.some((key) => operatorLabels.some((start) => key.startsWith(start)))) return true
    if (/operator|controller/.test(labels[managedBy] ?? '') || labels.type === ofFlink) return true
    if (keys.some((key) => key.includes('/') && groups().has(key.slice(0, key.indexOf('/'))))) return true
    const values = Object.values(labels)
    if (values.some((value) => bundles().some((name) => isOf(name, value)))) return true
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
  if (group === 'monitoring.coreos.com')
    return /^(Prometheus|PrometheusAgent|Alertmanager|ThanosRuler)$/.test(kind)
  return group.includes('.') && !podless.test(group) && !kind.startsWith('App')
}

/** Whether Flux applies by its name what no repository has: an artifact of a registry or a bucket, in whatever namespaces. */
function isBundle({ apiVersion, value }: Resource): boolean {
  return (
    groupOf(apiVersion) === 'kustomize.toolkit.fluxcd.io' &&
    stringAt(value, 'spec', 'sourceRef', 'kind') !== 'GitRepository'
  )
}

function isOfOlm({ apiVersion }: Resource): boolean {
  return groupOf(apiVersion) === 'operators.coreos.com'
}

/**
 * Whether it is the head of a bundle of OLM, which has the operator's Deployments in it. OLM chooses the namespace: the manifests
 * beside it have none, and its own is a placeholder.
 */
function isVersion(one: Resource): boolean {
  return isOfOlm(one) && one.kind === 'ClusterServiceVersion'
}

/** The groups that definitions have, and the domains that these are part of. */
function groupsOf(definitions: readonly ObjectOf<'CustomResourceDefinition'>[]): ReadonlySet<string> {
  const domains = definitions.flatMap(({ spec }) => {
    const labels = (spec?.group ?? '').split('.')
    return labels.slice(0, -1).map((_, i) => labels.slice(i).join('.'))
  })
  return new Set(domains.filter((one) => one !== 'k8s.io'))
}
