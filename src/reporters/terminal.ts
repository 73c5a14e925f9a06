/** What a report at a terminal is painted with. */
import { Chalk, type ChalkInstance } from 'chalk'
import type { Report } from '../engine/report.js'
import type { Severity } from '../finding.js'
import type { Look } from './reporter.js'
import { ascii, printable } from './text.js'

/** The report with everything that its look decides. */
export interface Page {
  readonly report: Report
  readonly width: number
  readonly paint: ChalkInstance
  readonly severity: Readonly<Record<Severity, ChalkInstance>>
  readonly box: typeof rounded
  /** Text of the input or of a story as this terminal can show it. */
  show(text: string): string
  /** True for the first of equal calls: stories and hints are given once. */
  isNew(what: string): boolean
}

const rounded = { top: '╭─', side: '│', middle: '├─', bottom: '╰─', bar: '━', more: '…', dot: ' · ' }
const square = { top: ',-', side: '|', middle: '+-', bottom: '`-', bar: '^', more: '..', dot: ' - ' }

/** The colours and signs that the look allows. */
export function pageOf(report: Report, look: Look): Page {
  const paint = new Chalk({ level: look.color ? 1 : 0 })
  const said = new Set<string>()
  return {
    report,
    width: look.width,
    paint,
    severity: { error: paint.red.bold, warning: paint.yellow.bold, info: paint.cyan.bold },
    box: look.unicode ? rounded : square,
    show: look.unicode ? printable : ascii,
    isNew: (what) => !said.has(what) && said.add(what) !== undefined,
  }
}
