/** The graph and what it is made of: selectors, numbers, schedules, and which objects belong together. */
import { loadAll } from 'js-yaml'
import { describe, expect, it } from 'vitest'
import type { External } from '../src/config/settings.js'
import { buildsOf, givenBy } from '../src/graph/builds.js'
import { delayOfCommand } from '../src/graph/command.js'
import { buildGraph, type IndexedGraph } from '../src/graph/graph.js'
import { imageNamed, imageParts, isImageAlias } from '../src/graph/image.js'
import { distance, type Resource } from '../src/graph/resource.js'
import { shellOf } from '../src/graph/shell.js'
import { type KubernetesObject, kindNameOf } from '../src/kubernetes.js'
import type { Kustomization } from '../src/reader/input.js'
import { formatBytes, formatSeconds, intOrPercent, quantity, seconds } from '../src/values/quantity.js'
import { formatStarts, schedule } from '../src/values/schedule.js'
import { matchesLabels, matchesSelector, selectsAll } from '../src/values/selector.js'

/** A graph of YAML texts by file name, as the engine builds it. */
function graphOf(
  files: Readonly<Record<string, string>>,
  options: {
    complete?: boolean
    namespace?: string
    externals?: readonly External[]
    replicas?: Readonly<Record<string, Readonly<Record<string, number>>>>
    overlays?: Readonly<Record<string, Partial<Kustomization>>>
    homes?: Readonly<Record<string, string>>
  } = {},
): IndexedGraph {
  const resources = Object.entries(files).flatMap(([name, text]): Resource[] => {
    const file = { name, text }
    return loadAll(text).map((loaded): Resource => {
      const value = loaded as KubernetesObject
      const { apiVersion = '', kind = '' } = value
      return {
        value,
        document: document(file, value),
        path: [],
        kindName: kindNameOf(apiVersion, kind),
        apiVersion,
        kind,
        name: value.metadata?.name ?? '',
        namespace: value.metadata?.namespace ?? options.namespace ?? '',
        home: options.homes?.[name],
        folders: name.split('/').slice(0, -1),
        problems: [],
      }
    })
  })
  const kustomization = (folder: string, said: Partial<Kustomization>): Kustomization => ({
    document: document({ name: `${folder}/kustomization.yaml`, text: '' }, {}),
    folder,
    generated: [],
    images: [],
    namespace: undefined,
    podLabels: {},
    selectorLabels: {},
    replicas: [],
    resources: [],
    isCheckedOut: () => true,
    references: [],
    patches: [],
    replaced: [],
    ...said,
  })
  const kustomizations = [
    ...Object.entries(options.replicas ?? {}).map(([folder, counts]) =>
      kustomization(folder, {
        replicas: Object.entries(counts).map(([name, count]) => ({ name, count })),
      }),
    ),
    ...Object.entries(options.overlays ?? {}).map(([folder, said]) => kustomization(folder, said)),
  ]
  return buildGraph(resources, {
    complete: options.complete ?? false,
    externals: options.externals ?? [],
    workloadKinds: [],
    kustomizations,
  })
}

function document(file: { name: string; text: string }, value: unknown): Resource['document'] {
  return {
    file,
    line: 1,
    value,
    text: file.text,
    hasDuplicates: false,
    locate: () => {
      throw new Error('not asked for here')
    },
  }
}

const deployment = (name: string, more = '', labels = `{app: ${name}}`) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  ${more}
  template:
    metadata: {labels: ${labels}}
    spec:
      containers:
        - name: main
          image: example/main:1.0.0
          ports: [{name: http, containerPort: 8080}]
