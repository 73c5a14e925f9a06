/** Containers and what stands in them. */
import type { ContainerSpec } from '../../kubernetes.js'
import { quantity } from '../../values/quantity.js'
import { ownValue } from '../../values/untyped.js'
import { isPlaceholder } from '../format.js'
import { choice, choices, names } from './forms.js'
import { type Checks, type Item, merged, on, type Say } from './say.js'

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

/** A device goes to one container as a whole: what is requested is the limit. */
function sharesOfDevices({ limits = {}, requests = {} }: Resources, say: Say): void {
  for (const resource in requests) {
    if (!isOfDevice(resource)) continue
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
const containerResources = /^(cpu|memory|ephemeral-storage|hugepages-.*|.*\/.*)$/

interface Mount {
  readonly readOnly?: boolean
  readonly recursiveReadOnly?: string
}

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
      on<Mount>(({ readOnly, recursiveReadOnly }, say) => {
        if ((recursiveReadOnly === 'Enabled' || recursiveReadOnly === 'IfPossible') && !readOnly)
          say.conflict(['recursiveReadOnly'], 'goes with readOnly true only')
      }),
    ],
    'core.Container': [
      on<{ readonly restartPolicy?: string; readonly restartPolicyRules?: readonly unknown[] }>(
        ({ restartPolicy, restartPolicyRules = [] }, say) => {
          if (restartPolicyRules.length > 0 && !restartPolicy)
            say.lacks(['restartPolicy'], 'and restartPolicyRules are there')
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
      }),
    ],
    'core.SecurityContext': [
      on<NonNullable<ContainerSpec['securityContext']>>(({ privileged, allowPrivilegeEscalation }, say) => {
        if (privileged && allowPrivilegeEscalation === false)
          say.conflict(['allowPrivilegeEscalation'], 'cannot be false when privileged is true')
      }),
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
    'core.Probe': [choice(handlers, 1)],
  },
  choices({
    'core.VolumeMount': [0, 'subPath', 'subPathExpr'],
  }),
  names({
    'core.ConfigMapEnvSource': { name: 'subdomain' },
    'core.ConfigMapKeySelector': { name: 'subdomain' },
    'core.SecretEnvSource': { name: 'subdomain' },
    'core.SecretKeySelector': { name: 'subdomain' },
  }),
)
