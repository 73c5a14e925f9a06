/**
 * What the API server refuses although every field by itself is right: contradictions between fields, and names.
 *
 * Checks are listed by Go type and see values whose types are true. Source: pkg/apis/…/validation of k8s.io/kubernetes;
 * each was tried with a kube-apiserver (docs/validation.md).
 */
import { isIP } from 'node:net'
import type { Path } from '../finding.js'
import { quantity } from '../graph/quantity.js'
import { schedule } from '../graph/schedule.js'
import { matchesLabels, matchesSelector } from '../graph/selector.js'
import type {
  ContainerSpec,
  CronJob,
  CustomResourceDefinition,
  DaemonSet,
  Deployment,
  HorizontalPodAutoscaler,
  Ingress,
  Job,
  KubernetesObject,
  ObjectMeta,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  PodSpec,
  PodTemplateSpec,
  ReplicationController,
  Role,
  RoleBinding,
  Service,
  StatefulSet,
} from '../kubernetes.js'
import { isPlaceholder, type NameForm, nameForms } from './format.js'

/** Says that something is refused. `path` starts at the value that is looked at. */
export interface Say {
  /** The target minor version, for what servers refuse from some release on. */
  readonly minor: number
  /** @param message follows the path of the field: `names no volume of the pod: "data"` */
  conflict(path: Path, message: string): void
  /** @param because follows "is missing, ": `and type is ExternalName` */
  lacks(path: Path, because?: string): void
  name(path: Path, form: NameForm, value: string | undefined): void
}

/** @param fields those that there are, of which the server wants one or takes one at most */
function oneOf(value: object, fields: readonly string[]): readonly string[] {
  return fields.filter((field) => ((value as Readonly<Record<string, unknown>>)[field] ?? '') !== '')
}

type Check = (value: never, say: Say) => void
/** Declares a check with the type of its value, which the walk guarantees. */
const on = <T>(check: (value: T, say: Say) => void): Check => check as Check

type Spec<T extends { readonly spec?: unknown }> = NonNullable<T['spec']>
type Item<T> = T extends readonly (infer U)[] ? U : never

const list = (fields: readonly string[]) =>
  fields.length < 2 ? String(fields[0]) : `${fields.slice(0, -1).join(', ')} or ${fields.at(-1)}`

/** Exactly one of the fields, or at most one. */
function choice(fields: readonly string[], least: 0 | 1): Check {
  return on<object>((value, say) => {
    const found = oneOf(value, fields)
    if (found.length < least) say.conflict([], `needs one of ${list(fields)}`)
    else if (found.length > 1) say.conflict([String(found[1])], `cannot stand beside ${found[0]}`)
  })
}

/** Whether Go knows the time zone, as far as this program can tell. */
function isTimeZone(name: string): boolean {
  try {
    return /^[\w/.+-]+$/.test(name) && Boolean(new Intl.DateTimeFormat('en', { timeZone: name }))
  } catch {
    return false
  }
}

const isZero = (value: unknown): boolean => value === 0 || value === '0%'

const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc']
const hooks = ['exec', 'httpGet', 'tcpSocket', 'sleep']

const pod: (
  spec: PodSpec | undefined,
  say: Say,
  at: Path,
  more?: { volumes?: readonly string[]; restart?: readonly string[] },
) => void = (spec, say, at, { volumes = [], restart } = {}) => {
  if (!spec) return
  const known = new Set([...volumes, ...(spec.volumes ?? []).map((volume) => volume.name)])
  for (const sort of ['initContainers', 'containers'] as const)
    for (const [i, container] of (spec[sort] ?? []).entries()) {
      const sleep = container.lifecycle?.preStop?.sleep?.seconds
      const grace = spec.terminationGracePeriodSeconds ?? 30
      if (sleep !== undefined && sleep > grace)
        say.conflict(
          [...at, sort, i, 'lifecycle', 'preStop', 'sleep', 'seconds'],
          `is ${sleep}, more than terminationGracePeriodSeconds, ${grace}`,
        )
      for (const [j, { name }] of (container.volumeMounts ?? []).entries())
        if (name && !known.has(name) && !isPlaceholder(name))
          say.conflict(
            [...at, sort, i, 'volumeMounts', j, 'name'],
            `names no volume of the pod: ${JSON.stringify(name)}`,
          )
      for (const [j, { name }] of (container.volumeDevices ?? []).entries())
        if (name && !known.has(name) && !isPlaceholder(name))
          say.conflict(
            [...at, sort, i, 'volumeDevices', j, 'name'],
            `names no volume of the pod: ${JSON.stringify(name)}`,
          )
    }
  if (restart && !restart.includes(spec.restartPolicy || 'Always') && !isPlaceholder(spec.restartPolicy))
    say.conflict(
      [...at, 'restartPolicy'],
      spec.restartPolicy
        ? `is ${spec.restartPolicy}, and takes ${list(restart)} only`
        : `is Always by default, and takes ${list(restart)} only`,
    )
}

const always = ['Always']

