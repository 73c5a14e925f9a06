import { type Dropped, losses, rule, suggestion } from '../src/rule.js'

export default rule({
  title: 'A field that the API server does not know',
  category: 'api-schema',
  severity: 'error',
  why: `The API server has no such field at this place. It stores the object without it, so that the setting
has no effect, or refuses the object where the client asks for strict validation, as \`kubectl apply\` does
from 1.25 on. Usually it is a slip of spelling, a field of another kind, or one that the cluster's version
does not have yet or no longer has.`,
  remedy: 'Correct the name, or remove the field.',
  decides: `Every field is looked up in the schema of its own API version at the target version
(\`--k8s-version\`). A name that is at most two letters away, or that a kind of the same family uses, is
proposed. Fields that the kind has on another level are reported by \`misplaced-spec-field\`.

Custom objects are compared with the CustomResourceDefinition of their kind, when the input or \`crds\` of the
configuration has it and it drops unknown fields.

Exempt: kinds without a known schema, and maps with keys of your own.

In a cluster the manifests of built-in kinds are looked at that client-side \`kubectl apply\` has left in the
annotation \`last-applied-configuration\`: a field that their API version does not have at the version of the server,
and that is not in the object. What it had in an earlier version is left alone, and so are manifests in a version
that is gone.`,
  falsePositives: `Fields of an alpha feature that a distribution has patched in: name the target version, or
suppress with that reason. In a cluster, objects that were once applied with kubectl and belong to another tool now:
the annotation stays as it was.`,
  versions: 'The fields of 1.22 to 1.37 are known, those of alpha features included.',
  sources: [
    'OpenAPI documents of Kubernetes 1.22 to 1.37',
    'k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning',
  ],
  stories: ['zalando-cronjob-apiserver'],
  for: 'FaultyObject',
  live: true,
  check(object, { graph, minor, reportPath }) {
    const dropped = graph
      .problems(object)
      .filter((one): one is Dropped => one.kind === 'dropped-field' && one.wrong !== 'place')
    for (const { path, message, ...options } of losses(object, dropped)) reportPath(path, message, options)
    for (const problem of graph.problems(object)) {
      if (problem.kind !== 'unknown-field') continue
      const { path, since, until } = problem
      const field = String(path.at(-1))
      if (since !== undefined || until !== undefined) {
        reportPath(
          path,
          since !== undefined && minor < since
            ? `Kubernetes 1.${minor} drops ${field} here: the field came with 1.${since}.`
            : `Kubernetes 1.${minor} drops ${field} here: the field went with 1.${(until ?? minor) + 1}.`,
        )
        continue
      }
      const meant = suggestion(object, path, minor, problem.root)
      if (meant?.wrong === 'place') continue
      const type = problem.definition.replace(/^.*\./, '')
      reportPath(path, `The API server drops ${field} here: ${type} has no such field.`, {
        label: meant ? `did you mean ${meant.place}?` : undefined,
        fix: meant?.path && {
          title: `call it ${meant.place}`,
          safe: false,
          edits: [
            meant.there ? { op: 'remove' as const, path } : { op: 'move' as const, path, to: meant.path },
          ],
        },
      })
    }
  },
})
