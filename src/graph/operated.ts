/** Pods that operators make: no manifest has them. */
import { groupOf, type KubernetesObject } from '../kubernetes.js'
import { isChosen, reach } from './belonging.js'
import type { Graph } from './graph.js'
import { push } from './group.js'

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

/** Says of an object which program keeps it: recommended labels of Kubernetes. */
const managedBy = 'app.kubernetes.io/managed-by'

/**
 * Whether the pods with these labels may be some that an operator makes: it or the program puts one of the labels on them, an
 * operator is said to manage them, the domain of a label is the group of a definition of the input, or a
 * custom resource of the same namespace has the name that a label gives, or its beginning (`argocd`, `argocd-server`). Of what an
 * operator of OLM makes in its namespace nothing is known.
 */
export function isOperated(labels: Readonly<Record<string, string>>, near: object, graph: Graph): boolean {
  const keys = Object.keys(labels)
  if (keys.some((key) => operatorLabels.some((start) => key.startsWith(start)))) return true
  if (/operator|controller/.test(labels[managedBy] ?? '')) return true
  const groups = graph.once('groups of definitions', () => groupsIn(graph))
  if (keys.some((key) => key.includes('/') && groups.has(key.slice(0, key.indexOf('/'))))) return true
  const values = Object.values(labels)
  const namespace = graph.namespaceOf(near)
  const makers = graph.once('custom resources that may make pods', () => makersIn(graph)).get(namespace) ?? []
  return makers.some(
    (one) =>
      (isChosen(namespace) || graph.apart(one, near) <= reach) &&
      (isSubscription(one) || values.some((value) => isOf(one.metadata?.name ?? '', value))),
  )
}

/** Whether something is called as what made it, or after it. */
export function isOf(maker: string, name: string): boolean {
  return name === maker || name.startsWith(`${maker}-`)
}

/** The groups that the definitions of the input have, and the domains that these are part of. */
function groupsIn(graph: Graph): ReadonlySet<string> {
  const domains = graph.all('CustomResourceDefinition').flatMap(({ spec }) => {
    const labels = (spec?.group ?? '').split('.')
    return labels.slice(0, -1).map((_, i) => labels.slice(i).join('.'))
  })
  return new Set(domains.filter((one) => one !== 'k8s.io'))
}

/** The custom resources that may make pods, by namespace. */
function makersIn({ objects, namespaceOf }: Graph): ReadonlyMap<string, readonly KubernetesObject[]> {
  const makers = new Map<string, KubernetesObject[]>()
  for (const one of objects) {
    const group = groupOf(one.apiVersion ?? '')
    // Its bundle is installed into a namespace that OLM chooses: the manifests beside it have none, and its own is a placeholder.
    if (isVersion(one) && namespaceOf(one) !== '') push(makers, '', one)
    // Applications of Argo CD are called as what they apply.
    if (group.includes('.') && !podless.test(group) && !one.kind?.startsWith('App'))
      push(makers, namespaceOf(one), one)
  }
  return makers
}

function isSubscription({ apiVersion = '' }: KubernetesObject): boolean {
  return groupOf(apiVersion) === 'operators.coreos.com'
}

/** Whether it is the head of a bundle of OLM, which has the operator's Deployments in it. */
function isVersion({ apiVersion, kind }: KubernetesObject): boolean {
  return kind === 'ClusterServiceVersion' && groupOf(apiVersion ?? '') === 'operators.coreos.com'
}
