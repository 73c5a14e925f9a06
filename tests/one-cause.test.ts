/** One cause, one finding: what follows from an object that is missing in a cluster stands below its finding. */
import { beforeAll, describe, expect, it } from 'vitest'
import { together } from '../src/engine/together.js'
import { active, activeRule, allRules, everyRule, lintPaths, rulesById, runOf } from './harness.js'
import { lintLive } from './live.js'

beforeAll(allRules)

/** The errors that all recommended rules find in a file, without some of the rules. */
async function found(file: string, ...without: string[]) {
  return (await all(file, ...without)).filter(({ severity }) => severity === 'error')
}

async function all(file: string, ...without: string[]) {
  const rules = [...rulesById()].filter(([id, rule]) => rule.recommended !== false && !without.includes(id))
  const toRun = rules.map(([id, rule]) => active(id, rule))
  return (await lintLive(file, toRun, runOf(file))).findings
}

describe('what a pod names and is not there', () => {
  const file = 'fixtures/referenced-config-missing/live-rollout.yaml'

  it('is the cause of the rollout, of the pod without a node and of the Service without pods', async () => {
    const findings = await found(file)
    expect(findings.map(({ rule, subject }) => `${rule} ${subject?.kind} ${subject?.name}`)).toEqual([
      'referenced-config-missing Deployment cart',
      'referenced-config-missing Deployment cart',
      'referenced-config-missing StatefulSet session',
    ])
    expect(findings.flatMap(({ evidence }) => evidence ?? [])).toEqual([
      'pod cart-1-a waits: persistentvolumeclaim "cart-files" not found',
      'its only pod is not ready: calls to Service shop/cart fail',
      'ExternalSecret cart-session is not ready for 3 h: could not get secret data from provider',
      'pod session-0 waits: secret "cart-session" not found',
      'its only pod is not ready',
    ])
  })

  it('leaves the symptoms to tell where nobody asks for the cause', async () => {
    const findings = await found(file, 'referenced-config-missing')
    expect(findings.map(({ rule }) => rule)).toContain('rollout-stalled')
  })
})

describe('a pull secret that is not there', () => {
  const file = 'fixtures/referenced-config-missing/live-pull-secret.yaml'
  const symptoms = ['image-unavailable', 'pod-unready', 'rollout-stalled', 'service-without-ready-endpoints']

  it('is the cause where the registry asks for it: of the image, the rollout and the Service', async () => {
    const findings = (await all(file)).filter(
      ({ rule, severity }) => severity === 'error' || symptoms.includes(rule),
    )
    expect(findings.map(({ rule, subject }) => `${rule} ${subject?.kind} ${subject?.name}`)).toEqual([
      'referenced-config-missing Deployment cart',
      'referenced-config-missing StatefulSet session',
      'pod-unready StatefulSet store',
    ])
    expect(findings[0]?.evidence).toEqual([
      'pod cart-1-a waits: secret "registry" not found, and registry.example.org refuses the image',
      'its only pod is not ready: calls to Service shop/cart fail',
    ])
  })

  it('leaves the symptoms to tell where nobody asks for the cause', async () => {
    const findings = await all(file, 'referenced-config-missing')
    expect(findings.map(({ rule }) => rule)).toContain('image-unavailable')
  })
})

describe('a Certificate that is not issued', () => {
  const file = 'fixtures/ingress-tls-secret-invalid/live-not-issued.yaml'

  it('is the cause of the Ingress without a Secret', async () => {
    const findings = await found(file)
    expect(findings.map(({ rule }) => rule)).toEqual(['certificate-expiring'])
    expect(findings[0]?.evidence).toContain('Ingress shop/web should serve it')
  })
})

