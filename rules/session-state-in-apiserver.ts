import { documentsIn, formatSeconds, isObject, rule, seconds, stringAt, valueAt } from '../src/rule.js'

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
looked at: their values are never read.`,
  sources: ['Dex documentation, storage (Kubernetes custom resources)', 'dex cmd/dex/config.go (Expiry)'],
  stories: ['fullstaq-dex-crs', 'swade-sso-authrequests'],
  params: {
    maxAuthRequest: {
      type: 'string',
      default: '1h',
      about: 'How long an unfinished login may be kept (a Go duration).',
    },
  },
  for: 'ConfigMap',
  check(config, { params, report }) {
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
      )
    }
  },
})

function isDex(value: object): boolean {
  return stringAt(value, 'issuer') !== undefined && stringAt(value, 'storage', 'type') !== undefined
}
