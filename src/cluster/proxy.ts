/** The proxy that the environment asks for, as kubectl reads it. Source: golang.org/x/net/http/httpproxy. */
import { BlockList, isIP } from 'node:net'

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
