/** A small API server on loopback with canned answers, and everything it was asked. */
import { type Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Connection } from '../src/cluster/connect.js'
import { closing } from './closing.js'

type Json = Readonly<Record<string, unknown>>
/** Answers a request; false leaves it to the canned answers. */
type Answer = (url: URL, response: ServerResponse, request: IncomingMessage) => boolean | undefined

export interface ApiServer {
  readonly address: string
  /** `GET /path?query` with what was accepted. */
  readonly asked: { readonly path: string; readonly accept: string }[]
  /** Each value of the header `authorization` that it was shown once; undefined where a request had none. */
  readonly credentials: ReadonlySet<string | undefined>
  /** A kubeconfig with the contexts `prod` (this server) and `staging`. */
  readonly kubeconfig: string
  close(): Promise<void>
}

/** The kinds that it serves: plural, kind, apiVersion, whether in namespaces. */
const kinds = [
  ['namespaces', 'Namespace', 'v1', false],
  ['nodes', 'Node', 'v1', false],
  ['pods', 'Pod', 'v1', true],
  ['services', 'Service', 'v1', true],
  ['configmaps', 'ConfigMap', 'v1', true],
  ['secrets', 'Secret', 'v1', true],
  ['deployments', 'Deployment', 'apps/v1', true],
  ['statefulsets', 'StatefulSet', 'apps/v1', true],
  ['replicasets', 'ReplicaSet', 'apps/v1', true],
  ['jobs', 'Job', 'batch/v1', true],
  ['cronjobs', 'CronJob', 'batch/v1', true],
  ['poddisruptionbudgets', 'PodDisruptionBudget', 'policy/v1', true],
  ['endpointslices', 'EndpointSlice', 'discovery.k8s.io/v1', true],
  ['resourcequotas', 'ResourceQuota', 'v1', true],
  ['events', 'Event', 'v1', true],
] as const

/** How `scan` reaches the server: without credentials. */
export function connectionTo({ address }: Pick<ApiServer, 'address'>, agent: Agent): Connection {
  return {
    context: 'prod',
    proxy: undefined,
    expired: undefined,
    server: new URL(address),
    agent,
    headers: {},
  }
}

export function send(response: ServerResponse, status: number, body: unknown, headers: Json = {}): true {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  response
    .writeHead(status, { 'content-type': 'application/json', ...headers } as Record<string, string>)
    .end(text)
  return true
}

export function status(code: number, message: string): Json {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code }
}

export interface ApiServerOptions {
  /** The objects that are there, by plural. */
  readonly objects?: Readonly<Record<string, readonly Json[]>>
  readonly answer?: Answer
  /** Serves the discovery of before 1.26. */
  readonly plainDiscovery?: boolean
  readonly version?: string
  /** Serves https, with this certificate. */
  readonly tls?: ServerOptions
}

/** Listens until the end of the test. */
export async function apiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const asked: { path: string; accept: string }[] = []
  const credentials = new Set<string | undefined>()
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    asked.push({ path: `${url.pathname}${url.search}`, accept: request.headers.accept ?? '' })
    credentials.add(request.headers.authorization)
    if (options.answer?.(url, response, request)) return
    canned(url, response, request, options)
  }
  const server = options.tls ? createSecureServer(options.tls, listener) : createServer(listener)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const address = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`
  return closing({
    address,
    asked,
    credentials,
    kubeconfig: JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: ['prod', 'staging'].map((name) => ({ name, cluster: { server: address } })),
      users: [{ name: 'me', user: { token: 'abc' } }],
      contexts: ['prod', 'staging'].map((name) => ({ name, context: { cluster: name, user: 'me' } })),
      'current-context': 'prod',
    }),
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => void server.close(resolve))
    },
  })
}

function canned(
  url: URL,
  response: ServerResponse,
  { headers }: IncomingMessage,
  options: ApiServerOptions,
): void {
  const { objects = {}, plainDiscovery = false, version = 'v1.33.4' } = options
  const { pathname } = url
  const groups = [...new Set(kinds.map(([, , apiVersion]) => apiVersion))].filter((one) => one.includes('/'))
  if (pathname === '/version') return void send(response, 200, { gitVersion: version })
  if (pathname === '/api' || pathname === '/apis') {
    if (!plainDiscovery && headers.accept?.includes('apidiscovery')) {
      const own = pathname === '/api' ? ['v1'] : groups
      return void send(response, 200, { kind: 'APIGroupDiscoveryList', items: own.map(aggregated) })
    }
    if (pathname === '/api') return void send(response, 200, { kind: 'APIVersions', versions: ['v1'] })
    return void send(response, 200, {
      kind: 'APIGroupList',
      groups: groups.map((one) => ({ name: one.split('/')[0], versions: [{ version: one.split('/')[1] }] })),
    })
  }
  const [, apiVersion = '', namespace, plural] =
    /^\/apis?\/((?:[^/]+\/)?v1)(?:\/namespaces\/([^/]+))?(?:\/([a-z]+))?$/.exec(pathname) ?? []
  if (plural === undefined && namespace === undefined) {
    const own = kinds.filter((kind) => kind[2] === apiVersion)
    const resources = own.map(([name, kind, , namespaced]) => ({ name, kind, namespaced, verbs: ['list'] }))
    return void send(response, 200, { kind: 'APIResourceList', resources })
  }
  if (plural === undefined) {
    const known = (objects.namespaces ?? []).find((one) =>
      JSON.stringify(one).includes(`"name":"${namespace}"`),
    )
    return void (known ? send(response, 200, known) : send(response, 404, status(404, 'not found')))
  }
  const items = objects[plural] ?? []
  const start = Number(url.searchParams.get('continue') ?? 0)
  const limit = Number(url.searchParams.get('limit') ?? 500)
  const isMore = start + limit < items.length
  send(response, 200, {
    kind: headers.accept?.includes('PartialObjectMetadataList') ? 'PartialObjectMetadataList' : 'List',
    apiVersion,
    metadata: { resourceVersion: '7', ...(isMore && { continue: String(start + limit) }) },
    // As servers written in Go do it.
    items: items.length === 0 ? null : items.slice(start, start + limit),
  })
}

function aggregated(apiVersion: string) {
  const own = kinds.filter((kind) => kind[2] === apiVersion)
  return {
    metadata: { name: apiVersion.includes('/') ? apiVersion.split('/')[0] : '' },
    versions: [
      {
        version: 'v1',
        freshness: 'Current',
        resources: own.map(([resource, kind, , namespaced]) => ({
          resource,
          responseKind: { kind },
          scope: namespaced ? 'Namespaced' : 'Cluster',
          verbs: ['get', 'list'],
        })),
      },
    ],
  }
}
