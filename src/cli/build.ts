/** `lint -k` and `lint --helm`: what the user's own tools make, as a part of the input. */
import { existsSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { type HelmRun, helm } from '../built/helm.js'
import { kustomizationIn, kustomize } from '../built/kustomize.js'
import type { BuiltInput } from '../built/output.js'
import { type Sources, sourcesFrom } from '../built/sources.js'
import { UsageError } from '../config/usage.js'
import type { Input } from '../reader/input.js'
import { interruptible } from './interrupt.js'
import { missingPath } from './paths.js'

export interface BuildFlags {
  readonly kustomize?: readonly string[]
  readonly kustomizeArg?: readonly string[]
  readonly helm?: readonly string[]
  readonly helmValues?: readonly string[]
  readonly helmArg?: readonly string[]
}

/** What was built. */
export interface Builds {
  /** The input with it. */
  within(input: Input): Input
  /** Absolute paths of the files whose objects are in there. */
  readonly sources: ReadonlySet<string>
  /** The absolute paths of the files that say how an output was made, without those that hold other objects of it. */
  madeOf(output: string): Iterable<string>
}

/** Builds everything that the flags name, several at a time. */
export async function builds(
  flags: BuildFlags,
  release: Pick<HelmRun, 'namespace' | 'kubernetesVersion'>,
  cwd: string,
): Promise<Builds> {
  const { helmValues: values = [], kustomizeArg = [], helmArg = [] } = flags
  const sources = sourcesFrom(cwd)
  const folders = unique(flags.kustomize).map((dir) => folderOf('-k', dir, isKustomized, cwd))
  const charts = unique(flags.helm).map((dir) => folderOf('--helm', dir, isChart, cwd))
  const missing = values.filter((file) => !existsSync(resolve(cwd, file)))
  if (missing.length > 0) throw new UsageError(...missing.map((file) => missingPath(file, cwd)))
  const parts = await interruptible((signal) => {
    const run = { cwd, sources, signal }
    return some([
      ...folders.map((dir) => () => kustomize(dir, { ...run, args: kustomizeArg })),
      ...charts.map((dir) => () => helm(dir, { ...run, ...release, args: helmArg, values })),
    ])
  })
  return {
    within: (input) => withBuilt(input, parts, sources),
    sources: sources.built(),
    madeOf: (output) => {
      const files = parts.find(({ name }) => name === output)?.files ?? []
      return [...files].filter((file) => !sources.built().has(file))
    },
  }
}

function withBuilt(input: Input, parts: readonly BuiltInput[], sources: Sources): Input {
  const linted = new Set(input.documents.map(({ file }) => file.name))
  return {
    ...input,
    documents: [...input.documents, ...parts.flatMap(({ documents }) => documents)],
    problems: [...input.problems, ...parts.flatMap(({ problems }) => problems)],
    hidden: [...(input.hidden ?? []), ...parts.flatMap(({ hidden }) => hidden)],
    broken: [...(input.broken ?? []), ...parts.flatMap(({ broken }) => broken)],
    builds: parts.length,
    sources: sources.all().filter(({ file }) => !linted.has(file.name)),
  }
}

function unique(names: readonly string[] = []): readonly string[] {
  return [...new Set(names)]
}

const isKustomized = {
  file: 'kustomization.yaml',
  isIn: (path: string) => kustomizationIn(path) !== undefined,
}
const isChart = { file: 'Chart.yaml', isIn: (path: string) => existsSync(join(path, 'Chart.yaml')) }

/** @throws UsageError when there is nothing to build in it */
function folderOf(flag: string, dir: string, { file, isIn }: typeof isChart, cwd: string): string {
  const path = resolve(cwd, dir)
  const stats = statSync(path, { throwIfNoEntry: false })
  if (!stats) throw new UsageError(missingPath(dir, cwd))
  if (!stats.isDirectory())
    throw new UsageError(`${flag} takes a folder with a ${file} in it: ${dir} is a file.`)
  if (!isIn(path)) throw new UsageError(`there is no ${file} in ${dir}. ${flag} takes the folder of one.`)
  return dir
}

/** As many at a time as there are processors: each is a process. */
async function some<R>(work: readonly (() => Promise<R>)[]): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const worker = async () => {
    for (let i = next++; i < work.length; i = next++) {
      const result = await work[i]?.()
      if (result) results[i] = result
    }
  }
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, worker))
  return results
}
