/** What a namespace refuses by its labels, against an API server: every check of the Pod Security Standards, in several versions of them. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { enforcedBy, securityFaults } from '../../src/graph/pod-security.js'
import type { PodSpec } from '../../src/kubernetes.js'
import { kubernetesVersion } from './binary.js'
import { type Cluster, startCluster } from './cluster.js'

const minor = Number(kubernetesVersion().split('.')[1])

const namespaces = ['latest', 'v1.34', 'v1.31', 'v1.28', 'v1.26', 'v1.24', 'v1.22', 'v1.21', 'v1.18'].flatMap(
  (version) =>
    ['baseline', 'restricted'].map((level) => ({
      name: `${level}-${version.replace('.', '-')}`,
      labels: {
        'pod-security.kubernetes.io/enforce': level,
        'pod-security.kubernetes.io/enforce-version': version,
      },
    })),
)

let cluster: Cluster
beforeAll(async () => {
  cluster = await startCluster()
  for (const metadata of namespaces) {
    await cluster.connection.call('POST', '/api/v1/namespaces', { metadata })
    await cluster.connection.call('POST', `/api/v1/namespaces/${metadata.name}/serviceaccounts`, {
      metadata: { name: 'default' },
    })
  }
})
afterAll(() => cluster?.stop())

interface Change {
  readonly annotations?: Readonly<Record<string, string>>
  /** Merged into the spec. */
  readonly pod?: object
  /** Merged into the security context of the pod. */
  readonly podSecurity?: object
  /** Merged into the container. */
  readonly container?: object
  /** Merged into the security context of the container. */
  readonly security?: object
  readonly init?: object
}

/** One change of a pod that `restricted` allows: what is refused, what is not, and both sides of what lies between. */
const changes: readonly Change[] = [
  {},
  ...['hostNetwork', 'hostPID', 'hostIPC'].flatMap((field) => [
    { pod: { [field]: true } },
    { pod: { [field]: false } },
  ]),
  ...[true, false].map((privileged) => ({
    security: { privileged, ...(privileged && { allowPrivilegeEscalation: true }) },
  })),
  ...['NET_ADMIN', 'NET_RAW', 'CHOWN', 'NET_BIND_SERVICE', 'SYS_TIME'].map((one) => ({
    security: { capabilities: { add: [one], drop: ['ALL'] } },
  })),
  { security: { capabilities: { drop: ['NET_RAW'] } } },
  { security: { capabilities: { drop: ['all'] } } },
  { security: { capabilities: undefined } },
  { security: { allowPrivilegeEscalation: undefined } },
  { security: { allowPrivilegeEscalation: true } },
  ...[
    { hostPath: { path: '/x' } },
    { nfs: { server: 'a', path: '/x' } },
    { emptyDir: {} },
    { secret: { secretName: 'a' } },
    {},
  ].map((one) => ({
    pod: { volumes: [{ name: 'data', ...one }] },
  })),
  ...[
    { csi: { driver: 'a.example.com' } },
    { downwardAPI: { items: [] } },
    { configMap: { name: 'a' } },
    { image: { reference: 'a' } },
    { projected: { sources: [] } },
  ].map((one) => ({ pod: { volumes: [{ name: 'data', ...one }] } })),
  { container: { ports: [{ containerPort: 80, hostPort: 80 }] } },
  { container: { ports: [{ containerPort: 80 }] } },
  { container: { livenessProbe: { httpGet: { port: 80, host: '10.0.0.1' } } } },
  { container: { readinessProbe: { tcpSocket: { port: 80, host: '10.0.0.1' } } } },
  { container: { startupProbe: { tcpSocket: { port: 80 } } } },
  { container: { lifecycle: { preStop: { httpGet: { port: 80, host: 'a.example.com' } } } } },
  { container: { lifecycle: { postStart: { exec: { command: ['a'] } } } } },
  ...['RuntimeDefault', 'Unconfined', 'Localhost'].flatMap((type) => {
    const profile = { type, ...(type === 'Localhost' && { localhostProfile: 'a' }) }
    return [
      { podSecurity: { appArmorProfile: profile } },
      { security: { appArmorProfile: profile } },
      { podSecurity: { seccompProfile: profile } },
      { security: { seccompProfile: profile } },
      { podSecurity: { seccompProfile: undefined }, security: { seccompProfile: profile } },
    ]
  }),
  { podSecurity: { seccompProfile: undefined } },
  ...['runtime/default', 'unconfined', 'localhost/a'].map((value) => ({
    annotations: { 'container.apparmor.security.beta.kubernetes.io/main': value },
  })),
  ...[
    { type: 'container_t' },
    { type: 'container_engine_t' },
    { type: 'spc_t' },
    { user: 'a' },
    { role: 'a' },
    { level: 's0' },
  ].flatMap((seLinuxOptions) => [{ podSecurity: { seLinuxOptions } }, { security: { seLinuxOptions } }]),
  { security: { procMount: 'Default' } },
  { security: { procMount: 'Unmasked' }, pod: { hostUsers: false } },
  { pod: { hostUsers: false }, podSecurity: { runAsNonRoot: undefined } },
  { pod: { hostUsers: false }, podSecurity: { runAsUser: 0 } },
  ...[
    'net.ipv4.tcp_syncookies',
    'net.ipv4.ip_local_reserved_ports',
    'net.ipv4.tcp_keepalive_time',
    'net.ipv4.tcp_rmem',
    'net.core.somaxconn',
  ].map((name) => ({ podSecurity: { sysctls: [{ name, value: '1' }] } })),
  ...[true, false, undefined].flatMap((runAsNonRoot) => [
    { podSecurity: { runAsNonRoot } },
    { security: { runAsNonRoot } },
    { podSecurity: { runAsNonRoot: undefined }, security: { runAsNonRoot } },
  ]),
  ...[0, 1000].flatMap((runAsUser) => [{ podSecurity: { runAsUser } }, { security: { runAsUser } }]),
  {
    pod: { os: { name: 'windows' } },
    podSecurity: { seccompProfile: undefined },
    security: { capabilities: undefined, allowPrivilegeEscalation: undefined },
  },
  { init: { name: 'setup', image: 'a' } },
  {
    init: {
      name: 'setup',
      image: 'a',
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    },
  },
  {
    init: {
      name: 'setup',
      image: 'a',
      restartPolicy: 'Always',
      ports: [{ containerPort: 81, hostPort: 81 }],
    },
  },
  {
    podSecurity: { windowsOptions: { hostProcess: true } },
    pod: { os: { name: 'windows' }, hostNetwork: true },
  },
]

