/** What LimitRanges refuse, against an API server: pods and claims of any amounts, in namespaces with any bounds. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { lint } from '../../src/engine/lint.js'
import { readPaths } from '../../src/reader/read.js'
import { loadStories } from '../../src/registry.js'
import { allRules, everyRule, rulesById, settings } from '../harness.js'
import { kubernetesVersion } from './binary.js'
import { type Cluster, startCluster } from './cluster.js'

const minor = Number(kubernetesVersion().split('.')[1])
const folder = mkdtempSync(join(tmpdir(), 'limit-range-'))
let cluster: Cluster
beforeAll(async () => {
  await allRules()
  cluster = await startCluster()
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await cluster?.stop()
})

/** Amounts of one or the other, or of neither. */
function amountsOf(cpu: readonly string[], memory: readonly string[]) {
  return fc.record({ cpu: fc.constantFrom(...cpu), memory: fc.constantFrom(...memory) }, { requiredKeys: [] })
}
const amounts = amountsOf(
  ['50m', '100m', '0.25', '500m', '1', '2'],
  ['64Mi', '128Mi', '256M', '512Mi', '1Gi', '2Gi'],
)
/** Bounds that contradict each other are refused themselves: these seldom do. */
const bounds = {
  min: amountsOf(['50m', '100m'], ['64Mi', '128Mi']),
  max: amountsOf(['1', '2'], ['1Gi', '2Gi']),
  maxLimitRequestRatio: amountsOf(['2', '4500m'], ['2', '8']),
}
const defaults = {
  default: amountsOf(['250m', '0.5'], ['256M', '512Mi']),
  defaultRequest: amountsOf(['100m', '250m'], ['128Mi', '200Mi']),
}
const item = (type: 'Container' | 'Pod') =>
  fc
    .record({ ...bounds, ...(type === 'Container' && defaults) }, { requiredKeys: [] })
    .map((one) => ({ type, ...one }))
const ofClaims = fc
  .record(
    {
      min: fc.constant({ storage: '1Gi' }),
      max: fc.constantFrom({ storage: '5Gi' }, { storage: '5G' }),
    },
    { requiredKeys: [] },
  )
  .map((one) => ({ type: 'PersistentVolumeClaim', ...one }))
const ranges = fc
  .tuple(item('Container'), fc.option(item('Pod')), fc.option(item('Container')), ofClaims)
  .map((items) => items.filter((one) => one !== null))
const container = (name: string) =>
  fc
    .record({ requests: amounts, limits: amounts }, { requiredKeys: [] })
    .map((resources) => ({ name, image: 'a', resources }))
const spec = fc
  .tuple(
    container('a'),
    fc.option(container('b')),
    fc.option(container('init')),
    fc.boolean(),
    fc.option(amounts, { freq: 1 }),
  )
  .map(([a, b, init, isSidecar, overall]) => ({
    containers: b ? [a, b] : [a],
    ...(init && { initContainers: [isSidecar ? { ...init, restartPolicy: 'Always' } : init] }),
    ...(overall && { resources: { requests: overall } }),
  }))
const claims = ['500Mi', '1Gi', '5G', '5Gi', '10Gi'].map((storage, i) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: `claim-${i}` },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
}))

/** The names of the objects with an error here. */
function refusedHere(objects: readonly object[], namespace: string): ReadonlySet<string | undefined> {
  const file = join(folder, `${namespace}.json`)
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
  const input = readPaths([file], { cwd: folder })
  const options = {
    settings: settings(everyRule(), { namespace, minor, complete: true }),
    rules: rulesById(),
    stories: loadStories,
  }
  const { findings } = lint(input, options)
  return new Set(findings.filter(({ severity }) => severity === 'error').map(({ subject }) => subject?.name))
}

it('an object that a LimitRange refuses has an error, and no other one', async () => {
  const { call } = cluster.connection
  const counts = { refused: 0, accepted: 0, ranges: 0 }
  const differences: string[] = []
  for (const [i, limits] of fc.sample(ranges, { numRuns: 250, seed: 1 }).entries()) {
    const namespace = `ranges-${i}`
    const path = `/api/v1/namespaces/${namespace}`
    await call('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
    await call('POST', `${path}/serviceaccounts`, { metadata: { name: 'default' } })
    const range = { apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'own' }, spec: { limits } }
    // The server refuses bounds that contradict each other.
    if ((await call('POST', `${path}/limitranges`, range)).status >= 300) continue
    counts.ranges++
    const pods = fc.sample(spec, { numRuns: 20, seed: i }).map((one, j) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `pod-${j}` },
      spec: one,
    }))
    const found = refusedHere([range, ...pods, ...claims], namespace)
    for (const object of [...pods, ...claims]) {
      const plural = object.kind === 'Pod' ? 'pods' : 'persistentvolumeclaims'
      const { status, json } = await call('POST', `${path}/${plural}?dryRun=All`, object)
      const isRefused = status >= 300
      counts[isRefused ? 'refused' : 'accepted']++
      if (isRefused !== found.has(object.metadata.name))
        differences.push(`${JSON.stringify([limits, object.spec])}: ${isRefused ? json.message : 'accepted'}`)
    }
  }
  console.log(`${counts.ranges} LimitRanges: ${counts.accepted} objects accepted, ${counts.refused} refused`)
  expect(differences).toEqual([])
  expect(Math.min(counts.accepted, counts.refused)).toBeGreaterThan(100)
}, 120_000)
