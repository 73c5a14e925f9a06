/** Outages, played on a control plane: the configuration of the story fails, a scan names it, and is silent when it is cured. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Diagnosis } from '../../src/diagnose/diagnose.js'
import type { Finding } from '../../src/finding.js'
import { valueAt as at, objectsAt } from '../../src/values/untyped.js'
import { folderWith } from '../folders.js'
import { builtProgram } from '../program.js'
import { type Cluster, startCluster } from './cluster.js'
import type { Mapping } from './mapping.js'
import { type Replay, replay, until } from './replay.js'

const program = builtProgram()
/** How long something has to last before it is reported: nobody waits for that here. */
const atOnce = {
  'cluster-scale-up-blocked': { minutes: 0 },
  'node-not-ready': { seconds: 0 },
  'node-selector-unsatisfiable': { minutes: 0 },
  'pod-stuck-terminating': { minutes: 0 },
  'service-port-mismatch': { minutes: 0 },
  'service-without-ready-endpoints': { minutes: 0 },
}
const folder = folderWith({
  '.k8s-af.json': JSON.stringify({
    rules: Object.fromEntries(Object.entries(atOnce).map(([id, params]) => [id, { params }])),
  }),
})

let cluster: Cluster
beforeAll(async () => {
  cluster = await startCluster({ components: ['kube-controller-manager', 'kube-scheduler', 'kwok'] })
  for (const zone of ['a', 'b', 'c']) await addNode(`node-${zone}`, { 'topology.kubernetes.io/zone': zone })
})
afterAll(async () => {
  await cluster?.stop()
})

function scan(): readonly Finding[] {
  const { code, out, err } = program.run(
    ['scan', '--kubeconfig', cluster.kubeconfig('admin'), '-o', 'json'],
    {
      cwd: folder,
    },
  )
  if (code !== 0 && code !== 1) throw new Error(err)
  return (JSON.parse(out) as { findings: Finding[] }).findings
}

/** The causes that `diagnose` names, and how they are related. */
function diagnosed(
  object: string,
  namespace: string,
): readonly (readonly [rule: string, relation: string])[] {
  const flags = ['-n', namespace, '--kubeconfig', cluster.kubeconfig('admin'), '-o', 'json']
  const { out, err } = program.run(['diagnose', object, ...flags])
  if (out === '') throw new Error(err)
  const { causes } = JSON.parse(out) as Diagnosis
  return causes.map(({ finding, relation }) => [finding.rule, relation])
}

/** A node of 32 CPUs, unless the capacity is another one; with the label that each kubelet gives itself. */
async function addNode(name: string, labels: Mapping = {}, capacity?: Mapping): Promise<void> {
  await cluster.connection.call('POST', '/api/v1/nodes', {
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    status: { capacity },
  })
}

/** What client-side kubectl apply leaves in an object. */
function lastApplied(manifest: Mapping): Mapping {
  return { 'kubectl.kubernetes.io/last-applied-configuration': `${JSON.stringify(manifest)}\n` }
}

/** Plays in a namespace of its own, which goes with the end. */
async function play(namespace: string, story: (on: Replay) => Promise<void>): Promise<void> {
  const on = await replay(namespace, cluster.connection.call, scan)
  await story(on)
  await on.end()
}

it('runs of a CronJob that never end pile up', () =>
  play('cronjob-flood', async ({ apply, ask, list, found, silent }) => {
    await apply('cronjob.yaml')
    const misplaced = { jobTemplate: { spec: { template: { spec: { concurrencyPolicy: 'Forbid' } } } } }
    // As kubectl apply --validate=false sends it.
    await ask('PATCH', 'batch/v1/cronjobs/sync?fieldValidation=Ignore', {
      metadata: { annotations: lastApplied({ apiVersion: 'batch/v1', kind: 'CronJob', spec: misplaced }) },
      spec: misplaced,
    })
    const place = 'cronjob/cronjob-flood/sync .spec.jobTemplate.spec.template.spec.concurrencyPolicy'
    const { message, label } = await found('misplaced-spec-field', place)
    expect(message).toMatch(/concurrencyPolicy: Forbid, .* dropped it: \.spec\.concurrencyPolicy is Allow\.$/)
    expect(label).toBe('did you mean .spec.concurrencyPolicy?')
    for (const run of ['run-1', 'run-2', 'run-3', 'run-4', 'run-5']) await startJob(ask, run)
    await until(
      () => list('v1/pods'),
      (pods) => pods.filter((pod) => at(pod, 'status', 'phase') === 'Running').length >= 5,
    )
    const deadline = 'cronjob/cronjob-flood/sync .spec.jobTemplate.spec.activeDeadlineSeconds'
    expect(await found('job-without-deadline', deadline)).toMatchObject({ severity: 'error' })

    await ask('DELETE', 'batch/v1/jobs?propagationPolicy=Background')
    await ask('PATCH', 'batch/v1/cronjobs/sync', {
      spec: { concurrencyPolicy: 'Forbid', jobTemplate: { spec: { activeDeadlineSeconds: 2 } } },
    })
    await startJob(ask, 'run-6')
    await until(
      () => list('batch/v1/jobs'),
      (jobs) => JSON.stringify(jobs).includes('DeadlineExceeded'),
    )
    await silent('job-without-deadline')
    await silent('misplaced-spec-field')
  }))

