/** From what rules reported to findings. */
import {
  type Finding,
  type Fix,
  isSamePath,
  isWithin,
  type Path,
  type Place,
  type Related,
  type Subject,
} from '../finding.js'
import type { IndexedGraph } from '../graph/graph.js'
import { keeperOf } from '../graph/keeper.js'
import { kubectlName, type Resource } from '../graph/resource.js'
import type { Programs } from '../reader/program.js'
import type { RuleEdit, RuleFix, Sight } from '../rule.js'
import { push } from '../values/group.js'
import { valueAt } from '../values/untyped.js'
import { leftOpen } from './completed.js'
import type { Draft } from './evaluate.js'
import { isFrozen } from './frozen.js'
import { patchCommand } from './patch.js'
import { pathOf } from './path.js'
import { isWritten, morePlacesOf, placeOf, placeOfRange } from './place.js'

/** The drafts without those that are about what a kustomization or program changes, and those that another one explains. */
export function relevant(
  all: readonly Draft[],
  graph: IndexedGraph,
  programs: Programs | undefined,
): readonly Draft[] {
  const isLeftOpen = leftOpen(programs)
  const drafts = all.filter((draft) => !isPatched(draft, graph) && !isLeftOpen(draft))
  const reported = new Map<Resource, Reported>()
  for (const draft of drafts) {
    const own: Map<string, Draft[]> = reported.get(draft.resource) ?? new Map()
    push(own, draft.active.id, draft)
    reported.set(draft.resource, own)
  }
  return drafts.filter((draft) => {
    const { resource, path, active, options } = draft
    const { symptomOf: cause, recommended = true } = options
    // To ask for more takes nothing away.
    const explains = (one: Draft) => !recommended || one.options.recommended !== false
    const has = (other: Resource, ids: readonly string[] = [], seen = false) => {
      const own = reported.get(other)
      return (
        own !== undefined &&
        ids.some((id) =>
          own.get(id)?.some((one) => explains(one) && (!seen || (one.options.evidence ?? []).length > 0)),
        )
      )
    }
    return (
      !has(resource, active.rule.unless) &&
      !has(resource, reportersOfDropped(resource, path)) &&
      !isOfWrongField(draft, reported.get(resource)) &&
      !cause?.objects.some((one) => has(graph.resource(one), cause.rules, cause.seen))
    )
  })
}

/** What was reported of one object, by rule. */
type Reported = Map<string, Draft[]>

/** The rules about fields that are not where, or not called as, they should be. */
const wrongFields = ['misplaced-spec-field', 'unknown-field']

/**
 * Whether the field is missing because it stands elsewhere or is misspelt, or is overwritten by a second one, and another finding
 * says so.
 */
function isOfWrongField({ active, resource, path }: Draft, reported: Reported | undefined): boolean {
  if (!reported) return false
  const repeated = active.id === 'duplicate-key' ? undefined : reported.get('duplicate-key')
  if (repeated?.some((one) => isSamePath(one.path, path))) return true
  const isMissing = valueAt(resource.value, ...path) === undefined
  if (isMissing && repeated?.some((one) => isWithin(path, one.path))) return true
  if (wrongFields.includes(active.id)) return false
  const wrong = wrongFields.flatMap((id) => reported.get(id) ?? [])
  const isTooHigh = (stray: Path) =>
    stray.at(-1) === path.at(-1) && stray.length < path.length && isWithin(path, stray.slice(0, -1))
  return wrong.some(
    (one) =>
      (isMissing && isTooHigh(one.path)) ||
      meantPlaces(one).some(
        (meant) => (isMissing && isWithin(path, meant)) || isSamePath(path, meant.slice(0, -1)),
      ),
  )
}

/** Where the field of such a finding was meant to be. */
function meantPlaces({ resource, options: { fix } }: Draft): readonly Path[] {
  return (fix?.edits ?? [])
    .map((edit) => withPath(edit, resource))
    .flatMap((edit) => ('to' in edit ? [edit.to] : []))
}