/** The pod template of a workload and the selector that has to match it. */
function workload(
  { template, selector }: { template?: PodTemplateSpec | undefined; selector?: unknown },
  say: Say,
  more?: { volumes?: readonly string[]; restart?: readonly string[] },
): void {
  pod(template?.spec, say, ['template', 'spec'], { restart: always, ...more })
  if (!template || selector === undefined) return
  const labels = template.metadata?.labels
  const { matchLabels, matchExpressions } = selector as Spec<Deployment>['selector'] & object
  if (Object.keys(matchLabels ?? {}).length === 0 && (matchExpressions ?? []).length === 0)
    say.conflict(['selector'], 'is empty, and has to select the pods of the template')
  else if (!matchesSelector(selector as Spec<Deployment>['selector'], labels)) {
    if ([...Object.values(matchLabels ?? {}), ...Object.values(labels ?? {})].some(isPlaceholder)) return
    const differs = Object.entries(matchLabels ?? {}).find(([key, value]) => labels?.[key] !== value)
    say.conflict(
      differs ? ['selector', 'matchLabels', differs[0]] : ['selector'],
      'does not match the labels of the pod template',
    )
  }
}

/** Resources of containers besides CPU and memory. Source: validateContainerResourceName, IsExtendedResourceName. */
function devices(resources: ContainerSpec['resources'], say: Say): void {
  const { limits = {}, requests = {} } = resources ?? {}
  for (const sort of ['limits', 'requests'] as const)
    for (const [resource, amount] of Object.entries(resources?.[sort] ?? {})) {
      const isDevice = resource.includes('/') && !resource.includes('kubernetes.io/')
      const path = ['resources', sort, resource]
      if (!containerResources.test(resource)) {
        if (!isPlaceholder(resource)) say.conflict(path, 'is no resource, and those of devices have a domain')
      } else if (isDevice && !Number.isInteger(quantity(amount) ?? 0))
        say.conflict(path, `is ${amount}, and has to be a whole number`)
    }
  for (const [resource, request] of Object.entries(requests)) {
    if (!resource.includes('/') || resource.includes('kubernetes.io/')) continue
    const limit = limits[resource]
    if (limit === undefined) say.lacks(['resources', 'limits', resource], 'and is requested')
    else if ((quantity(request) ?? 0) < (quantity(limit) ?? 0))
      say.conflict(['resources', 'requests', resource], `is ${request}, and has to be the limit, ${limit}`)
  }
}

const nameOf = (field: string, form: NameForm): Check =>
  on<Readonly<Record<string, string>>>((value, say) => say.name([field], form, value[field]))

const more: Readonly<Record<string, readonly Check[]>> = {
  'core.PersistentVolumeClaimSpec': [
    on<Spec<PersistentVolumeClaim>>(({ resources }, say) => {
      if (resources?.requests && !Object.hasOwn(resources.requests, 'storage'))
        say.lacks(['resources', 'requests', 'storage'])
      if ((quantity(resources?.requests?.storage) ?? 1) <= 0)
        say.conflict(['resources', 'requests', 'storage'], 'has to be more than 0')
    }),
  ],
  'networking/v1.IngressSpec': [
    on<Spec<Ingress>>(({ defaultBackend, rules }, say) => {
      if (!defaultBackend && (rules ?? []).length === 0) say.lacks(['rules'], 'and so is defaultBackend')
    }),
  ],
  'core.PersistentVolumeSpec': [
    on<object>((spec, say) => {
      const sources = Object.keys(spec).filter((field) => !notSources.has(field))
      if (sources.length === 0) say.conflict([], 'needs a source, such as csi, nfs or hostPath')
      // The server forgets to count flexVolume when it comes after some of the others.
      const [first, second] = sources.filter((field) => field !== 'flexVolume')
      if (second !== undefined) say.conflict([second], `cannot stand beside ${first}`)
    }),
  ],
}

/** Fields of a PersistentVolume that are no source. */
const notSources = new Set([
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
])

const resourceTarget = on<{
  readonly target?: { readonly averageValue?: unknown; readonly averageUtilization?: unknown }
}>(({ target }, say) => {
  if (target?.averageValue !== undefined && target.averageUtilization !== undefined)
    say.conflict(['target', 'averageValue'], 'cannot stand beside averageUtilization')
})

