import {
  at,
  customDefinition,
  enumerate,
  type Format,
  formatPath,
  nearestName,
  quoted,
  type RuleFix,
  rule,
  type SchemaProblem,
} from '../src/rule.js'

const written: Readonly<Record<Format, string>> = {
  int32: 'is larger than the field can hold, 2147483647 at most',
  int64: 'is larger than the field can hold',
  time: 'is no time such as 2026-01-31T08:00:00Z',
  'time in microseconds': 'is no time in microseconds such as 2026-01-31T08:00:00.000000Z',
  base64: 'is not base64',
  percentage: 'is neither a whole number nor a percentage such as 25%',
  'port name': 'is neither a port number nor the name of a port',
}

export default rule({
  title: 'A value that the API server refuses',
  category: 'api-schema',
  severity: 'error',
  why: `The type is right, the value is none that the field may have: not one of its words, no quantity, out
of bounds or not in the format. The API server refuses the whole object: every \`kubectl apply\`, sync and
reconciliation of it fails.`,
  remedy: 'Write one of the values that the message names.',
  decides: `Words, bounds and formats are those of the API server's validation, each tried with a real server
(docs/validation.md). Words are compared letter by letter, as the server does: \`tcp\` is no protocol. Quantities
take the suffixes m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi and Ei and no unit behind them. Custom objects are judged
by the CustomResourceDefinition of their kind, when the input or \`crds\` of the configuration has it; a schema that
the server refuses, or that cannot be used for that, is reported itself. Text that is filled in later (\`\${NAME}\`,
\`{{ name }}\`) and the \`status\` of an object are left alone; what a person fills in (\`<SIZE>\`) is reported by
\`unfilled-placeholder\`.`,
  sources: [
    'kubernetes/pkg/apis/*/validation',
    'k8s.io/apimachinery/pkg/api/resource/quantity.go',
    'OpenAPI documents of Kubernetes 1.22 to 1.37',
    'k8s.io/kube-openapi/pkg/validation/validate',
    'k8s.io/apiextensions-apiserver/pkg/apiserver/schema/validation.go',
  ],
  versions: `Since 1.36 a whole number of a custom object has to be one that its format holds, and so has each bound in the definition,
or no value at all is taken: \`maximum: 4294967295\` beside \`format: int32\`, as BGPPeer of MetalLB 0.15 has it.`,
  stories: [],
  for: 'FaultyObject',
  check(object, { graph, reportPath }) {
    const definition = customDefinition(graph, object.apiVersion ?? '', object.kind ?? '')
    for (const problem of graph.problems(object)) {
      if (problem.kind === 'unusable-schema') {
        reportPath(problem.path, problem.message, problem.refused ? {} : { severity: 'info' })
        continue
      }
      const found = judge(problem)
      if (found)
        reportPath(
          problem.path,
          `kubectl apply is refused: ${formatPath(problem.path).slice(1)} ${found.message}.`,
          {
            onValue: true,
            see: [
              definition && at(definition, definition.spec ?? definition, 'versions', 'defines the kind'),
            ],
            ...(found.label !== undefined && { label: found.label }),
            ...(found.fix && { fix: found.fix }),
          },
        )
    }
  },
})

interface Judgement {
  readonly message: string
  readonly label?: string | undefined
  readonly fix?: RuleFix | undefined
}

function judge(problem: SchemaProblem): Judgement | undefined {
  const { path } = problem
  switch (problem.kind) {
    case 'bad-enum': {
      const { value, allowed } = problem
      const meant = typeof value === 'string' ? nearestName(value, allowed) : undefined
      return {
        message: `takes ${either(allowed)}, not ${shown(value)}`,
        label: meant && `did you mean ${meant}?`,
        fix: meant ? setTo(path, meant, meant.toLowerCase() === String(value).toLowerCase()) : undefined,
      }
    }
    case 'bad-quantity': {
      const meant = quantityMeant(problem.value, path.at(-1) === 'cpu')
      return {
        message: `is no quantity: ${shown(problem.value)}`,
        label: meant && `did you mean ${meant}?`,
        fix: meant === undefined ? undefined : setTo(path, meant, false),
      }
    }
    case 'bad-format': {
      const { format, value } = problem
      const number = format === 'port name' && typeof value === 'string' && /^\d{1,5}$/.test(value)
      return {
        message: number
          ? `is text, ${shown(value)}, and no port is called so`
          : `${written[format]}: ${shown(value)}`,
        label: number ? 'leave the quotes out' : undefined,
        fix: number ? setTo(path, Number(value), true) : undefined,
      }
    }
    case 'out-of-bounds': {
      const { value, minimum, maximum } = problem
      const bounds =
        minimum === undefined
          ? `at most ${maximum}`
          : maximum === undefined
            ? `at least ${minimum}`
            : `from ${minimum} to ${maximum}`
      return { message: `is ${value}, and has to be ${bounds}` }
    }
    case 'bad-value':
      return { message: problem.message }
    default:
      return undefined
  }
}

function setTo(path: SchemaProblem['path'], value: string | number, safe: boolean): RuleFix {
  return { title: `${path.at(-1)}: ${value}`, safe, edits: [{ op: 'set', path, value }] }
}

function shown(value: unknown): string {
  return typeof value === 'string' ? quoted(value) : String(value)
}

function either(values: readonly string[]): string {
  return values.length > 8 ? `one of ${values.length} words` : enumerate(values, 'or')
}

/** `1GB` → `1G`, `512mb` → `512M`, `2gi` → `2Gi`, `1 Gi` → `1Gi`, `64K` → `64Ki`; of processors `500mi` → `500m`. */
function quantityMeant(text: string, isCpu: boolean): string | undefined {
  if (isCpu) {
    const [, number] = /^\s*(\d+)\s*(?:m|mi|mcpu|mcores?|millicores?)\s*$/i.exec(text) ?? []
    return number && `${number}m`
  }
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*([kmgtpe]i?)b?\s*$/i.exec(text) ?? []
  if (!number || !unit) return undefined
  const [letter = '', binary] = unit
  if (letter === 'K' && !binary) return `${number}Ki`
  return `${number}${binary ? letter.toUpperCase() : letter.toLowerCase() === 'k' ? 'k' : letter.toUpperCase()}${binary ? 'i' : ''}`
}