`
const service = (name: string, selector = `{app: ${name}}`) => `
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {selector: ${selector}, ports: [{port: 80}]}
`
const hpa = (name: string, more = '') => `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: ${name}}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ${name}}, maxReplicas: 9, ${more}}
`
const budget = (selector: string, version = 'policy/v1') => `
apiVersion: ${version}
kind: PodDisruptionBudget
metadata: {name: budget}
spec: {maxUnavailable: 1, selector: ${selector}}
`

const first = <T>(list: readonly T[]): T => {
  const [one] = list
  if (one === undefined) throw new Error('nothing there')
  return one
}
const names = (workloads: readonly { readonly name: string }[]) => workloads.map(({ name }) => name)

describe('selectors', () => {
  const labels = { app: 'web', tier: 'front' }

  it('match label maps as a whole', () => {
    expect(matchesLabels({ app: 'web' }, labels)).toBe(true)
    expect(matchesLabels({ app: 'web', tier: 'back' }, labels)).toBe(false)
    expect(matchesLabels({ app: 'web' }, undefined)).toBe(false)
    expect(matchesLabels({ constructor: 'web' }, labels)).toBe(false)
    expect(matchesLabels({}, labels)).toBe(true)
  })

  it.each([
    [{ key: 'app', operator: 'In', values: ['api', 'web'] }, true],
    [{ key: 'app', operator: 'In', values: ['api'] }, false],
    [{ key: 'zone', operator: 'In', values: ['a'] }, false],
    [{ key: 'app', operator: 'NotIn', values: ['web'] }, false],
    [{ key: 'app', operator: 'NotIn', values: ['api'] }, true],
    [{ key: 'zone', operator: 'NotIn', values: ['a'] }, true],
    [{ key: 'app', operator: 'Exists' }, true],
    [{ key: 'zone', operator: 'Exists' }, false],
    [{ key: 'toString', operator: 'Exists' }, false],
    [{ key: 'zone', operator: 'DoesNotExist' }, true],
    [{ key: 'app', operator: 'DoesNotExist' }, false],
    [{ key: 'app', operator: 'Like', values: ['web'] }, false],
  ])('%o is %s', (expression, matches) => {
    expect(matchesSelector({ matchExpressions: [expression] }, labels)).toBe(matches)
  })

  it('join labels and expressions', () => {
    const matchExpressions = [{ key: 'tier', operator: 'Exists' }]
    expect(matchesSelector({ matchLabels: { app: 'web' }, matchExpressions }, labels)).toBe(true)
    expect(matchesSelector({ matchLabels: { app: 'api' }, matchExpressions }, labels)).toBe(false)
  })

  it('match nothing when absent and everything when empty', () => {
    expect(matchesSelector(undefined, labels)).toBe(false)
    expect(matchesSelector({}, labels)).toBe(true)
    expect(selectsAll(undefined)).toBe(false)
    expect(selectsAll({ matchLabels: {} })).toBe(true)
  })
})

describe('numbers', () => {
  it.each([
    ['100m', 0.1],
    ['1', 1],
    ['1.5', 1.5],
    ['.5', 0.5],
    ['1e3', 1000],
    ['1E3', 1000],
    ['2E', 2e18],
    ['1Ki', 1024],
    ['1Gi', 1073741824],
    ['1.5Gi', 1610612736],
    ['1k', 1000],
    [2, 2],
    ['1K', undefined],
    ['1 Gi', undefined],
    ['1GB', undefined],
    ['', undefined],
    [null, undefined],
  ])('the quantity %s', (text, value) => {
    expect(quantity(text)).toBe(value)
  })

  it.each([
    ['25%', 3, 'up', 1],
    ['25%', 3, 'down', 0],
    ['50%', 4, 'down', 2],
    ['100%', 7, 'down', 7],
    ['29%', 100, 'up', 29],
    ['0%', 5, 'up', 0],
    [2, 5, 'up', 2],
    ['2', 5, 'up', undefined],
    ['2.5%', 5, 'up', undefined],
    [undefined, 5, 'up', undefined],
  ] as const)('%s of %i, rounded %s', (value, total, round, result) => {
    expect(intOrPercent(value, total, round)).toBe(result)
  })

  it.each([
    ['1h30m', 5400],
    ['500ms', 0.5],
    ['1.5h', 5400],
    ['90', 90],
    [15, 15],
    ['15x', undefined],
    ['', undefined],
  ])('the duration %s', (text, value) => {
    expect(seconds(text)).toBe(value)
  })

  it('are written as people write them', () => {
    expect([45, 60, 90, 3600, 86400, 5000].map(formatSeconds)).toEqual([
      '45 s',
      '1 min',
      '90 s',
      '1 h',
      '1 d',
      '1.4 h',
    ])
    expect([512, 1536, 536870912, 1610612736].map(formatBytes)).toEqual(['512', '1.5Ki', '512Mi', '1.5Gi'])
  })
})

describe('schedules', () => {
  const hour = 3600
  const day = 24 * hour

  it.each([
    ['*/15 * * * *', 900, 900],
    ['0 9-17 * * 1-5', hour, 64 * hour],
    ['3-59/10 * * * *', 600, 600],
    ['*/7 * * * *', 240, 420],
    ['0 0 * * *', day, day],
    ['0 3 1 * *', 28 * day, 31 * day],
    ['0 0 29 2 *', 1461 * day, 1461 * day],
    ['5/20 * * * *', 1200, 1200],
    ['0 0 1,15 * MON', day, 7 * day],
    ['0 0 * JAN-MAR,dec ?', day, 245 * day],
    ['@hourly', hour, hour],
    ['@weekly', 7 * day, 7 * day],
    ['@every 90s', 90, 90],
    ['@every 300ms', 1, 1],
    ['CRON_TZ=Europe/Berlin 0 6 * * *', day, day],
  ])('%s', (text, interval, longestInterval) => {
    expect(schedule(text)).toMatchObject({ interval, longestInterval })
  })

  it.each([
    '',
    '* * * *',
    '* * * * * *',
    '60 * * * *',
    '0 0 * * 7',
    '0 22-2 * * *',
    '0 0 L * *',
    '0 0 30 2 *',
    '*/0 * * * *',
    '1-2-3 * * * *',
    '@reboot',
    '@Daily',
    '@every 90',
    '{{ .Values.schedule }}',
  ])('%s is refused', (text) => {
    expect(schedule(text)).toBeUndefined()
  })

  it('tell their minutes, their zone and their starts', () => {
    expect(schedule('7,22 * * * *')?.minutes).toEqual([7, 22])
    expect(schedule('TZ=UTC 0 0 * * *')?.timeZone).toBe('UTC')
    expect(schedule('30 1 * * 0')?.starts()).toEqual([6, 13, 20, 27].map((date) => date * 1440 + 90))
    expect(schedule('0 0 31 * *')?.starts()).toEqual([30 * 1440])
    expect(schedule('@every 1h')?.starts()).toEqual([])
  })
  it('says how often they start', () => {
    const said = (text: string) => [schedule(text)].map((one) => one && formatStarts(one))[0]
    expect(said('*/15 * * * *')).toBe('every 15 min')
    expect(said('50-59 * * * *')).toBe('as often as every minute')
  })
})

describe('containers', () => {
  it.each([
    [['sleep', '60'], 60],
    [['/bin/sh', '-c', 'sleep 10 && nginx -s quit'], 10],
    [['sh', '-c', 'sleep 5; kill -QUIT 1; sleep 1m'], 5],
    [['sh', '-c', 'while ! drained; do sleep 1; done'], 0],
    [['nginx', '-s', 'quit'], 0],
    [['sleepy', '5'], 0],
    [undefined, 0],
  ])('%o waits %i s', (command, delay) => {
    expect(delayOfCommand(command)).toBe(delay)
  })

  it.each<[string, string | undefined, number | undefined]>([
    ['sh -c SCRIPT', 'sh', 2],
    ['/usr/local/bin/bash -euo pipefail -c SCRIPT arg', 'bash', 4],
    ['bash -o pipefail -ec SCRIPT', 'bash', 4],
    ['sh -c -- SCRIPT', 'sh', 3],
    ['/bin/mksh /start.sh -c x', 'mksh', undefined],
    ['zsh -c', 'zsh', undefined],
    ['/usr/bin/env A=1 ash -c SCRIPT', 'ash', 4],
    ['env -i sh -c SCRIPT', undefined, undefined],
    ['env', undefined, undefined],
    ['/bin/busybox sh -c SCRIPT', 'ash', 3],
    ['/busybox/sh -c SCRIPT', 'ash', 2],
    ['busybox sleep 5', undefined, undefined],
    ['python -c SCRIPT', undefined, undefined],
    ['/start.sh -c SCRIPT', undefined, undefined],
    ['', undefined, undefined],
  ])('%j starts the shell %s, with a script at %s', (command, name, scriptAt) => {
    const shell = shellOf(command.split(' '))
    expect([shell?.name, shell?.scriptAt]).toEqual([name, scriptAt])
  })

  it('read images as the registry client does', () => {
    expect(imageParts('nginx')).toMatchObject({
      registry: 'docker.io',
      repository: 'library/nginx',
      tag: undefined,
    })
    expect(imageParts('localhost:5000/a/b:1.2@sha256:ab')).toMatchObject({
      registry: 'localhost:5000',
      repository: 'a/b',
      name: 'b',
      tag: '1.2',
      digest: 'sha256:ab',
    })
    expect(imageNamed('timberio/vector:0.40', ['vector'])).toBe(true)
    expect(imageNamed('pgvector/pgvector:16', ['vector'])).toBe(false)
  })

  it('are aliases for a tool to fill in where nothing could be pulled by the name', () => {
    expect(isImageAlias('emailservice')).toBe(true)
    expect(isImageAlias('nginx')).toBe(false)
    expect(isImageAlias('emailservice:1.0')).toBe(false)
    expect(isImageAlias('example/emailservice')).toBe(false)
  })

  it('know native sidecars', () => {
    const graph = graphOf({
      'a.yaml': `
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  initContainers: [{name: setup}, {name: proxy, restartPolicy: Always}]
  containers: [{name: main}]
