/** Manifests that the API server refuses, or reads in another sense than its author. */
import { isObject } from '../../src/values/untyped.js'
import {
  at,
  containersOf,
  controllers,
  copy,
  draw,
  drop,
  type Hit,
  type Injection,
  kindOf,
  list,
  listIn,
  type Manifest,
  mapping,
  nameOf,
  podOf,
  put,
  scheduled,
  swapped,
  templateOf,
} from './manifest.js'

const pods = ['Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob', 'Pod']

/** Values that are wrong beside others of the object only. */
const contradictions = [
  'labels that the selector does not match',
  'a mount of a volume that is not there',
  'minReplicas above maxReplicas',
  'successThreshold 2 of liveness',
  'restartPolicy Never in a Deployment',
  'restartPolicy Always in a Job',
  'a path without a slash',
  'a network that is none',
  'a schedule of six fields',
  'minute 60',
  'an unknown time zone',
]

/** Below these the keys are somebody's own. */
const ownKeys = new Set([
  ...['labels', 'annotations', 'matchLabels', 'data', 'binaryData', 'stringData', 'nodeSelector', 'limits'],
  ...[
    'requests',
    'hard',
    'parameters',
    'volumeAttributes',
    'openAPIV3Schema',
    'status',
    'options',
    'default',
  ],
  ...[
    'defaultRequest',
    'max',
    'min',
    'maxLimitRequestRatio',
    'overhead',
    'schema',
    'x-kubernetes-validations',
  ],
])

interface Key {
  readonly parent: Manifest
  readonly key: string
  readonly depth: number
}

/** The keys of the fields of an object below its root. */
function keysIn(value: unknown, kind: string, depth = 0): Key[] {
  if (Array.isArray(value)) return value.flatMap((item) => keysIn(item, kind, depth + 1))
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([key, inner]) => {
    const isOwn = ownKeys.has(key) || (key === 'selector' && kind === 'Service')
    const own = depth === 0 ? [] : [{ parent: value as Manifest, key, depth }]
    return isOwn ? own : [...own, ...keysIn(inner, kind, depth + 1)]
  })
}

/** Writes one key of the object otherwise, chosen by its name; what else is in the mapping stays. */
function rename(object: Manifest, from: number, to: number, other: (key: string) => string): false | Hit {
  const keys = keysIn(object, kindOf(object)).filter(
    ({ key, depth, parent }) =>
      depth >= from && depth <= to && key.length > 3 && other(key) !== key && !(other(key) in parent),
  )
  const chosen = keys[draw(`${nameOf(object)} ${from}`, keys.length)]
  if (!chosen) return false
  const { parent, key } = chosen
  const entries = Object.entries(parent)
  for (const name of Object.keys(parent)) delete parent[name]
  for (const [name, value] of entries) parent[name === key ? other(key) : name] = value
  return { says: key }
}

const spelling: Injection[] = (
  [
    ['letters changed places, next to the root', 1, 1, swapped],
    ['letters changed places, in the spec', 2, 3, swapped],
    ['letters changed places, in a template', 4, 6, swapped],
    ['letters changed places, deep', 7, 20, swapped],
    ['all small letters', 1, 20, (key: string) => key.toLowerCase()],
    ['first letter a capital', 1, 20, (key: string) => key.slice(0, 1).toUpperCase() + key.slice(1)],
    ['a letter left out', 1, 20, (key: string) => key.slice(0, 2) + key.slice(3)],
    ['an s too many or too few', 1, 20, (key: string) => (key.endsWith('s') ? key.slice(0, -1) : `${key}s`)],
    ['underscores', 1, 20, (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)],
  ] as const
).map(([what, from, to, other]) => ({
  rule: 'unknown-field',
  what,
  of: ['*'],
  edit: (object) => rename(object, from, to, other),
}))

const custom: Injection = {
  rule: 'unknown-field',
  what: 'in a custom object whose definition is there',
  of: ['custom'],
  edit: (object, { unit }) => {
    const [group] = String(object.apiVersion).split('/')
    const isDefined = unit.some(
      (one) => at(one, 'spec.group') === group && at(one, 'spec.names.kind') === object.kind,
    )
    return isDefined && isObject(object.spec) && rename(object, 1, 3, swapped)
  },
}

/** Takes a field away that is there and puts it elsewhere; where it is absent the value is put there. */
function stray(
  what: string,
  of: readonly string[],
  edit: Injection['edit'],
  rule = 'misplaced-spec-field',
): Injection {
  return { rule, what, of, ...(edit && { edit }) }
}

