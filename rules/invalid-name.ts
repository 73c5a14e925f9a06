import { blankWordIn, formatPath, quoted, rule, type SchemaProblem } from '../src/rule.js'

type BadName = SchemaProblem & { kind: 'bad-name' }

const forms: Readonly<Record<BadName['form'], string>> = {
  label: 'lower case letters, digits and hyphens, 63 at most',
  subdomain: 'lower case letters, digits, hyphens and dots, 253 at most',
  'label key': 'letters, digits and -_. (63 at most), after a domain and / or without',
  'label value': 'letters, digits and -_. between letters or digits, 63 at most',
  port: 'lower case letters, digits and hyphens, a letter among them, 15 at most',
  'data key': 'letters, digits and -_., 253 at most, not .. at the start',
  'path segment': 'anything but / and %, and neither . nor .. alone',
}

export default rule({
  title: 'A name, label or annotation key that the API server refuses',
  category: 'api-schema',
  severity: 'error',
  why: `Names become parts of URLs, DNS names and file names, so their characters are few. The API server
refuses the object with a wrong one: every \`kubectl apply\`, sync and reconciliation of it fails. Upper
case letters and underscores are the usual cases.`,
  remedy: 'Write the name with the characters that the message lists.',
  decides: `Looks at the names of objects of the built-in kinds, of containers, volumes and ports, at
labels, selectors and annotation keys everywhere in them, at the keys of ConfigMaps and Secrets, and at references whose form the server checks.
Text that is filled in later (\`\${NAME}\`, \`{{ name }}\`) is left alone, what a person fills in (\`<NAME>\`) is
reported by \`unfilled-placeholder\`, and a kustomization sets the name and namespace of the objects beside it.`,
  sources: ['k8s.io/apimachinery/pkg/util/validation/validation.go', 'kubernetes/pkg/apis/*/validation'],
  stories: [],
  for: 'FaultyObject',
  check(object, { graph, reportPath }) {
    for (const problem of graph.problems(object)) {
      if (problem.kind !== 'bad-name') continue
      const { path, value, form } = problem
      if (path[0] === 'metadata' && path.length === 2 && graph.kustomized(object)) continue
      if (blankWordIn(value, object, graph) !== undefined) continue
      const key = form === 'label key' || form === 'data key'
      const where = formatPath(key ? path.slice(0, -1) : path).slice(1)
      const reason = reasonOf(problem)
      reportPath(
        path,
        `kubectl apply is refused: ${where} ${key ? 'has the key' : 'is'} ${quoted(value)}${reason}.`,
        { label: forms[form], onValue: !key },
      )
    }
  },
})

function reasonOf({ form, value }: BadName): string {
  const longest = {
    label: 63,
    subdomain: 253,
    'label key': 317,
    'label value': 63,
    port: 15,
    'data key': 253,
    'path segment': Number.POSITIVE_INFINITY,
  }[form]
  if (value.length > longest) return `, ${value.length} characters long`
  if (form === 'data key') {
    const other = /[^A-Za-z0-9._-]/u.exec(value)?.[0]
    return other ? `, with ${JSON.stringify(other)}` : ''
  }
  if (form === 'path segment') {
    const other = /[/%]/.exec(value)?.[0]
    return other ? `, with ${JSON.stringify(other)}` : ''
  }
  if (form !== 'label value' && form !== 'label key' && /[A-Z]/.test(value))
    return ', with upper case letters'
  const strange =
    /[^A-Za-z0-9._/-]/u.exec(value)?.[0] ??
    (form === 'label key' || form === 'label value' ? '' : /[_/]/.exec(value)?.[0])
  return strange ? `, with ${JSON.stringify(strange)}` : ''
}
