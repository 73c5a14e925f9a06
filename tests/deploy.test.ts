/** The manifests in deploy/ hold to our own rules, and to what they promise. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadAll } from 'js-yaml'
import { describe, expect, it } from 'vitest'
import { scannedKinds } from '../src/cluster/kinds.js'
import { role } from '../src/cluster/role.js'
import { isObject, objectsAt, stringAt, valueAt } from '../src/values/untyped.js'
import { allRules, everyRule, lintPaths, root } from './harness.js'

await allRules()
const all = everyRule()
const manifests = ['rbac', 'clusterrole', 'cronjob', 'policyreports', 'fleet'].map(
  (name) => `deploy/${name}.yaml`,
)
const objects = manifests.flatMap((file) => loadAll(readFileSync(join(root, file), 'utf8'))).filter(isObject)

describe('the manifests for scans in a cluster', () => {
  it('break none of our rules', () => {
    const { findings, summary } = lintPaths(manifests, all)
    expect(findings.map(({ place, message }) => `${place.file}:${place.line}: ${message}`)).toEqual([])
    expect(summary.objects).toBe(objects.length)
  })

  it('miss nothing but the kubeconfigs, which only their owner has', () => {
    const { findings } = lintPaths(manifests, all, { complete: true })
    expect(findings.map(({ rule, message }) => [rule, message.includes('k8s-af-kubeconfigs')])).toEqual([
      ['referenced-config-missing', true],
    ])
  })

  it('let a scan read what it reads', () => {
    expect(readFileSync(join(root, 'deploy/clusterrole.yaml'), 'utf8')).toBe(
      role(scannedKinds([]), undefined),
    )
  })

  it('run pods that may do nothing else', () => {
    const jobs = objects.filter(({ kind }) => kind === 'CronJob')
    expect(jobs).not.toEqual([])
    for (const job of jobs) {
      const spec = valueAt(job, 'spec', 'jobTemplate', 'spec', 'template', 'spec')
      expect(spec).toMatchObject({ securityContext: { runAsNonRoot: true } })
      // Who talks to other clusters needs no token of this one.
      expect(valueAt(spec, 'automountServiceAccountToken')).toBe(
        stringAt(job, 'metadata', 'name') !== 'k8s-af-fleet',
      )
      expect(objectsAt(spec, 'containers')).not.toEqual([])
      for (const container of [...objectsAt(spec, 'initContainers'), ...objectsAt(spec, 'containers')])
        expect(container).toMatchObject({
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          resources: { requests: { memory: expect.any(String) }, limits: { memory: expect.any(String) } },
        })
    }
  })
})
