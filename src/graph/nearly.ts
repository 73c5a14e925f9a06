/** The workloads that a selector may have missed by a slip, found without a look at each of them. */
import { push } from '../values/group.js'
import { editDistance, stemOf } from '../values/similar.js'
import { stringAt } from '../values/untyped.js'
import type { Workload } from './workload.js'

/** Lists up to here are looked through as they are: in nearly every namespace. */
const few = 64

/** The edits that a slip has at most. */
const mostEdits = 2

/** A value that a label has in a list of workloads. */
interface Value {
  readonly text: string
  readonly letters: number
  readonly stem: string
  readonly workloads: Workload[]
}

interface Index {
  readonly order: ReadonlyMap<Workload, number>
  /** By label and value, of the pods and of the workload itself. */
  readonly byPair: ReadonlyMap<string, readonly Workload[]>
  /** By what is the value of any label of the pods. */
  readonly byText: ReadonlyMap<string, readonly Workload[]>
  /** By the workload's name and by the Service of a StatefulSet. */
  readonly byName: ReadonlyMap<string, readonly Workload[]>
  /** The values of each label of the pods. */
  readonly values: ReadonlyMap<string, ReadonlyMap<string, Value>>
}

const indexes = new WeakMap<readonly Workload[], Index>()

/**
 * Those of the workloads, in their order, to which a selector may come near: all pairs that it asks for are labels of the pods but one that
 * is spelt otherwise, or whose value another label has; all are labels of the workload itself; or they are called like the object
 * with the selector. Others may be among them.
 * @param workloads a list that is asked about again and again: that of a namespace
 */
export function nearlyMatching(
  workloads: readonly Workload[],
  pairs: readonly (readonly [key: string, value: string])[],
  name?: string,
): readonly Workload[] {
  if (workloads.length <= few) return workloads
  const index = indexes.get(workloads) ?? indexOf(workloads)
  indexes.set(workloads, index)
  const having = ([key, value]: readonly [string, string]) => index.byPair.get(pairOf(key, value)) ?? []
  let [rarest] = pairs
  if (!rarest) return []
  // Either this pair is right, or it is the one that is not.
  for (const pair of pairs) if (having(pair).length < having(rarest).length) rarest = pair
  const [key, value] = rarest
  const found = new Set([
    ...having(rarest),
    ...near(value, index.values.get(key)),
    ...((pairs.length === 1 && index.byText.get(value)) || []),
    ...((name !== undefined && index.byName.get(name)) || []),
  ])
  return [...found].sort((a, b) => (index.order.get(a) ?? 0) - (index.order.get(b) ?? 0))
}

function pairOf(key: string, value: string): string {
  return `${key}\n${value}`
}

function indexOf(workloads: readonly Workload[]): Index {
  const byPair = new Map<string, Workload[]>()
  const byText = new Map<string, Workload[]>()
  const byName = new Map<string, Workload[]>()
  const values = new Map<string, Map<string, Value>>()
  for (const workload of workloads) {
    const { labels, object } = workload
    for (const [key, text] of Object.entries(labels)) {
      push(byPair, pairOf(key, text), workload)
      push(byText, text, workload)
      const ofKey = values.get(key) ?? new Map<string, Value>()
      values.set(key, ofKey)
      const value = ofKey.get(text) ?? { text, letters: lettersIn(text), stem: stemOf(text), workloads: [] }
      ofKey.set(text, value)
      value.workloads.push(workload)
    }
    for (const [key, text] of Object.entries(object.metadata?.labels ?? {}))
      push(byPair, pairOf(key, text), workload)
    push(byName, object.metadata?.name ?? '', workload)
    const governing = stringAt(object, 'spec', 'serviceName')
    if (governing !== undefined) push(byName, governing, workload)
  }
  return { order: new Map(workloads.map((one, i) => [one, i])), byPair, byText, byName, values }
}

/** The workloads with a value that is a slip of the text. Members of a series are none of each other. */
function near(text: string, values: ReadonlyMap<string, Value> | undefined): Workload[] {
  const [letters, stem, lower] = [lettersIn(text), stemOf(text), text.toLowerCase()]
  const found: Workload[] = []
  for (const one of values?.values() ?? []) {
    // There may be thousands: an edit takes away one letter at most, and adds one.
    if (Math.abs(one.text.length - text.length) > mostEdits) continue
    if (onesIn(one.letters ^ letters) > 2 * mostEdits || one.stem === stem) continue
    if (one.text.toLowerCase() === lower || editDistance(one.text, text, mostEdits) <= mostEdits)
      found.push(...one.workloads)
  }
  return found
}

/** The letters and digits that a text has, a bit for each, whatever their case. */
function lettersIn(text: string): number {
  let bits = 0
  for (let i = 0; i < text.length; i++) bits |= 1 << (text.charCodeAt(i) & 31)
  return bits
}

/** How many bits are set. */
function onesIn(bits: number): number {
  let ones = 0
  for (let rest = bits; rest !== 0; rest &= rest - 1) ones++
  return ones
}
