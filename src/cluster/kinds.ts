/** The kinds that a scan reads: what rules look at, and what the graph takes for evidence. */
import { customWorkloads } from '../graph/workload.js'
import { builtinGroups, isBuiltin, type KindName } from '../kubernetes.js'

/** Built-in kinds that no rule asks for in a cluster. */
const unread: ReadonlySet<string> = new Set(['Endpoints', 'ValidatingAdmissionPolicy'])

/** Custom kinds that rules and the graph name. tests/scan.test.ts finds those that are forgotten here. */
const custom = [
  'autoscaling.k8s.io/VerticalPodAutoscaler',
  'acid.zalan.do/postgresql',
  'argoproj.io/Application',
  'argoproj.io/ApplicationSet',
  'bitnami.com/SealedSecret',
  'bootstrap.cluster.x-k8s.io/KubeadmConfigTemplate',
  'cert-manager.io/Certificate',
  'cert-manager.io/ClusterIssuer',
  'cert-manager.io/Issuer',
  'certificates.k8s.io/CertificateSigningRequest',
  'cilium.io/CiliumBGPAdvertisement',
  'cilium.io/CiliumBGPClusterConfig',
  'cilium.io/CiliumBGPPeeringPolicy',
  'cilium.io/CiliumClusterwideNetworkPolicy',
  'cilium.io/CiliumLocalRedirectPolicy',
  'cilium.io/CiliumNetworkPolicy',
  'cloud.google.com/BackendConfig',
  'cluster.x-k8s.io/Cluster',
  'cluster.x-k8s.io/Machine',
  'cluster.x-k8s.io/MachineDeployment',
  'config.openshift.io/Backup',
  'controlplane.cluster.x-k8s.io/KubeadmControlPlane',
  'crd.projectcalico.org/BGPConfiguration',
  'crd.projectcalico.org/BGPPeer',
  'crd.projectcalico.org/FelixConfiguration',
  'crd.projectcalico.org/GlobalNetworkPolicy',
  'crd.projectcalico.org/IPAMConfig',
  'crd.projectcalico.org/IPPool',
  'crd.projectcalico.org/NetworkPolicy',
  'eks.amazonaws.com/TargetGroupBinding',
  'elbv2.k8s.aws/IngressClassParams',
  'elbv2.k8s.aws/TargetGroupBinding',
  'etcd.aenix.io/EtcdBackupSchedule',
  'etcd.database.coreos.com/EtcdBackup',
  'etcd.database.coreos.com/EtcdCluster',
  'external-secrets.io/ClusterExternalSecret',
  'external-secrets.io/ExternalSecret',
  'gateway.k8s.aws/TargetGroupConfiguration',
  'gateway.networking.k8s.io/GRPCRoute',
  'gateway.networking.k8s.io/Gateway',
  'gateway.networking.k8s.io/GatewayClass',
  'gateway.networking.k8s.io/HTTPRoute',
  'gateway.networking.k8s.io/ReferenceGrant',
  'gateway.networking.k8s.io/TCPRoute',
  'gateway.networking.k8s.io/TLSRoute',
  'helm.toolkit.fluxcd.io/HelmRelease',
  'http.keda.sh/HTTPScaledObject',
  'infrastructure.cluster.x-k8s.io/AWSMachineTemplate',
  'infrastructure.cluster.x-k8s.io/AzureMachineTemplate',
  'infrastructure.cluster.x-k8s.io/GCPMachineTemplate',
  'isindir.github.com/SopsSecret',
  'karpenter.k8s.aws/EC2NodeClass',
  'karpenter.sh/NodeClaim',
  'karpenter.sh/NodePool',
  'keda.sh/ScaledObject',
  'kops.k8s.io/Cluster',
  'kops.k8s.io/InstanceGroup',
  'kubernetes-client.io/ExternalSecret',
  'kyverno.io/ClusterPolicy',
  'kyverno.io/Policy',
  'machine.openshift.io/Machine',
  'metallb.io/BGPAdvertisement',
  'metallb.io/BGPPeer',
  'metallb.io/L2Advertisement',
  'metrics.k8s.io/PodMetrics',
  'monitoring.coreos.com/Alertmanager',
  'monitoring.coreos.com/PodMonitor',
  'monitoring.coreos.com/Prometheus',
  'monitoring.coreos.com/PrometheusRule',
  'monitoring.coreos.com/ServiceMonitor',
  'monitoring.coreos.com/ThanosRuler',
  'networking.istio.io/DestinationRule',
  'networking.istio.io/VirtualService',
  'networking.k8s.io/ServiceCIDR',
  'node.k8s.io/RuntimeClass',
  'onepassword.com/OnePasswordItem',
  'operator.etcd.io/EtcdCluster',
  'operator.victoriametrics.com/VMRule',
  'operator.victoriametrics.com/VMSingle',
  'operator.tigera.io/Installation',
  'policy.networking.k8s.io/AdminNetworkPolicy',
  'policy.networking.k8s.io/BaselineAdminNetworkPolicy',
  'policy.networking.k8s.io/ClusterNetworkPolicy',
  'policy.sigstore.dev/ClusterImagePolicy',
  'postgres-operator.crunchydata.com/PostgresCluster',
  'postgresql.cnpg.io/Cluster',
  'projectcalico.org/BGPConfiguration',
  'projectcalico.org/BGPPeer',
  'projectcalico.org/FelixConfiguration',
  'projectcalico.org/GlobalNetworkPolicy',
  'projectcalico.org/IPAMConfiguration',
  'projectcalico.org/IPPool',
  'projectcalico.org/NetworkPolicy',
  'projectcontour.io/HTTPProxy',
  'route.openshift.io/Route',
  'secrets-store.csi.x-k8s.io/SecretProviderClass',
  'security.istio.io/PeerAuthentication',
  'secrets.hashicorp.com/VaultDynamicSecret',
  'secrets.hashicorp.com/VaultPKISecret',
  'secrets.hashicorp.com/VaultStaticSecret',
  'source.toolkit.fluxcd.io/GitRepository',
  'source.toolkit.fluxcd.io/HelmChart',
  'source.toolkit.fluxcd.io/OCIRepository',
  'traefik.containo.us/IngressRoute',
  'traefik.io/IngressRoute',
  'traefik.io/TLSStore',
  'trust.cert-manager.io/Bundle',
  'velero.io/Backup',
  'velero.io/BackupStorageLocation',
  'velero.io/Schedule',
  'zalando.org/PlatformCredentialsSet',
] as const satisfies readonly KindName[]