const byType: Readonly<Record<string, readonly Check[]>> = {
  'admissionregistration.WebhookClientConfig': [
    choice(['url', 'service'], 1),
    on<{ readonly url?: string }>(({ url }, say) => {
      if (url && !url.startsWith('https://') && !isPlaceholder(url))
        say.conflict(['url'], 'has to start with https://')
    }),
  ],
  'apiextensions.CustomResourceDefinition': [
    on<CustomResourceDefinition>(({ metadata, spec }, say) => {
      const { group, names } = spec ?? {}
      const name = `${names?.plural}.${group}`
      if (
        names?.plural &&
        group &&
        metadata?.name &&
        metadata.name !== name &&
        !isPlaceholder(name + metadata.name)
      )
        say.conflict(['metadata', 'name'], `has to be plural and group, ${JSON.stringify(name)}`)
      say.name(['spec', 'group'], 'subdomain', group)
      for (const field of ['plural', 'singular'] as const)
        say.name(['spec', 'names', field], 'label', names?.[field])
      for (const field of ['categories', 'shortNames'] as const)
        for (const [i, one] of (names?.[field] ?? []).entries())
          say.name(['spec', 'names', field, i], 'label', one)
    }),
  ],
  'apps.DaemonSetSpec': [on<Spec<DaemonSet>>((spec, say) => workload(spec, say))],
  'apps.DeploymentSpec': [
    on<Spec<Deployment>>((spec, say) => {
      workload(spec, say)
      const { minReadySeconds = 0, progressDeadlineSeconds = 600 } = spec
      if (progressDeadlineSeconds <= minReadySeconds)
        say.conflict(
          [spec.progressDeadlineSeconds === undefined ? 'minReadySeconds' : 'progressDeadlineSeconds'],
          `has to leave time: the deadline is ${progressDeadlineSeconds} s, minReadySeconds ${minReadySeconds}`,
        )
    }),
  ],
  'apps.DeploymentStrategy': [
    on<NonNullable<Spec<Deployment>['strategy']>>(({ type, rollingUpdate }, say) => {
      if (type === 'Recreate' && rollingUpdate)
        say.conflict(['rollingUpdate'], 'cannot stand beside type Recreate')
      const { maxSurge, maxUnavailable } = rollingUpdate ?? {}
      if (isZero(maxUnavailable) && isZero(maxSurge))
        say.conflict(['rollingUpdate', 'maxUnavailable'], 'cannot be 0 when maxSurge is 0 too')
    }),
  ],
  'apps.DaemonSetUpdateStrategy': [
    on<NonNullable<Spec<DaemonSet>['updateStrategy']>>(({ rollingUpdate }, say) => {
      const { maxSurge = 0, maxUnavailable = 1 } = rollingUpdate ?? {}
      if (isZero(maxUnavailable) && isZero(maxSurge))
        say.conflict(['rollingUpdate', 'maxUnavailable'], 'cannot be 0 when maxSurge is 0 too')
    }),
  ],
  'apps.ReplicaSetSpec': [on<Spec<Deployment>>((spec, say) => workload(spec, say))],
  'apps.StatefulSetSpec': [
    on<Spec<StatefulSet>>((spec, say) => {
      workload(spec, say, {
        volumes: (spec.volumeClaimTemplates ?? []).flatMap(({ metadata }) => metadata?.name ?? []),
      })
      say.name(['serviceName'], 'label', spec.serviceName)
    }),
  ],
  'autoscaling.HPAScalingRules': [
    on<{ readonly policies?: readonly unknown[] }>(({ policies }, say) => {
      if (policies?.length === 0) say.conflict(['policies'], 'is empty')
    }),
  ],
  'autoscaling.HorizontalPodAutoscalerSpec': [
    on<Spec<HorizontalPodAutoscaler>>(({ minReplicas = 1, maxReplicas, scaleTargetRef }, say) => {
      if (say.minor >= 34 && scaleTargetRef?.kind && !isPlaceholder(scaleTargetRef.apiVersion)) {
        const { apiVersion, kind } = scaleTargetRef
        const path = ['scaleTargetRef', 'apiVersion']
        if (!apiVersion) say.lacks(path, `and the group of ${kind} is unknown without`)
        else if (!apiVersion.includes('/'))
          say.conflict(path, `is ${apiVersion}, and has to name an API group, as apps/v1 does`)
      }
      if (maxReplicas !== undefined && maxReplicas > 0 && maxReplicas < minReplicas)
        say.conflict(['maxReplicas'], `is ${maxReplicas}, less than minReplicas, ${minReplicas}`)
    }),
  ],
  'autoscaling.MetricSpec': [
    on<{ readonly type?: string; readonly [source: string]: unknown }>((metric, say) => {
      const source = metric.type && `${metric.type.charAt(0).toLowerCase()}${metric.type.slice(1)}`
      if (!source || !metricSources.includes(source)) return
      const found = oneOf(metric, metricSources)
      if (!found.includes(source)) say.lacks([source], `and type is ${metric.type}`)
      else if (found.length > 1)
        say.conflict(
          [found.find((one) => one !== source) ?? source],
          `cannot stand beside type ${metric.type}`,
        )
    }),
  ],
  'autoscaling.ContainerResourceMetricSource': [resourceTarget],
  'autoscaling.ResourceMetricSource': [resourceTarget],
  'autoscaling.MetricTarget': [
    on<object>((target, say) => {
      if (oneOf(target, targets).length === 0) say.conflict([], `needs one of ${list(targets)}`)
    }),
  ],
  'batch.CronJobSpec': [
    on<Spec<CronJob>>((spec, say) => {
      const text = spec.schedule
      if (text && !isPlaceholder(text)) {
        if (!/TZ/.test(text)) {
          if (!schedule(text)) say.conflict(['schedule'], `is no schedule: ${JSON.stringify(text)}`)
        } else if (say.minor >= 29)
          say.conflict(['schedule'], 'names a time zone, which servers from 1.29 on take in timeZone only')
      }
      if (spec.timeZone && !isPlaceholder(spec.timeZone) && !isTimeZone(spec.timeZone))
        say.conflict(['timeZone'], `is no time zone: ${JSON.stringify(spec.timeZone)}`)
    }),
  ],
  'batch.JobSpec': [
    on<Spec<Job>>((spec, say) => {
      pod(spec.template?.spec, say, ['template', 'spec'], { restart: ['Never', 'OnFailure'] })
      // Without either, both are 1.
      if (
        spec.completionMode === 'Indexed' &&
        spec.completions === undefined &&
        spec.parallelism !== undefined
      )
        say.lacks(['completions'], 'and completionMode is Indexed')
    }),
    on<IndexedJob>((spec, say) => {
      if (spec.completionMode !== 'Indexed')
        for (const field of ['backoffLimitPerIndex', 'maxFailedIndexes', 'successPolicy'] as const)
          if (spec[field] !== undefined) say.conflict([field], 'goes with completionMode Indexed only')
      if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined)
        say.lacks(['backoffLimitPerIndex'], 'and maxFailedIndexes is there')
      const { restartPolicy } = spec.template?.spec ?? {}
      if (spec.podFailurePolicy && restartPolicy === 'OnFailure')
        say.conflict(['podFailurePolicy'], 'goes with restartPolicy Never only')
    }),
  ],
  'core.Container': [
    on<ContainerSpec>((container, say) => {
      const { name, image, resources, ports, livenessProbe, readinessProbe, startupProbe } = container
      const { securityContext, volumeMounts } = container
      say.name(['name'], 'label', name)
      for (const [i, port] of (ports ?? []).entries()) say.name(['ports', i, 'name'], 'port', port.name)
      if (image && image.trim() !== image) say.conflict(['image'], 'has a space at its start or end')
      for (const [i, { mountPropagation }] of (volumeMounts ?? []).entries())
        if (mountPropagation === 'Bidirectional' && !securityContext?.privileged)
          say.conflict(
            ['volumeMounts', i, 'mountPropagation'],
            'is Bidirectional, for privileged containers only',
          )
      for (const [probe, field] of [
        [livenessProbe, 'livenessProbe'],
        [startupProbe, 'startupProbe'],
      ] as const)
        if (probe?.successThreshold !== undefined && probe.successThreshold > 1)
          say.conflict([field, 'successThreshold'], `is ${probe.successThreshold}, and has to be 1`)
      for (const sort of ['limits', 'requests'] as const)
        for (const [resource, amount] of Object.entries(resources?.[sort] ?? {})) {
          if ((quantity(amount) ?? 0) < 0)
            say.conflict(['resources', sort, resource], `is ${amount}, and has to be at least 0`)
        }
      if (readinessProbe?.terminationGracePeriodSeconds !== undefined)
        say.conflict(['readinessProbe', 'terminationGracePeriodSeconds'], 'goes with the other probes only')
      for (const [resource, request] of Object.entries(resources?.requests ?? {})) {
        const limit = resources?.limits?.[resource]
        const wanted = quantity(request)
        const most = quantity(limit)
        if (wanted !== undefined && most !== undefined && wanted > most)
          say.conflict(['resources', 'requests', resource], `is ${request}, more than the limit, ${limit}`)
      }
      devices(resources, say)
    }),
  ],
  'core.SecurityContext': [
    on<NonNullable<ContainerSpec['securityContext']>>(({ privileged, allowPrivilegeEscalation }, say) => {
      if (privileged && allowPrivilegeEscalation === false)
        say.conflict(['allowPrivilegeEscalation'], 'cannot be false when privileged is true')
    }),
  ],
  'core.EndpointSubset': [
    on<{ readonly addresses?: readonly unknown[]; readonly notReadyAddresses?: readonly unknown[] }>(
      ({ addresses = [], notReadyAddresses = [] }, say) => {
        if (addresses.length + notReadyAddresses.length === 0)
          say.conflict([], 'needs addresses or notReadyAddresses')
      },
    ),
  ],
  'core.EnvFromSource': [choice(['configMapRef', 'secretRef'], 1)],
  'core.EnvVar': [
    on<Item<ContainerSpec['env']>>(({ value, valueFrom }, say) => {
      if (value && valueFrom) say.conflict(['valueFrom'], 'cannot stand beside value')
    }),
  ],
  'core.EnvVarSource': [
    on<NonNullable<Item<ContainerSpec['env']>['valueFrom']>>(({ fieldRef }, say) => {
      const path = fieldRef?.fieldPath
      if (path && !podFields.test(path) && !isPlaceholder(path))
        say.conflict(
          ['fieldRef', 'fieldPath'],
          `is no field that a variable can have: ${JSON.stringify(path)}`,
        )
    }),
    choice(['configMapKeyRef', 'fieldRef', 'resourceFieldRef', 'secretKeyRef', 'fileKeyRef'], 1),
  ],
  'core.Handler': [choice(hooks, 1)],
  'core.LifecycleHandler': [choice(hooks, 1)],
  'core.NodeSelectorRequirement': [
    on<Requirement>((requirement, say) => {
      valuesOf(requirement, say)
      const { operator, values = [] } = requirement
      if ((operator === 'Gt' || operator === 'Lt') && values.length !== 1)
        say.conflict(['values'], `needs one number, and operator is ${operator}`)
    }),
  ],
  'core.Pod': [on<Pod>((object, say) => pod(object.spec, say, ['spec']))],
  'core.PodSpec': [
    on<PodSpec>((spec, say) => {
      const { volumes, initContainers, containers, dnsPolicy, dnsConfig } = spec
      for (const field of ['serviceAccountName', 'priorityClassName'] as const)
        say.name([field], 'subdomain', spec[field])
      for (const field of ['hostname', 'subdomain'] as const) say.name([field], 'label', spec[field])
      if (dnsPolicy === 'None' && (dnsConfig?.nameservers ?? []).length === 0)
        say.lacks(['dnsConfig', 'nameservers'], 'and dnsPolicy is None')
      for (const [i, container] of (initContainers ?? []).entries()) {
        if (container.restartPolicy === 'Always') continue
        const [early] = oneOf(container, ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'])
        if (early) say.conflict(['initContainers', i, early], 'goes with restartPolicy Always only')
      }
      for (const [i, constraint] of (spec.topologySpreadConstraints ?? []).entries())
        if ((constraint.matchLabelKeys ?? []).length > 0 && !constraint.labelSelector)
          say.conflict(['topologySpreadConstraints', i, 'matchLabelKeys'], 'goes with a labelSelector only')
      for (const [i, { name }] of (volumes ?? []).entries()) say.name(['volumes', i, 'name'], 'label', name)
      const names = new Set((containers ?? []).map((container) => container.name))
      for (const [i, { name }] of (initContainers ?? []).entries())
        if (name && names.has(name))
          say.conflict(
            ['initContainers', i, 'name'],
            `is the name of a container too: ${JSON.stringify(name)}`,
          )
    }),
    on<PodSpec>(({ nodeSelector }, say) => labels(nodeSelector, say, ['nodeSelector'])),
    on<PodSpec>(({ hostNetwork, containers }, say) => {
      for (const [i, { ports }] of (hostNetwork ? (containers ?? []) : []).entries())
        for (const [j, { containerPort, hostPort }] of (ports ?? []).entries())
          if (hostPort && containerPort && hostPort !== containerPort)
            say.conflict(
              ['containers', i, 'ports', j, 'hostPort'],
              `is ${hostPort}, and with hostNetwork it has to be the containerPort, ${containerPort}`,
            )
    }),
  ],
  'core.Probe': [choice(handlers, 1)],
  'core.ReplicationControllerSpec': [
    on<Spec<ReplicationController>>(({ template, selector }, say) => {
      pod(template?.spec, say, ['template', 'spec'], { restart: always })
      const own = template?.metadata?.labels
      if (!template) return
      if (Object.keys(selector ?? own ?? {}).length === 0)
        say.lacks(['template', 'metadata', 'labels'], 'and the selector is taken from them')
      else if (selector && !matchesLabels(selector, own))
        say.conflict(['selector'], 'does not match the labels of the pod template')
    }),
  ],
  'core.SeccompProfile': [
    on<{ readonly type?: string; readonly localhostProfile?: string }>(({ type, localhostProfile }, say) => {
      if (type === 'Localhost' && !localhostProfile) say.lacks(['localhostProfile'], 'and type is Localhost')
      if (type !== 'Localhost' && localhostProfile)
        say.conflict(['localhostProfile'], 'goes with type Localhost only')
    }),
  ],
  'core.ServiceSpec': [
    on<Spec<Service>>(({ type, clusterIP, ports, externalName, selector }, say) => {
      const external = type === 'ExternalName'
      if (clusterIP && clusterIP !== 'None' && !isIP(clusterIP) && !isPlaceholder(clusterIP))
        say.conflict(['clusterIP'], `is neither None nor an address: ${JSON.stringify(clusterIP)}`)
      if ((ports ?? []).length === 0 && !external && clusterIP !== 'None')
        say.lacks(['ports'], 'and only headless and ExternalName Services do without')
      if (external && !externalName) say.lacks(['externalName'], 'and type is ExternalName')
      if ((ports ?? []).length > 1)
        for (const [i, port] of (ports ?? []).entries())
          if (!port.name) say.lacks(['ports', i, 'name'], 'and there is more than one port')
      for (const [i, port] of (ports ?? []).entries()) say.name(['ports', i, 'name'], 'label', port.name)
      labels(selector, say, ['selector'])
      if (external) say.name(['externalName'], 'subdomain', externalName?.replace(/\.$/, ''))
    }),
    on<Spec<Service>>(({ type, externalTrafficPolicy, externalIPs }, say) => {
      if (externalTrafficPolicy && (type ?? 'ClusterIP') === 'ClusterIP' && (externalIPs ?? []).length === 0)
        say.conflict(['externalTrafficPolicy'], 'goes with type LoadBalancer or NodePort only')
    }),
  ],
  'core.Toleration': [
    on<Item<PodSpec['tolerations']>>(({ key, operator, value, effect, tolerationSeconds }, say) => {
      if (operator === 'Exists' && value) say.conflict(['value'], 'cannot stand beside operator Exists')
      if (!key && operator !== 'Exists') say.conflict(['operator'], 'has to be Exists without a key')
      if (tolerationSeconds !== undefined && effect !== 'NoExecute')
        say.conflict(['tolerationSeconds'], 'goes with effect NoExecute only')
    }),
  ],
  'core.Volume': [
    on<object>((volume, say) => {
      const sources = Object.keys(volume).filter((field) => field !== 'name')
      if (sources.length > 1) say.conflict([String(sources[1])], `cannot stand beside ${sources[0]}`)
    }),
  ],
  'meta.LabelSelector': [
    on<{ readonly matchLabels?: Labels }>(({ matchLabels }, say) =>
      labels(matchLabels, say, ['matchLabels']),
    ),
  ],
  'meta.LabelSelectorRequirement': [on<Requirement>((requirement, say) => valuesOf(requirement, say))],
  'meta.ObjectMeta': [
    on<ObjectMeta>((metadata, say) => {
      labels(metadata.labels, say, ['labels'])
      for (const key of Object.keys(metadata.annotations ?? {}))
        say.name(['annotations', key], 'label key', key.toLowerCase())
      say.name(['namespace'], 'label', metadata.namespace)
    }),
  ],
  'networking.HTTPIngressPath': [
    on<{ readonly path?: string; readonly pathType?: string }>(({ path, pathType }, say) => {
      if (path?.startsWith('/') || isPlaceholder(path)) return
      if (path || pathType === 'Exact' || pathType === 'Prefix') say.conflict(['path'], 'has to start with /')
    }),
  ],
  'networking.IngressTLS': [
    on<{ readonly hosts?: readonly string[]; readonly secretName?: string }>(({ hosts, secretName }, say) => {
      say.name(['secretName'], 'subdomain', secretName)
      for (const [i, host] of (hosts ?? []).entries())
        say.name(['hosts', i], 'subdomain', host.replace(/^\*\./, ''))
    }),
  ],
  'networking/v1.IngressBackend': [choice(['service', 'resource'], 1)],
  'networking.IngressRule': [
    on<{ readonly host?: string }>(({ host }, say) =>
      say.name(['host'], 'subdomain', host?.replace(/^\*\./, '')),
    ),
  ],
  'networking.IngressServiceBackend': [nameOf('name', 'label')],
  'networking.NetworkPolicyPort': [
    on<{ readonly port?: number | string; readonly endPort?: number }>(({ port, endPort }, say) => {
      if (endPort === undefined || isPlaceholder(port)) return
      if (typeof port !== 'number') say.conflict(['endPort'], 'goes with a port that is a number only')
      else if (endPort < port) say.conflict(['endPort'], `is ${endPort}, less than port, ${port}`)
    }),
  ],
  'networking.NetworkPolicyPeer': [
    on<object>((peer, say) => {
      const found = Object.keys(peer)
      if (found.length === 0) say.conflict([], 'needs one of ipBlock, namespaceSelector or podSelector')
      else if (found.includes('ipBlock') && found.length > 1)
        say.conflict(['ipBlock'], 'cannot stand beside a selector')
    }),
  ],
  'networking.ServiceBackendPort': [choice(['name', 'number'], 1), nameOf('name', 'port')],
  'policy.PodDisruptionBudgetSpec': [
    on<Spec<PodDisruptionBudget>>(({ minAvailable, maxUnavailable }, say) => {
      if (minAvailable !== undefined && maxUnavailable !== undefined)
        say.conflict(['maxUnavailable'], 'cannot stand beside minAvailable')
    }),
  ],
  'rbac.PolicyRule': [
    on<Item<Role['rules']>>(({ apiGroups, resources, resourceNames, nonResourceURLs }, say) => {
      if ((nonResourceURLs ?? []).length > 0) {
        const [first] = [apiGroups, resources, resourceNames].filter((found) => (found ?? []).length > 0)
        if (first)
          say.conflict(['nonResourceURLs'], 'cannot stand beside resources: they need a rule of their own')
        return
      }
      if ((apiGroups ?? []).length === 0) say.lacks(['apiGroups'])
      if ((resources ?? []).length === 0) say.lacks(['resources'])
    }),
  ],
  'rbac.Role': [
    on<Role>(({ rules }, say) => {
      for (const [i, { nonResourceURLs }] of (rules ?? []).entries())
        if ((nonResourceURLs ?? []).length > 0)
          say.conflict(['rules', i, 'nonResourceURLs'], 'goes with a ClusterRole only')
    }),
  ],
  'rbac.ClusterRoleBinding': [
    on<RoleBinding>(({ roleRef, subjects }, say) => {
      if (roleRef?.kind === 'Role') say.conflict(['roleRef', 'kind'], 'has to be ClusterRole')
      for (const [i, { kind, namespace }] of (subjects ?? []).entries())
        if (kind === 'ServiceAccount' && !namespace)
          say.lacks(['subjects', i, 'namespace'], 'and kind is ServiceAccount')
    }),
  ],
  'rbac.Subject': [
    on<Item<RoleBinding['subjects']>>(({ kind, name, apiGroup }, say) => {
      if (kind === 'ServiceAccount') say.name(['name'], 'subdomain', name)
      const group = kind === 'ServiceAccount' ? '' : 'rbac.authorization.k8s.io'
      if (apiGroup && apiGroup !== group && !isPlaceholder(apiGroup))
        say.conflict(['apiGroup'], `has to be ${JSON.stringify(group)}, and kind is ${kind}`)
    }),
  ],
}

