/** The API server's view of objects: what it refuses, what it drops, and types that rules can rely on. */
import fc from 'fast-check'
import { load } from 'js-yaml'
import { describe, expect, it } from 'vitest'
import { formatPath } from '../src/finding.js'
import type { KubernetesObject } from '../src/kubernetes.js'
import { check, shapePodTemplate } from '../src/schema/check.js'
import {
  definition,
  isServed,
  kindsByName,
  newestMinor,
  oldestMinor,
  servedKind,
} from '../src/schema/definitions.js'
import { fieldExists, fieldsAt, formatPlace, placesOfField, rootOf } from '../src/schema/lookup.js'
import { retiredApi, retiredApis, successorOf, versionsOf } from '../src/schema/removed-apis.js'
import { suggestion } from '../src/schema/suggest.js'
import { originalIndex } from '../src/schema/walk.js'

interface Manifest extends KubernetesObject {
  readonly [field: string]: unknown
}

function manifest(text: string): Manifest {
  return load(text) as Manifest
}

function looked(text: string | Manifest, minor = newestMinor) {
  const object = typeof text === 'string' ? manifest(text) : text
  return { object, ...check(object, String(object.apiVersion), String(object.kind), minor) }
}

/** `kind path` of each problem. */
function problems(text: string | Manifest, minor = newestMinor): string[] {
  return looked(text, minor).problems.map(({ kind, path }) => `${kind} ${formatPath(path)}`)
}

const pod = (spec: string) => `{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: ${spec}}`
const container = (rest: string) => pod(`{containers: [{name: a, image: b, ${rest}}]}`)

function root(apiVersion: string, kind: string, minor: number) {
  const found = rootOf(apiVersion, kind, minor)
  if (!found) throw new Error(`no ${apiVersion} ${kind}`)
  return found
}

describe('definitions', () => {
  it('can all be read, in the oldest version and the newest', () => {
    for (const minor of [oldestMinor, newestMinor])
      for (const served of [...kindsByName.values()].flat()) {
        const seen = new Set<string>()
        const visit = (name: string): void => {
          if (seen.has(name)) return
          seen.add(name)
          for (const { type } of definition(name, minor).fields.values())
            for (let inner: typeof type | undefined = type; inner; inner = inner.of)
              if (inner.is === 'definition') visit(inner.name)
        }
        visit(served.definition)
      }
  })
  it('know the versions of a field', () => {
    expect(fieldExists('v1', 'Pod', ['spec', 'resources'], 31)).toBe(false)
    expect(fieldExists('v1', 'Pod', ['spec', 'resources'], 32)).toBe(true)
    expect(fieldExists('v1', 'Pod', ['spec', 'containers', 0, 'ports', 1, 'hostPort'], 30)).toBe(true)
    expect(fieldExists('v1', 'Pod', ['spec', 'containers', 'ports'], 30)).toBe(false)
    expect(fieldExists('example.com/v1', 'Pod', ['spec'], 30)).toBeUndefined()
    expect(fieldsAt(root('batch/v1', 'CronJob', 22), ['spec'], 22)).not.toContain('timeZone')
    expect(fieldsAt(root('batch/v1', 'CronJob', 27), ['spec'], 27)).toContain('timeZone')
  })
  it('know every place of a field', () => {
    const places = (field: string, value?: unknown) =>
      placesOfField(root('batch/v1', 'CronJob', newestMinor), field, newestMinor, value).map(formatPlace)
    expect(places('concurrencyPolicy')).toEqual(['.spec.concurrencyPolicy'])
    expect(places('concurrencyPolicy', { of: 'another type' })).toEqual([])
    expect(places('activeDeadlineSeconds')).toEqual([
      '.spec.jobTemplate.spec.activeDeadlineSeconds',
      '.spec.jobTemplate.spec.template.spec.activeDeadlineSeconds',
    ])
    expect(places('nothing')).toEqual([])
  })
})

