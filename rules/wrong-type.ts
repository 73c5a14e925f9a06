import {
  type Expected,
  formatPath,
  type JsonType,
  type RuleFix,
  rule,
  type SchemaProblem,
} from '../src/rule.js'

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
so such values need quotes. Flux does not refuse a label of the object itself that is no text: it puts its
own labels on every object, cannot read those that are there, and applies the object without any of them.`,
  remedy:
    'Write the value as the type that the field has; put quotes around text that YAML reads as something else.',
  decides: `Values are read as kubectl reads them and compared with the type of the field in the schema of their API
version; of custom resources the name, labels and annotations. \`null\` is no value. The message says what is
written and what YAML reads; the fix puts what is written in quotes, and takes the quotes from a number or boolean.
Of a Secret no value is shown. Text that is filled in later (\`\${NAME}\`, \`{{ name }}\`) is left alone; what a
person fills in (\`<PORT>\`) is reported by \`unfilled-placeholder\`. kustomize reads \`on\`, \`yes\` and the like
as text, and writes quotes around annotations of objects, so both are left alone in what a kustomization builds, or
Flux, which always builds with kustomize. A label of an object itself is a warning where Flux applies it: a
Kustomization of Flux names its folder, or one that builds on its file, or it is one of Flux's own objects in such a
repository.`,
  sources: [
    'OpenAPI documents of Kubernetes 1.22 to 1.37',
    'sigs.k8s.io/json, the decoder of the API server',
    'sigs.k8s.io/yaml, how kubectl reads YAML',
    'kustomize 5.8: a build of on, off, yes and n, and of numbers and booleans in labels and annotations',
    'fluxcd/kustomize-controller and fluxcd/pkg/ssa 0.48 to 0.83: SetOwnerLabels, run on what kustomize builds',
    'k8s.io/apimachinery, unstructured: GetLabels has none where one is no text',
  ],
  stories: [],
  for: 'FaultyObject',
  check(object, { graph, written, reportPath }) {
    for (const problem of graph.problems(object)) {
      if (problem.kind !== 'wrong-type') continue
      const { path, expected } = problem
      const isSecret = object.kind === 'Secret'
      const text = plainText(problem, written(path))
      const isFlux = expected === 'text' && graph.appliedByFlux(object)
      // What kustomize builds has quotes around it: only to YAML 1.1 is it a boolean, or it is an annotation of the object itself.
      const isAnnotation = path.length === 3 && path[1] === 'annotations' && problem.value !== undefined
      if (expected === 'text' && (isAnnotation || isOldBoolean(text)) && (isFlux || graph.kustomized(object)))
        continue
      const isLost = isFlux && path.length === 3 && path[1] === 'labels'
      const read = isSecret ? kinds[problem.actual] : made(problem)
      const differs = text !== undefined && text !== String(problem.value) && !isRounded(text, problem.value)
      reportPath(
        path,
        `${isLost ? 'Flux applies the object without any of its labels' : 'kubectl apply is refused'}: ${formatPath(path).slice(1)} takes ${wanted[expected]}, and YAML ${differs ? `reads ${text} as` : 'makes this'} ${read}.`,
        {
          ...(isLost && { severity: 'warning' }),
          label: hint(problem),
          onValue: problem.value !== undefined,
          fix: isSecret ? undefined : fixOf(problem, text),
        },
      )
    }
  },
})

/** Whether a whole number of 64 bits is another one here alone: the API server reads all of its digits. */
function isRounded(text: string, value: WrongType['value']): boolean {
  return /^-?[1-9]\d{15,19}$/.test(text) && Number(text) === value && BigInt(text) < 2n ** 64n
}

function isOldBoolean(text: string | undefined): boolean {
  return text !== undefined && /^(?:y|yes|n|no|on|off)$/i.test(text)
}

type WrongType = SchemaProblem & { kind: 'wrong-type' }

const kinds: Readonly<Record<JsonType, string>> = {
  text: 'text',
  number: 'a number',
  fraction: 'a number',
  boolean: 'a boolean',
  list: 'a list',
  mapping: 'a mapping',
  null: 'nothing',
}

function made({ actual, value }: WrongType): string {
  if (value === undefined) return kinds[actual]
  return typeof value === 'string'
    ? `the text ${JSON.stringify(value.slice(0, 40))}`
    : `the ${typeof value} ${value}`
}

/** What YAML took for a number or a boolean, as it is written. */
function plainText({ expected, value }: WrongType, written: string | undefined): string | undefined {
  if (expected !== 'text' || value === undefined || typeof value === 'string') return undefined
  // Without quotes and tags, as YAML reads these.
  return written !== undefined && /^[-+.~\w]+$/.test(written) ? written : undefined
}

function hint({ expected, actual, value }: WrongType): string | undefined {
  if (expected === 'text' && typeof value !== 'string' && actual !== 'list' && actual !== 'mapping')
    return 'put quotes around it'
  if (expected === 'list') return 'start each entry with "- "'
  return unquoted(expected, value) === undefined ? undefined : 'leave the quotes out'
}

/** The number or boolean that a text says. */
function unquoted(expected: Expected, value: WrongType['value']): number | boolean | undefined {
  if (typeof value !== 'string') return undefined
  if (expected === 'integer' && /^(0|-?[1-9]\d{0,14})$/.test(value)) return Number(value)
  if (expected === 'boolean' && /^(true|false)$/.test(value)) return value === 'true'
  return undefined
}

function fixOf({ path, expected, value }: WrongType, text: string | undefined): RuleFix | undefined {
  const field = typeof path.at(-1) === 'number' ? `${path.at(-2)}[${path.at(-1)}]` : path.at(-1)
  const right = text ?? unquoted(expected, value)
  if (right === undefined) return undefined
  const title = `${field}: ${JSON.stringify(right)}`
  return { title, safe: true, edits: [{ op: 'set', path, value: right }] }
}