const misplaced: Injection[] = [
  ...(['concurrencyPolicy', 'successfulJobsHistoryLimit', 'startingDeadlineSeconds'] as const).flatMap(
    (field) => [
      stray(`${field} in the Job's spec`, ['CronJob', 'Job'], (object) => {
        if (!scheduled(object)) return false
        const value = at(object, `spec.${field}`) ?? (field === 'concurrencyPolicy' ? 'Forbid' : 200)
        drop(object, `spec.${field}`)
        put(object, `spec.jobTemplate.spec.${field}`, value)
        return true
      }),
      stray(`${field} in the pod's spec`, ['CronJob', 'Job'], (object) => {
        if (!scheduled(object)) return false
        const pod = podOf(object)
        if (!pod) return false
        pod[field] = at(object, `spec.${field}`) ?? (field === 'concurrencyPolicy' ? 'Forbid' : 200)
        drop(object, `spec.${field}`)
        return true
      }),
    ],
  ),
  ...(['activeDeadlineSeconds', 'backoffLimit', 'ttlSecondsAfterFinished'] as const).map((field) =>
    stray(`${field} in the CronJob's spec`, ['CronJob', 'Job'], (object) => {
      if (!scheduled(object)) return false
      put(object, `spec.${field}`, at(object, `spec.jobTemplate.spec.${field}`) ?? 600)
      drop(object, `spec.jobTemplate.spec.${field}`)
      return true
    }),
  ),
  stray('replicas in the template', ['Deployment', 'StatefulSet'], (object) => {
    const template = templateOf(object)
    if (!template) return false
    template.replicas = at(object, 'spec.replicas') ?? 2
    drop(object, 'spec.replicas')
    return true
  }),
  stray('strategy in the template', ['Deployment'], (object) => {
    const template = templateOf(object)
    if (!template) return false
    template.strategy = at(object, 'spec.strategy') ?? { type: 'Recreate' }
    drop(object, 'spec.strategy')
    return true
  }),
  ...(
    ['readinessProbe', 'livenessProbe', 'volumeMounts', 'env', 'ports', 'command', 'imagePullPolicy'] as const
  ).map((field) =>
    stray(`${field} in the pod's spec`, pods, (object) => {
      const pod = podOf(object)
      const container = containersOf(object).find((one) => field in one)
      if (!pod || !container) return false
      pod[field] = container[field]
      delete container[field]
      return true
    }),
  ),
  ...(
    [
      'terminationGracePeriodSeconds',
      'nodeSelector',
      'tolerations',
      'affinity',
      'serviceAccountName',
      'volumes',
    ] as const
  ).flatMap((field) => [
    stray(
      `${field} in a container`,
      pods,
      (object) => {
        const pod = podOf(object)
        const [container] = containersOf(object)
        if (!pod || !container || !(field in pod)) return false
        container[field] = pod[field]
        delete pod[field]
        return true
      },
      field === 'terminationGracePeriodSeconds' ? 'unknown-field' : undefined,
    ),
    stray(`${field} beside the template`, controllers, (object) => {
      const pod = podOf(object)
      if (!pod || !(field in pod)) return false
      put(object, `spec.${field}`, pod[field])
      delete pod[field]
      return true
    }),
  ]),
  stray('limits beside requests and resources', pods, (object) => {
    const container = containersOf(object).find((one) => at(one, 'resources.limits'))
    if (!container) return false
    container.limits = at(container, 'resources.limits')
    drop(container, 'resources.limits')
    return true
  }),
  ...(['selector', 'ports', 'type'] as const).map((field) =>
    stray(`${field} at the root`, ['Service'], (object) => {
      const value = at(object, `spec.${field}`)
      if (value === undefined) return false
      object[field] = value
      drop(object, `spec.${field}`)
      return true
    }),
  ),
  ...(['minAvailable', 'maxUnavailable'] as const).map((field) =>
    stray(`${field} at the root`, ['PodDisruptionBudget'], (object) => {
      const value = at(object, `spec.${field}`)
      if (value === undefined) return false
      object[field] = value
      drop(object, `spec.${field}`)
      return true
    }),
  ),
  stray('tls in a rule', ['Ingress'], (object) => {
    const [rule] = list(object, 'spec.rules')
    const tls = at(object, 'spec.tls')
    if (!rule || tls === undefined) return false
    rule.tls = tls
    drop(object, 'spec.tls')
    return true
  }),
]

