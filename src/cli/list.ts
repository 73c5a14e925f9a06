/** `k8s-af rules` and `k8s-af stories` */
import { loadRules, loadStories } from '../registry.js'
import { columns, leastRoom, wrap } from '../reporters/text.js'
import { terminalOf, write } from './streams.js'

/** What stands in the columns of rules. */
const legend = [
  ['error, warning, info', 'by default; some rules decide for each finding'],
  ['cluster', 'only scan and diagnose can decide it'],
  ['all', 'off unless asked for: --enable, --only, --preset all, or the configuration'],
  ['k8s-af explain <rule>', 'what it finds, how it decides, and when to ignore it'],
]

export interface ListFlags {
  readonly output: 'table' | 'name' | 'json'
}

/** Prints all rules. */
export async function rulesCommand({ output }: ListFlags): Promise<number> {
  const rules = [...(await loadRules())].map(([id, rule]) => ({
    id,
    title: rule.title,
    category: rule.category,
    severity: rule.severity,
    recommended: rule.recommended !== false,
    needs: rule.needs,
    params: rule.params,
    stories: rule.stories,
  }))
  print(output, rules, () => {
    const categories = [...new Set(rules.map(({ category }) => category))].sort()
    const lists = categories.map((category) => [
      [category],
      ...rules
        .filter((rule) => rule.category === category)
        .map(({ id, severity, recommended, needs, title }) => [
          `  ${id}`,
          severity,
          [...(needs ? ['cluster'] : []), ...(recommended ? [] : ['all'])].join(', '),
          title,
        ]),
    ])
    return [...tables(lists), '', ...tables([legend])]
  })
  return 0
}

/** Prints all stories, the latest first. */
export function storiesCommand({ output }: ListFlags): number {
  const stories = [...loadStories().values()].sort((a, b) => b.year - a.year || (a.id < b.id ? -1 : 1))
  print(output, stories, () =>
    tables([stories.map(({ id, org, year, title }) => [id, String(year), `${org}: ${title}`])]),
  )
  return 0
}

function print(
  output: ListFlags['output'],
  items: readonly { readonly id: string }[],
  lines: () => readonly string[],
): void {
  const text =
    output === 'json'
      ? JSON.stringify(items, undefined, 2)
      : output === 'name'
        ? items.map(({ id }) => id).join('\n')
        : lines().join('\n').trimStart()
  write(`${text}\n`)
}

type Row = readonly string[]

/**
 * Tables, an empty line between them. Columns are as wide as their widest cell; the last one is as long as it is, and
 * folded for people at a terminal. Where that leaves too little room for it in one of them, it stands below in all.
 */
function tables(lists: readonly (readonly Row[])[]): string[] {
  const { columns: width = Number.POSITIVE_INFINITY } = terminalOf('stdout')
  const isNarrow = lists.some((rows) => padded(rows).some((start) => width - columns(start) < leastRoom))
  return lists.flatMap((rows, i) => [
    ...(i > 0 ? [''] : []),
    ...(isNarrow ? rows.flatMap((row) => stacked(row, width)) : sideBySide(rows, width)),
  ])
}

function sideBySide(rows: readonly Row[], width: number): string[] {
  const before = padded(rows)
  return rows.flatMap((row, i) => {
    const start = before[i] ?? ''
    const indent = ' '.repeat(columns(start))
    return wrap(row.at(-1) ?? '', width - indent.length).map(
      (part, line) => `${line === 0 ? start : indent}${part}`,
    )
  })
}

/** All cells of each row but the last. A row with only one cell is a heading. */
function padded(rows: readonly Row[]): string[] {
  const cells = rows.map((row) => row.slice(0, -1))
  const widths = (cells.find(({ length }) => length > 0) ?? []).map((_, column) =>
    Math.max(...cells.map((row) => (row[column] ?? '').length)),
  )
  return cells.map((row) => row.map((cell, column) => `${cell.padEnd(widths[column] ?? 0)}  `).join(''))
}

function stacked(row: Row, width: number): string[] {
  if (row.length === 1) return [...row]
  const [name = '', ...facts] = row.slice(0, -1).filter((cell) => cell !== '')
  const margin = /^ */.exec(name)?.[0] ?? ''
  const below = (text: string) => wrap(text, width - margin.length - 2).map((line) => `${margin}  ${line}`)
  const head = [name, ...facts].join('  ')
  return [
    ...(columns(head) <= width ? [head] : [name, ...below(facts.join(', '))]),
    ...below(row.at(-1) ?? ''),
  ]
}
