/** Checks that many types share, as tables of their fields. */
import type { Path } from '../../finding.js'
import { cidr } from '../../values/cidr.js'
import { enumerate } from '../../values/enumerate.js'
import { isIP } from '../../values/ip.js'
import { isPlaceholder, type NameForm, nameForms } from '../format.js'
import { type Check, type Checks, hasForm, type Labels, on, oneOf, type Say } from './say.js'

/** A table with one check for each of its types. */
function table<T>(types: Readonly<Record<string, T>>, check: (fields: T) => Check): Checks {
  return Object.fromEntries(Object.entries(types).map(([type, fields]) => [type, [check(fields)]]))
}

/** Exactly one of the fields, or at most one. */
export function choice(fields: readonly string[], least: 0 | 1): Check {
  return on<object>((value, say) => {
    const found = oneOf(value, fields)
    if (found.length < least) say.conflict([], `needs one of ${enumerate(fields, 'or')}`)
    else if (found.length > 1) say.conflict([String(found[1])], `cannot stand beside ${found[0]}`)
  })
}

/** Fields of which the server takes one at most, and whether it wants one. */
export function choices(
  types: Readonly<Record<string, readonly [least: 0 | 1, ...fields: string[]]>>,
): Checks {
  return table(types, ([least, ...fields]) => choice(fields, least))
}

interface Companion {
  readonly field: string
  readonly of: string
  readonly value: string
  readonly needed?: true
}

/** Fields that go with one value of another field only; `needed`: and have to be there then. */
export function companions(types: Readonly<Record<string, readonly Companion[]>>): Checks {
  return table(types, companionsOf)
}

const companionsOf = (all: readonly Companion[]): Check =>
  on<Readonly<Record<string, unknown>>>((object, say) => {
    for (const { field, of, value, needed } of all) {
      const own = object[field]
      const there = own !== undefined && own !== '' && !(Array.isArray(own) && own.length === 0)
      if (isPlaceholder(object[of])) continue
      if (object[of] === value && needed && !there) say.lacks([field], `and ${of} is ${value}`)
      if (object[of] !== value && there) say.conflict([field], `goes with ${of} ${value} only`)
    }
  })

export const nameOf = (field: string, form: NameForm): Check =>
  on<Readonly<Record<string, string>>>((value, say) => say.name([field], form, value[field]))

/** Fields that hold names, or lists of names. */
export function names(types: Readonly<Record<string, Readonly<Record<string, NameForm>>>>): Checks {
  return table(types, namesIn)
}

const namesIn = (fields: Readonly<Record<string, NameForm>>): Check =>
  on<Readonly<Record<string, string | readonly string[] | undefined>>>((value, say) => {
    for (const field in fields) {
      const found = value[field]
      const form = fields[field] as NameForm
      if (typeof found === 'string') say.name([field], form, found)
      else
        for (const [i, one] of (found ?? []).entries())
          if (one) say.name([field, i], form, one)
          else say.conflict([field, i], 'is empty')
    }
  })

/** Texts that may be left out and not be empty, and lists of such texts. */
export function filled(types: Readonly<Record<string, readonly string[]>>): Checks {
  return table(types, (fields) =>
    on<Readonly<Record<string, string | readonly string[] | undefined>>>((value, say) => {
      for (const field of fields) {
        const found = value[field]
        if (found === '') say.conflict([field], 'is empty')
        if (typeof found !== 'string')
          for (const [i, one] of (found ?? []).entries()) if (one === '') say.conflict([field, i], 'is empty')
      }
    }),
  )
}

/** Texts that start with a certain one: a path with `/`. */
export function starts(types: Readonly<Record<string, Readonly<Record<string, string>>>>): Checks {
  return table(types, (fields) =>
    on<Readonly<Record<string, string | undefined>>>((value, say) => {
      for (const [field, start] of Object.entries(fields)) {
        const found = value[field]
        if (found && !found.startsWith(start) && !isPlaceholder(found))
          say.conflict(
            [field],
            `is ${JSON.stringify(found)}, and has to start with ${JSON.stringify(start)}`,
            found,
          )
      }
    }),
  )
}

/** What a path may be: with no `..` in it, relative besides, or without `..` at its start, as kubelets name what they write. */
type PathForm = 'without steps back' | 'downwards' | 'of a file'

/**
 * Fields that hold paths. Source: validatePathNoBacksteps, validateLocalDescendingPath, ValidateLocalNonReservedPath of
 * pkg/apis/core/validation.
 */
export function paths(types: Readonly<Record<string, Readonly<Record<string, PathForm>>>>): Checks {
  return table(types, (fields) => {
    const all = Object.entries(fields)
    return on<Readonly<Record<string, string | undefined>>>((value, say) => {
      for (const [field, form] of all) sayPath(say, field, value[field], form)
    })
  })
}