/** Fields of which the server takes one at most, and whether it wants one. */
const choices: Readonly<Record<string, readonly [least: 0 | 1, ...fields: string[]]>> = {
  'batch.PodFailurePolicyRule': [1, 'onExitCodes', 'onPodConditions'],
  'core.DownwardAPIVolumeFile': [1, 'fieldRef', 'resourceFieldRef'],
  'core.PodResourceClaim': [1, 'resourceClaimName', 'resourceClaimTemplateName', 'source'],
  'core.VolumeMount': [0, 'subPath', 'subPathExpr'],
  // Without those of feature gates, which a server may drop.
  'core.VolumeProjection': [0, 'configMap', 'downwardAPI', 'secret', 'serviceAccountToken'],
  'resource/v1.DeviceRequest': [1, 'exactly', 'firstAvailable'],
  'resource/v1beta2.DeviceRequest': [1, 'exactly', 'firstAvailable'],
  'storage.VolumeAttachmentSource': [1, 'inlineVolumeSpec', 'persistentVolumeName'],
}

/** Fields that go with one value of another field only; `needed`: and have to be there then. */
const companions: Readonly<Record<string, readonly Companion[]>> = {
  'core.AppArmorProfile': [{ field: 'localhostProfile', of: 'type', value: 'Localhost', needed: true }],
  'core.ServiceSpec': [
    { field: 'allocateLoadBalancerNodePorts', of: 'type', value: 'LoadBalancer' },
    { field: 'loadBalancerClass', of: 'type', value: 'LoadBalancer' },
    { field: 'loadBalancerSourceRanges', of: 'type', value: 'LoadBalancer' },
  ],
  'core.TopologySpreadConstraint': [{ field: 'minDomains', of: 'whenUnsatisfiable', value: 'DoNotSchedule' }],
  'flowcontrol.LimitResponse': [{ field: 'queuing', of: 'type', value: 'Queue', needed: true }],
  'flowcontrol.PriorityLevelConfigurationSpec': [
    { field: 'exempt', of: 'type', value: 'Exempt' },
    { field: 'limited', of: 'type', value: 'Limited', needed: true },
  ],
  'flowcontrol.Subject': [
    { field: 'group', of: 'kind', value: 'Group', needed: true },
    { field: 'serviceAccount', of: 'kind', value: 'ServiceAccount', needed: true },
    { field: 'user', of: 'kind', value: 'User', needed: true },
  ],
  'admissionregistration.Mutation': [
    { field: 'applyConfiguration', of: 'patchType', value: 'ApplyConfiguration', needed: true },
    { field: 'jsonPatch', of: 'patchType', value: 'JSONPatch', needed: true },
  ],
}

