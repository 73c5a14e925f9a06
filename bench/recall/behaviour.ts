/** Manifests that the API server takes, and that fail later. */
import { isObject } from '../../src/values/untyped.js'
import {
  type Around,
  at,
  backendsOf,
  containersOf,
  controllers,
  copy,
  drop,
  type Hit,
  type Injection,
  kindOf,
  list,
  listIn,
  type Manifest,
  mapping,
  nameOf,
  namespaceOf,
  podLabels,
  podOf,
  put,
  scheduled,
  selects,
  swapped,
  templateOf,
} from './manifest.js'

const scaled = ['Deployment', 'StatefulSet']
const webhooks = ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration']

type Edit = NonNullable<Injection['edit']>

/** For workloads behind a Service of their folder. */
function served(edit: (object: Manifest, pod: Manifest, around: Around) => boolean | Hit): Edit {
  return (object, around) => {
    const pod = podOf(object)
    return pod !== undefined && around.servicesOf(object).length > 0 && edit(object, pod, around)
  }
}

/** For workloads that something outside of the cluster calls. */
function open(edit: (object: Manifest, pod: Manifest, around: Around) => boolean | Hit): Edit {
  return (object, around) => {
    const pod = podOf(object)
    return pod !== undefined && around.isOpen(object) && edit(object, pod, around)
  }
}

function one(rule: string, what: string, of: readonly string[], edit: Edit): Injection {
  return { rule, what, of, edit }
}

function each(object: Manifest, change: (container: Manifest) => unknown): true {
  for (const container of containersOf(object)) change(container)
  return true
}

/** The subject of a binding that is an account of its folder under which pods run. */
function accountIn(binding: Manifest, folder: readonly Manifest[]): Manifest | undefined {
  return list(binding, 'subjects').find(
    ({ kind, name, namespace }) =>
      kind === 'ServiceAccount' &&
      namespace !== undefined &&
      folder.some(
        (one) => kindOf(one) === 'ServiceAccount' && nameOf(one) === name && namespaceOf(one) === namespace,
      ) &&
      folder.some((one) => namespaceOf(one) === namespace && podOf(one)?.serviceAccountName === name),
  )
}

/** The Service of a folder that answers for a webhook. */
function backendIn(folder: readonly Manifest[], webhook: Manifest): Manifest | undefined {
  return folder.find(
    (one) =>
      kindOf(one) === 'Service' &&
      nameOf(one) === at(webhook, 'clientConfig.service.name') &&
      namespaceOf(one) === at(webhook, 'clientConfig.service.namespace'),
  )
}

/** The reference of a route to a Gateway of its folder. */
function parentIn(folder: readonly Manifest[], route: Manifest): Manifest | undefined {
  return list(route, 'spec.parentRefs').find((parent) =>
    folder.some((one) => one.kind === 'Gateway' && nameOf(one) === parent.name),
  )
}

function probe(period: number, failures: number): Manifest {
  return {
    httpGet: { path: '/healthz', port: 8080 },
    periodSeconds: period,
    failureThreshold: failures,
    timeoutSeconds: 1,
  }
}

function selfTerm(object: Manifest): Manifest {
  return { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: copy(podLabels(object)) } }
}

function budget(object: Manifest, spec: Manifest): Manifest {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: {
      name: `${nameOf(object)}-second`,
      ...(namespaceOf(object) !== '' && { namespace: namespaceOf(object) }),
    },
    spec: { ...spec, selector: { matchLabels: copy(podLabels(object)) } },
  }
}

function autoscaler(object: Manifest, spec: Manifest = {}): Manifest {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: {
      name: `${nameOf(object)}-scaler`,
      ...(namespaceOf(object) !== '' && { namespace: namespaceOf(object) }),
    },
    spec: {
      scaleTargetRef: { apiVersion: object.apiVersion, kind: object.kind, name: nameOf(object) },
      minReplicas: 3,
      maxReplicas: 9,
      metrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
        },
      ],
      ...spec,
    },
  }
}

function node(name: string): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' } },
    status: { allocatable: { cpu: '16', memory: '64Gi' } },
  }
}

const batch: Injection[] = [
  one('job-without-deadline', 'no activeDeadlineSeconds', ['CronJob', 'Job'], (object) => {
    if (!scheduled(object)) return false
    drop(object, 'spec.jobTemplate.spec.activeDeadlineSeconds')
    drop(podOf(object) ?? {}, 'activeDeadlineSeconds')
    return true
  }),
  one(
    'cronjob-overlapping-runs',
    'every five minutes, an hour at most, Allow',
    ['CronJob', 'Job'],
    (object) => {
      if (!scheduled(object)) return false
      put(object, 'spec.schedule', '*/5 * * * *')
      put(object, 'spec.jobTemplate.spec.activeDeadlineSeconds', 3600)
      drop(object, 'spec.concurrencyPolicy')
      return true
    },
  ),
  one('cronjob-missed-start-freeze', 'startingDeadlineSeconds 5', ['CronJob', 'Job'], (object) => {
    if (!scheduled(object)) return false
    put(object, 'spec.startingDeadlineSeconds', 5)
    return true
  }),
  one('finished-jobs-kept', 'a history of 100 runs', ['CronJob', 'Job'], (object) => {
    if (!scheduled(object)) return false
    put(object, 'spec.successfulJobsHistoryLimit', 100)
    drop(object, 'spec.jobTemplate.spec.ttlSecondsAfterFinished')
    return true
  }),
  one(
    'job-retries-despite-never',
    'Never without backoffLimit and memory limit',
    ['Job', 'CronJob'],
    (object) => {
      const pod = podOf(object)
      if (!pod) return false
      pod.restartPolicy = 'Never'
      const spec = mapping(object, kindOf(object) === 'Job' ? 'spec' : 'spec.jobTemplate.spec')
      for (const field of ['backoffLimit', 'podFailurePolicy', 'backoffLimitPerIndex']) delete spec[field]
      return each(object, (container) => drop(container, 'resources.limits.memory'))
    },
  ),
  one('job-sidecar-never-completes', 'a database proxy beside the work', ['Job', 'CronJob'], (object) => {
    const containers = at(podOf(object) ?? {}, 'containers')
    return (
      Array.isArray(containers) &&
      containers.push({
        name: 'cloud-sql-proxy',
        image: 'gcr.io/cloud-sql-connectors/cloud-sql-proxy:2.14.1',
      }) > 1
    )
  }),
  one('batch-beside-serving', 'a Job of 200 pods at a time', ['Job'], (object, around) => {
    const pod = podOf(object)
    if (
      !pod ||
      !around.folder.some((one) => scaled.includes(kindOf(one)) && around.servicesOf(one).length > 0)
    )
      return false
    for (const field of ['nodeSelector', 'affinity', 'tolerations', 'priorityClassName']) delete pod[field]
    put(object, 'spec.parallelism', 200)
    put(object, 'spec.completions', 200)
    return true
  }),
  one(
    'cronjob-schedule-stampede',
    'three times 20 pods at the full hour',
    ['CronJob', 'Job'],
    (object, around) => {
      if (!scheduled(object)) return false
      put(object, 'spec.schedule', '0 * * * *')
      put(object, 'spec.jobTemplate.spec.parallelism', 20)
      put(object, 'spec.jobTemplate.spec.completions', 20)
      const others = ['second', 'third'].map((name) => {
        const made = copy(object)
        put(made, 'metadata.name', `${nameOf(object)}-${name}`)
        around.add(made)
        return made
      })
      return { at: [object, ...others] }
    },
  ),
  one('etcd-backup-stale', 'the backup is suspended', ['CronJob', 'Job'], (object) => {
    if (!scheduled(object)) return false
    const [container] = containersOf(object)
    if (!container) return false
    container.command = ['sh', '-c', 'etcdctl snapshot save /backup/etcd.db']
    put(object, 'spec.suspend', true)
    return true
  }),
]

