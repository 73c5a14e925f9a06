/** Containers and what stands in them. */
import type { Path } from '../../finding.js'
import type { ContainerSpec, PodSpec } from '../../kubernetes.js'
import { quantity } from '../../values/quantity.js'
import { ownValue } from '../../values/untyped.js'
import { isPlaceholder } from '../format.js'
import { choice, choices, names, paths } from './forms.js'
import { type Checks, hasForm, type Item, merged, on, type Say } from './say.js'

const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc']

const hooks = ['exec', 'httpGet', 'tcpSocket', 'sleep']

type Resources = NonNullable<ContainerSpec['resources']>

const sorts = ['limits', 'requests'] as const

/** Amounts below zero. */
function negative(resources: Resources, say: Say): void {
  for (const sort of sorts)
    for (const resource in resources[sort]) {
      const amount = resources[sort][resource]
      if ((quantity(amount) ?? 0) < 0)
        say.conflict(['resources', sort, resource], `is ${amount}, and has to be at least 0`)
    }
}

/** Requests above the limit. */
function aboveLimit({ limits = {}, requests = {} }: Resources, say: Say): void {
  for (const resource in requests) {
    const request = requests[resource]
    const limit = ownValue(limits, resource)
    const wanted = quantity(request)
    const most = quantity(limit)
    if (wanted !== undefined && most !== undefined && wanted > most)
      say.conflict(['resources', 'requests', resource], `is ${request}, more than the limit, ${limit}`)
  }
}

/** What ends a container takes one success for an answer. */
function endingProbe(
  probe: ContainerSpec['livenessProbe'],
  field: 'livenessProbe' | 'startupProbe',
  say: Say,
): void {
  if (probe?.successThreshold !== undefined && probe.successThreshold > 1)
    say.conflict([field, 'successThreshold'], `is ${probe.successThreshold}, and has to be 1`)
}

/** Resources of containers besides CPU and memory. Source: validateContainerResourceName, IsExtendedResourceName. */
function devices(resources: Resources, say: Say): void {
  for (const sort of sorts)
    for (const resource in resources[sort]) {
      const amount = resources[sort][resource]
      const path = ['resources', sort, resource]
      if (!containerResources.test(resource)) {
        if (!isPlaceholder(resource)) say.conflict(path, 'is no resource, and those of devices have a domain')
      } else if (isOfDevice(resource) && !Number.isInteger(quantity(amount) ?? 0))
        say.conflict(path, `is ${amount}, and has to be a whole number`)
    }
  sharesOfDevices(resources, say)
}

function isOfDevice(resource: string): boolean {
  return resource.includes('/') && !resource.includes('kubernetes.io/')
}

/** Huge pages are set aside as a whole, as devices are. Source: IsOvercommitAllowed of pkg/apis/core/helper. */
function isWhole(resource: string): boolean {
  return isOfDevice(resource) || resource.startsWith(hugePages)
}

const hugePages = 'hugepages-'

/** Huge pages alone: the kernel charges the rest to somebody. */
function hugePagesAlone({ limits = {}, requests = {} }: Resources, say: Say, at: Path): void {
  const all = [...Object.keys(limits), ...Object.keys(requests)]
  const found = all.find((resource) => resource.startsWith(hugePages))
  if (found !== undefined && !all.includes('cpu') && !all.includes('memory'))
    say.conflict(
      [...at, Object.hasOwn(limits, found) ? 'limits' : 'requests', found],
      'goes with cpu or memory only',
    )
}

/** A device goes to one container as a whole: what is requested is the limit. */
function sharesOfDevices({ limits = {}, requests = {} }: Resources, say: Say): void {
  for (const resource in requests) {
    if (!isWhole(resource)) continue
    const request = requests[resource]
    const limit = ownValue(limits, resource)
    if (limit === undefined) say.lacks(['resources', 'limits', resource], 'and is requested')
    else if ((quantity(request) ?? 0) < (quantity(limit) ?? 0))
      say.conflict(['resources', 'requests', resource], `is ${request}, and has to be the limit, ${limit}`)
  }
}

/** pkg/apis/core/validation: the downward API of environment variables. */
const podFields =
  /^(metadata\.(name|namespace|uid|(labels|annotations)\['.+'\])|spec\.(nodeName|serviceAccountName)|status\.(hostIPs?|podIPs?))$/

/** The same: IsStandardContainerResourceName, huge pages, and names with a domain. */
export const containerResources = /^(cpu|memory|ephemeral-storage|hugepages-.*|.*\/.*)$/