describe('problems', () => {
  it('are none in what the server takes', () => {
    expect(problems(container('ports: [{containerPort: 80}], env: [{name: A, value: null}]'))).toEqual([])
    expect(looked(container('tty: true')).problems).toBe(looked(container('tty: true')).problems)
  })
  it('tell fields that do not exist', () => {
    expect(problems(container('tyt: true'))).toEqual(['unknown-field .spec.containers[0].tyt'])
    expect(problems(container('tyt: null'))).toEqual(['unknown-field .spec.containers[0].tyt'])
    expect(problems(pod('{containers: [{name: a, image: b}], resources: {}}'), 31)).toEqual([
      'unknown-field .spec.resources',
    ])
    expect(looked(pod('{containers: [{name: a, image: b}], resources: {}}'), 31).problems[0]).toMatchObject({
      since: 32,
      definition: 'core/v1.PodSpec',
    })
  })
  it('tell types that cannot be decoded', () => {
    expect(problems(container('tty: "true"'))).toEqual(['wrong-type .spec.containers[0].tty'])
    expect(problems(container('args: [1]'))).toEqual(['wrong-type .spec.containers[0].args[0]'])
    expect(problems(container('ports: {containerPort: 80}'))).toEqual([
      'wrong-type .spec.containers[0].ports',
    ])
    expect(problems(container('ports: [{containerPort: 80.5}]'))).toEqual([
      'wrong-type .spec.containers[0].ports[0].containerPort',
    ])
    expect(problems(container('livenessProbe: {tcpSocket: {port: true}}'))).toEqual([
      'wrong-type .spec.containers[0].livenessProbe.tcpSocket.port',
    ])
  })
  it('tell numbers, words, quantities and formats that validation refuses', () => {
    expect(problems(container('ports: [{containerPort: 0, protocol: udp}]'))).toEqual([
      'out-of-bounds .spec.containers[0].ports[0].containerPort',
      'bad-enum .spec.containers[0].ports[0].protocol',
    ])
    expect(problems(container('ports: [{containerPort: 1, protocol: ""}]'))).toEqual([])
    expect(problems(container('resources: {limits: {cpu: 1, memory: 1GB}}'))).toEqual([
      'bad-quantity .spec.containers[0].resources.limits.memory',
    ])
    for (const quantity of ['1.', '.5', '1e3', '1E', '+1', ' 1 ', '1e-3', '5Ei', '1n'])
      expect(problems(container(`resources: {limits: {cpu: "${quantity}"}}`))).toEqual([])
    for (const quantity of ['', '1K', '1e', '1Gb', '0x10', '1_000', '1 000', 'Gi'])
      expect(problems(container(`resources: {limits: {cpu: "${quantity}"}}`))).toHaveLength(1)
  })
  it('leave alone what is filled in later', () => {
    for (const text of ['${PORT}', '$PORT', '{{ port }}'])
      expect(problems(container(`ports: [{containerPort: "${text}", protocol: "${text}"}]`))).toEqual([])
  })
  it('tell what is missing', () => {
    expect(problems(pod('{containers: []}'))).toEqual(['missing-field .spec.containers'])
    expect(problems(pod('{containers: [null]}'))).toEqual([
      'missing-field .spec.containers[0].image',
      'missing-field .spec.containers[0].name',
    ])
    expect(problems(pod('{containers: [{name: "", image: b}]}'))).toEqual([
      'missing-field .spec.containers[0].name',
    ])
    expect(
      problems('{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, status: {conditions: [{}]}}'),
    ).toEqual(['missing-field .spec'])
  })
  it('tell entries that are alike', () => {
    expect(problems(container('ports: [{containerPort: 1}, {containerPort: 1, protocol: TCP}]'))).toEqual([
      'duplicate-entry .spec.containers[0].ports[1]',
    ])
    expect(
      problems(container('ports: [{containerPort: 1}, {containerPort: 1, protocol: UDP}, {hostPort: 1}]')),
    ).toEqual(['missing-field .spec.containers[0].ports[2].containerPort'])
    const twice = looked(container('ports: [{containerPort: 1, name: a}, {containerPort: 2, name: a}]'))
    expect(twice.problems).toEqual([
      {
        kind: 'duplicate-entry',
        path: ['spec', 'containers', 0, 'ports', 1],
        first: 0,
        keys: { name: 'a' },
        refused: true,
      },
    ])
  })
  it('tell kinds that nobody serves, and kinds that are still to come', () => {
    expect(looked('{apiVersion: v1, kind: Deployment}').problems).toMatchObject([
      { kind: 'unknown-kind', servedBy: ['apps/v1'] },
    ])
    expect(looked('{apiVersion: apps/v1, kind: Deploymnet}').problems).toMatchObject([
      { kind: 'unknown-kind', nearest: 'Deployment' },
    ])
    expect(problems('{apiVersion: example.com/v1, kind: Deploymnet, spec: 1}')).toEqual([])
    expect(
      looked('{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler}', 22).problems.at(-1),
    ).toMatchObject({ kind: 'unknown-kind', since: 23 })
  })
  it('judge an API version that is gone by its own schema and by its successor’s', () => {
    const ingress = (rest: string) =>
      `{apiVersion: extensions/v1beta1, kind: Ingress, metadata: {name: a}, spec: {${rest}}}`
    expect(problems(ingress('backend: {serviceName: a, servicePort: 80}'))).toEqual([])
    expect(problems(ingress('defaultBackend: {service: {name: a}}'))).toEqual([])
    expect(problems(ingress('backends: []'))).toEqual(['unknown-field .spec.backends'])
  })
})