it('a budget that allows no eviction stops a drain', () =>
  play('pdb-drain', async ({ apply, ask, list, found, silent }) => {
    await apply('web.yaml')
    await ask('PATCH', 'policy/v1/poddisruptionbudgets/web', { spec: { maxUnavailable: 0 } })
    const [pod] = await until(
      () => list('v1/pods'),
      (pods) => pods.length === 3 && pods.every(isReady) && pods,
    )
    const name = String(at(pod, 'metadata', 'name'))
    const evict = () =>
      ask('POST', `v1/pods/${name}/eviction`, {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { name },
      })
    await expect(evict()).rejects.toThrow(/: 429 .*disruption budget/)
    await found('pdb-blocks-drain', 'poddisruptionbudget/pdb-drain/web .spec.maxUnavailable')

    await ask('PATCH', 'policy/v1/poddisruptionbudgets/web', { spec: { maxUnavailable: 1 } })
    await until(
      async () => evict().catch(() => undefined),
      (answer) => answer !== undefined,
    )
    await silent('pdb-blocks-drain')
  }))

it('a Secret that is not there keeps pods from starting', () =>
  play('secret-missing', async ({ apply, ask, list, found, silent }) => {
    await apply('worker.yaml')
    const env = [{ name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'token', key: 'token' } } }]
    await ask(
      'PATCH',
      'apps/v1/deployments/worker',
      template('configerror', { containers: [{ name: 'worker', env }] }),
    )
    await until(
      () => list('v1/pods'),
      (pods) => JSON.stringify(pods).includes('CreateContainerConfigError'),
    )
    const reference = '.spec.template.spec.containers[0].env[0].valueFrom.secretKeyRef.name'
    await found('referenced-config-missing', `deployment/secret-missing/worker ${reference}`)

    await ask('POST', 'v1/secrets', { metadata: { name: 'token' }, stringData: { token: 'x' } })
    await ask('PATCH', 'apps/v1/deployments/worker', template('healthy'))
    await silent('referenced-config-missing')
  }))

it('a kubelet falls silent', () =>
  play('node-lost', async ({ apply, ask, list, found, silent }) => {
    await addNode('node-lost')
    await apply('worker.yaml')
    const spec = { nodeSelector: { 'kubernetes.io/hostname': 'node-lost' } }
    await ask('PATCH', 'apps/v1/deployments/worker', template('healthy', spec))
    await until(
      () => list('v1/pods'),
      (pods) => pods.some((pod) => isReady(pod) && at(pod, 'spec', 'nodeName') === 'node-lost'),
    )
    const ready = (status: string, reason: string, message: string) =>
      ask('PATCH', '/api/v1/nodes/node-lost/status', {
        status: {
          conditions: [
            { type: 'Ready', status, reason, message, lastTransitionTime: new Date().toISOString() },
          ],
        },
      })
    await ready('Unknown', 'NodeStatusUnknown', 'Kubelet stopped posting node status.')
    await until(
      () => ask('GET', '/api/v1/nodes/node-lost'),
      (node) => objectsAt(node, 'spec', 'taints').some(({ effect }) => effect === 'NoExecute'),
    )
    const { message, evidence } = await found('node-not-ready', 'node/node-lost .status.conditions[0]')
    expect(message).toMatch(/^Nobody knows the state of 1 running pod/)
    expect(evidence).toEqual(['NodeStatusUnknown: Kubelet stopped posting node status.'])

    await ready('True', 'KubeletReady', 'kubelet is posting ready status')
    await silent('node-not-ready')
    await ask('DELETE', '/api/v1/nodes/node-lost')
  }))

