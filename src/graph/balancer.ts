/** How the balancers of providers send to the pods of a Service. */
import type { Service } from '../kubernetes.js'

/**
 * Whether the balancer of a Service sends to its pods themselves: no node, and no traffic policy, is in between.
 * Source: aws-load-balancer-controller/docs/guide/service/annotations.md (nlb-target-type, lb-type).
 */
export function sendsToPods({ metadata }: Service): boolean {
  const annotations = metadata?.annotations ?? {}
  return (
    annotations['service.beta.kubernetes.io/aws-load-balancer-nlb-target-type'] === 'ip' ||
    annotations['service.beta.kubernetes.io/aws-load-balancer-type'] === 'nlb-ip'
  )
}
