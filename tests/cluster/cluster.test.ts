/** The control plane that other tests start. */
import { existsSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { kubernetesVersion } from './binary.js'
import { type Cluster, startCluster } from './cluster.js'
import { connect } from './connection.js'

let cluster: Cluster
beforeAll(async () => {
  cluster = await startCluster()
})
afterAll(() => cluster?.stop())

it('is of the version that it is built from', async () => {
  const { json } = await cluster.connection.call('GET', '/version')
  expect(json.gitVersion).toBe(`v${kubernetesVersion()}`)
})

it('lets each user do what its rights allow', async () => {
  const paths = {
    everything: '/api/v1/nodes',
    'what is in namespaces': '/apis/apps/v1/deployments',
    'pods of one namespace': '/api/v1/namespaces/team-a/pods',
  }
  const allowed = async (user: Parameters<Cluster['kubeconfig']>[0]) => {
    const { call, close } = connect(cluster.kubeconfig(user))
    const seen: string[] = []
    for (const [what, path] of Object.entries(paths))
      if ((await call('GET', path)).status === 200) seen.push(what)
    close()
    return seen
  }
  const all = Object.keys(paths)
  expect(await allowed('admin')).toEqual(all)
  expect(await allowed('viewer')).toEqual(all.slice(1))
  expect(await allowed('podlister')).toEqual(all.slice(2))
  expect(await allowed('nobody')).toEqual([])
})

it('leaves nothing behind', async () => {
  const other = await startCluster()
  await other.stop()
  expect(existsSync(other.state)).toBe(false)
  await expect(other.connection.call('GET', '/version')).rejects.toThrow()
})