/** What the kinds were called before. */
const older: Readonly<Record<string, readonly string[]>> = {
  Deployment: ['apps/v1beta1', 'apps/v1beta2', 'extensions/v1beta1'],
  StatefulSet: ['apps/v1beta1', 'apps/v1beta2'],
  DaemonSet: ['apps/v1beta2', 'extensions/v1beta1'],
  Ingress: ['extensions/v1beta1', 'networking.k8s.io/v1beta1'],
  NetworkPolicy: ['extensions/v1beta1'],
  CronJob: ['batch/v1beta1', 'batch/v2alpha1'],
  PodDisruptionBudget: ['policy/v1beta1'],
  HorizontalPodAutoscaler: ['autoscaling/v2beta1', 'autoscaling/v2beta2'],
  CustomResourceDefinition: ['apiextensions.k8s.io/v1beta1'],
  ValidatingWebhookConfiguration: ['admissionregistration.k8s.io/v1beta1'],
  MutatingWebhookConfiguration: ['admissionregistration.k8s.io/v1beta1'],
  APIService: ['apiregistration.k8s.io/v1beta1'],
  ClusterRole: ['rbac.authorization.k8s.io/v1beta1', 'rbac.authorization.k8s.io/v1alpha1'],
  ClusterRoleBinding: ['rbac.authorization.k8s.io/v1beta1'],
  Role: ['rbac.authorization.k8s.io/v1beta1'],
  RoleBinding: ['rbac.authorization.k8s.io/v1beta1'],
  PriorityClass: ['scheduling.k8s.io/v1beta1'],
  StorageClass: ['storage.k8s.io/v1beta1'],
  CSIDriver: ['storage.k8s.io/v1beta1'],
  Lease: ['coordination.k8s.io/v1beta1'],
}

const versions: Injection[] = [
  {
    rule: 'removed-api-version',
    what: 'a version that is gone',
    of: Object.keys(older),
    edit: (object) => {
      const before = older[kindOf(object)] ?? []
      const chosen = before[draw(nameOf(object), before.length)]
      if (chosen === undefined || chosen === object.apiVersion) return false
      object.apiVersion = chosen
      return true
    },
  },
  {
    rule: 'unknown-kind',
    what: 'a slip in the kind',
    of: ['*'],
    edit: (object) => {
      object.kind = swapped(String(object.kind))
      return true
    },
  },
  {
    rule: 'unknown-kind',
    what: 'the group of another kind',
    of: ['*'],
    edit: (object) => {
      object.apiVersion = String(object.apiVersion) === 'v1' ? 'apps/v1' : 'v1'
      return true
    },
  },
  {
    rule: 'unknown-kind',
    what: 'a version that never was',
    of: ['*'],
    edit: (object) => {
      const [group = '', version] = String(object.apiVersion).split('/')
      object.apiVersion = version === undefined ? 'v2' : `${group}/v7`
      return true
    },
  },
  {
    rule: 'missing-field',
    what: 'apiVersion left out',
    of: ['*'],
    edit: (object) => drop(object, 'apiVersion'),
  },
]

function typed(what: string, of: readonly string[], edit: Injection['edit']): Injection {
  return { rule: 'wrong-type', what, of, ...(edit && { edit }) }
}

function onContainer(change: (container: Manifest, pod: Manifest) => boolean): Injection['edit'] {
  return (object) => {
    const pod = podOf(object)
    return pod !== undefined && containersOf(object).some((one) => change(one, pod))
  }
}