`,
    })
    const workload = first(graph.workloads)
    expect(workload.containers.map(({ name, role, index }) => [name, role, index])).toEqual([
      ['main', 'ordinary', 0],
      ['setup', 'init', 0],
      ['proxy', 'sidecar', 1],
    ])
    expect(names(workload.running)).toEqual(['main', 'proxy'])
  })
})

describe('which objects belong together', () => {
  const backends = (graph: IndexedGraph) =>
    graph.all('Service').map((one) => graph.backendsOf(one).map((workload) => graph.describe(workload)))
  const inNamespace = (text: string, namespace: string) =>
    text.replace(/metadata: \{name: (\S+)\}/, `metadata: {name: $1, namespace: ${namespace}}`)

  it('counts folder changes', () => {
    expect(distance(['a', 'b'], ['a', 'b'])).toBe(0)
    expect(distance(['a'], ['a', 'b'])).toBe(1)
    expect(distance(['base'], ['overlays', 'prod'])).toBe(3)
  })

  it('joins what has the same namespace, wherever it is written', () => {
    const graph = graphOf({
      'a/b/c/d/web.yaml': inNamespace(deployment('web'), 'shop'),
      'x/y/z/service.yaml': inNamespace(service('web'), 'shop'),
    })
    expect(backends(graph)).toEqual([['Deployment shop/web']])
  })

  it('takes default for no choice of a namespace', () => {
    const graph = graphOf({
      'shop/web.yaml': inNamespace(deployment('web'), 'default'),
      'shop/service.yaml': inNamespace(service('web'), 'default'),
      'blog/site/service.yaml': inNamespace(service('web'), 'default'),
      'docs/examples/web/service.yaml': inNamespace(service('web'), 'default'),
    })
    expect(backends(graph)).toEqual([['Deployment default/web'], [], []])
  })

  it('keeps namespaces apart', () => {
    const graph = graphOf({
      'web.yaml': inNamespace(deployment('web'), 'shop'),
      'service.yaml': inNamespace(service('web'), 'blog'),
    })
    expect(backends(graph)).toEqual([[]])
  })

  it('joins near files without a namespace, and not far ones', () => {
    const near = graphOf({ 'base/web.yaml': deployment('web'), 'overlays/prod/service.yaml': service('web') })
    expect(backends(near)).toEqual([['Deployment web']])
    const far = graphOf({ 'shop/base/web.yaml': deployment('web'), 'blog/base/service.yaml': service('web') })
    expect(backends(far)).toEqual([[]])
    const named = graphOf(
      { 'shop/base/web.yaml': deployment('web'), 'blog/base/service.yaml': service('web') },
      { namespace: 'prod' },
    )
    expect(backends(named)).toEqual([['Deployment prod/web']])
  })

  it('does not join what two folders of a row hold, unless kustomizations put it into one namespace', () => {
    const joined = (web: string, of: string, home?: string) => {
      const files = { [`${web}/web.yaml`]: deployment('web'), [`${of}/service.yaml`]: service('web') }
      const homes = home && Object.fromEntries(Object.keys(files).map((name) => [name, home]))
      return backends(graphOf(files, homes ? { homes } : {})).flat().length > 0
    }
    expect(joined('day-10', 'day-36')).toBe(false)
    expect(joined('Chapter04', 'chapter12')).toBe(false)
    expect(joined('docs/lab3-probes', 'docs/lab4-limits')).toBe(false)
    expect(joined('day-10', 'day-36', 'shop')).toBe(true)
    expect(joined('day-10/web', 'day-10/service')).toBe(true)
    expect(joined('01-web', '02-services')).toBe(true)
    expect(joined('web', 'services')).toBe(true)
    expect(joined('app1', 'lb2')).toBe(true)
  })

  it('leaves alone what is far away where something next door matches', () => {
    const graph = graphOf({
      'web/web.yaml': deployment('web'),
      'web/canary/web.yaml': deployment('canary', '', '{app: web}'),
      'web/service.yaml': service('web'),
      'other/examples/web.yaml': deployment('example', '', '{app: web}'),
    })
    expect(backends(graph)).toEqual([['Deployment web', 'Deployment canary']])
  })

  it('leaves next applications alone where all pods are meant', () => {
    const policy = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: all}
spec: {podSelector: {}}
`
    const selectedIn = (files: Readonly<Record<string, string>>) => {
      const graph = graphOf({ 'shop/policy.yaml': policy, ...files })
      return graph.workloads.filter((one) => graph.policiesOf(one).length > 0).map(({ name }) => name)
    }
    expect(selectedIn({ 'shop/web.yaml': deployment('web'), 'blog/web.yaml': deployment('blog') })).toEqual([
      'web',
    ])
    expect(selectedIn({ 'blog/web.yaml': deployment('blog') })).toEqual([])
    expect(selectedIn({ 'shop/base/web.yaml': deployment('web') })).toEqual(['web'])
  })

  it('links variants of an object to what is nearest', () => {
    const graph = graphOf({
      'one/web.yaml': `${deployment('web')}---${service('web')}`,
      'two/web.yaml': `${deployment('web')}---${service('web')}`,
    })
    const services = graph.all('Service')
    expect(
      services.map((one) =>
        graph.backendsOf(one).map(({ object }) => graph.all('Deployment').indexOf(object)),
      ),
    ).toEqual([[0], [1]])
    const sameFolder = graphOf({
      'a.yaml': `${deployment('web')}---${service('web')}`,
      'b.yaml': deployment('web'),
    })
    expect(sameFolder.backendsOf(first(sameFolder.all('Service')))).toHaveLength(1)
  })

  it('does not take objects without a name for variants', () => {
    const job = (folder: string) => `
apiVersion: batch/v1
kind: Job
metadata: {generateName: run-}
spec: {template: {metadata: {labels: {app: run}}, spec: {containers: [{name: ${folder}}]}}}
`
    const graph = graphOf({
      'one/job.yaml': job('one'),
      'one/sub/job.yaml': job('two'),
      'one/policy.yaml': budget('{matchLabels: {app: run}}'),
    })
    expect(graph.guardedBy(first(graph.all('PodDisruptionBudget')))).toHaveLength(2)
  })

  it('selects by pod labels, not by the selector of the workload', () => {
    const graph = graphOf({
      'web.yaml': deployment('web', 'selector: {matchLabels: {app: web}}', '{app: web, tier: front}'),
      'service.yaml': service('web', '{tier: front}'),
      'budget.yaml': budget('{matchExpressions: [{key: tier, operator: In, values: [front]}]}'),
    })
    expect(backends(graph)).toEqual([['Deployment web']])
    expect(names(graph.guardedBy(first(graph.all('PodDisruptionBudget'))))).toEqual(['web'])
    expect(graph.budgetsOf(first(graph.workloads))).toHaveLength(1)
    expect(graph.servicesOf(first(graph.workloads))).toHaveLength(1)
  })

  it('names the nearest Service first', () => {
    const graph = graphOf(
      {
        'a/other.yaml': service('other', '{app: web}'),
        'b/web.yaml': deployment('web', 'selector: {matchLabels: {app: web}}'),
        'b/service.yaml': service('web'),
      },
      { namespace: 'shop' },
    )
    const services = graph.servicesOf(first(graph.workloads))
    expect(services.map(({ metadata }) => metadata?.name)).toEqual(['web', 'other'])
  })

  it('knows the labels that controllers give to pods', () => {
    const job = `
apiVersion: batch/v1
kind: Job
metadata: {name: train}
spec: {template: {spec: {containers: [{name: main}]}}}
`
    const joined = (selector: string) =>
      backends(
        graphOf({ 'train.yaml': job, 'web.yaml': deployment('web'), 's.yaml': service('s', selector) }),
      )
    expect(joined('{job-name: train}')).toEqual([['Job train']])
    expect(joined('{job-name: other}')).toEqual([[]])
    expect(joined('{app: web, pod-template-hash: abc}')).toEqual([['Deployment web']])
  })

  it('reads an empty selector as each API does', () => {
    const files = (version: string) => ({
      'web.yaml': deployment('web'),
      'budget.yaml': budget('{}', version),
    })
    const guarded = (version: string) => {
      const graph = graphOf(files(version))
      return names(graph.guardedBy(first(graph.all('PodDisruptionBudget'))))
    }
    expect(guarded('policy/v1')).toEqual(['web'])
    expect(guarded('policy/v1beta1')).toEqual([])
    const none = graphOf({ 'web.yaml': deployment('web'), 'service.yaml': service('web', '{}') })
    expect(backends(none)).toEqual([[]])
  })

  it('knows what exists elsewhere', () => {
    const files = {
      'web.yaml': deployment('web'),
      'secret.yaml': `
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: database}
spec: {target: {name: database-credentials}}
`,
    }
    const graph = graphOf(files, { externals: [{ kind: 'Secret', name: 'tls-*' }] })
    const near = first(graph.workloads)
    expect(graph.exists('Secret', 'database-credentials', near)).toBe(true)
    expect(graph.exists('Secret', 'tls-web', near)).toBe(true)
    expect(graph.exists('ConfigMap', 'tls-web', near)).toBe(false)
    expect(graph.exists('Secret', 'database', near)).toBe(false)
  })
})

