/** Pods, wherever they stand. */
import type { Path } from '../../finding.js'
import type { ContainerSpec, Pod, PodSpec } from '../../kubernetes.js'
import { enumerate } from '../../values/enumerate.js'
import { isPlaceholder } from '../format.js'
import { addresses, choices, filled, names } from './forms.js'
import { type Checks, hasForm, merged, on, oneOf, type Say } from './say.js'

const sorts = ['initContainers', 'containers'] as const

/** What only pods have that are there already. */
function debugged(
  { ephemeralContainers = [] }: { readonly ephemeralContainers?: readonly unknown[] | undefined },
  say: Say,
  at: Path,
) {
  if (ephemeralContainers.length > 0)
    say.conflict(
      [...at, 'ephemeralContainers'],
      'cannot stand here: kubectl debug adds them to pods that are there',
    )
}

interface Claiming {
  readonly resourceClaims?: readonly { readonly name?: string }[]
  readonly containers?: readonly Claimant[]
  readonly initContainers?: readonly Claimant[]
}

interface Claimant {
  readonly resources?: { readonly claims?: readonly { readonly name?: string; readonly request?: string }[] }
}

const claims = on<Claiming>((spec, say) => {
  for (const sort of sorts)
    spec[sort]?.forEach(({ resources }, i) => {
      const own = resources?.claims
      if (!own) return
      const known = (spec.resourceClaims ?? []).map(({ name }) => name)
      for (const [j, { name, request = '' }] of own.entries()) {
        const path = [sort, i, 'resources', 'claims', j]
        say.name([...path, 'request'], 'label', request)
        // Without a request, it is all of them.
        const isThere = own
          .slice(0, j)
          .some((one) => one.name === name && (!request || !one.request || one.request === request))
        if (name && !known.includes(name) && ![name, ...known].some(isPlaceholder))
          say.conflict([...path, 'name'], `names no claim of the pod: ${JSON.stringify(name)}`)
        else if (isThere) say.conflict(path, 'is there already')
      }
    })
})

/** Containers of one pod cannot have the same port of the node: checkHostPortConflicts. */
const hostPorts = on<PodSpec>(({ containers = [], initContainers = [] }, say) => {
  portsOf(containers, ['containers'], say, 0)
  // They run one after the other.
  for (const [i, container] of initContainers.entries()) portsOf([container], ['initContainers'], say, i)
})

function portsOf(containers: readonly ContainerSpec[], at: Path, say: Say, from: number): void {
  let seen: Set<string> | undefined
  for (const [i, { ports = [] }] of containers.entries())
    for (const [j, { hostPort, hostIP = '', protocol = 'TCP' }] of ports.entries()) {
      if (!hostPort) continue
      seen ??= new Set()
      const id = `${protocol}/${hostIP}/${hostPort}`
      if (seen.has(id))
        say.conflict([...at, from + i, 'ports', j, 'hostPort'], `is ${hostPort}, which another port has, too`)
      seen.add(id)
    }
}

// pkg/apis/core/validation: MaxDNSNameservers, MaxDNSSearchPaths, MaxDNSSearchListChars; ExpandedDNSConfig is on by default from 1.26.
const mostNameservers = 3
const searchesFrom26 = { most: 32, length: 2048 }
const searchesBefore = { most: 6, length: 256 }

/** RelaxedDNSSearchValidation is on by default from 1.33: underscores, and the root alone. */
const relaxedFrom = 33