const types: Injection[] = [
  typed('replicas in words', ['Deployment', 'StatefulSet'], (object) => {
    put(object, 'spec.replicas', 'two')
    return true
  }),
  typed('replicas in quotes', ['Deployment', 'StatefulSet'], (object) => {
    put(object, 'spec.replicas', '2')
    return true
  }),
  typed(
    'a port in quotes',
    pods,
    onContainer((container) => {
      const [port] = list(container, 'ports')
      if (!port) return false
      port.containerPort = String(port.containerPort)
      return true
    }),
  ),
  typed(
    'a number for an environment variable',
    pods,
    onContainer((container) => {
      const found = list(container, 'env').find((one) => typeof one.value === 'string')
      if (!found) return false
      found.value = 8080
      return true
    }),
  ),
  typed(
    'a boolean for an environment variable',
    pods,
    onContainer((container) => {
      const found = list(container, 'env').find((one) => typeof one.value === 'string')
      if (!found) return false
      found.value = true
      return true
    }),
  ),
  typed(
    'a command that is no list',
    pods,
    onContainer((container) => {
      if (!Array.isArray(container.command)) return false
      container.command = container.command.join(' ')
      return true
    }),
  ),
  typed('a map of containers', pods, (object) => {
    const pod = podOf(object)
    const [container] = containersOf(object)
    if (!pod || !container) return false
    pod.containers = container
    return true
  }),
  typed('a number for a label', ['*'], (object) => {
    if (!isObject(object.metadata)) return false
    put(mapping(object, 'metadata.labels'), 'release', 2024)
    return true
  }),
  typed('a boolean for an annotation', ['*'], (object) => {
    if (!isObject(object.metadata)) return false
    mapping(object, 'metadata.annotations')['example.org/managed'] = true
    return true
  }),
  typed('a number in data', ['ConfigMap'], (object) => {
    const data = at(object, 'data')
    if (!isObject(data)) return false
    ;(data as Manifest).PORT = 8080
    return true
  }),
  typed('a list for a selector', ['Service'], (object) => {
    const selector = at(object, 'spec.selector')
    if (!isObject(selector)) return false
    put(
      object,
      'spec.selector',
      Object.entries(selector).map(([name, value]) => ({ [name]: value })),
    )
    return true
  }),
  typed('one rule that is no list', ['Ingress', 'NetworkPolicy', 'ClusterRole', 'Role'], (object) => {
    const path = ['ClusterRole', 'Role'].includes(kindOf(object))
      ? 'rules'
      : kindOf(object) === 'Ingress'
        ? 'spec.rules'
        : 'spec.ingress'
    const [first] = list(object, path)
    if (!first) return false
    put(object, path, first)
    return true
  }),
  typed('a text for a boolean', pods, (object) => {
    const pod = podOf(object)
    if (!pod) return false
    pod.hostNetwork = 'false'
    return true
  }),
]

function missing(what: string, of: readonly string[], edit: Injection['edit']): Injection {
  return { rule: 'missing-field', what, of, ...(edit && { edit }) }
}

const absent: Injection[] = [
  missing('selector', controllers, (object) => drop(object, 'spec.selector')),
  missing('template', controllers, (object) => drop(object, 'spec.template')),
  missing('containers', pods, (object) => drop(podOf(object) ?? {}, 'containers')),
  missing(
    'name of a container',
    pods,
    onContainer((container) => drop(container, 'name')),
  ),
  missing(
    'containerPort',
    pods,
    onContainer((container) => list(container, 'ports').some((port) => drop(port, 'containerPort'))),
  ),
  missing(
    'mountPath',
    pods,
    onContainer((container) => list(container, 'volumeMounts').some((one) => drop(one, 'mountPath'))),
  ),
  missing(
    'port of a probe',
    pods,
    onContainer((container) => drop(container, 'readinessProbe.httpGet.port')),
  ),
  value(
    'no restartPolicy in a Job',
    ['Job', 'CronJob'],
    (object) => drop(podOf(object) ?? {}, 'restartPolicy'),
    'conflicting-fields',
  ),
  missing('schedule', ['CronJob', 'Job'], (object) => scheduled(object) && drop(object, 'spec.schedule')),
  missing(
    'ports',
    ['Service'],
    (object) =>
      at(object, 'spec.clusterIP') !== 'None' &&
      at(object, 'spec.type') !== 'ExternalName' &&
      drop(object, 'spec.ports'),
  ),
  missing('names of two ports', ['Service'], (object) => {
    const ports = list(object, 'spec.ports')
    return ports.length > 1 && ports.filter((port) => drop(port, 'name')).length > 0
  }),
  missing('pathType', ['Ingress'], (object) =>
    list(object, 'spec.rules').some((rule) =>
      list(rule, 'http.paths').some((path) => drop(path, 'pathType')),
    ),
  ),
  missing('port of a backend', ['Ingress'], (object) =>
    list(object, 'spec.rules').some((rule) =>
      list(rule, 'http.paths').some((path) => drop(path, 'backend.service.port')),
    ),
  ),
  missing('roleRef', ['RoleBinding', 'ClusterRoleBinding'], (object) => drop(object, 'roleRef')),
  missing('name of the object', ['*'], (object) => drop(object, 'metadata.name')),
  missing('maxReplicas', ['HorizontalPodAutoscaler'], (object) => drop(object, 'spec.maxReplicas')),
  missing('scaleTargetRef', ['HorizontalPodAutoscaler'], (object) => drop(object, 'spec.scaleTargetRef')),
  missing('accessModes', ['PersistentVolumeClaim'], (object) => drop(object, 'spec.accessModes')),
  missing('sideEffects', ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'], (object) =>
    list(object, 'webhooks').some((one) => drop(one, 'sideEffects')),
  ),
  missing('provisioner', ['StorageClass'], (object) => drop(object, 'provisioner')),
]

