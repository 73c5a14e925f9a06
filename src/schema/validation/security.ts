/** What pods and containers may do on their node. */
import type { ContainerSpec, PodSpec, PodTemplateSpec } from '../../kubernetes.js'
import { isPlaceholder } from '../format.js'
import { companions, sayPath } from './forms.js'
import { type Checks, merged, on, type Say } from './say.js'

// pkg/apis/core/validation: sysctlRegex of names with dots or slashes.
const sysctl = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/

/** Namespaces of the kernel by the sysctls that are in them. Source: component-helpers/node/util/sysctl/namespace.go. */
const ofNetwork = /^net[./]/
const ofIpc =
  /^(?:kernel[./](?:sem|shm|shmall|shmmax|shmmni|shm_rmid_forced|msg|msgmax|msgmnb|msgmni)$|fs[./]mqueue[./])/

type Context = NonNullable<PodSpec['securityContext']>

/** Sysctls of a namespace that is that of the node are the node's own; refused since 1.29. */
const ofNode = on<PodSpec>(({ hostNetwork, hostIPC, securityContext }, say) => {
  if (say.minor < 29 || (!hostNetwork && !hostIPC)) return
  for (const [i, { name = '' }] of (securityContext?.sysctls ?? []).entries()) {
    const path = ['securityContext', 'sysctls', i, 'name']
    if (hostNetwork && ofNetwork.test(name)) say.conflict(path, `is ${name}, and hostNetwork is true`)
    else if (hostIPC && ofIpc.test(name)) say.conflict(path, `is ${name}, and hostIPC is true`)
  }
})

interface Namespaces {
  readonly hostUsers?: boolean
  readonly hostIPC?: boolean
  readonly hostNetwork?: boolean
  readonly hostPID?: boolean
  readonly shareProcessNamespace?: boolean
  readonly containers?: readonly { readonly securityContext?: { readonly procMount?: string } }[]
}

/** Namespaces of a pod that go with others of it only. */
const namespaces = on<Namespaces>((spec, say) => {
  if (spec.hostPID && spec.shareProcessNamespace)
    say.conflict(['shareProcessNamespace'], 'cannot stand beside hostPID')
  // UserNamespacesSupport and ProcMountType are on by default from 1.33: pkg/features/kube_features.go. Before, both are dropped.
  if (say.minor < 33) return
  if (spec.hostUsers === false) {
    for (const field of ['hostIPC', 'hostNetwork', 'hostPID'] as const)
      if (spec[field]) say.conflict([field], 'cannot stand beside hostUsers: false')
    return
  }
  for (const [i, { securityContext }] of (spec.containers ?? []).entries())
    if (securityContext?.procMount === 'Unmasked')
      say.conflict(
        ['containers', i, 'securityContext', 'procMount'],
        'is Unmasked, which goes with hostUsers: false only',
      )
})

interface Profile {
  readonly type?: string
  readonly localhostProfile?: string | null
}

/** What a security context says and an annotation of the pod said before. */
interface Confinement {
  readonly prefix: string
  /** The key of the pod's own annotation. */
  readonly own?: string
  readonly field: 'seccompProfile' | 'appArmorProfile'
  readonly values: Readonly<Record<string, readonly string[]>>
  readonly name: string
}

// k8s.io/api/core/v1/annotation_key_constants.go.
const seccomp: Confinement = {
  prefix: 'container.seccomp.security.alpha.kubernetes.io/',
  own: 'seccomp.security.alpha.kubernetes.io/pod',
  field: 'seccompProfile',
  values: { RuntimeDefault: ['runtime/default', 'docker/default'], Unconfined: ['unconfined'] },
  name: 'seccomp',
}
const appArmor: Confinement = {
  prefix: 'container.apparmor.security.beta.kubernetes.io/',
  field: 'appArmorProfile',
  values: { RuntimeDefault: ['runtime/default'], Unconfined: ['unconfined'] },
  name: 'AppArmor',
}
const local = 'localhost/'

type Contexts = Readonly<Partial<Record<Confinement['field'], Profile>>>

/** Whether an annotation and a field say the same. */
function agree(text: string, { type, localhostProfile }: Profile, { values }: Confinement): boolean {
  return type === 'Localhost'
    ? text === `${local}${localhostProfile ?? ''}`
    : (values[type ?? ''] ?? [text]).includes(text)
}

/**
 * Annotations of a pod that say how its containers are confined. Source: ValidatePodSpecificAnnotations,
 * validateSeccompAnnotationsAndFields and validateAppArmorAnnotationsAndFieldsMatchOnCreate of pkg/apis/core/validation.
 */
