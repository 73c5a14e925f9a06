/** `k8s-af rules` and `k8s-af stories` */
import { loadRules, loadStories } from '../registry.js'
import { columns, wrap } from '../reporters/text.js'
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
    const list = categories.flatMap((category) => [
      '',
      category,
      ...table(
        rules
          .filter((rule) => rule.category === category)
          .map(({ id, severity, recommended, needs, title }) => [
            `  ${id}`,
            severity,
            [...(needs ? ['cluster'] : []), ...(recommended ? [] : ['all'])].join(', '),
            title,
          ]),
      ),
    ])
    return [...list, '', ...table(legend)]
  })
  return 0
}

export function storiesCommand({ output }: ListFlags): number {
  const stories = [...loadStories().values()].sort((a, b) => b.year - a.year || (a.id < b.id ? -1 : 1))
  print(output, stories, () =>
    table(stories.map(({ id, org, year, title }) => [id, String(year), `${org}: ${title}`])),
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

/** Columns as wide as their widest cell; the last one is as long as it is, and folded for people at a terminal. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  )
  const { columns: width = Number.POSITIVE_INFINITY } = terminalOf('stdout')
  return rows.flatMap((row) => {
    const before = row.slice(0, -1).map((cell, column) => `${cell.padEnd(widths[column] ?? 0)}  `)
    const indent = columns(before.join(''))
    return wrap(row.at(-1) ?? '', Math.max(20, width - indent)).map(
      (part, i) => `${i === 0 ? before.join('') : ' '.repeat(indent)}${part}`,
    )
  })
}
