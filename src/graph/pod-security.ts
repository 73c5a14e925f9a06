/**
 * What the admission of pods by the labels of their namespace (Pod Security Admission) refuses. Source: k8s.io/pod-security-admission, policy
 * and api/helpers.go.
 */
import type { ContainerSpec, ObjectMeta, PodSpec } from '../kubernetes.js'
import { objectAt } from '../values/untyped.js'

/** A level that refuses something. `privileged` refuses nothing. */
type SecurityLevel = 'baseline' | 'restricted'

/** What a namespace enforces. */
export interface Enforced {
  readonly level: SecurityLevel
  /** The minor version of Kubernetes whose policy it is. */
  readonly minor: number
}

/** What a policy refuses in a pod. */
export interface SecurityFault {
  /** Where it is, or is missing. */
  readonly node: object
  readonly field: string | number | undefined
  /** What is refused, as a clause: `container web adds NET_ADMIN`. */
  readonly what: string
  /**
   * Where nothing forbidden is there, but something demanded is not, which whoever changes pods at admission may add: the container that lacks
   * it, and what: `runAsNonRoot: true`.
   */
  readonly missing: { readonly container: string; readonly demand: string } | undefined
}

export const enforceLabel = 'pod-security.kubernetes.io/enforce'
const versionLabel = 'pod-security.kubernetes.io/enforce-version'

/**
 * What the labels of a namespace enforce; undefined where that is nothing, or is left to the configuration of the API server. A level that does
 * not exist counts as `restricted`.
 * @param minor that of the API server, which `latest` means, and the newest policy it has
 */
export function enforcedBy(
  { metadata }: { readonly metadata?: ObjectMeta | undefined },
  minor: number,
): Enforced | undefined {
  const level = metadata?.labels?.[enforceLabel]
  if (level === undefined || level === 'privileged') return undefined
  const [, own] = /^v1\.(\d+)$/.exec(metadata?.labels?.[versionLabel] ?? '') ?? []
  return {
    level: level === 'baseline' ? 'baseline' : 'restricted',
    minor: own === undefined ? minor : Math.min(Number(own), minor),
  }
}

/** A pod as a policy sees it. */
interface Subject extends Enforced {
  readonly pod: PodSpec
  readonly annotations: Readonly<Record<string, string>>
  /** In the order of the API server's checks: init containers first. */
  readonly containers: readonly ContainerSpec[]
}

/** Everything that a policy refuses in a pod, what is forbidden before what is missing. */
export function securityFaults(
  pod: PodSpec,
  annotations: Readonly<Record<string, string>>,
  enforced: Enforced,
): readonly SecurityFault[] {
  const subject: Subject = {
    ...enforced,
    pod,
    annotations,
    containers: [...(pod.initContainers ?? []), ...(pod.containers ?? [])],
  }
  const checks = enforced.level === 'restricted' ? [...ofBaseline, ...ofRestricted] : ofBaseline
  const found = checks.flatMap((check) => check(subject))
  return [...found.filter(({ missing }) => !missing), ...found.filter(({ missing }) => missing)]
}

type Check = (subject: Subject) => readonly SecurityFault[]

/** What the API server knows to be harmless, with the version of the policy that allows it first. */
const safeSysctls: ReadonlyMap<string, number> = new Map([
  ['kernel.shm_rmid_forced', 0],
  ['net.ipv4.ip_local_port_range', 0],
  ['net.ipv4.tcp_syncookies', 0],
  ['net.ipv4.ping_group_range', 0],
  ['net.ipv4.ip_unprivileged_port_start', 0],
  ['net.ipv4.ip_local_reserved_ports', 27],
  ['net.ipv4.tcp_keepalive_time', 29],
  ['net.ipv4.tcp_fin_timeout', 29],
  ['net.ipv4.tcp_keepalive_intvl', 29],
  ['net.ipv4.tcp_keepalive_probes', 29],
  ['net.ipv4.tcp_rmem', 32],
  ['net.ipv4.tcp_wmem', 32],
])

/** What container runtimes give without being asked. */
const usualCapabilities: ReadonlySet<string> = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
])

const seLinuxTypes: ReadonlySet<string> = new Set(['', 'container_t', 'container_init_t', 'container_kvm_t'])

/** Volumes that `restricted` allows. */
const ownVolumes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]