const confined = (isPod: boolean) =>
  on<Pick<PodTemplateSpec, 'metadata' | 'spec'>>(({ metadata, spec }, say) => {
    const annotations = metadata?.annotations
    for (const key in annotations) {
      const text = annotations[key] as string
      if (key === seccomp.own) judge(seccomp, key, text, undefined)
      else if (key.startsWith(seccomp.prefix)) judge(seccomp, key, text, key.slice(seccomp.prefix.length))
      else if (key.startsWith(appArmor.prefix)) judge(appArmor, key, text, key.slice(appArmor.prefix.length))
      else if (key === deletionCost && !isCost(text) && !isPlaceholder(text))
        say.conflict(
          ['metadata', 'annotations', key],
          `is ${JSON.stringify(text)}, and has to be a whole number`,
          text,
        )
    }

    function judge(sort: Confinement, key: string, text: string, name: string | undefined): void {
      if (isPlaceholder(text) || isPlaceholder(key)) return
      const path = ['metadata', 'annotations', key]
      const isKnown = Object.values(sort.values).flat().includes(text) || text.startsWith(local)
      if (!isKnown && !(sort === appArmor && text === ''))
        say.conflict(path, `is ${JSON.stringify(text)}, which is no profile of ${sort.name}`, text)
      const own = spec as (PodSpec & { readonly securityContext?: Contexts }) | undefined
      const containers = [...(own?.initContainers ?? []), ...(own?.containers ?? [])]
      const container = containers.find((one) => one.name === name)
      if (name !== undefined && !container && sort === appArmor) {
        if (containers.length > 0 && !containers.some((one) => isPlaceholder(one.name)))
          say.conflict(path, `names no container of the pod: ${JSON.stringify(name)}`)
        return
      }
      const ofContainer = (container?.securityContext as Contexts | undefined)?.[sort.field]
      const ofPod = (own?.securityContext as Contexts | undefined)?.[sort.field]
      // Of a pod the server first makes fields of such annotations: applyAppArmorVersionSkew of pkg/registry/core/pod.
      const inherited = sort === appArmor && !isPod ? ofPod : undefined
      const profile = name === undefined ? ofPod : (ofContainer ?? inherited)
      // AppArmor is nothing of Windows.
      if (sort === appArmor && own?.os?.name === 'windows') return
      if (profile && isKnown && !agree(text, profile, sort))
        say.conflict(path, `is ${JSON.stringify(text)}, and ${sort.field}.type is ${profile.type}`)
    }
  })

const deletionCost = 'controller.kubernetes.io/pod-deletion-cost'

/** Source: GetDeletionCostFromPodAnnotations of pkg/apis/core/helper. */
function isCost(text: string): boolean {
  return /^(?:0|[1-9]\d*|-\d+)$/.test(text) && (Number(text) | 0) === Number(text)
}

function ids({ supplementalGroups = [] }: Context, say: Say): void {
  for (const [i, id] of supplementalGroups.entries())
    if (typeof id === 'number' && (id < 0 || id > 2_147_483_647))
      say.conflict(['supplementalGroups', i], `is ${id}, and has to be between 0 and 2147483647`)
}

export const security: Checks = merged(
  {
    'core.Pod': [confined(true)],
    'core.PodTemplateSpec': [confined(false)],
    'core.PodSpec': [namespaces, ofNode],
    'core.PodSecurityContext': [on<Context>(ids)],
    'core.Sysctl': [
      on<{ readonly name?: string }>(({ name }, say) => {
        if (name && !sysctl.test(name) && !isPlaceholder(name))
          say.conflict(['name'], `is no name of a sysctl: ${JSON.stringify(name)}`)
      }),
    ],
    'core.SecurityContext': [
      on<NonNullable<ContainerSpec['securityContext']>>((context, say) => {
        const { privileged, allowPrivilegeEscalation, capabilities } = context
        if (allowPrivilegeEscalation !== false) return
        if (privileged) say.conflict(['allowPrivilegeEscalation'], 'cannot be false when privileged is true')
        // Without the prefix the same capability is let pass.
        else if (capabilities?.add?.includes('CAP_SYS_ADMIN'))
          say.conflict(['allowPrivilegeEscalation'], 'cannot be false when CAP_SYS_ADMIN is added')
      }),
    ],
    'core.SeccompProfile': [
      on<Profile>(({ type, localhostProfile }, say) => {
        // The empty text is a path to the server.
        if (type === 'Localhost' && localhostProfile == null)
          say.lacks(['localhostProfile'], 'and type is Localhost')
        if (type !== 'Localhost' && localhostProfile != null)
          say.conflict(['localhostProfile'], 'goes with type Localhost only')
        sayPath(say, 'localhostProfile', localhostProfile ?? undefined, 'downwards')
      }),
    ],
    'core.AppArmorProfile': [
      on<Profile>(({ localhostProfile }, say) => {
        if (localhostProfile && localhostProfile.trim() !== localhostProfile)
          say.conflict(['localhostProfile'], 'has a space at its start or end')
      }),
    ],
  },
  companions({
    'core.AppArmorProfile': [{ field: 'localhostProfile', of: 'type', value: 'Localhost', needed: true }],
  }),
)
