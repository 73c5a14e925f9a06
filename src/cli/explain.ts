/** `k8s-af explain` */
import { UsageError } from '../config/usage.js'
import { rulePage, storyPage } from '../docs/explain.js'
import { loadExamples, loadRules, loadStories } from '../registry.js'
import { lookOf } from '../reporters/look.js'
import type { Rule } from '../rule.js'
import { didYouMean } from '../values/similar.js'
import { terminalOf, write } from './streams.js'

export interface ExplainFlags {
  readonly output: 'text' | 'markdown' | 'json'
}

/** Prints the page of a rule or a story. */
export async function explainCommand(name: string, { output }: ExplainFlags): Promise<number> {
  const rules = await loadRules()
  const stories = loadStories()
  const rule = rules.get(name)
  const story = stories.get(name)
  if (!rule && !story) throw unknown(name, rules, stories.keys())
  if (output === 'json') {
    write(`${JSON.stringify(rule ? { id: name, ...rule } : story, undefined, 2)}\n`)
    return 0
  }
  const told = (rule?.stories ?? []).flatMap((id) => stories.get(id) ?? [])
  const page = rule ? rulePage(name, rule, told, loadExamples(name)) : story ? storyPage(story, rules) : ''
  if (output === 'markdown') {
    write(page)
    return 0
  }
  const { forTerminal } = await import('../docs/terminal.js')
  write(forTerminal(page, lookOf(terminalOf('stdout'), process.env)))
  return 0
}

function unknown(name: string, rules: ReadonlyMap<string, Rule>, stories: Iterable<string>): UsageError {
  const isCategory = [...rules.values()].some(({ category }) => category === name)
  const meant = didYouMean(name, [...rules.keys(), ...stories])
  return new UsageError(
    isCategory
      ? `${name} is a category. k8s-af rules lists its rules.`
      : `there is no rule or story ${JSON.stringify(name)}. ${meant || 'k8s-af rules and k8s-af stories list them.'}`,
  )
}