const ofBaseline: readonly Check[] = [
  ({ pod }) =>
    (['hostNetwork', 'hostPID', 'hostIPC'] as const)
      .filter((field) => pod[field] === true)
      .map((field) => forbidden(pod, field, `${field} is true`)),
  ({ pod, containers }) => [
    ...(pod.securityContext?.windowsOptions?.hostProcess
      ? [forbidden(pod.securityContext.windowsOptions, 'hostProcess', 'hostProcess is true')]
      : []),
    ...each(containers, ({ securityContext }) => {
      const options = securityContext?.windowsOptions
      return options?.hostProcess ? [[options, 'hostProcess', 'has hostProcess']] : []
    }),
  ],
  ({ containers }) =>
    each(containers, ({ securityContext }) =>
      securityContext?.privileged ? [[securityContext, 'privileged', 'is privileged']] : [],
    ),
  ({ level, minor, containers }) => {
    const isNarrow = level === 'restricted' && minor >= 22
    const isAllowed = (name: string) => (isNarrow ? name === 'NET_BIND_SERVICE' : usualCapabilities.has(name))
    return each(containers, ({ securityContext }) => {
      const add = securityContext?.capabilities?.add ?? []
      const index = add.findIndex((name) => !isAllowed(name))
      return index < 0 ? [] : [[add, index, `adds ${add[index]}`]]
    })
  },
  ({ pod, level }) =>
    (pod.volumes ?? []).flatMap((volume) => {
      if (level === 'restricted') {
        if (ownVolumes.some((type) => objectAt(volume, type))) return []
        // One of no type becomes an emptyDir.
        const type = Object.keys(volume).find((key) => key !== 'name')
        return type ? [forbidden(volume, type, `volume ${volume.name} is of type ${type}`)] : []
      }
      return volume.hostPath
        ? [forbidden(volume, 'hostPath', `volume ${volume.name} is of type hostPath`)]
        : []
    }),
  ({ containers }) =>
    each(containers, ({ ports = [] }) =>
      ports.flatMap((port) =>
        port.hostPort ? [[port, 'hostPort', `has hostPort ${port.hostPort}`] as const] : [],
      ),
    ),
  ({ minor, containers }) => (minor < 34 ? [] : each(containers, hostsOfHandlers)),
  ({ pod, annotations, containers }) => [
    ...unless(isAllowedProfile(pod.securityContext?.appArmorProfile?.type), () =>
      forbidden(pod.securityContext ?? pod, 'appArmorProfile', 'its AppArmor profile is Unconfined'),
    ),
    ...each(containers, ({ name, securityContext }) => {
      const what = 'has the AppArmor profile unconfined'
      if (securityContext && !isAllowedProfile(securityContext.appArmorProfile?.type))
        return [[securityContext, 'appArmorProfile', what]]
      const key = `container.apparmor.security.beta.kubernetes.io/${name}`
      return /^(?:$|runtime\/default$|localhost\/)/.test(annotations[key] ?? '')
        ? []
        : [[annotations, key, what]]
    }),
  ],
  ({ pod, minor, containers }) => {
    const isAllowed = ({ type = '', user, role }: SeLinux) =>
      (seLinuxTypes.has(type) || (minor >= 31 && type === 'container_engine_t')) && !user && !role
    const own = pod.securityContext?.seLinuxOptions
    return [
      ...(own && !isAllowed(own)
        ? [
            forbidden(
              pod.securityContext ?? pod,
              'seLinuxOptions',
              'its seLinuxOptions are not those of containers',
            ),
          ]
        : []),
      ...each(containers, ({ securityContext }) => {
        const options = securityContext?.seLinuxOptions
        return options && !isAllowed(options)
          ? [[securityContext, 'seLinuxOptions', 'has seLinuxOptions that are not those of containers']]
          : []
      }),
    ]
  },
  ({ pod, level, minor, containers }) => {
    if (pod.hostUsers === false && minor >= 35 && level === 'baseline') return []
    return each(containers, ({ securityContext }) =>
      (securityContext?.procMount ?? 'Default') === 'Default'
        ? []
        : [[securityContext ?? pod, 'procMount', `has procMount ${securityContext?.procMount}`]],
    )
  },
  ({ pod, minor, containers }) => {
    if (minor < 19) return []
    const own = pod.securityContext?.seccompProfile
    return [
      ...unless(isAllowedProfile(own?.type), () =>
        forbidden(own ?? pod, 'type', 'its seccomp profile is Unconfined'),
      ),
      ...each(containers, ({ securityContext }) => {
        const profile = securityContext?.seccompProfile
        return profile && !isAllowedProfile(profile.type)
          ? [[profile, 'type', 'has the seccomp profile Unconfined']]
          : []
      }),
    ]
  },
  ({ pod, minor }) => {
    const sysctls = pod.securityContext?.sysctls ?? []
    return sysctls
      .filter(({ name }) => minor < (safeSysctls.get(name ?? '') ?? Number.POSITIVE_INFINITY))
      .map((one) => forbidden(one, 'name', `it sets ${one.name}`))
  },
]

