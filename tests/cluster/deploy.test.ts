/** The scans of deploy/, on a control plane: what a user applies, the pods that come of it, and what runs in them. */
import { mkdirSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadAll } from 'js-yaml'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isObject, objectsAt, stringAt, valueAt } from '../../src/values/untyped.js'
import { folderWith } from '../folders.js'
import { builtProgram, repository } from '../program.js'
import { binary } from './binary.js'
import { type Cluster, startCluster } from './cluster.js'
import { type Ended, type Image, mayMount, runPod } from './kubelet.js'
import type { Mapping } from './mapping.js'
import { type Create, creator } from './resources.js'

const able = mayMount()
if (!able) console.error('SKIPPED: the pods of deploy/ are not run: that needs Linux and the right to mount')

const program = builtProgram()
const scratch = folderWith()
let cluster: Cluster
let create: Create
/** The kubeconfig of the deployment of a cluster that is there, with rights for everything. */
const kubeconfig = () => readFileSync(cluster.kubeconfig('admin'), 'utf8')

const overlapping = {
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'sync', namespace: 'default' },
  spec: {
    schedule: '*/5 * * * *',
    jobTemplate: {
      spec: {
        template: {
          spec: { restartPolicy: 'OnFailure', containers: [{ name: 'sync', image: 'example.com/sync:1' }] },
        },
      },
    },
  },
}

beforeAll(async () => {
  cluster = await startCluster({ components: ['kube-controller-manager', 'kube-scheduler', 'kwok'] })
  create = await creator(cluster.connection.call)
  for (const file of ['rbac', 'clusterrole', 'cronjob', 'fleet']) await apply(`deploy/${file}.yaml`)
  await apply('tests/cluster/policyreports.yaml')
  await until(async () => (await ask('/apis/wgpolicyk8s.io/v1alpha2')) !== undefined)
  create = await creator(cluster.connection.call)
  await apply('deploy/policyreports.yaml')
  // Something to find.
  await create(overlapping)
})
afterAll(async () => {
  await cluster?.stop()
})

async function apply(file: string): Promise<void> {
  for (const object of loadAll(readFileSync(join(repository, file), 'utf8'))) {
    const answer = await create(object)
    if (answer?.status !== 201) throw new Error(`${file}: ${answer?.json.message ?? JSON.stringify(object)}`)
  }
}

async function ask(path: string): Promise<Mapping | undefined> {
  const { status, json } = await cluster.connection.call('GET', path)
  return status === 200 ? json : undefined
}

async function until<T>(question: () => Promise<T | undefined | false>): Promise<T> {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(200)) {
    const answer = await question()
    if (answer) return answer
  }
  throw new Error('that does not come')
}

/** What comes of `kubectl create job --from=cronjob/NAME`, with that many pods, in the order of their indexes. */
async function podsOf(cronJob: string, count: number): Promise<readonly Mapping[]> {
  const base = 'namespaces/k8s-af'
  const template = valueAt(
    await ask(`/apis/batch/v1/${base}/cronjobs/${cronJob}`),
    'spec',
    'jobTemplate',
    'spec',
  )
  const metadata = { name: `${cronJob}-now`, namespace: 'k8s-af' }
  const answer = await create({ apiVersion: 'batch/v1', kind: 'Job', metadata, spec: template })
  expect(answer?.json).toMatchObject({ kind: 'Job' })
  const pods = await until(async () => {
    const list = await ask(`/api/v1/${base}/pods?labelSelector=job-name%3D${metadata.name}`)
    const items = objectsAt(list, 'items')
    return items.length === count && items
  })
  const indexOf = (pod: Mapping) =>
    Number(stringAt(pod, 'metadata', 'labels', 'batch.kubernetes.io/job-completion-index'))
  return pods.toSorted((a, b) => indexOf(a) - indexOf(b))
}

