/** How each program of a control plane has to be called. All listen on loopback only. */
import { join } from 'node:path'

export const components = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kwok',
] as const
export type Component = (typeof components)[number]

export interface Layout {
  /** The folder that everything is kept in. */
  readonly state: string
  readonly ports: Readonly<Record<Component | 'etcd-peer', number>>
}

/** The address that tells whether a component is ready; an address of the API server for those that speak to it. */
export function readiness(component: Component, { ports }: Layout): string {
  switch (component) {
    case 'etcd':
      return `http://127.0.0.1:${ports.etcd}/health`
    case 'kube-apiserver':
      return `https://127.0.0.1:${ports['kube-apiserver']}/readyz`
    default:
      return `https://127.0.0.1:${ports[component]}/healthz`
  }
}

/** The arguments of a component, as the program of that name takes them. */
export function argumentsOf(component: Component, layout: Layout): readonly string[] {
  const { state, ports } = layout
  const pki = (file: string) => join(state, 'pki', file)
  const served = [`--tls-cert-file=${pki('server.crt')}`, `--tls-private-key-file=${pki('server.key')}`]
  const listening = ['--bind-address=127.0.0.1', `--secure-port=${ports[component]}`, ...served]
  const client = (name: string) => [
    `--kubeconfig=${pki(`${name}.kubeconfig`)}`,
    `--authentication-kubeconfig=${pki(`${name}.kubeconfig`)}`,
    `--authorization-kubeconfig=${pki(`${name}.kubeconfig`)}`,
    '--leader-elect=false',
  ]
  switch (component) {
    case 'etcd': {
      const clients = `http://127.0.0.1:${ports.etcd}`
      const peers = `http://127.0.0.1:${ports['etcd-peer']}`
      return [
        '--name=default',
        `--data-dir=${join(state, 'etcd')}`,
        `--listen-client-urls=${clients}`,
        `--advertise-client-urls=${clients}`,
        `--listen-peer-urls=${peers}`,
        `--initial-advertise-peer-urls=${peers}`,
        `--initial-cluster=default=${peers}`,
        '--unsafe-no-fsync',
        '--quota-backend-bytes=4294967296',
        '--log-level=warn',
      ]
    }
    case 'kube-apiserver':
      return [
        ...listening,
        `--etcd-servers=http://127.0.0.1:${ports.etcd}`,
        `--client-ca-file=${pki('ca.crt')}`,
        `--token-auth-file=${pki('tokens.csv')}`,
        '--authorization-mode=Node,RBAC',
        `--service-account-issuer=https://127.0.0.1:${ports['kube-apiserver']}`,
        `--service-account-key-file=${pki('sa.pub')}`,
        `--service-account-signing-key-file=${pki('sa.key')}`,
        '--service-cluster-ip-range=10.96.0.0/12',
        '--allow-privileged=true',
        // Loopback is no address that endpoints may have.
        '--endpoint-reconciler-type=none',
        // Aggregated APIs: the front proxy's certificate.
        `--requestheader-client-ca-file=${pki('ca.crt')}`,
        '--requestheader-allowed-names=front-proxy',
        '--requestheader-username-headers=X-Remote-User',
        '--requestheader-group-headers=X-Remote-Group',
        '--requestheader-extra-headers-prefix=X-Remote-Extra-',
        `--proxy-client-cert-file=${pki('front-proxy.crt')}`,
        `--proxy-client-key-file=${pki('front-proxy.key')}`,
        // Logs of pods come from kwok; the names of its nodes cannot be resolved.
        '--kubelet-preferred-address-types=InternalIP',
        `--kubelet-client-certificate=${pki('admin.crt')}`,
        `--kubelet-client-key=${pki('admin.key')}`,
        '--profiling=false',
        '--max-requests-inflight=2000',
        '--max-mutating-requests-inflight=1000',
      ]
    case 'kube-controller-manager':
      return [
        ...listening,
        ...client('controller-manager'),
        '--use-service-account-credentials',
        `--service-account-private-key-file=${pki('sa.key')}`,
        `--root-ca-file=${pki('ca.crt')}`,
        `--cluster-signing-cert-file=${pki('ca.crt')}`,
        `--cluster-signing-key-file=${pki('ca.key')}`,
        // The nodes of kwok send no heartbeats, and would all be NotReady after 50 seconds.
        '--node-monitor-grace-period=24h',
        // Nobody waits 15 s for it.
        '--horizontal-pod-autoscaler-sync-period=1s',
        '--kube-api-qps=500',
        '--kube-api-burst=1000',
        '--concurrent-deployment-syncs=20',
        '--concurrent-replicaset-syncs=20',
      ]
    case 'kube-scheduler':
      return [...listening, ...client('scheduler'), '--kube-api-qps=1000', '--kube-api-burst=2000']
    case 'kwok':
      return [
        `--kubeconfig=${pki('admin.kubeconfig')}`,
        '--manage-all-nodes=true',
        '--node-ip=127.0.0.1',
        '--cidr=10.0.0.1/24',
        `--node-port=${ports.kwok}`,
        `--server-address=127.0.0.1:${ports.kwok}`,
        ...served,
        '--node-lease-duration-seconds=0',
        ...['nodes', 'pods', 'logs'].map((name) => `--config=${join(__dirname, 'stages', `${name}.yaml`)}`),
      ]
  }
}

/** Who has a kubeconfig, `NAME=USER[/GROUP]`: the components, and users with the rights of `rbac.yaml`. */
export const users = [
  'front-proxy=front-proxy',
  'controller-manager=system:kube-controller-manager',
  'scheduler=system:kube-scheduler',
  'admin=admin/system:masters',
  'viewer=viewer',
  'podlister=podlister',
  'nobody=nobody',
] as const