/**
 * Kinds that pile up and whose objects no rule looks at: a scan asks how many there are. Of events too, of which it reads some.
 */
export const countedKinds: ReadonlySet<KindName> = new Set<KindName>([
  'Event',
  'acme.cert-manager.io/Order',
  'cert-manager.io/CertificateRequest',
  'dex.coreos.com/AuthCode',
  'dex.coreos.com/AuthRequest',
  'dex.coreos.com/DeviceRequest',
  'dex.coreos.com/RefreshToken',
  'kyverno.io/UpdateRequest',
  'reports.kyverno.io/EphemeralReport',
  'wgpolicyk8s.io/PolicyReport',
])

/** Kinds whose objects are measurements: a cluster that has none has not measured, and nothing follows from it. */
export const measurements: ReadonlySet<KindName> = new Set<KindName>(['metrics.k8s.io/PodMetrics'])

/** All kinds that a scan reads where the cluster has them. */
export function scannedKinds(workloadKinds: readonly { readonly kind: string }[]): ReadonlySet<KindName> {
  const builtin = Object.keys(builtinGroups).filter((kind) => !unread.has(kind))
  const grouped = [...custom, ...[...customWorkloads, ...workloadKinds].map(({ kind }) => kind)]
  return new Set([...builtin, ...grouped].filter(isKindName))
}

/** Whether a kind of a configuration or of a server is one that rules may ask for. */
export function isKindName(kind: string): kind is KindName {
  return kind.includes('/') || isBuiltin(kind)
}