const probes: Injection[] = [
  one(
    'readiness-probe-missing',
    'no readiness or startup probe behind a Service',
    controllers,
    served((object) => each(object, (one) => [drop(one, 'readinessProbe'), drop(one, 'startupProbe')])),
  ),
  one(
    'liveness-probe-missing',
    'no liveness probe',
    controllers,
    (object) =>
      containersOf(object).some((one) => list(one, 'ports').length > 0) &&
      each(object, (one) => drop(one, 'livenessProbe')),
  ),
  one('liveness-probe-aggressive', 'a second, one failure', controllers, (object) => {
    const [container] = containersOf(object)
    if (!container) return false
    container.livenessProbe = probe(1, 1)
    return true
  }),
  one(
    'liveness-same-as-readiness',
    'both ask /ready, and give up together',
    controllers,
    served((object) => {
      const container = containersOf(object).find((one) => list(one, 'ports').length > 0)
      const port = list(container, 'ports')[0]?.containerPort
      if (!container) return false
      container.readinessProbe = { ...probe(10, 3), httpGet: { path: '/ready', port } }
      container.livenessProbe = copy(container.readinessProbe)
      return true
    }),
  ),
  one(
    'liveness-same-as-readiness',
    'liveness copied from readiness',
    controllers,
    served((object) => {
      const container = containersOf(object).find((one) => isObject(at(one, 'readinessProbe.httpGet')))
      if (!container) return false
      container.livenessProbe = copy(container.readinessProbe)
      return true
    }),
  ),
  one('exec-probe-costly', 'a command every second', controllers, (object) => {
    const [container] = containersOf(object)
    if (!container) return false
    container.readinessProbe = { exec: { command: ['sh', '-c', 'curl localhost'] }, periodSeconds: 1 }
    return true
  }),
  one('exec-variable-not-expanded', 'a variable of a Secret in a probe', controllers, (object) => {
    const [container] = containersOf(object)
    if (!container) return false
    listIn(container, 'env').push({
      name: 'PROBE_TOKEN',
      valueFrom: { secretKeyRef: { name: 'token', key: 'value' } },
    })
    container.livenessProbe = { exec: { command: ['check', '--token=$(PROBE_TOKEN)'] }, periodSeconds: 30 }
    return true
  }),
]

const ending: Injection[] = [
  one(
    'drain-delay-missing',
    'no preStop hook behind an Ingress or balancer',
    controllers,
    open((object, pod) => {
      delete pod.shareProcessNamespace
      if (kindOf(object) !== 'DaemonSet') put(object, 'spec.replicas', 3)
      return each(object, (container) => {
        drop(container, 'lifecycle')
        container.readinessProbe ??= probe(10, 3)
      })
    }),
  ),
  one(
    'grace-shorter-than-drain',
    'a command that sleeps longer than the grace period',
    controllers,
    (object) => {
      const pod = podOf(object)
      const [container] = containersOf(object)
      if (!pod || !container) return false
      pod.terminationGracePeriodSeconds = 20
      container.lifecycle = { preStop: { exec: { command: ['sh', '-c', 'sleep 30'] } } }
      return true
    },
  ),
  one('grace-shorter-than-drain', 'sleep longer than the default', controllers, (object) => {
    const pod = podOf(object)
    const [container] = containersOf(object)
    if (!pod || !container) return false
    delete pod.terminationGracePeriodSeconds
    container.lifecycle = { preStop: { sleep: { seconds: 60 } } }
    return true
  }),
  one('grace-period-excessive', 'two days', controllers, (object) => {
    const pod = podOf(object)
    if (!pod) return false
    pod.terminationGracePeriodSeconds = 172_800
    return true
  }),
  one('shell-swallows-sigterm', 'a script of two commands under dash', controllers, (object) => {
    const [container] = containersOf(object)
    if (!container || container.lifecycle) return false
    container.image = 'python:3.12-slim'
    container.command = ['sh', '-c', 'python prepare.py; python server.py']
    delete container.args
    return true
  }),
  one(
    'single-replica-service',
    'one pod behind an Ingress or balancer',
    scaled,
    open((object) => {
      put(object, 'spec.replicas', 1)
      return true
    }),
  ),
  one(
    'rollout-drops-all-replicas',
    'Recreate with three pods',
    ['Deployment'],
    served((object) => {
      put(object, 'spec.replicas', 3)
      put(object, 'spec.strategy', { type: 'Recreate' })
      return true
    }),
  ),
  one(
    'rollout-drops-all-replicas',
    'maxUnavailable 100%',
    ['Deployment'],
    served((object) => {
      put(object, 'spec.replicas', 3)
      put(object, 'spec.strategy', { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '100%' } })
      return true
    }),
  ),
  one(
    'rollout-drops-all-replicas',
    'a single pod with maxUnavailable 1',
    ['Deployment'],
    served((object) => {
      put(object, 'spec.replicas', 1)
      put(object, 'spec.strategy', {
        type: 'RollingUpdate',
        rollingUpdate: { maxUnavailable: 1, maxSurge: 1 },
      })
      return true
    }),
  ),
  one('rollout-stalled', 'paused', ['Deployment'], (object) => {
    put(object, 'spec.paused', true)
    return true
  }),
  one('daemonset-update-unpaced', 'all nodes at once', ['DaemonSet'], (object) => {
    put(object, 'spec.updateStrategy', { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '100%' } })
    return true
  }),
  one(
    'crashloop-restart-storm',
    '40 pods behind a Service without any probe',
    scaled,
    served((object) => {
      put(object, 'spec.replicas', 40)
      drop(object, 'spec.minReadySeconds')
      return each(object, (one) => [drop(one, 'readinessProbe'), drop(one, 'startupProbe')])
    }),
  ),
  one('bare-pod-behind-service', 'a Pod in the place of its Deployment', ['Deployment'], (object, around) => {
    const template = templateOf(object)
    const isBalanced = around.servicesOf(object).some((one) => at(one, 'spec.type') === 'LoadBalancer')
    const name = nameOf(object)
    if (!template || !isBalanced) return false
    const namespace = namespaceOf(object)
    for (const key of Object.keys(object)) delete object[key]
    const metadata = {
      ...(isObject(template.metadata) && template.metadata),
      name,
      ...(namespace && { namespace }),
    }
    Object.assign(object, { apiVersion: 'v1', kind: 'Pod', metadata, spec: template.spec })
    return true
  }),
  one('sidecar-start-order', 'a proxy beside the application', scaled, (object) => {
    const containers = at(podOf(object) ?? {}, 'containers')
    return (
      Array.isArray(containers) && containers.push({ name: 'istio-proxy', image: 'istio/proxyv2:1.22.1' }) > 1
    )
  }),
]

const scheduling: Injection[] = [
  one(
    'replicas-not-spread',
    'three pods without affinity or spread',
    scaled,
    served((object, pod) => {
      put(object, 'spec.replicas', 3)
      delete pod.affinity
      delete pod.topologySpreadConstraints
      return true
    }),
  ),
  one('affinity-selector-mismatch', 'anti-affinity to a slip of the own label', scaled, (object) => {
    const pod = podOf(object)
    const [first] = Object.entries(podLabels(object))
    if (!pod || !first || String(first[1]).length < 4) return false
    delete pod.topologySpreadConstraints
    put(pod, 'affinity.podAntiAffinity', {
      requiredDuringSchedulingIgnoredDuringExecution: [
        {
          topologyKey: 'kubernetes.io/hostname',
          labelSelector: { matchLabels: { [first[0]]: swapped(String(first[1])) } },
        },
      ],
    })
    return true
  }),
  one('affinity-selector-mismatch', 'a spread constraint without selector', scaled, (object) => {
    const pod = podOf(object)
    if (!pod) return false
    delete pod.affinity
    pod.topologySpreadConstraints = [
      { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' },
    ]
    return true
  }),
  one(
    'anti-affinity-rollout-deadlock',
    'a pod for each node, and one more for the rollout',
    ['Deployment'],
    (object, around) => {
      const pod = podOf(object)
      if (!pod) return false
      put(object, 'spec.replicas', 3)
      put(object, 'spec.strategy', {
        type: 'RollingUpdate',
        rollingUpdate: { maxUnavailable: 0, maxSurge: 1 },
      })
      for (const field of ['nodeSelector', 'affinity', 'topologySpreadConstraints']) delete pod[field]
      put(pod, 'affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution', [selfTerm(object)])
      for (const name of ['node-a', 'node-b', 'node-c']) around.add(node(name))
      return true
    },
  ),
  one('spread-ignores-rollout', 'a hard spread without matchLabelKeys', ['Deployment'], (object) => {
    const pod = podOf(object)
    if (!pod) return false
    delete pod.affinity
    put(object, 'spec.replicas', 3)
    drop(object, 'spec.strategy')
    pod.topologySpreadConstraints = [
      {
        maxSkew: 1,
        topologyKey: 'kubernetes.io/hostname',
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: copy(podLabels(object)) },
      },
    ]
    return true
  }),
  one('toleration-matches-everything', 'operator Exists without a key', scaled, (object) => {
    const pod = podOf(object)
    if (!pod) return false
    pod.tolerations = [{ operator: 'Exists' }]
    return true
  }),
  one('node-selector-unsatisfiable', 'a label that the affinity excludes', controllers, (object) => {
    const pod = podOf(object)
    if (!pod) return false
    pod.nodeSelector = { pool: 'web' }
    put(pod, 'affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution', {
      nodeSelectorTerms: [{ matchExpressions: [{ key: 'pool', operator: 'NotIn', values: ['web'] }] }],
    })
    return true
  }),
  one(
    'spot-only-placement',
    'spot nodes alone',
    scaled,
    served((_, pod) => {
      pod.nodeSelector = { 'cloud.google.com/gke-spot': 'true' }
      return true
    }),
  ),
  one('surge-pod-does-not-fit', 'three pods of 32 cores', ['Deployment'], (object) => {
    const [container] = containersOf(object)
    if (!container) return false
    put(object, 'spec.replicas', 3)
    drop(object, 'spec.strategy')
    container.resources = { requests: { cpu: '32', memory: '64Gi' }, limits: { memory: '64Gi' } }
    return true
  }),
  one('autoscaler-eviction-blocked', 'safe-to-evict false', scaled, (object) => {
    const template = templateOf(object)
    if (!template) return false
    put(object, 'spec.replicas', 2)
    mapping(template, 'metadata.annotations')['cluster-autoscaler.kubernetes.io/safe-to-evict'] = 'false'
    return true
  }),
  one('priority-class-preempts-peers', 'a default for everybody', ['PriorityClass'], (object) => {
    object.globalDefault = true
    object.value = 100_000
    delete object.preemptionPolicy
    return true
  }),
  one(
    'critical-addon-priority-missing',
    'no priorityClassName',
    controllers,
    (object) => namespaceOf(object) === 'kube-system' && drop(podOf(object) ?? {}, 'priorityClassName'),
  ),
]

