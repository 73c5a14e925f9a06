/** Address ranges. */

/** A range in CIDR notation, of either family. */
export interface Cidr {
  readonly text: string
  readonly first: bigint
  readonly last: bigint
  /** 32 for IPv4, 128 for IPv6. */
  readonly width: 32 | 128
  /** The length of the prefix. */
  readonly bits: number
}

/** Reads a range, `10.0.0.0/8`, or a single address; undefined for other text. */
export function cidr(text: string | undefined): Cidr | undefined {
  const [address = '', length, ...rest] = (text ?? '').trim().split('/')
  const width = address.includes(':') ? 128 : 32
  const number = width === 128 ? v6(address) : v4(address)
  const bits = length === undefined ? width : /^\d{1,3}$/.test(length) ? Number(length) : -1
  if (number === undefined || rest.length > 0 || bits < 0 || bits > width) return undefined
  const size = 1n << BigInt(width - bits)
  const first = (number / size) * size
  return { text: (text ?? '').trim(), first, last: first + size - 1n, width, bits }
}

/** The ranges of a list, `10.0.0.0/8,fd00::/108`. */
export function cidrs(list: string | undefined): readonly Cidr[] {
  return (list ?? '').split(',').flatMap((one) => cidr(one) ?? [])
}

/** Whether two ranges have an address in common. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.width === b.width && a.first <= b.last && b.first <= a.last
}

function v4(text: string): bigint | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256))
    return undefined
  return parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n)
}

function v6(text: string): bigint | undefined {
  const [head = '', tail, ...more] = inHexadecimals(text).split('::')
  const groups = (part: string | undefined) => (part ? part.split(':') : [])
  const before = groups(head)
  const after = groups(tail)
  const missing = 8 - before.length - after.length
  if (more.length > 0 || missing < 0 || (tail === undefined && missing > 0)) return undefined
  const all = [...before, ...Array.from({ length: missing }, () => '0'), ...after]
  if (!all.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined
  return all.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n)
}

/** The last four bytes may be written as an IPv4 address. */
function inHexadecimals(text: string): string {
  const end = text.slice(text.lastIndexOf(':') + 1)
  const bytes = end.includes('.') ? v4(end) : undefined
  if (bytes === undefined) return text
  return `${text.slice(0, -end.length)}${(bytes >> 16n).toString(16)}:${(bytes & 0xffffn).toString(16)}`
}