interface IndexedJob {
  readonly completionMode?: string
  readonly backoffLimitPerIndex?: number
  readonly maxFailedIndexes?: number
  readonly podFailurePolicy?: object
  readonly successPolicy?: object
  readonly template?: { readonly spec?: { readonly restartPolicy?: string } }
}

interface Companion {
  readonly field: string
  readonly of: string
  readonly value: string
  readonly needed?: true
}

const companionsOf = (all: readonly Companion[]): Check =>
  on<Readonly<Record<string, unknown>>>((object, say) => {
    for (const { field, of, value, needed } of all) {
      const own = object[field]
      const there = own !== undefined && own !== '' && !(Array.isArray(own) && own.length === 0)
      if (isPlaceholder(object[of])) continue
      if (object[of] === value && needed && !there) say.lacks([field], `and ${of} is ${value}`)
      if (object[of] !== value && there) say.conflict([field], `goes with ${of} ${value} only`)
    }
  })

/** Fields that hold names, or lists of names. */
const names: Readonly<Record<string, Readonly<Record<string, NameForm>>>> = {
  'admissionregistration.MutatingAdmissionPolicyBindingSpec': { policyName: 'subdomain' },
  'admissionregistration.MutatingWebhook': { name: 'subdomain', admissionReviewVersions: 'label' },
  'admissionregistration.ValidatingAdmissionPolicyBindingSpec': { policyName: 'subdomain' },
  'admissionregistration.ValidatingWebhook': { name: 'subdomain', admissionReviewVersions: 'label' },
  'apiextensions.CustomResourceDefinitionVersion': { name: 'label' },
  'apiregistration.APIServiceSpec': { group: 'subdomain', version: 'label' },
  'autoscaling.ContainerResourceMetricSource': { container: 'label' },
  'core.ConfigMapEnvSource': { name: 'subdomain' },
  'core.ConfigMapKeySelector': { name: 'subdomain' },
  'core.HostAlias': { hostnames: 'subdomain' },
  'core.PersistentVolumeClaimSpec': { storageClassName: 'subdomain' },
  'core.PersistentVolumeSpec': { storageClassName: 'subdomain' },
  'core.PodAffinityTerm': { namespaces: 'label' },
  'core.PodResourceClaim': { name: 'label', resourceClaimName: 'subdomain' },
  'core.SecretEnvSource': { name: 'subdomain' },
  'core.SecretKeySelector': { name: 'subdomain' },
  'discovery.Endpoint': { hostname: 'label', nodeName: 'subdomain' },
  'discovery.EndpointPort': { name: 'label' },
  'flowcontrol.PriorityLevelConfigurationReference': { name: 'subdomain' },
  'networking.IngressClassParametersReference': { apiGroup: 'subdomain' },
  'networking/v1.IngressSpec': { ingressClassName: 'subdomain' },
  'node.RuntimeClass': { handler: 'label' },
  'resource.Device': { name: 'label' },
  'resource.DeviceRequest': { name: 'label' },
  'resource.ExactDeviceRequest': { deviceClassName: 'subdomain' },
  'storage.CSIStorageCapacity': { storageClassName: 'subdomain' },
  'storage.VolumeAttachmentSpec': { nodeName: 'subdomain' },
}