const budgets: Injection[] = [
  one('pdb-blocks-drain', 'maxUnavailable 0', ['PodDisruptionBudget'], (object, around) => {
    if (around.selectedBy(at(object, 'spec.selector.matchLabels'), object).length === 0) return false
    drop(object, 'spec.minAvailable')
    put(object, 'spec.maxUnavailable', 0)
    return true
  }),
  one('pdb-blocks-drain', 'minAvailable 100%', ['PodDisruptionBudget'], (object, around) => {
    if (around.selectedBy(at(object, 'spec.selector.matchLabels'), object).length === 0) return false
    drop(object, 'spec.maxUnavailable')
    put(object, 'spec.minAvailable', '100%')
    return true
  }),
  one('pdb-blocks-drain', 'minAvailable as many as there are', ['PodDisruptionBudget'], (object, around) => {
    const [workload] = around.selectedBy(at(object, 'spec.selector.matchLabels'), object)
    if (!workload || !scaled.includes(kindOf(workload))) return false
    drop(object, 'spec.maxUnavailable')
    put(object, 'spec.minAvailable', at(workload, 'spec.replicas') ?? 1)
    return true
  }),
  one('pdb-blocks-drain', 'a new budget of as many as there are', scaled, (object, around) => {
    if (Object.keys(podLabels(object)).length === 0) return false
    if (
      around
        .of('PodDisruptionBudget', object)
        .some((one) => selects(at(one, 'spec.selector.matchLabels'), podLabels(object)))
    )
      return false
    put(object, 'spec.replicas', 3)
    const made = budget(object, { minAvailable: 3 })
    around.add(made)
    return { at: made }
  }),
  one('pdb-missing', 'the budget is gone', ['PodDisruptionBudget'], (object, around) => {
    const [workload] = around.selectedBy(at(object, 'spec.selector.matchLabels'), object)
    if (!workload || around.servicesOf(workload).length === 0) return false
    around.remove(object)
    return { at: workload }
  }),
  one('pdb-selector-wrong', 'a slip in the selector', ['PodDisruptionBudget'], (object, around) => {
    const labels = at(object, 'spec.selector.matchLabels')
    if (!isObject(labels) || around.selectedBy(labels, object).length === 0) return false
    const [key, text] = Object.entries(labels)[0] ?? []
    if (key === undefined) return false
    ;(labels as Manifest)[key] = swapped(String(text))
    return true
  }),
  one(
    'pdb-selector-wrong',
    'a second budget for the same pods',
    ['PodDisruptionBudget'],
    (object, around) => {
      const [workload] = around.selectedBy(at(object, 'spec.selector.matchLabels'), object)
      if (!workload) return false
      const made = budget(workload, { maxUnavailable: 1 })
      around.add(made)
      return { at: [object, made] }
    },
  ),
  one('pdb-protects-unhealthy-pods', 'no unhealthyPodEvictionPolicy', ['PodDisruptionBudget'], (object) => {
    drop(object, 'spec.unhealthyPodEvictionPolicy')
    drop(object, 'spec.minAvailable')
    put(object, 'spec.maxUnavailable', 1)
    return true
  }),
]

const autoscaling: Injection[] = [
  one('hpa-replicas-conflict', 'replicas beside an autoscaler', scaled, (object, around) => {
    put(object, 'spec.replicas', 4)
    if (
      !around
        .of('HorizontalPodAutoscaler', object)
        .some((one) => at(one, 'spec.scaleTargetRef.name') === nameOf(object))
    )
      around.add(autoscaler(object))
    return nameOf(object) !== ''
  }),
  one('hpa-metric-without-request', 'no request for CPU in any container', scaled, (object, around) => {
    if (nameOf(object) === '') return false
    const made = autoscaler(object)
    const known = around
      .of('HorizontalPodAutoscaler', object)
      .find((one) => at(one, 'spec.scaleTargetRef.name') === nameOf(object))
    if (known) return false
    drop(object, 'spec.replicas')
    drop(podOf(object) ?? {}, 'resources')
    each(object, (one) => [drop(one, 'resources.requests.cpu'), drop(one, 'resources.limits.cpu')])
    around.add(made)
    return { at: made }
  }),
  one(
    'hpa-metric-without-request',
    'percent of a memory request that a sidecar lacks',
    scaled,
    (object, around) => {
      const containers = at(podOf(object) ?? {}, 'containers')
      if (nameOf(object) === '' || !Array.isArray(containers)) return false
      drop(object, 'spec.replicas')
      drop(podOf(object) ?? {}, 'resources')
      each(object, (one) => put(one, 'resources.requests.memory', '64Mi'))
      containers.push({
        name: 'side',
        image: 'example.org/side:1.2.3',
        resources: { requests: { cpu: '10m' } },
      })
      const resource = { name: 'memory', target: { type: 'Utilization', averageUtilization: 70 } }
      const made = autoscaler(object, { metrics: [{ type: 'Resource', resource }] })
      around.add(made)
      return { at: made }
    },
  ),
  one('hpa-scale-flapping', 'a window of 10 seconds', ['HorizontalPodAutoscaler'], (object, around) => {
    const workload = around.named(
      String(at(object, 'spec.scaleTargetRef.kind')),
      String(at(object, 'spec.scaleTargetRef.name')),
      object,
    )
    if (!workload || around.servicesOf(workload).length === 0) return false
    put(object, 'spec.behavior.scaleDown', { stabilizationWindowSeconds: 10 })
    return true
  }),
  one('hpa-at-limit', 'the minimum is the maximum', ['HorizontalPodAutoscaler'], (object) => {
    put(object, 'spec.minReplicas', at(object, 'spec.maxReplicas'))
    return typeof at(object, 'spec.maxReplicas') === 'number'
  }),
  one('autoscaler-target-missing', 'of another kind', ['HorizontalPodAutoscaler'], (object, around) => {
    const target = at(object, 'spec.scaleTargetRef')
    if (!isObject(target) || !around.named(String(target.kind), String(target.name), object)) return false
    ;(target as Manifest).kind = target.kind === 'Deployment' ? 'StatefulSet' : 'Deployment'
    return true
  }),
  one(
    'hpa-vpa-conflict',
    'a VerticalPodAutoscaler for the same workload',
    ['HorizontalPodAutoscaler'],
    (object, around) => {
      const target = at(object, 'spec.scaleTargetRef')
      if (!isObject(target) || !JSON.stringify(object).includes('tilization')) return false
      around.add({
        apiVersion: 'autoscaling.k8s.io/v1',
        kind: 'VerticalPodAutoscaler',
        metadata: {
          name: `${nameOf(object)}-vertical`,
          ...(namespaceOf(object) && { namespace: namespaceOf(object) }),
        },
        spec: { targetRef: copy(target), updatePolicy: { updateMode: 'Auto' } },
      })
      return true
    },
  ),
]

