/** Pods, wherever they stand. */
import type { Path } from '../../finding.js'
import type { Pod, PodSpec } from '../../kubernetes.js'
import { enumerate } from '../../values/enumerate.js'
import { isPlaceholder } from '../format.js'
import { addresses, choices, companions, filled, labels, names } from './forms.js'
import { type Checks, type Item, merged, on, oneOf, type Say } from './say.js'

const sorts = ['initContainers', 'containers'] as const

/** What only pods have that are there already. */
function template(
  { ephemeralContainers = [] }: { readonly ephemeralContainers?: readonly unknown[] | undefined },
  say: Say,
  at: Path,
) {
  if (ephemeralContainers.length > 0)
    say.conflict(
      [...at, 'ephemeralContainers'],
      'cannot stand in a template: kubectl debug adds them to pods',
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
      const ids = own.map(({ name, request = '' }) => `${name}/${request}`)
      for (const [j, { name }] of own.entries()) {
        const path = [sort, i, 'resources', 'claims', j]
        if (name && !known.includes(name) && ![name, ...known].some(isPlaceholder))
          say.conflict([...path, 'name'], `names no claim of the pod: ${JSON.stringify(name)}`)
        else if (ids.indexOf(ids[j] ?? '') < j) say.conflict(path, 'is there already')
      }
    })
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

// pkg/apis/core/validation: sysctlRegex of names with dots or slashes.
const sysctl = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/

export const pod: (
  spec: PodSpec | undefined,
  say: Say,
  at: Path,
  more?: { volumes?: readonly string[]; restart?: readonly string[] },
) => void = (spec, say, at, { volumes = [], restart } = {}) => {
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
  if (restart) template(spec, say, at)
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
    'core.Sysctl': [
      on<{ readonly name?: string }>(({ name }, say) => {
        if (name && !sysctl.test(name) && !isPlaceholder(name))
          say.conflict(['name'], `is no name of a sysctl: ${JSON.stringify(name)}`)
      }),
    ],
    'core.PodAffinityTerm': [
      on<Readonly<Record<string, unknown>>>((term, say) => {
        for (const field of ['matchLabelKeys', 'mismatchLabelKeys'])
          if (Array.isArray(term[field]) && term[field].length > 0 && !term.labelSelector)
            say.conflict([field], 'goes with a labelSelector only')
      }),
    ],
    'core.PodSpec': [
      claims,
      onLinux,
      on<PodSpec>((spec, say) => {
        const { volumes, initContainers, containers, dnsPolicy, dnsConfig } = spec
        for (const field of ['serviceAccountName', 'priorityClassName'] as const)
          say.name([field], 'subdomain', spec[field])
        for (const field of ['hostname', 'subdomain'] as const) say.name([field], 'label', spec[field])
        if (dnsPolicy === 'None' && (dnsConfig?.nameservers ?? []).length === 0)
          say.lacks(['dnsConfig', 'nameservers'], 'and dnsPolicy is None')
        initContainers?.forEach((container, i) => {
          if (container.restartPolicy === 'Always') return
          const [early] = oneOf(container, ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'])
          if (early) say.conflict(['initContainers', i, early], 'goes with restartPolicy Always only')
        })
        spec.topologySpreadConstraints?.forEach((constraint, i) => {
          if ((constraint.matchLabelKeys ?? []).length > 0 && !constraint.labelSelector)
            say.conflict(['topologySpreadConstraints', i, 'matchLabelKeys'], 'goes with a labelSelector only')
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
      on<PodSpec>(({ nodeSelector }, say) => labels(nodeSelector, say, ['nodeSelector'])),
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
    'core.SeccompProfile': [
      on<{ readonly type?: string; readonly localhostProfile?: string | null }>(
        ({ type, localhostProfile }, say) => {
          // The empty text is a path to the server.
          if (type === 'Localhost' && localhostProfile == null)
            say.lacks(['localhostProfile'], 'and type is Localhost')
          if (type !== 'Localhost' && localhostProfile != null)
            say.conflict(['localhostProfile'], 'goes with type Localhost only')
        },
      ),
    ],
    'core.Toleration': [
      on<Item<PodSpec['tolerations']>>(({ key, operator, value, effect, tolerationSeconds }, say) => {
        if (operator === 'Exists' && value) say.conflict(['value'], 'cannot stand beside operator Exists')
        if (!key && operator !== 'Exists') say.conflict(['operator'], 'has to be Exists without a key')
        if (tolerationSeconds !== undefined && effect !== 'NoExecute')
          say.conflict(['tolerationSeconds'], 'goes with effect NoExecute only')
      }),
    ],
  },
  filled({ 'core.PodDNSConfig': ['searches'] }),
  choices({
    'core.PodResourceClaim': [1, 'resourceClaimName', 'resourceClaimTemplateName', 'source'],
  }),
  companions({
    'core.AppArmorProfile': [{ field: 'localhostProfile', of: 'type', value: 'Localhost', needed: true }],
    'core.TopologySpreadConstraint': [
      { field: 'minDomains', of: 'whenUnsatisfiable', value: 'DoNotSchedule' },
    ],
  }),
  names({
    'core.HostAlias': { hostnames: 'subdomain' },
    'core.PodAffinityTerm': {
      matchLabelKeys: 'label key',
      mismatchLabelKeys: 'label key',
      namespaces: 'label',
    },
    'core.TopologySpreadConstraint': { matchLabelKeys: 'label key' },
    'core.PodResourceClaim': { name: 'label', resourceClaimName: 'subdomain' },
  }),
  addresses({
    'core.HostAlias': { ip: 'address' },
    'core.PodDNSConfig': { nameservers: 'address' },
  }),
)
