/** Small faults in the source of a rule, as somebody might make them who changes it. */

export interface Mutant {
  readonly kind: string
  /** Offsets of what is replaced, in UTF-16 code units. */
  readonly start: number
  readonly end: number
  /** From 1. */
  readonly line: number
  readonly from: string
  readonly to: string
}

/** The source with the fault in it. */
export function withMutant(source: string, { start, end, to }: Mutant): string {
  return source.slice(0, start) + to + source.slice(end)
}

/** A node of ESTree with the fields that are looked at. */
interface Syntax {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

const nextTo: Readonly<Record<string, string>> = { '<': '<=', '<=': '<', '>': '>=', '>=': '>' }
const otherQuantifier: Readonly<Record<string, string>> = { some: 'every', every: 'some' }

/** The faults that are tried, in the order of the source. What is left out of a loop's condition might never end. */
export async function mutantsOf(source: string): Promise<readonly Mutant[]> {
  // It has ECMAScript modules alone.
  const { parseAst } = await import('vitest/node')
  const mutants: Mutant[] = []
  const add = (kind: string, { start, end }: Syntax, to: string) => {
    const line = source.slice(0, start).split('\n').length
    mutants.push({ kind, start, end, line, from: source.slice(start, end), to })
  }
  const text = ({ start, end }: Syntax) => `(${source.slice(start, end)})`
  const visit = (node: Syntax): void => {
    if (node.type.startsWith('TS') && !(node.expression as Syntax | undefined)?.type) return
    for (const [kind, target, to] of faultsAt(node, text)) add(kind, target, to)
    for (const [field, value] of Object.entries(node)) {
      if (field === 'test' && /^(For|While|DoWhile)Statement$/.test(node.type)) continue
      for (const child of Array.isArray(value) ? value : [value]) if (isSyntax(child)) visit(child)
    }
  }
  visit(parseAst(source, { lang: 'ts' }) as unknown as Syntax)
  return mutants.sort((a, b) => a.start - b.start)
}

type Fault = readonly [kind: string, target: Syntax, to: string]

function faultsAt(node: Syntax, text: (part: Syntax) => string): readonly Fault[] {
  switch (node.type) {
    case 'IfStatement':
    case 'ConditionalExpression': {
      const test = node.test as Syntax
      return [
        ['never', test, 'false'],
        ['always', test, 'true'],
      ]
    }
    case 'LogicalExpression': {
      const left = text(node.left as Syntax)
      if (node.operator === '??') return [['no default', node, left]]
      return [
        ['without the right side', node, left],
        ['without the left side', node, text(node.right as Syntax)],
      ]
    }
    case 'BinaryExpression': {
      const operator = nextTo[String(node.operator)]
      if (operator === undefined) return []
      return [['boundary', node, `(${text(node.left as Syntax)} ${operator} ${text(node.right as Syntax)})`]]
    }
    case 'UnaryExpression':
      return node.operator === '!' ? [['without not', node, text(node.argument as Syntax)]] : []
    case 'CallExpression':
      return faultsOfCall(node.callee as Syntax, node, text)
    default:
      return []
  }
}

function faultsOfCall(callee: Syntax, call: Syntax, text: (part: Syntax) => string): readonly Fault[] {
  if (callee.type !== 'MemberExpression') return []
  const property = callee.property as Syntax
  const name = String(property.name)
  const other = otherQuantifier[name]
  if (other !== undefined) return [[`${other} for ${name}`, property, other]]
  return name === 'filter' ? [['no filter', call, text(callee.object as Syntax)]] : []
}

function isSyntax(value: unknown): value is Syntax {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}
