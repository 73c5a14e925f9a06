/** Connections through proxies, and which proxy the environment asks for. Source: golang.org/x/net/http/httpproxy. */
import { Agent as PlainAgent } from 'node:http'
import { Agent, type RequestOptions } from 'node:https'
import { BlockList, isIP } from 'node:net'
import type { SecureContextOptions } from 'node:tls'

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

/** Whether it is the address of a proxy of a kind that kubectl, too, can use. Source: parseProxyURL in k8s.io/client-go/tools/clientcmd/helpers.go. */
export function isProxy(address: string): boolean {
  return URL.canParse(address) && /^(https?|socks5h?):\/\/[^/]/.test(address)
}

/** What a connection over TLS shows and expects. */
export interface Tls extends Pick<SecureContextOptions, 'ca' | 'cert' | 'key'> {
  readonly servername?: string | undefined
  readonly rejectUnauthorized?: boolean
}

/** An agent that keeps this many connections open to a server, or makes new ones through a proxy. */
export async function agentFor(
  server: URL,
  proxy: string | undefined,
  tls: Tls,
  sockets: number,
): Promise<PlainAgent> {
  const options = { keepAlive: true, maxSockets: sockets, ...tls }
  if (proxy === undefined) return server.protocol === 'http:' ? new PlainAgent(options) : new Agent(options)
  // Half a second unbundled: only here, and only now.
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  config.loadFromClusterAndUser(
    { name: 'cluster', server: server.href, skipTLSVerify: false, proxyUrl: proxy },
    { name: 'user' },
  )
  const made: RequestOptions = { ...tls }
  await config.applyToHTTPSOptions(made)
  return made.agent instanceof PlainAgent ? made.agent : new Agent(options)
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
