import {
  at,
  customDefinition,
  enumerate,
  type FaultAt,
  type Graph,
  groupOf,
  type RuleFix,
  rule,
  type SchemaProblem,
} from '../src/rule.js'

export default rule({
  title: 'An apiVersion that has no such kind',
  category: 'api-schema',
  severity: 'error',
  why: `The API server finds the code for an object by its apiVersion and kind together. Where no version of
it serves that pair, the object is refused: "no matches for kind".`,
  remedy: 'Write the apiVersion and kind that the message names.',
  decides: `The API groups of Kubernetes itself are judged by the kinds that 1.15 to 1.37 served, custom kinds by the
versions that their CustomResourceDefinition serves, when the input or \`crds\` of the configuration has it. In
the core group (\`v1\`) an unknown kind is reported only when another group serves it or when the name is a
letter or two away: configuration files of programs (\`kind: Config\`) look the same. Versions that are gone
are reported by \`removed-api-version\`.`,
  sources: ['OpenAPI documents of Kubernetes 1.15 to 1.37'],
  stories: [],
  for: 'FaultyObject',
  check(object, { graph, minor, reportPath }) {
    for (const problem of graph.problems(object)) {
      const fault = problem.kind === 'unknown-kind' ? faultOf(problem, minor, graph) : undefined
      if (fault) reportPath(...fault)
    }
  },
})

type UnknownKind = Extract<SchemaProblem, { readonly kind: 'unknown-kind' }>

function faultOf(problem: UnknownKind, minor: number, graph: Graph): FaultAt | undefined {
  const { apiVersion, objectKind, servedBy, nearest, since } = problem
  const fix = fixOf(problem)
  if (problem.custom) {
    const definition = customDefinition(graph, apiVersion, objectKind)
    const served = servedBy.length > 0 ? `serves ${enumerate(servedBy, 'and')}, not` : 'does not serve'
    return [
      ['apiVersion'],
      `kubectl apply fails: the CustomResourceDefinition of ${objectKind} ${served} ${apiVersion}.`,
      { onValue: true, fix, see: [definition && at(definition, definition.spec ?? definition, 'versions')] },
    ]
  }
  if (since !== undefined)
    return [
      ['apiVersion'],
      `kubectl apply fails: Kubernetes 1.${minor} does not serve ${apiVersion} ${objectKind} yet, 1.${since} is the first.`,
      { onValue: true, fix },
    ]
  // Of the core group there are configuration files that look the same.
  if (!fix && groupOf(apiVersion) === '') return undefined
  const [best] = servedBy
  const label = best === undefined ? `did you mean ${nearest}?` : `${best} has it`
  return [
    [best === undefined ? 'kind' : 'apiVersion'],
    `kubectl apply fails: ${apiVersion} has no kind ${objectKind}.`,
    { onValue: true, ...(fix && { label }), fix },
  ]
}

/** The version that serves the kind, or else the kind that was meant. */
function fixOf({ servedBy: [best], nearest }: UnknownKind): RuleFix | undefined {
  const field = best === undefined ? 'kind' : 'apiVersion'
  const value = best ?? nearest
  return value === undefined
    ? undefined
    : { title: `${field}: ${value}`, safe: false, edits: [{ op: 'set', path: [field], value }] }
}
