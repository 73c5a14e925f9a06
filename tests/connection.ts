/** Ways to a cluster on loopback: an API server over TLS, the kubeconfigs that lead to it, and what it was shown of whom. */
import type { IncomingMessage } from 'node:http'
import type { ServerOptions } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import { afterEach, vi } from 'vitest'
import { type LiveFlags, readLive } from '../src/cli/live.js'
import { UsageError } from '../src/config/usage.js'
import { type ApiServer, apiServer, send, status } from './api-server.js'
import { authority } from './authority.js'
import { closing } from './closing.js'
import { folderWith } from './folders.js'
import { settings } from './harness.js'

/** The authority that all kubeconfigs trust. */
export const trusted = authority()
/** The certificate of all servers. */
export const serverPair = trusted.issue({ name: 'server', hosts: ['127.0.0.1', 'localhost'] })

/** Who asked, as far as the server can tell. */
export interface Visitor {
  readonly authorization: string | undefined
  /** The common name in the client's certificate. */
  readonly certificate: string | undefined
  /** The headers `impersonate-…`. */
  readonly impersonated: Readonly<Record<string, string>>
}

/** Who says nothing of who they are. */
export const nobody: Visitor = { authorization: undefined, certificate: undefined, impersonated: {} }

export interface TestCluster extends ApiServer {
  /** Each visitor once. */
  readonly visitors: readonly Visitor[]
}

afterEach(() => void vi.unstubAllEnvs())

/** Has a server listen on loopback until the end of the test: its address, if it is one of https. */
export async function listening(server: Server): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  closing({
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => void server.close(resolve))
    },
  })
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** An API server over TLS with one namespace. Who `refuses` says no to gets 401. */
export async function testCluster(
  tls: ServerOptions = {},
  refuses: (visitor: Visitor) => boolean = () => false,
): Promise<TestCluster> {
  const visitors: Visitor[] = []
  const server = await apiServer({
    tls: { ...serverPair, requestCert: true, ca: trusted.cert, rejectUnauthorized: false, ...tls },
    objects: { namespaces: [{ metadata: { name: 'shop', uid: 'n' } }] },
    answer: (_, response, request) => {
      const visitor = visitorOf(request)
      if (!visitors.some((one) => isDeepStrictEqual(one, visitor))) visitors.push(visitor)
      return refuses(visitor) && send(response, 401, status(401, 'Unauthorized'))
    },
  })
  return { ...server, visitors }
}

function visitorOf({ headers, socket }: IncomingMessage): Visitor {
  const { subject } = socket instanceof TLSSocket ? socket.getPeerCertificate() : {}
  return {
    authorization: headers.authorization,
    certificate: subject && String(subject.CN),
    impersonated: Object.fromEntries(
      Object.entries(headers)
        .filter(([name]) => name.startsWith('impersonate-'))
        .map(([name, value]) => [name, Buffer.from(String(value), 'latin1').toString()]),
    ),
  }
}

export function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

/** A kubeconfig with one context, `prod`, of the cluster `shop` and the user `me`. */
export function kubeconfig(server: string, user: object, cluster: object = {}): object {
  return {
    clusters: [
      {
        name: 'shop',
        cluster: { server, 'certificate-authority-data': base64(trusted.cert), ...cluster },
      },
    ],
    users: [{ name: 'me', user }],
    contexts: [{ name: 'prod', context: { cluster: 'shop', user: 'me' } }],
    'current-context': 'prod',
  }
}

/** How to read, where it differs; the signal is that of Ctrl-C. */
export type Flags = Partial<LiveFlags> & { readonly signal?: AbortSignal }

/** Reads the cluster as `scan` does: the number of objects, or what is said in their place, without ports and folders. */
export async function read(
  files: Readonly<Record<string, string | object>> | object,
  flags: Flags = {},
): Promise<number | string> {
  const folder = 'clusters' in files ? folderWith({ config: files }) : folderWith({ ...files })
  return readFrom(join(folder, 'config'), flags)
}

/** The same, with a kubeconfig that is there, or those of the environment. */
export async function readFrom(
  file: string | undefined,
  { signal = new AbortController().signal, ...others }: Flags = {},
): Promise<number | string> {
  try {
    const { documents } = await readLive(
      undefined,
      {
        ...(file !== undefined && { kubeconfig: file }),
        concurrency: 2,
        chunkSize: 500,
        requestTimeout: 30_000,
        timeout: 50_000,
        ...others,
      },
      settings([]),
      signal,
      () => {},
    )
    return documents.length
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    return error.lines
      .join('\n')
      .replaceAll(`${dirname(file ?? '')}/`, '')
      .replaceAll(/(127\.0\.0\.1):\d+/g, '$1')
  }
}
