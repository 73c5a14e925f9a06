/** Aliases and merge keys: what js-yaml leaves shared or unmerged becomes a plain tree, as go-yaml builds it. */
import { setOwn } from '../values/untyped.js'

/** What is wrong with a document although its syntax is right. */
export class Refusal extends Error {}

/** What is said of a merge key with any other value. */
export const wrongMerge = 'A merge key (<<) takes a mapping or a list of mappings: correct its value.'

/**
 * Stands for the `n`th plain `<<` of a document, as a text that no document can hold, so that several of them may stand in
 * one mapping and their order among the other keys is kept until merges are applied.
 */
export function mergeKey(n: number): string {
  return `${mergePrefix}${n}`
}

/** Tells such a text. */
export function isMergeKey(value: unknown): boolean {
  return typeof value === 'string' && value.startsWith(mergePrefix)
}

const mergePrefix = '\u0000<<'

/** The share of nodes that may come from aliases. Source: `allowedAliasRatio` in go-yaml v2's `decode.go`. */
function allowedAliasRatio(nodes: number): number {
  const low = 400_000
  const high = 4_000_000
  if (nodes <= low) return 0.99
  if (nodes >= high) return 0.1
  return 0.99 - 0.89 * ((nodes - low) / (high - low))
}

/**
 * A copy of `value` without shared parts, merge keys applied in go-yaml's order: a key written after `<<` replaces the
 * merged one and is replaced when it's written before; in a list of merges the first mapping wins.
 *
 * @throws Refusal for an alias inside of its own anchor, for excessive aliasing, and for a merge of something else
 * than a mapping.
 */
export function expand(value: unknown): unknown {
  checkSize(value)
  return copy(value)
}

function checkSize(root: unknown): void {
  const sizes = new Map<object, number>()
  let written = 0
  const size = (node: unknown): number => {
    if (typeof node !== 'object' || node === null) {
      written++
      return 1
    }
    const known = sizes.get(node)
    if (known === -1)
      throw new Refusal(
        'An alias stands inside of what its own anchor names, without end: write the value out.',
      )
    if (known !== undefined) return known + 1
    sizes.set(node, -1)
    written++
    let total = 1
    if (Array.isArray(node)) for (const item of node) total += size(item)
    else
      for (const key of Object.keys(node)) {
        written++
        total += 1 + size((node as Record<string, unknown>)[key])
      }
    sizes.set(node, total)
    return total
  }
  const total = size(root)
  const aliased = total - written
  if (aliased > 100 && total > 1000 && aliased / total > allowedAliasRatio(total))
    throw new Refusal(
      `Its aliases blow ${written} values up to ${total}, which kubectl refuses: write them out, or use fewer.`,
    )
}

function copy(node: unknown): unknown {
  if (isMergeKey(node)) return '<<'
  if (typeof node !== 'object' || node === null) return node
  if (Array.isArray(node)) return node.map(copy)
  const out: Record<string, unknown> = {}
  copyInto(out, node as Record<string, unknown>)
  return out
}

function copyInto(out: Record<string, unknown>, mapping: Readonly<Record<string, unknown>>): void {
  for (const key of Object.keys(mapping)) {
    const value = mapping[key]
    if (isMergeKey(key)) mergeInto(out, value)
    else setOwn(out, key, copy(value))
  }
}

function mergeInto(out: Record<string, unknown>, source: unknown): void {
  const sources = Array.isArray(source) ? source.toReversed() : [source]
  for (const one of sources) {
    if (typeof one !== 'object' || one === null || Array.isArray(one)) throw new Refusal(wrongMerge)
    copyInto(out, one as Record<string, unknown>)
  }
}