function value(what: string, of: readonly string[], edit: Injection['edit'], rule?: string): Injection {
  const own = contradictions.includes(what) ? 'conflicting-fields' : 'invalid-value'
  return { rule: rule ?? own, what, of, ...(edit && { edit }) }
}

const values: Injection[] = [
  value(
    'a port above 65535',
    pods,
    onContainer((one) => list(one, 'ports').some((port) => put(port, 'containerPort', 80800) === undefined)),
  ),
  value('a port above 65535', ['Service'], (object) =>
    list(object, 'spec.ports').some((port) => put(port, 'port', 80800) === undefined),
  ),
  value('protocol in small letters', ['Service'], (object) =>
    list(object, 'spec.ports').some((port) => put(port, 'protocol', 'tcp') === undefined),
  ),
  value(
    'protocol HTTP',
    pods,
    onContainer((one) => list(one, 'ports').some((port) => put(port, 'protocol', 'HTTP') === undefined)),
  ),
  value(
    'imagePullPolicy in small letters',
    pods,
    onContainer((one) => put(one, 'imagePullPolicy', 'always') === undefined),
  ),
  value(
    'restartPolicy Always in a Job',
    ['Job', 'CronJob'],
    (object) => put(podOf(object) ?? {}, 'restartPolicy', 'Always') === undefined,
  ),
  value(
    'restartPolicy Never in a Deployment',
    controllers,
    (object) => put(podOf(object) ?? {}, 'restartPolicy', 'Never') === undefined,
  ),
  value('type Loadbalancer', ['Service'], (object) => put(object, 'spec.type', 'Loadbalancer') === undefined),
  value(
    'replicas below zero',
    ['Deployment', 'StatefulSet'],
    (object) => put(object, 'spec.replicas', -1) === undefined,
  ),
  value(
    '512MB of memory',
    pods,
    onContainer((one) => put(one, 'resources.limits.memory', '512MB') === undefined),
  ),
  value(
    '0.5 cores with a comma',
    pods,
    onContainer((one) => put(one, 'resources.requests.cpu', '0,5') === undefined),
  ),
  value(
    '10gb of storage',
    ['PersistentVolumeClaim'],
    (object) => put(object, 'spec.resources.requests.storage', '10gb') === undefined,
  ),
  value('pathType in small letters', ['Ingress'], (object) =>
    list(object, 'spec.rules').some((rule) =>
      list(rule, 'http.paths').some((path) => put(path, 'pathType', 'prefix') === undefined),
    ),
  ),
  value('a path without a slash', ['Ingress'], (object) =>
    list(object, 'spec.rules').some((rule) =>
      list(rule, 'http.paths').some((path) => {
        if (path.pathType !== 'Prefix') return false
        path.path = 'api'
        return true
      }),
    ),
  ),
  value(
    'a schedule of six fields',
    ['CronJob', 'Job'],
    (object) => scheduled(object) && put(object, 'spec.schedule', '0 */5 * * * *') === undefined,
  ),
  value(
    'minute 60',
    ['CronJob', 'Job'],
    (object) => scheduled(object) && put(object, 'spec.schedule', '60 * * * *') === undefined,
  ),
  value(
    'an unknown time zone',
    ['CronJob', 'Job'],
    (object) => scheduled(object) && put(object, 'spec.timeZone', 'Europe/Berln') === undefined,
  ),
  value(
    'concurrencyPolicy in small letters',
    ['CronJob', 'Job'],
    (object) => scheduled(object) && put(object, 'spec.concurrencyPolicy', 'forbid') === undefined,
  ),
  value('labels that the selector does not match', ['Deployment', 'StatefulSet', 'DaemonSet'], (object) => {
    const selector = at(object, 'spec.selector.matchLabels')
    const [first] = isObject(selector) ? Object.keys(selector) : []
    if (first === undefined) return false
    ;(selector as Manifest)[first] = `${String((selector as Manifest)[first])}-v2`
    return true
  }),
  value(
    'a mount of a volume that is not there',
    pods,
    onContainer((one) =>
      list(one, 'volumeMounts').some(
        (mount) => put(mount, 'name', `${String(mount.name)}-missing`) === undefined,
      ),
    ),
  ),
  value(
    'accessMode in small letters',
    ['PersistentVolumeClaim'],
    (object) => put(object, 'spec.accessModes', ['readWriteOnce']) === undefined,
  ),
  value('a percentage without its sign', ['PodDisruptionBudget'], (object) => {
    drop(object, 'spec.maxUnavailable')
    put(object, 'spec.minAvailable', '50')
    return true
  }),
  value('minReplicas above maxReplicas', ['HorizontalPodAutoscaler'], (object) => {
    const most = at(object, 'spec.maxReplicas')
    if (typeof most !== 'number') return false
    put(object, 'spec.minReplicas', most + 1)
    return true
  }),
  value(
    'failureThreshold below zero',
    pods,
    onContainer(
      (one) => isObject(one.readinessProbe) && put(one, 'readinessProbe.failureThreshold', -1) === undefined,
    ),
  ),
  value(
    'successThreshold 2 of liveness',
    pods,
    onContainer(
      (one) => isObject(one.livenessProbe) && put(one, 'livenessProbe.successThreshold', 2) === undefined,
    ),
  ),
  value('an operator for a toleration that there is not', pods, (object) => {
    const pod = podOf(object)
    if (!pod) return false
    listIn(pod, 'tolerations').push({ key: 'dedicated', operator: 'exists' })
    return true
  }),
  value(
    'a topologyKey that is empty',
    controllers,
    (object) => {
      const term = list(
        podOf(object),
        'affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution',
      )[0]
      return term !== undefined && put(term, 'topologyKey', '') === undefined
    },
    'missing-field',
  ),
  value('a network that is none', ['NetworkPolicy'], (object) => {
    listIn(object, 'spec.ingress').push({ from: [{ ipBlock: { cidr: '10.0.0.300/8' } }] })
    return true
  }),
  value(
    'data that is no base64',
    ['ConfigMap'],
    (object) => put(object, 'binaryData.key', 'not base64!') === undefined,
  ),
  value(
    'more requested than the limit',
    pods,
    onContainer((one) => {
      put(one, 'resources.limits.memory', '128Mi')
      put(one, 'resources.requests.memory', '256Mi')
      return true
    }),
    'conflicting-fields',
  ),
  value(
    'Recreate with rollingUpdate',
    ['Deployment'],
    (object) => {
      put(object, 'spec.strategy', { type: 'Recreate', rollingUpdate: { maxUnavailable: 1 } })
      return true
    },
    'conflicting-fields',
  ),
  value(
    'maxSurge and maxUnavailable 0',
    ['Deployment'],
    (object) => {
      put(object, 'spec.strategy', {
        type: 'RollingUpdate',
        rollingUpdate: { maxUnavailable: 0, maxSurge: 0 },
      })
      return true
    },
    'conflicting-fields',
  ),
  value(
    'value and valueFrom',
    pods,
    onContainer((one) =>
      list(one, 'env').some((variable) => {
        if (typeof variable.value !== 'string' || variable.value === '') return false
        variable.valueFrom = { fieldRef: { fieldPath: 'metadata.name' } }
        return true
      }),
    ),
    'conflicting-fields',
  ),
  value(
    'two handlers of a probe',
    pods,
    onContainer((one) => {
      if (!isObject(at(one, 'readinessProbe.httpGet'))) return false
      put(one, 'readinessProbe.exec', { command: ['true'] })
      return true
    }),
    'conflicting-fields',
  ),
  value(
    'two sources of a volume',
    pods,
    (object) => {
      const found = list(podOf(object), 'volumes').find((one) => 'configMap' in one)
      if (!found) return false
      found.emptyDir = {}
      return true
    },
    'conflicting-fields',
  ),
  value(
    'minAvailable and maxUnavailable',
    ['PodDisruptionBudget'],
    (object) => {
      put(object, 'spec.minAvailable', 1)
      put(object, 'spec.maxUnavailable', 1)
      return true
    },
    'conflicting-fields',
  ),
  value(
    'an ExternalName that is none',
    ['Service'],
    (object) => put(object, 'spec.type', 'ExternalName') === undefined,
    'missing-field',
  ),
  value(
    'a headless Service as a balancer',
    ['Service'],
    (object) => {
      put(object, 'spec.type', 'LoadBalancer')
      put(object, 'spec.clusterIP', 'None')
      return true
    },
    'conflicting-fields',
  ),
  value(
    'a node port inside the cluster',
    ['Service'],
    (object) => {
      const [port] = list(object, 'spec.ports')
      if (!port || ![undefined, 'ClusterIP'].includes(at(object, 'spec.type') as string | undefined))
        return false
      port.nodePort = 30_080
      return true
    },
    'conflicting-fields',
  ),
  value(
    'an address beside ExternalName',
    ['Service'],
    (object) => {
      put(object, 'spec', { type: 'ExternalName', externalName: 'db.example.org', clusterIP: 'None' })
      return true
    },
    'conflicting-fields',
  ),
  value(
    'externalTrafficPolicy inside the cluster',
    ['Service'],
    (object) => {
      if (![undefined, 'ClusterIP'].includes(at(object, 'spec.type') as string | undefined)) return false
      put(object, 'spec.externalTrafficPolicy', 'Local')
      return true
    },
    'conflicting-fields',
  ),
]