describe.each([
  ['a full quota', 'fixtures/quota-exhausted/live-rollout.yaml', 'quota-exhausted', 'rollout-stalled'],
  [
    'a namespace that refuses pods',
    'fixtures/pod-security-refused/live-rollout.yaml',
    'pod-security-refused',
    'rollout-stalled',
  ],
  ['a class that is missing', 'fixtures/class-missing/live-rollout.yaml', 'class-missing', 'rollout-stalled'],
  ['a LimitRange', 'fixtures/limit-range-refused/live-bad.yaml', 'limit-range-refused', 'rollout-stalled'],
  [
    'a runtime that is missing',
    'fixtures/class-missing/live-runtime.yaml',
    'class-missing',
    'rollout-stalled',
  ],
  [
    'a claim of a class that is missing',
    'fixtures/class-missing/live-claim.yaml',
    'class-missing',
    'cluster-scale-up-blocked',
  ],
  [
    'a volume that no kubelet mounts',
    'fixtures/volume-plugin-removed/live-rollout.yaml',
    'volume-plugin-removed',
    'rollout-stalled',
  ],
  [
    'a webhook without pods',
    'fixtures/service-without-ready-endpoints/live-webhook.yaml',
    'webhook-backend-unavailable',
    'service-without-ready-endpoints',
  ],
  [
    'a webhook that refuses all pods',
    'fixtures/webhook-backend-unavailable/live-refused.yaml',
    'webhook-backend-unavailable',
    'rollout-stalled',
  ],
  [
    'a claim without a volume',
    'fixtures/cluster-scale-up-blocked/claim-not-bound.yaml',
    'cluster-scale-up-blocked',
    'rollout-stalled',
  ],
  [
    'a crash',
    'fixtures/service-without-ready-endpoints/live-bad.yaml',
    'crashloop-restart-storm',
    'service-without-ready-endpoints',
  ],
  [
    'a crash behind an Ingress',
    'fixtures/service-without-ready-endpoints/live-crash-behind-ingress.yaml',
    'crashloop-restart-storm',
    'service-without-ready-endpoints',
  ],
])('%s', (_, file, cause, symptom) => {
  const rules = async (...without: string[]) => (await all(file, ...without)).map(({ rule }) => rule)

  it('is told once', async () => {
    expect(await rules()).toContain(cause)
    expect(await rules()).not.toContain(symptom)
    expect(await rules(cause)).toContain(symptom)
  })
})

describe('a crash behind an Ingress', () => {
  it('says which calls fail, and shows the second place', async () => {
    const file = 'fixtures/service-without-ready-endpoints/live-crash-behind-ingress.yaml'
    const crash = (await found(file)).find(({ rule }) => rule === 'crashloop-restart-storm')
    expect(crash?.severity).toBe('error')
    expect(crash?.evidence).toContain(
      'calls to Service shop/api and Service shop/api-headless fail, so do those through Ingress shop/api',
    )
    expect(crash?.related.map(({ note }) => note)).toContain('fails, too')
  })
})

describe('a storm of restarts by a liveness probe', () => {
  const ofCrashes = [
    'rollout-stalled',
    'crashloop-restart-storm',
    'liveness-probe-aggressive',
    'service-without-ready-endpoints',
  ]
  const told = async (file: string, ...without: string[]) =>
    (await all(file, ...without)).map(({ rule }) => rule).filter((rule) => ofCrashes.includes(rule))

  it('is told of the probe that waits in vain, and else of the crash', async () => {
    const file = 'fixtures/liveness-probe-aggressive/live-storm.yaml'
    expect(await told(file)).toEqual(['liveness-probe-aggressive'])
    expect(await told(file, 'liveness-probe-aggressive')).toEqual(['crashloop-restart-storm'])
  })

  it('is told once where a rollout waits for it, too', async () => {
    const file = 'fixtures/liveness-probe-aggressive/live-killed.yaml'
    const ofWeb = async (...without: string[]) =>
      (await all(file, ...without)).flatMap(({ rule, subject }) =>
        subject?.name === 'web' && ofCrashes.includes(rule) ? [rule] : [],
      )
    expect(await ofWeb()).toEqual(['liveness-probe-aggressive'])
    expect(await ofWeb('liveness-probe-aggressive')).toEqual(['rollout-stalled'])
  })

  it('is told of the crash where the process says itself that it is not healthy', async () => {
    const file = 'fixtures/crashloop-restart-storm/live-unhealthy.yaml'
    expect(await told(file)).toEqual(['crashloop-restart-storm'])
    expect(await told(file, 'crashloop-restart-storm')).toContain('liveness-probe-aggressive')
  })

  it('is told of both where another container crashes by itself', async () => {
    expect(await told('fixtures/crashloop-restart-storm/live-two-causes.yaml')).toEqual([
      'liveness-probe-aggressive',
      'crashloop-restart-storm',
    ])
  })
})

