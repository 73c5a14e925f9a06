/** A scan of one namespace finds what a scan of the cluster finds in it, unless that rests on something beyond it. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Report } from '../src/engine/report.js'
import { workloadKinds } from '../src/graph/watched.js'
import type { KindName } from '../src/kubernetes.js'
import { activeRule, allRules, type Run, root, rulesById, runOf } from './harness.js'
import { lintLive, lintPart, namespacesIn } from './live.js'

await allRules()

/**
 * What rules need to know beyond a namespace to judge it as a scan of the cluster does: kinds that are in no namespace, and objects
 * of other ones. Each rule that is not here needs nothing.
 */
const beyond: Readonly<Record<string, readonly KindName[]>> = {
  'anti-affinity-rollout-deadlock': [...workloadKinds, 'ConfigMap', 'Node', 'karpenter.sh/NodePool'],
  'arp-table-overflow-risk': [...workloadKinds, 'Node'],
  'batch-beside-serving': ['Node'],
  'bgp-speakers-unrestricted': [...workloadKinds, 'Service', 'Node', 'metallb.io/BGPPeer'],
  'certificate-expiring': ['cert-manager.io/Certificate'],
  'certificate-not-requested': [
    ...workloadKinds,
    'Ingress',
    'argoproj.io/Application',
    'cert-manager.io/Certificate',
    'helm.toolkit.fluxcd.io/HelmRelease',
    'traefik.io/TLSStore',
  ],
  'class-missing': [
    'IngressClass',
    'PersistentVolume',
    'PriorityClass',
    'StorageClass',
    'node.k8s.io/RuntimeClass',
  ],
  'credentials-provider-down': ['external-secrets.io/ExternalSecret'],
  'critical-addon-priority-missing': ['PriorityClass'],
  'cronjob-missed-start-freeze': ['CronJob'],
  'daemonset-api-load': ['ClusterRole', 'ClusterRoleBinding', 'Node'],
  'dns-server-memory-tight': ['Node'],
  'dns-server-not-redundant': ['Node'],
  'etcd-backup-missing': [
    ...workloadKinds,
    'Namespace',
    'config.openshift.io/Backup',
    'etcd.aenix.io/EtcdBackupSchedule',
    'etcd.database.coreos.com/EtcdBackup',
    'velero.io/Schedule',
  ],
  'fleet-wide-restart': [...workloadKinds, 'Namespace', 'Node'],
  'gateway-not-programmed': ['gateway.networking.k8s.io/GatewayClass'],
  'gke-ingress-without-neg': ['IngressClass'],
  'hpa-exceeds-capacity': [...workloadKinds, 'ConfigMap', 'Node', 'karpenter.sh/NodePool'],
  'hpa-replicas-conflict': ['argoproj.io/Application', 'argoproj.io/ApplicationSet'],
  'iam-agent-unprotected': ['Node', 'PriorityClass'],
  'image-oversized': ['Node'],
  'image-tag-drift': [...workloadKinds, 'Node'],
  'ingress-host-overbroad': [
    'Ingress',
    'gateway.networking.k8s.io/HTTPRoute',
    'traefik.containo.us/IngressRoute',
    'traefik.io/IngressRoute',
  ],
  'ingress-route-conflict': [
    'Ingress',
    'gateway.networking.k8s.io/HTTPRoute',
    'traefik.containo.us/IngressRoute',
    'traefik.io/IngressRoute',
  ],
  'ingress-upstream-service-vip': [
    ...workloadKinds,
    'Namespace',
    'networking.istio.io/DestinationRule',
    'networking.istio.io/VirtualService',
    'security.istio.io/PeerAuthentication',
  ],
  'ingress-tls-secret-invalid': ['Secret'],
  'internal-traffic-local-without-daemonset': ['Pod'],
  'kube-proxy-mode-risky': [...workloadKinds, 'Service', 'Node'],
  'lb-readiness-gate-missing': ['IngressClass', 'elbv2.k8s.aws/IngressClassParams'],
  'leader-lease-stale': ['Pod'],
  'local-traffic-drain-blackhole': ['Node'],
  'local-traffic-replicas-below-speakers': [
    ...workloadKinds,
    'ConfigMap',
    'Node',
    'cilium.io/CiliumBGPClusterConfig',
    'cilium.io/CiliumBGPPeeringPolicy',
    'crd.projectcalico.org/BGPConfiguration',
    'metallb.io/BGPAdvertisement',
    'metallb.io/BGPPeer',
    'projectcalico.org/BGPConfiguration',
  ],
  'local-traffic-unbalanced': ['metallb.io/L2Advertisement'],
  'log-agent-api-watch': [...workloadKinds, 'Node'],
  'memory-limit-reached': ['Node'],
  'memory-limit-missing': ['Node'],
  'mesh-injection-gap': ['security.istio.io/PeerAuthentication'],
  'namespace-pod-quota-missing': ['Node'],
  'network-policy-agent-degraded': ['Node'],
  'network-policy-peer-missing': ['Namespace'],
  'node-local-dns-missing': [...workloadKinds, 'Node', 'cilium.io/CiliumLocalRedirectPolicy'],
  'node-memory-hog': ['Node'],
  'node-selector-unsatisfiable': ['Node'],
  'nodeport-blind-balancing': [...workloadKinds, 'Service', 'Node'],
  'object-count-explosion': [...workloadKinds, 'ConfigMap'],
  'pdb-protects-unhealthy-pods': ['Node'],
  'pod-stuck-terminating': ['Node'],
  'pod-unready': ['Node'],
  'removed-node-label-selector': ['Node'],
  'replicas-not-spread': ['Node'],
  'request-exceeds-node': ['Node', 'karpenter.sh/NodePool'],
  'role-binding-account-missing': [...workloadKinds, 'ClusterRoleBinding', 'ServiceAccount'],
  'route-parent-missing': ['gateway.networking.k8s.io/Gateway'],
  'rwo-volume-rolling-update': ['Node', 'PersistentVolume', 'StorageClass'],
  'service-without-ready-endpoints': ['ValidatingWebhookConfiguration'],
  'shared-ingress-memory-cap': ['Ingress'],
  'sidecar-start-order': [...workloadKinds, 'ConfigMap', 'Node'],
  'source-ip-lost': [
    'ConfigMap',
    'crd.projectcalico.org/FelixConfiguration',
    'projectcalico.org/FelixConfiguration',
  ],
  'spot-only-placement': ['Node'],
  'spread-ignores-rollout': ['Node'],
  'surge-pod-does-not-fit': [...workloadKinds, 'ConfigMap', 'Node', 'karpenter.sh/NodePool'],
  'toleration-matches-everything': ['Node'],
  'usage-request-gap': ['Pod', 'Node'],
  'volume-lost': ['PersistentVolume'],
  'volume-plugin-removed': ['Node'],
  'volume-reclaim-delete': ['PersistentVolume'],
  'volume-zone-mismatch': ['Node', 'PersistentVolume'],
}

