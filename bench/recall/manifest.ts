/** Steps through parsed manifests, and changes to them. */
import { createHash } from 'node:crypto'
import { isObject, objectAt, objectsAt, stringAt, valueAt } from '../../src/values/untyped.js'

/** An object as it was read, or a part of one; those that an injection gets are copies. */
export type Manifest = Record<string, unknown>

/** The kinds that keep pods running. */
export const controllers = ['Deployment', 'StatefulSet', 'DaemonSet']

/** Gives the mapping at the end of a dotted path, which is made where it is not there. */
export function mapping(from: Manifest, path: string): Manifest {
  let here = from
  for (const step of path.split('.')) {
    const next = here[step]
    const found = isObject(next) ? (next as Manifest) : {}
    here[step] = found
    here = found
  }
  return here
}

/** Sets the field at the end of a dotted path. */
export function put(into: Manifest, path: string, value: unknown): void {
  const at = path.lastIndexOf('.')
  const parent = at < 0 ? into : mapping(into, path.slice(0, at))
  parent[path.slice(at + 1)] = value
}

/** Takes a field away, and tells whether it was there. */
export function drop(from: Manifest, path: string): boolean {
  const steps = path.split('.')
  const last = steps.pop() ?? ''
  const parent = steps.length === 0 ? from : objectAt(from, ...steps)
  if (!parent || !Object.hasOwn(parent, last)) return false
  delete (parent as Manifest)[last]
  return true
}

export function at(from: Manifest, path: string): unknown {
  return valueAt(from, ...path.split('.'))
}

/** The mappings of the list at the end of a dotted path. */
export function list(from: Manifest | undefined, path: string): Manifest[] {
  return from ? [...(objectsAt(from, ...path.split('.')) as readonly Manifest[])] : []
}

/** The list at the end of a dotted path, which is made where it is not there. */
export function listIn(from: Manifest, path: string): unknown[] {
  const found = at(from, path)
  if (Array.isArray(found)) return found
  const made: unknown[] = []
  put(from, path, made)
  return made
}

export function nameOf(object: Manifest): string {
  return stringAt(object, 'metadata', 'name') ?? ''
}

export function namespaceOf(object: Manifest): string {
  return stringAt(object, 'metadata', 'namespace') ?? ''
}

/** Kinds of Kubernetes' own groups by their names, others with their groups: a Service of Knative is none. */
export function kindOf(object: Manifest): string {
  const kind = String(object.kind ?? '')
  const [group = '', version] = String(object.apiVersion ?? '').split('/')
  const isOwn = version === undefined || !group.includes('.') || group.endsWith('.k8s.io')
  return isOwn && !group.startsWith('gateway.') ? kind : `${group}/${kind}`
}

const templates: Readonly<Record<string, string>> = {
  Deployment: 'spec.template',
  StatefulSet: 'spec.template',
  DaemonSet: 'spec.template',
  ReplicaSet: 'spec.template',
  Job: 'spec.template',
  CronJob: 'spec.jobTemplate.spec.template',
}

/** The pod template, or the Pod itself. */
export function templateOf(object: Manifest): Manifest | undefined {
  const kind = kindOf(object)
  if (kind === 'Pod') return object
  const path = templates[kind]
  const found = path === undefined ? undefined : at(object, path)
  return isObject(found) ? (found as Manifest) : undefined
}

/** The spec of the pods. */
export function podOf(object: Manifest): Manifest | undefined {
  const spec = templateOf(object)?.spec
  return isObject(spec) ? (spec as Manifest) : undefined
}

export function containersOf(object: Manifest): Manifest[] {
  return list(podOf(object), 'containers')
}

export function podLabels(object: Manifest): Manifest {
  const template = templateOf(object)
  return (template && (objectAt(template, 'metadata', 'labels') as Manifest | undefined)) ?? {}
}

/** A CronJob every quarter of an hour in the place of a Job. */
export function scheduled(object: Manifest): boolean {
  if (kindOf(object) === 'CronJob') return true
  const { metadata, spec } = object
  if (!isObject(spec) || nameOf(object) === '' || spec.suspend === true) return false
  const namespace = namespaceOf(object)
  for (const key of Object.keys(object)) delete object[key]
  Object.assign(object, {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: String((metadata as Manifest).name), ...(namespace !== '' && { namespace }) },
    spec: { schedule: '*/15 * * * *', concurrencyPolicy: 'Forbid', jobTemplate: { spec } },
  })
  return true
}