function named(what: string, of: readonly string[], edit: Injection['edit']): Injection {
  return value(what, of, edit, 'invalid-name')
}

const names: Injection[] = [
  named(
    'a capital in the name',
    ['*'],
    (object) =>
      isObject(object.metadata) &&
      nameOf(object) !== '' &&
      put(object, 'metadata.name', `My-${nameOf(object)}`) === undefined,
  ),
  named(
    'an underscore in the name',
    ['*'],
    (object) => nameOf(object) !== '' && put(object, 'metadata.name', `my_${nameOf(object)}`) === undefined,
  ),
  named('a space in a label', ['*'], (object) => {
    if (!isObject(object.metadata)) return false
    mapping(object, 'metadata.labels').team = 'web shop'
    return true
  }),
  named('a label of 64 letters', pods, (object) => {
    const template = templateOf(object)
    if (!template) return false
    mapping(template, 'metadata.labels').release = 'a'.repeat(64)
    return true
  }),
  named('two slashes in a key', ['*'], (object) => {
    if (!isObject(object.metadata)) return false
    mapping(object, 'metadata.annotations')['example.org/web/owner'] = 'shop'
    return true
  }),
  named(
    'an underscore in the name of a container',
    pods,
    onContainer((one) => put(one, 'name', 'web_app') === undefined),
  ),
  named(
    'a port name of 16 letters',
    pods,
    onContainer((one) =>
      list(one, 'ports').some((port) => put(port, 'name', 'metrics-endpoint') === undefined),
    ),
  ),
  named(
    'a capital in a namespace',
    ['*'],
    (object) =>
      typeof at(object, 'metadata.namespace') === 'string' &&
      put(object, 'metadata.namespace', 'Shop') === undefined,
  ),
]

