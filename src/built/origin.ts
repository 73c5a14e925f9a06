/** The annotation in which kustomize says where an object comes from, when a build asks for it. */
import { isMapping } from '../reader/classify.js'
import { parse } from '../reader/parse.js'

/** What kustomize says of an object, as it says it: paths are relative to the kustomization that was built. */
export interface Origin {
  /** The file of the object. */
  readonly path?: string
  /** The file of the generator that has made it: the kustomization for those of kustomize itself. */
  readonly configuredIn?: string
  /** The kind of that generator, `ConfigMapGenerator`. */
  readonly generator?: string
  /** The repository that it was fetched from; the paths are in there. */
  readonly repo?: string
}

const key = 'config.kubernetes.io/origin'

/** A document as kustomize prints it, without the annotation, and what the annotation says. */
export function takeOrigin(text: string): { readonly text: string; readonly origin: Origin | undefined } {
  const lines = text.split('\n')
  const metadata = lines.indexOf('metadata:')
  const annotations = lines.findIndex((line, i) => i > metadata && line === '  annotations:')
  const isIn = (line: string | undefined, indent: number) =>
    line !== undefined && (line === '' || line.startsWith(' '.repeat(indent)))
  const endOf = (start: number, indent: number) => {
    let end = start
    while (end < lines.length - 1 && isIn(lines[end], indent)) end++
    return end
  }
  if (metadata < 0 || annotations < 0 || annotations >= endOf(metadata + 1, 2))
    return { text, origin: undefined }
  const last = endOf(annotations + 1, 4)
  const at = lines.findIndex((line, i) => i > annotations && i < last && line.startsWith(`    ${key}:`))
  if (at < 0) return { text, origin: undefined }
  const end = endOf(at + 1, 5)
  const origin = originIn(lines.slice(at, end).join('\n'))
  const isOnly = at === annotations + 1 && end === last
  return {
    text: lines.toSpliced(isOnly ? annotations : at, end - (isOnly ? annotations : at)).join('\n'),
    origin,
  }
}

function originIn(annotation: string): Origin | undefined {
  const outer = parse(annotation)
  const inner = outer.ok && isMapping(outer.value) ? outer.value[key] : undefined
  const parsed = typeof inner === 'string' ? parse(inner) : undefined
  if (!parsed?.ok || !isMapping(parsed.value)) return undefined
  const { path, configuredIn, configuredBy, repo } = parsed.value
  const generator = isMapping(configuredBy) ? configuredBy.kind : undefined
  return {
    ...(typeof path === 'string' && { path }),
    ...(typeof configuredIn === 'string' && { configuredIn }),
    ...(typeof generator === 'string' && { generator }),
    ...(typeof repo === 'string' && { repo }),
  }
}
