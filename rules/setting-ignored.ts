import {
  advise,
  at,
  type Container,
  type Fault,
  isKind,
  isWorkload,
  type NetworkPolicy,
  type RuleFix,
  remove,
  rule,
  type Service,
  safe,
  set,
  type Workload,
} from '../src/rule.js'

const seccomp = 'seccomp.security.alpha.kubernetes.io/pod'
const seccompOf = 'container.seccomp.security.alpha.kubernetes.io/'
const sysctls = ['security.alpha.kubernetes.io/sysctls', 'security.alpha.kubernetes.io/unsafe-sysctls']

export default rule({
  title: 'Kubernetes takes a setting and does nothing with it',
  category: 'config',
  severity: 'warning',
  why: `The API server takes these settings, kubectl shows them, and nothing acts on them: annotations that fields have
replaced, fields that count for another type of Service, rules of a policy that says it is not about them. Whoever
reads the manifest believes in a protection that is not there.`,
  remedy: 'Use the field that counts, or remove the setting.',
  decides: `- The annotations \`${seccomp}\` and \`${seccompOf}NAME\` of a pod (from 1.27 on), where no
  \`seccompProfile\` of the pod or the container says the same, and the value is not \`unconfined\`.
- The annotations \`security.alpha.kubernetes.io/sysctls\` and \`unsafe-sysctls\` (from 1.11 on), where the pod has no \`sysctls\`.
- \`externalName\` of a Service that is not of type ExternalName.
- \`sessionAffinity: ClientIP\` and \`externalIPs\` of a headless Service, which no proxy handles.
- Rules for \`egress\` in a NetworkPolicy whose \`policyTypes\` do not name Egress, and for \`ingress\` where they do not name
  Ingress. An empty list and a rule that allows all change nothing, and are not reported.

Not reported: \`scheduler.alpha.kubernetes.io/critical-pod\`, as [critical-addon-priority-missing](critical-addon-priority-missing.md) tells what it
does not do.`,
  versions: 'Seccomp annotations: 1.27. Sysctl annotations: 1.11. The others: always.',
  sources: [
    'kubernetes/pkg/api/pod/warnings.go and pkg/api/service/warnings.go',
    'k8s.io/api/networking/v1/types.go (NetworkPolicySpec.PolicyTypes)',
    'kubernetes/pkg/proxy/util (ShouldSkipService): headless Services have no rules in a proxy',
  ],
  stories: [],
  for: ['Workload', 'Service', 'NetworkPolicy'],
  check(subject, { minor, report }) {
    const faults = isWorkload(subject)
      ? ofPod(subject, minor)
      : isKind(subject, 'Service')
        ? ofService(subject)
        : ofPolicy(subject)
    for (const fault of faults) report(...fault)
  },
})

/** Annotations of a pod that fields have replaced. */
function ofPod({ name, pod, template, annotations, containers }: Workload, minor: number): readonly Fault[] {
  const where = template.metadata?.annotations
  if (!where) return []
  const faults: Fault[] = []
  const old = sysctls.find((key) => annotations[key])
  if (old && minor >= 11 && !pod.securityContext?.sysctls)
    faults.push([
      where,
      old,
      `Pods of ${name} keep the default sysctls: nothing reads this annotation from 1.11 on.`,
      { fix: advise('Set securityContext.sysctls of the pod') },
    ])
  if (minor < 27) return faults
  const { seccompProfile: ofAll } = pod.securityContext ?? {}
  const profile = ofAll ? undefined : profileIn(annotations[seccomp])
  // One that each container has a field against says nothing any more.
  if (profile && containers.some(({ spec }) => !spec.securityContext?.seccompProfile))
    faults.push([where, seccomp, unread(name, undefined), { fix: replaced(where, seccomp, pod, profile) }])
  for (const { name: own, spec } of containers) {
    const key = seccompOf + own
    const wanted = profileIn(annotations[key])
    if (!wanted || spec.securityContext?.seccompProfile || (ofAll && isSame(ofAll, wanted))) continue
    faults.push([where, key, unread(own, ofAll?.type), { fix: replaced(where, key, spec, wanted) }])
  }
  return faults
}