const services: Injection[] = [
  one('service-selects-nothing', 'a slip in the selector', ['Service'], (object, around) => {
    const selector = at(object, 'spec.selector')
    const found = around.selectedBy(selector, object)
    if (!isObject(selector) || found.length === 0) return false
    const [key, text] = Object.entries(selector)[0] ?? []
    if (key === undefined) return false
    ;(selector as Manifest)[key] = swapped(String(text))
    return true
  }),
  one('service-selects-nothing', 'another value in one of two pairs', ['Service'], (object, around) => {
    const selector = at(object, 'spec.selector')
    if (!isObject(selector) || Object.keys(selector).length < 2) return false
    if (around.selectedBy(selector, object).length === 0) return false
    const [key] = Object.keys(selector).slice(-1)
    ;(selector as Manifest)[key ?? ''] = 'somethingelse'
    return true
  }),
  one('service-selects-nothing', 'the name under another usual key', ['Service'], (object, around) => {
    const selector = at(object, 'spec.selector')
    if (!isObject(selector) || Object.keys(selector).length !== 1) return false
    const [[key, text] = ['', '']] = Object.entries(selector)
    if (!['app', 'app.kubernetes.io/name', 'k8s-app', 'name'].includes(key)) return false
    if (around.selectedBy(selector, object).length === 0) return false
    put(object, 'spec.selector', { [key === 'app' ? 'name' : 'app']: text })
    return true
  }),
  one('service-port-mismatch', 'a slip in a named targetPort', ['Service'], (object, around) => {
    if (around.selectedBy(at(object, 'spec.selector'), object).length === 0) return false
    return list(object, 'spec.ports').some((port) => {
      if (typeof port.targetPort !== 'string' || /^\d+$/.test(port.targetPort)) return false
      port.targetPort = swapped(port.targetPort)
      return true
    })
  }),
  one('service-port-mismatch', 'a number that no container declares', ['Service'], (object, around) => {
    const [workload] = around.selectedBy(at(object, 'spec.selector'), object)
    const ports = list(object, 'spec.ports')
    if (
      !workload ||
      ports.length !== 1 ||
      !containersOf(workload).some((one) => list(one, 'ports').length > 0)
    )
      return false
    for (const port of ports) port.targetPort = 9_477
    return true
  }),
  one('service-without-ready-endpoints', 'no pods behind an Ingress', scaled, (object, around) => {
    const [service] = around.servicesOf(object)
    const isRouted = around
      .of('Ingress', object)
      .some((one) => backendsOf(one).includes(nameOf(service ?? {})))
    if (!service || !isRouted) return false
    put(object, 'spec.replicas', 0)
    return { at: service }
  }),
  one('unready-addresses-published', 'publishNotReadyAddresses', ['Service'], (object, around) => {
    if (
      at(object, 'spec.clusterIP') === 'None' ||
      around.selectedBy(at(object, 'spec.selector'), object).length === 0
    )
      return false
    put(object, 'spec.publishNotReadyAddresses', true)
    return true
  }),
  one(
    'internal-traffic-local-without-daemonset',
    'internalTrafficPolicy Local',
    ['Service'],
    (object, around) => {
      const found = around.selectedBy(at(object, 'spec.selector'), object)
      if (found.length === 0 || !found.every((one) => scaled.includes(kindOf(one)))) return false
      put(object, 'spec.internalTrafficPolicy', 'Local')
      return true
    },
  ),
  ...(
    [
      ['local-traffic-drain-blackhole', 'two pods that may share a node', 2],
      ['local-traffic-unbalanced', 'three pods with a soft spread', 3],
    ] as const
  ).map(([rule, what, replicas]) =>
    one(rule, what, scaled, (object, around) => {
      const pod = podOf(object)
      const [service] = around.servicesOf(object)
      if (!pod || !service || around.selectedBy(at(service, 'spec.selector'), service).length !== 1)
        return false
      if (at(service, 'spec.clusterIP') === 'None' || around.of('HorizontalPodAutoscaler', object).length > 0)
        return false
      put(object, 'spec.replicas', replicas)
      delete pod.affinity
      delete pod.topologySpreadConstraints
      if (replicas === 3)
        put(pod, 'affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution', [
          { weight: 100, podAffinityTerm: selfTerm(object) },
        ])
      const made = copy(service)
      put(made, 'spec.type', 'LoadBalancer')
      put(made, 'spec.externalTrafficPolicy', 'Local')
      around.remove(service)
      around.add(made)
      return { at: made }
    }),
  ),
  one('nodeport-blind-balancing', 'a written node port', ['Service'], (object) => {
    const [port] = list(object, 'spec.ports')
    if (!port || at(object, 'spec.clusterIP') === 'None' || at(object, 'spec.type') === 'ExternalName')
      return false
    port.nodePort = 30_080
    put(object, 'spec.type', 'NodePort')
    drop(object, 'spec.externalTrafficPolicy')
    return true
  }),
  one('persistent-connections-pinned', 'gRPC to two pods', scaled, (object, around) => {
    const [service] = around.servicesOf(object)
    if (!service || at(service, 'spec.clusterIP') === 'None' || around.isOpen(object)) return false
    put(object, 'spec.replicas', 2)
    const made = copy(service)
    const [port] = list(made, 'spec.ports')
    if (!port) return false
    port.appProtocol = 'grpc'
    around.remove(service)
    around.add(made)
    return { at: made }
  }),
]

function secondRoute(object: Manifest): Manifest {
  const made = copy(object)
  put(made, 'metadata.name', `${nameOf(object)}-second`)
  const change = (backend: unknown) => {
    const service = isObject(backend)
      ? (at(backend as Manifest, 'service') as Manifest | undefined)
      : undefined
    if (service) service.name = `${String(service.name)}-new`
  }
  for (const rule of list(made, 'spec.rules'))
    for (const path of list(rule, 'http.paths')) change(path.backend)
  return made
}

const routes: Injection[] = [
  one('ingress-backend-missing', 'a slip in the name of a Service', ['Ingress'], (object, around) => {
    const paths = list(object, 'spec.rules').flatMap((rule) => list(rule, 'http.paths'))
    const found = paths.find((path) =>
      around.named('Service', String(at(path, 'backend.service.name')), object),
    )
    const service = found && (at(found, 'backend.service') as Manifest)
    if (!service || String(service.name).length < 4) return false
    service.name = swapped(String(service.name))
    return true
  }),
  one('ingress-backend-missing', 'a port that the Service has not', ['Ingress'], (object, around) => {
    const paths = list(object, 'spec.rules').flatMap((rule) => list(rule, 'http.paths'))
    const found = paths.find((path) =>
      around.named('Service', String(at(path, 'backend.service.name')), object),
    )
    if (!found) return false
    put(found, 'backend.service.port', { number: 9_477 })
    return true
  }),
  one(
    'ingress-backend-missing',
    'a port that the Service has not',
    ['gateway.networking.k8s.io/HTTPRoute'],
    (object, around) => {
      const backends = list(object, 'spec.rules').flatMap((rule) => list(rule, 'backendRefs'))
      const found = backends.find(
        (one) => (one.kind ?? 'Service') === 'Service' && around.named('Service', String(one.name), object),
      )
      if (!found) return false
      found.port = 9_477
      return true
    },
  ),
  one(
    'route-parent-missing',
    'a slip in the name of the Gateway',
    ['gateway.networking.k8s.io/HTTPRoute'],
    (object, { folder }) => {
      const found = parentIn(folder, object)
      if (!found) return false
      found.name = swapped(String(found.name))
      return true
    },
  ),
  one(
    'route-parent-missing',
    'a listener that the Gateway has not',
    ['gateway.networking.k8s.io/HTTPRoute'],
    (object, { folder }) => {
      const found = parentIn(folder, object)
      if (!found) return false
      found.sectionName = 'not-there'
      return true
    },
  ),
  one(
    'gateway-not-programmed',
    'a slip in the class',
    ['gateway.networking.k8s.io/Gateway'],
    (object, { folder }) => {
      const name = String(at(object, 'spec.gatewayClassName'))
      if (!folder.some((one) => one.kind === 'GatewayClass' && nameOf(one) === name)) return false
      put(object, 'spec.gatewayClassName', swapped(name))
      return true
    },
  ),
  one('ingress-route-conflict', 'a second Ingress for the same paths', ['Ingress'], (object, around) => {
    if (
      !list(object, 'spec.rules').some(
        (rule) => typeof rule.host === 'string' && list(rule, 'http.paths').length > 0,
      )
    )
      return false
    const made = secondRoute(object)
    around.add(made)
    return { at: [object, made] }
  }),
  one('ingress-host-overbroad', 'a rule without host in another namespace', ['Ingress'], (object, around) => {
    if (!list(object, 'spec.rules').some((rule) => typeof rule.host === 'string')) return false
    const made = secondRoute(object)
    put(made, 'metadata.namespace', 'another')
    for (const rule of list(made, 'spec.rules')) delete rule.host
    drop(made, 'spec.tls')
    around.add(made)
    return { at: made }
  }),
  one('ingress-tls-secret-invalid', 'a slip in the host of tls', ['Ingress'], (object) => {
    const hosts = list(object, 'spec.rules').flatMap((rule) =>
      typeof rule.host === 'string' ? [rule.host] : [],
    )
    const [host] = hosts
    if (host === undefined || host.length < 6) return false
    put(object, 'spec.tls', [{ hosts: [swapped(host)], secretName: 'web-tls' }])
    return true
  }),
  one('ingress-tls-secret-invalid', 'a Secret of another type', ['Ingress'], (object, around) => {
    const [rule] = list(object, 'spec.rules')
    if (typeof rule?.host !== 'string') return false
    put(object, 'spec.tls', [{ hosts: [rule.host], secretName: 'web-tls' }])
    around.add({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'web-tls', ...(namespaceOf(object) && { namespace: namespaceOf(object) }) },
      type: 'Opaque',
      stringData: { password: 'x' },
    })
    return true
  }),
  one('certificate-not-requested', 'an issuer without tls', ['Ingress'], (object) => {
    if (!list(object, 'spec.rules').some((rule) => typeof rule.host === 'string')) return false
    mapping(object, 'metadata.annotations')['cert-manager.io/cluster-issuer'] = 'letsencrypt'
    drop(object, 'spec.tls')
    return true
  }),
  one('ingress-upstream-service-vip', 'service-upstream', ['Ingress'], (object) => {
    mapping(object, 'metadata.annotations')['nginx.ingress.kubernetes.io/service-upstream'] = 'true'
    return true
  }),
  one('gke-ingress-without-neg', 'NEG switched off', ['Ingress'], (object, around) => {
    const name = backendsOf(object).find((one) => around.named('Service', one, object))
    const service = name === undefined ? undefined : around.named('Service', name, object)
    if (!service) return false
    mapping(object, 'metadata.annotations')['kubernetes.io/ingress.class'] = 'gce'
    drop(object, 'spec.ingressClassName')
    const made = copy(service)
    mapping(made, 'metadata.annotations')['cloud.google.com/neg'] = '{"ingress": false}'
    around.remove(service)
    around.add(made)
    return true
  }),
  one(
    'lb-readiness-gate-missing',
    'target type ip in a Namespace without the label',
    ['Ingress'],
    (object, around) => {
      const name = namespaceOf(object) || 'shop'
      if (!backendsOf(object).some((one) => around.named('Service', one, object))) return false
      if (around.folder.some((one) => one.kind === 'Namespace')) return false
      const annotations = mapping(object, 'metadata.annotations')
      annotations['alb.ingress.kubernetes.io/target-type'] = 'ip'
      put(object, 'spec.ingressClassName', 'alb')
      delete annotations['kubernetes.io/ingress.class']
      const made = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
      around.add(made)
      return namespaceOf(object) !== '' && { at: made }
    },
  ),
]

