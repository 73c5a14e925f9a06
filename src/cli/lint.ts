/** `k8s-af lint` */
import { basename, dirname, resolve } from 'node:path'
import type { Config } from '../config/config.js'
import { configNames, schemaName } from '../config/resolve.js'
import type { Settings } from '../config/settings.js'
import { UsageError } from '../config/usage.js'
import type { Skip } from '../document.js'
import { lint } from '../engine/lint.js'
import type { Report } from '../engine/report.js'
import type { IgnorePatterns } from '../reader/ignored.js'
import type { Input } from '../reader/input.js'
import { readPaths } from '../reader/read.js'
import { unfold } from '../reader/unfold.js'
import { findStories, loadRules } from '../registry.js'
import { some } from '../reporters/gaps.js'
import { lookOf } from '../reporters/look.js'
import { reasonFor } from '../reporters/summary.js'
import { clock } from '../values/clock.js'
import { countBy } from '../values/group.js'
import { type BaselineFlags, baselineOutput, keepKnown, knownBefore, withoutKnown } from './baseline.js'
import type { BuildFlags, Builds } from './build.js'
import type { FixFlags } from './fix.js'
import { checkOutputs, outputsFor, spareInputs } from './output.js'
import { missingPath } from './paths.js'
import { present, print, type ReportFlags } from './present.js'
import { type SettingsFlags, settingsFor } from './settings.js'
import { note, terminalOf } from './streams.js'

export interface LintFlags extends SettingsFlags, ReportFlags, FixFlags, BaselineFlags, BuildFlags {
  readonly filename?: readonly string[]
  readonly recursive?: boolean
  readonly stdinFilename?: string
  readonly allowEmpty?: boolean
  readonly since?: string
}

/** Lints and reports; gives the exit code. */
export async function lintCommand(args: readonly string[], flags: LintFlags): Promise<number> {
  const started = clock()
  const cwd = process.cwd()
  const rules = await loadRules()
  const { settings, config } = await settingsFor(flags, cwd, rules)
  const outputs = outputsFor(flags, config)
  const { paths, folders } = namedIn(args, flags)
  checkOutputs([...outputs, ...baselineOutput(flags)])
  spareInputs([...outputs, ...baselineOutput(flags)], inputsOf(paths, flags, config))
  if (paths.includes('-') && (await import('node:tty')).isatty(0))
    note('reading manifests from the terminal; Ctrl-D ends them')
  checkFlags(flags, paths)
  if (flags.only) noteClusterOnly(settings)
  const built = folders.length > 0 ? await buildsFor(flags, paths, config, settings, cwd) : undefined
  const narrowed = await narrowing(flags, [...paths, ...folders], cwd, built)
  // Kustomizations that cannot be built are all that is left to be judged.
  const isUnbuilt = built?.isEmpty === true && paths.length === 0
  if (built && !isUnbuilt) [...built.failures, ...built.notes].forEach(note)
  const ignore = config ? [{ base: dirname(resolve(cwd, config.file)), patterns: config.ignore }] : []
  const options = { settings, rules, stories: findStories, timings: flags.timings ?? false, started }
  const own = [...outputs, ...baselineOutput(flags)].flatMap(({ file }) => file ?? [])
  const run = (): Report => {
    const read = withoutOwn(
      inputOf({ paths, built, ignore, cwd }, flags),
      [...own, ...ownInputs(flags, config)],
      cwd,
    )
    const input = withDefinitions(read, settings.crds, cwd)
    const report = lint(input, options)
    // Whether a suppression is needed nobody knows then.
    if (isUnbuilt && report.findings.every(({ rule }) => rule.startsWith('suppression-')))
      throw new UsageError(...built.failures)
    const { objects, unreadable } = report.summary
    if (objects + unreadable + report.findings.length === 0 && !flags.allowEmpty)
      throw new UsageError(nothingFound(input, [...paths, ...folders]))
    return narrowed(built?.withoutIgnored(report, ignore) ?? report)
  }
  const show = async (report: Report, shown: typeof outputs) => {
    if (isUnbuilt) built.failures.forEach(note)
    const code = await present(keepKnown(report, flags, cwd), shown, flags, settings.failOn)
    return built && built.failures.length > 0 ? 2 : code
  }
  if (!flags.fix && !flags.diff) return show(run(), outputs)
  const { fixFiles, showFixes } = await import('./fix.js')
  if (flags.fix) return show(fixFiles(run, flags, cwd), outputs)
  const report = run()
  await print([showFixes(report, flags, lookOf(terminalOf('stdout'), process.env, flags))])
  return show(
    report,
    outputs.filter(({ file }) => file !== undefined),
  )
}

