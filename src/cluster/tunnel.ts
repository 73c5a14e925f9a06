/** Connections through a proxy: CONNECT (RFC 9110, section 9.3.6) and SOCKS 5 (RFC 1928 and 1929). */
import { once } from 'node:events'
import { request as plain } from 'node:http'
import { request as secure } from 'node:https'
import { connect, isIP, type Socket } from 'node:net'
import { rootCertificates } from 'node:tls'
import { reasonOf } from './failure.js'

export interface Tunnel {
  readonly proxy: URL
  readonly host: string
  readonly port: number
  /** An authority that may have signed the certificate of a proxy over https, beside the usual ones; PEM. */
  readonly ca: string | undefined
  /** Called with the socket to the proxy as soon as there is one. */
  readonly onSocket: (socket: Socket) => void
}

/** Opens a connection to a host through a proxy. Its errors say that they are about the proxy. */
export async function tunnel(options: Tunnel): Promise<Socket> {
  return options.proxy.protocol.startsWith('socks') ? overSocks(options) : overHttp(options)
}

async function overHttp({ proxy, host, port, ca, onSocket }: Tunnel): Promise<Socket> {
  const target = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`
  const { username, password } = credentialsOf(proxy)
  const send = proxy.protocol === 'http:' ? plain : secure
  const request = send({
    method: 'CONNECT',
    host: hostOf(proxy),
    servername: serverName(hostOf(proxy)),
    port: proxy.port || undefined,
    path: target,
    agent: false,
    headers: {
      host: target,
      ...(username !== '' && {
        'proxy-authorization': `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
      }),
    },
    ...(ca !== undefined && { ca: [...rootCertificates, ca] }),
  })
  const [status, socket] = await new Promise<[number | undefined, Socket]>((resolve, reject) =>
    request
      .on('socket', onSocket)
      .on('connect', ({ statusCode }, socket) => resolve([statusCode, socket]))
      .on('error', (error) => reject(unreachable(error)))
      .end(),
  )
  if (status === 200) return socket
  socket.destroy()
  throw new Error(
    `the proxy refuses the connection (HTTP ${status})${status === 407 ? ': it wants a user and a password that it knows, as in http://USER:PASSWORD@HOST' : ''}`,
  )
}

async function overSocks({ proxy, host, port, onSocket }: Tunnel): Promise<Socket> {
  const socket = connect(Number(proxy.port || 1080), hostOf(proxy))
  onSocket(socket)
  await once(socket, 'connect').catch((error: unknown) => {
    throw unreachable(error)
  })
  const { username, password } = credentialsOf(proxy)
  // No authentication, or a name and a password.
  socket.write(username === '' ? Buffer.of(5, 1, 0) : Buffer.of(5, 2, 0, 2))
  const [, method] = await take(socket, 2)
  if (method === 2) {
    socket.write(Buffer.concat([Buffer.of(1), counted(username), counted(password)]))
    const [, status] = await take(socket, 2)
    if (status !== 0) throw refused(socket, 'the user and the password')
  } else if (method !== 0) throw refused(socket, 'connections without a user and a password')
  socket.write(Buffer.concat([Buffer.of(5, 1, 0), addressed(host), Buffer.of(port >> 8, port & 255)]))
  const [, status, , type] = await take(socket, 4)
  if (status !== 0) throw refused(socket, `the connection (SOCKS ${status})`)
  const [length = 0] = type === 3 ? await take(socket, 1) : [type === 4 ? 16 : 4]
  await take(socket, length + 2)
  return socket
}

function unreachable(error: unknown): Error {
  return new Error(`the proxy cannot be reached: ${reasonOf(error)}`)
}

function refused(socket: Socket, what: string): Error {
  socket.destroy()
  return new Error(`the proxy refuses ${what}`)
}

/** The next bytes. */
async function take(socket: Socket, count: number): Promise<Buffer> {
  for (;;) {
    const bytes: unknown = socket.read(count)
    if (bytes instanceof Buffer && bytes.length === count) return bytes
    if (socket.readableEnded || bytes !== null) throw new Error('the proxy broke off the connection')
    await Promise.race([once(socket, 'readable'), once(socket, 'end')])
  }
}

/** An address with its type in front, or a name, which the proxy looks up. */
function addressed(host: string): Buffer {
  if (isIP(host) === 4) return Buffer.of(1, ...host.split('.').map(Number))
  if (isIP(host) !== 6) return Buffer.concat([Buffer.of(3), counted(host)])
  const [left = [], right = []] = host.split('::').map((part) => part.split(':').filter((one) => one !== ''))
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
  return Buffer.of(
    4,
    ...groups.map((group) => Number.parseInt(group, 16)).flatMap((group) => [group >> 8, group & 255]),
  )
}

/** Text with its length in front. */
function counted(text: string): Buffer {
  const bytes = Buffer.from(text).subarray(0, 255)
  return Buffer.concat([Buffer.of(bytes.length), bytes])
}

/** The name that TLS tells a server it expects: none for an address. */
export function serverName(host: string): string {
  return isIP(host) ? '' : host
}

function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '')
}

function credentialsOf({ username, password }: URL) {
  return { username: decoded(username), password: decoded(password) }
}

/** Text from a URL; what is no proper escape stays as it is. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
