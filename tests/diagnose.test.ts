/** From one sick object to its likely causes. */
import { describe, expect, it } from 'vitest'
import { type Diagnosis, diagnose } from '../src/diagnose/diagnose.js'
import { neighbourhood } from '../src/diagnose/neighbourhood.js'
import { render } from '../src/diagnose/render.js'
import { fitFor } from '../src/diagnose/symptom.js'
import { loadStories } from '../src/registry.js'
import { escapeJson } from '../src/reporters/escape.js'
import { formats } from '../src/reporters/reporter.js'
import { allRules, everyRule } from './harness.js'
import { examineLive } from './live.js'
import { look } from './report.js'

const rules = await allRules()
const examined = (fixture: string) => examineLive(fixture, everyRule(), {})
const { report, graph } = await examined('fixtures/live/shop.yaml')
const web = graph.objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata?.name === 'web')
if (!web) throw new Error('the fixture has no Deployment web')

/** What is said of the first object of a kind in a fixture. */
async function diagnosisOf(kind: string, fixture: string): Promise<Diagnosis> {
  const one = await examined(fixture)
  const object = one.graph.objects.find((own) => own.kind === kind)
  if (!object) throw new Error(`the fixture has no ${kind}`)
  return diagnose(object, one.graph, one.report, undefined)
}
const rulesOf = ({ causes }: Diagnosis) => causes.map(({ finding }) => finding.rule)

describe('the neighbourhood of a Deployment', () => {
  const found = neighbourhood(web, graph).map(({ object, steps }) => [graph.describe(object), steps])
  it('is what sends to it, what it needs, and where it runs', () => {
    expect(found).toEqual(
      expect.arrayContaining([
        ['Deployment shop/web', 0],
        ['Service shop/web', 1],
        ['PodDisruptionBudget shop/web', 1],
        ['ConfigMap shop/web-config', 1],
        ['Node n1', 1],
        ['Ingress shop/web', 2],
      ]),
    )
  })
  it('ends there', () => {
    const elsewhere = 'Deployment other/other'
    expect(graph.objects.map((one) => graph.describe(one))).toContain(elsewhere)
    expect(found.map(([name]) => name)).not.toContain(elsewhere)
  })
})

describe('a report of the same cluster', () => {
  it('shows a condition at its type, whatever its first field is', async () => {
    const { render: pretty } = await formats.pretty()
    const shown = [...pretty(report, look)].join('')
    expect(shown).toMatch(/\.status\.conditions\[\d\]\n +│ +type: Ready\n/)
  })
})

describe('a diagnosis of a claim', () => {
  it('finds the workload that waits for it, by the template, too', async () => {
    const fixture = 'fixtures/cluster-scale-up-blocked/claim-not-bound.yaml'
    const [first, ...others] = (await diagnosisOf('PersistentVolumeClaim', fixture)).causes
    expect(first).toMatchObject({
      relation: 'needs it',
      finding: { rule: 'cluster-scale-up-blocked' },
    })
    // What is imperfect around it is in -o json.
    expect(
      others.flatMap(({ likely, finding }) => (likely && finding.severity === 'info' ? [finding.rule] : [])),
    ).toEqual([])
  })
})

describe('a diagnosis of pods that a Service misses', () => {
  it('finds the Service', async () => {
    const fixture = 'fixtures/service-selects-nothing/live-application-label.yaml'
    const { causes } = await diagnosisOf('Deployment', fixture)
    const found = causes.find(({ finding }) => finding.rule === 'service-selects-nothing')
    expect(found).toMatchObject({ relation: 'the finding is about it, too', likely: true })
  })
})

describe('a diagnosis of a Service that only the API server asks', () => {
  it('finds what fails with it', async () => {
    const fixture = 'fixtures/webhook-backend-unavailable/live-scaled-to-zero.yaml'
    const [first] = (await diagnosisOf('Service', fixture)).causes
    expect(first).toMatchObject({ relation: 'needs it', finding: { rule: 'webhook-backend-unavailable' } })
  })
})

