import {
  allOf,
  type ConfigMap,
  type Custom,
  certificatesIn,
  conditionOf,
  dayOf,
  firstOf,
  formatCondition,
  formatSpan,
  type Graph,
  heldFor,
  isKind,
  lastToEnd,
  objectAt,
  rule,
  seconds,
  stringAt,
} from '../src/rule.js'

/** cert-manager's defaults: 90 days. */
const defaultDuration = 90 * 86_400
/** Renewals and first issues take minutes; DNS challenges sometimes longer. */
const patience = 3600

export default rule({
  title: 'A certificate has expired, or nothing renews it in time',
  category: 'identity',
  severity: 'error',
  why: `A certificate ends at a second that was known for months, and every client that checks it fails at that
second. cert-manager renews at \`status.renewalTime\` and keeps the old Secret while it can't: nothing looks
wrong until the day.`,
  remedy:
    'Look at the CertificateRequest and the issuer that the condition names; renew by hand when time is short.',
  decides: `cert-manager Certificates: an error when \`renewBefore\` is not less than \`duration\` (default 2160h),
which cert-manager refuses, or when there is no \`issuerRef\`. In a cluster an error when a Certificate has expired
or was never issued for an hour, and a warning when its renewal is an hour overdue (or, without \`renewalTime\`,
when it ends within \`warnDays\`). Certificates of one issuer are one finding.

ConfigMaps: a warning for a key ending in \`.crt\` or \`.pem\` whose certificates have all expired. Secrets are not
looked at: their values are never read.`,
  sources: [
    'cert-manager/pkg/apis/certmanager/v1/types_certificate.go (duration, renewBefore, issuerRef, renewalTime)',
    'cert-manager/internal/apis/certmanager/validation/certificate.go',
  ],
  stories: ['dfds-kiam-cert', 'webhookrelay-gke-certs', 'oath-101-ways'],
  params: {
    warnDays: {
      type: 'integer',
      minimum: 0,
      default: 21,
      about: 'Days before the end that are worth a warning where no time of renewal is known.',
    },
  },
  for: ['cert-manager.io/Certificate', 'ConfigMap'],
  check(subject, { graph, params, report }) {
    if (isKind(subject, 'ConfigMap')) {
      const now = graph.live?.now ?? Date.now()
      const stale = graph.once('certificate-expiring: stale-bundles', () =>
        staleBundles(graph.seen('ConfigMap'), now),
      )
      for (const { of, key, message, others } of stale)
        if (of === subject && of.data)
          report(of.data, key, message, {
            severity: 'warning',
            evidence: others.length > 0 ? [`the same in ${firstOf(others)}`] : undefined,
          })
      return
    }
    const spec = objectAt(subject, 'spec')
    const duration = seconds(stringAt(spec, 'duration')) ?? defaultDuration
    const before = seconds(stringAt(spec, 'renewBefore'))
    if (spec && before !== undefined && before >= duration) {
      report(
        spec,
        'renewBefore',
        `cert-manager refuses this Certificate: renewBefore ${stringAt(spec, 'renewBefore')} is not less than its duration ${stringAt(spec, 'duration') ?? '2160h'}.`,
      )
      return
    }
    const { live } = graph
    if (spec && !live && spec.issuerRef === undefined && !graph.kustomized(subject)) {
      report(spec, undefined, 'The API server refuses this Certificate: it names no issuer (issuerRef).')
      return
    }
    if (!live) return
    const failing = graph.once('certificate-expiring: certificates', () =>
      graph
        .seen('cert-manager.io/Certificate')
        .flatMap((one) => troubleOf(one, live.now, params.warnDays * 86_400) ?? [])
        .sort((a, b) => rank(a) - rank(b) || a.end - b.end || (nameOf(a.of) < nameOf(b.of) ? -1 : 1)),
    )
    const issuer = issuerOf(subject)
    const [first, ...others] = failing.filter(({ of }) => issuerOf(of) === issuer)
    if (first?.of !== subject) return
    const ready = conditionOf(subject, 'Ready')
    const names = others.map(({ of }) => nameOf(of))
    report(subject, 'spec', first.message, {
      severity: first.severity,
      evidence: [
        ...(ready?.status === 'False' ? [formatCondition(ready)] : []),
        ...usersOf(subject, graph),
        ...(names.length > 0 ? [`${names.length} more of ${issuer.split('\n')[0]}: ${firstOf(names)}`] : []),
      ],
    })
  },
})