function twice(what: string, of: readonly string[], edit: Injection['edit']): Injection {
  return value(what, of, edit, 'duplicate-entry')
}

const repeated: Injection[] = [
  twice('a container', pods, (object) => {
    const containers = at(podOf(object) ?? {}, 'containers')
    return Array.isArray(containers) && isObject(containers[0]) && containers.push(copy(containers[0])) > 0
  }),
  twice(
    'a variable with another value',
    pods,
    onContainer((one) => {
      const env = one.env
      const found = list(one, 'env').find((variable) => typeof variable.value === 'string')
      return (
        Array.isArray(env) &&
        found !== undefined &&
        env.push({ ...found, value: `${String(found.value)}-other` }) > 0
      )
    }),
  ),
  twice('a volume', pods, (object) => {
    const volumes = at(podOf(object) ?? {}, 'volumes')
    return (
      Array.isArray(volumes) &&
      volumes.length > 0 &&
      volumes.push({ name: (volumes[0] as Manifest).name, emptyDir: {} }) > 0
    )
  }),
  twice(
    'a mount path',
    pods,
    onContainer((one) => {
      const mounts = one.volumeMounts
      const [first] = list(one, 'volumeMounts')
      return Array.isArray(mounts) && first !== undefined && mounts.push(copy(first)) > 0
    }),
  ),
  twice('a port of a Service', ['Service'], (object) => {
    const ports = at(object, 'spec.ports')
    const [first] = list(object, 'spec.ports')
    return (
      Array.isArray(ports) &&
      first !== undefined &&
      ports.push({ ...first, ...(first.name !== undefined && { name: 'again' }) }) > 0
    )
  }),
  twice('the name of a port of a Service', ['Service'], (object) => {
    const ports = list(object, 'spec.ports')
    const [first, second] = ports
    if (!first || !second) return false
    second.name = first.name
    return true
  }),
]

