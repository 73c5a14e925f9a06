import { at, customDefinition, enumerate, groupOf, type RuleFix, rule } from '../src/rule.js'

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
      if (problem.kind !== 'unknown-kind') continue
      const { apiVersion, objectKind, servedBy, nearest, since } = problem
      const [best] = servedBy
      const fix: RuleFix | undefined =
        best !== undefined
          ? {
              title: `apiVersion: ${best}`,
              safe: false,
              edits: [{ op: 'set', path: ['apiVersion'], value: best }],
            }
          : nearest !== undefined
            ? {
                title: `kind: ${nearest}`,
                safe: false,
                edits: [{ op: 'set', path: ['kind'], value: nearest }],
              }
            : undefined
      if (problem.custom) {
        const definition = customDefinition(graph, apiVersion, objectKind)
        const served = servedBy.length > 0 ? `serves ${enumerate(servedBy, 'and')}, not` : 'does not serve'
        reportPath(
          ['apiVersion'],
          `kubectl apply fails: the CustomResourceDefinition of ${objectKind} ${served} ${apiVersion}.`,
          {
            onValue: true,
            fix,
            see: [definition && at(definition, definition.spec ?? definition, 'versions')],
          },
        )
        continue
      }
      const certain = fix !== undefined || (groupOf(apiVersion) !== '' && since === undefined)
      if (since !== undefined)
        reportPath(
          ['apiVersion'],
          `kubectl apply fails: Kubernetes 1.${minor} does not serve ${apiVersion} ${objectKind} yet, 1.${since} is the first.`,
          { onValue: true, fix },
        )
      else if (certain)
        reportPath(
          [best === undefined ? 'kind' : 'apiVersion'],
          `kubectl apply fails: ${apiVersion} has no kind ${objectKind}.`,
          {
            onValue: true,
            ...(fix && { label: best !== undefined ? `${best} has it` : `did you mean ${nearest}?` }),
            fix,
          },
        )
    }
  },
})
