/** Clusters behind proxies: tunnels over http and https, SOCKS, and proxies that refuse. */
import { once } from 'node:events'
import { createServer as createPlainServer, type IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import { connect, createServer as createTcpServer, type Socket } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import {
  base64,
  type Flags,
  kubeconfig,
  listening,
  read,
  serverPair,
  testCluster,
  trusted,
} from './connection.js'

/** The name of the cluster, which only the proxies know where to find. */
const host = 'api.example.com'

async function hiddenCluster() {
  const cluster = await testCluster(trusted.issue({ name: 'server', hosts: [host, '127.0.0.1'] }))
  return { ...cluster, port: Number(new URL(cluster.address).port) }
}

interface Proxy {
  readonly address: string
  /** The targets that it was asked for, with the credentials. */
  readonly asked: { readonly target: string | undefined; readonly authorization: string | undefined }[]
}

/** A proxy that makes tunnels to a port of this machine, whatever the target is, or refuses with a status. */
async function tunnels(port: number, { isSecure = false, refuses = 0 } = {}): Promise<Proxy> {
  const asked: Proxy['asked'] = []
  const server = isSecure ? createServer({ ...serverPair }) : createPlainServer()
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    asked.push({ target: request.url, authorization: request.headers['proxy-authorization'] })
    if (refuses > 0) return void socket.end(`HTTP/1.1 ${refuses} No\r\nContent-Length: 0\r\n\r\n`)
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    join(socket, port)
  })
  const address = await listening(server)
  return { address: isSecure ? address : address.replace('https', 'http'), asked }
}

/** A SOCKS 5 proxy to a port of this machine, for one user or for all; it refuses with a status other than 0. */
async function socks(port: number, user?: string, status = 0) {
  const targets: string[] = []
  const serve = async (socket: Socket) => {
    const take = async (count: number): Promise<Buffer> => {
      if (socket.readableEnded) throw new Error('the client broke off')
      return socket.read(count) ?? once(socket, 'readable').then(() => take(count))
    }
    const [, methods = 0] = await take(2)
    const offered = await take(methods)
    const method = user === undefined ? 0 : 2
    socket.write(Buffer.of(5, offered.includes(method) ? method : 255))
    if (!offered.includes(method)) return
    if (user !== undefined) {
      const name = await take((await take(2))[1] ?? 0)
      const password = await take((await take(1))[0] ?? 0)
      const isRight = `${name}:${password}` === user
      socket.write(Buffer.of(1, isRight ? 0 : 1))
      if (!isRight) return
    }
    const type = (await take(4))[3]
    const length = type === 3 ? ((await take(1))[0] ?? 0) : type === 4 ? 16 : 4
    const target = await take(length)
    targets.push(`${type === 3 ? target : target.toString('hex')}:${(await take(2)).readUInt16BE()}`)
    socket.write(Buffer.of(5, status, 0, 1, 0, 0, 0, 0, 0, 0))
    if (status === 0) join(socket, port)
  }
  const server = createTcpServer((socket) => void serve(socket).catch(() => socket.destroy()))
  return { address: (await listening(server)).replace('https', 'socks5'), targets }
}

function join(socket: Socket, port: number): void {
  const other = connect(port, '127.0.0.1')
  socket.on('error', () => other.destroy()).pipe(other)
  other.on('error', () => socket.destroy()).pipe(socket)
}

