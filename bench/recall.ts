/**
 * Measures what the rules miss: writes failures into the objects of a folder, one at a time for each folder of files, and
 * looks whether the rule finds each where it is. Prints a table by rule.
 *
 *     npm run recall                              the corpus next to the repository, if there is one, else the fixtures
 *     npm run recall -- --corpus DIR
 *     npm run recall -- --most 100                into how many objects each failure is written (default 25), one of a folder
 *     npm run recall -- --rule RULE               this rule alone, and each object of which it says nothing
 *     npm run recall -- --missed                  the same of all rules
 *     npm run recall -- --besides                 what else the failures bring about
 */
import { parseArgs } from 'node:util'
import { groupBy } from '../src/values/group.js'
import { allRules } from '../tests/harness.js'
import { corpusAt } from './corpus.js'
import { behaviourInjections } from './recall/behaviour.js'
import type { Injection } from './recall/manifest.js'
import { Bench, type Outcome, placeOf, units } from './recall/run.js'
import { schemaInjections } from './recall/schema.js'
import { silence } from './recall/silence.js'

const { values: flags } = parseArgs({
  options: {
    corpus: { type: 'string' },
    rule: { type: 'string', multiple: true },
    most: { type: 'string', default: '25' },
    besides: { type: 'boolean', default: false },
    missed: { type: 'boolean', default: false },
  },
})
const corpus = corpusAt(flags.corpus)

const answers = ['found', 'unsaid', 'other', 'asked', 'silent'] as const

async function main(): Promise<void> {
  const begun = performance.now()
  const rules = await allRules()
  const injections = [...schemaInjections, ...behaviourInjections].filter(
    ({ rule }) => flags.rule === undefined || flags.rule.includes(rule),
  )
  const bench = new Bench(rules, injections)
  const outcomes = bench.run(units(corpus, 150), Number(flags.most))
  table(injections, outcomes)
  if (flags.missed || flags.rule) {
    byFailure(injections, outcomes)
    missed(outcomes)
  }
  if (flags.besides) besides(outcomes)
  for (const [what, error] of bench.failures) console.log(`CRASH ${what}: ${error}`)
  console.log(
    `\n${injections.length} failures of ${new Set(injections.map(({ rule }) => rule)).size} rules, ${outcomes.length} injections, ${bench.lints} lints, ${((performance.now() - begun) / 1000).toFixed(0)} s`,
  )
}

/** By rule, in Markdown. */
function table(injections: readonly Injection[], outcomes: readonly Outcome[]): void {
  console.log('| rule | failures | written | found | by another rule | where asked for | silent | why |')
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- |')
  for (const [rule, own] of groupBy(injections, (one) => one.rule)) {
    const all = outcomes.filter(({ injection }) => injection.rule === rule)
    if (all.length === 0) continue
    const [found, unsaid, ...others] = answers.map(
      (answer) => all.filter((one) => one.answer === answer).length,
    )
    const told = (found ?? 0) + (unsaid ?? 0)
    const why = told < all.length || unsaid ? (silence[rule] ?? '?') : ''
    console.log(`| ${[rule, own.length, all.length, told, ...others, why].join(' | ')} |`)
  }
}

function byFailure(injections: readonly Injection[], outcomes: readonly Outcome[]): void {
  console.log(`\n${['rule', 'failure', 'written', ...answers].join('\t')}`)
  for (const injection of injections) {
    const own = outcomes.filter((one) => one.injection === injection)
    const counts = answers.map((answer) => own.filter((one) => one.answer === answer).length || '')
    console.log([injection.rule, injection.what, own.length, ...counts].join('\t'))
  }
}

function missed(outcomes: readonly Outcome[]): void {
  for (const { injection, subject, answer, said } of outcomes) {
    if (answer === 'found') continue
    const words = said.map(({ rule, message }) => `${rule}: ${message}`).join(' | ')
    console.log(`\n${answer}: ${injection.rule}, ${injection.what}\n  ${placeOf(subject)}\n  ${words}`)
  }
}

function besides(outcomes: readonly Outcome[]): void {
  const counts = new Map<string, { count: number; sample: string }>()
  for (const { injection, subject, besides } of outcomes)
    for (const { rule, message, place } of besides) {
      const id = `${injection.rule}, ${injection.what} -> ${rule}`
      const before = counts.get(id)
      counts.set(id, {
        count: (before?.count ?? 0) + 1,
        sample: before?.sample ?? `${placeOf(subject)} => ${place.file} ${place.path}: ${message}`,
      })
    }
  for (const [id, { count, sample }] of [...counts].sort(([, a], [, b]) => b.count - a.count))
    console.log(`${count}\t${id}\n\t\t${sample}`)
}

main()
