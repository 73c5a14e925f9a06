/** What Helm renders of templates with marks: the text without them, and the mark of each character. */
import { brackets, type Mark } from './marks.js'

/** The mark that something in the output comes from. */
export interface Origin {
  readonly mark: Mark
  /** Of what is around it: the template that includes the one with the mark, or the mark itself. */
  readonly outer: Mark
  /** The offset in its literal text; 0 for what an action has printed. */
  readonly offset: number
  /** Whether it stands in lines of which an action has printed all, keys included. */
  readonly isBlock: boolean
}

/** A document of the output. */
export interface MarkedDocument {
  readonly lines: readonly string[]
  /** Where a character comes from, by its line and its column, both from 0; undefined when that is not known. */
  origin(line: number, column: number): Origin | undefined
  /** All marks in a line. */
  marksIn(line: number): readonly Mark[]
}

/** From an offset on, to the next one, all comes from these marks, the outermost first. */
interface Run {
  readonly start: number
  readonly stack: readonly Mark[]
}

/**
 * The documents of each template, by the name that Helm gives it in a line `# Source: chart/templates/web.yaml`.
 * @param output what `helm template --debug` prints where a template is no YAML: each template as it is rendered
 */
export function markedDocuments(
  output: string,
  marks: readonly Mark[],
): ReadonlyMap<string, readonly MarkedDocument[]> {
  const found = new Map<string, readonly MarkedDocument[]>()
  const heads = [...output.matchAll(/^---\n# Source: (.+)\n/gm)]
  for (const [i, head] of heads.entries()) {
    const text = output.slice(head.index + head[0].length, heads[i + 1]?.index)
    const read = withoutMarks(text, marks)
    // Twice the same name: one of them is text.
    const name = head[1] ?? ''
    found.set(name, read && !found.has(name) ? documentsIn(read.text, read.runs) : [])
  }
  return found
}

const pattern = new RegExp(`${brackets[0]}([+-]?)(\\d+)${brackets[1]}|\\n`, 'g')

/** The text and where its parts come from; undefined when a function has cut marks away. */
function withoutMarks(
  marked: string,
  marks: readonly Mark[],
): { readonly text: string; readonly runs: readonly Run[] } | undefined {
  const parts: string[] = []
  const runs: Run[] = [{ start: 0, stack: [] }]
  let open: Mark[] = []
  let at = 0
  let length = 0
  for (const { 0: whole, 1: sign, 2: digits, index } of marked.matchAll(pattern)) {
    const end = whole === '\n' ? index + 1 : index
    parts.push(marked.slice(at, end))
    length += end - at
    at = index + whole.length
    const mark = marks[Number(digits)]
    if (whole === '\n') {
      // Literal text is marked in each of its lines.
      if (runs.at(-1)?.stack !== open) runs.push({ start: length, stack: open })
      continue
    }
    if (!mark) return undefined
    if (sign === '') runs.push({ start: length, stack: [...open, mark] })
    else {
      if (sign === '-' && open.at(-1) !== mark) return undefined
      open = sign === '+' ? [...open, mark] : open.slice(0, -1)
      runs.push({ start: length, stack: open })
    }
  }
  parts.push(marked.slice(at))
  const text = parts.join('')
  return open.length > 0 || brackets.some((one) => text.includes(one)) ? undefined : { text, runs }
}

/** What Helm takes apart. Source: SplitManifests in helm/pkg/releaseutil/manifest.go. */
const separator = /(?:^|\s*\n)---\s*/g

function documentsIn(text: string, runs: readonly Run[]): readonly MarkedDocument[] {
  const whole = text.trim()
  const offset = text.indexOf(whole)
  const ends = [...whole.matchAll(separator)]
  const bounds = [0, ...ends.flatMap(({ index, 0: found }) => [index, index + found.length]), whole.length]
  const documents: MarkedDocument[] = []
  for (let i = 0; i < bounds.length; i += 2) {
    const part = whole.slice(bounds[i], bounds[i + 1])
    const own = part.trim()
    if (own !== '') documents.push(documentAt(own, offset + (bounds[i] ?? 0) + part.indexOf(own), runs))
  }
  return documents
}

function documentAt(text: string, offset: number, runs: readonly Run[]): MarkedDocument {
  const lines = text.split('\n')
  const starts: number[] = []
  let at = offset
  for (const line of lines) {
    starts.push(at)
    at += line.length + 1
  }
  /** All that an action has printed around a run. */
  const printedBy = (mark: Mark, index: number) => {
    const isIn = (i: number) => runs[i]?.stack.includes(mark) ?? false
    let [first, last] = [index, index]
    while (isIn(first - 1)) first--
    while (isIn(last + 1)) last++
    const [from, to] = [runs[first]?.start ?? 0, runs[last + 1]?.start ?? Number.POSITIVE_INFINITY]
    return text.slice(Math.max(0, from - offset), Math.max(0, to - offset)).trim()
  }
  return {
    lines,
    origin: (line, column) => {
      const position = (starts[line] ?? 0) + column
      const index = lastAt(runs, position)
      const run = runs[index]
      const mark = run?.stack.at(-1)
      const outer = run?.stack[0]
      if (!run || !mark || !outer) return undefined
      if (mark.code === undefined) return { mark, outer, offset: position - run.start, isBlock: false }
      return { mark, outer, offset: 0, isBlock: isBlock(printedBy(mark, index), lines[line] ?? '') }
    },
    marksIn: (line) => {
      const start = starts[line] ?? 0
      const first = lastAt(runs, start)
      const last = lastAt(runs, start + (lines[line]?.length ?? 0))
      return runs.slice(first, last + 1).flatMap(({ stack }) => stack)
    },
  }
}

/** Whether a text is lines of its own, and not a part of one that stands around it. */
function isBlock(printed: string, line: string): boolean {
  return printed.includes('\n') || (line.trim() === printed && /:(?:\s|$)/.test(printed))
}

/** The index of the last run that starts at a position, or before. */
function lastAt(runs: readonly Run[], position: number): number {
  let low = 0
  let high = runs.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((runs[middle]?.start ?? 0) <= position) low = middle
    else high = middle - 1
  }
  return low
}
