/** Objects that are not all that is applied: somebody fills in the rest before it is. */
import type { ActiveRule } from '../config/settings.js'
import type { Resource } from '../graph/resource.js'
import { arrayAt, isObject } from '../graph/untyped.js'
import type { KubernetesObject } from '../kubernetes.js'
import type { Programs } from '../reader/program.js'

/** Whether what a rule finds ends when somebody completes the object; what is written wrongly stays wrong. */
export function isLeftOpen({ id, rule }: ActiveRule): boolean {
  return rule.category !== 'api-schema' || id === 'missing-field' || id === 'conflicting-fields'
}

/**
 * Whether a program embeds the object's file, or has it among its sources with images that are empty on purpose, or Flux merges
 * the object into what others have written.
 */
export function isCompleted({ document, value }: Resource, programs: Programs | undefined): boolean {
  if (document.live) return false
  // Source: Flux, frequently asked questions (how to patch CoreDNS and other pre-installed addons).
  if (value.metadata?.annotations?.['kustomize.toolkit.fluxcd.io/ssa']?.toLowerCase() === 'merge') return true
  const { name } = document.file
  return programs !== undefined && (programs.embeds(name) || (hasEmptyImage(value) && programs.holds(name)))
}

function hasEmptyImage(value: KubernetesObject): boolean {
  const pod = ['spec', 'template', 'spec']
  return [...arrayAt(value, ...pod, 'containers'), ...arrayAt(value, ...pod, 'initContainers')].some(
    (container) => isObject(container) && container.image === '',
  )
}
