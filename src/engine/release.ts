/** What Helm knows of a release, and its rendering does not say. */
import type { SourceFile } from '../document.js'
import type { Resource } from '../graph/resource.js'
import { clusterScoped } from '../kubernetes.js'

/** Kinds that charts put beside the rest of the release; rights and Secrets may be for another namespace. */
const ofRelease = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Service'])

/** Whether `helm template` has written the file: it says of each object which template made it. */
function isRendered({ text }: SourceFile): boolean {
  return /^# Source: \S+\/(?:templates|crds|charts)\//m.test(text.slice(0, 400))
}

/**
 * The objects, with the namespace of their release where they name none: Helm applies them there. Templates differ in
 * whether they say it, and those that do tell it for the others. Left alone where workloads and Services name several.
 */
export function inRelease(resources: readonly Resource[]): readonly Resource[] {
  const named = new Map<SourceFile, Set<string>>()
  for (const { document, kindName, namespace } of resources) {
    const { file } = document
    // Charts put Services of the control plane into kube-system, for monitoring.
    if (document.live || namespace === '' || namespace === 'kube-system' || !ofRelease.has(kindName)) continue
    const names = named.get(file)
    if (names) names.add(namespace)
    else if (isRendered(file)) named.set(file, new Set([namespace]))
  }
  if (named.size === 0) return resources
  return resources.map((one) => {
    if (one.namespace !== '' || clusterScoped.has(one.kindName)) return one
    const [namespace, other] = named.get(one.document.file) ?? []
    return namespace === undefined || other !== undefined ? one : { ...one, namespace }
  })
}
