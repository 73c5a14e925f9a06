/**
 * A reader for the plain block style that nearly all manifests are written in, several times as fast as a parser for all
 * of YAML. It gives up on whatever is unusual (merges, tags, explicit keys, tabs, …), also on every
 * mistake: js-yaml then reads the text, or says what is wrong with it. What it does read, both read alike.
 */
import { noteSchema, schemaOfWords, sinceOf } from '../schema/known.js'
import { noProperties, plainOf, type Schema } from '../schema/structural.js'
import { expand, Refusal } from './expand.js'
import {
  aliasAt,
  BlockNode,
  type Entry,
  nodeAt,
  nothingAt,
  type Outline,
  scalarAt,
  type TextNode,
} from './node.js'
import { plainValue } from './scalar.js'

export interface Block {
  readonly value: unknown
  /** A mapping repeats a key; the last one won. */
  readonly hasDuplicates: boolean
}

/** Reads one document, or gives up. */
export function readBlock(text: string): Block | undefined {
  const plain = withoutReturns(text)
  if (!isLittleEndian || (foreign.test(plain) && strange.test(plain))) return undefined
  try {
    return new Reader(plain, false).document()
  } catch (error) {
    if (error === unusual || error instanceof Refusal) return undefined
    throw error
  }
}

/** Values, lines and columns are the same with the line breaks of Windows. */
function withoutReturns(text: string): string {
  return text.includes('\r\n') ? text.replaceAll('\r\n', '\n') : text
}

/**
 * The nodes of a document that `readBlock` has read. Those of a block are read when somebody asks for them: of a document with a
 * finding, most of them never are.
 */
export function nodesOf(document: string, mayRepeat = true): Outline {
  const text = withoutReturns(document)
  const root = new Postponed(text, 0, undefined, end, mayRepeat)
  if (text.includes('&') && /\s\*[\w-]/.test(text)) linkAliases(root, text, new Map())
  return { root, text }
}

/** Tells the aliases below a node what they stand for. */
function linkAliases(node: TextNode, text: string, anchors: Map<string, TextNode>): void {
  if (node.kind === 'alias') {
    const target = anchors.get(text.slice(node.start + 1, node.end))
    if (target) node.target = target
  }
  for (const { value } of node.entries) linkAliases(value, text, anchors)
  for (const item of node.items) linkAliases(item, text, anchors)
  if (node.anchor !== undefined) anchors.set(node.anchor, node)
}

/** A block whose nodes are read when somebody asks for them, one level at a time. */
class Postponed implements TextNode {
  private readonly text: string
  private readonly at: number
  private readonly column: number | undefined
  private readonly parent: number
  /** One that stands on the line above. */
  private anchorAbove: string | undefined
  private readonly mayRepeat: boolean
  private known: TextNode | undefined
  /** The entries that were looked for before all were read. */
  private found: Map<string, Entry | null> | undefined

  /**
   * @param text that of the document
   * @param at where the block's content starts
   * @param column of its first content; undefined when only comments are known to stand before that
   * @param parent the column of what it belongs to
   * @param mayRepeat whether keys may be repeated in it
   */
  constructor(text: string, at: number, column: number | undefined, parent: number, mayRepeat: boolean) {
    this.text = text
    this.at = at
    this.column = column
    this.parent = parent
    this.mayRepeat = mayRepeat
  }

  private get node(): TextNode {
    this.known ??= new Reader(this.text, true, this.mayRepeat).node(this.at, this.column, this.parent)
    return this.known
  }

  find(name: string): Entry | null | undefined {
    if (this.known) return undefined
    const before = this.found?.get(name)
    if (before !== undefined) return before
    const entry = new Reader(this.text, true, this.mayRepeat).entry(name, this.at, this.column)
    if (entry !== undefined) {
      this.found ??= new Map()
      this.found.set(name, entry)
    }
    return entry
  }

  get kind(): TextNode['kind'] {
    return this.node.kind
  }

  get start(): number {
    return this.node.start
  }

  get end(): number {
    return this.node.end
  }

  get entries(): Entry[] {
    return this.node.entries
  }

  get items(): TextNode[] {
    return this.node.items
  }

  get isNull(): boolean {
    return this.node.isNull ?? false
  }

  /** Where there are aliases, all nodes were read to find what they stand for. */
  get target(): TextNode | undefined {
    return this.known?.target
  }

  set target(target: TextNode | undefined) {
    this.node.target = target
  }

  get anchor(): string | undefined {
    return this.anchorAbove ?? this.node.anchor
  }

  set anchor(name: string | undefined) {
    this.anchorAbove = name
  }
}

/** What few texts hold, `strange` or not; it is found twice as fast. */
const foreign = /[^\n -~]/
/** Control characters other than line feed and tab, other line breaks, byte order marks and surrogates. */
const strange = /[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]/

const definition = /^kind: +CustomResourceDefinition *$/m
const currentDefinition = /^apiVersion: +apiextensions\.k8s\.io\/v1 *$/m