/** A policy for the pods of a workload. */
function policy(object: Manifest, ingress: readonly unknown[]): Manifest {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: {
      name: `${nameOf(object)}-policy`,
      ...(namespaceOf(object) && { namespace: namespaceOf(object) }),
    },
    spec: { podSelector: { matchLabels: copy(podLabels(object)) }, policyTypes: ['Ingress'], ingress },
  }
}

const policies: Injection[] = [
  one('network-policy-selects-nothing', 'a slip in the podSelector', ['NetworkPolicy'], (object, around) => {
    const labels = at(object, 'spec.podSelector.matchLabels')
    if (!isObject(labels) || around.selectedBy(labels, object).length === 0) return false
    const [key, text] = Object.entries(labels)[0] ?? []
    if (key === undefined) return false
    ;(labels as Manifest)[key] = swapped(String(text))
    return true
  }),
  one('network-policy-blocks-service', 'a policy that allows another port', scaled, (object, around) => {
    const [service] = around.servicesOf(object)
    if (!service || list(service, 'spec.ports').length === 0 || namespaceOf(object) === 'kube-system')
      return false
    if (around.unit.some((one) => String(one.kind).includes('NetworkPolicy'))) return false
    around.add(policy(object, [{ ports: [{ port: 9_477 }] }]))
    return { at: service }
  }),
  one(
    'network-policy-peer-missing',
    'a slip in the podSelector of a peer',
    ['NetworkPolicy'],
    (object, around) => {
      const peers = [
        ...list(object, 'spec.ingress').flatMap((rule) => list(rule, 'from')),
        ...list(object, 'spec.egress').flatMap((rule) => list(rule, 'to')),
      ]
      return peers.some((peer) => {
        const labels = at(peer, 'podSelector.matchLabels')
        if (!isObject(labels) || peer.namespaceSelector || around.selectedBy(labels, object).length === 0)
          return false
        const [key, text] = Object.entries(labels)[0] ?? []
        if (key === undefined) return false
        ;(labels as Manifest)[key] = swapped(String(text))
        return true
      })
    },
  ),
  one('source-ip-lost', 'a policy for addresses behind a balancer', scaled, (object, around) => {
    const service = around.servicesOf(object).find((one) => at(one, 'spec.type') === 'LoadBalancer')
    if (!service || at(service, 'spec.externalTrafficPolicy') === 'Local') return false
    around.add(policy(object, [{ from: [{ ipBlock: { cidr: '203.0.113.0/24' } }] }]))
    return { at: service }
  }),
]

const resources: Injection[] = [
  one('resource-requests-missing', 'no requests and limits', controllers, (object) => {
    drop(podOf(object) ?? {}, 'resources')
    return each(object, (one) => drop(one, 'resources'))
  }),
  one('memory-limit-missing', 'requests alone', controllers, (object) => {
    drop(podOf(object) ?? {}, 'resources')
    return each(object, (one) => {
      one.resources = { requests: { cpu: '100m', memory: '128Mi' } }
    })
  }),
  one(
    'implausible-quantity',
    '512m of memory',
    ['Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob', 'Pod'],
    (object) => {
      const [container] = containersOf(object)
      if (!container) return false
      container.resources = { requests: { cpu: '100m', memory: '512m' }, limits: { memory: '512m' } }
      return true
    },
  ),
  one('implausible-quantity', '500 cores', controllers, (object) => {
    const [container] = containersOf(object)
    if (!container) return false
    container.resources = { requests: { cpu: '500', memory: '512Mi' }, limits: { memory: '512Mi' } }
    return true
  }),
  one('implausible-quantity', '10 bytes of storage', ['PersistentVolumeClaim'], (object) => {
    put(object, 'spec.resources.requests.storage', '10')
    return true
  }),
  one(
    'cpu-limit-throttling',
    'half a core for Java',
    scaled,
    served((object) => {
      const [container] = containersOf(object)
      if (!container) return false
      container.image = 'eclipse-temurin:21-jre'
      container.command = ['java', '-jar', 'app.jar']
      container.resources = {
        requests: { cpu: '100m', memory: '512Mi' },
        limits: { cpu: '500m', memory: '512Mi' },
      }
      return true
    }),
  ),
  one('limits-overcommit', 'limits of 64 times the request', controllers, (object) => {
    const [container] = containersOf(object)
    if (!container) return false
    container.resources = { requests: { cpu: '10m', memory: '64Mi' }, limits: { cpu: '4', memory: '4Gi' } }
    return true
  }),
  one(
    'ephemeral-storage-unbounded',
    'a volume in memory without any limit',
    controllers,
    served((object, pod) => {
      const [container] = containersOf(object)
      if (!container) return false
      listIn(pod, 'volumes').push({ name: 'scratch', emptyDir: { medium: 'Memory' } })
      listIn(container, 'volumeMounts').push({ name: 'scratch', mountPath: '/data/scratch' })
      drop(pod, 'resources')
      return each(object, (one) => {
        one.resources = { requests: { cpu: '100m', memory: '128Mi' } }
      })
    }),
  ),
  one('request-exceeds-node', '3 TiB of memory, nodes of 64 GiB', controllers, (object, around) => {
    const [container] = containersOf(object)
    if (!container) return false
    container.resources = { requests: { cpu: '1', memory: '3Ti' }, limits: { memory: '3Ti' } }
    drop(podOf(object) ?? {}, 'nodeSelector')
    drop(podOf(object) ?? {}, 'affinity')
    around.add(node('node-a'))
    return true
  }),
  one('request-exceeds-node', 'more than the quota of the namespace', controllers, (object, around) => {
    const [container] = containersOf(object)
    const namespace = namespaceOf(object)
    if (!container || namespace === '') return false
    container.resources = { requests: { cpu: '8', memory: '8Gi' }, limits: { memory: '8Gi' } }
    around.add({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'own', namespace },
      spec: { hard: { 'requests.memory': '4Gi' } },
    })
    return true
  }),
  ...(['1', '2'] as const).map((gigabytes) =>
    one(
      'quota-below-workloads',
      gigabytes === '1'
        ? 'a quota for one of its two pods'
        : 'a quota for its two pods, and none of a rollout',
      ['Deployment'],
      (object, around) => {
        const [container] = containersOf(object)
        const namespace = namespaceOf(object)
        if (!container || namespace === '' || namespace === 'default') return false
        put(object, 'spec.replicas', 2)
        drop(object, 'spec.strategy')
        container.resources = { requests: { 'ephemeral-storage': '1G' } }
        const quota = {
          apiVersion: 'v1',
          kind: 'ResourceQuota',
          metadata: { name: 'disk', namespace },
          spec: { hard: { 'requests.ephemeral-storage': `${gigabytes}G` } },
        }
        around.add(quota)
        return { at: quota }
      },
    ),
  ),
  ...(
    [
      ['a request above the default limit', { default: { memory: '512Mi' } }],
      ['a request below the minimum', { min: { memory: '2Gi' } }],
    ] as const
  ).map(([what, bounds]) =>
    one('limit-range-refused', what, controllers, (object, around) => {
      const [container] = containersOf(object)
      const namespace = namespaceOf(object)
      if (!container || namespace === '' || around.of('LimitRange', object).length > 0) return false
      container.resources = { requests: { memory: '1Gi' } }
      around.add({
        apiVersion: 'v1',
        kind: 'LimitRange',
        metadata: { name: 'sizes', namespace },
        spec: { limits: [{ type: 'Container', ...bounds }] },
      })
      return true
    }),
  ),
  one('node-memory-hog', 'a limit of 60 GiB, nodes of 64 GiB', controllers, (object, around) => {
    const pod = podOf(object)
    const [container] = containersOf(object)
    if (!pod || !container) return false
    for (const field of ['nodeSelector', 'affinity', 'tolerations']) delete pod[field]
    container.resources = { requests: { cpu: '1', memory: '1Gi' }, limits: { memory: '60Gi' } }
    around.add(node('node-a'))
    return true
  }),
  one(
    'namespace-pod-quota-missing',
    'a CronJob each minute, and no quota',
    ['CronJob', 'Job'],
    (object, around) => {
      if (!scheduled(object)) return false
      const namespace = namespaceOf(object)
      const own = around.folder.find((one) => one.kind === 'Namespace' && nameOf(one) === namespace)
      if (namespace === '' || namespace.startsWith('kube-') || around.of('ResourceQuota', object).length > 0)
        return false
      put(object, 'spec.schedule', '* * * * *')
      drop(object, 'spec.concurrencyPolicy')
      if (own) return { at: own }
      const made = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }
      around.add(made)
      return { at: made }
    },
  ),
  one('object-count-explosion', 'a history of 500 revisions', scaled, (object) => {
    put(object, 'spec.revisionHistoryLimit', 500)
    return true
  }),
]

