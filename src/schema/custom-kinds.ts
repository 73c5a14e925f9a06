/** The kinds that CustomResourceDefinitions of the input define. A schema is read when the first object of its kind comes along. */
import { formatPath, type Path } from '../finding.js'
import { groupOf, type Untyped, versionOf } from '../kubernetes.js'
import { push } from '../values/group.js'
import { lazy, memo } from '../values/lazy.js'
import { isObject, objectAt, objectsAt, stringAt, valueAt } from '../values/untyped.js'
import { definitionFor, faultyDefaults, judge } from './custom.js'
import { newestMinor } from './definitions.js'
import { knownSchema } from './known.js'
import type { SchemaProblem } from './problem.js'
import { readSchema, type Schema, Unusable } from './structural.js'

export interface CustomKinds {
  /** What is wrong with an object; undefined when no definition of its kind is known. */
  problems(object: Untyped, apiVersion: string, kind: string): readonly SchemaProblem[] | undefined
  /** Why schemas of a CustomResourceDefinition could not be used so far. */
  unusable(definition: object): readonly UnusableSchema[]
  /** Reads the schemas of a CustomResourceDefinition, whether there are objects of its kinds or not, and says what their defaults are not. */
  read(definition: object): readonly SchemaProblem[]
}

type UnusableSchema = SchemaProblem & { readonly kind: 'unusable-schema' }

/** One version of a kind, as one definition has it. */
interface Version {
  readonly definition: object
  readonly apiVersion: string
  readonly kind: string
  readonly served: boolean
  /** What holds the schema as its `openAPIV3Schema`. */
  readonly holder: Untyped | undefined
  /** Where the schema stands in the definition. */
  readonly path: Path
  readonly hasStatus: boolean
  /** Whether the schema has to be structural, and drops what it does not know. */
  readonly prunes: boolean
  /** The definition is in v1beta1, which 1.22 has removed: it tells of a cluster of long ago, or of none. */
  readonly isBeta: boolean
}

/** Steps that all objects of one version may take together: a second or two. */
const mostSteps = 20_000_000
/** Definitions of one kind that are tried; more of them are variants that nobody applies together. */
const mostDefinitions = 8

/**
 * @param objects as they were read; the CustomResourceDefinitions among them count
 * @param isFor whether a definition belongs to an object, or to another definition; each does by default
 * @param minor the version of the server that judges them: 37 for 1.37
 */
export function customKinds(
  objects: Iterable<Untyped>,
  isFor: (definition: object, object: object) => boolean = () => true,
  minor = newestMinor,
): CustomKinds {
  const versions = new Map<string, Version[]>()
  const versionsOf = new Map<object, readonly Version[]>()
  for (const definition of objects) {
    const own = versionsIn(definition)
    if (own.length > 0) versionsOf.set(definition, own)
    for (const version of own) push(versions, keyOf(version.apiVersion, version.kind), version)
  }
  const unusable = new Map<object, UnusableSchema[]>()
  const judgeOf = memo((version: Version) =>
    judgeFor(version, minor, (problem) => push(unusable, version.definition, problem)),
  )
  return {
    problems(object, apiVersion, kind) {
      const known = variantsFor(object, versions.get(keyOf(apiVersion, kind)) ?? [], isFor)
      if (known.length === 0) return undefined
      const served = known.filter((one) => one.served)
      const serving = served.filter((one) => one.apiVersion === apiVersion).slice(0, mostDefinitions)
      if (serving.length === 0)
        return known.every((one) => one.isBeta) ? undefined : [notServed(apiVersion, kind, served)]
      // Of several definitions nobody knows which one is installed: the one that the object fits best.
      let best: readonly SchemaProblem[] | undefined
      for (const version of serving) {
        const found = judgeOf(version).problems(object)
        if (best === undefined || found.length < best.length) best = found
        if (best.length === 0) break
      }
      return best
    },
    unusable: (definition) => unusable.get(definition) ?? [],
    read: (definition) =>
      (versionsOf.get(definition) ?? []).flatMap((version) => judgeOf(version).defaults()),
  }
}

/**
 * The versions that an object may be applied with: of its own definitions, and of those that belong to one of them. The nearest may be
 * an old copy of the one that is installed.
 */