it('a manifest is applied in an API version that is gone', () =>
  play('api-removed', async ({ apply, ask, found, silent }) => {
    await apply('web.yaml')
    const applied = (apiVersion: string) =>
      ask('PATCH', 'policy/v1/poddisruptionbudgets/web', {
        metadata: { annotations: lastApplied({ apiVersion, kind: 'PodDisruptionBudget' }) },
      })
    await applied('policy/v1beta1')
    await expect(ask('GET', 'policy/v1beta1/poddisruptionbudgets/web')).rejects.toThrow(/: 404 /)
    await found(
      'removed-api-version',
      'poddisruptionbudget/api-removed/web .metadata.managedFields[0].apiVersion',
    )

    await applied('policy/v1')
    await silent('removed-api-version')
  }))

it('a webhook that fails closed and has no backend stops new pods', () =>
  play('webhook-down', async ({ apply, ask, list, event, found, silent }) => {
    await apply('webhook.yaml')
    await until(
      () => list('v1/pods'),
      (pods) => JSON.stringify(pods).includes('CrashLoopBackOff'),
    )
    await apply('worker.yaml')
    await event(/failed calling webhook "guard\.example\.org"/)
    const place = 'validatingwebhookconfiguration/webhook-down .webhooks[0].clientConfig.service.name'
    const { severity, message, evidence } = await found('webhook-backend-unavailable', place)
    expect(severity).toBe('error')
    expect(message).toContain('none of the 2 pods')
    expect(evidence?.join()).toContain('container guard: exit code 1')
    // The numbers are the API server's own.
    expect(evidence?.join()).toMatch(/since the API server started .*\d+ writes failed with it/)
    expect(diagnosed('deployment/worker', 'webhook-down')).toContainEqual([
      'webhook-backend-unavailable',
      'is asked about new pods of it',
    ])

    await ask('PATCH', 'apps/v1/deployments/guard', template('healthy'))
    await ask('DELETE', '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/webhook-down')
    await until(
      () => list('v1/pods'),
      (pods) => pods.length === 3 && pods.every(isReady),
    )
    await silent('webhook-backend-unavailable')
  }))

it('a rollout may take all pods at once', () =>
  play('rollout-drop', async ({ apply, ask, found, silent }) => {
    const deployment = 'apps/v1/deployments/web'
    const available = (count: number) => (web: Mapping) =>
      (at(web, 'status', 'availableReplicas') ?? 0) === count
    await apply('web.yaml')
    const rolling = (maxUnavailable: number | string) =>
      ask('PATCH', deployment, { spec: { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable } } } })
    await rolling('100%')
    await until(() => ask('GET', deployment), available(3))
    await ask('PATCH', deployment, template('never-ready'))
    await until(() => ask('GET', deployment), available(0))
    const place = 'deployment/rollout-drop/web .spec.strategy.rollingUpdate.maxUnavailable'
    expect(await found('rollout-drops-all-replicas', place)).toMatchObject({ severity: 'error' })

    await rolling(0)
    await ask('PATCH', deployment, template('healthy'))
    await until(() => ask('GET', deployment), available(3))
    await silent('rollout-drops-all-replicas')
  }))

it('a quota refuses pods', () =>
  play('quota-full', async ({ apply, ask, list, event, found, silent }) => {
    const quota = (pods: string) =>
      apply({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'pods' }, spec: { hard: { pods } } })
    await quota('2')
    await until(
      () => ask('GET', 'v1/resourcequotas/pods'),
      (one) => at(one, 'status', 'hard', 'pods') === '2',
    )
    await apply('web.yaml')
    await event(/exceeded quota: pods/)
    const { evidence } = await found('quota-exhausted', 'resourcequota/quota-full/pods .spec.hard')
    expect(evidence?.join()).toContain('used: pods=2, limited: pods=2')

    await quota('20')
    await until(
      () => list('v1/pods'),
      (pods) => pods.length === 3 && pods.every(isReady),
    )
    await silent('quota-exhausted')
  }))

