/** What every run ends with: the reports, the notes on standard error, the exit code. */
import type { Settings } from '../config/settings.js'
import type { Report } from '../engine/report.js'
import { together } from '../engine/together.js'
import { type Finding, isAtLeast } from '../finding.js'
import { lookOf } from '../reporters/look.js'
import { formats, isFormat } from '../reporters/reporter.js'
import { summaryParts } from '../reporters/summary.js'
import { printable } from '../reporters/text.js'
import { countBy, mostFirst } from '../values/group.js'
import { type Output, writeWhole } from './output.js'
import { readersPace, tell, terminalOf, write } from './streams.js'

export interface ReportFlags {
  readonly output?: readonly string[]
  readonly showSuppressed?: boolean
  readonly statistics?: boolean
  readonly timings?: boolean
  readonly color: 'auto' | 'always' | 'never'
}

/** Writes everything and gives the exit code. */
export async function present(
  decided: Report,
  outputs: readonly Output[],
  flags: ReportFlags,
  failOn: Settings['failOn'],
): Promise<number> {
  const report = together(decided)
  const code =
    report.failures.length > 0 ? 2 : report.findings.some((finding) => counts(finding, failOn)) ? 1 : 0
  // Whoever reads standard output may leave before its end: the files are there by then, and the verdict holds.
  process.exitCode = code
  await show(
    report,
    [...outputs].sort((a, b) => Number(a.file === undefined) - Number(b.file === undefined)),
    flags,
  )
  for (const line of [
    ...written(report, outputs),
    ...(flags.statistics ? statistics(report) : []),
    ...(report.timings ? timings(report.timings) : []),
    ...failures(report),
  ])
    tell(line)
  return code
}

async function show(report: Report, outputs: readonly Output[], flags: ReportFlags): Promise<void> {
  for (const { format, file } of outputs) {
    if (!isFormat(format)) continue
    const { render } = await formats[format]()
    const { color, showSuppressed = false } = flags
    const look = lookOf(file === undefined ? terminalOf('stdout') : {}, process.env, {
      color: file === undefined ? color : 'never',
      showSuppressed,
    })
    if (file === undefined) await print(render(report, look))
    else writeWhole(file, [...render(report, look)].join(''))
  }
}

/** What is in the files, where nothing else tells. */
function written(report: Report, outputs: readonly Output[]): string[] {
  const files = outputs.flatMap(({ file }) => file ?? [])
  const [found = ''] = summaryParts(report)
  return files.length === 0 || files.length < outputs.length
    ? []
    : [`k8s-af: ${found}: ${files.map(printable).join(', ')}`]
}

/** Writes in pieces of some size, at the pace of whoever reads. */
export async function print(pieces: Iterable<string>): Promise<void> {
  let text = ''
  for (const piece of pieces) {
    text += piece
    if (text.length < 65536) continue
    write(text)
    await readersPace()
    text = ''
  }
  if (text !== '') write(text)
}

/** Whether a finding makes the exit code 1. */
function counts(finding: Finding, failOn: Settings['failOn']): boolean {
  if (finding.suppressed || failOn === 'never') return false
  return isAtLeast(finding.severity, failOn)
}

function statistics(report: Report): string[] {
  const found = report.findings.filter(({ suppressed }) => !suppressed)
  return mostFirst(countBy(found, ({ rule }) => rule)).map(
    ([rule, count]) => `${String(count).padStart(6)}  ${rule}`,
  )
}

function timings(spent: ReadonlyMap<string, number>): string[] {
  return [...spent]
    .sort(([, x], [, y]) => y - x)
    .map(([rule, milliseconds]) => `${milliseconds.toFixed(1).padStart(8)} ms  ${rule}`)
}

/** Defects of the program itself, a line for each rule that has one. */
function failures(report: Report): string[] {
  return [...new Set(report.failures.map((failure) => failure.rule))].map((rule) => {
    const own = report.failures.filter((failure) => failure.rule === rule)
    const [{ object = '', error } = {}] = own
    const count = own.length
    const why = error instanceof Error ? error.message : String(error)
    const stack = process.env.K8S_AF_DEBUG === '1' && error instanceof Error ? `\n${error.stack}` : ''
    const more = count > 1 ? ` and ${count - 1} more` : ''
    return `k8s-af: internal error: the rule ${rule} failed on ${printable(`${object}${more}: ${why}`)}. All else was evaluated.${stack}`
  })
}