interface Trouble {
  readonly of: Custom
  /** When it ends; infinity when it was never issued. */
  readonly end: number
  readonly severity: 'error' | 'warning'
  readonly message: string
}

/** Errors first. */
function rank({ severity }: Trouble): number {
  return severity === 'error' ? 0 : 1
}

function troubleOf(of: Custom, now: number, warning: number): Trouble | undefined {
  const secret = stringAt(of, 'spec', 'secretName') ?? ''
  const end = Date.parse(stringAt(of, 'status', 'notAfter') ?? '')
  if (Number.isNaN(end)) {
    const ready = conditionOf(of, 'Ready')
    const since = heldFor(ready, { now })
    return ready?.status === 'False' && since > patience
      ? {
          of,
          end: Number.POSITIVE_INFINITY,
          severity: 'error',
          message: `There is no certificate in Secret ${secret}: it has not been issued for ${formatSpan(since)}.`,
        }
      : undefined
  }
  const left = (end - now) / 1000
  const day = dayOf(end)
  if (left < 0)
    return {
      of,
      end,
      severity: 'error',
      message: `Clients refuse the certificate in Secret ${secret}: it expired on ${day}, ${formatSpan(-left)} ago.`,
    }
  const overdue = (now - Date.parse(stringAt(of, 'status', 'renewalTime') ?? '')) / 1000
  if (Number.isNaN(overdue) ? left > warning : overdue < patience) return undefined
  return {
    of,
    end,
    severity: 'warning',
    message: `Clients will refuse the certificate in Secret ${secret} in ${formatSpan(left)}, on ${day}${overdue > 0 ? `: its renewal is ${formatSpan(overdue)} overdue` : ''}.`,
  }
}

function nameOf({ metadata }: Custom): string {
  return `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`
}

/** `ClusterIssuer ca`; an Issuer with its namespace on a second line. */
function issuerOf(of: Custom): string {
  const kind = stringAt(of, 'spec', 'issuerRef', 'kind') ?? 'Issuer'
  const name = `${kind} ${stringAt(of, 'spec', 'issuerRef', 'name') ?? ''}`
  return kind === 'Issuer' ? `${name}\n${of.metadata?.namespace ?? ''}` : name
}

/** The entrances that serve the certificate. */
function usersOf(of: Custom, graph: Graph): string[] {
  const secret = stringAt(of, 'spec', 'secretName')
  const users = graph
    .seen('Ingress')
    .filter((one) => graph.namespaceOf(one) === graph.namespaceOf(of))
    .filter((one) => one.spec?.tls?.some(({ secretName }) => secretName === secret))
    .map((one) => graph.describe(one))
  return users.length > 0 ? [`${firstOf(users)} should serve it`] : []
}

interface StaleBundle {
  readonly of: ConfigMap
  readonly key: string
  readonly message: string
  /** ConfigMaps with the same text: operators copy a CA to every namespace. */
  readonly others: string[]
}

/** The keys of ConfigMaps whose certificates have all expired, each text once. */
function staleBundles(maps: readonly ConfigMap[], now: number): readonly StaleBundle[] {
  const found = new Map<string, StaleBundle | undefined>()
  for (const of of maps) {
    for (const [key, text] of Object.entries(of.data ?? {})) {
      if (!/\.(crt|pem)$/.test(key)) continue
      if (found.has(text)) {
        found.get(text)?.others.push(nameOf({ metadata: of.metadata }))
        continue
      }
      const certificates = certificatesIn(text) ?? []
      const last = lastToEnd(certificates)
      const which = certificates.length > 1 ? allOf(certificates.length, 'certificate') : `${last?.name}`
      found.set(
        text,
        last && last.notAfter < now
          ? {
              of,
              key,
              message: `Connections that trust ${key} alone fail: ${which} expired${certificates.length > 1 ? ', the last' : ''} on ${dayOf(last.notAfter)}.`,
              others: [],
            }
          : undefined,
      )
    }
  }
  return [...found.values()].filter((one) => one !== undefined)
}
