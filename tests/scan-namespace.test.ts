/** What a scan of one namespace still finds: all that rests on nothing beyond it. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Finding } from '../src/finding.js'
import { active, allRules, root, rulesById, runOf } from './harness.js'
import { lintLive } from './live.js'

beforeAll(allRules)

/** Fixtures whose findings rest on objects of another namespace. */
const beyond: ReadonlySet<string> = new Set(['fixtures/leader-lease-stale/live-other-namespace.yaml'])

const keyOf = ({ subject, place, message }: Finding) =>
  `${subject?.kind} ${subject?.namespace}/${subject?.name} ${place.path}: ${message}`

describe('a scan of one namespace finds what a scan of the cluster finds in it', () => {
  for (const id of [
    'bare-pod-behind-service',
    'certificate-expiring',
    'cronjob-missed-start-freeze',
    'hpa-replicas-conflict',
    'image-pull-throttled',
    'ingress-backend-missing',
    'ingress-tls-secret-invalid',
    'leader-lease-stale',
    'pod-stuck-terminating',
    'service-port-mismatch',
    'service-selects-nothing',
    'service-without-ready-endpoints',
  ])
    it(id, async () => {
      const rule = rulesById().get(id)
      if (!rule) throw new Error(`no rule ${id}`)
      const files = readdirSync(join(root, 'fixtures', id))
        .filter((name) => name !== 'live-other-namespace.yaml')
        .map((name) => `fixtures/${id}/${name}`)
      let seen = 0
      for (const file of files.filter((name) => runOf(name).live && !beyond.has(name))) {
        const run = runOf(file)
        const { findings } = await lintLive(file, [active(id, rule)], run)
        for (const namespace of new Set(findings.map(({ subject }) => subject?.namespace))) {
          if (!namespace) continue
          const own = findings.filter(({ subject }) => subject?.namespace === namespace)
          const part = await lintLive(file, [active(id, rule)], { ...run, namespace })
          expect(part.findings.map(keyOf)).toEqual(expect.arrayContaining(own.map(keyOf)))
          seen += own.length
        }
      }
      expect(seen).toBeGreaterThan(0)
    })

  it('and takes nothing of another namespace for absent', async () => {
    const rule = rulesById().get('ingress-backend-missing')
    const file = 'fixtures/ingress-backend-missing/live-bad.yaml'
    const { findings } = await lintLive(file, rule ? [active('ingress-backend-missing', rule)] : [], {
      ...runOf(file),
      namespace: 'shop',
    })
    expect(findings.filter(({ message }) => message.includes('accounts'))).toEqual([])
  })
})