describe('shape', () => {
  it('gives back the same object when nothing is wrong', () => {
    const { object, value } = looked(container('args: [a, b], tty: true'))
    expect(value).toBe(object)
  })
  it('takes null as absent, and copies only the way to it', () => {
    const { object, value } = looked(
      '{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: null}, data: {a: b}}',
    )
    expect(value.metadata).toEqual({ name: 'a' })
    expect((value as Manifest).data).toBe(object.data)
    expect(object.metadata).toHaveProperty('labels')
  })
  it('leaves out what has the wrong type and keeps what it does not know', () => {
    const { value } = looked(
      '{apiVersion: v1, kind: Pod, metadata: {name: 5, labels: {a: 1, b: c}}, spec: {unknown: 1, containers: [1, {name: a, args: x}]}}',
    )
    expect(value).toEqual({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { labels: { b: 'c' } },
      spec: { unknown: 1, containers: [{ name: 'a' }] },
    })
    const { containers } = (value as Manifest).spec as { containers: unknown[] }
    expect(originalIndex(containers, 0)).toBe(1)
    expect(originalIndex([1], 0)).toBe(0)
  })
  it('gives quantities as text', () => {
    const { value } = looked(container('resources: {limits: {cpu: 1, memory: 1Gi}}'))
    expect(value).toMatchObject({
      spec: { containers: [{ resources: { limits: { cpu: '1', memory: '1Gi' } } }] },
    })
  })
  it('gives every built-in kind the types of its newest version, whatever version it is written in', () => {
    const { value } = looked(
      '{apiVersion: extensions/v1beta1, kind: Ingress, metadata: {name: a}, spec: {defaultBackend: text, backend: {serviceName: a}}}',
    )
    expect(value).toMatchObject({ spec: { backend: { serviceName: 'a' } } })
    expect((value as Manifest).spec).not.toHaveProperty('defaultBackend')
    const unknown = looked(
      '{apiVersion: apps/v9, kind: Deployment, metadata: {name: a}, spec: {template: 1}}',
    )
    expect((unknown.value as Manifest).spec).toEqual({})
  })
  it('makes only the metadata of custom resources true', () => {
    const { value } = looked(
      '{apiVersion: example.com/v1, kind: Thing, metadata: {name: 1, namespace: a}, spec: {replicas: x}}',
    )
    expect(value).toEqual({
      apiVersion: 'example.com/v1',
      kind: 'Thing',
      metadata: { namespace: 'a' },
      spec: { replicas: 'x' },
    })
  })
  it('shapes the pod template of a custom resource', () => {
    const template = manifest('{metadata: {labels: {a: b}}, spec: {containers: [{name: a}]}}')
    expect(shapePodTemplate(template)).toBe(template)
    expect(shapePodTemplate(manifest('{spec: {containers: 1}}'))).toEqual({ spec: {} })
    expect(shapePodTemplate('text')).toBeUndefined()
  })

  const kinds = [...kindsByName.values()].flat().map(({ apiVersion, kind }) => ({ apiVersion, kind }))
  const somewhere = fc.constantFrom(...kinds, { apiVersion: 'example.com/v1', kind: 'Thing' })
  it('never fails, and finds nothing to change in what it made', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.jsonValue(),
        somewhere,
        fc.integer({ min: 0, max: 99 }),
        (spec, metadata, { apiVersion, kind }, minor) => {
          const { value } = check({ apiVersion, kind, metadata, spec }, apiVersion, kind, minor)
          expect(check(value, apiVersion, kind, minor).value).toBe(value)
        },
      ),
    )
  })
  it('makes types true at every depth', () => {
    const json = fc.jsonValue({ maxDepth: 1 })
    // Objects of the right fields with any values in them.
    const filled = (name: string, depth: number): fc.Arbitrary<unknown> =>
      fc.record(
        Object.fromEntries(
          [...definition(name, newestMinor).fields].map(([field, { type }]) => [
            field,
            type.is === 'definition' && depth > 0
              ? filled(type.name, depth - 1)
              : type.is === 'list' && type.of?.is === 'definition' && depth > 0
                ? fc.array(fc.oneof(filled(type.of.name, depth - 1), json), { maxLength: 2 })
                : json,
          ]),
        ),
        { requiredKeys: [] },
      )
    const names: unknown[] = []
    fc.assert(
      fc.property(filled('core/v1.PodTemplateSpec', 2), (template) => {
        const shaped = shapePodTemplate(template) as { spec?: { containers?: readonly { name?: unknown }[] } }
        for (const { name } of shaped.spec?.containers ?? []) {
          expect(typeof (name ?? '')).toBe('string')
          names.push(name)
        }
      }),
      { numRuns: 50 },
    )
    expect(names).toEqual(expect.arrayContaining([undefined, expect.any(String)]))
  })
  it('keeps keys that JavaScript knows', () => {
    const value = JSON.parse(
      '{"apiVersion":"v1","kind":"ConfigMap","data":{"__proto__":"a","constructor":1}}',
    )
    const shaped = check(value, 'v1', 'ConfigMap', newestMinor).value as Manifest
    expect(Object.keys(shaped.data as object)).toEqual(['__proto__'])
  })
})