it('a namespace refuses pods that its level does not allow', () =>
  play('pod-security', async ({ apply, ask, list, event, found, silent }) => {
    await ask('PATCH', '/api/v1/namespaces/pod-security', {
      metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    })
    await apply('worker.yaml')
    await event(/violates PodSecurity "restricted:latest"/)
    const container = '.spec.template.spec.containers[0]'
    const place = `deployment/pod-security/worker ${container}.securityContext`
    const { severity, evidence, fix } = await found('pod-security-refused', place)
    expect(severity).toBe('error')
    expect(evidence?.join()).toMatch(
      /violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false/,
    )
    expect(diagnosed('deployment/worker', 'pod-security')).toContainEqual(['pod-security-refused', ''])

    const [own, ofContainer] = (fix?.edits ?? []).map((edit) => ('value' in edit ? edit.value : undefined))
    await ask(
      'PATCH',
      'apps/v1/deployments/worker',
      template('healthy', {
        securityContext: own,
        containers: [{ name: 'worker', securityContext: ofContainer }],
      }),
    )
    await until(
      () => list('v1/pods'),
      (pods) => pods.length === 1 && pods.every(isReady),
    )
    await silent('pod-security-refused')
  }))

it('classes that are named are not there', () =>
  play('class-missing', async ({ apply, ask, list, event, found, silent }) => {
    await apply('worker.yaml')
    const name = 'replayed-class'
    const claim = (field: string, value: unknown) => ({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, [field]: value },
    })
    await apply(claim('storageClassName', name))
    await ask('PATCH', 'apps/v1/deployments/worker', template('healthy', { priorityClassName: name }))
    await event(/no PriorityClass with name replayed-class was found/)
    const ofPods = 'deployment/class-missing/worker .spec.template.spec.priorityClassName'
    expect(await found('class-missing', ofPods)).toMatchObject({ severity: 'error' })
    await event(/storageclass\.storage\.k8s\.io "replayed-class" not found/)
    const ofClaim = 'persistentvolumeclaim/class-missing/data .spec.storageClassName'
    expect((await found('class-missing', ofClaim)).evidence?.join()).toContain('ProvisioningFailed')

    await apply({
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name },
      value: 1000,
    })
    await ask('DELETE', 'v1/persistentvolumeclaims/data')
    await ask('PATCH', 'apps/v1/deployments/worker', template('healthy', { runtimeClassName: name }))
    await event(/pod rejected: RuntimeClass "replayed-class" not found/)
    const ofRuntime = 'deployment/class-missing/worker .spec.template.spec.runtimeClassName'
    expect(await found('class-missing', ofRuntime)).toMatchObject({ severity: 'error' })
    await ask('PATCH', 'apps/v1/deployments/worker', template('healthy', { runtimeClassName: null }))
    await until(
      () => list('v1/pods'),
      (pods) => pods.length === 1 && pods.every(isReady) && at(pods[0], 'spec', 'priorityClassName') === name,
    )
    await silent('class-missing')
    await ask('DELETE', `/apis/scheduling.k8s.io/v1/priorityclasses/${name}`)
  }))

it('a LimitRange refuses what asks for more than it gives', () =>
  play('limit-range', async ({ apply, ask, list, event, found, silent }) => {
    await apply({
      apiVersion: 'v1',
      kind: 'LimitRange',
      metadata: { name: 'sizes' },
      spec: { limits: [{ type: 'Container', default: { memory: '64Mi' } }] },
    })
    await apply('worker.yaml')
    const containers = (requests: object) => [
      { name: 'worker', resources: { requests, limits: { memory: null } } },
    ]
    await ask(
      'PATCH',
      'apps/v1/deployments/worker',
      template('healthy', { containers: containers({ memory: '1Gi' }) }),
    )
    await event(/must be less than or equal to memory limit of 64Mi/)
    const place = 'deployment/limit-range/worker .spec.template.spec.containers[0].resources.requests.memory'
    const { severity, evidence, related } = await found('limit-range-refused', place)
    expect(['error', 'warning']).toContain(severity)
    expect(evidence?.join()).toContain('FailedCreate')
    expect(related.map(({ object }) => object)).toEqual(['LimitRange limit-range/sizes'])

    await ask(
      'PATCH',
      'apps/v1/deployments/worker',
      template('healthy', { containers: containers({ memory: '64Mi' }) }),
    )
    await until(
      () => list('v1/pods'),
      (pods) => pods.length === 1 && pods.every(isReady),
    )
    await silent('limit-range-refused')
  }))

