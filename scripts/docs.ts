/**
 * Writes docs/rules/ from the rules themselves: `npm run docs`; with --check it only compares and fails on a difference.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rulePage } from '../src/docs/explain.js'
import { loadExamples, loadRules, loadStories } from '../src/registry.js'
import type { Rule } from '../src/rule.js'

const folder = join(__dirname, '..', 'docs', 'rules')
const check = process.argv.includes('--check')

function table(rules: ReadonlyMap<string, Rule>): string {
  const rows = [...rules].map(([id, rule]) => {
    const preset = rule.for.length === 0 ? 'always' : rule.recommended === false ? 'all' : 'recommended'
    return `| [\`${id}\`](${id}.md) | ${rule.severity} | ${rule.category} | ${preset} | ${rule.title} |`
  })
  return `# Rules

Each page says what happens and why, how it is decided, what is exempt, and how to suppress it. \`k8s-af explain RULE\` shows the same.

| rule | severity | category | preset | the problem |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
`
}

async function main(): Promise<void> {
  const rules = await loadRules()
  const stories = loadStories()
  const pages = new Map([['README.md', table(rules)]])
  for (const [id, rule] of rules) {
    const told = rule.stories.flatMap((name) => stories.get(name) ?? [])
    pages.set(`${id}.md`, rulePage(id, rule, told, loadExamples(id)))
  }
  const present = existsSync(folder) ? readdirSync(folder) : []
  const stale = present.filter((name) => !pages.has(name))
  const different = [...pages].filter(
    ([name, text]) => !present.includes(name) || readFileSync(join(folder, name), 'utf8') !== text,
  )
  if (check) {
    for (const name of [...stale, ...different.map(([name]) => name)])
      console.error(`docs/rules/${name} is not current: run npm run docs`)
    process.exitCode = stale.length + different.length > 0 ? 1 : 0
    return
  }
  mkdirSync(folder, { recursive: true })
  for (const name of stale) rmSync(join(folder, name))
  for (const [name, text] of different) writeFileSync(join(folder, name), text)
  console.log(`${pages.size} pages, ${different.length} written, ${stale.length} removed`)
}

main()