/** What is to be read file by file, and the folders of what is to be built: without either, this folder is read. */
function namedIn(
  args: readonly string[],
  { filename = [], kustomize = [], helm = [] }: LintFlags,
): { readonly paths: readonly string[]; readonly folders: readonly string[] } {
  const given = [...args, ...filename]
  const folders = [...kustomize, ...helm]
  const all = [...given, ...folders]
  if (all.includes('')) throw new UsageError('a path is empty. Write . for this folder.')
  return { paths: all.length > 0 ? given : ['.'], folders }
}

/** The files that the user has named for the run to read. */
function inputsOf(paths: readonly string[], flags: LintFlags, config: Config | undefined): readonly string[] {
  const { helmValues = [] } = flags
  return [...paths, ...helmValues, ...ownInputs(flags, config)]
}

/** The files of the program itself that it reads. */
function ownInputs({ baseline }: LintFlags, config: Config | undefined): readonly string[] {
  return [baseline, config?.file].filter((file) => file !== undefined)
}

/**
 * The input without the files of the program itself that a walk has come upon: they are no manifests, and nobody expects that they are.
 * @param files those that this run reads or writes
 */
function withoutOwn(input: Input, files: readonly string[], cwd: string): Input {
  const named = new Set(files.map((file) => resolve(cwd, file)))
  const isOwn = ({ file, reason }: Skip) =>
    (reason === 'not Kubernetes' || reason === 'empty') &&
    (ownNames.has(basename(file)) || named.has(resolve(cwd, file)))
  const skips = input.skips.filter((skip) => !isOwn(skip))
  return { ...input, skips, files: input.files - (input.skips.length - skips.length) }
}

const ownNames: ReadonlySet<string> = new Set([...configNames, schemaName])

/** Where the input comes from. */
interface Sources {
  readonly paths: readonly string[]
  readonly built: Builds | undefined
  readonly ignore: readonly IgnorePatterns[]
  readonly cwd: string
}

/** Reads the files as they are now, with what was built. */
function inputOf(
  { paths, built, ignore, cwd }: Sources,
  { recursive = true, stdinFilename }: LintFlags,
): Input {
  const read = readPaths(paths, {
    cwd,
    recursive,
    stdinFilename,
    ignore,
    ...(built && { built: built.sources }),
  })
  if (read.missing.length > 0) throw new UsageError(...read.missing.map((path) => missingPath(path, cwd)))
  return built?.within(read, ignore) ?? read
}

/** Builds what the flags name. Charts are told the version of the cluster where somebody has chosen it. */
async function buildsFor(
  flags: LintFlags,
  paths: readonly string[],
  config: Config | undefined,
  { minor, namespace }: Settings,
  cwd: string,
): Promise<Builds> {
  const { builds } = await import('./build.js')
  const isChosen = flags.k8sVersion !== undefined || config?.minor !== undefined
  const release = { namespace, kubernetesVersion: isChosen ? `1.${minor}` : undefined }
  return builds(flags, paths, release, cwd)
}

/** Leaves out what nobody asked for: what is about other files than those that have changed, and what the baseline knows. */
async function narrowing(
  flags: LintFlags,
  paths: readonly string[],
  cwd: string,
  built: Builds | undefined,
): Promise<(report: Report) => Report> {
  const known = knownBefore(flags)
  if (flags.since === undefined) return (report) => withoutKnown(report, known, flags, cwd)
  const { aboutChanges, changedSince } = await import('./since.js')
  const changed = changedSince(flags.since, cwd, paths)
  const madeOf = built?.madeOf ?? (() => [])
  return (report) => withoutKnown(aboutChanges(report, changed, cwd, madeOf), known, flags, cwd)
}