const ofRestricted: readonly Check[] = [
  ({ pod, minor, containers }) =>
    isExemptWindows(pod, minor)
      ? []
      : demand(containers, 'allowPrivilegeEscalation: false', 'allowPrivilegeEscalation', (one) => {
          const value = one?.allowPrivilegeEscalation
          return value === false ? 'met' : value ? 'allows privilege escalation' : undefined
        }),
  ({ pod, minor, containers }) =>
    minor < 22 || isExemptWindows(pod, minor)
      ? []
      : demand(containers, 'drop: [ALL]', 'capabilities', (one) =>
          one?.capabilities?.drop?.includes('ALL') ? 'met' : undefined,
        ),
  ({ pod, minor, containers }) => {
    if (isInUserNamespace(pod, minor)) return []
    const own = pod.securityContext?.runAsNonRoot
    return [
      ...(own === false
        ? [forbidden(pod.securityContext ?? pod, 'runAsNonRoot', 'runAsNonRoot is false')]
        : []),
      ...demand(containers, 'runAsNonRoot: true', 'runAsNonRoot', (one) => {
        const value = one?.runAsNonRoot ?? own
        return value === true ? 'met' : one?.runAsNonRoot === false ? 'has runAsNonRoot false' : undefined
      }),
    ]
  },
  ({ pod, minor, containers }) => {
    if (minor < 23 || isInUserNamespace(pod, minor)) return []
    return [
      ...(pod.securityContext?.runAsUser === 0
        ? [forbidden(pod.securityContext, 'runAsUser', 'runAsUser is 0')]
        : []),
      ...each(containers, ({ securityContext }) =>
        securityContext?.runAsUser === 0 ? [[securityContext, 'runAsUser', 'has runAsUser 0']] : [],
      ),
    ]
  },
  ({ pod, minor, containers }) =>
    minor < 19 || isExemptWindows(pod, minor) || isThere(pod.securityContext?.seccompProfile)
      ? []
      : demand(containers, 'seccompProfile', 'seccompProfile', (one) =>
          isThere(one?.seccompProfile) ? 'met' : undefined,
        ),
]

type SeLinux = NonNullable<NonNullable<PodSpec['securityContext']>['seLinuxOptions']>

function forbidden(node: object, field: string | number | undefined, what: string): SecurityFault {
  return { node, field, what, missing: undefined }
}

function unless(isFine: boolean, fault: () => SecurityFault): readonly SecurityFault[] {
  return isFine ? [] : [fault()]
}

/** What is forbidden in containers: where, and what of it. */
function each(
  containers: readonly ContainerSpec[],
  find: (
    container: ContainerSpec,
  ) => readonly (readonly [node: object, field: string | number, what: string])[],
): readonly SecurityFault[] {
  return containers.flatMap((one) =>
    find(one).map(([node, field, what]) => forbidden(node, field, `container ${one.name ?? ''} ${what}`)),
  )
}

/**
 * What is demanded of containers.
 * @param judge `met`, what stands there instead, or nothing where it is missing
 */
function demand(
  containers: readonly ContainerSpec[],
  what: string,
  field: string,
  judge: (context: ContainerSpec['securityContext']) => string | undefined,
): readonly SecurityFault[] {
  return containers.flatMap(({ name = '', securityContext }, i) => {
    const verdict = judge(securityContext)
    if (verdict === 'met') return []
    const place = securityContext
      ? { node: securityContext, field }
      : { node: containers[i] ?? {}, field: 'securityContext' }
    return verdict
      ? [forbidden(place.node, place.field, `container ${name} ${verdict}`)]
      : [{ ...place, what: `container ${name} lacks ${what}`, missing: { container: name, demand: what } }]
  })
}

/** The hosts that probes and hooks of a container ask instead of the pod. */
function hostsOfHandlers({ livenessProbe, readinessProbe, startupProbe, lifecycle }: ContainerSpec) {
  const handlers = [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop]
  return handlers.flatMap((handler) =>
    [handler?.httpGet, handler?.tcpSocket].flatMap((one) =>
      one?.host ? [[one, 'host', `has a probe or hook for host ${one.host}`] as const] : [],
    ),
  )
}

function isAllowedProfile(type: string | undefined): boolean {
  return type === undefined || type === 'RuntimeDefault' || type === 'Localhost'
}

function isThere(profile: { readonly type?: string | undefined } | undefined): boolean {
  return profile !== undefined && isAllowedProfile(profile.type)
}

function isExemptWindows({ os }: PodSpec, minor: number): boolean {
  return minor >= 25 && os?.name === 'windows'
}

function isInUserNamespace({ hostUsers }: PodSpec, minor: number): boolean {
  return minor >= 35 && hostUsers === false
}