describe('patches of kustomizations', () => {
  const patchedBy = (
    patches: Kustomization['patches'],
    overlays: Readonly<Record<string, Partial<Kustomization>>> = {},
  ) => {
    const files = { 'base/app/web.yaml': deployment('web'), 'other/web.yaml': deployment('web') }
    const base = { resources: ['base/app/web.yaml'], patches: [] }
    const overlay = { resources: ['base'], patches }
    const graph = graphOf(files, { overlays: { base, overlay, ...overlays } })
    return graph.workloads.map((one) => graph.patched(one.object))
  }
  it('change what their kustomization builds on, directly or not', () => {
    expect(patchedBy([{ kind: 'Deployment', name: 'web' }])).toEqual([true, false])
    expect(patchedBy([{ kind: 'Deployment', name: 'api' }])).toEqual([false, false])
    expect(patchedBy([{ kind: 'Service', name: 'web' }])).toEqual([false, false])
    expect(patchedBy([])).toEqual([false, false])
  })
  it('change what stands in a folder that their kustomization names and that has none itself', () => {
    const patches = [{ kind: 'Deployment', name: 'web' }]
    expect(patchedBy([], { unbuilt: { resources: ['other'], patches } })).toEqual([false, true])
  })
  it('name all of a kind, all of a name, or a pattern', () => {
    expect(patchedBy([{ kind: 'Deployment', name: undefined }])).toEqual([true, false])
    expect(patchedBy([{ kind: undefined, name: 'w.*' }])).toEqual([true, false])
    expect(patchedBy([{ kind: undefined, name: '(?P<x>' }])).toEqual([false, false])
  })
  it('come from components, and from kustomizations that build on each other', () => {
    const patches = [{ kind: 'Deployment', name: 'web' }]
    const file = { name: 'component/kustomization.yaml', text: '' }
    const component = { resources: [], patches, document: document(file, { kind: 'Component' }) }
    const overlay = { resources: ['base', 'component'], patches: [] }
    expect(patchedBy([], { component, overlay })).toEqual([true, false])
    expect(patchedBy([], { inner: { resources: ['base'], patches }, overlay })).toEqual([true, false])
  })
  it('leave alone what only another kustomization builds on', () => {
    const other = { resources: ['other/web.yaml'], patches: [{ kind: 'Deployment', name: 'web' }] }
    const all = { resources: ['overlay', 'other'] }
    expect(patchedBy([], { other, all })).toEqual([false, true])
  })
  it('are for a folder whose kustomization is still to be made', () => {
    const top = { resources: ['other'], patches: [{ kind: 'Deployment', name: 'web' }] }
    expect(patchedBy([], { top })).toEqual([false, true])
  })
  it('may be for a namespace or for labels', () => {
    const web = { kind: undefined, name: undefined }
    expect(patchedBy([{ ...web, labels: 'app=web' }])).toEqual([false, false])
    expect(patchedBy([{ ...web, labels: 'app in (web, api), tier' }])).toEqual([false, false])
    expect(patchedBy([{ ...web, labels: 'app notin (web), !tier' }])).toEqual([true, false])
    expect(patchedBy([{ ...web, labels: 'app!=web' }])).toEqual([true, false])
    expect(patchedBy([{ ...web, annotations: 'managed' }])).toEqual([false, false])
    expect(patchedBy([{ kind: '(Deploy|Cron).*', name: undefined, namespace: 'shop' }])).toEqual([
      true,
      false,
    ])
  })
})