describe('a proxy', () => {
  it('of the kubeconfig makes the tunnel, over http or https, with a user and a password', async () => {
    const { port, visitors } = await hiddenCluster()
    for (const isSecure of [false, true]) {
      const { address, asked } = await tunnels(port, { isSecure })
      const proxy = address.replace('//', '//me:p%40ss@')
      const config = kubeconfig(`https://${host}:6443`, { token: 'abc' }, { 'proxy-url': proxy })
      expect(await read(config)).toBe(1)
      const authorization = `Basic ${base64('me:p@ss')}`
      expect(new Set(asked.map((one) => JSON.stringify(one)))).toEqual(
        new Set([JSON.stringify({ target: `${host}:6443`, authorization })]),
      )
      expect(asked.length).toBeLessThan(5)
    }
    expect(visitors.map(({ authorization }) => authorization)).toEqual(['Bearer abc'])
  })

  it('of the environment is taken, but not for what NO_PROXY names, nor in the place of the kubeconfig', async () => {
    const { port } = await hiddenCluster()
    const { address, asked } = await tunnels(port)
    const config = kubeconfig(`https://${host}`, {})
    vi.stubEnv('HTTPS_PROXY', address)
    expect(await read(config)).toBe(1)
    expect(asked[0]?.target).toBe(`${host}:443`)
    const others = await tunnels(port)
    const before = asked.length
    expect(await read(kubeconfig(`https://${host}`, {}, { 'proxy-url': others.address }))).toBe(1)
    vi.stubEnv('NO_PROXY', 'localhost,.example.com')
    expect(await read(config, { requestTimeout: 5000 })).toContain(`(https://${host}) cannot be read`)
    expect(asked).toHaveLength(before)
  })

  it('keeps certificates apart: those of the cluster are checked, and its user shows its own', async () => {
    const { port, visitors } = await hiddenCluster()
    const { address } = await tunnels(port)
    const { cert, key } = trusted.issue({ name: 'jane' })
    const user = { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) }
    const at = (name: string, more: object = {}) =>
      read(kubeconfig(`https://${name}:6443`, user, { 'proxy-url': address, ...more }))
    expect(await at(host)).toBe(1)
    expect(visitors.map(({ certificate }) => certificate)).toEqual(['jane'])
    expect(await at('other.example.com')).toContain('its certificate is for other names')
    expect(await at('other.example.com', { 'tls-server-name': host })).toBe(1)
  })

  it('may speak SOCKS 5, with a user and a password or without', async () => {
    const { port } = await hiddenCluster()
    const { address, targets } = await socks(port, 'me:pass')
    const open = await socks(port)
    const through = (proxy: string) => read(kubeconfig(`https://${host}:6443`, {}, { 'proxy-url': proxy }))
    expect(await through(address.replace('//', '//me:pass@'))).toBe(1)
    expect(new Set(targets)).toEqual(new Set([`${host}:6443`]))
    expect(await through(open.address)).toBe(1)
    for (const address of ['10.1.2.3', '[fd00::a:1]', '[1:2:3:4:5:6:7:8]']) {
      const more = { 'proxy-url': open.address, 'tls-server-name': host }
      expect(await read(kubeconfig(`https://${address}`, {}, more))).toBe(1)
    }
    expect([...new Set(open.targets)]).toEqual([
      `${host}:6443`,
      '0a010203:443',
      'fd0000000000000000000000000a0001:443',
      '00010002000300040005000600070008:443',
    ])
    expect(await through(address.replace('//', '//me:hunter2@'))).toMatchInlineSnapshot(
      `"the cluster of the context "prod" (https://api.example.com:6443, through the proxy 127.0.0.1) cannot be read: the proxy refuses the user and the password"`,
    )
    expect(await through(address)).toMatchInlineSnapshot(
      `"the cluster of the context "prod" (https://api.example.com:6443, through the proxy 127.0.0.1) cannot be read: the proxy refuses connections without a user and a password"`,
    )
    expect(await through((await socks(port, undefined, 5)).address)).toMatchInlineSnapshot(
      `"the cluster of the context "prod" (https://api.example.com:6443, through the proxy 127.0.0.1) cannot be read: the proxy refuses the connection (SOCKS 5)"`,
    )
  })

  it('reaches addresses of IPv6', async () => {
    const { port } = await hiddenCluster()
    const { address, asked } = await tunnels(port)
    const more = { 'proxy-url': address, 'tls-server-name': host }
    expect(await read(kubeconfig('https://[fd00::1]:6443', {}, more))).toBe(1)
    expect(asked[0]?.target).toBe('[fd00::1]:6443')
  })

  it('that refuses, is down, says nothing or is none is named, without its password', async () => {
    const through = async (proxy: string, limits: Flags = {}) => {
      const more = { 'proxy-url': proxy.replace('//', '//me:hunter2@') }
      return String(await read(kubeconfig(`https://${host}`, {}, more), limits))
    }
    const soon = { requestTimeout: 1000 }
    const silent = await listening(createTcpServer())
    const refusing = await Promise.all([403, 407, 502].map((refuses) => tunnels(1, { refuses })))
    const messages = [
      ...(await Promise.all(refusing.map(({ address }) => through(address)))),
      await through('http://127.0.0.1:1'),
      await through('https://127.0.0.1:1'),
      await through('socks5://127.0.0.1:1'),
      await through(silent.replace('https', 'http'), soon),
      await through(silent.replace('https', 'socks5'), soon),
      await through('ftp://127.0.0.1:1'),
      await through('127.0.0.1:1'),
    ]
    expect(messages.join('\n')).not.toContain('hunter2')
    expect(messages).toMatchInlineSnapshot(`
      [
        "the cluster of the context "prod" (https://api.example.com, through the proxy 127.0.0.1) cannot be read: the proxy refuses the connection (HTTP 403)",
        "the cluster of the context "prod" (https://api.example.com, through the proxy 127.0.0.1) cannot be read: the proxy refuses the connection (HTTP 407): it wants a user and a password that it knows, as in http://USER:PASSWORD@HOST",
        "the cluster of the context "prod" (https://api.example.com, through the proxy 127.0.0.1) cannot be read: the proxy refuses the connection (HTTP 502)",
        "the cluster of the context "prod" (https://api.example.com, through the proxy 127.0.0.1) cannot be read: the proxy cannot be reached: nothing listens there (connection refused)",
        "the cluster of the context "prod" (https://api.example.com, through the proxy 127.0.0.1) cannot be read: the proxy cannot be reached: nothing listens there (connection refused)",
        "the cluster of the context "prod" (https://api.example.com, through the proxy 127.0.0.1) cannot be read: the proxy cannot be reached: nothing listens there (connection refused)",
        "the cluster of the context "prod" (https://api.example.com, through the proxy 127.0.0.1) cannot be read: no answer within 1 s",
        "the cluster of the context "prod" (https://api.example.com, through the proxy 127.0.0.1) cannot be read: no answer within 1 s",
        "the proxy of the cluster "shop" in config is no address of the form http://, https:// or socks5://HOST:PORT.",
        "the proxy of the cluster "shop" in config is no address of the form http://, https:// or socks5://HOST:PORT.",
      ]
    `)
  })
})
