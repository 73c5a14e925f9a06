/**
 * Finds the rules and stories of the repository: every `rules/<id>.ts` is a rule, every `rules/stories/<id>.yaml` a story.
 *
 * In the published bundle this module is replaced by one that the build writes (scripts/build.ts), with the rules
 * imported statically and the stories in a file of their own.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { load } from 'js-yaml'
import type { Example } from './docs/explain.js'
import type { Story } from './engine/report.js'
import type { Rule } from './rule.js'

const root = join(__dirname, '..')

/** All rules by id, in alphabetical order. */
export async function loadRules(): Promise<ReadonlyMap<string, Rule>> {
  const rules = new Map<string, Rule>()
  const names = readdirSync(join(root, 'rules'))
    .filter((name) => name.endsWith('.ts'))
    .sort()
  for (const name of names) {
    const file = pathToFileURL(join(root, 'rules', name)).href
    const module = (await import(/* @vite-ignore */ file)) as { default: Rule | { default: Rule } }
    rules.set(name.slice(0, -3), 'check' in module.default ? module.default : module.default.default)
  }
  return rules
}

/** All stories by id, in alphabetical order. Read synchronously, and only by those who show stories. */
export function loadStories(): ReadonlyMap<string, Story> {
  const folder = join(root, 'rules', 'stories')
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .sort()
  return new Map(
    names.map((name) => {
      const id = name.slice(0, -5)
      return [id, { id, ...(load(readFileSync(join(folder, name), 'utf8')) as Omit<Story, 'id'>) }]
    }),
  )
}

/** The same for those who look up a few. */
export const findStories: () => Pick<ReadonlyMap<string, Story>, 'get'> = loadStories

/** The texts of a rule's fixtures, for its page. */
export function loadExamples(id: string): Example {
  const read = (name: string) => {
    const file = join(root, 'fixtures', id, `${name}.yaml`)
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined
  }
  return { bad: read('bad'), good: read('good') }
}