const namesIn = (fields: Readonly<Record<string, NameForm>>): Check =>
  on<Readonly<Record<string, string | readonly string[] | undefined>>>((value, say) => {
    for (const [field, form] of Object.entries(fields)) {
      const found = value[field]
      if (typeof found === 'string') say.name([field], form, found)
      else for (const [i, one] of (found ?? []).entries()) say.name([field, i], form, one)
    }
  })

/** Fields that hold IP addresses or CIDRs, or lists of them. */
const addresses: Readonly<Record<string, Readonly<Record<string, 'address' | 'CIDR'>>>> = {
  'core.EndpointAddress': { ip: 'address' },
  'core.HostAlias': { ip: 'address' },
  'core.NodeSpec': { podCIDR: 'CIDR', podCIDRs: 'CIDR' },
  'core.PodDNSConfig': { nameservers: 'address' },
  'core.ServiceSpec': { externalIPs: 'address', loadBalancerSourceRanges: 'CIDR' },
  'networking.IPBlock': { cidr: 'CIDR', except: 'CIDR' },
  'networking.ServiceCIDRSpec': { cidrs: 'CIDR' },
}

const addressesIn = (fields: Readonly<Record<string, 'address' | 'CIDR'>>): Check =>
  on<Readonly<Record<string, string | readonly string[] | undefined>>>((value, say) => {
    for (const [field, form] of Object.entries(fields)) {
      const found = value[field]
      for (const [i, one] of (typeof found === 'string' ? [found] : (found ?? [])).entries())
        if (one && !(form === 'CIDR' ? isCidr(one) : isAddress(one)))
          say.conflict(
            typeof found === 'string' ? [field] : [field, i],
            `is no ${form}: ${JSON.stringify(one)}`,
          )
    }
  })

