/** The tables in which the kernels of nodes track connections, where node-exporter was asked about them. */
import { grouped } from '../values/enumerate.js'
import { mostFirst } from '../values/group.js'
import type { Live } from './live.js'

/** Entries in use. Source: prometheus/node_exporter, collector/conntrack_linux.go. */
export const conntrackEntries = 'node_nf_conntrack_entries'
/** Entries that there may be: nf_conntrack_max. */
export const conntrackLimit = 'node_nf_conntrack_entries_limit'

/** Entries that made room for others since boot: the table was full. Source: linux/net/netfilter/nf_conntrack_core.c (early_drop). */
export const conntrackEarlyDrops = 'node_nf_conntrack_stat_early_drop'
/** Entries since boot whose place was taken: the packet is dropped, unless the kernel can merge the two. */
export const conntrackClashes = 'node_nf_conntrack_stat_insert_failed'

/** The table of one node. */
export interface ConnectionTable {
  readonly entries: number
  readonly limit: number
  /** Entries that had to make room for others since boot. */
  readonly pushedOut: number
}

/** Those that are known, by node. */
export function connectionTables(live: Live): ReadonlyMap<string, ConnectionTable> {
  const limits = byNode(live, conntrackLimit)
  const pushedOut = byNode(live, conntrackEarlyDrops)
  const tables = new Map<string, ConnectionTable>()
  for (const [node, entries] of byNode(live, conntrackEntries)) {
    const limit = limits.get(node)
    if (limit !== undefined) tables.set(node, { entries, limit, pushedOut: pushedOut.get(node) ?? 0 })
  }
  return tables
}

/** Clashes since boot that nobody notices: some are ordinary. */
const fewClashes = 100

/**
 * A line for each node where many new connections found their place in the table taken, the most first.
 * @param isAsked the nodes that matter; all of them when absent
 */
export function connectionClashes(
  live: Live,
  isAsked: (node: string) => boolean = () => true,
): readonly string[] {
  return mostFirst(byNode(live, conntrackClashes))
    .filter(([node, count]) => count >= fewClashes && isAsked(node))
    .map(([node, count]) => `node ${node}: ${grouped(count)} failed insertions into the table since boot`)
}

function byNode(live: Live, metric: string): ReadonlyMap<string, number> {
  return new Map(
    live
      .samplesOf(metric)
      .flatMap(({ labels: { node }, value }) => (node === undefined ? [] : [[node, value]])),
  )
}
