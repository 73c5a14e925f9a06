/** Where the parts of an object are written that Helm has rendered: in a template, and in the values. */
import { isDeepStrictEqual } from 'node:util'
import type { Document, Locator, Range, SourceFile, Written } from '../document.js'
import type { Path } from '../finding.js'
import { at } from '../fix/edited.js'
import { positions } from '../reader/lines.js'
import { isScalar } from '../values/untyped.js'
import type { SetValue } from './chart-values.js'
import type { MarkedDocument, Origin } from './marked-output.js'
import type { Mark, Template } from './marks.js'

/** What is known of a rendered object. */
export interface TemplatePlaces {
  /** The value that decides what stands at a path, in the file that it is taken from; undefined when that is not certain. */
  value(path: Path): Written | undefined
  /** The line of a template that has made what is shown at a place of the output. */
  template(shown: Range): Written | undefined
  /** The same for the template that includes that one. */
  outer(shown: Range): Written | undefined
  /** The values that are parts of a text. */
  parts(path: Path): readonly Written[]
}

/** Finds a value as the chart of a template sees it. */
export type ValueFor = (template: Template, path: Path) => SetValue | undefined

/**
 * @param document as it was rendered
 * @param start the index of the first line in it that its template has made
 * @param marked what Helm has rendered in its place with marks; of several that it may be each
 */
export function templatePlaces(
  document: Document,
  start: number,
  marked: readonly MarkedDocument[],
  valueFor: ValueFor,
): TemplatePlaces {
  return new Places(document, start, document.text.split('\n').slice(start), marked, valueFor)
}

class Places implements TemplatePlaces {
  constructor(
    private readonly document: Document,
    /** The index of the first line of the template in those of the document. */
    private readonly start: number,
    private readonly lines: readonly string[],
    private readonly marked: readonly MarkedDocument[],
    private readonly valueFor: ValueFor,
  ) {}

  template(shown: Range): Written | undefined {
    const origin = this.#origin(shown)
    if (!origin) return undefined
    const { mark, isBlock } = origin
    const range = mark.code === undefined ? this.#literal(shown, origin) : rangeOf(mark)
    return spot(mark.file, range, !isBlock)
  }

  outer(shown: Range): Written | undefined {
    const origin = this.#origin(shown)
    if (!origin) return undefined
    const { mark, outer } = origin
    return mark === outer ? this.template(shown) : spot(outer.file, rangeOf(outer), false)
  }

  value(path: Path): Written | undefined {
    const there = this.#existing(path)
    const found = there.length > 0 ? this.#valueAt(there) : undefined
    return found && certain(found, path.slice(there.length))
  }

  parts(path: Path): readonly Written[] {
    const text = at(this.document.value, path)
    if (typeof text !== 'string') return []
    const index = this.#index(this.document.locate().value(path).line)
    const found = new Map<string, Written>()
    for (const one of this.marked)
      for (const mark of one.marksIn(index)) {
        const outer = one.origin(index, 0)?.outer ?? mark
        const part = mark.values && this.valueFor(outer.file, mark.values)
        if (part && isPart(part.value, text))
          found.set(`${part.document.file.name} ${part.path.join('.')}`, certain(part))
      }
    return [...found.values()]
  }

  /** The value that has made what stands at a path, which exists. */
  #valueAt(path: Path): SetValue | undefined {
    const built = at(this.document.value, path)
    for (let depth = path.length; depth >= 0; depth--) {
      const from = this.#printedIn(path, depth)
      if (from) {
        const { mark, outer } = from
        const found = mark.values && this.valueFor(outer.file, [...mark.values, ...path.slice(depth)])
        return found && isSameValue(built, found.value) ? found : undefined
      }
      // Around what a template says itself nothing else comes from a value.
      if (depth > 0 && this.#keyOrigin(path.slice(0, depth))?.mark.code === undefined) return undefined
    }
    return undefined
  }

