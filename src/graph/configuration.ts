/** Configuration of cluster components: files of their own, or texts inside ConfigMaps as kubeadm stores them. */
import { groupOf, isKind, type KubernetesObject, type Untyped } from '../kubernetes.js'
import { parse } from '../reader/parse.js'
import { split } from '../reader/split.js'
import { memo } from '../values/lazy.js'
import { isObject } from '../values/untyped.js'

/** A configuration file of a component, and where a report on it points. */
export interface Configuration {
  /** The configuration, unchecked. */
  readonly value: Untyped
  /**
   * Where to report a field of `node` (a mapping inside `value`): itself in a file of its own, the key of the
   * ConfigMap when the text is embedded.
   */
  place(node: object, field?: string): readonly [node: object, field: string | undefined]
}

/**
 * The configurations of one kind (`kubelet.config.k8s.io/KubeletConfiguration`) that an object is or holds. Texts in
 * a ConfigMap that are not YAML, or are something else, are passed over.
 */
export function configurationsIn(subject: KubernetesObject, kindName: string): readonly Configuration[] {
  const [group = '', kind = ''] = kindName.split('/')
  const isOne = (value: unknown): value is Untyped =>
    isObject(value) &&
    value.kind === kind &&
    typeof value.apiVersion === 'string' &&
    groupOf(value.apiVersion) === group
  if (isOne(subject)) return [{ value: subject, place: (node, field) => [node, field] }]
  const data = isKind(subject, 'ConfigMap') ? subject.data : undefined
  if (!data) return []
  return textsWithKinds(data).flatMap(([key, text]) => {
    if (!text.includes(kind) || !naming(kind).test(text)) return []
    return documentsIn(text)
      .filter(isOne)
      .map((value): Configuration => ({ value, place: () => [data, key] }))
  })
}

const textsOf = new WeakMap<object, readonly (readonly [key: string, text: string])[]>()

/** The texts of a ConfigMap that may be objects. Hardly one is, and many rules ask. */
function textsWithKinds(data: Readonly<Record<string, string>>) {
  const known = textsOf.get(data)
  if (known) return known
  const found = Object.entries(data).filter(([, text]) => text.includes('kind'))
  textsOf.set(data, found)
  return found
}

/** Finds a kind as a value of its own: parsing all that mentions a Config takes time. */
const naming = memo((kind: string) => new RegExp(`(?:^|[\\s:"'&])${kind}(?:$|[\\s"',}#])`))

/** The YAML documents of a text; none when it is not YAML. */
export function documentsIn(text: string): readonly unknown[] {
  const parsed = split(text).map((chunk) => parse(chunk.text))
  return parsed.every(({ ok }) => ok) ? parsed.map((one) => one.ok && one.value) : []
}