/** The same for one field. */
export function sayPath(say: Say, field: string, found: string | undefined, form: PathForm): void {
  const fault = found && !isPlaceholder(found) && faultOfPath(found, form)
  if (fault) say.conflict([field], `is ${JSON.stringify(found)}, and ${fault}`, found)
}

function faultOfPath(text: string, form: PathForm): string | undefined {
  if (form !== 'without steps back' && text.startsWith('/'))
    return 'has to be relative, without / at its start'
  if (text.includes('..')) {
    if (text.split('/').includes('..')) return 'may not lead upwards with ..'
    if (form === 'of a file' && text.startsWith('..')) return 'may not start with ..'
  }
  return undefined
}

/** Texts such as `example.com/name`. Source: IsDomainPrefixedPath. */
export function prefixed(types: Readonly<Record<string, string>>): Checks {
  return table(types, (field) =>
    on<Readonly<Record<string, string | undefined>>>((value, say) => {
      const found = value[field]
      if (found === undefined || isPlaceholder(found)) return
      const [domain = '', ...path] = found.split('/')
      if (!nameForms.subdomain(domain) || path.join('/') === '')
        say.conflict([field], `is ${JSON.stringify(found)}, and needs a domain before it: example.com/name`)
    }),
  )
}

/** Keys and values of labels. */
export function labels(pairs: Labels | undefined, say: Say, at: Path): void {
  // There are more of them than of anything else, and hardly one is wrong: only then its place is put together.
  for (const key in pairs) {
    if (!hasForm('label key', key)) say.name([...at, key], 'label key', key)
    if (!hasForm('label value', pairs[key])) say.name([...at, key], 'label value', pairs[key])
  }
}

/** Fields that hold IP addresses or CIDRs, or lists of them. */
export function addresses(
  types: Readonly<Record<string, Readonly<Record<string, 'address' | 'CIDR'>>>>,
): Checks {
  return table(types, addressesIn)
}

const addressesIn = (fields: Readonly<Record<string, 'address' | 'CIDR'>>): Check =>
  on<Readonly<Record<string, string | readonly string[] | undefined>>>((value, say) => {
    for (const [field, form] of Object.entries(fields)) {
      const found = value[field]
      if (found === '') continue
      const isOne = typeof found === 'string'
      for (const [i, one] of (isOne ? [found] : (found ?? [])).entries()) {
        // Of these the server takes the spaces off: they were an annotation before.
        const fault = faultOf(field === 'loadBalancerSourceRanges' ? one.trim() : one, form, say.minor)
        if (fault) say.conflict(isOne ? [field] : [field, i], `${fault}: ${JSON.stringify(one)}`, one)
      }
    }
  })

/** Why the server of a version refuses an address or a CIDR. */
export function faultOf(text: string, form: 'address' | 'CIDR', minor: number): string | undefined {
  const isRead = form === 'CIDR' ? isCidr(text) : isAddress(text)
  if (!isRead) return `is no ${form}`
  return minor >= strictFrom ? ambiguity(text, form) : undefined
}

/** The first minor version that refuses what some read in another way. Source: kube_features.go (StrictIPCIDRValidation). */
const strictFrom = 36

/**
 * What others may read in another way, so that newer servers refuse it in what is made anew. Source:
 * k8s.io/apimachinery/pkg/util/validation/ip.go (parseIP, parseCIDR).
 */
function ambiguity(text: string, form: 'address' | 'CIDR'): string | undefined {
  const [address = '', bits = ''] = text.split('/')
  const refused = `servers refuse from 1.${strictFrom} on`
  const value = address.includes(':') ? cidr(address)?.first : undefined
  if (value !== undefined && value >> 32n === 0xffffn)
    return `is an IPv4 address within one of IPv6, which ${refused}`
  if ((!address.includes(':') && /(?:^|\.)0\d/.test(address)) || /^0\d/.test(bits))
    return `has leading zeros, which ${refused}`
  return form === 'CIDR' && cidr(text)?.first !== cidr(address)?.first
    ? `has bits set beyond its prefix, which ${refused}`
    : undefined
}

/** As Go's net.ParseIP was until 1.17, and as the server still reads these fields: zeros may lead. */
function isAddress(text: string): boolean {
  return isIP(withoutZeros(text)) !== 0
}

const withoutZeros = (address: string) =>
  address.includes(':') ? address : address.replace(/\b0+(?=\d)/g, '')

function isCidr(text: string): boolean {
  const [address = '', bits = '', more] = text.split('/')
  const version = isIP(withoutZeros(address))
  return (
    version !== 0 &&
    more === undefined &&
    /^\d{1,3}$/.test(bits) &&
    Number(bits) <= (version === 4 ? 32 : 128)
  )
}
