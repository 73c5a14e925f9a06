/** Fixtures of clusters: the objects of a file are read as a scan reads them from an API server. */
import { countedKinds, scannedKinds } from '../src/cluster/kinds.js'
import { type Scan, scan } from '../src/cluster/scan.js'
import { inputOf } from '../src/cluster/snapshot.js'
import type { ActiveRule } from '../src/config/settings.js'
import type { Document } from '../src/document.js'
import { examine } from '../src/engine/lint.js'
import type { Report } from '../src/engine/report.js'
import type { Finding, Path } from '../src/finding.js'
import {
  clusterScoped,
  groupOf,
  type KindName,
  kindNameOf,
  type Untyped,
  versionOf,
} from '../src/kubernetes.js'
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
  const found = await readLive(file, run)
  const gaps = run.namespace === undefined ? {} : gapsOfOneNamespace([])
  return examineRead({ ...found, ...gaps }, rulesToRun, run)
}

/**
 * Runs rules as on one namespace of a cluster and on some objects of the rest of it.
 * @param beyond the kinds of these
 */
export async function lintPart(
  file: string,
  rulesToRun: readonly ActiveRule[],
  run: Run & { readonly namespace: string },
  beyond: readonly KindName[],
): Promise<Report> {
  const part = await readLive(file, run)
  const whole = await readLive(file, { ...run, namespace: undefined })
  const isBeyond = (object: unknown) =>
    (stringAt(object, 'metadata', 'namespace') ?? stringAt(object, 'namespace')) !== run.namespace &&
    !isNamespaceCalled(object, run.namespace) &&
    beyond.includes(kindNameOf(stringAt(object, 'apiVersion') ?? '', stringAt(object, 'kind') ?? ''))
  const found = {
    ...part,
    documents: [...part.documents, ...whole.documents.filter(({ value }) => isBeyond(value))].sort((a, b) =>
      a.file.name < b.file.name ? -1 : 1,
    ),
    made: [...part.made, ...whole.made.filter(isBeyond)],
    // Those of node-exporter come with its pods.
    samples: beyond.includes('Pod') ? (whole.samples ?? []) : (part.samples ?? []),
    ...gapsOfOneNamespace(beyond),
  }
  return examineRead(found, rulesToRun, run).report
}

/** Reads the objects of a file as a scan reads a cluster. */
async function readLive(file: string, run: Run): Promise<Scan> {
  const { documents } = readPaths([file], { cwd: root })
  const objects = documents.map(({ value }) => withIdentity(value))
  return scan(async (path) => answer(path, objects), {
    kinds: scannedKinds([]),
    counted: countedKinds,
    namespace: run.namespace,
    own: objects.find((one) => isNamespaceCalled(one, run.namespace)),
    chunk: 500,
    concurrency: 4,
    kubelets: 20,
    exporters: 20,
    getLines: async (path, onLine) => {
      for (const line of metricsAt(path, run) ?? []) onLine(line)
    },
  })
}

function examineRead(found: Scan, rulesToRun: readonly ActiveRule[], run: Run) {
  return examine(inputOf({ ...found, context: 'test', readAt: Date.parse(run.now ?? defaultNow) }), {
    settings: settings(rulesToRun, run),
    rules: rulesById(),
    stories: loadStories,
  })
}

/** The namespaces of the objects of a file. */
export function namespacesIn(file: string): readonly string[] {
  const { documents } = readPaths([file], { cwd: root })
  return [...new Set(documents.flatMap(({ value }) => stringAt(value, 'metadata', 'namespace') ?? []))]
}

function metricsAt(path: string, { metrics, kubelets, exporters }: Run): readonly string[] | undefined {
  const [, node] = /^\/api\/v1\/nodes\/([^/]+)\/proxy\/metrics\/cadvisor$/.exec(path) ?? []
  const [, pod] = /^\/api\/v1\/namespaces\/[^/]+\/pods\/([^/]+):9100\/proxy\/metrics$/.exec(path) ?? []
  return node !== undefined ? kubelets?.[node] : pod !== undefined ? exporters?.[pod] : metrics
}

/** Custom kinds whose objects are in no namespace. */
const customScoped: readonly KindName[] = [
  'node.k8s.io/RuntimeClass',
  'cert-manager.io/ClusterIssuer',
  'certificates.k8s.io/CertificateSigningRequest',
  'cilium.io/CiliumBGPAdvertisement',
  'cilium.io/CiliumBGPClusterConfig',
  'cilium.io/CiliumBGPPeeringPolicy',
  'cilium.io/CiliumClusterwideNetworkPolicy',
  'config.openshift.io/Backup',
  'crd.projectcalico.org/BGPConfiguration',
  'crd.projectcalico.org/BGPPeer',
  'crd.projectcalico.org/FelixConfiguration',
  'crd.projectcalico.org/GlobalNetworkPolicy',
  'crd.projectcalico.org/IPAMConfig',
  'crd.projectcalico.org/IPPool',
  'external-secrets.io/ClusterExternalSecret',
  'gateway.networking.k8s.io/GatewayClass',
  'karpenter.k8s.aws/EC2NodeClass',
  'karpenter.sh/NodeClaim',
  'karpenter.sh/NodePool',
  'kyverno.io/ClusterPolicy',
  'networking.k8s.io/ServiceCIDR',
  'operator.tigera.io/Installation',
  'policy.networking.k8s.io/AdminNetworkPolicy',
  'policy.networking.k8s.io/BaselineAdminNetworkPolicy',
  'policy.networking.k8s.io/ClusterNetworkPolicy',
  'policy.sigstore.dev/ClusterImagePolicy',
  'projectcalico.org/BGPConfiguration',
  'projectcalico.org/BGPPeer',
  'projectcalico.org/FelixConfiguration',
  'projectcalico.org/GlobalNetworkPolicy',
  'projectcalico.org/IPAMConfiguration',
  'projectcalico.org/IPPool',
  'trust.cert-manager.io/Bundle',
]

/**
 * What a scan of one namespace does not know of a cluster that serves every kind, whatever the fixture has of it.
 * @param beyond kinds that are read all the same, in all of the cluster
 */
/** Whether it is the Namespace of that name, which a scan of that namespace reads, too. */
export function isNamespaceCalled(object: unknown, name: string | undefined): boolean {
  return (
    name !== undefined &&
    stringAt(object, 'kind') === 'Namespace' &&
    stringAt(object, 'metadata', 'name') === name
  )
}

function gapsOfOneNamespace(beyond: readonly KindName[]): Pick<Cluster, 'unreadKinds' | 'partialKinds'> {
  const missing = [...scannedKinds([])].filter((kind) => !beyond.includes(kind))
  // The Namespace itself is read.
  const isScoped = (kind: KindName) =>
    (clusterScoped.has(kind) && kind !== 'Namespace') || customScoped.includes(kind)
  return {
    unreadKinds: new Set(missing.filter(isScoped)),
    partialKinds: new Set(missing.filter((kind) => !isScoped(kind))),
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
export function pathOf(text: string): Path {
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
  const { pathname, searchParams } = new URL(path, 'http://localhost')
  const [field = '', wanted] = searchParams.get('fieldSelector')?.split('=') ?? []
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
        (namespace === undefined || stringAt(one, 'metadata', 'namespace') === namespace) &&
        // An event of a fixture without a type is a warning.
        (wanted === undefined || (stringAt(one, field) ?? 'Warning') === wanted),
    ),
  }
}
