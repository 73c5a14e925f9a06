/** Makes the changes that findings propose, in the texts of their files. Nothing is written here. */
import type { Document, SourceFile } from '../document.js'
import type { Report } from '../engine/report.js'
import { type Edit, type Finding, isWithin, type Path } from '../finding.js'
import type { Resource } from '../graph/resource.js'
import { secretRanges } from '../reader/secret.js'
import { groupBy } from '../values/group.js'
import { memo } from '../values/lazy.js'
import { spliced } from './splice.js'

/** A file with changes in it. */
export interface FixedFile {
  readonly file: SourceFile
  readonly text: string
}

export interface Fixes {
  readonly files: readonly FixedFile[]
  /** The findings whose changes are in there. */
  readonly made: readonly Finding[]
  /** Findings whose changes could not be made, and why, as the end of a sentence. */
  readonly left: readonly { readonly finding: Finding; readonly reason: string }[]
}

/** Whether a finding proposes a change of its file. */
export function isFixable({ fix, suppressed }: Finding): boolean {
  return fix !== undefined && fix.edits.length > 0 && !suppressed
}

/**
 * Makes the changes that findings propose.
 * @param unsafe also those that a person should look at first
 */
export function fixesOf(report: Report, unsafe: boolean): Fixes {
  const texts = new Map<Document, string>()
  const done = new Map<Document, Edit[]>()
  const made: Finding[] = []
  const left: Fixes['left'][number][] = []
  const reasonOf = memo(untouchable)
  for (const finding of report.findings) {
    const resource = isFixable(finding) && (unsafe || finding.fix?.safe) && report.resource(finding)
    if (!resource || !finding.fix) continue
    const { document } = resource
    const reason = reasonOf(document)
    if (reason !== undefined) {
      left.push({ finding, reason })
      continue
    }
    const edits = finding.fix.edits.map((edit) => within(edit, resource))
    const before = done.get(document) ?? []
    // Its turn comes when the file has been read again.
    if (edits.some((edit) => before.some((other) => meet(edit, other)))) continue
    const old = texts.get(document) ?? unixText(document.text)
    const text = spliced(old, edits)
    if (text === undefined || text === old) {
      left.push({ finding, reason: 'an anchor, a repeated key or a comment is in the way' })
      continue
    }
    texts.set(document, text)
    done.set(document, [...before, ...edits])
    made.push(finding)
  }
  return { files: filesOf(texts), made, left }
}

/** Characters of a document that is changed, at most: each change reads it anew. Larger ones are dumps of clusters. */
const largest = 1024 * 1024

/** Why nothing may be changed in a document. */
function untouchable(document: Document): string | undefined {
  const { file } = document
  if (document.text.length > largest) return 'its document has more than 1 MiB'
  if (secretRanges(document).length > 0) return 'it holds the values of a Secret'
  if (/^# Source: \S+\/templates\//m.test(file.text)) return 'Helm has rendered it: change the chart'
  if (hasMixedBreaks(file.text)) return 'its lines end in different ways'
  return undefined
}

const hasMixedBreaks = (text: string) => text.includes('\r') && /[^\r]\n|\r(?!\n)|^\n/.test(text)

const unixText = (text: string) => text.replaceAll('\r\n', '\n')

/** The change, with its paths from the root of the document. */
function within(edit: Edit, { path }: Resource): Edit {
  const full = (own: Path) => [...path, ...own]
  return edit.op === 'move'
    ? { ...edit, path: full(edit.path), to: full(edit.to) }
    : { ...edit, path: full(edit.path) }
}

/** Whether one change is about a part of what the other is about, or may have moved it. */
function meet(a: Edit, b: Edit): boolean {
  return pathsOf(a).some((x) => pathsOf(b).some((y) => isWithin(x, y) || isWithin(y, x)))
}

/** What a change touches: of a list that gets shorter all items. */
function pathsOf(edit: Edit): readonly Path[] {
  const { path } = edit
  const own = edit.op !== 'set' && typeof path.at(-1) === 'number' ? path.slice(0, -1) : path
  return edit.op === 'move' ? [own, edit.to] : [own]
}

/** The texts of the files, with those of their documents that have changed. */
function filesOf(texts: ReadonlyMap<Document, string>): FixedFile[] {
  return [...groupBy(texts.keys(), ({ file }) => file)].map(([file, own]) => {
    let text = ''
    let end = 0
    for (const document of own.toSorted((a, b) => a.line - b.line)) {
      const start = file.text.indexOf(document.text, Math.max(end, offsetOf(file.text, document.line)))
      const changed = texts.get(document) ?? document.text
      text +=
        file.text.slice(end, start) +
        (file.text.includes('\r\n') ? changed.replaceAll('\n', '\r\n') : changed)
      end = start + document.text.length
    }
    return { file, text: text + file.text.slice(end) }
  })
}

/** Where a line starts. */
function offsetOf(text: string, line: number): number {
  let at = 0
  for (let i = 1; i < line; i++) at = text.indexOf('\n', at) + 1
  return at
}
