/** Objects that are not all that is applied: somebody fills in the rest before it is. */
import type { Resource } from '../graph/resource.js'
import type { KubernetesObject } from '../kubernetes.js'
import type { Programs } from '../reader/program.js'
import { isVariableName } from '../schema/format.js'
import { memo } from '../values/lazy.js'
import { arrayAt, isObject, valueAt } from '../values/untyped.js'
import type { Draft } from './evaluate.js'

/** Tells of a draft whether what it finds ends when somebody completes the object; what is written wrongly stays wrong. */
export function leftOpen(programs: Programs | undefined): (draft: Draft) => boolean {
  const isPart = memo((resource: Resource) => isCompleted(resource, programs))
  return ({ active: { id, rule }, resource, path, options: { lacks } }) => {
    // A program that embeds a workload scales it, too.
    if (rule.countsPods && programs?.embeds(resource.document.file.name)) return true
    if (lacks && !resource.document.live && programs?.makes(resource.document.file.name, lacks)) return true
    if (isRewritten(id, resource, programs)) return true
    if (id === 'missing-field' && isPodTemplate(resource, programs)) return true
    // A cluster without the version says so, and gets something else.
    if (id === 'removed-api-version' && resource.document.built?.asksFor?.(resource.apiVersion)) return true
    if (
      // The program looks for such words, and puts values in their place.
      rule.category === 'api-schema' &&
      isVariableName(valueAt(resource.document.value, ...path)) &&
      programs?.embeds(resource.document.file.name)
    )
      return true
    const isOpen = rule.category !== 'api-schema' || id === 'missing-field' || id === 'conflicting-fields'
    return (isOpen || (id === 'invalid-value' && lacksTypes(resource))) && isPart(resource)
  }
}

/** Whether schemas of a definition lack what controller-gen cannot know: who embeds its output completes them. */
function lacksTypes({ problems }: Resource): boolean {
  return problems.some(({ kind, path }) => kind === 'unusable-schema' && path.at(-1) === 'type')
}

/** What Quarkus reads from a folder of its own when a Java project is built. */
const quarkusSource =
  /(?:^|\/)src\/main\/kubernetes\/(?:common|kubernetes|openshift|knative|minikube|kind)\.(?:ya?ml|json)$/

/** What JKube, and before it fabric8's plugin for Maven, make objects of. Source: JKube documentation, resource fragments. */
const fragmentSource = /(?:^|\/)src\/main\/(?:jkube|fabric8)\//

/**
 * Whether Quarkus or JKube writes the object anew before it is applied, or a Go program does that has it in its module and fills in its
 * name: where a field takes text, they make text of numbers and booleans, and Quarkus and JKube add what their settings say.
 * Source: https://quarkus.io/guides/deploying-to-kubernetes#using-existing-resources, and sigs.k8s.io/yaml/yaml.go
 * (convertToJSONableObject).
 */
function isRewritten(id: string, { document, value }: Resource, programs: Programs | undefined): boolean {
  if (document.live) return false
  const isOpen = id === 'wrong-type' || id === 'missing-field' || id === 'conflicting-fields'
  const { name } = document.file
  if (isOpen && (quarkusSource.test(name) || fragmentSource.test(name))) return true
  return id === 'wrong-type' && /<\w+>/.test(value.metadata?.name ?? '') && (programs?.holds(name) ?? false)
}

/** Containers that a program gives their image by these names: the main ones of Spark and Flink, the agent of Jenkins. */
const filledContainers: ReadonlySet<unknown> = new Set([
  'spark-kubernetes-driver',
  'spark-kubernetes-executor',
  'flink-main-container',
  'jnlp',
])

/**
 * What files and folders of such pods are called: `pod_template.yaml`, `driver-template.yaml`, `executor_pod.yaml`, `jenkins/build.yaml`,
 * `KubernetesPod.yaml`.
 */
const podTemplatePath =
  /(?:^|[-_./])(?:pod[-_]?templates?|(?:driver|executor|jobmanager|taskmanager)[-_]?(?:pod|template)|jenkins|kubernetespod)(?:[-_./]|$)/i

/**
 * Whether a program makes its pods from the one that is written here: Jenkins, Spark, Flink, Airflow and Dask name them, Spark, Flink and
 * Airflow set the image, too. A container that only waits (`command: [cat]`, `tty: true`) is one that Jenkins runs its steps in.
 * Source: README.md of the kubernetes plugin of Jenkins; Spark, Running on Kubernetes (pod template properties); Flink, Native Kubernetes
 * (fields overwritten by Flink); Airflow, Kubernetes Executor (pod_template_file); dask-kubernetes, KubeCluster (worker-spec.yml).
 */
function isPodTemplate({ document, value }: Resource, programs: Programs | undefined): boolean {
  if (document.live || value.kind !== 'Pod') return false
  const { name } = document.file
  const containers = arrayAt(value, 'spec', 'containers').filter(isObject)
  return (
    podTemplatePath.test(name) ||
    containers.some((one) => filledContainers.has(one.name) || waitsForSteps(one) || isDaskWorker(one)) ||
    (programs?.builds(name) ?? false)
  )
}

function isDaskWorker({ command, args }: { readonly [field: string]: unknown }): boolean {
  return [command, args].flat().includes('dask-worker')
}

/** Whether a container does nothing until somebody runs something in it: `cat` with a terminal, `sleep 99d`, `sleep infinity`. */
function waitsForSteps({ command, args, tty }: { readonly [field: string]: unknown }): boolean {
  const line = [command, args]
    .flat()
    .filter((word) => typeof word === 'string')
    .join(' ')
  return (
    (tty === true && /(?:^|[/ ])cat$/.test(line)) || /(?:^|[/ ])sleep (?:\d{2,}d|infinity|9{3,})$/.test(line)
  )
}

/** What Maven and Gradle pack into a Java program, which reads it as a resource. */
const javaResource = /(?:^|\/)src\/main\/resources\//

/**
 * Whether the object is not all that is applied: a program embeds the file and the API server would refuse the object, or the program has
 * it among its sources with images that are empty on purpose, or without a name, or a script beside it puts in the image, or Flux merges it
 * into what others have written; or an upgrade of OpenShift deletes it.
 */
function isCompleted({ document, value, problems }: Resource, programs: Programs | undefined): boolean {
  if (document.live) return false
  const { name } = document.file
  const { metadata: { name: own, annotations } = {} } = value
  // Source: Flux, frequently asked questions (how to patch CoreDNS and other pre-installed addons).
  if (annotations?.['kustomize.toolkit.fluxcd.io/ssa']?.toLowerCase() === 'merge') return true
  // Source: openshift/cluster-version-operator/docs/dev/object-deletion.md.
  if (annotations?.['release.openshift.io/delete'] === 'true') return true
  if (!own && javaResource.test(name)) return true
  if (!programs) return false
  const isRefused = problems.some(
    ({ kind }) => kind === 'missing-field' || kind === 'conflict' || kind === 'unusable-schema',
  )
  const lacksImage = problems.some(({ kind, path }) => kind === 'missing-field' && path.at(-1) === 'image')
  if (lacksImage && programs.edits(name)) return true
  return (isRefused && programs.embeds(name)) || (hasEmptyImage(value) && programs.holds(name))
}

function hasEmptyImage(value: KubernetesObject): boolean {
  const pod = ['spec', 'template', 'spec']
  return [...arrayAt(value, ...pod, 'containers'), ...arrayAt(value, ...pod, 'initContainers')].some(
    (container) => isObject(container) && container.image === '',
  )
}
