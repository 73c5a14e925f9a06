/** Where reports go: standard output, or files that appear whole or not at all. */
import { realpathSync, renameSync, rmSync, type Stats, statSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Config } from '../config/config.js'
import { UsageError } from '../config/usage.js'
import { formatNames } from '../reporters/reporter.js'
import { whyRefused } from '../values/refusal.js'
import { didYouMean } from '../values/similar.js'

export interface Output {
  readonly format: string
  /** Standard output when absent. */
  readonly file: string | undefined
}

/** Reads `FORMAT` and `FORMAT=FILE`. */
function outputsOf(texts: readonly string[], formats: readonly string[]): readonly Output[] {
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
  const files = outputs.flatMap(({ file }) => (file === undefined ? [] : [file]))
  const twice = files.find((file, i) => files.some((other, j) => j < i && resolve(other) === resolve(file)))
  if (twice !== undefined) throw new UsageError(`two reports cannot go to one file: ${twice}`)
  return outputs
}

/**
 * The reports that a run gives: those of its flags, else those of the configuration, else one for people.
 * @throws UsageError that names the configuration where that is wrong
 */
export function outputsFor(
  { output }: { readonly output?: readonly string[] },
  config: Pick<Config, 'file' | 'output'> | undefined,
): readonly Output[] {
  if (output || !config?.output) return outputsOf(output ?? ['pretty'], formatNames)
  try {
    return outputsOf(config.output, formatNames)
  } catch (error) {
    throw error instanceof UsageError
      ? new UsageError(...error.lines.map((line) => `${config.file}: output: ${line}`))
      : error
  }
}

/** Finds out before the work starts whether the reports can be written. */
export function checkOutputs(outputs: readonly Output[]): void {
  for (const { file } of outputs) {
    if (file === undefined) continue
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
