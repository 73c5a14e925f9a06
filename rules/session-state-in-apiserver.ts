import {
  documentsIn,
  durationPattern,
  formatSeconds,
  grouped,
  isKind,
  isObject,
  type Live,
  rule,
  seconds,
  stringAt,
  valueAt,
} from '../src/rule.js'

/** Dex's default. */
const defaultExpiry = '24h'

export default rule({
  title: 'Every login attempt becomes an object of the API server',
  category: 'control-plane',
  severity: 'warning',
  why: `With \`storage.type: kubernetes\` Dex writes an AuthRequest for each visit of its login page, before anybody
has proved who they are, and deletes it when it expires: after 24 h by default. A crawler, a probe or a
single-page application that tries again fills etcd with hundreds of thousands of them, until lists and the
API server itself time out.`,
  remedy:
    'Let requests expire after minutes, or keep the state in a database; limit the rate in front of the page.',
  decides: `A ConfigMap with a configuration of Dex (\`issuer\` and \`storage\`) whose storage is
\`kubernetes\` and whose \`expiry.authRequests\` is absent or longer than \`maxAuthRequest\`. Secrets are not
looked at: their values are never read.

\`scan\` has the logins counted, without reading them: more than \`maxObjects\` login attempts, codes or device
logins, or ten times as many refresh tokens (one for each person and application that stays logged in), are a
warning, ten times that an error. It is reported at the configuration that keeps them so long, or else at the
CustomResourceDefinition with most of them. The numbers come from the metrics of the API server or, where they may
not be read, from lists of one object that say how many remain.`,
  sources: [
    'Dex documentation, storage (Kubernetes custom resources)',
    'dex cmd/dex/config.go (Expiry), server/config.go (AuthRequestsValidFor)',
  ],
  stories: ['fullstaq-dex-crs', 'swade-sso-authrequests'],
  params: {
    maxAuthRequest: {
      type: 'string',
      pattern: durationPattern,
      default: '1h',
      about: 'How long an unfinished login may be kept (a Go duration).',
    },
    maxObjects: {
      type: 'integer',
      minimum: 1,
      default: 5000,
      about: 'Login attempts that a cluster may hold.',
    },
  },
  for: ['ConfigMap', 'CustomResourceDefinition'],
  reads: [
    'dex.coreos.com/AuthCode',
    'dex.coreos.com/AuthRequest',
    'dex.coreos.com/DeviceRequest',
    'dex.coreos.com/RefreshToken',
  ],
  check(subject, { graph, params, report }) {
    const logins = graph.live ? loginsIn(graph.live) : []
    const excess = Math.max(0, ...logins.map(({ count, most }) => count / (most * params.maxObjects)))
    const options = {
      severity: excess > 10 ? 'error' : 'warning',
      evidence: logins.map(({ count, what }) => `${grouped(count)} ${what}`),
    } as const
    if (!isKind(subject, 'ConfigMap')) {
      const [first] = logins
      if (first && excess > 1 && subject.metadata?.name === first.resource)
        report(
          subject,
          undefined,
          `Lists of logins become slow, then time out, and the API server with them: Dex keeps ${grouped(first.count)} ${first.what} in etcd.`,
          {
            ...options,
            evidence: options.evidence.slice(1),
            symptomOf: { rules: ['session-state-in-apiserver'], objects: graph.seen('ConfigMap') },
          },
        )
      return
    }
    const config = subject
    for (const [key, text] of Object.entries(config.data ?? {})) {
      if (!text.includes('issuer') || !text.includes('storage')) continue
      const found = documentsIn(text).filter(isObject).find(isDex)
      if (!found || stringAt(found, 'storage', 'type') !== 'kubernetes') continue
      const written = valueAt(found, 'expiry', 'authRequests')
      const kept = seconds(written ?? defaultExpiry)
      if (kept === undefined || kept <= (seconds(params.maxAuthRequest) ?? 0)) continue
      report(
        config.data ?? config,
        key,
        `Whoever opens the login page fills etcd: Dex keeps each attempt as an object for ${formatSeconds(kept)}${written === undefined ? ', its default' : ''}.`,
        options,
      )
    }
  },
})

/** What Dex keeps of logins, and how many times as many are normal. Source: dex/storage/kubernetes/types.go. */
const kinds = [
  { resource: 'authrequests.dex.coreos.com', what: 'login attempts', most: 1 },
  { resource: 'authcodes.dex.coreos.com', what: 'authorization codes', most: 1 },
  { resource: 'devicerequests.dex.coreos.com', what: 'logins of devices', most: 1 },
  { resource: 'refreshtokens.dex.coreos.com', what: 'refresh tokens', most: 10 },
] as const

/** How many objects of each kind there are, the most unusual number first. */
function loginsIn(live: Live) {
  return kinds
    .map((kind) => ({ ...kind, count: live.countOf(kind.resource) ?? 0 }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count / b.most - a.count / a.most)
}

function isDex(value: object): boolean {
  return stringAt(value, 'issuer') !== undefined && stringAt(value, 'storage', 'type') !== undefined
}