function variantsFor(
  object: object,
  versions: readonly Version[],
  isFor: (definition: object, object: object) => boolean,
): readonly Version[] {
  const own = versions.filter(({ definition }) => isFor(definition, object))
  if (own.length === 0 || own.length === versions.length) return own
  return versions.filter(
    (one) => own.includes(one) || own.some(({ definition }) => isFor(one.definition, definition)),
  )
}

function keyOf(apiVersion: string, kind: string): string {
  return `${groupOf(apiVersion)}/${kind}`
}

function notServed(apiVersion: string, objectKind: string, served: readonly Version[]): SchemaProblem {
  const servedBy = [...new Set(served.map((one) => one.apiVersion))]
  return { kind: 'unknown-kind', path: [], apiVersion, objectKind, servedBy, custom: true }
}

interface Judge {
  readonly problems: (object: Untyped) => readonly SchemaProblem[]
  /** What is wrong with the defaults of the version's schema. */
  readonly defaults: () => readonly SchemaProblem[]
}

const nothing: Judge = { problems: () => [], defaults: () => [] }

/** Judges objects by one version until its budget is spent. */
function judgeFor(version: Version, minor: number, report: (problem: UnusableSchema) => void): Judge {
  const { path, prunes, kind, apiVersion } = version
  const unusable = (where: Path, why: string, refused: boolean) => {
    const what = `${formatPath(where).slice(1)} ${why}`
    const message = refused
      ? `kubectl apply is refused: ${what}, so no ${kind} is checked here.`
      : `No ${kind} is checked: ${what}.`
    report({ kind: 'unusable-schema', path: where, message, refused })
  }
  const { holder } = version
  const known = holder && knownSchema(holder)
  if (!known && holder?.openAPIV3Schema === undefined) return nothing
  let schema: Schema
  try {
    schema = known?.schema ?? readSchema(holder?.openAPIV3Schema, path, prunes, version.hasStatus)
  } catch (error) {
    if (!(error instanceof Unusable)) throw error
    unusable(error.path, error.message, error.refused)
    return nothing
  }
  const budget = { steps: mostSteps }
  const root = lazy(() => definitionFor(schema, `${apiVersion}.${kind}`))
  const skipped = version.hasStatus ? ['status'] : []
  const judging = { prunes, skipped, budget, minor, root }
  let spent = false
  const unlessSpent = (judged: () => readonly SchemaProblem[]) => {
    if (spent) return []
    const found = judged()
    spent = budget.steps < 0
    if (spent) unusable(path, 'takes too long to apply', false)
    return spent ? [] : found
  }
  return {
    problems: (object) => unlessSpent(() => judge(schema, object, judging)),
    defaults: () => (prunes ? unlessSpent(() => faultyDefaults(schema, path, judging)) : []),
  }
}

/** The versions of a definition, in v1 and in v1beta1. */
function versionsIn(definition: Untyped): Version[] {
  if (definition.kind !== 'CustomResourceDefinition') return []
  const group = stringAt(definition, 'spec', 'group')
  const kind = stringAt(definition, 'spec', 'names', 'kind')
  const isBeta = versionOf(stringAt(definition, 'apiVersion') ?? '') === 'v1beta1'
  if (group === undefined || kind === undefined) return []
  const preserves = valueAt(definition, 'spec', 'preserveUnknownFields') ?? isBeta
  const listed = objectsAt(definition, 'spec', 'versions')
  const single = stringAt(definition, 'spec', 'version')
  const all = listed.length === 0 && single !== undefined ? [{ name: single, served: true }] : listed
  return all.flatMap((one: Untyped): Version[] => {
    if (typeof one.name !== 'string') return []
    const own = objectAt(one, 'schema')
    const isOwn =
      own !== undefined &&
      (knownSchema(own) !== undefined || (own.openAPIV3Schema ?? undefined) !== undefined)
    return [
      {
        definition,
        kind,
        apiVersion: `${group}/${one.name}`,
        served: one.served !== false,
        // In v1 there is no such field.
        holder: isOwn ? own : isBeta ? objectAt(definition, 'spec', 'validation') : undefined,
        path: isOwn
          ? ['spec', 'versions', listed.indexOf(one), 'schema', 'openAPIV3Schema']
          : ['spec', 'validation', 'openAPIV3Schema'],
        hasStatus: isObject(
          valueAt(one, 'subresources', 'status') ?? valueAt(definition, 'spec', 'subresources', 'status'),
        ),
        prunes: preserves === false,
        isBeta,
      },
    ]
  })
}