/** @throws UsageError for flags that do not go together */
function checkFlags(flags: LintFlags, paths: readonly string[]): void {
  checkBuildFlags(flags)
  const { fix, unsafeFixes, diff, since, output = [], kustomize, helm } = flags
  const printed = diff ? output.find((one) => !one.includes('=')) : undefined
  if (printed !== undefined)
    throw new UsageError(`--diff prints a patch. Give the report a file: -o ${printed}=FILE`)
  if (since !== undefined && paths.includes('-'))
    throw new UsageError('--since compares files: it does not go with standard input.')
  if (fix && diff) throw new UsageError('--diff shows what --fix would change: give one of them.')
  if (unsafeFixes && !fix && !diff)
    throw new UsageError('--unsafe-fixes goes with --fix, which changes files, or --diff, which shows how.')
  if (fix && paths.includes('-'))
    throw new UsageError('--fix cannot change standard input. --diff shows the changes as a patch.')
  if ((fix || diff) && (kustomize || helm)) {
    const why = `${fix ? '--fix' : '--diff'} does not change what is built`
    if (paths.length === 0) throw new UsageError(`${why}: name manifests, too.`)
    note(`${why}, and looks at the manifests that are named alone`)
  }
}

/** @throws UsageError for flags about a build that is not asked for */
function checkBuildFlags(flags: LintFlags): void {
  const { kustomize, kustomizeArg, helm, helmArg, helmRelease, helmValues } = flags
  if (kustomizeArg && !kustomize) throw new UsageError('--kustomize-arg goes with -k.')
  if (helmArg && !helm) throw new UsageError('--helm-arg goes with --helm.')
  if (helmRelease !== undefined && !helm) throw new UsageError('--helm-release goes with --helm.')
  if (helmValues && !helm) throw new UsageError('--helm-values goes with --helm.')
}

/** Says so where a lint can decide none of the rules that were asked for: nobody should take its silence for a verdict. */
function noteClusterOnly({ active }: Settings): void {
  const asked = active.filter(({ isAsked }) => isAsked)
  if (asked.length > 0 && asked.every(({ rule }) => rule.needs === 'cluster'))
    note(`k8s-af scan decides ${some(asked.map(({ id }) => id))}, lint does not`)
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
    throw new UsageError(`crds: there is no CustomResourceDefinition in ${named(paths)}.`)
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

function named(paths: readonly string[]): string {
  return paths
    .map((path) => (path === '-' ? 'standard input' : path === '.' ? 'this folder' : path))
    .join(', ')
}

/** Why there was nothing to do, and what to type instead. */
function nothingFound(input: Input, paths: readonly string[]): string {
  const judged = input.kustomizations.filter(({ isEvidence }) => !isEvidence)
  const reasons = countBy(
    [...judged.map(() => 'kustomization'), ...input.skips.map(({ reason }) => reason)],
    (reason) => reason,
  )
  const skipped = [...reasons].map(([reason, count]) => `${count} ${reasonFor(reason, count)}`).join(', ')
  const charts = input.skips.flatMap(({ file }) => (basename(file) === 'Chart.yaml' ? [dirname(file)] : []))
  // Standard input has no folder.
  const kustomizations = paths.includes('-') ? [] : judged.map(({ folder }) => folder)
  const has = (reason: string) => [...reasons.keys()].some((one) => one.startsWith(reason))
  const remedy = has('Helm')
    ? ` Charts are rendered first with: k8s-af lint --helm ${onlyOne(charts) ?? 'CHART'}`
    : has('kusto')
      ? ` Kustomizations are built first with: k8s-af lint -k ${onlyOne(kustomizations) ?? 'FOLDER'}`
      : has('test data')
        ? ' Folders of test data are read where they are named.'
        : has('switched off')
          ? ' Folders that are switched off are read where they are named.'
          : has('agent skill')
            ? ' Skills of agents are read where they are named.'
            : ''
  return `there are no Kubernetes objects in ${named(paths)}${skipped === '' ? '' : ` (left out: ${skipped})`}.${remedy}`
}

/** What can be typed as it stands. */
function onlyOne(folders: readonly string[]): string | undefined {
  const [first, ...others] = folders
  return others.length === 0 && first !== undefined && /^[\w./][\w./-]*$/.test(first) ? first : undefined
}
