/** What a document is: a Kubernetes object, something for kustomize, or none of our business. */
import { builtinGroups, type Untyped } from '../kubernetes.js'
import { isObject, objectsAt } from '../values/untyped.js'

export type Class = 'object' | 'kustomization' | 'kustomize patch' | 'other'

/** What YAML calls an object, and what tells it from lists and plain values. */
export type Mapping = Untyped
export const isMapping: (value: unknown) => value is Mapping = isObject

/** `fileName` is the last part of the file's name. */
export function classify(value: unknown, fileName: string): Class {
  if (!isMapping(value)) return 'other'
  const { apiVersion, kind } = value
  if (isKustomization(apiVersion, kind, fileName)) return 'kustomization'
  return isMeantAsObject(value) ? 'object' : 'other'
}

/** Flux's objects of the same name have a group of their own and are ordinary objects. */
function isKustomization(apiVersion: unknown, kind: unknown, fileName: string): boolean {
  if (typeof apiVersion === 'string' && apiVersion !== '')
    return (
      apiVersion.startsWith('kustomize.config.k8s.io/') && (kind === 'Kustomization' || kind === 'Component')
    )
  return isKustomizationFile(fileName)
}

/** Whether kustomize builds what a file of this name says. */
export function isKustomizationFile(fileName: string): boolean {
  return /^(?:kustomization\.ya?ml|Kustomization)$/.test(fileName)
}

/**
 * An object has an apiVersion and a kind. With one of them missing or misshapen it still counts when everything else
 * says that an object was meant.
 */
