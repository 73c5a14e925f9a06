/** The nodes of a document's text: what stands where. */

/** The nodes of a document. */
export interface Outline {
  readonly root: TextNode
  /** The text that offsets refer to: the document's but for what stands at the ends of lines. */
  readonly text: string
}

/** A node of the text, aliases not followed. Offsets count from the start of the document's text. */
export interface TextNode {
  kind: 'mapping' | 'sequence' | 'scalar' | 'alias' | 'nothing'
  start: number
  end: number
  /** Of a mapping, in the order of the text; a repeated key stands in it repeatedly. */
  entries: Entry[]
  /** Of a sequence. */
  items: TextNode[]
  /** What an alias stands for. */
  target?: TextNode | undefined
  anchor?: string | undefined
  /** A scalar that means null. */
  isNull?: boolean
  /**
   * The last entry of a name in a mapping whose other entries nobody has asked for. Null when there is none; undefined when only
   * all entries tell.
   */
  find?(name: string): Entry | null | undefined
}

export interface Entry {
  readonly name: string
  readonly key: TextNode
  readonly value: TextNode
  readonly isMerge: boolean
}

/** Shared by all nodes that hold no others: most are scalars. */
const none: never[] = []

/** A node without others in it. */
export function scalarAt(start: number, end: number, isNull: boolean): TextNode {
  return { kind: 'scalar', start, end, entries: none, items: none, isNull }
}

/** An alias whose target is not known yet. */
export function aliasAt(start: number, end: number): TextNode {
  return { kind: 'alias', start, end, entries: none, items: none }
}

/** The place of something that is not written. */
export function nothingAt(at: number): TextNode {
  return { kind: 'nothing', start: at, end: at, entries: none, items: none }
}

/** A collection in block style, to be filled: it ends where its last part does. */
export class BlockNode implements TextNode {
  readonly entries: Entry[] = []
  readonly items: TextNode[] = []
  anchor?: string

  constructor(
    readonly kind: 'mapping' | 'sequence',
    readonly start: number,
  ) {}

  get end(): number {
    return (this.entries.at(-1)?.value ?? this.items.at(-1))?.end ?? this.start
  }
}

/** A collection to be filled. */
export function nodeAt(kind: 'mapping' | 'sequence', start: number): TextNode {
  return { kind, start, end: start, entries: [], items: [] }
}
