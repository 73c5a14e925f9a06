/** Pods that operators make: no manifest has them. */

import { groupOf } from '../kubernetes.js'
import type { Graph } from './graph.js'

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
  // Vault labels its own pod: documentation of its Kubernetes service registration.
  'vault-active',
  'vault-initialized',
  'vault-perf-standby',
  'vault-sealed',
  'vault-version',
]

/** Groups of custom resources that make no pods of their name. */
const podless =
  /(?:^|\.)(?:gateway\.networking\.k8s\.io|cert-manager\.io|external-secrets\.io|monitoring\.coreos\.com|traefik\.(?:io|containo\.us)|istio\.io|projectcontour\.io|autoscaling\.k8s\.io|keda\.sh|argoproj\.io|cilium\.io|projectcalico\.org|route\.openshift\.io)$/

/** Whether a custom resource of the same namespace has the name of one of the values: its operator labels pods with it. */
export function isNamedByCustom(values: readonly string[], near: object, graph: Graph): boolean {
  return graph.objects.some(
    (one) =>
      values.includes(one.metadata?.name ?? '') &&
      groupOf(one.apiVersion ?? '').includes('.') &&
      !groupOf(one.apiVersion ?? '').endsWith('.k8s.io') &&
      !podless.test(groupOf(one.apiVersion ?? '')) &&
      graph.namespaceOf(one) === graph.namespaceOf(near),
  )
}
