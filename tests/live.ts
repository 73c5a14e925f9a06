/** Fixtures of clusters: the objects of a file are read as a scan reads them from an API server. */

import { countedKinds, scannedKinds } from '../src/cluster/kinds.js'
import { scan } from '../src/cluster/scan.js'
import { inputOf } from '../src/cluster/snapshot.js'
import type { ActiveRule } from '../src/config/settings.js'
import type { Document } from '../src/document.js'
import { examine } from '../src/engine/lint.js'
import type { Report } from '../src/engine/report.js'
import type { Finding, Path } from '../src/finding.js'
import { groupOf, type KindName, type Untyped, versionOf } from '../src/kubernetes.js'
import type { Cluster } from '../src/reader/input.js'
import { readPaths } from '../src/reader/read.js'
import { loadStories } from '../src/registry.js'
import { isObject, objectsAt, stringAt } from '../src/values/untyped.js'
import { type Run, root, rulesById, settings } from './harness.js'

/** When fixtures are looked at, unless they say otherwise. */
const defaultNow = '2026-11-21T12:00:00Z'

/** Runs rules on the objects of a file as on those of a cluster. */
export async function lintLive(file: string, rulesToRun: readonly ActiveRule[], run: Run): Promise<Report> {
  return (await examineLive(file, rulesToRun, run)).report
}

/** The same, with the graph that the rules looked at. */
export async function examineLive(file: string, rulesToRun: readonly ActiveRule[], run: Run) {
  const { documents } = readPaths([file], { cwd: root })
  const objects = documents.map(({ value }) => withIdentity(value))
  const found = await scan(async (path) => answer(path, objects), {
    kinds: scannedKinds([]),
    counted: countedKinds,
    namespace: run.namespace,
    chunk: 500,
    concurrency: 4,
    kubelets: 20,
    exporters: 20,
    getLines: async (path, onLine) => {
      for (const line of metricsAt(path, run) ?? []) onLine(line)
    },
  })
  const gaps = run.namespace === undefined ? {} : gapsOfOneNamespace()
  return examine(inputOf({ ...found, ...gaps, context: 'test', readAt: Date.parse(run.now ?? defaultNow) }), {
    settings: settings(rulesToRun, run),
    rules: rulesById(),
    stories: loadStories,
  })
}

function metricsAt(path: string, { metrics, kubelets, exporters }: Run): readonly string[] | undefined {
  const [, node] = /^\/api\/v1\/nodes\/([^/]+)\/proxy\/metrics\/cadvisor$/.exec(path) ?? []
  const [, pod] = /^\/api\/v1\/namespaces\/[^/]+\/pods\/([^/]+):9100\/proxy\/metrics$/.exec(path) ?? []
  return node !== undefined ? kubelets?.[node] : pod !== undefined ? exporters?.[pod] : metrics
}

/** What a scan of one namespace does not know of a cluster that serves every kind, whatever the fixture has of it. */
function gapsOfOneNamespace(): Pick<Cluster, 'unreadKinds' | 'partialKinds'> {
  const unreadKinds = new Set<KindName>([
    'APIService',
    'ClusterRole',
    'ClusterRoleBinding',
    'CustomResourceDefinition',
    'MutatingWebhookConfiguration',
    'Namespace',
    'Node',
    'PersistentVolume',
    'PriorityClass',
    'StorageClass',
    'ValidatingWebhookConfiguration',
  ])
  return {
    unreadKinds,
    partialKinds: new Set([...scannedKinds([])].filter((kind) => !unreadKinds.has(kind))),
  }
}

/** The findings as marks: the lines of the fixture that they are about. */
export function marksIn(report: Report, file: string): string[] {
  const { documents } = readPaths([file], { cwd: root })
  return report.findings
    .filter(({ suppressed }) => !suppressed)
    .map((finding) => `${lineOf(finding, documents)} ${finding.rule}`)
    .sort()
}

function lineOf({ subject, place }: Finding, documents: readonly Document[]): number {
  const document = documents.find(
    ({ value }) =>
      stringAt(value, 'kind') === subject?.kind &&
      stringAt(value, 'metadata', 'name') === subject?.name &&
      (stringAt(value, 'metadata', 'namespace') ?? '') === subject?.namespace,
  )
  const path = pathOf(place.path)
  const at = path.length === 0 ? ['metadata', 'name'] : path
  return document?.locate().key(at).line ?? 0
}

/** The steps of a path as findings have it. */
function pathOf(text: string): Path {
  return [...text.matchAll(/\.([A-Za-z_$][\w$-]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/g)].map(
    ([, name, index, quoted]) =>
      name ?? (index === undefined ? String(JSON.parse(quoted ?? '""')) : Number(index)),
  )
}

/** Objects need not write their uids, nor those of their owners: they follow from the names. */
export function withIdentity(value: unknown): Untyped {
  if (!isObject(value)) return {}
  const { metadata } = value
  const namespace = stringAt(metadata, 'namespace')
  const uid = (kind: unknown, name: unknown) => `${kind}/${namespace ?? ''}/${name}`
  return {
    ...value,
    metadata: {
      uid: uid(value.kind, stringAt(metadata, 'name')),
      ...(isObject(metadata) && metadata),
      ...(objectsAt(metadata, 'ownerReferences').length > 0 && {
        ownerReferences: objectsAt(metadata, 'ownerReferences').map((owner) => ({
          uid: uid(owner.kind, owner.name),
          controller: true,
          ...owner,
        })),
      }),
    },
  }
}

function pluralOf({ kind }: Untyped): string {
  return `${String(kind).toLowerCase()}s`
}

/** An API server with these objects: discovery and one page for each kind. */
function answer(path: string, objects: readonly Untyped[]): unknown {
  const { pathname } = new URL(path, 'http://localhost')
  if (pathname === '/version') return { gitVersion: 'v1.37.0' }
  if (pathname === '/api' || pathname === '/apis') {
    const own = objects.filter(
      ({ apiVersion }) => (groupOf(String(apiVersion)) === '') === (pathname === '/api'),
    )
    const groups = [...new Set(own.map(({ apiVersion }) => groupOf(String(apiVersion))))]
    return {
      kind: 'APIGroupDiscoveryList',
      items: groups.map((group) => ({
        metadata: { name: group },
        versions: [
          ...new Set(
            own
              .filter((one) => groupOf(String(one.apiVersion)) === group)
              .map((one) => String(one.apiVersion)),
          ),
        ].map((apiVersion) => ({
          version: versionOf(apiVersion),
          resources: [
            ...new Map(
              own.filter((one) => one.apiVersion === apiVersion).map((one) => [one.kind, one]),
            ).values(),
          ].map((one) => ({
            resource: pluralOf(one),
            responseKind: { kind: one.kind },
            scope: stringAt(one, 'metadata', 'namespace') === undefined ? 'Cluster' : 'Namespaced',
            verbs: ['list'],
          })),
        })),
      })),
    }
  }
  const [, apiVersion, namespace, plural] =
    /^\/apis?\/(.+?)(?:\/namespaces\/([^/]+))?\/([^/]+)$/.exec(pathname) ?? []
  return {
    items: objects.filter(
      (one) =>
        pluralOf(one) === plural &&
        one.apiVersion === apiVersion &&
        (namespace === undefined || stringAt(one, 'metadata', 'namespace') === namespace),
    ),
  }
}
