/** One YAML document as kubectl and the API server read it. */
import { YAMLException } from 'js-yaml'
import { type Block, readBlock } from './block.js'
import { type Loaded, loadDocument } from './dialect.js'
import { expand, Refusal } from './expand.js'
import { outlineAny, withoutEmptyItems } from './outline.js'
import { type Fault, faultIn, isSuspicious } from './refuse.js'
import type { Chunk } from './split.js'

/** Why a text is no readable YAML. */
export interface Mistake {
  /** In UTF-16 units from the start of the document's text. */
  readonly offset: number
  /** js-yaml's reason. */
  readonly reason: string
  /** What is wrong and what to do, where it's not js-yaml that found it. */
  readonly message?: string
}

export interface Values extends Block {
  readonly ok: true
  /** Whether `readBlock` has read it, so that `nodesOf` can tell where its parts stand. */
  readonly isPlain: boolean
}

export type Parsed = Values | { readonly ok: false; readonly mistake: Mistake }

/** Reads one document. Never throws. */
export function parse(text: string): Parsed {
  const block = readBlock(text)
  if (!block) return parseAny(text)
  const { value, hasDuplicates } = block
  return { ok: true, value, hasDuplicates, isPlain: true }
}

/** Reads a part of a file; of JSON the value is known already. */
export function parseChunk(chunk: Chunk): Parsed {
  return 'json' in chunk
    ? { ok: true, value: chunk.json, hasDuplicates: false, isPlain: false }
    : parse(chunk.text)
}

/** Reads a document in any style; gives for plain ones the same. */
export function parseAny(text: string): Parsed {
  try {
    const loaded = load(text)
    const fault = loaded.hasMerges || isSuspicious(text) ? findFault(text) : undefined
    if (fault) return refused(fault.message, fault.offset)
    const value = loaded.isShared ? expand(loaded.value) : loaded.value
    if (loaded.sawInfinity && holdsInfinity(value))
      return refused(
        'An infinite number, or one that is none, cannot be sent as JSON: put it in quotes.',
        infinityIn(text),
      )
    return { ok: true, value, hasDuplicates: loaded.hasDuplicates, isPlain: false }
  } catch (error) {
    if (error instanceof YAMLException)
      return { ok: false, mistake: { reason: error.reason, offset: error.mark.position } }
    if (error instanceof Refusal) return refused(error.message, aliasIn(text))
    throw error
  }
}

/** @throws YAMLException, with a place in the text as it is. */
function load(text: string): Loaded {
  const { text: written, added, isCertain } = withoutEmptyItems(text)
  if (added.size === 0) return loadDocument(text)
  try {
    return loadDocument(written)
  } catch (error) {
    if (!isCertain || !(error instanceof YAMLException)) return loadDocument(text)
    const { position } = error.mark
    error.mark.position = position - 2 * [...added].filter((at) => at < position).length
    throw error
  }
}

function refused(message: string, offset: number): Parsed {
  return { ok: false, mistake: { reason: 'refused', message, offset } }
}

function findFault(text: string): Fault | undefined {
  const found = outlineAny(text)
  return found && faultIn(found.text, found.root)
}

function holdsInfinity(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isFinite(value)
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsInfinity)
}

function aliasIn(text: string): number {
  return Math.max(0, text.search(/(?<=[\s[{,])\*[^\s,[\]{}]/))
}

function infinityIn(text: string): number {
  return Math.max(0, text.search(/(?<=[\s[{,])[-+]?\.(?:inf|nan)\b/i))
}