function unread(name: string, instead: string | undefined): string {
  const gets = instead
    ? `has its pod's seccomp profile, ${instead}`
    : 'may make every system call, unless its node sets a profile'
  return `${name} ${gets}: nothing reads this annotation from 1.27 on.`
}

interface Profile {
  readonly type?: string | undefined
  readonly localhostProfile?: string | undefined
}

function isSame(a: Profile, b: Profile): boolean {
  return a.type === b.type && a.localhostProfile === b.localhostProfile
}

/** The profile that an annotation asks for; undefined where that is none. */
function profileIn(
  value: unknown,
): { readonly type: string; readonly localhostProfile?: string } | undefined {
  if (value === 'runtime/default' || value === 'docker/default') return { type: 'RuntimeDefault' }
  if (typeof value !== 'string' || !value.startsWith('localhost/')) return undefined
  return { type: 'Localhost', localhostProfile: value.slice('localhost/'.length) }
}

/** Proposes the field for the annotation. */
function replaced(
  annotations: object,
  key: string,
  of: Workload['pod'] | Container['spec'],
  profile: Profile,
): RuleFix {
  const field = set(of, 'securityContext', { ...of.securityContext, seccompProfile: profile })
  return {
    ...field,
    title: `seccompProfile: ${profile.type}`,
    edits: [...field.edits, ...remove(annotations, key).edits],
  }
}

function ofService(service: Service): readonly Fault[] {
  const { spec, metadata } = service
  if (!spec) return []
  const { name = '' } = metadata ?? {}
  const { type = 'ClusterIP', externalName, clusterIP, externalIPs = [] } = spec
  const faults: Fault[] = []
  if (externalName && type !== 'ExternalName')
    faults.push([
      spec,
      'externalName',
      `${name} does not lead to ${externalName}: the name counts for type ExternalName only.`,
      { see: [at(service, spec, 'type')], fix: set(spec, 'type', 'ExternalName') },
    ])
  const isHeadless = type === 'ClusterIP' && clusterIP === 'None'
  if (isHeadless && spec.sessionAffinity === 'ClientIP')
    faults.push([
      spec,
      'sessionAffinity',
      `Clients of ${name} do not stay with a pod: no proxy handles a headless Service.`,
      { see: [at(service, spec, 'clusterIP')], fix: safe(remove(spec, 'sessionAffinity')) },
    ])
  if (externalIPs.length > 0 && (isHeadless || type === 'ExternalName'))
    faults.push([
      spec,
      'externalIPs',
      `${name} does not answer at ${externalIPs[0]}: no proxy handles ${isHeadless ? 'a headless Service' : 'an ExternalName'}.`,
      { see: [at(service, spec, isHeadless ? 'clusterIP' : 'type')], fix: safe(remove(spec, 'externalIPs')) },
    ])
  return faults
}

function ofPolicy(policy: NetworkPolicy): readonly Fault[] {
  const { spec, metadata } = policy
  const types = spec?.policyTypes
  if (!spec || !types || types.length === 0) return []
  const faults: Fault[] = []
  for (const [field, type] of [
    ['ingress', 'Ingress'],
    ['egress', 'Egress'],
  ] as const) {
    const rules: readonly object[] = spec[field] ?? []
    if (types.includes(type) || !rules.some((one) => Object.keys(one ?? {}).length > 0)) continue
    faults.push([
      spec,
      field,
      `The ${field} rules of ${metadata?.name ?? ''} allow and forbid nothing: its policyTypes lack ${type}.`,
      {
        see: [at(policy, spec, 'policyTypes')],
        fix: set(spec, 'policyTypes', [...types, type]),
      },
    ])
  }
  return faults
}
