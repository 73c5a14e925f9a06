/** `k8s-af lint` */
import { once } from 'node:events'
import { dirname, resolve } from 'node:path'
import { UsageError } from '../config/usage.js'
import { lint } from '../engine/lint.js'
import type { Report } from '../engine/report.js'
import { type Finding, severities } from '../finding.js'
import type { Input } from '../reader/input.js'
import { readPaths, unfold } from '../reader/read.js'
import { loadRules, loadStories } from '../registry.js'
import { lookOf } from '../reporters/look.js'
import { formatNames, formats, isFormat } from '../reporters/reporter.js'
import { printable } from '../reporters/text.js'
import { checkOutputs, type Output, outputsOf, writeWhole } from './output.js'
import { missingPath } from './paths.js'
import { type SettingsFlags, settingsFor } from './settings.js'

export interface LintFlags extends SettingsFlags {
  readonly filename?: readonly string[]
  readonly recursive?: boolean
  readonly stdinFilename?: string
  readonly output?: readonly string[]
  readonly showSuppressed?: boolean
  readonly statistics?: boolean
  readonly timings?: boolean
  readonly allowEmpty?: boolean
  readonly color: 'auto' | 'always' | 'never'
}

/** Lints and reports; gives the exit code. */
export async function lintCommand(args: readonly string[], flags: LintFlags): Promise<number> {
  const started = performance.now()
  const cwd = process.cwd()
  const rules = await loadRules()
  const { settings, config } = await settingsFor(flags, cwd, rules)
  const outputs = outputsOf(flags.output ?? config?.output ?? ['pretty'], formatNames)
  checkOutputs(outputs)

  const given = [...args, ...(flags.filename ?? [])]
  const paths = given.length > 0 ? given : ['.']
  if (paths.includes('-') && (await import('node:tty')).isatty(0))
    process.stderr.write('k8s-af: reading manifests from the terminal; Ctrl-D ends them\n')
  const linted = readPaths(paths, {
    cwd,
    recursive: flags.recursive ?? true,
    stdinFilename: flags.stdinFilename,
    ignore: config ? [{ base: dirname(resolve(cwd, config.file)), patterns: config.ignore }] : [],
  })
  if (linted.missing.length > 0) throw new UsageError(...linted.missing.map((path) => missingPath(path, cwd)))
  const input = withDefinitions(linted, settings.crds, cwd)

  const report = lint(input, {
    settings,
    rules,
    stories: loadStories,
    timings: flags.timings ?? false,
    started,
  })
  if (report.summary.objects === 0 && report.summary.unreadable === 0 && !flags.allowEmpty)
    throw new UsageError(nothingFound(input, paths))

  await show(report, outputs, flags)
  for (const line of [
    ...(flags.statistics ? statistics(report) : []),
    ...(report.timings ? timings(report.timings) : []),
    ...failures(report),
  ])
    process.stderr.write(`${line}\n`)
  if (report.failures.length > 0) return 2
  return report.findings.some((finding) => counts(finding, settings.failOn)) ? 1 : 0
}

/** Reads the files that the configuration names for the CustomResourceDefinitions in them; what is wrong with them counts. */
function withDefinitions(input: Input, paths: readonly string[], cwd: string): Input {
  if (paths.length === 0) return input
  const read = readPaths(paths, { cwd })
  if (read.missing.length > 0)
    throw new UsageError(...read.missing.map((path) => `crds: ${missingPath(path, cwd)}`))
  const isEmpty = !read.documents.some((one) =>
    unfold(one).some(({ value }) => value.kind === 'CustomResourceDefinition'),
  )
  if (isEmpty && read.problems.length === 0)
    throw new UsageError(`crds: there is no CustomResourceDefinition in ${paths.join(', ')}.`)
  // What is linted, too, is read already.
  const known = new Set([
    ...input.documents.map(({ file }) => file.name),
    ...input.problems.map(({ file }) => file),
  ])
  return {
    ...input,
    crds: read.documents.filter(({ file }) => !known.has(file.name)),
    problems: [...input.problems, ...read.problems.filter(({ file }) => !known.has(file))],
    broken: [...(input.broken ?? []), ...(read.broken ?? [])],
    hidden: [...(input.hidden ?? []), ...(read.hidden ?? [])],
  }
}

async function show(report: Report, outputs: readonly Output[], flags: LintFlags): Promise<void> {
  for (const { format, file } of outputs) {
    if (!isFormat(format)) continue
    const { render } = await formats[format]()
    const { color, showSuppressed = false } = flags
    const look = lookOf(file === undefined ? process.stdout : {}, process.env, {
      color: file === undefined ? color : 'never',
      showSuppressed,
    })
    if (file === undefined) await print(render(report, look))
    else writeWhole(file, [...render(report, look)].join(''))
  }
}

/** Writes in pieces of some size, at the pace of whoever reads. */
async function print(pieces: Iterable<string>): Promise<void> {
  let text = ''
  for (const piece of pieces) {
    text += piece
    if (text.length < 65536) continue
    if (!process.stdout.write(text)) await once(process.stdout, 'drain')
    text = ''
  }
  if (text !== '') process.stdout.write(text)
}

/** Manifests that cannot be read count whatever the threshold, unless nothing does. */
function counts(finding: Finding, failOn: 'error' | 'warning' | 'info' | 'never'): boolean {
  if (finding.suppressed || failOn === 'never') return false
  return severities.indexOf(finding.severity) <= severities.indexOf(failOn)
}

/** Why there was nothing to do, and what to type instead. */
function nothingFound(input: Input, paths: readonly string[]): string {
  const where = paths.map((path) => (path === '-' ? 'standard input' : path)).join(', ')
  const reasons = new Map<string, number>()
  for (const { reason } of input.skips) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  const skipped = [...reasons].map(([reason, count]) => `${count} ${reason}`).join(', ')
  const has = (reason: string) => [...reasons.keys()].some((one) => one.startsWith(reason))
  const remedy = has('Helm')
    ? ' Render charts first: helm template CHART | k8s-af lint -'
    : has('kusto')
      ? ' Build it first: kubectl kustomize DIR | k8s-af lint -'
      : ''
  return `there are no Kubernetes objects in ${where}${skipped === '' ? '' : ` (left out: ${skipped})`}.${remedy}`
}

function statistics(report: Report): string[] {
  const found = new Map<string, number>()
  for (const { rule, suppressed } of report.findings) {
    if (!suppressed) found.set(rule, (found.get(rule) ?? 0) + 1)
  }
  return [...found]
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .map(([rule, count]) => `${String(count).padStart(6)}  ${rule}`)
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