describe('the fields of containers that patches of kustomizations may add', () => {
  const graphWith = (change: unknown) =>
    graphOf(
      { 'base/web.yaml': deployment('web') },
      {
        overlays: {
          base: { resources: ['base/web.yaml'], patches: [{ kind: 'Deployment', name: 'web', change }] },
        },
      },
    )
  const adds = (change: unknown, counts?: (value: unknown) => boolean) => {
    const graph = graphWith(change)
    return graph.patchedContainers(first(graph.workloads).object, 'resources', counts)
  }
  const merged = (container: unknown) => ({ spec: { template: { spec: { containers: [container] } } } })
  const at = (path: string, value?: unknown, op = 'add') => [
    { op, path: `/spec/template/spec/containers${path}`, ...(value !== undefined && { value }) },
  ]
  const written: unknown[] = []
  const noted = (value: unknown) => {
    written.push(value)
    return false
  }
  it('are those that they write', () => {
    expect(adds(merged({ name: 'main', image: 'x' }))).toBe(false)
    expect(adds(merged({ name: 'main', resources: {} }))).toBe(true)
    expect(adds(at('/0/image', 'x'))).toBe(false)
    expect(adds(at('/0/resources', {}))).toBe(true)
    expect(adds(at('/-', { name: 'more' }))).toBe(true)
  })
  it('are asked about by what is written', () => {
    expect(adds(merged({ name: 'main', resources: { requests: { memory: '1Gi' } } }), noted)).toBe(false)
    expect(adds(at('/0/resources', { limits: {} }), noted)).toBe(false)
    expect(adds(at('/0/resources/requests/example.com~1gpu', 1), noted)).toBe(false)
    expect(adds(at('/0/resources/requests', undefined, 'copy'), noted)).toBe(false)
    expect(adds(at('/0/resources/requests', undefined, 'remove'), noted)).toBe(false)
    expect(written).toEqual([
      { requests: { memory: '1Gi' } },
      { limits: {} },
      { requests: { 'example.com/gpu': 1 } },
      { requests: true },
      { requests: {} },
    ])
    expect(adds(at('/0', {}, 'replace'), noted)).toBe(true)
    expect(adds(undefined, noted)).toBe(true)
  })
})

