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
  for (const zone of ['a', 'b', 'c'])
    await cluster.connection.call('POST', '/api/v1/nodes', {
      metadata: { name: `node-${zone}`, labels: { 'topology.kubernetes.io/zone': zone } },
    })
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
