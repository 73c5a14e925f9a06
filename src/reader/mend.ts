/** Texts that kubectl reads and js-yaml refuses or misreads, brought into a form that js-yaml reads rightly. */
import { setOwn } from '../values/untyped.js'

// A lone dash in a flow collection, and an escaped single quote in double quotes: kubectl reads both, js-yaml refuses them.
// They are replaced by as many private characters, so that every position stays.
const dash = '\ue0d0'
const quote = '\ue0d1\ue0d2'

/** The text in a form that js-yaml reads, each character at its place; the text itself when there is nothing to do. */
export function mended(text: string): string {
  let result = text
  if (text.includes('-')) result = result.replace(/-(?<=[[{,]\s*-)(?=\s*[,\]}])/g, dash)
  if (text.includes('*')) result = withRoomForColons(result)
  result = result.replace(
    blockBelowKey,
    (all, key: string, _: string, sign: string) => key.padEnd(all.length - sign.length) + sign,
  )
  if (text.includes("\\'")) result = result.replace(/\\([\\'])/g, (both, c) => (c === "'" ? quote : both))
  return result
}

/** A key, and in the line below, not further in, the sign of a block scalar: kubectl takes it for the key's value. */
const blockBelowKey = /(?<=^|\n)(([ \t]*)[\w.-]+:)(?:[ \t]*\r?\n\2)([|>][-+\d]*)(?=[ \t]*\r?\n)/g

/**
 * The text with room before the colons of aliases that are keys, `*app:`, in the place of a letter of their names: kubectl ends the
 * name at the colon, js-yaml at the next space. The alias and its anchor get one name that nothing else has.
 */
function withRoomForColons(text: string): string {
  const keys = text.matchAll(/^[ \t]*(?:- +)*\*([\w-]{2,}):(?=\s)/gm)
  const names = [...new Set([...keys].map(([, name = '']) => name))]
  if (names.length === 0) return text
  const shorter = new Map(names.map((name, i) => [name, name.slice(2) + String.fromCharCode(0xe0d3 + i)]))
  return text.replace(
    /(?<=^|[\s[{,])([&*])([\w-]+)(:?)/gm,
    (all, sign: string, name: string, colon: string) => {
      const short = shorter.get(name)
      return short === undefined ? all : `${sign}${short} ${colon}`
    },
  )
}

/** The name of an anchor without what stands in it for room. */
export function unmendedName(name: string): string {
  return name.replace(/[\ue0d3-\uf8ff]$/, '')
}

/** A value with what was written in the place of the marks. */
export function unmended(value: unknown): unknown {
  if (typeof value === 'string') return value === dash ? '-' : value.replaceAll(quote, "'")
  if (Array.isArray(value)) return value.map(unmended)
  if (typeof value !== 'object' || value === null) return value
  const out: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) setOwn(out, String(unmended(key)), unmended(item))
  return out
}

/**
 * The offsets right after the dashes of list items without a value that a less indented dash follows: js-yaml 4 takes that
 * dash for another item of the same list. They may also be lines of a block scalar.
 */
export function emptyItemsIn(text: string): number[] {
  // This expression is fast: it can only match at line feeds.
  if (!text.startsWith('-') && !/\n *-(?: +-)*[ \t]*(?:#.*)?\r?\n/.test(text)) return []
  return [...text.matchAll(emptyItem)].flatMap(({ index, 1: before = '', 2: next = '' }) =>
    next.length < before.length - 1 ? [index + before.length] : [],
  )
}

/** A line that ends in a dash, lines without content, and the indentation of a line that starts with a dash. */
const emptyItem = /^( *(?:- +)*-)[ \t]*(?:#.*)?(?=\r?\n(?:[ \t]*(?:#.*)?\r?\n)*( *)-(?:\s|$))/gm