describe('suggestions', () => {
  const meant = (text: string) => {
    const { object, problems } = looked(text)
    const [problem] = problems.filter((one) => one.kind === 'unknown-field')
    return problem && suggestion(object, problem.path, newestMinor)
  }
  it('find the place of a field, up and down', () => {
    expect(
      meant('{apiVersion: batch/v1, kind: CronJob, spec: {jobTemplate: {concurrencyPolicy: Forbid}}}'),
    ).toMatchObject({
      wrong: 'place',
      place: '.spec.concurrencyPolicy',
      path: ['spec', 'concurrencyPolicy'],
      only: true,
    })
    expect(meant(pod('{containers: [{name: a}], livenessProbe: {}}'))).toMatchObject({
      place: '.spec.containers[].livenessProbe',
      path: ['spec', 'containers', 0, 'livenessProbe'],
    })
    expect(meant(pod('{containers: [{name: a}, {name: b}], livenessProbe: {}}'))?.path).toBeUndefined()
  })
  it('say when the right place is taken', () => {
    const cronJob =
      '{apiVersion: batch/v1, kind: CronJob, spec: {suspend: true, jobTemplate: {metadata: {suspend: false}}}}'
    expect(meant(cronJob)).toMatchObject({ place: '.spec.suspend', there: false })
    expect(meant(cronJob)?.path).toBeUndefined()
  })
  it('find the name that was meant', () => {
    expect(meant(container('imagepullPolicy: Always'))).toMatchObject({
      wrong: 'name',
      path: ['spec', 'containers', 0, 'imagePullPolicy'],
    })
    expect(meant('{apiVersion: apps/v1, kind: StatefulSet, spec: {strategy: {}}}')).toMatchObject({
      wrong: 'name',
      place: '.updateStrategy',
    })
  })
  it('stay silent about names that fit everywhere', () => {
    expect(meant('{apiVersion: apps/v1, kind: Deployment, spec: {name: a}}')).toBeUndefined()
  })
})