const images: Injection[] = [
  one('mutable-image-tag', 'latest', ['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob'], (object) => {
    const [container] = containersOf(object)
    if (!container) return false
    container.image = 'ghcr.io/example/web:latest'
    container.imagePullPolicy = 'Always'
    return true
  }),
  one(
    'mutable-image-tag',
    'the tag is left out',
    ['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob'],
    (object) => {
      const found = containersOf(object).find((one) => /^[\w.-]+\.\w+\/.*:v?\d/.test(String(one.image)))
      if (!found) return false
      found.image = String(found.image).replace(/(:[^:/@]+)?(@.*)?$/, '')
      found.imagePullPolicy = 'Always'
      return true
    },
  ),
  one('image-tag-drift', 'latest, pulled once', ['Deployment', 'StatefulSet'], (object) => {
    const [container] = containersOf(object)
    if (!container) return false
    put(object, 'spec.replicas', 3)
    container.image = 'ghcr.io/example/web:latest'
    container.imagePullPolicy = 'IfNotPresent'
    return true
  }),
  one('image-pull-always', 'Always with a version', controllers, (object) => {
    const [container] = containersOf(object)
    if (!container) return false
    container.image = 'ghcr.io/example/web:1.2.3'
    container.imagePullPolicy = 'Always'
    return true
  }),
  one('public-registry-image', 'Docker Hub', controllers, (object) => {
    const [container] = containersOf(object)
    if (!container) return false
    container.image = 'example/web:1.2.3'
    return true
  }),
  one('musl-resolver-image', 'Alpine 3.12', controllers, (object) => {
    const pod = podOf(object)
    const [container] = containersOf(object)
    if (!pod || !container) return false
    delete pod.dnsConfig
    delete pod.dnsPolicy
    delete pod.hostNetwork
    container.image = 'example.org/web:1.2-alpine3.12'
    return true
  }),
  one(
    'registry-in-own-cluster',
    'an image of a registry that an Ingress serves',
    ['Ingress'],
    (object, around) => {
      const [rule] = list(object, 'spec.rules')
      const name = backendsOf(object).find((one) => around.named('Service', one, object))
      const service = name === undefined ? undefined : around.named('Service', name, object)
      const [workload] = service ? around.selectedBy(at(service, 'spec.selector'), service) : []
      if (typeof rule?.host !== 'string' || rule.host.includes('*') || !workload) return false
      const made = copy(workload)
      const [container] = containersOf(made)
      if (!container) return false
      container.image = `${rule.host}/tools/web:1.2.3`
      around.remove(workload)
      around.add(made)
      return { at: made }
    },
  ),
]

