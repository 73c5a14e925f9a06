/** The pods of node-exporter, which measure the nodes that they run on: where they answer, and why they may not. */
import { imageNamed } from '../graph/image.js'
import type { Untyped } from '../kubernetes.js'
import type { Unread } from '../reader/input.js'
import { arrayAt, numberAt, objectsAt, stringAt, valueAt } from '../values/untyped.js'
import type { RequestError } from './request.js'

/** A pod of node-exporter that runs in the network of its node. */
export interface Exporter {
  readonly namespace: string
  readonly pod: string
  readonly node: string
  readonly scheme: 'http' | 'https'
  readonly port: number
}

/** Its port where nothing says otherwise. Source: prometheus/node_exporter, node_exporter.go. */
const defaultPort = 9100

const itself = ['node-exporter', 'node_exporter']
/** Takes requests in front of it, and asks for credentials. */
const guard = ['kube-rbac-proxy']

/**
 * How to ask node-exporter in a pod, if it is one that runs and can tell of its node. The kernel tracks connections in each network
 * namespace by itself: what node-exporter sees outside that of the host is its own handful. Source:
 * linux/net/netfilter/nf_conntrack_core.c.
 */
export function exporterIn(pod: Untyped): Exporter | undefined {
  const node = stringAt(pod, 'spec', 'nodeName')
  const name = stringAt(pod, 'metadata', 'name')
  const namespace = stringAt(pod, 'metadata', 'namespace')
  const containers = objectsAt(pod, 'spec', 'containers')
  const own = containers.find(({ image }) => isImage(image, itself))
  const label = stringAt(pod, 'metadata', 'labels', 'app.kubernetes.io/name')
  const isExporter = own !== undefined || label === 'node-exporter' || label === 'prometheus-node-exporter'
  const isRunning =
    stringAt(pod, 'status', 'phase') === 'Running' &&
    stringAt(pod, 'metadata', 'deletionTimestamp') === undefined
  const isInHost = valueAt(pod, 'spec', 'hostNetwork') === true
  if (!isExporter || !isRunning || !isInHost || !node || !name || !namespace) return undefined
  const guarding = containers.find(({ image }) => isImage(image, guard))
  const port = portOf(guarding ? [guarding] : own ? [own] : containers)
  const isSecure = guarding
    ? !hasFlag(guarding, 'insecure-listen-address')
    : stringAt(port, 'name') === 'https'
  return {
    namespace,
    pod: name,
    node,
    scheme: isSecure ? 'https' : 'http',
    port: numberAt(port, 'containerPort') ?? defaultPort,
  }
}

/** The path of the API server that leads to its metrics. Source: kubernetes/pkg/registry/core/pod/strategy.go (ResourceLocation). */
export function metricsPath({ namespace, pod, scheme, port }: Exporter): string {
  const name = `${scheme === 'https' ? 'https:' : ''}${encodeURIComponent(pod)}:${port}`
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${name}/proxy/metrics`
}

/** Why node-exporter did not tell, in our words: those of a pod are anybody's. */
export function unreadExporter({ node, namespace }: Exporter, { status, message }: RequestError): Unread {
  // A pod may refuse a request, too.
  if (status === 403 && message.includes('pods/proxy'))
    return { resource: 'pods/proxy', reason: 'forbidden', message }
  if (status === 401 || status === 403)
    return {
      resource: `node-exporter in ${namespace}`,
      reason: 'failed',
      message: `it wants credentials (HTTP ${status}), which the API server does not pass on; behind kube-rbac-proxy, --ignore-paths=/metrics lets everybody read`,
    }
  return {
    resource: `node-exporter of ${node}`,
    reason: 'failed',
    message:
      status >= 500
        ? `the API server does not reach it (HTTP ${status})`
        : status === 0 || status === 200
          ? message
          : `HTTP ${status} instead of metrics`,
  }
}

/** The port that is there for metrics: by its name, by its number, or the only one. */
function portOf(containers: readonly Untyped[]): Untyped | undefined {
  const ports = containers.flatMap((container) => objectsAt(container, 'ports'))
  return (
    ports.find(({ name }) => typeof name === 'string' && name.includes('metrics')) ??
    ports.find((one) => numberAt(one, 'containerPort') === defaultPort) ??
    ports[0]
  )
}

function isImage(image: unknown, words: readonly string[]): boolean {
  return typeof image === 'string' && imageNamed(image, words)
}

function hasFlag(container: Untyped, name: string): boolean {
  return arrayAt(container, 'args').some((one) => typeof one === 'string' && one.startsWith(`--${name}`))
}
