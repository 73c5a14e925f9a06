/** `--baseline` and `--write-baseline` of `lint` and `scan`. */
import { dirname, relative, resolve } from 'node:path'
import { UsageError } from '../config/usage.js'
import type { Report } from '../engine/report.js'
import { ownText } from '../reader/content.js'
import { refusalOf } from '../reader/own.js'
import { count } from '../reporters/text.js'
import {
  baselineOf,
  type Known,
  knownIn,
  NewerBaseline,
  readBaseline,
  withBaseline,
} from '../suppress/baseline.js'
import { type Output, writeWhole } from './output.js'
import type { SettingsFlags } from './settings.js'
import { note } from './streams.js'

export interface BaselineFlags {
  readonly baseline?: string
  readonly writeBaseline?: string
}

/** Flags that leave findings out. */
type Narrowing = Pick<SettingsFlags, 'only' | 'disable' | 'minSeverity'> & {
  readonly fix?: boolean
  readonly since?: string
}

/** The file that --write-baseline asks for, as one of the run's outputs. */
export function baselineOutput({ writeBaseline: file }: BaselineFlags): readonly Output[] {
  return file === undefined ? [] : [{ format: 'baseline', file }]
}

/** What the baseline knows: read before the work starts. */
export function knownBefore({ baseline, writeBaseline }: BaselineFlags): readonly Known[] {
  if (baseline !== undefined && writeBaseline !== undefined)
    throw new UsageError('--baseline and --write-baseline contradict each other. Keep one.')
  return baseline === undefined ? [] : read(baseline)
}

/** The report without what the baseline knows. */
export function withoutKnown(
  report: Report,
  known: readonly Known[],
  flags: BaselineFlags & Narrowing,
  cwd: string,
): Report {
  const { baseline: file } = flags
  if (file === undefined) return report
  const result = withBaseline(report, known, naming(file, cwd), reasonOf(file))
  // With fewer rules, or of other files, nobody knows.
  const isWhole =
    !flags.only &&
    !flags.disable &&
    flags.minSeverity === undefined &&
    !flags.fix &&
    flags.since === undefined
  const folder = dirname(resolve(cwd, file))
  const gone = result.gone.filter(
    (one) => isWhole && report.lines.line(relative(cwd, resolve(folder, one.file)), 1) !== undefined,
  )
  if (gone.length > 0) {
    const [are, them] = gone.length === 1 ? ['is', 'it'] : ['are', 'them']
    // Who follows the advice would set aside what this run reports.
    const isClean = knownIn(result.report, naming(file, cwd)).length === 0
    note(
      `${count(gone.length, 'finding')} of ${file} ${are} gone: --write-baseline ${file} drops ${them}${isClean ? '' : ', and takes up what is reported now'}`,
    )
  }
  return result.report
}

/** Keeps what was found in the file that is asked for; the report has it suppressed from then on. */
export function keepKnown(report: Report, { writeBaseline: file }: BaselineFlags, cwd: string): Report {
  if (file === undefined) return report
  const kept = knownIn(report, naming(file, cwd))
  writeWhole(file, baselineOf(kept))
  note(`${count(kept.length, 'finding')} kept in ${file}: --baseline ${file} reports what is new or worse`)
  return withBaseline(report, kept, naming(file, cwd), reasonOf(file)).report
}

/** A million findings and more. */
const largest = 256 * 1024 * 1024

const reasonOf = (file: string) => `in the baseline ${file}`

/** Files are named from the folder of the baseline: it means the same wherever the program runs. */
function naming(file: string, cwd: string): (name: string) => string {
  const folder = dirname(resolve(cwd, file))
  return (name) => (name.startsWith('<') ? name : relative(folder, resolve(cwd, name)).replaceAll('\\', '/'))
}

function read(file: string): readonly Known[] {
  if (file === '') throw new UsageError('--baseline names no file.')
  let text: string
  try {
    text = ownText(file, largest)
  } catch (error) {
    throw new UsageError(
      (error as NodeJS.ErrnoException).code === 'ENOENT'
        ? `--baseline: there is no file ${file}. --write-baseline ${file} makes it.`
        : `--baseline: ${file} cannot be read: ${refusalOf(error)}.`,
    )
  }
  try {
    return readBaseline(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new UsageError(
      error instanceof NewerBaseline
        ? `--baseline: ${file} was written by a newer k8s-af: use that one here, too.`
        : `--baseline: ${file} is no baseline: ${error.message}. --write-baseline ${file} makes one.`,
    )
  }
}
