/** `lint -k` and `lint --helm`: what the user's own tools make, as a part of the input. */
import { existsSync, realpathSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { type HelmRun, helm, isReleaseName } from '../built/helm.js'
import { kustomize } from '../built/kustomize.js'
import type { BuiltInput } from '../built/output.js'
import { type Sources, sourcesFrom } from '../built/sources.js'
import { filesOf, treeOf } from '../built/tree.js'
import { UsageError } from '../config/usage.js'
import { type Report, withFindings } from '../engine/report.js'
import { isComponent } from '../graph/builds.js'
import { displayName, find, isManifestName, kustomizationIn, kustomizationNames } from '../reader/files.js'
import { configured, type IgnorePatterns, isIgnored, rulesAbove } from '../reader/ignored.js'
import type { Input, Kustomization } from '../reader/input.js'
import { readPaths } from '../reader/read.js'
import { memo } from '../values/lazy.js'
import { statsAt } from '../values/stats.js'
import { interruptible } from './interrupt.js'
import { missingPath } from './paths.js'

export interface BuildFlags {
  readonly kustomize?: readonly string[]
  readonly kustomizeArg?: readonly string[]
  readonly helm?: readonly string[]
  readonly helmRelease?: string
  readonly helmValues?: readonly string[]
  readonly helmArg?: readonly string[]
}

/** What was built. */
export interface Builds {
  /** What could not be built, and why, in lines. The rest is linted all the same. */
  readonly failures: readonly string[]
  /** What the user may not have meant. */
  readonly notes: readonly string[]
  /** Nothing could be built. */
  readonly isEmpty: boolean
  /**
   * The input with it.
   * @param ignore what is left out of the files that it was built from
   */
  within(input: Input, ignore: readonly IgnorePatterns[]): Input
  /** The report without what is about ignored files that something was built of; they count as left out. */
  withoutIgnored(report: Report, ignore: readonly IgnorePatterns[]): Report
  /** Absolute paths of the files whose objects are in there. */
  readonly sources: ReadonlySet<string>
  /** The absolute paths of the files that say how an output was made, without those that hold other objects of it. */
  madeOf(output: string): Iterable<string>
}

/** Builds everything that the flags name, several at a time. */
export async function builds(
  flags: BuildFlags,
  paths: readonly string[],
  release: Pick<HelmRun, 'namespace' | 'kubernetesVersion'>,
  cwd: string,
): Promise<Builds> {
  const { helmValues: values = [], kustomizeArg = [], helmArg = [] } = flags
  const sources = sourcesFrom(cwd)
  const folders = foldersOf('-k', flags.kustomize, kustomization, cwd)
  const charts = foldersOf('--helm', flags.helm, chart, cwd)
  if (flags.helmRelease !== undefined && !isReleaseName(flags.helmRelease))
    throw new UsageError(`--helm-release: ${JSON.stringify(flags.helmRelease)} is no name of a release.`)
  const missing = values.filter((file) => !existsSync(resolve(cwd, file)))
  if (missing.length > 0) throw new UsageError(...missing.map((file) => missingPath(file, cwd)))
  const outcomes = await interruptible((signal) => {
    const run = { cwd, sources, signal }
    return all([
      ...folders.map((dir) => () => kustomize(dir, { ...run, args: kustomizeArg })),
      ...charts.map(
        (dir) => () => helm(dir, { ...run, ...release, release: flags.helmRelease, args: helmArg, values }),
      ),
    ])
  })
  const parts = outcomes.flatMap((one) => (one instanceof UsageError ? [] : [one]))
  const made = folders.map((dir, i): Made => {
    const outcome = outcomes[i]
    const isBuilt = outcome !== undefined && !(outcome instanceof UsageError)
    return { isBuilt, files: isBuilt ? outcome.files : filesBelow(resolve(cwd, dir), cwd) }
  })
  return {
    failures: linesOf(outcomes.filter((one) => one instanceof UsageError)),
    notes: folders.length > 0 ? strayFolders(paths, cwd) : [],
    isEmpty: parts.length === 0,
    within: (input, ignore) => withBuilt(withUnbuilt(input, made, ignore, cwd), parts, sources),
    withoutIgnored: (report, ignore) => withoutIgnored(report, ignore, cwd),
    sources: sources.built(),
    madeOf: (output) => {
      const files = parts.find(({ name }) => name === output)?.files ?? []
      return [...files].filter((file) => !sources.built().has(file))
    },
  }
}

function withBuilt(input: Input, parts: readonly BuiltInput[], sources: Sources): Input {
  const linted = new Set(input.documents.map(({ file }) => file.name))
  const known = new Set(sources.all().map(({ file }) => file.name))
  return {
    ...input,
    // What these change has been changed.
    kustomizations: input.kustomizations.filter(({ document }) => !known.has(document.file.name)),
    documents: [...input.documents, ...parts.flatMap(({ documents }) => documents)],
    problems: [...input.problems, ...parts.flatMap(({ problems }) => problems)],
    hidden: [...(input.hidden ?? []), ...parts.flatMap(({ hidden }) => hidden)],
    broken: [...(input.broken ?? []), ...parts.flatMap(({ broken }) => broken)],
    texts: parts.flatMap(({ texts = [] }) => texts),
    templates: parts.flatMap(({ templates = [] }) => templates),
    builds: parts.length,
    sources: sources.all().filter(({ file }) => !linted.has(file.name)),
  }
}

/** What is wrong with the machine is wrong with all builds, and said once. */
function linesOf(failures: readonly UsageError[]): readonly string[] {
  return [...new Map(failures.map(({ message, lines }) => [message, lines])).values()].flat()
}

/** The files of a build, absolute. */
interface Made {
  readonly isBuilt: boolean
  readonly files: ReadonlySet<string>
}

/** What a kustomization that cannot be built names. */
function filesBelow(folder: string, cwd: string): ReadonlySet<string> {
  const path = kustomizationIn(realpathSync(folder))
  return path === undefined ? new Set() : filesOf(treeOf(path, sourcesFrom(cwd)))
}

/** The input with the kustomizations that were to be built, as they are read without a build, and what they list. */
function withUnbuilt(
  input: Input,
  made: readonly Made[],
  ignore: readonly IgnorePatterns[],
  cwd: string,
): Input {
  if (made.length === 0) return input
  const filesWhere = (isBuilt: boolean) =>
    new Set(made.filter((one) => one.isBuilt === isBuilt).flatMap(({ files }) => [...files]))
  const built = new Set([...filesWhere(true)].map((path) => displayName(path, cwd)))
  const paths = [...filesWhere(true), ...filesWhere(false)].filter(isManifestName)
  const { documents, kustomizations, hidden = [] } = readPaths(paths, { cwd, ignore })
  const linted = new Set(input.kustomizations.map(nameOf))
  const own = new Set([...documents.map(({ file }) => file.name), ...kustomizations.map(nameOf)])
  const all = [
    ...kustomizations.map((one) => ({
      ...one,
      ...(built.has(nameOf(one)) && { isBuilt: true as const }),
      // Other kustomizations may use it.
      ...(isComponent(one) && !linted.has(nameOf(one)) && { isEvidence: true as const }),
    })),
    ...input.kustomizations.filter((one) => !own.has(nameOf(one))),
  ]
  const listed = new Set(all.flatMap(({ resources }) => resources))
  const beside = input.documents.filter(({ file }) => listed.has(file.name) && !own.has(file.name))
  return {
    ...input,
    hidden: [...(input.hidden ?? []), ...hidden],
    unbuilt: { documents: [...documents, ...beside], kustomizations: all },
  }
}

function nameOf({ document }: Kustomization): string {
  return document.file.name
}

/** An ignored file may be a part of what is built, and is evidence then. A folder that is named although it is ignored is meant. */
function withoutIgnored(report: Report, ignore: readonly IgnorePatterns[], cwd: string): Report {
  const rules = ignore.map(configured)
  const rulesFor = (path: string) => [...rules, ...rulesAbove(path)]
  const isLeftOut = memo((path: string) => isIgnored(path, false, rulesFor(path)))
  const isMeant = memo((output: string) => {
    const folder = resolve(cwd, dirname(output))
    return isIgnored(folder, true, rulesFor(folder))
  })
  const left = new Set<string>()
  const findings = report.findings.filter((finding) => {
    const { file, built } = report.resource(finding)?.document ?? {}
    if (!file || !built || isMeant(file.name)) return true
    const { place } = finding
    const own = place.built?.near?.file ?? place.file
    if (!isLeftOut(resolve(cwd, own))) return true
    left.add(own)
    return false
  })
  if (left.size === 0) return report
  const { summary } = report
  const skipped = { ...summary.skipped, ignored: (summary.skipped.ignored ?? 0) + left.size }
  return withFindings({ ...report, summary: { ...summary, skipped } }, findings)
}

/** A shell puts all but the first match of a pattern behind `-k` in the place of paths. */
function strayFolders(paths: readonly string[], cwd: string): readonly string[] {
  const stray = paths.filter((path) => path !== '-' && kustomizationIn(resolve(cwd, path)) !== undefined)
  return stray.length === 0
    ? []
    : [
        `read file by file: ${stray.join(', ')}. To build them, too, repeat -k, or quote a pattern: -k 'overlays/*'`,
      ]
}

/** What a flag takes: a folder with a file in it. */
interface Buildable {
  readonly file: string
  readonly pattern: string
  readonly isIn: (path: string) => boolean
}

const kustomization: Buildable = {
  file: 'kustomization.yaml',
  pattern: `{${kustomizationNames.join(',')}}`,
  isIn: (path) => kustomizationIn(path) !== undefined,
}
const chart: Buildable = {
  file: 'Chart.yaml',
  pattern: 'Chart.yaml',
  isIn: (path) => existsSync(join(path, 'Chart.yaml')),
}

/**
 * The folders that a flag names, itself or by a pattern, each once.
 * @throws UsageError when there is nothing to build in one
 */
function foldersOf(
  flag: string,
  named: readonly string[] = [],
  what: Buildable,
  cwd: string,
): readonly string[] {
  const folders = named.flatMap((dir) => {
    const path = resolve(cwd, dir)
    const stats = statsAt(path)
    if (!stats) return matching(dir, what, cwd)
    if (!stats.isDirectory())
      throw new UsageError(`${flag} takes a folder with a ${what.file} in it: ${dir} is a file.`)
    if (!what.isIn(path))
      throw new UsageError(
        `there is no ${what.file} in ${dir === '.' ? 'this folder' : dir}. ${flag} takes the folder of one.`,
      )
    return [dir]
  })
  const paths = folders.map((dir) => resolve(cwd, dir))
  return folders.filter((_, i) => paths.indexOf(paths[i] ?? '') === i)
}

/** What a pattern matches. */
function matching(pattern: string, { pattern: file }: Buildable, cwd: string): readonly string[] {
  const found = find([`${pattern.replace(/\/$/, '')}/${file}`], { cwd, recursive: true, ignore: [] })
  if (found.files.length === 0) throw new UsageError(missingPath(pattern, cwd))
  return found.files.map(({ name }) => dirname(name))
}

/** The results of all, or why there is none; as many at a time as there are processors, for each is a process. */
async function all<R>(work: readonly (() => Promise<R>)[]): Promise<(R | UsageError)[]> {
  const results: (R | UsageError)[] = []
  let next = 0
  const worker = async () => {
    for (let i = next++; i < work.length; i = next++) {
      const result = await work[i]?.().catch((error: unknown) => {
        if (error instanceof UsageError) return error
        throw error
      })
      if (result) results[i] = result
    }
  }
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, worker))
  return results
}
