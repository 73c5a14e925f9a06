/**
 * Connections through proxies, and which proxy the environment asks for. The Kubernetes client (1.4) does not look there; its
 * agents keep no connections open, wait for a silent proxy for ever and lose addresses of IPv6, and names are looked up here
 * for `socks5://`. Source: golang.org/x/net/http/httpproxy.
 */
import { Agent as PlainAgent } from 'node:http'
import { Agent } from 'node:https'
import { BlockList, isIP, Socket } from 'node:net'
import { connect } from 'node:tls'
import { serverName, tunnel } from './tunnel.js'

type Environment = Readonly<Record<string, string | undefined>>

/** The address of the proxy for a server; undefined for none, for this machine and for what NO_PROXY names. */
export function proxyFor(server: URL, env: Environment): string | undefined {
  const name = server.protocol === 'http:' ? 'http_proxy' : 'https_proxy'
  const proxy = env[name.toUpperCase()] || env[name]
  const host = server.hostname.replace(/^\[|\]$/g, '').toLowerCase()
  if (!proxy || host === 'localhost' || loopback.check(host, family(host))) return undefined
  const exceptions = (env.NO_PROXY || env.no_proxy || '').split(',').map((one) => one.trim().toLowerCase())
  if (exceptions.some((one) => one !== '' && isException(one, host, server.port || '443'))) return undefined
  return proxy.includes('://') ? proxy : `http://${proxy}`
}

/**
 * Whether it is the address of a proxy of a kind that kubectl, too, can use. Source: parseProxyURL in
 * k8s.io/client-go/tools/clientcmd/helpers.go.
 */
export function isProxy(address: string): boolean {
  return URL.canParse(address) && /^(https?|socks5h?):\/\/[^/]/.test(address)
}

/** What a connection over TLS shows and expects. */
export interface Tls {
  /** PEM, as are `cert` and `key`. */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly servername?: string | undefined
  readonly rejectUnauthorized?: boolean
}

/** An agent that keeps this many connections open to a server, through the proxy if there is one. */
export function agentFor(server: URL, proxy: string | undefined, tls: Tls, sockets: number): PlainAgent {
  const options = { keepAlive: true, maxSockets: sockets, ...tls }
  const agent = server.protocol === 'http:' ? new PlainAgent(options) : new Agent(options)
  if (proxy !== undefined) sendThrough(new URL(proxy), agent, tls)
  return agent
}

/** Has the connections of an agent go through a proxy. */
function sendThrough(proxy: URL, agent: PlainAgent, tls: Tls): void {
  const close = agent.destroy.bind(agent)
  const open = new Set<Socket>()
  const onSocket = (socket: Socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
  }
  agent.createConnection = ({ host, port }, done) => {
    const target = { host: host ?? '', port: Number(port) }
    tunnel({ ...target, proxy, ca: tls.ca, onSocket }).then(
      (socket) =>
        done?.(
          null,
          agent instanceof Agent
            ? connect({ servername: serverName(target.host), ...tls, host: target.host, socket })
            : socket,
        ),
      // The type asks for a socket in this case, too.
      (error: Error) => done?.(error, new Socket()),
    )
    return undefined
  }
  agent.destroy = () => {
    for (const socket of open) socket.destroy()
    close()
  }
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

function family(host: string): 'ipv4' | 'ipv6' {
  return isIP(host) === 6 ? 'ipv6' : 'ipv4'
}

/** `*`, an address, a range `10.0.0.0/8`, a domain with all below it, or with a dot in front what is below it; a port may follow. */
function isException(pattern: string, host: string, port: string): boolean {
  if (pattern === '*') return true
  const [, range, bits] = /^([\d.a-f:]+)\/(\d{1,3})$/.exec(pattern) ?? []
  if (range !== undefined && isIP(range)) {
    const list = new BlockList()
    list.addSubnet(range, Math.min(Number(bits), isIP(range) === 6 ? 128 : 32), family(range))
    return isIP(host) === isIP(range) && list.check(host, family(host))
  }
  const [, name = pattern, own = port] = /^(.*[^:]):(\d+)$/.exec(pattern) ?? []
  if (own !== port) return false
  const domain = name.replace(/^\*?\./, '')
  return host.endsWith(`.${domain}`) || (domain === name && host === name)
}