function isMeantAsObject(value: Mapping): boolean {
  const { apiVersion, kind, metadata } = value
  const hasVersion = typeof apiVersion === 'string' && apiVersion !== ''
  const hasKind = typeof kind === 'string' && kind !== ''
  if (hasVersion && hasKind) return true
  if (hasKind)
    return (
      (Object.hasOwn(builtinGroups, kind) && isMapping(metadata)) ||
      (kind === 'List' && Array.isArray(value.items) && value.items.some(isMapping))
    )
  const isNamed = isMapping(metadata) && (isText(metadata.name) || isText(metadata.generateName))
  const hasBody = ['spec', 'data', 'stringData', 'rules', 'webhooks', 'subjects'].some(
    (field) => field in value,
  )
  return isNamed && hasBody && (hasVersion ? looksLikeVersion(apiVersion) : isMapping(value.spec))
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

/** `v1`, `apps/v1`, `example.com/v1beta2`. */
function looksLikeVersion(apiVersion: string): boolean {
  return /^(?:[a-z0-9.-]+\/)?v\d+(?:(?:alpha|beta)\d+)?$/.test(apiVersion)
}

/** Text that may hold an object: one of the two fields is named in it, as a key. */
export function mightHoldObject(text: string): boolean {
  if (!text.includes('apiVersion') && !text.includes('kind')) return false
  return /(?:^|[\s{,"'])(?:apiVersion|kind)["']?\s*:/.test(text)
}

/** Text that is called a configuration of kubectl, and has its fields. */
function isKubeconfig(text: string): boolean {
  return (
    text.includes('kind: Config') && /^kind: Config\r?$/m.test(text) && /^(?:clusters|contexts):/m.test(text)
  )
}

/** Broken text that was meant to be an object: one of the two fields starts a line, or the JSON text has both. */
export function looksLikeObject(text: string): boolean {
  if (isKubeconfig(text)) return false
  if (/^(?:["']?apiVersion["']?\s*:|["']?kind["']?\s*:\s*["']?[A-Z])/m.test(text)) return true
  return /^\s*\{/.test(text) && /"apiVersion"\s*:/.test(text) && /"kind"\s*:/.test(text)
}

/**
 * Whether a document is a strategic-merge patch: one of its directives stands somewhere in it, it lacks all that makes an object
 * of its kind, or the file is called a patch and holds a workload without selector, which the API server would refuse.
 * `fileName` is the last part of the file's name.
 */
export function isPatch(text: string, value: unknown, fileName: string): boolean {
  if (isFragment(value)) return true
  if (/(?:^|[-_.])patch(?:es)?(?:[-_.]|$)/i.test(fileName) && lacksSelector(value)) return true
  return (text.includes('$patch') || text.includes('$deleteFromPrimitiveList/')) && hasDirective(value)
}

/**
 * Whether kustomize keeps an object to itself: it is there for replacements and generators and not part of what is built.
 * Source: sigs.k8s.io/kustomize/api/konfig (IgnoredByKustomizeAnnotation).
 */
export function isLocal(value: unknown): boolean {
  if (!isMapping(value) || !isMapping(value.metadata) || !isMapping(value.metadata.annotations)) return false
  return 'config.kubernetes.io/local-config' in value.metadata.annotations
}

/**
 * Whether an object is what a test of Chainsaw compares with the cluster, and no manifest: its name, or a field of it, is an expression
 * in brackets, which no name and no field of Kubernetes may have. Kyverno's policies have such fields deep inside.
 * Source: https://kyverno.github.io/chainsaw/latest/quick-start/assertion-trees/
 */
export function isAssertion(value: unknown): boolean {
  if (!isMapping(value)) return false
  const { metadata, spec, status } = value
  const isExpression = (text: unknown) => typeof text === 'string' && /^\(.+\)$/s.test(text)
  if (isMapping(metadata) && (isExpression(metadata.name) || isExpression(metadata.namespace))) return true
  return [value, metadata, spec, status].some((one) => isMapping(one) && Object.keys(one).some(isExpression))
}

/**
 * Whether an object is what a test compares with one that a controller has made: it has owners, whose uids only the cluster knows.
 */
export function isMadeByOwner(value: unknown): boolean {
  const owners = isMapping(value) ? objectsAt(value, 'metadata', 'ownerReferences') : []
  return owners.length > 0 && owners.every((owner) => isText(owner.kind) && owner.uid === undefined)
}

/**
 * Whether an object of a kind that needs a spec is named and nothing more, but for a status: what a test waits for or expects to be gone,
 * or a page shows.
 */
export function isNameOnly(value: unknown): boolean {
  return (
    isMapping(value) &&
    /^(?:Pod|Service|Deployment|ReplicaSet|StatefulSet|DaemonSet|Job|CronJob)$/.test(String(value.kind)) &&
    isMapping(value.metadata) &&
    Object.keys(value).filter((field) => field !== 'status').length === 3 &&
    value.apiVersion !== undefined
  )
}

/**
 * Whether an object of a kind that needs a name has neither one nor a prefix of it: in tests, what a program makes many of, as the
 * benchmarks of the scheduler do. Source: kubernetes/test/integration/scheduler_perf (templates/pvc.yaml, operations.go).
 */
export function isNameless(value: unknown): boolean {
  if (!isMapping(value)) return false
  const { apiVersion, kind, metadata = {} } = value
  return (
    isText(apiVersion) &&
    /^(?:Pod|Node|Namespace|Service|PersistentVolume(?:Claim)?|ResourceClaim(?:Template)?|ResourceSlice|Deployment|ReplicaSet|StatefulSet|DaemonSet|Job|CronJob)$/.test(
      String(kind),
    ) &&
    isMapping(metadata) &&
    !('name' in metadata) &&
    !('generateName' in metadata)
  )
}

/**
 * The files that a suite of Gatekeeper's tests compares with a policy, relative to its own: what the policy refuses, what it admits and
 * what is in the cluster then. Undefined for all else. Source: gatekeeper/pkg/gator/verify/suite.go (Suite, Test, Case).
 */
export function testedFiles(value: unknown): readonly string[] | undefined {
  if (!isMapping(value) || value.kind !== 'Suite') return undefined
  if (typeof value.apiVersion !== 'string' || !value.apiVersion.startsWith('test.gatekeeper.sh/'))
    return undefined
  return objectsAt(value, 'tests')
    .flatMap((test) => objectsAt(test, 'cases'))
    .flatMap(({ object, inventory }) => [object, ...(Array.isArray(inventory) ? inventory : [])])
    .filter((file) => typeof file === 'string')
}

/**
 * Whether a definition is what a tool puts together with other files: its schema leads into one (`$ref: python://…`), where an API server
 * takes no `$ref` at all. Source: apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go ("$ref is not supported").
 */
export function hasForeignReference(value: unknown): boolean {
  const leadsAway = (one: unknown): boolean => {
    if (Array.isArray(one)) return one.some(leadsAway)
    if (!isMapping(one)) return false
    const { $ref: reference } = one
    return (typeof reference === 'string' && !reference.startsWith('#')) || Object.values(one).some(leadsAway)
  }
  return isMapping(value) && value.kind === 'CustomResourceDefinition' && leadsAway(value.spec)
}

function lacksSelector(value: unknown): boolean {
  if (!isMapping(value) || value.apiVersion !== 'apps/v1') return false
  const { kind, spec } = value
  return (
    (kind === 'Deployment' || kind === 'StatefulSet' || kind === 'DaemonSet') &&
    isMapping(spec) &&
    spec.selector === undefined
  )
}

/**
 * A patch as Hive's SyncSets list it, with the object's kind and name beside it; a pod without containers; a definition without group,
 * names and scope, or a workload without selector and images: nobody forgets all of them, and they are merged into the whole one; or a
 * workload, or what has no name, with nothing but a status, which a policy or a test compares.
 */
function isFragment(value: unknown): boolean {
  if (!isMapping(value)) return false
  const { kind, metadata, patch, patchType, spec, status } = value
  if (typeof patch === 'string' && typeof patchType === 'string' && metadata === undefined) return true
  if (lacksContainers(value)) return true
  if (spec === undefined) return isMapping(status) && isCompared(value)
  if (lacksSelector(value)) return isMapping(spec) && lacksImages(spec.template)
  if (kind !== 'CustomResourceDefinition' || !isMapping(spec)) return false
  return ['group', 'names', 'scope'].every((field) => !(field in spec) && !(field in value))
}

/** What a piece of a pod is about that says nothing of its containers. */
const ofPods: ReadonlySet<string> = new Set([
  'affinity',
  'dnsPolicy',
  'hostNetwork',
  'imagePullSecrets',
  'nodeSelector',
  'priorityClassName',
  'restartPolicy',
  'runtimeClassName',
  'schedulerName',
  'schedulingGates',
  'securityContext',
  'serviceAccountName',
  'tolerations',
  'topologySpreadConstraints',
  'volumes',
])

/**
 * Whether a pod has no containers, and nothing that may have been meant for them, or a Job neither a name nor images: what Spark makes its
 * pods from, a patch, or a piece to be shown. Source: Spark's documentation, Running on Kubernetes (pod template).
 */
function lacksContainers({ apiVersion, kind, metadata, spec, status }: Mapping): boolean {
  if (kind === 'Pod' && apiVersion === 'v1')
    return (
      isMapping(metadata) &&
      isMapping(spec) &&
      status === undefined &&
      Object.keys(spec).length > 0 &&
      Object.keys(spec).every((field) => ofPods.has(field))
    )
  return (
    kind === 'Job' &&
    !(isMapping(metadata) && (isText(metadata.name) || isText(metadata.generateName))) &&
    isMapping(spec) &&
    lacksImages(spec.template)
  )
}

/**
 * Whether a policy or a test that looks at states has such objects: workloads, or any that leave the name open and say nothing but the
 * state.
 */
function isCompared(value: Mapping): boolean {
  const { kind, metadata = {} } = value
  if (/^(?:Deployment|StatefulSet|DaemonSet)$/.test(String(kind))) return true
  return (
    isMapping(metadata) &&
    !isText(metadata.name) &&
    Object.keys(value).every((field) => /^(?:apiVersion|kind|metadata|status)$/.test(field))
  )
}

function lacksImages(template: unknown): boolean {
  if (template === undefined) return true
  const spec = isMapping(template) ? (template.spec ?? {}) : undefined
  const containers = isMapping(spec) ? (spec.containers ?? []) : undefined
  return Array.isArray(containers) && containers.every((one) => isMapping(one) && !('image' in one))
}

function hasDirective(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasDirective)
  if (!isMapping(value)) return false
  return Object.keys(value).some(
    (key) => key === '$patch' || key.startsWith('$deleteFromPrimitiveList/') || hasDirective(value[key]),
  )
}
