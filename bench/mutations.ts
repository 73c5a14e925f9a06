/**
 * Measures what the fixtures of the rules notice: makes one small fault after another in the source of a rule (a guard that is
 * always or never taken, one side of `&&` or `||` left out, `<` for `<=`, no filter), and looks whether any fixture is told something else
 * than its findings.txt says. What none of them notices is an exemption without an edge case, a condition that never matters, or the
 * same program.
 *
 *     npm run mutations                     all rules, a table: ten minutes
 *     npm run mutations -- --rule RULE      this rule alone, and each fault that nothing notices: a few seconds
 */
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, posix } from 'node:path'
import { parseArgs } from 'node:util'
import { compileFunction } from 'node:vm'
import { transformSync } from 'esbuild'
import type { Rule } from '../src/rule.js'
import { textOf } from '../tests/findings-text.js'
import { lintFixture } from '../tests/fixture.js'
import { allRules, root } from '../tests/harness.js'
import { type Mutant, mutantsOf, withMutant } from './mutations/mutants.js'

const { values: flags } = parseArgs({ options: { rule: { type: 'string', multiple: true } } })

interface Outcome {
  readonly id: string
  readonly mutants: number
  readonly unnoticed: readonly Mutant[]
}

async function main(): Promise<void> {
  const begun = performance.now()
  const rules = [...(await allRules())].filter(
    ([id, rule]) => rule.for.length > 0 && (flags.rule?.includes(id) ?? true),
  )
  const outcomes: Outcome[] = []
  console.log('| rule | faults | not noticed |\n| --- | --- | --- |')
  for (const [id] of rules) {
    const outcome = await tryRule(id)
    outcomes.push(outcome)
    console.log(`| ${id} | ${outcome.mutants} | ${outcome.unnoticed.length} |`)
  }
  const all = outcomes.reduce((sum, { mutants }) => sum + mutants, 0)
  const unnoticed = outcomes.flatMap((one) => one.unnoticed)
  if (flags.rule)
    for (const { id, unnoticed } of outcomes)
      for (const { line, kind, from, to } of unnoticed)
        console.log(`rules/${id}.ts:${line} ${kind}: ${shown(from)} → ${shown(to)}`)
  const share = ((1 - unnoticed.length / all) * 100).toFixed(1)
  const seconds = ((performance.now() - begun) / 1000).toFixed(0)
  console.log(`\n${all} faults in ${outcomes.length} rules, ${share} % of them noticed, ${seconds} s`)
}

async function tryRule(id: string): Promise<Outcome> {
  const file = join(root, 'rules', `${id}.ts`)
  const source = readFileSync(file, 'utf8')
  const fixtures = readdirSync(join(root, 'fixtures', id))
    .filter((name) => /\.(ya?ml|json)$/.test(name))
    .map((name) => posix.join('fixtures', id, name))
  const sound = await Promise.all(fixtures.map((fixture) => toldOf(fixture, id, ruleFrom(source, file))))
  const unnoticed: Mutant[] = []
  const mutants = await mutantsOf(source)
  for (const mutant of mutants) {
    const rule = ruleFrom(withMutant(source, mutant), file)
    if (!(await isNoticed(rule, id, fixtures, sound))) unnoticed.push(mutant)
  }
  return { id, mutants: mutants.length, unnoticed }
}

async function isNoticed(
  rule: Rule,
  id: string,
  fixtures: readonly string[],
  sound: readonly string[],
): Promise<boolean> {
  for (const [i, fixture] of fixtures.entries())
    if ((await toldOf(fixture, id, rule)) !== sound[i]) return true
  return false
}

/** What a fixture is told; a rule that ends with an error says that. */
async function toldOf(fixture: string, id: string, rule: Rule): Promise<string> {
  try {
    const { findings, failures } = await lintFixture(fixture, id, rule)
    return failures.length > 0 ? 'failure' : textOf(findings, fixture)
  } catch {
    // What a finding says may fail where it is shown, and what is asked once for all objects where nobody expects it.
    return 'failure'
  }
}

/** The rule that this text of its file exports. */
function ruleFrom(source: string, file: string): Rule {
  const { code } = transformSync(source, { loader: 'ts', format: 'cjs', target: 'node20' })
  const module: { exports: { default?: Rule } } = { exports: {} }
  compileFunction(code, ['require', 'module', 'exports'], { filename: file })(
    createRequire(file),
    module,
    module.exports,
  )
  if (!module.exports.default) throw new Error(`${file} exports no rule`)
  return module.exports.default
}

function shown(text: string): string {
  const line = text.replace(/\s+/g, ' ')
  return line.length > 100 ? `${line.slice(0, 99)}…` : line
}

main()
