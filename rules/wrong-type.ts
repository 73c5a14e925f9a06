import { type Expected, formatPath, type JsonType, rule, type SchemaProblem } from '../src/rule.js'

const wanted: Readonly<Record<Expected, string>> = {
  text: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  list: 'a list',
  mapping: 'a mapping',
  'integer or text': 'a whole number or text',
  quantity: 'a quantity such as 500m or 2Gi',
  time: 'a time such as 2026-01-31T08:00:00Z',
  'base64 text': 'text in base64',
}

export default rule({
  title: 'A value of the wrong type',
  category: 'api-schema',
  severity: 'error',
  why: `The API server cannot decode a value of another JSON type than the field's and refuses the whole
object: every \`kubectl apply\`, sync and reconciliation fails until it is corrected. YAML decides the type
from the text: \`on\`, \`yes\` and \`y\` are booleans, \`0755\` is a number in octal, \`1e3\` is 1000 and
\`1.10\` is the number 1.1. Labels, annotations, \`data\` of ConfigMaps and \`env\` values have to be text,
so such values need quotes.`,
  remedy:
    'Write the value as the type that the field has; put quotes around text that YAML reads as something else.',
  decides: `Values are read as kubectl reads them and compared with the type of the field in the schema of
their API version. \`null\` is no value. Text that is filled in later (\`\${NAME}\`, \`{{ name }}\`) is left
alone; what a person fills in (\`<PORT>\`) is reported by \`unfilled-placeholder\`.`,
  sources: [
    'OpenAPI documents of Kubernetes 1.22 to 1.37',
    'sigs.k8s.io/json, the decoder of the API server',
    'sigs.k8s.io/yaml, how kubectl reads YAML',
  ],
  stories: [],
  for: 'Object',
  check(object, { graph, reportPath }) {
    for (const problem of graph.problems(object)) {
      if (problem.kind !== 'wrong-type') continue
      const { path, expected } = problem
      reportPath(
        path,
        `kubectl apply is refused: ${formatPath(path).slice(1)} takes ${wanted[expected]}, and YAML makes this ${made(problem)}.`,
        { label: hint(problem), onValue: problem.value !== undefined },
      )
    }
  },
})

type WrongType = SchemaProblem & { kind: 'wrong-type' }

function made({ actual, value }: WrongType): string {
  const names: Readonly<Record<JsonType, string>> = {
    text: 'the text',
    number: 'the number',
    fraction: 'the number',
    boolean: 'the boolean',
    list: 'a list',
    mapping: 'a mapping',
    null: 'nothing',
  }
  if (value === undefined) return names[actual]
  const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : String(value)
  return `${names[actual]} ${shown}`
}

function hint({ expected, actual, value }: WrongType): string | undefined {
  if (expected === 'text' && value !== undefined) return 'put quotes around it'
  if (expected === 'list') return 'start each entry with "- "'
  if ((expected === 'integer' || expected === 'boolean') && actual === 'text') {
    const fits = expected === 'integer' ? /^-?\d+$/ : /^(true|false)$/
    return typeof value === 'string' && fits.test(value) ? 'leave the quotes out' : undefined
  }
  return undefined
}
