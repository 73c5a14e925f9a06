/**
 * Writes docs/rules/ from the rules themselves, and the role in deploy/: `npm run docs`; with --check it only compares and fails on
 * a difference.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { scannedKinds } from '../src/cluster/kinds.js'
import { role } from '../src/cluster/role.js'
import { rulePage } from '../src/docs/explain.js'
import { flagsOf, mendedBy } from '../src/docs/mended.js'
import { loadExamples, loadRules, loadStories } from '../src/registry.js'
import type { Rule } from '../src/rule.js'

const root = join(__dirname, '..')
const folder = 'docs/rules'
const check = process.argv.includes('--check')

function table(rules: ReadonlyMap<string, Rule>): string {
  const rows = [...rules].map(([id, rule]) => {
    const preset = rule.for.length === 0 ? 'always' : rule.recommended === false ? 'all' : 'recommended'
    const { bad } = loadExamples(id)
    const flags = flagsOf(bad ? mendedBy(id, rule, bad).fixes : []).map((flag) => `\`${flag}\``)
    return `| [\`${id}\`](${id}.md) | ${rule.severity} | ${rule.category} | ${preset} | ${flags.join(' ')} | ${rule.title} |`
  })
  return `# Rules

Each page says what happens and why, how it is decided, what is exempt, and how to suppress it. \`k8s-af explain RULE\` shows the same.

| rule | severity | category | preset | what makes the change | the problem |
| --- | --- | --- | --- | --- | --- |
${rows.join('\n')}
`
}

async function main(): Promise<void> {
  const rules = await loadRules()
  const stories = loadStories()
  const pages = new Map([
    [`${folder}/README.md`, table(rules)],
    ['deploy/clusterrole.yaml', role(scannedKinds([]), undefined)],
  ])
  for (const [id, rule] of rules) {
    const told = rule.stories.flatMap((name) => stories.get(name) ?? [])
    pages.set(`${folder}/${id}.md`, rulePage(id, rule, told, loadExamples(id)))
  }
  mkdirSync(join(root, folder), { recursive: true })
  const stale = readdirSync(join(root, folder))
    .map((name) => `${folder}/${name}`)
    .filter((name) => !pages.has(name))
  const different = [...pages].filter(
    ([name, text]) => !existsSync(join(root, name)) || readFileSync(join(root, name), 'utf8') !== text,
  )
  if (check) {
    for (const name of [...stale, ...different.map(([name]) => name)])
      console.error(`${name} is not current: run npm run docs`)
    process.exitCode = stale.length + different.length > 0 ? 1 : 0
    return
  }
  for (const name of stale) rmSync(join(root, name))
  for (const [name, text] of different) writeFileSync(join(root, name), text)
  console.log(`${pages.size} pages, ${different.length} written, ${stale.length} removed`)
}

main()
