/** What an API server and our rules say about the same objects. */
import type { Document } from '../../src/document.js'
import { lint } from '../../src/engine/lint.js'
import { readPaths } from '../../src/reader/read.js'
import { loadStories } from '../../src/registry.js'
import { active, allRules, root, settings } from '../harness.js'
import { isMapping, type Mapping } from './mapping.js'
import type { Create } from './resources.js'

export interface Verdict {
  /** `undecided`: the server misses something else (an account, a class, a namespace), or does not know the kind. */
  readonly outcome: 'accepted' | 'refused' | 'undecided'
  readonly message: string
  /** What the server warns of all the same. */
  readonly warnings: string
}

/** Asks the server to create an object in the namespace `default`, an Event in its own, without storing it. */
export async function serverVerdict(create: Create, object: Mapping): Promise<Verdict> {
  const answer = await create(inDefault(object), '?dryRun=All&fieldValidation=Strict').catch(hungUp)
  if (answer instanceof Error) return { outcome: 'undecided', message: answer.message, warnings: '' }
  const message = String(answer?.json.message ?? '')
  const warnings = answer?.warnings ?? ''
  // 409: it is there already, which the server notices last.
  if (!answer || answer.status === 403 || answer.status === 404)
    return { outcome: 'undecided', message, warnings }
  const isRefused = answer.status >= 400 && answer.status !== 409
  return { outcome: isRefused ? 'refused' : 'accepted', message, warnings }
}

/** 1.36.3 panics at an Indexed Job with a successPolicy and parallelism and without completions, and lives on. */
function hungUp(error: unknown): Error {
  if (error instanceof Error && 'code' in error && error.code === 'ECONNRESET') return error
  throw error
}

/** An Event has to be where its object is. */
function inDefault(object: Mapping): Mapping {
  if (!isMapping(object.metadata) || object.kind === 'Event') return object
  const { namespace: _namespace, ...metadata } = object.metadata
  return { ...object, metadata }
}

/** The namespaces that Events are in. */
export function namespacesOf(objects: readonly Mapping[]): ReadonlySet<string> {
  return new Set(
    objects.flatMap(({ kind, metadata }) =>
      kind === 'Event' && isMapping(metadata) && typeof metadata.namespace === 'string'
        ? [metadata.namespace]
        : [],
    ),
  )
}

/** An object without what a server has given to it. */
export function asApplied(object: Mapping): Mapping {
  if (!isMapping(object.metadata)) return object
  const { resourceVersion: _version, uid: _uid, managedFields: _managers, ...metadata } = object.metadata
  return { ...object, metadata }
}

/** What the server says of settings that nothing acts on any more. */
const withoutEffect = /non-functional|disabled by default|is ignored/

/** Gives back a function that says whether the server warns that something in an object has no effect, and none of our rules does. */
export async function untold(minor: number): Promise<(object: Mapping, warnings: string) => boolean> {
  const rules = await allRules()
  const chosen = settings(
    [...rules].map(([id, rule]) => active(id, rule)),
    { minor },
  )
  return (object, warnings) => {
    if (!withoutEffect.test(warnings)) return false
    const input = readPaths(['-'], { cwd: root, stdin: () => JSON.stringify(object) })
    const { findings } = lint(input, { settings: chosen, rules, stories: loadStories })
    return !findings.some(({ rule }) => rule === 'volume-plugin-removed' || rule === 'setting-ignored')
  }
}

/** The server accepts what they report; the nodes do not. */
const aboutNodes = ['removed-node-label-selector']

/**
 * Gives back a function that lists the errors of the rules about what the API server refuses: `rule path: message`.
 * @param crds documents with the CustomResourceDefinitions that are known
 */
export async function schemaErrors(
  minor: number,
  crds: readonly Document[] = [],
): Promise<(object: Mapping) => readonly string[]> {
  const rules = await allRules()
  const schemaRules = [...rules].filter(
    ([id, rule]) => rule.category === 'api-schema' && !aboutNodes.includes(id),
  )
  const chosen = settings(
    schemaRules.map(([id, rule]) => active(id, rule)),
    { minor },
  )
  return (object) => {
    const input = readPaths(['-'], { cwd: root, stdin: () => JSON.stringify(object) })
    const { findings } = lint({ ...input, crds }, { settings: chosen, rules, stories: loadStories })
    return findings.flatMap((one) =>
      one.severity === 'error' ? [`${one.rule} ${one.place.path}: ${one.message}`] : [],
    )
  }
}
