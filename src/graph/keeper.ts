/** Who keeps an object as it is: a change by hand is undone by the next release or sync. */
import type { KubernetesObject } from '../kubernetes.js'

/**
 * The release or application that an object belongs to, in words: `Helm release shop/web`;
 * undefined when none is marked.
 * Sources: helm/pkg/action/validate.go, argo-cd/common/common.go, fluxcd/kustomize-controller and helm-controller
 * (ownership labels), operator-framework/operator-lifecycle-manager (owner labels).
 */
export function keeperOf({ metadata }: KubernetesObject): string | undefined {
  const { labels = {}, annotations = {} } = metadata ?? {}
  const pair = (namespace: string | undefined, name: string) => (namespace ? `${namespace}/${name}` : name)
  for (const [group, kind] of [
    ['helm.toolkit.fluxcd.io', 'Flux HelmRelease'],
    ['kustomize.toolkit.fluxcd.io', 'Flux Kustomization'],
  ] as const) {
    const name = labels[`${group}/name`]
    if (name) return `${kind} ${pair(labels[`${group}/namespace`], name)}`
  }
  const tracking = annotations['argocd.argoproj.io/tracking-id']
  if (tracking) return `Argo CD application ${tracking.split(':')[0]}`
  const release = annotations['meta.helm.sh/release-name']
  if (release && labels['app.kubernetes.io/managed-by'] === 'Helm')
    return `Helm release ${pair(annotations['meta.helm.sh/release-namespace'], release)}`
  const operator = labels['olm.owner']
  return operator ? `operator ${pair(labels['olm.owner.namespace'], operator)}` : undefined
}