describe('a diagnosis of a Service that is scaled to zero', () => {
  it('says so, and puts that before what is wrong with other nodes', async () => {
    const { seen, causes } = await diagnosisOf('Service', 'fixtures/live/scaled-to-zero.yaml')
    expect(seen).toEqual(['It selects no pod that is there.'])
    expect(causes.map(({ finding }) => finding.rule)).toContain('node-not-ready')
    expect(causes[0]?.finding.rule).toBe('service-without-ready-endpoints')
  })
  it('says so of its workload, too', async () => {
    const { seen } = await diagnosisOf('Deployment', 'fixtures/live/scaled-to-zero.yaml')
    expect(seen).toEqual(['It has no pods.'])
  })
})

describe('a diagnosis of pods on one of several nodes', () => {
  it('does not take for seen there what happened to another node', async () => {
    const { causes } = await diagnosisOf('Deployment', 'fixtures/live/two-nodes.yaml')
    const ids = causes.map(({ finding }) => finding.rule)
    const node = causes.find(({ finding }) => finding.rule === 'node-reservation-missing')
    expect(node?.finding).toMatchObject({ subject: { name: 'n1' }, evidence: ['n2: MemoryPressure'] })
    expect(ids.indexOf('webhook-backend-unavailable')).toBeLessThan(ids.indexOf('node-reservation-missing'))
  })
})

describe('a diagnosis of a webhook whose Service is gone', () => {
  it('looks where the refusals are on record', async () => {
    const fixture = 'fixtures/webhook-backend-unavailable/live-absent.yaml'
    const [first] = (await diagnosisOf('ValidatingWebhookConfiguration', fixture)).causes
    expect(first).toMatchObject({
      finding: { rule: 'webhook-backend-unavailable' },
      confirm: 'kubectl describe replicaset/web-1 -n shop',
    })
  })
})