describe('the fields that patches of kustomizations change', () => {
  const files = { 'base/web.yaml': deployment('web', 'replicas: 2') }
  const changed = (change: unknown, overlays: Readonly<Record<string, Partial<Kustomization>>> = {}) => {
    const patches = [{ kind: 'Deployment', name: 'web', change }]
    const overlay = { resources: ['base'], patches }
    const graph = graphOf(files, {
      overlays: { base: { resources: ['base/web.yaml'] }, overlay, ...overlays },
    })
    const own = graph.resource(first(graph.workloads).object)
    return (...path: readonly (string | number)[]) => graph.patchOf(own)?.(path) ?? false
  }
  const containers = ['spec', 'template', 'spec', 'containers', 0]
  it('are those of a strategic-merge patch, in the item that has the same name', () => {
    const patch = (name: string) =>
      changed({
        spec: { template: { spec: { containers: [{ name, resources: { limits: { memory: '1Gi' } } }] } } },
      })
    expect(patch('main')(...containers, 'resources')).toBe(true)
    expect(patch('main')(...containers, 'resources', 'limits', 'memory')).toBe(true)
    expect(patch('main')(...containers, 'resources', 'limits', 'cpu')).toBe(false)
    expect(patch('main')(...containers, 'readinessProbe')).toBe(false)
    expect(patch('main')(...containers, 'name')).toBe(false)
    expect(patch('main')('spec', 'template', 'spec')).toBe(false)
    expect(patch('sidecar')(...containers, 'resources')).toBe(false)
  })
  it('are those that it removes or replaces', () => {
    expect(changed({ spec: { strategy: null } })('spec', 'strategy', 'type')).toBe(true)
    expect(changed({ spec: { strategy: { $patch: 'replace' } } })('spec', 'strategy', 'type')).toBe(true)
    expect(changed({ spec: { replicas: 3 } })('spec', 'replicas')).toBe(true)
  })
  it('are those of JSON patch operations', () => {
    const patch = (path: string, op = 'add') => changed([{ op, path, value: {} }])
    const pointer = '/spec/template/spec/containers/0'
    expect(patch(`${pointer}/resources`)(...containers, 'resources')).toBe(true)
    expect(patch(`${pointer}/resources/limits`)(...containers, 'resources')).toBe(true)
    expect(patch(`${pointer}`)(...containers, 'resources')).toBe(true)
    expect(patch('/spec/template/spec/containers/1/resources')(...containers, 'resources')).toBe(false)
    expect(patch('/spec/template/spec/containers/*/resources')(...containers, 'resources')).toBe(true)
    expect(patch('/metadata/annotations/a~1b')('metadata', 'annotations', 'a/b')).toBe(true)
    expect(patch(`${pointer}/resources`, 'test')(...containers, 'resources')).toBe(false)
    expect(patch('/spec/replicas')('spec')).toBe(false)
  })
  it('are all where nothing is built without the patch that deletes the object', () => {
    const deletion = { $patch: 'delete', kind: 'Deployment', metadata: { name: 'web' } }
    expect(changed(deletion)('spec', 'replicas')).toBe(true)
    expect(changed(deletion, { other: { resources: ['base'] } })('spec', 'replicas')).toBe(false)
  })
})

describe('the fewest pods', () => {
  const fewest = (text: string, replicas?: Readonly<Record<string, Readonly<Record<string, number>>>>) => {
    const graph = graphOf({ 'base/web.yaml': text }, { ...(replicas && { replicas }) })
    const found = graph.fewestPods(first(graph.workloads))
    return (
      found && [found.pods, found.of.kind, found.field, ...(found.note === undefined ? [] : [found.note])]
    )
  }

  it('are the replicas, 1 by default', () => {
    expect(fewest(deployment('web', 'replicas: 3'))).toEqual([3, 'Deployment', 'replicas'])
    expect(fewest(deployment('web'))).toEqual([1, 'Deployment', 'replicas'])
  })

  it('are the most that patches of kustomizations set', () => {
    const patched = (change: unknown) => {
      const overlay = { resources: ['base/web.yaml'], patches: [{ kind: 'Deployment', name: 'web', change }] }
      const graph = graphOf({ 'base/web.yaml': deployment('web') }, { overlays: { base: overlay } })
      return graph.fewestPods(first(graph.workloads))?.pods
    }
    expect(patched([{ op: 'replace', path: '/spec/replicas', value: 3 }])).toBe(3)
    expect(patched({ spec: { replicas: 2 } })).toBe(2)
    expect(patched([{ op: 'remove', path: '/spec/template/spec/nodeSelector' }])).toBe(1)
  })

  it('are the minimum of an autoscaler', () => {
    const three = deployment('web', 'replicas: 3')
    expect(fewest(`${three}---${hpa('web', 'minReplicas: 2')}`)).toEqual([
      2,
      'HorizontalPodAutoscaler',
      'minReplicas',
    ])
    expect(fewest(`${three}---${hpa('web')}`)).toEqual([1, 'HorizontalPodAutoscaler', 'minReplicas'])
    expect(fewest(`${three}---${hpa('api', 'minReplicas: 2')}`)).toEqual([3, 'Deployment', 'replicas'])
    expect(fewest(`${deployment('web', 'replicas: 0')}---${hpa('web', 'minReplicas: 2')}`)).toEqual([
      0,
      'Deployment',
      'replicas',
    ])
  })

  it('are the minimum for each variant that an autoscaler may find under the name, and for no farther one', () => {
    const counts = (files: Readonly<Record<string, string>>) => {
      const graph = graphOf(files)
      return graph.workloads.map((workload) => graph.fewestPods(workload)?.pods)
    }
    const scaler = hpa('web', 'minReplicas: 2')
    expect(
      counts({ 'web/a.yaml': deployment('web'), 'web/b.yaml': deployment('web'), 'web/hpa.yaml': scaler }),
    ).toEqual([2, 2])
    expect(
      counts({ 'web/a.yaml': deployment('web'), 'web/b.yaml': `${deployment('web')}---${scaler}` }),
    ).toEqual([1, 2])
  })

  it('are the minimum of a ScaledObject, 0 by default', () => {
    const scaled = (more: string) => `
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: any}
spec: {scaleTargetRef: {name: web}, ${more}}
`
    expect(fewest(`${deployment('web')}---${scaled('minReplicaCount: 2')}`)).toEqual([
      2,
      'ScaledObject',
      'minReplicaCount',
    ])
    expect(fewest(`${deployment('web')}---${scaled('')}`)).toEqual([0, 'ScaledObject', 'minReplicaCount'])
  })

  it('are what a kustomization makes of them', () => {
    const overlays = {
      'overlays/dev': { web: 1 },
      'overlays/prod': { web: 4 },
      'other/far/away/prod': { web: 9 },
    }
    expect(fewest(deployment('web'), overlays)).toEqual([
      4,
      'Deployment',
      'replicas',
      'an overlay makes it 4',
    ])
    expect(fewest(deployment('api'), overlays)).toEqual([1, 'Deployment', 'replicas'])
  })

  it('are unknown where the nodes decide', () => {
    expect(fewest(deployment('web').replace('Deployment', 'DaemonSet'))).toBeUndefined()
  })
})

