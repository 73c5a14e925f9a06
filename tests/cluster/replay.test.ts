/** Outages, played on a control plane: the configuration of the story fails, a scan names it, and is silent when it is cured. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Finding } from '../../src/finding.js'
import { valueAt as at, objectsAt } from '../../src/graph/untyped.js'
import { builtProgram } from '../program.js'
import { type Cluster, startCluster } from './cluster.js'
import type { Mapping } from './mapping.js'
import { type Replay, replay, until } from './replay.js'

const program = builtProgram()
// How long something has to last before it is reported: nobody waits for that here.
const folder = program.folderWith({
  '.k8s-af.yaml': 'rules:\n  node-not-ready: {params: {seconds: 0}}\n',
})

let cluster: Cluster
beforeAll(async () => {
  cluster = await startCluster({ components: ['kube-controller-manager', 'kube-scheduler', 'kwok'] })
  for (const zone of ['a', 'b', 'c']) await addNode(`node-${zone}`, { 'topology.kubernetes.io/zone': zone })
})
afterAll(async () => {
  await cluster?.stop()
  program.remove()
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

/** A node of 32 CPUs, unless the capacity is another one; with the label that each kubelet gives itself. */
async function addNode(name: string, labels: Mapping = {}, capacity?: Mapping): Promise<void> {
  await cluster.connection.call('POST', '/api/v1/nodes', {
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    status: { capacity },
  })
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
    expect(message).toMatch(/^Nobody knows how its pod is/)
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
        metadata: {
          annotations: {
            'kubectl.kubernetes.io/last-applied-configuration': `{"apiVersion":"${apiVersion}","kind":"PodDisruptionBudget"}\n`,
          },
        },
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
