/** What helps with a report too long to be read in one go: the rules that fill it, and how to see less. */
import { type Finding, severities } from '../finding.js'
import { countBy, mostFirst } from '../values/group.js'
import { fitted } from './frame.js'
import type { Page } from './terminal.js'
import { columns, wrap } from './text.js'

/** The rules by severity, a line each: the gravest first, and in a line the most frequent. */
export function overview(findings: readonly Finding[], page: Page): string[] {
  const present = severities.filter((severity) => findings.some((one) => one.severity === severity))
  const longest = Math.max(...present.map(columns))
  return present.map((severity) => {
    const own = findings.filter((one) => one.severity === severity)
    const names = mostFirst(countBy(own, ({ rule }) => rule)).map(([rule, number]) => `${rule} ${number}`)
    const gap = ' '.repeat(longest - columns(severity) + 2)
    return `${page.severity[severity](severity)}${gap}${fitted('', names, page.width - longest - 2)}`
  })
}

/** Flags that make a report shorter, as lines. */
export function remedies(
  findings: readonly Finding[],
  hasBaseline: boolean,
  { width, paint }: Page,
): string[] {
  if (findings.length === 0) return []
  const least = severities.findLast((severity) => findings.some((one) => one.severity === severity))
  const above = severities.slice(0, severities.indexOf(least ?? 'error'))
  const next = above.findLast((severity) => findings.some((one) => one.severity === severity))
  const ways = [
    ...(next ? [`--min-severity ${next}`] : []),
    ...(hasBaseline ? [] : ['a baseline first: --write-baseline FILE']),
  ]
  return ways.length === 0
    ? []
    : wrap(`For less: ${ways.join(', or ')}`, width).map((line) => paint.dim(line))
}
