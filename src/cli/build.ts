/** `lint -k` and `lint --helm`: what the user's own tools make, as a part of the input. */
import { statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { kustomizationIn, kustomize } from '../built/kustomize.js'
import { type Sources, sourcesFrom } from '../built/sources.js'
import { UsageError } from '../config/usage.js'
import type { Input } from '../reader/input.js'
import { interruptible } from './interrupt.js'
import { missingPath } from './paths.js'

export interface BuildFlags {
  readonly kustomize?: readonly string[]
  readonly kustomizeArg?: readonly string[]
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
export async function builds(flags: BuildFlags, cwd: string): Promise<Builds> {
  const sources = sourcesFrom(cwd)
  const folders = [...new Set((flags.kustomize ?? []).map((dir) => checked(dir, cwd)))]
  const parts = await interruptible((signal) =>
    some(folders, (dir) => kustomize(dir, { cwd, args: flags.kustomizeArg ?? [], sources, signal })),
  )
  return {
    within: (input) => withBuilt(input, parts, sources),
    sources: sources.built(),
    madeOf: (output) => {
      const files = parts.find(({ name }) => name === output)?.files ?? []
      return [...files].filter((file) => !sources.built().has(file))
    },
  }
}

type Part = Awaited<ReturnType<typeof kustomize>>

function withBuilt(input: Input, parts: readonly Part[], sources: Sources): Input {
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

/** @throws UsageError when there is no kustomization to build */
function checked(dir: string, cwd: string): string {
  const path = resolve(cwd, dir)
  const stats = statSync(path, { throwIfNoEntry: false })
  if (!stats) throw new UsageError(missingPath(dir, cwd))
  if (!stats.isDirectory())
    throw new UsageError(`-k takes a folder with a kustomization in it: ${dir} is a file.`)
  if (kustomizationIn(path) === undefined)
    throw new UsageError(`there is no kustomization.yaml in ${dir}. Name the folder of one.`)
  return dir
}

/** As many at a time as there are processors: each build is a process. */
async function some<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i] as T)
  }
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, worker))
  return results
}
