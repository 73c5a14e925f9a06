/** Where the API server asks somebody else: admission webhooks, conversions of custom resources, aggregated APIs. */
import {
  type APIService,
  type CustomResourceDefinition,
  isKind,
  type KubernetesObject,
  type Service,
} from '../kubernetes.js'
import { push } from '../values/group.js'
import type { Graph } from './graph.js'
import { type Webhook, type WebhookConfiguration, webhooksOf } from './webhook.js'

/** The kinds that say whom the API server asks, or hands requests on to. */
export const calloutKinds = [
  'APIService',
  'CustomResourceDefinition',
  'ValidatingWebhookConfiguration',
  'MutatingWebhookConfiguration',
] as const

type Caller = APIService | CustomResourceDefinition | WebhookConfiguration

/** One place in an object by which the API server asks. */
export interface Callout {
  readonly of: Caller
  /** The mapping that says whom it asks, and whose certificates it trusts. */
  readonly client: {
    readonly service?: ServiceReference | undefined
    readonly caBundle?: string | undefined
    /** Of an APIService. */
    readonly insecureSkipTLSVerify?: boolean | undefined
  }
  /** Requests fail when nobody answers. */
  readonly closed: boolean
  /** Absent for conversions and aggregated APIs. */
  readonly webhook?: Webhook
}

/** The mapping that names a Service. */
export interface ServiceReference {
  readonly name?: string | undefined
  readonly namespace?: string | undefined
  readonly port?: number | undefined
}

/** The places of one object. */
export function calloutsOf(of: Caller): readonly Callout[] {
  if (isKind(of, 'APIService')) return of.spec?.service ? [{ of, client: of.spec, closed: true }] : []
  if (isKind(of, 'CustomResourceDefinition')) {
    const client = of.spec?.conversion?.webhook?.clientConfig
    // Of one version nothing is converted: apiextensions-apiserver/pkg/apiserver/conversion (getObjectsToConvert).
    return client && of.spec?.versions?.length !== 1 ? [{ of, client, closed: true }] : []
  }
  return webhooksOf(of).flatMap((webhook): Callout[] => {
    const { clientConfig: client } = webhook.spec
    return client ? [{ of, client, closed: webhook.closed, webhook }] : []
  })
}

/** The places that name a Service; evidence alone. */
export function calloutsTo(service: Service, graph: Graph): readonly Callout[] {
  const all = graph.once('callouts by the name of their Service', () => {
    const index = new Map<string, Callout[]>()
    for (const kind of calloutKinds)
      for (const one of graph.seen(kind).flatMap(calloutsOf)) {
        const { name, namespace = '' } = one.client.service ?? {}
        if (name) push(index, `${namespace}/${name}`, one)
      }
    return index
  })
  return all.get(`${graph.namespaceOf(service)}/${service.metadata?.name}`) ?? []
}

/** The objects that make the API server ask a Service. */
export function askersOf(service: Service, graph: Graph): readonly KubernetesObject[] {
  return [...new Set(calloutsTo(service, graph).map(({ of }) => of))]
}