export function selects(selector: unknown, labels: Manifest): boolean {
  if (!isObject(selector)) return false
  const pairs = Object.entries(selector)
  return pairs.length > 0 && pairs.every(([key, value]) => labels[key] === value)
}

/** A number below `count` that depends on the text alone. */
export function draw(text: string, count: number): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) % Math.max(1, count)
}

export function copy<T>(value: T): T {
  return structuredClone(value)
}

/** A slip of the hand: two letters in the middle change places, or the last one is left out where they are the same. */
export function swapped(name: string): string {
  for (let i = name.length >> 1; i > 0; i--) {
    const [a = '', b = ''] = [name[i - 1], name[i]]
    if (a !== b && /[a-zA-Z]/.test(a) && /[a-zA-Z]/.test(b))
      return name.slice(0, i - 1) + b + a + name.slice(i + 1)
  }
  return name.slice(0, -1)
}

/** What stands around an object. */
export class Around {
  readonly added: Manifest[] = []
  readonly removed = new Set<Manifest>()

  /**
   * @param folder the other objects of its folder
   * @param unit all others that are read with it
   */
  constructor(
    readonly folder: readonly Manifest[],
    readonly unit: readonly Manifest[],
  ) {}

  of(kind: string, beside: Manifest): Manifest[] {
    return this.folder.filter((one) => kindOf(one) === kind && namespaceOf(one) === namespaceOf(beside))
  }

  /** The Services of its folder and namespace that select a workload's pods. */
  servicesOf(workload: Manifest): Manifest[] {
    return this.of('Service', workload).filter((one) =>
      selects(at(one, 'spec.selector'), podLabels(workload)),
    )
  }

  /** The workloads of its folder and namespace that a selector matches. */
  selectedBy(selector: unknown, beside: Manifest): Manifest[] {
    return this.folder.filter(
      (one) => namespaceOf(one) === namespaceOf(beside) && podOf(one) && selects(selector, podLabels(one)),
    )
  }

  /** Whether an Ingress, a balancer or a node port leads to one of its Services. */
  isOpen(workload: Manifest): boolean {
    const services = this.servicesOf(workload)
    const names = new Set(services.map(nameOf))
    return (
      services.some((one) => ['LoadBalancer', 'NodePort'].includes(String(at(one, 'spec.type')))) ||
      this.of('Ingress', workload).some((one) => backendsOf(one).some((name) => names.has(name)))
    )
  }

  /** The object that has the name in the folder and namespace of another one. */
  named(kind: string, name: string, beside: Manifest): Manifest | undefined {
    return this.of(kind, beside).find((one) => nameOf(one) === name)
  }

  add(object: Manifest): void {
    this.added.push(object)
  }

  remove(object: Manifest): void {
    this.removed.add(object)
  }
}

/** The names of the Services that an Ingress leads to. */
export function backendsOf(ingress: Manifest): string[] {
  const paths = list(ingress, 'spec.rules').flatMap((rule) => list(rule, 'http.paths'))
  const backends = [...paths.map((path) => path.backend), at(ingress, 'spec.defaultBackend')]
  return backends.flatMap((backend) => stringAt(backend, 'service', 'name') ?? [])
}

/** What a table of failures has to tell of one. */
export interface Injection {
  readonly rule: string
  readonly what: string
  /** The kinds of objects that can have it; `*` for all of Kubernetes' own groups. */
  readonly of: readonly string[]
  /** Writes it into the object. False where this one cannot have it. */
  edit?(object: Manifest, around: Around): boolean | Hit
  /** The same for its text. */
  text?(text: string, object: Manifest): string | false
}

/** What is expected where it is more than a finding of the rule at the object. */
export interface Hit {
  /** The object at which it is reported, or those of which one is. */
  readonly at?: Manifest | readonly Manifest[]
  /** What the message, or the fix, has to say. */
  readonly says?: string
}