describe('API versions', () => {
  it('are retired in the release that first lacks them', () => {
    // Turned off by default in 1.16, and still in the documents of 1.16 and 1.17.
    const turnedOff = new Set(['apps/v1beta1', 'apps/v1beta2', 'extensions/v1beta1'])
    // No objects that anybody writes.
    const unwritten = new Set(['Scale', 'Eviction', 'EphemeralContainers'])
    for (const [kind, versions] of kindsByName)
      for (const { apiVersion, until } of versions) {
        if (unwritten.has(kind)) continue
        const removed = retiredApi(apiVersion, kind)?.removed
        if (until === undefined) expect(removed ?? 99, `${apiVersion} ${kind}`).toBeGreaterThan(newestMinor)
        else if (turnedOff.has(apiVersion) && until === 17) expect(removed).toBe(16)
        else expect(removed, `${apiVersion} ${kind}`).toBe(until + 1)
      }
  })
  it('are known by the kinds', () => {
    for (const { apiVersion, kind } of retiredApis)
      expect(servedKind(apiVersion, kind), `${apiVersion} ${kind}`).toBeDefined()
  })
  it('have successors that are served', () => {
    for (const { apiVersion, kind } of retiredApis) {
      const successor = successorOf(apiVersion, kind, newestMinor)
      const served = successor && servedKind(successor, kind)
      if (successor) expect(served && isServed(served, newestMinor)).toBe(true)
    }
    expect(successorOf('extensions/v1beta1', 'Deployment', newestMinor)).toBe('apps/v1')
    expect(successorOf('batch/v2alpha1', 'CronJob', 22)).toBe('batch/v1')
    expect(successorOf('autoscaling/v2beta1', 'HorizontalPodAutoscaler', 22)).toBe('autoscaling/v2beta2')
    expect(successorOf('policy/v1beta1', 'PodSecurityPolicy', newestMinor)).toBeUndefined()
  })
  it('are listed the best first', () => {
    expect(versionsOf('autoscaling', 'HorizontalPodAutoscaler', 24)).toEqual([
      'autoscaling/v2',
      'autoscaling/v1',
      'autoscaling/v2beta2',
      'autoscaling/v2beta1',
    ])
    expect(versionsOf('extensions', 'Ingress', newestMinor)).toEqual(['networking.k8s.io/v1'])
    expect(versionsOf('example.com', 'Ingress', newestMinor)).toEqual([])
  })
})

describe('the size of a ConfigMap', () => {
  const holding = (text: number, binary: number) =>
    problems({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'a' },
      data: { a: 'é'.repeat(text / 2) },
      binaryData: { b: Buffer.alloc(binary).toString('base64') },
    })
  it('is 1 MiB at most, in bytes as they are stored', () => {
    expect(holding(1024 * 1024 - 300, 300)).toEqual([])
    expect(holding(1024 * 1024 - 300, 302)).toEqual(['conflict .data'])
  })
})