/** Checks by `group.Type`, or `group/version.Type` where they hold for one version only. */
export const checks: Readonly<Record<string, readonly Check[]>> = merged([
  byType,
  more,
  Object.fromEntries(
    Object.entries(choices).map(([type, [least, ...fields]]) => [type, [choice(fields, least)]]),
  ),
  Object.fromEntries(Object.entries(companions).map(([type, all]) => [type, [companionsOf(all)]])),
  Object.fromEntries(Object.entries(names).map(([type, fields]) => [type, [namesIn(fields)]])),
  Object.fromEntries(Object.entries(addresses).map(([type, fields]) => [type, [addressesIn(fields)]])),
])

function merged(tables: readonly Readonly<Record<string, readonly Check[]>>[]): Record<string, Check[]> {
  const all: Record<string, Check[]> = {}
  for (const [type, own] of tables.flatMap((table) => Object.entries(table)))
    all[type] = [...(all[type] ?? []), ...own]
  return all
}

/** pkg/apis/core/validation: the downward API of environment variables. */
const podFields =
  /^(metadata\.(name|namespace|uid|(labels|annotations)\['.+'\])|spec\.(nodeName|serviceAccountName)|status\.(hostIPs?|podIPs?))$/

/** The same: IsStandardContainerResourceName, huge pages, and names with a domain. */
const containerResources = /^(cpu|memory|ephemeral-storage|hugepages-.*|.*\/.*)$/

