/** Compares what the server says about many objects with what our rules say, and counts. */
import { groupBy } from '../../src/values/group.js'
import type { Mapping } from './mapping.js'
import type { Mutant } from './mutations.js'
import type { Create } from './resources.js'
import { serverVerdict } from './verdicts.js'

export interface Comparison {
  readonly accepted: readonly Mapping[]
  readonly refused: number
  readonly undecided: number
  /** What the server accepts and our rules call an error. */
  readonly wrong: readonly string[]
  /** What the server refuses and our rules take for right. */
  readonly missed: readonly Miss[]
  /** What the server warns of and accepts. */
  readonly warned: readonly (Mutant & { readonly warnings: string })[]
}

export interface Miss {
  readonly what: string
  /** The server's reason. */
  readonly message: string
}

/** Objects are compared in their order, some at the same time; the outcome does not depend on which is faster. */
export async function compare(
  mutants: Iterable<Mutant>,
  create: Create,
  errorsOf: (object: Mapping) => readonly string[],
): Promise<Comparison> {
  const all = [...mutants]
  const outcomes = await inParallel(all, async ({ object, what }) => ({
    object,
    what,
    errors: errorsOf(object),
    ...(await serverVerdict(create, object)),
  }))
  const refused = outcomes.filter((one) => one.outcome === 'refused')
  const accepted = outcomes.filter((one) => one.outcome === 'accepted')
  return {
    accepted: accepted.map((one) => one.object),
    refused: refused.length,
    undecided: outcomes.length - refused.length - accepted.length,
    wrong: accepted.flatMap(({ what, errors }) =>
      errors.length > 0 ? [`${what}\n    ${errors.join('\n    ')}`] : [],
    ),
    missed: refused.filter((one) => one.errors.length === 0).map(({ what, message }) => ({ what, message })),
    warned: accepted.filter((one) => one.warnings !== ''),
  }
}

/** The share of the refused objects that our rules find an error in; 1 when none is refused. */
export function shareFound({ refused, missed }: Comparison): number {
  return refused === 0 ? 1 : 1 - missed.length / refused
}

/** One line with the figures. */
export function summary(name: string, comparison: Comparison): string {
  const { accepted, wrong, refused, missed, undecided } = comparison
  return (
    `${name}: ${accepted.length} accepted, ${wrong.length} of them with an error here; ` +
    `${refused} refused, ${refused - missed.length} of them with an error here ` +
    `(${(shareFound(comparison) * 100).toFixed(1)} %); ${undecided} left out`
  )
}

/** The misses by the server's reason without names, values and places; the most frequent reason first. */
export function causes(missed: readonly Miss[]): string[] {
  return [...groupBy(missed, ({ message }) => causeOf(message))]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([cause, misses]) => {
      const examples = [...new Set(misses.map((miss) => miss.what))].slice(0, 3)
      return `${String(misses.length).padStart(4)}  ${cause}\n        ${examples.join('; ')}`
    })
}

function causeOf(message: string): string {
  return message
    .replace(/^.*? is invalid: /s, '')
    .replace(/"(?:[^"\\]|\\.)*"/g, '"…"')
    .replace(/\[\d+\]/g, '[]')
    .replace(/^\[?[\w.[\]…"/-]+: /, '')
    .slice(0, 120)
}

async function inParallel<T, U>(items: readonly T[], work: (item: T) => Promise<U>): Promise<U[]> {
  const done: U[] = []
  let next = 0
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) {
      const item = items[i]
      if (item !== undefined) done[i] = await work(item)
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  return done
}