function images(): ReadonlyMap<string, Image> {
  return new Map([
    [
      'registry.example.com/k8s-af:0.1.0',
      {
        content: {
          '/nodejs/bin/node': realpathSync(process.execPath),
          '/opt/k8s-af/bin': join(program.folder, 'bin'),
          '/opt/k8s-af/dist': join(program.folder, 'dist'),
        },
        entrypoint: ['/nodejs/bin/node', '/opt/k8s-af/bin/k8s-af'],
      },
    ],
    [
      'registry.example.com/kubectl:v1.36.3',
      {
        content: { '/bin/testcluster': realpathSync(binary(false)) },
        entrypoint: ['/bin/testcluster', 'kubectl'],
      },
    ],
  ])
}

let runs = 0
function run(pod: Mapping): Promise<readonly Ended[]> {
  const folder = join(scratch, String(runs++))
  mkdirSync(folder)
  return runPod(pod, { url: cluster.url, call: cluster.connection.call, images: images(), folder })
}

/** Their role leaves Secrets out, and the cluster measures nothing: neither fails a scan that should be complete. */
const unread = `k8s-af: not read, forbidden: secrets
k8s-af: not decided without metrics.k8s.io/PodMetrics: usage-request-gap
`

describe.skipIf(!able)('a pod', () => {
  it('of cronjob.yaml prints what it finds in its own cluster', async () => {
    const [pod] = await podsOf('k8s-af-scan', 1)
    const [ended] = await run(pod as Mapping)
    expect(ended).toMatchObject({ code: 0, err: unread })
    const findings = (ended?.out ?? '').trimEnd().split('\n')
    expect(findings.map((line) => stringAt(JSON.parse(line), 'message'))).toEqual([
      'A run that hangs is never ended, and every 5 min another one starts beside it.',
      expect.stringContaining('sync needed no memory or CPU'),
      expect.stringContaining('Pods of CronJob default/sync can pile up'),
    ])
  })

  it('of policyreports.yaml keeps it in the cluster, instead of what was found before', async () => {
    const old = { apiVersion: 'wgpolicyk8s.io/v1alpha2', kind: 'PolicyReport' }
    const labels = { 'app.kubernetes.io/managed-by': 'k8s-af' }
    await create({ ...old, metadata: { name: 'k8s-af-7', namespace: 'default', labels } })
    await create({ ...old, metadata: { name: 'of-somebody-else', namespace: 'default' } })
    const [pod] = await podsOf('k8s-af-reports', 1)
    const ended = await run(pod as Mapping)
    expect(ended.map(({ container, code }) => [container, code])).toEqual([
      ['scan', 0],
      ['forget', 0],
      ['apply', 0],
    ])
    expect(ended[0]?.err).toBe(`k8s-af: 1 error, 2 warnings (1 with a fix): /reports/reports.json\n${unread}`)
    const reports = objectsAt(await ask('/apis/wgpolicyk8s.io/v1alpha2/policyreports'), 'items')
    expect(reports.map((one) => stringAt(one, 'metadata', 'name'))).toMatchInlineSnapshot(`
      [
        "k8s-af",
        "of-somebody-else",
      ]
    `)
  })

  it('of fleet.yaml reads the cluster of its number, and fails alone when that is not there', async () => {
    const dead = kubeconfig().replaceAll(cluster.url, 'https://127.0.0.1:1')
    const data = { 0: kubeconfig(), 1: dead, 2: kubeconfig() }
    const stringData = Object.fromEntries(Object.entries(data))
    const metadata = { name: 'k8s-af-kubeconfigs', namespace: 'k8s-af' }
    await create({ apiVersion: 'v1', kind: 'Secret', metadata, stringData })
    const ended: Ended[] = []
    for (const pod of await podsOf('k8s-af-fleet', 3)) ended.push(...(await run(pod)))
    expect(ended.map(({ code, err }) => [code, err])).toMatchInlineSnapshot(`
      [
        [
          0,
          "k8s-af: not decided without metrics.k8s.io/PodMetrics: usage-request-gap
      ",
        ],
        [
          2,
          "k8s-af: the cluster of the context "admin" (https://127.0.0.1:1) cannot be read: nothing listens there (connection refused)
      ",
        ],
        [
          0,
          "k8s-af: not decided without metrics.k8s.io/PodMetrics: usage-request-gap
      ",
        ],
      ]
    `)
    for (const { out, code } of ended) if (code === 0) expect(isObject(JSON.parse(out))).toBe(true)
  })
})
