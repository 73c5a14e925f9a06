/** Where reports go: standard output, or files that appear whole or not at all. */
import { realpathSync, renameSync, rmSync, type Stats, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import type { Config } from '../config/config.js'
import { UsageError } from '../config/usage.js'
import { formatNames } from '../reporters/reporter.js'
import { whyRefused } from '../values/refusal.js'
import { didYouMean } from '../values/similar.js'
import { statsAt } from '../values/stats.js'

export interface Output {
  readonly format: string
  /** Standard output when absent. */
  readonly file: string | undefined
}

const formats: readonly string[] = formatNames

/** Reads `FORMAT` and `FORMAT=FILE`. */
function outputsOf(texts: readonly string[]): readonly Output[] {
  const outputs = texts.map((text): Output => {
    const [, format = '', file] = /^([^=]*)(?:=(.*))?$/s.exec(text) ?? []
    if (!formats.includes(format))
      throw new UsageError(
        `there is no report format ${JSON.stringify(format)}. ${didYouMean(format, formats) || `The formats are ${formats.join(', ')}.`}`,
      )
    if (file === '')
      throw new UsageError(
        `-o ${text} names no file. Write -o ${format}=FILE, or -o ${format} for standard output.`,
      )
    return { format, file }
  })
  const printed = outputs.filter(({ file }) => file === undefined)
  if (printed.length > 1)
    throw new UsageError(
      `only one report can go to standard output, not ${printed.map(({ format }) => format).join(' and ')}. Give the others a file: -o ${printed[1]?.format}=FILE`,
    )
  checkTwice(outputs)
  return outputs
}

function checkTwice(outputs: readonly Output[]): void {
  const files = outputs.flatMap(({ file }) => file ?? [])
  const twice = files.find((file, i) => files.some((other, j) => j < i && isSame(other, file)))
  if (twice !== undefined) throw new UsageError(`two reports cannot go to one file: ${twice}`)
}

/** Whether two names lead to one file, which may still be to be made. Several reports may go to one device. */
function isSame(one: string, other: string): boolean {
  if (resolve(one) === resolve(other)) return true
  const [a, b] = [one, other].map(statsAt)
  if (a || b) return a?.isFile() === true && isOne(a, b)
  return basename(one) === basename(other) && isOne(statsAt(dirname(one)), statsAt(dirname(other)))
}

/** Some file systems have no numbers. */
function isOne(a: Stats | undefined, b: Stats | undefined): boolean {
  return a !== undefined && b !== undefined && a.ino !== 0 && a.ino === b.ino && a.dev === b.dev
}

/**
 * Sees to it that no report takes the place of what the run reads.
 * @param inputs files by the names that the user has given them
 */
export function spareInputs(outputs: readonly Output[], inputs: readonly string[]): void {
  for (const { file } of outputs) {
    if (file !== undefined && inputs.some((input) => statsAt(input)?.isFile() && isSame(input, file)))
      throw new UsageError(
        `${file} is read by this run, and would be lost: name another file for the report.`,
      )
  }
}

/**
 * The reports that a run gives: those of its flags, else those of the configuration, else one for people.
 * @throws UsageError that names the configuration where that is wrong
 */
export function outputsFor(
  { output }: { readonly output?: readonly string[] },
  config: Pick<Config, 'file' | 'output'> | undefined,
): readonly Output[] {
  if (output || !config?.output) return outputsOf(output ?? ['pretty'])
  try {
    return outputsOf(config.output)
  } catch (error) {
    throw error instanceof UsageError
      ? new UsageError(...error.lines.map((line) => `${config.file}: output: ${line}`))
      : error
  }
}

/** Finds out before the work starts whether the reports can be written. */
export function checkOutputs(outputs: readonly Output[]): void {
  checkTwice(outputs)
  for (const { file } of outputs) {
    if (file === undefined) continue
    if (file === '') throw new UsageError('the name of a file is empty.')
    if (attempt(file, () => stat(file))?.isDirectory())
      throw new UsageError(`${file} is a folder. Name a file in it.`)
    const folder = dirname(file)
    if (!attempt(file, () => stat(folder))?.isDirectory())
      throw new UsageError(`there is no folder ${folder} for ${file}. Make it first: mkdir -p ${folder}`)
  }
}

function stat(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false })
}

/** Writes a file so that nobody ever sees half of it. Devices and pipes are written to directly. */
export function writeWhole(file: string, text: string): void {
  attempt(file, () => {
    const known = stat(file)
    if (known && !known.isFile()) writeFileSync(file, text)
    else replace(known ? realpathSync(file) : file, text, known ? { mode: known.mode } : {})
  })
}

/** @throws UsageError when the operating system refuses to write `file` */
export function attempt<Result>(file: string, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    throw new UsageError(`${file} cannot be written: ${whyRefused(error as NodeJS.ErrnoException)}.`)
  }
}

function replace(target: string, text: string, options: { readonly mode?: number }): void {
  const draft = `${target}.${process.pid}.tmp`
  try {
    writeFileSync(draft, text, options)
    renameSync(draft, target)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
}