const texts: Injection[] = [
  {
    rule: 'duplicate-key',
    what: 'a second metadata',
    of: ['*'],
    text: (text) => `${text.trimEnd()}\nmetadata:\n  annotations:\n    written: again\n`,
  },
  {
    rule: 'duplicate-key',
    what: 'metadata.labels written twice',
    of: ['*'],
    text: (text) => {
      const found = /^metadata:\n(?= {2}\S)/m.exec(text)
      return (
        found !== null &&
        /^ {2}labels:/m.test(text) &&
        text.replace(found[0], `${found[0]}  labels:\n    written: before\n`)
      )
    },
  },
  {
    rule: 'duplicate-key',
    what: 'image written twice',
    of: pods,
    text: (text) => {
      const found = /^( *)(- )?image: \S+$/m.exec(text)
      if (!found) return false
      const indent = `${found[1]}${found[2] ? '  ' : ''}`
      return text.replace(found[0], `${found[0]}\n${indent}image: example.org/other:1.2.3`)
    },
  },
  {
    rule: 'invalid-yaml',
    what: 'a tab for the indentation',
    of: ['*'],
    text: (text) => /^ {2}name:/m.test(text) && text.replace(/^ {2}name:/m, '\tname:'),
  },
  {
    rule: 'invalid-yaml',
    what: 'a quote that is not closed',
    of: ['*'],
    text: (text) => /^ {2}name: [a-z]/m.test(text) && text.replace(/^ {2}name: /m, '  name: "'),
  },
  {
    rule: 'invalid-yaml',
    what: 'a line moved by one space',
    of: ['*'],
    text: (text) =>
      /^ {2}name:.*\n {2}\S/m.test(text) && text.replace(/^( {2}name:.*\n) {2}(?=\S)/m, '$1   '),
  },
  {
    rule: 'invalid-yaml',
    what: 'a merge conflict',
    of: ['*'],
    text: (text) =>
      /^ {2}name:.*$/m.test(text) &&
      text.replace(
        /^ {2}name:.*$/m,
        (line) => `<<<<<<< HEAD\n${line}\n=======\n  name: other\n>>>>>>> feature`,
      ),
  },
]

const placeholders: Injection[] = [
  {
    rule: 'unfilled-placeholder',
    what: 'a name to be filled in',
    of: ['*'],
    edit: (object) => nameOf(object) !== '' && put(object, 'metadata.name', '<YOUR_NAME>') === undefined,
  },
  {
    rule: 'unfilled-placeholder',
    what: 'a size to be filled in',
    of: ['PersistentVolumeClaim'],
    edit: (object) => put(object, 'spec.resources.requests.storage', 'REPLACE_ME') === undefined,
  },
]

function oldLabel(
  what: string,
  of: readonly string[],
  edit: (pod: Manifest, object: Manifest) => void,
): Injection {
  return {
    rule: 'removed-node-label-selector',
    what,
    of,
    edit: (object) => {
      const pod = podOf(object)
      if (pod) edit(pod, object)
      return pod !== undefined
    },
  }
}

const nodeLabels: Injection[] = [
  oldLabel('beta.kubernetes.io/os in a nodeSelector', pods, (pod) => {
    const selector = mapping(pod, 'nodeSelector')
    delete selector['kubernetes.io/os']
    selector['beta.kubernetes.io/os'] = 'linux'
  }),
  oldLabel('the master label in a nodeSelector', pods, (pod) => {
    const selector = mapping(pod, 'nodeSelector')
    delete selector['node-role.kubernetes.io/control-plane']
    selector['node-role.kubernetes.io/master'] = ''
  }),
  oldLabel('the master taint in a toleration', pods, (pod) => {
    pod.tolerations = [{ key: 'node-role.kubernetes.io/master', effect: 'NoSchedule' }]
  }),
  oldLabel('the old zone label for a topologyKey', controllers, (pod, object) => {
    pod.topologySpreadConstraints = [
      {
        maxSkew: 1,
        topologyKey: 'failure-domain.beta.kubernetes.io/zone',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: copy(at(object, 'spec.selector')),
      },
    ]
  }),
]

export const schemaInjections: readonly Injection[] = [
  ...[...spelling, custom, ...misplaced, ...versions, ...types, ...absent, ...values, ...names, ...repeated],
  ...[...texts, ...placeholders, ...nodeLabels],
]
