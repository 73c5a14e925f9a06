/** What should have made a Secret of a cluster. */
import type { KubernetesObject } from '../kubernetes.js'
import { formatSpan } from '../values/quantity.js'
import { stringAt } from '../values/untyped.js'
import { changedAt, conditionOf, heldFor } from './condition.js'
import type { Graph } from './graph.js'

/** The cert-manager Certificate or the ExternalSecret that makes the Secret of that name; evidence alone. */
export function secretMaker(secret: string, namespace: string, graph: Graph): KubernetesObject | undefined {
  const makes = (name: (one: KubernetesObject) => string | undefined) => (one: KubernetesObject) =>
    name(one) === secret && graph.namespaceOf(one) === namespace
  return (
    graph.seen('cert-manager.io/Certificate').find(makes((one) => stringAt(one, 'spec', 'secretName'))) ??
    graph
      .seen('external-secrets.io/ExternalSecret')
      .find(makes((one) => stringAt(one, 'spec', 'target', 'name') ?? one.metadata?.name))
  )
}

/** A line for the evidence: `Certificate web-tls is not ready for 23 h: Issuing certificate`. */
export function formatMaker(maker: KubernetesObject, { live }: Graph): string {
  const ready = conditionOf(maker, 'Ready')
  const name = `${maker.kind} ${maker.metadata?.name}`
  if (ready?.status === 'True') return `${name}, which makes it, is ready`
  const span = live && changedAt(ready) ? ` for ${formatSpan(heldFor(ready, live))}` : ''
  return `${name} is not ready${span}${ready?.message ? `: ${ready.message.slice(0, 200)}` : ''}`
}