it('each apply undoes what the autoscaler did', () =>
  play('hpa-conflict', async ({ apply, ask, found, silent }) => {
    const deployment = 'apps/v1/deployments/web'
    const replicas = (count: number) => (web: Mapping) => at(web, 'spec', 'replicas') === count
    await apply('web.yaml')
    await apply('autoscaler.yaml')
    await until(() => ask('GET', deployment), replicas(4))
    const [web] = await apply('web.yaml')
    expect(at(web, 'spec', 'replicas')).toBe(3)
    // Seconds later the field is the autoscaler's again.
    await found('hpa-replicas-conflict', 'deployment/hpa-conflict/web .spec.replicas', () =>
      apply('web.yaml'),
    )

    // What the autoscaler has set is its own: the next manifest may leave it out.
    await until(() => ask('GET', deployment), replicas(4))
    await apply('web-scaled.yaml')
    expect(await ask('GET', deployment)).toSatisfy(replicas(4))
    // It has no metrics here, which hpa-at-limit says.
    await silent('hpa-replicas-conflict', ['hpa-at-limit'])
  }))

for (const [end, said] of [
  ['crashloop', 'exit code 1'],
  ['oom', 'exit code 137 (OOMKilled)'],
] as const)
  it(`a container ends again and again: ${end}`, () =>
    play(`again-${end}`, async ({ apply, ask, list, found, silent }) => {
      await apply('worker.yaml')
      await ask('PATCH', 'apps/v1/deployments/worker', template(end))
      await until(
        () => list('v1/pods'),
        (pods) => JSON.stringify(pods).includes('CrashLoopBackOff'),
      )
      const place = `deployment/again-${end}/worker .spec.template.spec.containers[0]`
      const { evidence } = await found('crashloop-restart-storm', place)
      expect(evidence?.join()).toContain(said)

      await ask('PATCH', 'apps/v1/deployments/worker', template('healthy'))
      await silent('crashloop-restart-storm')
    }))

it('two pods have one address', () =>
  play('address-twice', async ({ apply, ask, list, found, silent }) => {
    await apply('web.yaml')
    const [first, second] = await until(
      () => list('v1/pods'),
      (pods) => pods.length === 3 && pods.every(isReady) && pods,
    )
    const name = at(second, 'metadata', 'name')
    const give = (podIP: unknown) =>
      ask('PATCH', `v1/pods/${name}/status`, {
        status: { podIP, podIPs: [{ $patch: 'replace' }, { ip: podIP }] },
      })
    await give(at(first, 'status', 'podIP'))
    await found('duplicate-pod-ip', /^node\/node-/)

    // Not by deleting it: kwok would have the address twice, and give it to two others.
    await give(at(second, 'status', 'podIP'))
    await silent('duplicate-pod-ip')
  }))

it('a finalizer that nobody removes holds a namespace', () =>
  play('finalizer-stuck', async ({ ask, found, silent, end }) => {
    await ask('POST', 'v1/configmaps', { metadata: { name: 'state', finalizers: ['example.org/cleanup'] } })
    await end()
    await until(
      () => ask('GET', '/api/v1/namespaces/finalizer-stuck'),
      (namespace) => JSON.stringify(namespace).includes('example.org/cleanup'),
    )
    const place = 'namespace/finalizer-stuck .metadata.deletionTimestamp'
    const { evidence } = await found('pod-stuck-terminating', place)
    expect(evidence?.join()).toContain('example.org/cleanup')

    await ask('PATCH', 'v1/configmaps/state', { metadata: { finalizers: null } })
    await silent('pod-stuck-terminating')
  }))

it('no node has the label that pods ask for', () =>
  play('node-label', async ({ apply, ask, list, found, silent }) => {
    await apply('worker.yaml')
    await ask('PATCH', 'apps/v1/deployments/worker', template('healthy', { nodeSelector: { disk: 'ssd' } }))
    await until(
      () => list('v1/pods'),
      (pods) => JSON.stringify(pods).includes('Unschedulable'),
    )
    const place = 'deployment/node-label/worker .spec.template.spec.nodeSelector'
    const { evidence } = await found('node-selector-unsatisfiable', place)
    expect(evidence?.join()).toContain('no node has a label disk')

    await addNode('node-label-ssd', { disk: 'ssd' })
    await silent('node-selector-unsatisfiable')
    await ask('DELETE', '/api/v1/nodes/node-label-ssd')
  }))