/** A fixture of a cluster, with a namespace of it. */
interface Part {
  readonly file: string
  readonly run: Run & { readonly namespace: string }
  /** What a scan of the whole cluster finds in the namespace. */
  readonly expected: readonly string[]
}

/** A rule's findings in a namespace. */
function foundIn({ findings }: Report, id: string, namespace: string): readonly string[] {
  return findings
    .filter(
      ({ rule, subject }) =>
        rule === id &&
        (subject?.kind === 'Namespace' ? subject.name === namespace : subject?.namespace === namespace),
    )
    .map(
      ({ severity, subject, place, message }) =>
        `${severity}: ${subject?.kind} ${subject?.name} ${place.path}: ${message}`,
    )
    .sort()
}

function clustersOf(id: string): readonly string[] {
  const folder = join('fixtures', id)
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder))
    .filter((name) => /\.ya?ml$/.test(name))
    .map((name) => join(folder, name))
    .filter((file) => runOf(file).live && runOf(file).namespace === undefined)
}

async function partsOf(id: string): Promise<readonly Part[]> {
  const parts: Part[] = []
  for (const file of clustersOf(id)) {
    const run = runOf(file)
    const whole = await lintLive(file, [activeRule(id, run)], run)
    for (const namespace of namespacesIn(file))
      parts.push({ file, run: { ...run, namespace }, expected: foundIn(whole, id, namespace) })
  }
  return parts
}

/** The fixtures of which a scan of a namespace has other findings than that of the cluster. */
async function differences(id: string, parts: readonly Part[], kinds: readonly KindName[]) {
  const differing: object[] = []
  for (const { file, run, expected } of parts) {
    const report = await lintPart(file, [activeRule(id, run)], run, kinds)
    const found = foundIn(report, id, run.namespace)
    if (found.join() !== expected.join()) differing.push({ file, found, expected })
  }
  return differing
}

describe('a scan of one namespace finds what a scan of the cluster finds in it', () => {
  for (const id of rulesById().keys()) {
    if (clustersOf(id).length === 0) continue
    const needs = beyond[id] ?? []
    it(needs.length === 0 ? id : `${id}, with what it needs beyond`, async () => {
      const parts = await partsOf(id)
      expect(await differences(id, parts, needs)).toEqual([])
      for (const kind of needs) {
        const others = needs.filter((one) => one !== kind)
        if ((await differences(id, parts, others)).length === 0) expect.fail(`it does not need ${kind}`)
      }
    })
  }

  it('and tells of its own first object where that of the whole cluster is in another namespace', async () => {
    const file = 'fixtures/live/one-trouble-in-two-namespaces.yaml'
    for (const id of ['hpa-at-limit', 'unready-addresses-published'])
      for (const namespace of [undefined, 'cart', 'shop']) {
        const run = { ...runOf(file), ...(namespace !== undefined && { namespace }) }
        const { findings } = await lintLive(file, [activeRule(id, run)], run)
        expect(findings.map(({ severity, subject }) => `${severity} ${subject?.namespace}`)).toEqual([
          `error ${namespace ?? 'cart'}`,
        ])
      }
  })

  it('no rule is listed that is none', () => {
    expect(Object.keys(beyond).filter((id) => clustersOf(id).length === 0)).toEqual([])
  })

  it('and takes nothing of another namespace for absent', async () => {
    const id = 'ingress-backend-missing'
    const file = `fixtures/${id}/live-bad.yaml`
    const { findings } = await lintLive(file, [activeRule(id)], { ...runOf(file), namespace: 'shop' })
    // And nothing of the Service accounts of the namespace accounts.
    expect(findings.map(({ message }) => message).sort()).toEqual([
      'Requests fail: Service shop/web has no port 8080, only 80.',
      'Requests fail: there is no Service api in the cluster.',
      'Requests fail: there is no Service cart in the cluster.',
    ])
  })
})