describe('a webhook for the pods of all namespaces', () => {
  const told = (file: string) => {
    const rules = everyRule()
    const { findings } = lintPaths([`fixtures/webhook-selects-itself/${file}`], rules)
    return findings.flatMap(({ rule, severity }) =>
      ['webhook-selects-itself', 'webhook-fail-closed-system-scope'].includes(rule)
        ? [`${severity} ${rule}`]
        : [],
    )
  }

  it('is told once where several pods serve it', () => {
    expect(told('two-replicas.yaml')).toEqual(['warning webhook-fail-closed-system-scope'])
  })

  it('does not keep from sight that its only pod is a deadlock', () => {
    expect(told('only-pod-of-all-namespaces.yaml')).toEqual([
      'warning webhook-fail-closed-system-scope',
      'error webhook-selects-itself',
    ])
  })
})

describe('a DaemonSet that is replaced on all nodes at once', () => {
  it('is reported for its Service and not for its nodes as well', () => {
    const rules = everyRule()
    const { findings } = lintPaths(['fixtures/rollout-drops-all-replicas/daemonset-all-at-once.yaml'], rules)
    const ofRollouts = ['rollout-drops-all-replicas', 'daemonset-update-unpaced']
    expect(findings.map(({ rule }) => rule).filter((rule) => ofRollouts.includes(rule))).toEqual([
      'rollout-drops-all-replicas',
    ])
  })
})

describe.each([
  [
    'a probe beside the containers',
    'misplaced-spec-field/probe-beside-containers.yaml',
    'readiness-probe-missing',
  ],
  ['resources that are written twice', 'duplicate-key/resources.yaml', 'resource-requests-missing'],
  ['metadata that is written twice', 'duplicate-key/metadata.yaml', 'missing-field'],
  ['limits beside resources', 'misplaced-spec-field/limits-beside-requests.yaml', 'memory-limit-missing'],
  ['misspelt resources', 'unknown-field/misspelt-resources.yaml', 'resource-requests-missing'],
  ['misspelt labels of a selector', 'unknown-field/misspelt-labels.yaml', 'conflicting-fields'],
  ['misspelt ports', 'unknown-field/misspelt-ports.yaml', 'service-port-mismatch'],
  ['a port that is to be filled in', 'unfilled-placeholder/port.yaml', 'service-port-mismatch'],
  ['a port without a number', 'missing-field/port-without-number.yaml', 'service-port-mismatch'],
  ['a rollout that can take no step', 'conflicting-fields/no-surge.yaml', 'rollout-drops-all-replicas'],
  ['a hook longer than the grace period', 'grace-shorter-than-drain/told-once.yaml', 'conflicting-fields'],
])('%s', (_, file, symptom) => {
  const [cause = ''] = file.split('/')
  const rules = (...without: string[]) => {
    const toRun = [...rulesById()]
      .filter(([id]) => !without.includes(id))
      .map(([id, rule]) => active(id, rule))
    return lintPaths([`fixtures/${file}`], toRun).findings.map(({ rule }) => rule)
  }

  it('is told once', () => {
    expect(rules()).toContain(cause)
    expect(rules()).not.toContain(symptom)
    expect(rules(cause)).toContain(symptom)
  })
})