describe('the port that a Service leads to', () => {
  const graph = graphOf({
    'web.yaml': `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    metadata: {labels: {app: web}}
    spec:
      initContainers:
        - {name: setup, ports: [{name: http, containerPort: 1}]}
        - {name: proxy, restartPolicy: Always, ports: [{name: proxy, containerPort: 15000}]}
      containers:
        - {name: main, ports: [{name: http, containerPort: 8080}, {name: dns, containerPort: 53, protocol: UDP}]}
        - {name: metrics, ports: [{containerPort: 9090}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: bare}
spec: {template: {spec: {containers: [{name: only}]}}}
`,
  })
  const [web, bare] = graph.workloads
  const to = (port: Parameters<IndexedGraph['portOf']>[1], workload = web) => {
    const found = workload && graph.portOf(workload, port)
    return found && [found.container.name, found.number]
  }

  it('is found by name, in ordinary containers and native sidecars', () => {
    expect(to({ port: 80, targetPort: 'http' })).toEqual(['main', 8080])
    expect(to({ port: 80, targetPort: 'proxy' })).toEqual(['proxy', 15000])
    expect(to({ port: 80, targetPort: 'https' })).toBeUndefined()
  })

  it('is found by number, which is the port itself by default', () => {
    expect(to({ port: 80, targetPort: 9090 })).toEqual(['metrics', 9090])
    expect(to({ port: 8080 })).toEqual(['main', 8080])
    expect(to({ port: 8080, targetPort: '' })).toEqual(['main', 8080])
  })

  it('has the protocol of the Service port', () => {
    expect(to({ port: 53, targetPort: 'dns' })).toBeUndefined()
    expect(to({ port: 53, targetPort: 'dns', protocol: 'UDP' })).toEqual(['main', 53])
  })

  it('need not be declared when there is only one container', () => {
    expect(to({ port: 80, targetPort: 3000 }, bare)).toEqual(['only', 3000])
    expect(to({ port: 80, targetPort: 'http' }, bare)).toBeUndefined()
    expect(to({ port: 80, targetPort: 3000 })).toBeUndefined()
  })
})

describe('the namespaces of kustomizations', () => {
  const homes = (kustomizations: Readonly<Record<string, Partial<Kustomization>>>) => {
    const graph = graphOf({}, { overlays: kustomizations })
    const given = givenBy(buildsOf(graph.kustomizations))
    return Object.fromEntries([...given].map(([file, { namespace }]) => [file, namespace]))
  }
  it('count where they are certain, the outermost first', () => {
    expect(homes({ app: { namespace: 'shop', resources: ['app/web.yaml'] } })).toEqual({
      'app/web.yaml': 'shop',
    })
    expect(
      homes({
        base: { namespace: 'shop', resources: ['base/web.yaml'] },
        prod: { namespace: 'prod', resources: ['base', 'prod/hpa.yaml'] },
      }),
    ).toEqual({ 'base/web.yaml': 'prod', 'prod/hpa.yaml': 'prod' })
  })
  it('are empty where kustomizations leave what is written', () => {
    expect(homes({ base: { resources: ['base/web.yaml'] } })).toEqual({ 'base/web.yaml': '' })
  })
  it('part objects that are written for one namespace, where one is moved away and the other is not', () => {
    const isSelected = (homes: Readonly<Record<string, string>>, namespace = 'system') => {
      const files = { 'web/web.yaml': deployment('web'), 'net/service.yaml': service('web') }
      const graph = graphOf(files, { homes, namespace })
      return graph.all('Service').some((one) => graph.backendsOf(one).length > 0)
    }
    expect(isSelected({})).toBe(true)
    expect(isSelected({ 'web/web.yaml': 'shop' })).toBe(true)
    expect(isSelected({ 'web/web.yaml': 'shop', 'net/service.yaml': 'shop' })).toBe(true)
    expect(isSelected({ 'web/web.yaml': 'system', 'net/service.yaml': '' })).toBe(true)
    expect(isSelected({ 'web/web.yaml': 'shop', 'net/service.yaml': '' })).toBe(false)
    expect(isSelected({ 'net/service.yaml': '' }, '')).toBe(true)
    expect(isSelected({ 'web/web.yaml': 'shop', 'net/service.yaml': '' }, '')).toBe(true)
  })
  it('are left out where builds differ, or one gives none', () => {
    const base = { resources: ['base/web.yaml'] }
    const prod = { namespace: 'prod', resources: ['base'] }
    expect(homes({ base, prod, test: { namespace: 'test', resources: ['base'] } })).toEqual({})
    expect(homes({ base, prod, bare: { resources: ['base'] } })).toEqual({})
    expect(homes({ base, prod, again: { namespace: 'prod', resources: ['base'] } })).toEqual({
      'base/web.yaml': 'prod',
    })
  })
})