/** Thrown to give up; made once, as its stack is of no interest. */
const unusual = new Error('not plain block YAML')

/** Deeper documents are left to js-yaml, which knows the limit. */
const deep = 60

/** What `keyBits` are of a key of which nobody knows more. */
const anyKey = -1

/** YAML's limit for the length of a key without `?`. */
const longestKey = 1000

const end = -1
const tab = 0x09
const lineFeed = 0x0a
const space = 0x20
const quote = 0x22
const hash = 0x23
const ampersand = 0x26
const apostrophe = 0x27
const asterisk = 0x2a
const comma = 0x2c
const dash = 0x2d
const dot = 0x2e
const colon = 0x3a
const less = 0x3c
const greater = 0x3e
const openBracket = 0x5b
const backslash = 0x5c
const closeBracket = 0x5d
const openBrace = 0x7b
const bar = 0x7c
const closeBrace = 0x7d

/**
 * The UTF-16 units of the text that is read, with zeros behind it. Looking at them one by one takes a fraction of the time that
 * `charCodeAt` takes in code that runs for a second. No unit of the text is zero.
 */
let units = new Uint16Array(1 << 17)
/** For texts of usual size: used again and again. */
const kept = units
const keptBytes = Buffer.from(kept.buffer)
/** The text whose units these are. */
let source: string | undefined
/** How far behind the end of the text anybody looks. */
const behind = 4
const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** Whether a space, a line feed or the end stands at an offset. */
function isGap(at: number): boolean {
  const code = units[at]
  return code === space || code === lineFeed || code === 0
}

/** Whether the dash of a list item stands at an offset. */
function isItemAt(at: number): boolean {
  return units[at] === dash && isGap(at + 1)
}

/** Whether nothing but white space follows on a line: tabs behind a value say nothing, those behind a mark of YAML may. */
function isEndOfValue(valueEnd: number, from: number): boolean {
  const last = units[valueEnd - 1]
  let at = from
  while (units[at] === space || units[at] === tab) at++
  return isGap(at) && last !== colon && last !== dash
}

/** Keys that were met before, by some of their characters: most keys of a manifest are. */
const knownKeys: (string | undefined)[] = new Array(1024).fill(undefined)
/** Values that are texts and were met before: four of five are. */
const knownTexts: (string | undefined)[] = new Array(1024).fill(undefined)
/** Longer values seldom come again. */
const longestKnown = 30

/** Where a part of the text has its place among those that were met before. */
function placeOf(start: number, end: number): number {
  const ends = 7 * (units[start] ?? 0) + 3 * (units[end - 1] ?? 0)
  return (61 * (end - start) + ends + (units[start + 1] ?? 0)) % knownKeys.length
}

function write(text: string): void {
  if (text === source) return
  const size = text.length + behind
  units = size > kept.length ? new Uint16Array(size) : kept
  const bytes = units === kept ? keptBytes : Buffer.from(units.buffer)
  bytes.write(text, 'utf16le')
  units.fill(0, text.length, size)
  source = text
}

/** For each character: 1 where a plain scalar cannot be so simple when it starts with it. */
const special = new Uint8Array(128)
for (const c of '\t\n !"#%&\'*,>?@[]`{|}') special[c.charCodeAt(0)] = 1