it('one of two workloads behind a Service is not ready', () =>
  play('half-service', async ({ apply, ask, found, silent }) => {
    await apply('web.yaml')
    await apply('canary.yaml')
    const place = 'deployment/half-service/canary .status.conditions'
    const { message } = await found('rollout-stalled', place)
    expect(message).toMatch(/^Nothing serves/)
    expect(
      scan().filter(({ subject }) => subject?.kind === 'Service' && subject.namespace === 'half-service'),
    ).toEqual([])

    await ask('PATCH', 'apps/v1/deployments/canary', template('healthy'))
    await silent('rollout-stalled')

    const calls = (name: string) =>
      ask(
        'PATCH',
        'apps/v1/deployments/canary',
        template('healthy', {
          containers: [
            {
              name: 'web',
              ports: [{ name, containerPort: 8080 }],
              readinessProbe: { httpGet: { port: name } },
            },
          ],
        }),
      )
    await calls('www')
    const mixed = await found('service-port-mismatch', 'service/half-service/web .spec.ports[0].targetPort')
    expect(mixed).toMatchObject({
      severity: 'warning',
      message: expect.stringMatching(/3 of its 4 ready pods/),
    })
    await calls('http')
    await silent('service-port-mismatch')
  }))

it('pods with a new default priority evict those without', () =>
  play('priority-chain', async ({ apply, ask, event, found, silent }) => {
    await addNode('priority-chain', {}, { cpu: '1', memory: '1Gi', pods: '10' })
    await apply('worker.yaml')
    const spec = { nodeSelector: { 'kubernetes.io/hostname': 'priority-chain' } }
    const resources = { requests: { cpu: '1' } }
    await ask(
      'PATCH',
      'apps/v1/deployments/worker',
      template('healthy', { ...spec, containers: [{ name: 'worker', resources }] }),
    )
    await until(
      () => ask('GET', 'apps/v1/deployments/worker'),
      (worker) => at(worker, 'status', 'availableReplicas') === 1,
    )
    const priority = {
      kind: 'PriorityClass',
      metadata: { name: 'priority-chain' },
      value: 1000,
      globalDefault: true,
    }
    const classes = '/apis/scheduling.k8s.io/v1/priorityclasses'
    await ask('POST', classes, priority)
    // The API server gives new pods the priority of the class as soon as it has noticed it.
    const pod = {
      metadata: { name: 'any' },
      spec: { containers: [{ name: 'any', image: 'example/any:1.0.0' }] },
    }
    await until(
      () => ask('POST', 'v1/pods?dryRun=All', pod),
      (made) => at(made, 'spec', 'priority') === 1000,
    )
    await ask('PATCH', 'apps/v1/deployments/worker', template('stuck'))
    await event(/^Preempted by/)
    await found('priority-class-preempts-peers', 'priorityclass/priority-chain .globalDefault')

    await ask('DELETE', `${classes}/priority-chain`)
    await until(
      () => ask('POST', classes, { ...priority, preemptionPolicy: 'Never' }).catch(() => undefined),
      (made) => made !== undefined,
    )
    // The node stays full, of which another rule warns.
    await silent('priority-class-preempts-peers', ['surge-pod-does-not-fit'])
    await ask('DELETE', `${classes}/priority-chain`)
    await ask('DELETE', '/api/v1/nodes/priority-chain')
  }))

/** A change of a pod template: what becomes of the pods (stages/pods.yaml), and other fields. */
function template(becomes: string, spec: Mapping = {}): Mapping {
  return { spec: { template: { metadata: { annotations: { 'sim.test/pod': becomes } }, spec } } }
}

/** Starts a run at once, as `kubectl create job --from=cronjob/sync` does. */
async function startJob(ask: Replay['ask'], name: string): Promise<void> {
  const cronJob = await ask('GET', 'batch/v1/cronjobs/sync')
  const owner = {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    name: 'sync',
    uid: at(cronJob, 'metadata', 'uid'),
    controller: true,
  }
  await ask('POST', 'batch/v1/jobs', {
    metadata: {
      name,
      annotations: { 'cronjob.kubernetes.io/instantiate': 'manual' },
      ownerReferences: [owner],
    },
    spec: at(cronJob, 'spec', 'jobTemplate', 'spec'),
  })
}

function isReady(pod: Mapping): boolean {
  return objectsAt(pod, 'status', 'conditions').some(
    ({ type, status }) => type === 'Ready' && status === 'True',
  )
}