describe('the labels that kustomizations put on pods', () => {
  const labels = (kustomizations: Readonly<Record<string, Partial<Kustomization>>>) => {
    const graph = graphOf({}, { overlays: kustomizations })
    const given = givenBy(buildsOf(graph.kustomizations))
    return Object.fromEntries([...given].map(([file, { podLabels }]) => [file, podLabels]))
  }
  const base = { podLabels: { app: 'web', tier: 'front' }, resources: ['base/web.yaml'] }
  it('add up, and what the outermost one says counts', () => {
    expect(labels({ base })).toEqual({ 'base/web.yaml': base.podLabels })
    expect(labels({ base, prod: { podLabels: { tier: 'edge', env: 'prod' }, resources: ['base'] } })).toEqual(
      {
        'base/web.yaml': { app: 'web', tier: 'edge', env: 'prod' },
      },
    )
  })
  it('come from components, too', () => {
    const more = { ...graphOf({}, { overlays: { more: { podLabels: { mesh: 'on' } } } }).kustomizations[0] }
    const component = {
      ...more,
      document: { ...more.document, value: { kind: 'Component' } },
    } as Kustomization
    expect(labels({ base, more: component, prod: { resources: ['base', 'more'] } })).toEqual({
      'base/web.yaml': { ...base.podLabels, mesh: 'on' },
    })
  })
  it('are left out where builds differ', () => {
    const overlay = (env: string) => ({ podLabels: { env }, resources: ['base'] })
    expect(labels({ base, prod: overlay('prod'), test: overlay('test') })).toEqual({
      'base/web.yaml': base.podLabels,
    })
    expect(
      labels({ base: { ...base, podLabels: {} }, prod: overlay('prod'), bare: { resources: ['base'] } }),
    ).toEqual({ 'base/web.yaml': {} })
  })
})

describe('what Flux applies', () => {
  const map = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`
  const flux = (name: string, path: string) =>
    `apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: ${name}}\nspec: {path: ${path}}\n`
  const applied = (
    files: Readonly<Record<string, string>>,
    overlays: Readonly<Record<string, Partial<Kustomization>>> = {},
  ) => {
    const graph = graphOf(files, { overlays })
    return graph.objects.filter((one) => graph.appliedByFlux(one)).map(({ metadata }) => metadata?.name)
  }
  it('is in the folders that its Kustomizations name, from the top of their repository', () => {
    for (const top of ['', 'repo/', '../repo/', '../']) {
      const files = {
        [`${top}clusters/prod/apps.yaml`]: flux('apps', './apps/prod'),
        [`${top}apps/prod/web/web.yaml`]: map('web'),
        [`${top}apps/test/web.yaml`]: map('test'),
        [`${top}apps/prod2/web.yaml`]: map('prod2'),
        [`${top}old/db.yaml`]: flux('db', './old/db'),
        'elsewhere/apps/prod/web.yaml': map('elsewhere'),
        'other/queue.yaml': flux('queue', './nowhere'),
      }
      expect(applied(files)).toEqual(
        // The working directory is the top of all that stands in it.
        top === '' ? ['apps', 'web', 'db', 'queue'] : ['apps', 'web', 'db'],
      )
    }
  })
  it('is what the kustomizations of these folders build, wherever it stands', () => {
    const files = {
      'clusters/apps.yaml': flux('apps', 'apps/prod/'),
      'clusters/infra.yaml': flux('infra', '/infra'),
      'apps/prod/left-out.yaml': map('left-out'),
      'apps/prod/hpa.yaml': map('hpa'),
      'apps/base/web.yaml': map('web'),
      'infra/dns/dns.yaml': map('dns'),
      'infra/dns/left-out.yaml': map('dns-left-out'),
      'infra/tls.yaml': map('tls'),
    }
    const overlays = {
      'apps/prod': { resources: ['apps/prod/hpa.yaml', 'apps/base'] },
      'apps/base': { resources: ['apps/base/web.yaml'] },
      'infra/dns': { resources: ['infra/dns/dns.yaml'] },
    }
    expect(applied(files, overlays)).toEqual(['apps', 'infra', 'hpa', 'web', 'dns', 'tls'])
  })
  it('is nothing where all that is said is the top of a repository, or nothing at all', () => {
    expect(applied({ 'a/flux.yaml': flux('a', './'), 'a/web.yaml': map('web') })).toEqual([])
    expect(applied({ 'a/flux.yaml': flux('a', '""'), 'a/web.yaml': map('web') })).toEqual([])
    expect(applied({ 'a/flux.yaml': flux('a', '../a'), 'a/web.yaml': map('web') })).toEqual([])
  })
})