describe('a finding that is only shown because somebody asked for it', () => {
  const file = 'fixtures/liveness-same-as-readiness/named-port.yaml'

  it('takes nothing away that is recommended', () => {
    const toRun = [...rulesById()]
      .filter(([id]) => id.startsWith('liveness-'))
      .map(([id, rule]) => active(id, rule, { asked: true }))
    expect(lintPaths([file], toRun).findings.map(({ rule }) => rule)).toEqual([
      'liveness-probe-aggressive',
      'liveness-same-as-readiness',
    ])
  })
})

describe('probes of a container that name one variable', () => {
  it('are one finding with a place for each', () => {
    const toRun = [activeRule('exec-variable-not-expanded')]
    const { findings } = together(lintPaths(['fixtures/exec-variable-not-expanded/both-probes.yaml'], toRun))
    expect(findings.map(({ place, message }) => [place.line, message])).toEqual([
      [
        23,
        'The liveness and readiness probes of postgres run with nothing in the place of $(POSTGRES_USER): the kubelet puts only variables with a value of their own there.',
      ],
    ])
    expect(findings[0]?.related.map(({ line }) => line)).toContain(29)
  })
})

describe('fields that stand on the wrong level together', () => {
  const told = (file: string) => {
    const ids = ['missing-field', 'misplaced-spec-field', 'unknown-field', 'conflicting-fields']
    const toRun = ids.map((id) => activeRule(id))
    return together(lintPaths([`fixtures/misplaced-spec-field/${file}`], toRun)).findings
  }

  it('are one finding with a place and a fix for each', () => {
    const [first, second] = told('crd-of-v1beta1.yaml')
    expect(first?.message).toBe(
      'kubectl apply refuses version, subresources, additionalPrinterColumns and validation here, other clients may lose them: their place is .spec.versions[].',
    )
    expect([first?.place.line, ...(first?.related.map(({ line }) => line) ?? [])]).toEqual([8, 11, 12, 14])
    expect(second?.fix).toEqual({
      title: 'move version and validation to .spec.versions[]',
      safe: false,
      edits: [
        { op: 'remove', path: ['spec', 'version'] },
        { op: 'move', path: ['spec', 'validation'], to: ['spec', 'versions', 0, 'schema'] },
      ],
    })
    expect(told('crd-of-v1beta1.yaml')).toHaveLength(2)
  })

  it('are labels beside the name, too', () => {
    expect(
      told('labels.yaml').map(({ rule, message }) => `${rule}: ${message.replace(/ here,.*:/, ':')}`),
    ).toEqual([
      'misplaced-spec-field: kubectl apply refuses app, team and app.kubernetes.io/part-of: their place is .metadata.labels.',
      'unknown-field: kubectl apply refuses example.com/owner: ObjectMeta has no such field.',
      'misplaced-spec-field: kubectl apply refuses role: its place is .spec.selector.matchLabels.role.',
      'misplaced-spec-field: kubectl apply refuses role: its place is .spec.template.metadata.labels.role.',
      'misplaced-spec-field: kubectl apply refuses role: its place is .spec.template.metadata.labels.role.',
      'unknown-field: kubectl apply refuses owner and purpose: ObjectMeta has no such fields.',
      'misplaced-spec-field: kubectl apply refuses app: its place is .spec.podSelector.matchLabels.app.',
    ])
  })
})

describe('an autoscaler whose workload is not there', () => {
  const file = 'fixtures/autoscaler-target-missing/live-bad.yaml'
  const own = async (...without: string[]) =>
    (await all(file, ...without)).flatMap(({ rule, subject }) =>
      subject?.kind === 'HorizontalPodAutoscaler' && subject.name === 'web' ? [rule] : [],
    )

  it('is told once, with the name that is wrong', async () => {
    expect(await own()).toEqual(['autoscaler-target-missing'])
  })

  it('leaves it to what the controller says where nobody asks for that', async () => {
    expect(await own('autoscaler-target-missing')).toEqual(['hpa-at-limit'])
  })
})