/** The configuration of a pod's resolver. */
const resolver = on<PodSpec>(({ dnsConfig }, say) => {
  if (!dnsConfig) return
  const { nameservers = [], searches = [] } = dnsConfig
  if (nameservers.length > mostNameservers)
    say.conflict(
      ['dnsConfig', 'nameservers'],
      `has ${nameservers.length} entries, and takes ${mostNameservers} at most`,
    )
  const { most, length } = say.minor >= 26 ? searchesFrom26 : searchesBefore
  const path = ['dnsConfig', 'searches']
  if (searches.length > most) say.conflict(path, `has ${searches.length} entries, and takes ${most} at most`)
  else if (searches.join(' ').length > length && !searches.some(isPlaceholder))
    say.conflict(path, `has ${searches.join(' ').length} characters, and takes ${length} at most`)
  for (const [i, search] of searches.entries()) {
    const isRelaxed = say.minor >= relaxedFrom
    if (isRelaxed && search === '.') continue
    const name = search.replace(/\.$/, '')
    // IsDNS1123SubdomainWithUnderscore of k8s.io/apimachinery.
    const isName = isRelaxed
      ? name.length <= 253 &&
        /^_?[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?(?:\._?[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?)*$/.test(name)
      : hasForm('subdomain', name)
    if (name && !isName && !isPlaceholder(name))
      say.conflict([...path, i], `is no domain to search in: ${JSON.stringify(search)}`, search)
  }
})

interface WithWindows {
  readonly os?: { readonly name?: string }
  readonly securityContext?: { readonly windowsOptions?: object }
  readonly containers?: readonly { readonly securityContext?: { readonly windowsOptions?: object } }[]
}

const onLinux = on<WithWindows>(({ os, securityContext, containers = [] }, say) => {
  if (os?.name !== 'linux') return
  const because = 'cannot stand here, and os.name is linux'
  if (securityContext?.windowsOptions) say.conflict(['securityContext', 'windowsOptions'], because)
  for (const [i, container] of containers.entries())
    if (container.securityContext?.windowsOptions)
      say.conflict(['containers', i, 'securityContext', 'windowsOptions'], because)
})

/** What the controller of a pod template does with it. */
export interface PodsOf {
  /** Names of the volumes that it adds. */
  readonly volumes?: readonly string[]
  /** The restart policies that it takes. */
  readonly restart?: readonly string[]
  /** It gives its pods their host names, whatever the template says. */
  readonly isNamed?: boolean
}

export const pod: (spec: PodSpec | undefined, say: Say, at: Path, more?: PodsOf) => void = (
  spec,
  say,
  at,
  { volumes = [], restart, isNamed } = {},
) => {
  if (!spec) return
  const known = new Set([...volumes, ...(spec.volumes ?? []).map((volume) => volume.name)])
  for (const sort of sorts)
    spec[sort]?.forEach((container, i) => {
      const { image } = container
      // In a template somebody may still write it: OpenShift has triggers for that.
      if (!restart && image && image.trim() !== image)
        say.conflict([...at, sort, i, 'image'], 'has a space at its start or end')
      const sleep = container.lifecycle?.preStop?.sleep?.seconds
      const grace = spec.terminationGracePeriodSeconds ?? 30
      if (sleep !== undefined && sleep > grace)
        say.conflict(
          [...at, sort, i, 'lifecycle', 'preStop', 'sleep', 'seconds'],
          `is ${sleep}, more than terminationGracePeriodSeconds, ${grace}`,
        )
      for (const field of ['volumeMounts', 'volumeDevices'] as const)
        container[field]?.forEach(({ name }, j) => {
          if (name && !known.has(name) && !isPlaceholder(name))
            say.conflict(
              [...at, sort, i, field, j, 'name'],
              `names no volume of the pod: ${JSON.stringify(name)}`,
            )
        })
    })
  debugged(spec, say, at)
  if (!isNamed)
    for (const field of ['hostname', 'subdomain'] as const) say.name([...at, field], 'label', spec[field])
  if (restart && !restart.includes(spec.restartPolicy || 'Always') && !isPlaceholder(spec.restartPolicy))
    say.conflict(
      [...at, 'restartPolicy'],
      spec.restartPolicy
        ? `is ${spec.restartPolicy}, and takes ${enumerate(restart, 'or')} only`
        : `is Always by default, and takes ${enumerate(restart, 'or')} only`,
    )
}

export const always = ['Always']

export const pods: Checks = merged(
  {
    'core.Pod': [on<Pod>((object, say) => pod(object.spec, say, ['spec']))],
    'core.PodSpec': [
      claims,
      onLinux,
      on<PodSpec>((spec, say) => {
        const { volumes, initContainers, containers, dnsPolicy, dnsConfig } = spec
        for (const field of ['serviceAccountName', 'priorityClassName'] as const)
          say.name([field], 'subdomain', spec[field])
        if (dnsPolicy === 'None' && (dnsConfig?.nameservers ?? []).length === 0)
          say.lacks(['dnsConfig', 'nameservers'], 'and dnsPolicy is None')
        initContainers?.forEach((container, i) => {
          if (container.restartPolicy === 'Always') return
          const [early] = oneOf(container, ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'])
          if (early) say.conflict(['initContainers', i, early], 'goes with restartPolicy Always only')
          // ValidatePodSpec of pkg/apis/core/validation: since 1.36.
          if (say.minor >= 36)
            for (const [j, { restartPolicy }] of (container.resizePolicy ?? []).entries())
              if (restartPolicy === 'RestartContainer')
                say.conflict(
                  ['initContainers', i, 'resizePolicy', j, 'restartPolicy'],
                  'is RestartContainer, which goes with restartPolicy Always of the init container only',
                )
        })
        volumes?.forEach(({ name }, i) => {
          say.name(['volumes', i, 'name'], 'label', name)
        })
        initContainers?.forEach(({ name }, i) => {
          if (name && containers?.some((container) => container.name === name))
            say.conflict(
              ['initContainers', i, 'name'],
              `is the name of a container too: ${JSON.stringify(name)}`,
            )
        })
      }),
      hostPorts,
      resolver,
      on<PodSpec>(({ hostNetwork, containers }, say) => {
        if (!hostNetwork) return
        for (const [i, { ports }] of (containers ?? []).entries())
          for (const [j, { containerPort, hostPort }] of (ports ?? []).entries())
            if (hostPort && containerPort && hostPort !== containerPort)
              say.conflict(
                ['containers', i, 'ports', j, 'hostPort'],
                `is ${hostPort}, and with hostNetwork it has to be the containerPort, ${containerPort}`,
              )
      }),
    ],
  },
  filled({ 'core.PodDNSConfig': ['searches'] }),
  choices({
    'core.PodResourceClaim': [1, 'resourceClaimName', 'resourceClaimTemplateName', 'source'],
  }),
  names({
    'core.HostAlias': { hostnames: 'subdomain' },
    'core.PodResourceClaim': {
      name: 'label',
      resourceClaimName: 'subdomain',
      resourceClaimTemplateName: 'subdomain',
    },
  }),
  addresses({
    'core.HostAlias': { ip: 'address' },
    'core.PodDNSConfig': { nameservers: 'address' },
  }),
)