describe('a diagnosis', () => {
  const plain = diagnose(web, graph, report, undefined)
  it('is JSON, over several lines', () => {
    expect(JSON.parse(escapeJson(JSON.stringify(plain, null, 2)))).toEqual(JSON.parse(JSON.stringify(plain)))
  })
  it('tells what is seen on the pods', () => {
    expect(plain.seen).toContain('1 of 2 pods: container web waits: CrashLoopBackOff')
    expect(plain.seen).toContain('1 of 2 pods: container web ended with 137 (OOMKilled) before')
    expect(plain.seen.join('\n')).toMatch(/BackOff, 31 times, 2 min ago/)
  })
  it('says of a single pod how it is, and what its node does', async () => {
    const alone = await examined('fixtures/pod-ip-exhaustion/live-calico-used-up.yaml')
    const pod = alone.graph.objects.find(({ kind }) => kind === 'Pod')
    if (!pod) throw new Error('the fixture has no Pod')
    expect(diagnose(pod, alone.graph, alone.report, undefined).seen).toContain('1 of 1 pod: pending')
    const node = neighbourhood(pod, alone.graph).find(({ object }) => object.kind === 'Node')
    expect(node?.relation).toBe('runs {}')
  })
  it('tells of the pods behind a Service, and of those on a Node', () => {
    const named = (kind: string) => {
      const [object] = graph.objects.filter((one) => one.kind === kind)
      if (!object) throw new Error(`the fixture has no ${kind}`)
      return diagnose(object, graph, report, undefined)
    }
    expect(named('Service').seen).toContain('1 of 2 pods: container web waits: CrashLoopBackOff')
    const node = named('Node')
    expect(node.seen.join('\n')).toMatch(/^Ready is False: container runtime is down/)
    expect(node.causes.map(({ relation }) => relation)).toContain('limits evictions from it')
    const quiet = named('Ingress')
    expect(render({ ...quiet, seen: [] }, report, look)).toContain('\n  No warning is on record.')
  })
  it('finds causes around the object, and none elsewhere', () => {
    expect(rulesOf(plain)).toEqual(
      expect.arrayContaining(['node-not-ready', 'pdb-blocks-drain', 'readiness-probe-missing']),
    )
    expect(report.findings.map(({ subject }) => subject?.namespace)).toContain('other')
    expect(plain.causes.map(({ finding }) => finding.subject?.namespace)).not.toContain('other')
  })
  it('puts first what has been seen to happen', () => {
    const [first] = plain.causes
    expect(first?.finding.evidence?.length ?? 0).toBeGreaterThan(0)
  })
  it('says how a cause is related, and how to look', () => {
    const node = plain.causes.find(({ finding }) => finding.rule === 'node-not-ready')
    expect(node?.relation).toBe('runs pods of it')
    const budget = plain.causes.find(({ finding }) => finding.rule === 'pdb-blocks-drain')
    expect(budget?.confirm).toBe(
      "kubectl get poddisruptionbudget/web -n shop -o jsonpath='{.spec.minAvailable}'",
    )
  })
  it('asks for the logs of a container that crashes', () => {
    const crash = plain.causes.find(({ finding }) => finding.rule === 'crashloop-restart-storm')
    expect(crash?.confirm).toBe('kubectl logs web-1-a -n shop -c web --previous')
  })
  it('looks at the cluster that was asked for', () => {
    const { causes } = diagnose(web, graph, report, undefined, { context: 'eu' })
    expect(causes.length).toBeGreaterThan(0)
    for (const { confirm } of causes) expect(confirm).toMatch(/^kubectl --context 'eu' (get|describe|logs) /)
  })
  it('follows the words of who asks', () => {
    const rank = (symptom: string) =>
      rulesOf(diagnose(web, graph, report, symptom)).indexOf('pdb-blocks-drain')
    expect(rank('drain hangs')).toBeGreaterThanOrEqual(0)
    expect(rank('drain hangs')).toBeLessThan(rank('memory'))
  })
  it('does not show mere weak points beside what has failed', () => {
    const weak = plain.causes.filter(
      ({ finding }) => finding.severity === 'info' && !finding.evidence?.length,
    )
    expect(weak.length).toBeGreaterThan(0)
    expect(weak.filter(({ likely }) => likely)).toEqual([])
  })
  it('does not show what is imperfect far away', () => {
    const far = plain.causes.filter(({ finding }) => finding.subject?.namespace === 'kube-system')
    expect(far.map(({ finding }) => finding.rule)).toContain('resource-requests-missing')
    expect(render({ ...plain, causes: far }, report, look)).toMatch(
      /^No known failure pattern on it .*\n\n\d+ more with -o json\.$/m,
    )
    const { causes } = diagnose(web, graph, report, 'pods without resource requests fill nodes')
    expect(render({ ...plain, causes }, report, look)).toContain('DaemonSet kube-system/aws-node')
  })
  it('says of each cause what to do, or where that stands', () => {
    const blocks = render(plain, report, look)
      .split('\n\n')
      .filter((block) => block.includes('     confirm  '))
    expect(blocks.length).toBeGreaterThan(1)
    for (const block of blocks) expect(block).toMatch(/^ {5}(?:fix {6}\S|remedy {3}k8s-af explain [a-z-]+$)/m)
    expect(blocks.some((block) => block.includes('     remedy   k8s-af explain node-not-ready\n'))).toBe(true)
  })
  it('fits a terminal', () => {
    const text = render(plain, report, look)
    const long = text.split('\n').filter((line) => line.length > 80 && !line.includes('kubectl '))
    expect(long).toEqual([])
    expect(text).not.toContain('\u001b')
  })
})

describe('the words of a symptom', () => {
  const stories = loadStories()
  const best = (symptom: string) => {
    const fits = fitFor(symptom, rules, (id) => stories.get(id))
    return [...rules.keys()].sort((a, b) => fits(b) - fits(a)).slice(0, 12)
  }
  it.each([
    ['dropped requests during rollouts', 'drain-delay-missing'],
    ['dns lookups time out', 'node-local-dns-missing'],
    ['nodes run out of memory', 'memory-limit-missing'],
    ['drains never end', 'pdb-blocks-drain'],
  ])('%s: %s is among the first', (symptom, rule) => {
    expect(best(symptom)).toContain(rule)
  })
  it('may be of no use', () => {
    const fits = fitFor('xyzzy', rules, (id) => stories.get(id))
    expect([...rules.keys()].some((id) => fits(id) > 0)).toBe(false)
  })
})