/** The rules that tell of a field that the API server has dropped elsewhere, where a finding is about its right place. */
function reportersOfDropped({ problems }: Resource, path: Path): readonly string[] {
  return problems.flatMap((one) =>
    one.kind === 'dropped-field' && one.target !== undefined && isSamePath(one.target, path)
      ? [one.wrong === 'place' ? 'misplaced-spec-field' : 'unknown-field']
      : [],
  )
}

/** Looks up the places of what is to be reported. */
export function findingOf(draft: Draft, graph: IndexedGraph): Finding {
  const { active, severity, resource, path, message, options } = draft
  const { evidence = [], often = [], see = [], fix, absent } = options
  const label = options.label ?? missing(resource, path)
  const place = placeOf(resource, path, options.onValue)
  return {
    rule: active.id,
    severity,
    message,
    ...(evidence.length > 0 && { evidence }),
    ...(often.length > 0 && { often }),
    ...(label !== undefined && { label }),
    subject: subjectOf(resource),
    place,
    ...(absent !== undefined && { absent }),
    related: [
      ...morePlacesOf(resource, path, options.onValue),
      ...see.flatMap((sight) => (sight ? related(sight, resource, graph) : [])),
    ].filter((one) => !resource.document.built || !isThere(one, place)),
    stories: options.stories ?? active.rule.stories,
    ...(fix && { fix: fixOf(fix, resource) }),
  }
}

/** Whether something of the same object was written on the same line, as the tag of two images may be. */
function isThere({ object, file, line, column, built }: Related, place: Place): boolean {
  return (
    object === undefined && !built && file === place.file && line === place.line && column === place.column
  )
}

/** Whether a kustomization changes what the finding is about. */
function isPatched({ resource, path, options: { fix, restsOn = [] } }: Draft, graph: IndexedGraph): boolean {
  const changes = graph.patchOf(resource)
  if (!changes) return false
  const mended = (fix?.edits ?? []).map((edit) => withPath(edit, resource).path)
  return [path, ...mended, ...restsOn.map(([node, field]) => pathOf(resource, node, field))].some(changes)
}

function subjectOf({ apiVersion, kind, name, namespace, value, document }: Resource): Subject {
  const keeper = document.live && keeperOf(value)
  return { apiVersion, kind, name, namespace, ...(keeper !== undefined && { keeper }) }
}

function fixOf({ title, safe, edits }: RuleFix, resource: Resource): Fix {
  const own = edits.map((edit) => withPath(edit, resource))
  const { document, kind, namespace, value } = resource
  // What was built is not edited, and its source may be the base of others.
  if (document.built) return { title, safe, edits: [] }
  if (!document.live) return { title, safe, edits: own }
  if (own.some(({ path }) => isFrozen(kind, path)))
    return { title: `${title}, in a new ${kind}: the field does not change`, safe, edits: own }
  const command = patchCommand({ name: kubectlName(value), namespace, value: document.value }, own)
  return { title, safe, edits: own, ...(command !== undefined && { command }) }
}

/** What to say under a place whose field is not there. */
function missing(resource: Resource, path: Path): string | undefined {
  const field = path.at(-1)
  return typeof field === 'string' && !isWritten(resource, path) ? `no ${field}` : undefined
}

function related(sight: Sight, own: Resource, graph: IndexedGraph): Related {
  const resource = graph.resource(sight.of)
  const path = pathOf(resource, sight.node, sight.field)
  const note = sight.note ?? (sight.range ? undefined : missing(resource, path))
  return {
    ...(sight.range ? placeOfRange(resource, path, sight.range) : placeOf(resource, path)),
    ...(resource !== own && { object: graph.describe(resource.value) }),
    ...(note !== undefined && { note }),
  }
}

function withPath(edit: RuleEdit, resource: Resource) {
  if ('path' in edit) return edit
  const path = pathOf(resource, edit.node, edit.field)
  return edit.op === 'set' ? { op: edit.op, path, value: edit.value } : { op: edit.op, path }
}