  /** The action that has printed what stands at the first steps of a path, or a part of it with the next step, and not their key. */
  #printedIn(path: Path, depth: number): Origin | undefined {
    const found = this.document.locate()
    const around = path.slice(0, depth)
    const next = path[depth]
    const key = depth > 0 ? this.#keyOrigin(around) : undefined
    const inside = typeof next === 'string' ? this.#keyOrigin(path.slice(0, depth + 1)) : undefined
    return [this.#valueOrigin(found.value(around), around), inside].find(
      (one) => one?.mark.code !== undefined && one.mark !== key?.mark,
    )
  }

  #keyOrigin(path: Path): Origin | undefined {
    return this.#origin(this.document.locate().key(path))
  }

  /** A value may stand in quotes of the template. */
  #valueOrigin(range: Range, path: Path): Origin | undefined {
    const isQuoted = /^["']/.test(this.document.locate().written(path) ?? '')
    const first = this.#origin(range)
    return isQuoted && first?.mark.code === undefined
      ? this.#origin({ ...range, column: range.column + 1 })
      : first
  }

  /** The index of a line of the document among those that the template has made. */
  #index(line: number): number {
    return line - this.document.line - this.start
  }

  #existing(path: Path): Path {
    let found = path
    while (found.length > 0 && at(this.document.value, found) === undefined) found = found.slice(0, -1)
    return found
  }

  /** Where the start of a range comes from, if there is one answer. */
  #origin({ line, column }: Range): Origin | undefined {
    const index = this.#index(line)
    const found = this.marked.map((one) =>
      one.lines[index] === this.lines[index] ? one.origin(index, column - 1) : undefined,
    )
    const [first] = found
    return found.every((one) => one?.mark === first?.mark && one?.outer === first?.outer) ? first : undefined
  }

  /** The same text in the template; where only its beginning stands there, as a quote does, the line from there on. */
  #literal({ line, column, endLine, endColumn }: Range, { mark, offset }: Origin): Range {
    const own = this.lines[this.#index(line)] ?? ''
    const shown = own.slice(column - 1, endLine === line ? endColumn - 1 : undefined).trimEnd()
    const { text } = mark.file
    const start = mark.start + offset
    if (start >= mark.end || text[start] !== shown[0]) return rangeOf(mark)
    const end = text.startsWith(shown, start) ? start + shown.length : lineEnd(text, start)
    return rangeOf({ ...mark, start, end })
  }
}

function lineEnd(text: string, start: number): number {
  const end = text.indexOf('\n', start)
  return end < 0 ? text.length : end
}

/** What a mark stands for in its template: of an action that fills lines its first one. */
function rangeOf({ file, start, end }: Mark): Range {
  const line = file.text.slice(start, end).split('\n', 1)[0] ?? ''
  return positions(file.text, 1, 1).range(start, start + line.trimEnd().length)
}

/** Where a value is set, or what is inside it. */
function certain({ document, path }: SetValue, inside: Path = []): Written {
  return { document, object: [], path: [...path, ...inside], isCertain: true }
}

/** A range of a file that nobody has parsed. */
function spot(file: SourceFile, range: Range, isCertain: boolean): Written {
  const locator: Locator = {
    key: () => range,
    value: () => range,
    extent: () => range,
    written: () => undefined,
    has: () => true,
    depth: (path) => path.length,
    duplicates: [],
  }
  const document = { file, line: 1, value: null, text: '', hasDuplicates: false, locate: () => locator }
  return { document, object: [], path: [], isCertain, ...(!isCertain && { isMaker: true }) }
}

/** Text may be written as a number, and numbers as text. */
function isSameValue(one: unknown, other: unknown): boolean {
  return isScalar(one) && isScalar(other) ? String(one) === String(other) : isDeepStrictEqual(one, other)
}

/** A value that text has been made of. */
function isPart(value: unknown, text: string): boolean {
  const part = isScalar(value) ? String(value) : ''
  return part !== '' && text.includes(part)
}