/** Names of variables: RelaxedEnvironmentVariableValidation is on by default from 1.32. Source: IsEnvVarName, IsRelaxedEnvVarName. */
function variable(name: string | undefined, say: Say, field: string): void {
  if (!name || isPlaceholder(name)) return
  if (say.minor >= 32) {
    if (!/^[ -<>-~]+$/.test(name))
      say.conflict(
        [field],
        `is ${JSON.stringify(name)}, and takes printable ASCII characters other than = only`,
        name,
      )
  } else if (!/^[-._a-zA-Z][-._a-zA-Z0-9]*$/.test(name) || /^\.(?:$|\.)/.test(name))
    say.conflict(
      [field],
      `is ${JSON.stringify(name)}: before 1.32 letters, digits and -_. are possible, and no digit at the start`,
      name,
    )
}

interface Header {
  readonly name?: string
}

interface RestartRule {
  readonly exitCodes?: object
}

const sumOf = (all: readonly number[]) => all.reduce((sum, one) => sum + one, 0)

/**
 * What containers take of the resources of their pod. PodLevelResources is on by default from 1.34. Source: validatePodResources,
 * validatePodResourceConsistency of pkg/apis/core/validation; AggregateContainerRequests of k8s.io/component-helpers.
 */
const ofPod = on<PodSpec & { readonly resources?: Resources }>((spec, say) => {
  const { resources, containers = [], initContainers = [] } = spec
  if (!resources || say.minor < 34) return
  for (const sort of sorts)
    for (const resource in resources[sort])
      if (!/^(?:cpu|memory|hugepages-.*)$/.test(resource) && !isPlaceholder(resource))
        say.conflict(['resources', sort, resource], 'is nothing that a pod as a whole can have')
  aboveLimit(resources, say)
  for (const resource in resources.limits) {
    const limit = resources.limits[resource]
    for (const [i, container] of containers.entries()) {
      const own = ownValue(container.resources?.limits ?? {}, resource)
      if ((quantity(own) ?? 0) > (quantity(limit) ?? Number.POSITIVE_INFINITY))
        say.conflict(
          ['containers', i, 'resources', 'limits', resource],
          `is ${own}, more than the limit of the pod, ${limit}`,
        )
    }
  }
  for (const resource in resources.requests) {
    const request = resources.requests[resource]
    const ofContainer = (container: ContainerSpec) =>
      quantity(ownValue(container.resources?.requests ?? {}, resource)) ?? 0
    const sidecars = initContainers.map((one) => (one.restartPolicy === 'Always' ? ofContainer(one) : 0))
    const starting = initContainers.map((one, i) => ofContainer(one) + sumOf(sidecars.slice(0, i)))
    const all = Math.max(sumOf([...containers.map(ofContainer), ...sidecars]), ...starting)
    // Sums of fractions are a little off.
    if (all > (quantity(request) ?? Number.POSITIVE_INFINITY) * (1 + 1e-9))
      say.conflict(
        ['resources', 'requests', resource],
        `is ${request}, less than what its containers request`,
      )
  }
})

interface Mount {
  readonly mountPropagation?: string
  readonly readOnly?: boolean
  readonly recursiveReadOnly?: string
}

/** Devices are volumes of claims, and no mounts. Source: ValidateVolumeDevices. */
const blockDevices = on<PodSpec>(({ volumes = [], containers = [], initContainers = [] }, say) => {
  for (const [field, all] of Object.entries({ containers, initContainers }))
    for (const [i, { volumeDevices = [], volumeMounts = [] }] of all.entries())
      for (const [j, { name, devicePath }] of volumeDevices.entries()) {
        const path = [field, i, 'volumeDevices', j]
        const volume = volumes.find((one) => one.name === name)
        if (volume && !volume.persistentVolumeClaim && !volume.ephemeral)
          say.conflict([...path, 'name'], `names a volume that is no claim: ${JSON.stringify(name)}`)
        if (volumeMounts.some((mount) => mount.name === name))
          say.conflict([...path, 'name'], 'is mounted, too')
        else if (volumeMounts.some((mount) => mount.mountPath === devicePath))
          say.conflict([...path, 'devicePath'], 'is the path of a mount, too')
      }
})

const versioned = on<{ readonly apiVersion?: string }>(({ apiVersion }, say) => {
  if (apiVersion && apiVersion !== 'v1' && !isPlaceholder(apiVersion))
    say.conflict(['apiVersion'], `is ${apiVersion}, and has to be v1`)
})

const countable = on<{ readonly resource?: string }>(({ resource }, say) => {
  if (resource && !ofContainer.test(resource) && !isPlaceholder(resource))
    say.conflict(['resource'], `is no resource of a container: ${JSON.stringify(resource)}`)
})

/** The same: validContainerResourceFieldPathExpressions. */
const ofContainer = /^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.*)$/

