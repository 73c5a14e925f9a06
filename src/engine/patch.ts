/** The kubectl command that makes a change to an object of a cluster. It is shown, and never run. */
import type { Edit, Path } from '../finding.js'
import { at, nested } from '../fix/edited.js'
import { escapedStep } from '../values/pointer.js'

interface Operation {
  readonly op: 'add' | 'replace' | 'remove' | 'move' | 'test'
  readonly path: string
  readonly from?: string
  readonly value?: unknown
}

export interface Target {
  /** As kubectl names it: `deployment/web`, `certificate.cert-manager.io/web`. */
  readonly name: string
  /** Empty for objects without a namespace. */
  readonly namespace: string
  readonly value: unknown
}

/** `kubectl patch deployment/web -n shop --type=json -p '[…]'`; undefined when there is nothing to change. */
export function patchCommand({ name, namespace, value }: Target, edits: readonly Edit[]): string | undefined {
  if (edits.length === 0) return undefined
  const operations = edits.flatMap((edit) => [...guards(value, edit.path), operationOf(value, edit)])
  const within = namespace === '' ? '' : ` -n ${namespace}`
  return `kubectl patch ${name}${within} --type=json -p ${quoted(JSON.stringify(operations))}`
}

/** The cluster that a command is for; without either, the one that kubectl goes to by itself. */
export interface Aim {
  readonly kubeconfig?: string | undefined
  readonly context?: string | undefined
}

/** The command for that cluster, whatever the current context is. */
export function aimed(command: string, { kubeconfig, context }: Aim): string {
  const file = kubeconfig === undefined ? '' : `--kubeconfig ${quoted(kubeconfig)} `
  const cluster = context === undefined ? '' : `--context ${quoted(context)} `
  return command.replace(/^kubectl /, () => `kubectl ${file}${cluster}`)
}

/** That the items of lists on the way still are those that were looked at. */
function guards(root: unknown, path: Path): Operation[] {
  return path.flatMap((step, i): Operation[] => {
    if (typeof step !== 'number') return []
    const name = [...path.slice(0, i + 1), 'name']
    const found = valueAt(root, name)
    return typeof found === 'string' ? [{ op: 'test', path: pointer(name), value: found }] : []
  })
}

function operationOf(root: unknown, edit: Edit): Operation {
  switch (edit.op) {
    case 'remove':
      return { op: 'remove', path: pointer(edit.path) }
    case 'move':
      return { op: 'move', from: pointer(edit.path), path: pointer(edit.to) }
    case 'set': {
      if (valueAt(root, edit.path) !== undefined)
        return { op: 'replace', path: pointer(edit.path), value: edit.value }
      // What is missing on the way is made with it: a patch adds one level only.
      let depth = 1
      while (depth < edit.path.length && valueAt(root, edit.path.slice(0, depth)) !== undefined) depth++
      const value = nested(edit.path.slice(depth), edit.value)
      return { op: 'add', path: pointer(edit.path.slice(0, depth)), value }
    }
  }
}

/** A null is nothing to a patch. */
function valueAt(root: unknown, path: Path): unknown {
  return at(root, path) ?? undefined
}

function pointer(path: Path): string {
  return path.map((step) => `/${escapedStep(String(step))}`).join('')
}

/** For a shell: nothing in it has a meaning. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
