import { rule, valueAt } from '../src/rule.js'

export default rule({
  title: 'Two entries of a list have the same name',
  category: 'api-schema',
  severity: 'error',
  why: `The API server tells the entries of most lists apart by a key: containers and volumes by name,
mounts by path, ports of a Service by name and by number. It refuses an object in which two entries share
that key. Variables of one name are accepted: the later one wins, and client-side \`kubectl apply\`, which
merges by name, may drop either at the next change.`,
  remedy: 'Give each entry a key of its own, or remove the one that has no effect.',
  decides: `The keys are those of the schema, confirmed with a real API server; a port without \`protocol\`
is TCP. Duplicates that the server takes and that change nothing (a pull secret named twice) are not
reported, nor is a variable written twice with the same value.`,
  sources: [
    'OpenAPI documents of Kubernetes (x-kubernetes-list-map-keys, x-kubernetes-patch-merge-key)',
    'kubernetes/pkg/apis/core/validation/validation.go',
    'kubernetes/pkg/api/pod/warnings.go',
  ],
  stories: [],
  for: 'FaultyObject',
  check(object, { graph, reportPath }) {
    for (const problem of graph.problems(object)) {
      if (problem.kind !== 'duplicate-entry') continue
      const { path, first, keys, refused } = problem
      const list = String(path.findLast((step) => typeof step === 'string'))
      const key = Object.entries(keys)
        .map(([name, value]) => (name === '=' ? String(value) : `${name} ${value}`))
        .join(' and ')
      if (refused) {
        reportPath(path, `kubectl apply is refused: two entries of ${list} have ${key}.`, {
          label: `the same as entry ${first + 1}`,
        })
      } else if (list === 'env') {
        const list = path.slice(0, -1)
        const same =
          JSON.stringify(valueAt(object, ...list, first)) === JSON.stringify(valueAt(object, ...path))
        if (same) continue
        reportPath(
          path,
          `This value of ${keys.name} hides the one above, and the next kubectl apply may drop either.`,
          {
            severity: 'warning',
            label: `the same name as entry ${first + 1}`,
          },
        )
      }
    }
  },
})