const targets = ['averageUtilization', 'averageValue', 'value']
/** As Go's net.ParseIP was until 1.17, and as the server still reads these fields: zeros may lead. */
function isAddress(text: string): boolean {
  return isPlaceholder(text) || isIP(withoutZeros(text)) !== 0
}

const withoutZeros = (address: string) =>
  address.includes(':') ? address : address.replace(/\b0+(?=\d)/g, '')

function isCidr(text: string): boolean {
  const [address = '', bits = '', more] = text.trim().split('/')
  const version = isIP(withoutZeros(address))
  return (
    isPlaceholder(text) ||
    (version !== 0 &&
      more === undefined &&
      /^\d{1,3}$/.test(bits) &&
      Number(bits) <= (version === 4 ? 32 : 128))
  )
}

const metricSources = ['containerResource', 'external', 'object', 'pods', 'resource']

type Labels = Readonly<Record<string, string>>

function labels(pairs: Labels | undefined, say: Say, at: Path): void {
  for (const key in pairs) {
    say.name([...at, key], 'label key', key)
    say.name([...at, key], 'label value', pairs[key])
  }
}

interface Requirement {
  readonly operator?: string
  readonly values?: readonly string[]
}

function valuesOf({ operator, values = [] }: Requirement, say: Say): void {
  if ((operator === 'In' || operator === 'NotIn') && values.length === 0)
    say.lacks(['values'], `and operator is ${operator}`)
  if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0)
    say.conflict(['values'], `cannot stand beside operator ${operator}`)
}

/** How the names of built-in kinds have to look; those that are not listed have rules of their own. */
const nameFormOf: Readonly<Record<string, NameForm>> = {
  Namespace: 'label',
  Service: 'label',
  ...Object.fromEntries(
    [
      'ConfigMap',
      'CronJob',
      'DaemonSet',
      'Deployment',
      'EndpointSlice',
      'HorizontalPodAutoscaler',
      'Ingress',
      'IngressClass',
      'Job',
      'LimitRange',
      'MutatingWebhookConfiguration',
      'NetworkPolicy',
      'PersistentVolume',
      'PersistentVolumeClaim',
      'Pod',
      'PodDisruptionBudget',
      'PriorityClass',
      'ReplicaSet',
      'ReplicationController',
      'ResourceQuota',
      'Secret',
      'ServiceAccount',
      'StatefulSet',
      'StorageClass',
      'ValidatingAdmissionPolicy',
      'ValidatingWebhookConfiguration',
    ].map((kind) => [kind, 'subdomain'] as const),
  ),
}

/** Checks the name of an object, as it is written. */
export function checkName(
  { kind = '', metadata }: KubernetesObject,
  say: Say,
  form = Object.hasOwn(nameFormOf, kind) ? nameFormOf[kind] : undefined,
): void {
  if (!form || (metadata !== undefined && typeof metadata !== 'object')) return
  const { name, generateName } = metadata ?? {}
  if (typeof name === 'string' && name) say.name(['metadata', 'name'], form, name)
  else if (!name && !generateName) say.lacks(['metadata', 'name'])
  if (kind === 'CronJob' && name && name.length > 52)
    say.conflict(['metadata', 'name'], `has ${name.length} characters, and Jobs take 11 of 63: at most 52`)
}

/** Whether a name has the form; the empty one is somebody else's problem. */
export function hasForm(form: NameForm, value: string | undefined): boolean {
  return !value || nameForms[form](value) || isPlaceholder(value)
}
