/** What helps with a report too long to be read in one go: the rules that fill it, and how to see less. */
import { type Finding, severities } from '../finding.js'
import { countBy, mostFirst } from '../values/group.js'
import { fitted } from './frame.js'
import type { Page } from './terminal.js'
import { columns, wrap, wrapParts } from './text.js'

/** Lines for the gravest ones: who has only the end of a report on the screen is to know all of them, where they are so few. */
const mostLines = 3

/** The rules by severity, the gravest first, a line each, or some for the gravest: the most frequent first. */
export function overview(findings: readonly Finding[], page: Page): string[] {
  const present = severities.filter((severity) => findings.some((one) => one.severity === severity))
  const longest = Math.max(...present.map(columns))
  const room = page.width - longest - 2
  return present.flatMap((severity, i) => {
    const own = findings.filter((one) => one.severity === severity)
    const names = mostFirst(countBy(own, ({ rule }) => rule)).map(([rule, number]) => `${rule} ${number}`)
    const gap = ' '.repeat(longest - columns(severity) + 2)
    const whole = wrapParts(withCommas(names), room, ' ')
    const lines = i === 0 && whole.length <= mostLines ? whole : [fitted('', names, room)]
    return lines.map((line, j) =>
      j === 0 ? `${page.severity[severity](severity)}${gap}${line}` : `${' '.repeat(longest + 2)}${line}`,
    )
  })
}

function withCommas(names: readonly string[]): readonly string[] {
  return names.map((name, i) => (i < names.length - 1 ? `${name},` : name))
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
