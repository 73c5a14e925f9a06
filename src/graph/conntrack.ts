/** How full the tables are in which the kernels of nodes track connections, where node-exporter was asked. */
import type { Live } from './live.js'

/** Entries in use. Source: prometheus/node_exporter, collector/conntrack_linux.go. */
export const conntrackEntries = 'node_nf_conntrack_entries'
/** Entries that there may be: nf_conntrack_max. */
export const conntrackLimit = 'node_nf_conntrack_entries_limit'

/** The table of one node. */
export interface ConnectionTable {
  readonly node: string
  readonly entries: number
  readonly limit: number
}

/** Those that are known, the fullest first. */
export function connectionTables(live: Live): readonly ConnectionTable[] {
  const limits = new Map(
    live.samplesOf(conntrackLimit).map(({ labels, value }) => [labels.node, value] as const),
  )
  return live
    .samplesOf(conntrackEntries)
    .flatMap(({ labels: { node }, value: entries }) => {
      const limit = limits.get(node)
      return node === undefined || limit === undefined ? [] : [{ node, entries, limit }]
    })
    .sort((a, b) => b.entries / b.limit - a.entries / a.limit || (a.node < b.node ? -1 : 1))
}