/** For each character: 1 where it may stand anywhere in a plain scalar, in brackets, too. */
const harmless = new Uint8Array(128)
for (const c of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+=@$%^*()~;<|!&\\')
  harmless[c.charCodeAt(0)] = 1

/** How a plain scalar's line ends. */
type Ending = 'line' | 'comment' | 'colon'

/** The fields and methods are private to the compiler alone: before its optimizer runs, V8 looks for each `#name` as for a computed key. */
class Reader {
  private readonly text: string
  /** Whether the nodes of one block are read: the blocks in it are postponed. */
  private readonly isOutline: boolean
  private readonly mayRepeat: boolean
  /** Where the next content starts. */
  private at = 0
  /** Its column, from 0; -1 when there is none. Only meaningful at the start of a line's content. */
  private column = 0
  /** Lines in which a scalar or a flow collection goes on are indented more than this. */
  private floor = end
  /** How the last plain scalar's line ended. */
  private ending: Ending = 'line'
  private hasDuplicates = false
  /** One of 32 bits for the key that was read last: two keys with different bits are different. */
  private keyBits = anyKey
  private depth = 0
  /** Values with an anchor. */
  private anchored: Map<string, unknown> | undefined
  /** Whether an alias of a collection was met. */
  private isShared = false
  /** Whether it is a CustomResourceDefinition in v1; looked for when there is a schema. */
  private isDefinition: boolean | undefined
  /** The first minor version that knows all words of the schema that is read. */
  private since = 0
  /** The node of the value that was read last, when nodes are read. */
  private lastNode: TextNode | undefined

  constructor(text: string, isOutline: boolean, mayRepeat = true) {
    this.text = text
    this.isOutline = isOutline
    this.mayRepeat = mayRepeat
    write(text)
  }

  document(): Block {
    this.toContent(0)
    if (this.isAtEnd) return { value: null, hasDuplicates: false }
    if (this.column !== 0) throw unusual
    const value = this.block(end)
    if (!this.isAtEnd) throw unusual
    return { value: this.isShared ? expand(value) : value, hasDuplicates: this.hasDuplicates }
  }

  /** The node of the block whose content starts at an offset. */
  node(at: number, column: number | undefined, parent: number): TextNode {
    this.goTo(at, column)
    if (!this.isAtEnd) this.blockHere(parent)
    return this.lastNode ?? nothingAt(at)
  }

  /** See `find` of nodes: an entry of the mapping whose content starts at an offset. */
  entry(name: string, start: number, known: number | undefined): Entry | null | undefined {
    this.goTo(start, known)
    const { text, column } = this
    let found = -1
    while (!this.isAtEnd && this.column === column) {
      const { at } = this
      const code = units[at] ?? 0
      // Quotes, merges, anchors, lists and collections in flow style.
      if ((code < 128 && special[code] === 1) || code === less || isItemAt(at)) return undefined
      const after = at + name.length
      if (units[after] === colon && isGap(after + 1) && text.startsWith(name, at)) {
        found = at
        if (!this.mayRepeat) break
      }
      this.passBlock(column, true)
    }
    if (found < 0) return null
    const keyEnd = found + name.length
    this.goTo(keyEnd + 1, column)
    this.valueOfKey(column)
    const value = this.lastNode ?? nothingAt(keyEnd + 1)
    return { name, key: scalarAt(found, keyEnd, false), value, isMerge: false }
  }

  /** @param column that of the content at an offset; undefined when only comments are known to stand before that */
  private goTo(at: number, column: number | undefined): void {
    if (column === undefined) this.toContent(at)
    else {
      this.at = at
      this.column = column
    }
  }

  /** Goes on to the first content at or after the start of a line, past empty lines and comments. */
  private toContent(lineStart: number): void {
    const text = this.text
    let start = lineStart
    for (;;) {
      let at = start
      let code = units[at]
      while (code === space) code = units[++at]
      if (code === hash) {
        at = text.indexOf('\n', at)
        if (at < 0) break
      } else if (code !== lineFeed) {
        if (at >= text.length) break
        const mayBeMark = at === start && (code === dash || code === dot)
        if (code === tab || (mayBeMark && (text.startsWith('---', at) || text.startsWith('...', at))))
          throw unusual
        this.at = at
        this.column = at - start
        return
      }
      start = at + 1
    }
    this.at = text.length
    this.column = end
  }

  /** From the end of a value to the next content: only a comment may stand between. */
  private finishLine(from: number): void {
    const text = this.text
    let at = from
    let code = units[at]
    while (code === space || code === tab) code = units[++at]
    if (code === hash && at > from) at = text.indexOf('\n', at)
    else if (code !== lineFeed && at < text.length) throw unusual
    if (at < 0 || at >= text.length) {
      this.at = text.length
      this.column = end
    } else this.toContent(at + 1)
  }

  /** What starts a line, below a parent in the column `parent`. */
  private block(parent: number): unknown {
    return this.isOutline ? this.postpone(parent) : this.blockHere(parent)
  }

  /** Past the block that starts here: it has been read before, and its nodes are read when they are asked for. */
  private postpone(parent: number): undefined {
    this.lastNode = new Postponed(this.text, this.at, this.column, parent, this.mayRepeat)
    this.passBlock(parent, this.column === parent)
  }

  /**
   * Past what stands here below a parent, to the next line that is no part of it.
   * @param mayBeList whether list items in the parent's column belong to it
   */
  private passBlock(parent: number, mayBeList: boolean): void {
    const text = this.text
    for (let lineEnd = text.indexOf('\n', this.at); lineEnd >= 0; lineEnd = text.indexOf('\n', lineEnd + 1)) {
      let at = lineEnd + 1
      while (units[at] === space) at++
      const column = at - lineEnd - 1
      const code = units[at]
      // Deeper lines belong to the block, whatever they hold.
      if (column > parent || code === hash || code === lineFeed || at >= text.length) continue
      // A bracket may close right below what it belongs to.
      const isClosing = code === closeBracket || code === closeBrace
      if (column === parent && (isClosing || (mayBeList && isItemAt(at)))) continue
      this.at = at
      this.column = column
      return
    }
    this.at = text.length
    this.column = end
  }

  private blockHere(parent: number): unknown {
    if (++this.depth > deep) throw unusual
    const value = this.isItem() ? this.sequence(this.column) : this.mappingOrInline(this.column, parent)
    this.depth--
    return value
  }

  private mappingOrInline(column: number, parent: number): unknown {
    this.floor = parent
    const key = this.keyOrNothing()
    return key === undefined ? this.inline(parent) : this.mapping(column, key)
  }

  private isItem(): boolean {
    return isItemAt(this.at)
  }

  private get isAtEnd(): boolean {
    return this.column === end
  }

  /** The key that starts here; the position is then behind its colon. */
  private key(): string {
    this.floor = this.column
    const key = this.keyOrNothing()
    if (key === undefined) throw unusual
    return key
  }

  /** Undefined when what starts here is no key; the position is then as it was. */
  private keyOrNothing(): string | undefined {
    const start = this.at
    const code = units[this.at] ?? 0
    let key: string
    let at: number
    if (code === quote || code === apostrophe) {
      key = this.quoted(code)
      at = this.at
      if (units[at] !== colon || !isGap(at + 1)) {
        this.at = start
        return undefined
      }
      if (this.hasBreak(start, at) || key === '__proto__') throw unusual
      this.keyBits = anyKey
    } else {
      if (code < 128 && special[code] === 1) {
        if (code === openBracket || code === openBrace || code === ampersand || code === asterisk)
          return undefined
        throw unusual
      }
      at = this.plainEnd(start)
      if (this.ending !== 'colon') return undefined
      if (code === colon) throw unusual
      if (units[at] !== colon) throw unusual
      key = this.plainKey(start, at)
    }
    if (at - start > longestKey) throw unusual
    this.noteScalar(start, at)
    this.at = at + 1
    return key
  }

  /** Whether what stands between two offsets has more than one line: no key may. */
  private hasBreak(start: number, end: number): boolean {
    const lineEnd = this.text.indexOf('\n', start)
    return lineEnd >= 0 && lineEnd < end
  }

  private plainKey(start: number, end: number): string {
    const place = placeOf(start, end)
    this.keyBits = 1 << place
    // Cut out first: `startsWith` takes as long for each character of it as the rest takes for a line.
    const key = this.text.slice(start, end)
    const known = knownKeys[place]
    if (known === key) return known
    // Numbers, booleans and null as keys, merges, and what is no property of its own.
    if (plainValue(key) !== key || key === '<<' || key === '__proto__') throw unusual
    knownKeys[place] = key
    return key
  }

  /** The end of the plain scalar's part on this line, without the spaces behind it; notes how the line ends. */
  private plainEnd(start: number): number {
    let last = start
    for (let at = start; ; at++) {
      const code = units[at] ?? 0
      // All that may end it comes before the letters.
      if (code > colon) {
        last = at + 1
        continue
      }
      if (code === space) continue
      if (code === lineFeed || code === 0) {
        this.ending = 'line'
        return last
      }
      if (code === colon && isGap(at + 1)) {
        if (last !== at) throw unusual
        this.ending = 'colon'
        return last
      }
      if (code === hash && last !== at) {
        this.ending = 'comment'
        return last
      }
      if (code === tab) {
        if (!isEndOfValue(last, at)) throw unusual
        this.ending = 'line'
        return last
      }
      last = at + 1
    }
  }

  /** The mapping whose first key was read already. */
  private mapping(column: number, firstKey: string): unknown {
    const value: Record<string, unknown> = {}
    const node = this.openNode('mapping')
    let key = firstKey
    let seenBits = 0
    for (;;) {
      const keyNode = this.lastNode
      const keyBits = this.keyBits
      const isKnown = key === 'openAPIV3Schema' && this.hasNotedSchema(value, column)
      const item = isKnown ? undefined : this.valueOfKey(column)
      if (node && keyNode) {
        const of = this.lastNode ?? nothingAt(keyNode.end + 1)
        node.entries.push({ name: key, key: keyNode, value: of, isMerge: false })
      } else {
        // A mapping has few keys: hardly ever one has to be looked up.
        if (!isKnown && (seenBits & keyBits) !== 0 && Object.hasOwn(value, key)) this.hasDuplicates = true
        seenBits |= keyBits
        if (!isKnown) value[key] = item
      }
      if (this.column !== column) {
        if (this.column > column) throw unusual
        break
      }
      if (this.isItem()) throw unusual
      key = this.key()
    }
    this.lastNode = node
    return value
  }

  /**
   * Reads the schema of a CustomResourceDefinition behind its key in `column`, when it is a plain one in which nothing is wrong. Its
   * values are read when somebody asks for them.
   * @param holder gets the field
   * @returns whether it was read; else the position is as it was
   */
  private hasNotedSchema(holder: object, column: number): boolean {
    if (this.isOutline || this.anchored || this.hasDuplicates || 'openAPIV3Schema' in holder) return false
    this.isDefinition ??= definition.test(this.text) && currentDefinition.test(this.text)
    if (!this.isDefinition) return false
    const { text, at, depth } = this
    try {
      this.finishLine(at)
      const { at: start, column: own } = this
      this.since = 0
      const schema = this.schema(column, true)
      if (this.anchored || this.hasDuplicates) throw unusual
      noteSchema(holder, { schema, since: this.since }, () => new Reader(text, false).part(start, own))
      return true
    } catch (error) {
      if (error !== unusual) throw error
      Object.assign(this, { at, depth, anchored: undefined, hasDuplicates: false })
      return false
    }
  }

  /** The value of the block at an offset, in a column. */
  part(at: number, column: number): unknown {
    this.goTo(at, column)
    return this.blockHere(column - 1)
  }

  /** The schema that starts here, below a key in the column `parent`. */
  private schema(parent: number, isRoot = false): Schema {
    const { column } = this
    if (column <= parent || ++this.depth > deep) throw unusual
    let words: Record<string, unknown> | undefined
    let isDescribed = false
    let type: unknown
    let properties: Map<string, Schema> | undefined
    let items: Schema | undefined
    let additional: Schema | undefined
    do {
      if (this.isItem()) throw unusual
      const key = this.key()
      const isBlock = units[this.at] === lineFeed
      if (key === 'description' && !isDescribed) {
        isDescribed = true
        this.passText(column)
      } else if (key === 'type' && type === undefined) {
        type = this.valueOfKey(column)
      } else if (key === 'properties' && isBlock && !properties) properties = this.schemasOfKeys(column)
      else if (key === 'items' && isBlock && !items) items = this.schemaOfKey(column)
      else if (key === 'additionalProperties' && isBlock && !additional) additional = this.schemaOfKey(column)
      else {
        words ??= {}
        if (key === 'type' || Object.hasOwn(words, key)) throw unusual
        words[key] = this.valueOfKey(column)
      }
    } while (this.column === column)
    if (this.column > column) throw unusual
    this.depth--
    const isLeaf = !words && !properties && !items && !additional && !isRoot
    const known = isLeaf ? plainOf(type) : undefined
    if (known) return known
    if (properties && additional) throw unusual
    words ??= {}
    if (type !== undefined) words.type = type
    this.since = Math.max(this.since, sinceOf(words))
    const schema = schemaOfWords(words, { properties: properties ?? noProperties, items, additional }, isRoot)
    if (!schema) throw unusual
    return schema
  }

  /** Past the text behind a key in `column`; gives up on what is none. */
  private passText(column: number): void {
    let start = this.at
    let code = units[start] ?? 0
    while (code === space) code = units[++start] ?? 0
    if (code === bar || code === greater) {
      this.at = start
      this.blockLines(column, undefined)
      return
    }
    if (!isLetter(code)) {
      if (typeof this.valueOfKey(column) !== 'string') throw unusual
      return
    }
    let at = this.plainEnd(start)
    let ending = this.ending
    if (ending === 'colon') throw unusual
    this.finishLine(at)
    if (this.column <= column) {
      if (typeof plainValue(this.text.slice(start, at)) !== 'string') throw unusual
      return
    }
    // What has spaces in it is text.
    while (this.column > column) {
      if (ending === 'comment') throw unusual
      const next = this.at
      this.breaks(at, next)
      at = this.plainEnd(next)
      ending = this.ending
      if (ending === 'colon') throw unusual
      this.finishLine(at)
    }
  }

  /** The schema below the key that was read last, in `column`. */
  private schemaOfKey(column: number): Schema {
    this.finishLine(this.at)
    return this.schema(column)
  }

  /** The schemas of properties below the key that was read last, in `column`. */
  private schemasOfKeys(parent: number): Map<string, Schema> {
    this.finishLine(this.at)
    const { column } = this
    if (column <= parent || ++this.depth > deep) throw unusual
    const schemas = new Map<string, Schema>()
    do {
      if (this.isItem()) throw unusual
      const key = this.key()
      if (schemas.has(key)) throw unusual
      schemas.set(key, this.schemaOfKey(column))
    } while (this.column === column)
    if (this.column > column) throw unusual
    this.depth--
    return schemas
  }

  /** The node of a collection in block style, when nodes are read; a mapping's first key has been read. */
  private openNode(kind: 'mapping' | 'sequence'): TextNode | undefined {
    if (!this.isOutline) return undefined
    return new BlockNode(kind, kind === 'mapping' ? (this.lastNode?.start ?? 0) : this.at)
  }

  /** Notes the node of a scalar, when nodes are read. */
  private noteScalar(start: number, end: number, isNull = false): void {
    if (this.isOutline) this.lastNode = scalarAt(start, end, isNull)
  }

  /** What stands behind a key of a mapping in `column`. */
  private valueOfKey(column: number): unknown {
    const text = this.text
    let at = this.at
    let code = units[at]
    while (code === space) code = units[++at]
    if (code !== lineFeed && at < text.length && !(code === hash && at > this.at)) {
      this.at = at
      return code === ampersand ? this.anchor(column, true) : this.inline(column)
    }
    this.finishLine(this.at)
    if (this.isBlockOfKey(column)) return this.block(column)
    this.lastNode = undefined
    return null
  }

  /** Whether a block stands here that belongs to the key in `column` above it: a list may stand as far left as that. */
  private isBlockOfKey(column: number): boolean {
    return this.column > column || (this.column === column && this.isItem())
  }

  private sequence(column: number): unknown {
    const value: unknown[] = []
    const node = this.openNode('sequence')
    while (this.column === column && this.isItem()) {
      const dashAt = this.at
      value.push(this.item(column))
      if (node) node.items.push(this.lastNode ?? nothingAt(dashAt + 1))
    }
    if (this.column > column) throw unusual
    this.lastNode = node
    return value
  }

  /** The value behind the dash that stands here, in `column`. */
  private item(column: number): unknown {
    const text = this.text
    const start = this.at
    let at = start + 1
    let code = units[at]
    while (code === space) code = units[++at]
    if (code === lineFeed || at >= text.length || code === hash) {
      this.finishLine(start + 1)
      if (this.column > column) return this.block(column)
      this.lastNode = undefined
      return null
    }
    if (code === bar || code === greater) {
      this.at = at
      return this.blockScalar(column)
    }
    // A mapping or a list may start on the line of the dash.
    this.at = at
    this.column = column + at - start
    return this.block(column)
  }

  /** A scalar or a flow collection; it may go on in lines that are indented more than `column`. */
  private inline(column: number): unknown {
    const code = units[this.at] ?? 0
    const start = this.at
    this.floor = column
    if (code === quote || code === apostrophe) {
      const value = this.quoted(code)
      this.noteScalar(start, this.at)
      this.finishLine(this.at)
      return value
    }
    if (code === bar || code === greater) return this.blockScalar(column)
    if (code === openBracket || code === openBrace) {
      const value = this.flow()
      this.finishLine(this.at)
      return value
    }
    if (code === ampersand) return this.anchor(column)
    if (code === asterisk) return this.alias(column)
    if (code < 128 && special[code] === 1) throw unusual
    // A dash or colon alone means something else.
    if ((code === dash || code === colon) && isGap(start + 1)) throw unusual
    const at = this.plainEnd(start)
    const ending = this.ending
    if (ending === 'colon') throw unusual
    this.finishLine(at)
    if (this.column > column) {
      if (ending === 'comment') throw unusual
      return this.folded(column, start, at)
    }
    const place = placeOf(start, at)
    const written = this.text.slice(start, at)
    const known = knownTexts[place]
    if (known === written) {
      this.noteScalar(start, at)
      return known
    }
    const value = this.plain(written, start, at)
    if (value === written && written.length <= longestKnown) knownTexts[place] = written
    return value
  }

  /** `&name value`, for a scalar on the same line or a block below it. */
  private anchor(column: number, isOfKey = false): unknown {
    const name = this.anchorName()
    this.anchored ??= new Map()
    // No alias inside of the value means the value, nor one of the same name before it.
    this.anchored.delete(name)
    while (units[this.at] === space) this.at++
    const value = this.anchoredValue(column, isOfKey)
    this.anchored.set(name, value)
    if (this.lastNode) this.lastNode.anchor = name
    return value
  }

  private anchoredValue(column: number, isOfKey: boolean): unknown {
    const code = units[this.at] ?? 0
    if (code === lineFeed) {
      this.finishLine(this.at)
      if (isOfKey ? !this.isBlockOfKey(column) : this.column <= column) throw unusual
      // A value has one anchor at most, and an alias none.
      if (units[this.at] === ampersand || units[this.at] === asterisk) throw unusual
      return this.block(column)
    }
    const isScalar = code === quote || code === apostrophe || special[code] !== 1
    if (!isScalar || code === 0) throw unusual
    return this.inline(column)
  }

  /** `*name` on the same line. */
  private alias(column: number): unknown {
    const start = this.at
    const name = this.anchorName()
    const stop = this.at
    this.finishLine(stop)
    if (this.column > column) throw unusual
    if (this.isOutline) {
      this.lastNode = aliasAt(start, stop)
      return undefined
    }
    if (!this.anchored?.has(name)) throw unusual
    const value = this.anchored.get(name)
    if (typeof value === 'object' && value !== null) this.isShared = true
    return value
  }

  /** The name behind the mark that stands here; a space, a line feed or the end follows it. */
  private anchorName(): string {
    const text = this.text
    const start = this.at + 1
    let at = start
    while (isNameChar(units[at] ?? 0)) at++
    if (at === start || !isGap(at)) throw unusual
    this.at = at
    return text.slice(start, at)
  }

  private plain(written: string, start: number, at: number): unknown {
    const value = plainValue(written)
    if (typeof value === 'number' && !Number.isFinite(value)) throw unusual
    this.noteScalar(start, at, value === null)
    return value
  }

  /** A plain scalar that goes on in further lines: a line break becomes a space, each empty line a line feed. */
  private folded(column: number, start: number, firstEnd: number): unknown {
    const text = this.text
    let written = text.slice(start, firstEnd)
    let at = firstEnd
    while (this.column > column) {
      const next = this.at
      const breaks = this.breaks(at, next)
      at = this.plainEnd(next)
      if (this.ending === 'colon') throw unusual
      written += (breaks > 1 ? '\n'.repeat(breaks - 1) : ' ') + text.slice(next, at)
      const isOver = this.ending === 'comment'
      this.finishLine(at)
      if (isOver && this.column > column) throw unusual
    }
    return this.plain(written, start, at)
  }

  /** The line feeds between two offsets with nothing but spaces between them. */
  private breaks(from: number, to: number): number {
    let count = 0
    for (let at = from; at < to; at++) {
      const code = units[at]
      if (code === lineFeed) count++
      // A comment ends a plain scalar.
      else if (code !== space) throw unusual
    }
    return count
  }

  /** A quoted scalar; the position is then behind it. */
  private quoted(mark: number): string {
    const text = this.text
    const start = this.at + 1
    const close = text.indexOf(mark === quote ? '"' : "'", start)
    if (close < 0) throw unusual
    for (let at = start; at < close; at++) {
      const code = units[at]
      if (code === lineFeed || (code === backslash && mark === quote)) return this.longQuoted(mark, start)
      if (code === tab) throw unusual
    }
    if (mark === apostrophe && units[close + 1] === apostrophe) return this.longQuoted(mark, start)
    this.at = close + 1
    return text.slice(start, close)
  }

  /** A quoted scalar with escapes or line breaks. */
  private longQuoted(mark: number, start: number): string {
    const text = this.text
    let value = ''
    let from = start
    for (let at = start; at < text.length; at++) {
      const code = units[at]
      if (code === mark) {
        value += text.slice(from, at)
        if (mark === quote || units[at + 1] !== apostrophe) {
          this.at = at + 1
          return value
        }
        // Two single quotes are one.
        from = ++at
      } else if (code === backslash && mark === quote) {
        value += text.slice(from, at)
        if (units[at + 1] === lineFeed) {
          from = this.contentAfter(at + 1)
          if (text.lastIndexOf('\n', from) !== at + 1) throw unusual
        } else {
          const meaning = escapes[text[at + 1] ?? '']
          if (meaning === undefined) throw unusual
          value += meaning
          from = at + 2
        }
        at = from - 1
      } else if (code === lineFeed) {
        // The spaces around a line break do not count; one break is a space, each further one a line feed.
        const next = this.contentAfter(at)
        const breaks = this.breaks(at, next)
        value += text.slice(from, trimmed(at, from)) + (breaks > 1 ? '\n'.repeat(breaks - 1) : ' ')
        from = next
        at = next - 1
      } else if (code === tab) throw unusual
    }
    throw unusual
  }

  /**
   * The first content after a line feed, which must be indented as far as it should; a bracket that closes may stand right
   * below what it belongs to.
   */
  private contentAfter(lineFeedAt: number, inFlow = false): number {
    let start = lineFeedAt + 1
    for (let at = start; ; at++) {
      const code = units[at]
      if (code === lineFeed) start = at + 1
      else if (code !== space) {
        const isClosing = inFlow && (code === closeBracket || code === closeBrace)
        if (at - start < this.floor + (isClosing ? 0 : 1) || code === tab) throw unusual
        return at
      }
    }
  }

  private openFlow(kind: 'mapping' | 'sequence'): TextNode | undefined {
    return this.isOutline ? nodeAt(kind, this.at) : undefined
  }

  /** A flow collection; the position is then behind it. */
  private flow(): unknown {
    if (++this.depth > deep) throw unusual
    const value = units[this.at] === openBracket ? this.flowSequence() : this.flowMapping()
    this.depth--
    return value
  }

  private flowSequence(): unknown {
    const value: unknown[] = []
    const node = this.openFlow('sequence')
    this.at++
    this.skipSpaces()
    while (units[this.at] !== closeBracket) {
      value.push(this.flowValue())
      if (node && this.lastNode) node.items.push(this.lastNode)
      this.flowComma(closeBracket)
    }
    this.at++
    if (node) node.end = this.at
    this.lastNode = node
    return value
  }

  private flowMapping(): unknown {
    const value: Record<string, unknown> = {}
    const node = this.openFlow('mapping')
    this.at++
    this.skipSpaces()
    while (units[this.at] !== closeBrace) {
      const code = units[this.at] ?? 0
      const start = this.at
      const key = code === openBracket || code === openBrace ? undefined : this.flowValue()
      const keyNode = this.lastNode
      if (this.hasBreak(start, this.at)) throw unusual
      if (typeof key !== 'string' || key === '<<' || value[key] !== undefined || key === '__proto__')
        throw unusual
      if (units[this.at] !== colon || units[this.at + 1] !== space) throw unusual
      this.at++
      this.skipSpaces()
      value[key] = this.flowValue()
      if (node && keyNode && this.lastNode)
        node.entries.push({ name: key, key: keyNode, value: this.lastNode, isMerge: false })
      this.flowComma(closeBrace)
    }
    this.at++
    if (node) node.end = this.at
    this.lastNode = node
    return value
  }

  /** Past the comma after an item, or up to the bracket that closes. */
  private flowComma(close: number): void {
    this.skipSpaces()
    if (units[this.at] === comma) {
      this.at++
      this.skipSpaces()
    } else if (units[this.at] !== close) throw unusual
  }

  /** Past spaces and line feeds. */
  private skipSpaces(): void {
    while (units[this.at] === space) this.at++
    if (units[this.at] === lineFeed) this.at = this.contentAfter(this.at, true)
  }

  private flowValue(): unknown {
    const code = units[this.at] ?? 0
    if (code === openBracket || code === openBrace) return this.flow()
    const start = this.at
    if (code === quote || code === apostrophe) {
      const value = this.quoted(code)
      this.noteScalar(start, this.at)
      return value
    }
    if (special[code] === 1 || (code === dash && units[start + 1] === space)) throw unusual
    let stop = start
    while (harmless[units[stop] ?? 0] === 1) stop++
    this.at = stop
    this.skipSpaces()
    const next = units[this.at]
    const isOver = next === comma || next === closeBracket || next === closeBrace || next === colon
    // Words with spaces between them, and all that is not as simple.
    if (stop === start || !isOver || (next === colon && stop < this.at)) throw unusual
    if (stop - start === 1 && code === dash) throw unusual
    return this.plain(this.text.slice(start, stop), start, stop)
  }

  /** A literal or folded scalar below a parent in `column`. */
  private blockScalar(column: number): string {
    const isLiteral = units[this.at] === bar
    const lines: string[] = []
    const chomping = this.blockLines(column, lines)
    let trailing = 0
    while (lines.at(-1) === '') {
      lines.pop()
      trailing++
    }
    const breaks = chomping === '-' ? 0 : chomping === '+' ? trailing + 1 : 1
    return (isLiteral ? lines.join('\n') : folded(lines)) + '\n'.repeat(breaks)
  }

  /**
   * Goes past a literal or folded scalar below a parent in `column`.
   * @param lines get its lines, without their indentation
   * @returns the sign that says what becomes of the line breaks at its end, if there is one
   */
  private blockLines(column: number, lines: string[] | undefined): string | undefined {
    const text = this.text
    const start = this.at
    const sign = text[start + 1]
    const chomping = sign === '-' || sign === '+' ? sign : undefined
    let last = this.headerEnd(chomping ? start + 2 : start + 1)
    let line = last + 1
    const indent = this.indentBelow(line, column)
    while (line < text.length) {
      let content = line
      while (units[content] === space && content - line < indent) content++
      const stop = text.indexOf('\n', content)
      const lineEnd = stop < 0 ? text.length : stop
      if (content === lineEnd) lines?.push('')
      else {
        if (content - line < indent) {
          if (units[content] === tab) throw unusual
          break
        }
        lines?.push(text.slice(content, lineEnd))
        last = lineEnd
      }
      line = lineEnd + 1
    }
    this.noteScalar(start, trimmed(last, start))
    if (line >= text.length) {
      this.at = text.length
      this.column = end
    } else this.toContent(line)
    return chomping
  }

  /**
   * How far the lines of a literal or folded scalar are indented below a parent in `column`: as far as the first that has content. What is
   * only spaces before it has no say, unless it is longer.
   */
  private indentBelow(from: number, column: number): number {
    let start = from
    let empty = 0
    for (let at = from; at < this.text.length; at++) {
      const code = units[at]
      if (code === lineFeed) {
        empty = Math.max(empty, at - start)
        start = at + 1
      } else if (code !== space) {
        const indent = at - start
        if (indent === 0 || indent <= column || empty > indent) throw unusual
        return indent
      }
    }
    throw unusual
  }

  /** The line feed behind the header of a literal or folded scalar, past the comment there. */
  private headerEnd(from: number): number {
    let at = from
    let code = units[at]
    while (code === space) code = units[++at]
    if (code === hash && at > from) at = this.text.indexOf('\n', at)
    else if (code !== lineFeed) throw unusual
    if (at < 0) throw unusual
    return at
  }
}

function isLetter(code: number): boolean {
  const small = code | 0x20
  return small >= 0x61 && small <= 0x7a
}

/** What kubectl takes in the name of an anchor. */
function isNameChar(code: number): boolean {
  return (code < 128 && /\w/.test(String.fromCharCode(code))) || code === dash
}

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  ' ': ' ',
  n: '\n',
  t: '\t',
  r: '\r',
}

/** The lines of a folded scalar in one: only lines that are indented more keep their breaks. */
function folded(lines: readonly string[]): string {
  let value = ''
  let empty = 0
  let wasIndented = false
  let isFirst = true
  for (const line of lines) {
    if (line === '') {
      empty++
      continue
    }
    const isIndented = line.charCodeAt(0) === space || line.charCodeAt(0) === 9
    if (isFirst) value += '\n'.repeat(empty)
    else if (isIndented || wasIndented) value += '\n'.repeat(empty + 1)
    else value += empty > 0 ? '\n'.repeat(empty) : ' '
    value += line
    wasIndented = isIndented
    isFirst = false
    empty = 0
  }
  return value
}

/** The end of what stands before an offset, without the spaces, tabs and line feeds there. */
function trimmed(from: number, least: number): number {
  let at = from
  while (at > least && isBlank(units[at - 1])) at--
  return at
}

function isBlank(code: number | undefined): boolean {
  return code === space || code === lineFeed || code === 9
}
