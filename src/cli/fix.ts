/** `k8s-af lint --fix` and `--diff`: what comes of the changes that findings propose. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Chalk } from 'chalk'
import { UsageError } from '../config/usage.js'
import type { Report } from '../engine/report.js'
import type { Finding } from '../finding.js'
import { difference } from '../fix/difference.js'
import { type FixedFile, type Fixes, fixesOf, isFixable } from '../fix/fix.js'
import type { Look } from '../reporters/reporter.js'
import { count } from '../reporters/text.js'
import { whyRefused } from '../values/refusal.js'
import { writeWhole } from './output.js'
import { note } from './streams.js'

export interface FixFlags {
  readonly fix?: boolean
  readonly unsafeFixes?: boolean
  readonly diff?: boolean
}

/** Changes may make others possible, and some wait for others: so often the files are looked at again. */
const mostRounds = 5
/** Findings that could not be fixed, named one by one. */
const mostNamed = 10

/**
 * Changes the files until there is nothing left to change, and says on standard error what was done.
 * @param lint reads the files as they are and lints them
 * @returns the report on what is left
 */
export function fixFiles(lint: () => Report, { unsafeFixes = false }: FixFlags, cwd: string): Report {
  const changed = new Set<string>()
  let made = 0
  let left: Fixes['left'] = []
  let report = lint()
  for (let round = 0; round < mostRounds; round++) {
    const fixes = fixesOf(report, unsafeFixes)
    const kept = new Map<string, string>()
    for (const one of fixes.files) {
      const reason = write(one, cwd)
      if (reason === undefined) changed.add(one.file.name)
      else kept.set(one.file.name, reason)
    }
    left = [...fixes.left, ...refused(fixes, kept)]
    if (fixes.files.length === kept.size) break
    made += fixes.made.filter(({ place }) => !kept.has(place.file)).length
    report = lint()
  }
  const done = made > 0 ? `${count(made, 'finding')} fixed in ${count(changed.size, 'file')}` : undefined
  say({ done, nothing: 'nothing was fixed', left }, report, unsafeFixes)
  return report
}

function refused({ made }: Fixes, kept: ReadonlyMap<string, string>): Fixes['left'] {
  return made.flatMap((finding) => {
    const reason = kept.get(finding.place.file)
    return reason === undefined ? [] : [{ finding, reason }]
  })
}

/** Prints the changes as a patch, and says on standard error what it is. */
export function showFixes(report: Report, { unsafeFixes = false }: FixFlags, look: Look): string {
  const fixes = fixesOf(report, unsafeFixes)
  const paint = new Chalk({ level: look.color ? 1 : 0 })
  const colored = (line: string) =>
    line.startsWith('@@')
      ? paint.cyan(line)
      : line.startsWith('+')
        ? paint.green(line)
        : line.startsWith('-')
          ? paint.red(line)
          : line
  let text = ''
  const hidden: string[] = []
  for (const { file, text: changed } of fixes.files) {
    const lines = difference(file, changed, (line) => report.lines.line(file.name, line) === undefined)
    if (lines) text += `${lines.map(colored).join('\n')}\n`
    else hidden.push(file.name)
  }
  const { made, files } = fixes
  const done =
    made.length > 0
      ? `--fix${unsafeFixes ? ' --unsafe-fixes' : ''} changes ${count(files.length, 'file')}, for ${count(made.length, 'finding')}`
      : undefined
  say({ done, nothing: 'there is nothing to fix', left: fixes.left }, report, unsafeFixes)
  for (const name of hidden) note(`not shown: ${name}: near the changes there is what should not be printed`)
  return text
}

/** What became of the fixes. */
interface Result {
  /** Undefined where nothing was done. */
  readonly done: string | undefined
  /** What is said then. */
  readonly nothing: string
  readonly left: Fixes['left']
}

/** Says what was done, and what was not. */
function say({ done, nothing, left }: Result, report: Report, unsafe: boolean): void {
  const more = unsafe ? 0 : report.findings.filter((one) => isFixable(one) && !one.fix?.safe).length
  const offer =
    done === undefined ? `${count(more, 'finding')} with --unsafe-fixes` : `${more} more with --unsafe-fixes`
  const lines = [
    more > 0 ? `${done ?? 'nothing is safe to fix'}; ${offer}` : (done ?? nothing),
    ...left.slice(0, mostNamed).map(({ finding, reason }) => `not fixed: ${nameOf(finding)}: ${reason}`),
    ...(left.length > mostNamed ? [`not fixed: ${left.length - mostNamed} more`] : []),
  ]
  for (const line of lines) note(line)
}

function nameOf({ place, rule }: Finding): string {
  return `${place.file}:${place.line} ${rule}`
}

const mark = Buffer.from('\ufeff')

/** Writes a file unless it is another one by now; gives the reason when it stays as it is. */
function write({ file, text }: FixedFile, cwd: string): string | undefined {
  const path = resolve(cwd, file.name)
  try {
    const bytes = readFileSync(path)
    const start = bytes.subarray(0, mark.length).equals(mark) ? mark.length : 0
    if (!bytes.subarray(start).equals(Buffer.from(file.text)))
      return 'the file has changed meanwhile, or it is not UTF-8'
    writeWhole(path, `${start > 0 ? '\ufeff' : ''}${text}`)
    return undefined
  } catch (error) {
    if (error instanceof UsageError) return error.message.replace(/\.$/, '')
    return `the file cannot be read: ${whyRefused(error as NodeJS.ErrnoException)}`
  }
}