const admission: Injection[] = [
  one('webhook-fail-closed-system-scope', 'pods of all namespaces', webhooks, (object) => {
    const [first] = list(object, 'webhooks')
    if (!first) return false
    first.failurePolicy = 'Fail'
    for (const field of ['namespaceSelector', 'objectSelector', 'matchConditions']) delete first[field]
    first.rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }]
    return true
  }),
  one('webhook-fail-closed-system-scope', 'everything, by default', webhooks, (object) => {
    const [first] = list(object, 'webhooks')
    if (!first) return false
    for (const field of ['failurePolicy', 'namespaceSelector', 'objectSelector', 'matchConditions'])
      delete first[field]
    first.rules = [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/*'] }]
    return true
  }),
  one('webhook-timeout-long', '30 seconds for all pods', webhooks, (object) => {
    const [first] = list(object, 'webhooks')
    if (!first) return false
    for (const field of ['namespaceSelector', 'objectSelector', 'matchConditions']) delete first[field]
    first.timeoutSeconds = 30
    first.rules = [
      { apiGroups: ['*'], apiVersions: ['*'], operations: ['CREATE', 'UPDATE'], resources: ['*'] },
    ]
    return true
  }),
  one('webhook-backend-unavailable', 'a slip in the name of the Service', webhooks, (object, { folder }) => {
    const found = list(object, 'webhooks').find((webhook) => backendIn(folder, webhook))
    if (!found) return false
    put(found, 'clientConfig.service.name', swapped(String(at(found, 'clientConfig.service.name'))))
    return true
  }),
  one('webhook-backend-unavailable', 'a port that the Service has not', webhooks, (object, { folder }) => {
    const found = list(object, 'webhooks').find((webhook) => backendIn(folder, webhook))
    if (!found) return false
    put(found, 'clientConfig.service.port', 9_477)
    return true
  }),
  one('webhook-selects-itself', 'pods of its own namespace', webhooks, (object, { folder }) => {
    const found = list(object, 'webhooks').find((webhook) => {
      const service = backendIn(folder, webhook)
      return folder.some(
        (one) =>
          service &&
          namespaceOf(one) === namespaceOf(service) &&
          selects(at(service, 'spec.selector'), podLabels(one)),
      )
    })
    const namespace = found && at(found, 'clientConfig.service.namespace')
    if (!found || namespace === 'kube-system') return false
    found.failurePolicy = 'Fail'
    for (const field of ['objectSelector', 'matchConditions']) delete found[field]
    found.namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': namespace } }
    found.rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }]
    return true
  }),
  one('webhook-cabundle-invalid', 'base64 of something else', webhooks, (object) => {
    const [first] = list(object, 'webhooks')
    if (!first) return false
    drop(object, 'metadata.annotations')
    put(first, 'clientConfig.caBundle', Buffer.from('not a certificate').toString('base64'))
    return true
  }),
]

/** Puts a slip into the first name at which a pod refers to an object of the folder. */
function reference(
  kind: string,
  of: (container: Manifest, pod: Manifest) => { readonly in: Manifest; readonly field: string }[],
): Edit {
  return (object, around) => {
    const pod = podOf(object)
    if (!pod) return false
    const found = containersOf(object)
      .flatMap((container) => of(container, pod))
      .find(
        ({ in: where, field }) => where.optional !== true && around.named(kind, String(where[field]), object),
      )
    const name = found && String(found.in[found.field])
    if (!found || !name || name.length < 5) return false
    // All that the pod says of it: else the others would show what is meant.
    found.in[found.field] = swapped(name)
    return true
  }
}

const volumes = (field: string, key: string) => (_: Manifest, pod: Manifest) =>
  list(pod, 'volumes').flatMap((one) => {
    const source = one[field]
    return isObject(source) && typeof source[key] === 'string' ? [{ in: source as Manifest, field: key }] : []
  })
const envFrom = (field: string) => (container: Manifest) =>
  list(container, 'envFrom').flatMap((one) =>
    isObject(one[field]) ? [{ in: one[field] as Manifest, field: 'name' }] : [],
  )
const variable = (field: string) => (container: Manifest) =>
  list(container, 'env').flatMap((one) => {
    const source = at(one, `valueFrom.${field}`)
    return isObject(source) ? [{ in: source as Manifest, field: 'name' }] : []
  })

const all = [...controllers, 'Job', 'CronJob']
const config: Injection[] = [
  one(
    'referenced-config-missing',
    'a slip in the ConfigMap of a volume',
    all,
    reference('ConfigMap', volumes('configMap', 'name')),
  ),
  one(
    'referenced-config-missing',
    'a slip in the Secret of a volume',
    all,
    reference('Secret', volumes('secret', 'secretName')),
  ),
  one(
    'referenced-config-missing',
    'a slip in the claim of a volume',
    all,
    reference('PersistentVolumeClaim', volumes('persistentVolumeClaim', 'claimName')),
  ),
  one(
    'referenced-config-missing',
    'a slip in the ConfigMap of envFrom',
    all,
    reference('ConfigMap', envFrom('configMapRef')),
  ),
  one(
    'referenced-config-missing',
    'a slip in the Secret of envFrom',
    all,
    reference('Secret', envFrom('secretRef')),
  ),
  one(
    'referenced-config-missing',
    'a slip in the ConfigMap of a variable',
    all,
    reference('ConfigMap', variable('configMapKeyRef')),
  ),
  one(
    'referenced-config-missing',
    'a slip in the Secret of a variable',
    all,
    reference('Secret', variable('secretKeyRef')),
  ),
  one('referenced-config-missing', 'a key that the ConfigMap has not', all, (object, around) =>
    containersOf(object).some((container) =>
      list(container, 'env').some((one) => {
        const source = at(one, 'valueFrom.configMapKeyRef')
        if (
          !isObject(source) ||
          source.optional === true ||
          !around.named('ConfigMap', String(source.name), object)
        )
          return false
        ;(source as Manifest).key = `${String(source.key)}_OLD`
        return true
      }),
    ),
  ),
  one('referenced-config-missing', 'a slip in the ServiceAccount', all, (object, around) => {
    const pod = podOf(object)
    const name = pod?.serviceAccountName
    if (!pod || typeof name !== 'string' || name.length < 5 || !around.named('ServiceAccount', name, object))
      return false
    pod.serviceAccountName = swapped(name)
    delete pod.serviceAccount
    return true
  }),
  one(
    'role-binding-role-missing',
    'a slip in the name of the role',
    ['RoleBinding', 'ClusterRoleBinding'],
    (object, { folder }) => {
      const name = String(at(object, 'roleRef.name'))
      const kind = at(object, 'roleRef.kind')
      const role = folder.find((one) => one.kind === kind && nameOf(one) === name)
      if (!role || (kind === 'Role' && namespaceOf(role) !== namespaceOf(object)) || name.length < 5)
        return false
      put(object, 'roleRef.name', swapped(name))
      return true
    },
  ),
  one('role-binding-role-missing', 'the other kind', ['RoleBinding'], (object, { folder, unit }) => {
    const name = String(at(object, 'roleRef.name'))
    const kind = at(object, 'roleRef.kind')
    const isOther = (one: Manifest) => /^(?:Cluster)?Role$/.test(kindOf(one)) && one.kind !== kind
    if (unit.some((one) => isOther(one) && nameOf(one) === name)) return false
    const role = folder.find((one) => one.kind === kind && nameOf(one) === name)
    if (!role || namespaceOf(role) !== (kind === 'Role' ? namespaceOf(object) : '')) return false
    put(object, 'roleRef.kind', kind === 'Role' ? 'ClusterRole' : 'Role')
    return true
  }),
  one(
    'role-binding-account-missing',
    'the account in another namespace',
    ['ClusterRoleBinding'],
    (object, { folder }) => {
      const subject = accountIn(object, folder)
      if (!subject) return false
      subject.namespace = 'elsewhere'
      return true
    },
  ),
  one(
    'role-binding-account-missing',
    'a slip in the name of the account',
    ['RoleBinding', 'ClusterRoleBinding'],
    (object, { folder }) => {
      const subject = accountIn(object, folder)
      const name = String(subject?.name)
      if (!subject || name.length < 5) return false
      subject.name = swapped(name)
      return true
    },
  ),
  one(
    'destructive-rbac-broad',
    'cluster-admin for all who have logged in',
    ['ClusterRoleBinding'],
    (object) => {
      object.roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' }
      object.subjects = [
        { kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'system:authenticated' },
      ]
      return true
    },
  ),
  one('config-change-not-rolled', 'variables of a ConfigMap', controllers, (object, around) => {
    const [container] = containersOf(object)
    if (!container) return false
    drop(templateOf(object) ?? {}, 'metadata.annotations')
    listIn(container, 'envFrom').push({ configMapRef: { name: 'web-settings' } })
    around.add({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'web-settings', ...(namespaceOf(object) && { namespace: namespaceOf(object) }) },
      data: { MODE: 'fast' },
    })
    return true
  }),
  one('log-volume-excessive', 'LOG_LEVEL debug', controllers, (object) => {
    const [container] = containersOf(object)
    if (!container) return false
    const env = listIn(container, 'env').filter((one) => !isObject(one) || one.name !== 'LOG_LEVEL')
    container.env = [...env, { name: 'LOG_LEVEL', value: 'debug' }]
    return true
  }),
  one('gitops-prune-unguarded', 'prune and allowEmpty', ['argoproj.io/Application'], (object) => {
    put(object, 'spec.syncPolicy.automated', { prune: true, allowEmpty: true })
    return true
  }),
  one(
    'unpinned-deployment-source',
    'any version of a chart',
    ['helm.toolkit.fluxcd.io/HelmRelease'],
    (object) => {
      const chart = at(object, 'spec.chart.spec')
      if (!isObject(chart) || at(object, 'spec.chart.spec.sourceRef.kind') !== 'HelmRepository') return false
      ;(chart as Manifest).version = '*'
      return true
    },
  ),
]

const storage: Injection[] = [
  ...(
    [
      ['two pods', 2],
      ['one pod, and one more for the rollout', 1],
    ] as const
  ).map(([what, replicas]) =>
    one(
      'rwo-volume-rolling-update',
      `${what} with a ReadWriteOnce claim`,
      ['Deployment'],
      (object, around) => {
        const pod = podOf(object)
        const claims = list(pod, 'volumes').flatMap((one) => at(one, 'persistentVolumeClaim.claimName') ?? [])
        const found = claims.some((name) => {
          const modes = at(
            around.named('PersistentVolumeClaim', String(name), object) ?? {},
            'spec.accessModes',
          )
          return Array.isArray(modes) && modes.length === 1 && modes[0] === 'ReadWriteOnce'
        })
        if (!found) return false
        put(object, 'spec.replicas', replicas)
        drop(object, 'spec.strategy')
        return true
      },
    ),
  ),
  one('database-data-ephemeral', 'PostgreSQL without a volume', scaled, (object) => {
    const pod = podOf(object)
    const [container] = containersOf(object)
    if (!pod || !container || at(object, 'spec.replicas') === 0) return false
    for (const field of ['command', 'args', 'volumeMounts']) delete container[field]
    container.image = 'postgres:16.3'
    drop(object, 'spec.volumeClaimTemplates')
    return true
  }),
  one('volume-reclaim-delete', 'claims deleted with a database', ['StatefulSet'], (object) => {
    const [container] = containersOf(object)
    if (!container || list(object, 'spec.volumeClaimTemplates').length === 0) return false
    container.image = 'postgres:16.3'
    put(object, 'spec.persistentVolumeClaimRetentionPolicy', { whenDeleted: 'Delete', whenScaled: 'Retain' })
    return true
  }),
  one('volume-zone-mismatch', 'disks of a zone, bound at once', ['StorageClass'], (object) => {
    object.provisioner = 'pd.csi.storage.gke.io'
    object.parameters = { type: 'pd-balanced' }
    for (const field of ['volumeBindingMode', 'allowedTopologies']) delete object[field]
    return true
  }),
  one('burstable-storage', 'gp2', ['StorageClass'], (object) => {
    object.provisioner = 'ebs.csi.aws.com'
    object.parameters = { type: 'gp2' }
    return true
  }),
  one('statefulset-names-unresolved', 'another governing Service', ['StatefulSet'], (object, around) => {
    const name = String(at(object, 'spec.serviceName') ?? '')
    const [container] = containersOf(object)
    const service = around.named('Service', name, object)
    if (!container || !service || !selects(at(service, 'spec.selector'), podLabels(object))) return false
    listIn(container, 'env').push({ name: 'FIRST_MEMBER', value: `${nameOf(object)}-0.${name}` })
    put(object, 'spec.serviceName', `${name}-headless`)
    return true
  }),
  one('docker-runtime-node', 'the socket of Docker', controllers, (object) => {
    const pod = podOf(object)
    const [container] = containersOf(object)
    if (!pod || !container) return false
    listIn(pod, 'volumes').push({ name: 'docker', hostPath: { path: '/var/run/docker.sock' } })
    listIn(container, 'volumeMounts').push({ name: 'docker', mountPath: '/var/run/docker.sock' })
    return true
  }),
]

const monitors = ['monitoring.coreos.com/ServiceMonitor']

/** The Services of the folder that a monitor selects in its own namespace. */
function watched(object: Manifest, around: Around): Manifest[] {
  const labels = at(object, 'spec.selector.matchLabels')
  return around
    .of('Service', object)
    .filter((one) => selects(labels, (at(one, 'metadata.labels') as Manifest | undefined) ?? {}))
}

const observability: Injection[] = [
  one('monitor-port-missing', 'a slip in the name of the port', monitors, (object, around) => {
    const services = watched(object, around)
    const endpoints = list(object, 'spec.endpoints').filter((one) => typeof one.port === 'string')
    if (services.length === 0 || endpoints.length === 0) return false
    if (!services.some((one) => around.selectedBy(at(one, 'spec.selector'), one).length > 0)) return false
    for (const endpoint of endpoints) endpoint.port = swapped(String(endpoint.port))
    return true
  }),
  one('service-monitor-selects-nothing', 'the labels of the pods', monitors, (object, around) => {
    const [service] = watched(object, around)
    const ports = list(object, 'spec.endpoints').map(({ port }) => port)
    if (!service || !list(service, 'spec.ports').some(({ name }) => ports.includes(name))) return false
    const made = copy(service)
    put(made, 'metadata.labels', { other: 'label' })
    put(object, 'spec.selector', { matchLabels: copy(at(service, 'spec.selector')) })
    around.remove(service)
    around.add(made)
    return isObject(at(service, 'spec.selector'))
  }),
  one('metrics-not-persisted', 'no storage', ['monitoring.coreos.com/Prometheus'], (object) => {
    drop(object, 'spec.storage')
    drop(object, 'spec.remoteWrite')
    return true
  }),
  one('telemetry-agent-unbounded', 'no limits', ['DaemonSet'], (object) => {
    const [container] = containersOf(object)
    if (!container) return false
    container.image = 'fluent/fluent-bit:3.1.4'
    delete container.resources
    return true
  }),
]

const cluster: Injection[] = [
  one('leader-lease-stale', 'two pods without leader election', ['Deployment'], (object) => {
    const [container] = containersOf(object)
    if (!container) return false
    put(object, 'spec.replicas', 2)
    container.args = ['--leader-elect=false']
    return true
  }),
  one('etcd-data-ephemeral', 'etcd on an emptyDir', ['StatefulSet'], (object) => {
    const pod = podOf(object)
    const [container] = containersOf(object)
    if (!pod || !container) return false
    put(object, 'spec.replicas', 3)
    drop(object, 'spec.volumeClaimTemplates')
    pod.volumes = [{ name: 'data', emptyDir: {} }]
    container.image = 'quay.io/coreos/etcd:v3.5.14'
    container.command = ['etcd', '--data-dir=/var/lib/etcd']
    delete container.args
    container.volumeMounts = [{ name: 'data', mountPath: '/var/lib/etcd' }]
    return true
  }),
  one('addon-image-known-defect', 'an old Traefik', ['Deployment', 'DaemonSet'], (object) => {
    const [container] = containersOf(object)
    if (!container) return false
    container.image = 'traefik:v2.2.0'
    return true
  }),
  one('dns-ndots-amplification', 'the name of a host outside', controllers, (object) => {
    const pod = podOf(object)
    const [container] = containersOf(object)
    if (!pod || !container) return false
    for (const field of ['dnsConfig', 'dnsPolicy', 'hostNetwork']) delete pod[field]
    listIn(container, 'env').push({ name: 'API_HOST', value: 'api.example.com' })
    return true
  }),
  one('metadata-proxy-credentials', 'a role by an annotation', controllers, (object) => {
    const template = templateOf(object)
    if (!template) return false
    mapping(template, 'metadata.annotations')['iam.amazonaws.com/role'] = 'web'
    return true
  }),
  one('namespace-shadows-domain', 'a namespace called com', ['Service'], (object) => {
    put(object, 'metadata.namespace', 'com')
    return true
  }),
  one('mesh-injection-gap', 'both labels of Istio', ['Namespace'], (object) => {
    const labels = mapping(object, 'metadata.labels')
    labels['istio-injection'] = 'disabled'
    labels['istio.io/rev'] = 'stable'
    return true
  }),
  one('bgp-speakers-unrestricted', 'all nodes announce', ['metallb.io/BGPAdvertisement'], (object) => {
    drop(object, 'spec.nodeSelectors')
    return true
  }),
]

/** Settings that the API server takes, and that fail in silence. */
const silent: Injection[] = [
  ...(
    [
      ['a clone of git', { gitRepo: { repository: 'https://git.example.com/settings.git' } }],
      ['a volume of GlusterFS', { glusterfs: { endpoints: 'gluster', path: 'data' } }],
      ['a volume of CephFS', { cephfs: { monitors: ['192.0.2.10:6789'] } }],
      [
        'a volume of ScaleIO',
        { scaleIO: { gateway: 'https://192.0.2.11', system: 'vx', secretRef: { name: 'vx' } } },
      ],
    ] as const
  ).map(([what, source]) =>
    one('volume-plugin-removed', what, controllers, (object) => {
      const pod = podOf(object)
      return pod !== undefined && listIn(pod, 'volumes').push({ name: 'second-data', ...source }) > 0
    }),
  ),
  one('setting-ignored', 'the annotation for seccomp', controllers, (object) => {
    const pod = podOf(object)
    const template = templateOf(object)
    if (!pod || !template) return false
    drop(pod, 'securityContext.seccompProfile')
    each(object, (container) => drop(container, 'securityContext.seccompProfile'))
    mapping(template, 'metadata.annotations')['seccomp.security.alpha.kubernetes.io/pod'] = 'runtime/default'
    return true
  }),
  one('setting-ignored', 'affinity of a headless Service', ['Service'], (object) => {
    if (at(object, 'spec.clusterIP') !== 'None') return false
    put(object, 'spec.sessionAffinity', 'ClientIP')
    return true
  }),
  one('setting-ignored', 'egress that no policy type names', ['NetworkPolicy'], (object) => {
    put(object, 'spec.policyTypes', ['Ingress'])
    put(object, 'spec.egress', [{ to: [{ ipBlock: { cidr: '192.0.2.0/24' } }] }])
    return true
  }),
  one(
    'cluster-dns-not-asked',
    'the network of the node, and the name of a Service',
    controllers,
    (object, around) => {
      const pod = podOf(object)
      const [container] = containersOf(object)
      const service = around.folder.find((other) => kindOf(other) === 'Service' && nameOf(other).length > 3)
      if (!pod || !container || !service) return false
      for (const field of ['dnsPolicy', 'dnsConfig']) delete pod[field]
      pod.hostNetwork = true
      const host = `${nameOf(service)}.${namespaceOf(service) || 'default'}.svc.cluster.local`
      listIn(container, 'env').push({ name: 'BACKEND_URL', value: `http://${host}:8080` })
      return true
    },
  ),
  one(
    'pod-security-refused',
    'a privileged pod in a namespace that is restricted',
    controllers,
    (object, around) => {
      const [container] = containersOf(object)
      if (!container || namespaceOf(object) === '') return false
      put(container, 'securityContext.privileged', true)
      for (const other of around.folder)
        if (kindOf(other) === 'Namespace' && nameOf(other) === namespaceOf(object)) around.remove(other)
      around.add({
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: {
          name: namespaceOf(object),
          labels: { 'pod-security.kubernetes.io/enforce': 'baseline' },
        },
      })
      return true
    },
  ),
  one('env-variable-not-expanded', 'a variable that stands below', all, (object) => {
    const [container] = containersOf(object)
    if (!container || list(container, 'envFrom').length > 0) return false
    listIn(container, 'env').push(
      { name: 'QUEUE_URL', value: 'amqp://web:$(QUEUE_PASSWORD)@queue:5672' },
      { name: 'QUEUE_PASSWORD', value: 'changed-by-nobody' },
    )
    return true
  }),
  one('env-variable-not-expanded', 'a slip in the name of a variable', all, (object) => {
    const [container] = containersOf(object)
    if (!container || list(container, 'envFrom').length > 0) return false
    listIn(container, 'env').push(
      { name: 'QUEUE_PASSWORD', value: 'changed-by-nobody' },
      { name: 'QUEUE_URL', value: 'amqp://web:$(QUEUE_PASSWROD)@queue:5672' },
    )
    return true
  }),
  one('class-missing', 'a slip in a PriorityClass that every cluster has', all, (object) => {
    const pod = podOf(object)
    if (!pod) return false
    pod.priorityClassName = 'system-cluster-crtical'
    return true
  }),
  one('class-missing', 'a slip in the class of a claim', ['PersistentVolumeClaim'], (object, around) => {
    if (at(object, 'spec.volumeName') !== undefined) return false
    put(object, 'spec.storageClassName', 'fast-replicatde')
    around.add({
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'fast-replicated' },
      provisioner: 'csi.example.com',
    })
    return true
  }),
]

export const behaviourInjections: readonly Injection[] = [
  ...[...batch, ...probes, ...ending, ...scheduling, ...budgets, ...autoscaling, ...services, ...routes],
  ...[
    ...policies,
    ...resources,
    ...images,
    ...admission,
    ...config,
    ...silent,
    ...storage,
    ...observability,
    ...cluster,
  ],
]