export const containers: Checks = merged(
  {
    'core.ObjectFieldSelector': [versioned],
    'core.ResourceFieldSelector': [countable],
    'core.VolumeMount': [
      on<Mount>(({ mountPropagation = 'None', readOnly, recursiveReadOnly }, say) => {
        if (recursiveReadOnly !== 'Enabled' && recursiveReadOnly !== 'IfPossible') return
        if (!readOnly) say.conflict(['recursiveReadOnly'], 'goes with readOnly true only')
        else if (mountPropagation !== 'None')
          say.conflict(['recursiveReadOnly'], `cannot stand beside mountPropagation ${mountPropagation}`)
      }),
    ],
    'core.PodSpec': [ofPod, blockDevices],
    'core.HTTPGetAction': [
      on<{ readonly httpHeaders?: readonly Header[] }>(({ httpHeaders = [] }, say) => {
        for (const [i, { name }] of httpHeaders.entries())
          if (name && !/^[-A-Za-z0-9]+$/.test(name) && !isPlaceholder(name))
            say.conflict(
              ['httpHeaders', i, 'name'],
              `is ${JSON.stringify(name)}, and takes letters, digits and hyphens only`,
              name,
            )
      }),
    ],
    'core.Container': [
      on<{ readonly restartPolicy?: string; readonly restartPolicyRules?: readonly RestartRule[] }>(
        ({ restartPolicy, restartPolicyRules = [] }, say) => {
          if (restartPolicyRules.length > 0 && !restartPolicy)
            say.lacks(['restartPolicy'], 'and restartPolicyRules are there')
          if (restartPolicyRules.length > 20)
            say.conflict(
              ['restartPolicyRules'],
              `has ${restartPolicyRules.length} entries, and takes 20 at most`,
            )
          for (const [i, { exitCodes }] of restartPolicyRules.entries())
            if (!exitCodes) say.lacks(['restartPolicyRules', i, 'exitCodes'])
        },
      ),
      on<ContainerSpec>((container, say) => {
        const { name, resources, ports, livenessProbe, readinessProbe, startupProbe } = container
        const { securityContext, volumeMounts } = container
        say.name(['name'], 'label', name)
        ports?.forEach((port, i) => {
          say.name(['ports', i, 'name'], 'port', port.name)
        })
        volumeMounts?.forEach(({ mountPropagation }, i) => {
          if (mountPropagation === 'Bidirectional' && !securityContext?.privileged)
            say.conflict(
              ['volumeMounts', i, 'mountPropagation'],
              'is Bidirectional, for privileged containers only',
            )
        })
        endingProbe(livenessProbe, 'livenessProbe', say)
        endingProbe(startupProbe, 'startupProbe', say)
        if (resources) negative(resources, say)
        if (readinessProbe?.terminationGracePeriodSeconds !== undefined)
          say.conflict(['readinessProbe', 'terminationGracePeriodSeconds'], 'goes with the other probes only')
        if (!resources) return
        aboveLimit(resources, say)
        devices(resources, say)
        hugePagesAlone(resources, say, ['resources'])
      }),
    ],
    'core.EnvFromSource': [
      choice(['configMapRef', 'secretRef'], 1),
      on<{ readonly prefix?: string }>(({ prefix }, say) => variable(prefix, say, 'prefix')),
    ],
    'core.FileKeySelector': [on<{ readonly key?: string }>(({ key }, say) => variable(key, say, 'key'))],
    'core.EnvVar': [
      on<Item<ContainerSpec['env']>>(({ name, value, valueFrom }, say) => {
        if (value && valueFrom) say.conflict(['valueFrom'], 'cannot stand beside value')
        variable(name, say, 'name')
      }),
    ],
    'core.EnvVarSource': [
      on<NonNullable<Item<ContainerSpec['env']>['valueFrom']>>(({ fieldRef }, say) => {
        const path = fieldRef?.fieldPath
        if (!path || isPlaceholder(path)) return
        const [, field, key] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path) ?? []
        if (
          !podFields.test(path) ||
          (key && !hasForm('label key', field === 'labels' ? key : key.toLowerCase()))
        )
          say.conflict(
            ['fieldRef', 'fieldPath'],
            `is no field that a variable can have: ${JSON.stringify(path)}`,
          )
      }),
      choice(['configMapKeyRef', 'fieldRef', 'resourceFieldRef', 'secretKeyRef', 'fileKeyRef'], 1),
    ],
    'core.Handler': [choice(hooks, 1)],
    'core.LifecycleHandler': [choice(hooks, 1)],
    'core.Probe': [choice(handlers, 1)],
  },
  paths({ 'core.FileKeySelector': { path: 'without steps back' } }),
  choices({
    'core.VolumeMount': [0, 'subPath', 'subPathExpr'],
  }),
  names({
    'core.ConfigMapEnvSource': { name: 'subdomain' },
    'core.ConfigMapKeySelector': { name: 'subdomain' },
    'core.FileKeySelector': { volumeName: 'label' },
    'core.SecretEnvSource': { name: 'subdomain' },
    'core.SecretKeySelector': { name: 'subdomain' },
  }),
)
