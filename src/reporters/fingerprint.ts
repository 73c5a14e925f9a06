/** An identity of a finding that stays when lines move. */
import { createHash } from 'node:crypto'
import type { Finding } from '../finding.js'

/** From rule, object and field, not from lines; equal ones of a report are numbered in order. */
export function fingerprints(): (finding: Finding) => string {
  const seen = new Map<string, number>()
  return ({ rule, cluster, subject, place }) => {
    const text = JSON.stringify([
      rule,
      subject?.apiVersion,
      subject?.kind,
      subject?.namespace,
      subject?.name,
      place.path,
      place.file,
      ...(cluster === undefined ? [] : [cluster]),
    ])
    const number = (seen.get(text) ?? 0) + 1
    seen.set(text, number)
    return createHash('sha256').update(`${text}${number}`).digest('hex').slice(0, 32)
  }
}