function podWith(all: readonly Change[]): { annotations: Record<string, string>; spec: PodSpec } {
  const merged = <K extends keyof Change>(key: K) => Object.assign({}, ...all.map((one) => one[key]))
  const init = all.findLast((one) => one.init)?.init
  return {
    annotations: merged('annotations'),
    spec: {
      ...merged('pod'),
      securityContext: {
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
        ...merged('podSecurity'),
      },
      ...(init && { initContainers: [init] }),
      containers: [
        {
          name: 'main',
          image: 'a',
          ...merged('container'),
          securityContext: {
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
            ...merged('security'),
          },
        },
      ],
    },
  }
}

/** What the server says; undefined where it refuses the pod for another reason. */
async function serverRefuses(namespace: string, { annotations, spec }: ReturnType<typeof podWith>) {
  const { status, json } = await cluster.connection.call(
    'POST',
    `/api/v1/namespaces/${namespace}/pods?dryRun=All`,
    {
      metadata: { name: 'a', annotations },
      spec,
    },
  )
  if (status < 300) return false
  return String(json.message).includes('violates PodSecurity') ? true : undefined
}

async function compare(pods: readonly (readonly Change[])[]) {
  const differences: string[] = []
  const counts = { refused: 0, accepted: 0, undecided: 0 }
  for (const changed of pods) {
    const pod = podWith(changed)
    // As the API server gets it.
    const read = JSON.parse(JSON.stringify(pod)) as typeof pod
    await Promise.all(
      namespaces.map(async (metadata) => {
        const theirs = await serverRefuses(metadata.name, pod)
        counts[theirs === undefined ? 'undecided' : theirs ? 'refused' : 'accepted']++
        const enforced = enforcedBy({ metadata }, minor)
        const ours = enforced ? securityFaults(read.spec, read.annotations, enforced) : []
        if (theirs !== undefined && theirs !== ours.length > 0)
          differences.push(
            `${metadata.name}: the server ${theirs ? 'refuses' : 'accepts'} ${JSON.stringify(pod)}, here: ${ours.map(({ what }) => what).join('; ')}`,
          )
      }),
    )
  }
  console.log(JSON.stringify(counts))
  return { differences, counts }
}

describe('a pod is refused by a namespace as the API server does it', () => {
  it('with one change', async () => {
    const { differences, counts } = await compare(changes.map((one) => [one]))
    expect(differences).toEqual([])
    expect(counts.refused).toBeGreaterThan(400)
    expect(counts.accepted).toBeGreaterThan(400)
  })
  it('with several', async () => {
    const drawn = fc.sample(fc.array(fc.constantFrom(...changes), { minLength: 2, maxLength: 4 }), {
      numRuns: 150,
      seed: 7,
    })
    expect((await compare(drawn)).differences).toEqual([])
  })
})
