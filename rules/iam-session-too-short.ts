import {
  type Container,
  durationPattern,
  type Fault,
  flagOf,
  formatSeconds,
  imageNamed,
  isWorkload,
  rule,
  type ServiceAccount,
  safe,
  seconds,
  set,
  type Workload,
  wordsOf,
} from '../src/rule.js'

const annotation = 'eks.amazonaws.com/token-expiration'

export default rule({
  title: 'Credentials expire before the SDK refreshes them',
  category: 'identity',
  severity: 'warning',
  why: `The AWS SDK for Java refreshes credentials that are valid for less than fifteen minutes. kiam's
sessions last exactly that long by default: every single request then fetches new credentials first, and
latency is ten times what it was.`,
  remedy: 'Let sessions last an hour.',
  decides: `Reported are

- a kiam server (image kiam, args with \`server\`) whose \`--session-duration\` is missing or below \`minSession\`,
  or, as an error, whose \`--session-refresh\` is not shorter than the session: it then keeps each one for ever;
- a projected token with \`expirationSeconds\` below 600, which the API server refuses;
- where the rule is asked for, such a token below an hour, and the annotation \`${annotation}\` below an hour on a
  ServiceAccount. That is an info: the SDKs of AWS read the file anew for each session, and others may not.`,
  versions:
    'kiam: --session-duration 15m, the least that it takes, and --session-refresh 5m (before the end of a session) by default.',
  sources: [
    'uswitch/kiam cmd/kiam/server.go, pkg/aws/sts/cache.go (DefaultCache)',
    'aws/amazon-eks-pod-identity-webhook README (token-expiration) and PR 207',
    'kubernetes/pkg/apis/core/validation/validation.go (expirationSeconds)',
  ],
  stories: ['adevinta-kiam-latency', 'chiefio-four-stories'],
  params: {
    minSession: {
      type: 'string',
      pattern: durationPattern,
      default: '60m',
      about: 'The shortest session that is fine (a Go duration).',
    },
  },
  for: ['Workload', 'ServiceAccount'],
  check(subject, { params, report }) {
    const enough = seconds(params.minSession) ?? 3600
    const faults = isWorkload(subject)
      ? [...ofTokens(subject), ...ofServers(subject, enough).slice(0, 1)]
      : ofAccount(subject, enough)
    for (const fault of faults) report(...fault)
  },
})

/** The tokens of a ServiceAccount that end soon. */
function ofAccount({ metadata }: ServiceAccount, enough: number): readonly Fault[] {
  const annotations = metadata?.annotations
  const written = annotations?.[annotation] ?? ''
  // The webhook takes no other text. Source: amazon-eks-pod-identity-webhook, pkg/cache (strconv.ParseInt).
  const lasts = /^\d+$/.test(written) ? seconds(written) : undefined
  if (!annotations || lasts === undefined || lasts >= Math.min(enough, 3600)) return []
  return [
    [
      annotations,
      annotation,
      `A client that reads the token of ${metadata?.name ?? 'this account'} only once is refused after ${formatSeconds(lasts)} (default 1 d): by then the kubelet has written a new one into the file.`,
      { severity: 'info', recommended: false, fix: set(annotations, annotation, '86400') },
    ],
  ]
}

/** Tokens that the API server does not make, or that end soon. */
function ofTokens({ pod }: Workload): readonly Fault[] {
  const tokens = (pod.volumes ?? []).flatMap(({ projected }) =>
    (projected?.sources ?? []).map(({ serviceAccountToken }) => serviceAccountToken),
  )
  return tokens.flatMap((token): Fault[] => {
    if (token?.expirationSeconds === undefined || token.expirationSeconds >= 3600) return []
    if (token.expirationSeconds >= 600)
      return [
        [
          token,
          'expirationSeconds',
          `A client that reads the token only once is refused after ${formatSeconds(token.expirationSeconds)}: by then the kubelet has written a new one into the file.`,
          { severity: 'info', recommended: false },
        ],
      ]
    return [
      [
        token,
        'expirationSeconds',
        `The API server refuses this pod: a token must last 600 s, this one ${token.expirationSeconds} s.`,
        { severity: 'error', fix: set(token, 'expirationSeconds', 3600) },
      ],
    ]
  })
}

/** Servers of kiam with short sessions. */
function ofServers({ running }: Workload, enough: number): readonly Fault[] {
  return running.filter(isServer).flatMap((container): Fault[] => {
    const { spec } = container
    const written = flagOf(container, 'session-duration')
    const session = seconds(written ?? '15m')
    const refresh = seconds(flagOf(container, 'session-refresh') ?? '5m') ?? 0
    if (session === undefined || (session >= enough && refresh < session)) return []
    // It keeps a session for the time between the two, and for ever where that is not above 0: kiam/pkg/aws/sts/cache.go.
    const isKept = refresh >= session
    const message = isKept
      ? `Pods are given credentials that have ended: kiam never renews sessions of ${formatSeconds(session)} that it is to refresh ${formatSeconds(refresh)} before their end.`
      : `Every request may fetch new credentials first: sessions last ${formatSeconds(session)}${written ? '' : ' by default'}, as long as the SDK wants them to be valid.`
    const field = spec.args ? 'args' : 'command'
    const better = [
      ...(session < enough ? ['--session-duration=60m'] : []),
      ...(isKept ? ['--session-refresh=5m'] : []),
    ]
    const flags = better.map((one) => one.split('=')[0])
    const words = spec.args ?? spec.command ?? []
    // The value may be a word of its own.
    const others = words.filter(
      (word, i) =>
        !flags.includes(word.split('=')[0]) && (!flags.includes(words[i - 1]) || word.startsWith('-')),
    )
    const fix = safe(set(spec, field, [...others, ...better], better.join(' ')))
    return [[spec, field, message, { fix, ...(isKept && { severity: 'error' as const }) }]]
  })
}

function isServer({ image, spec }: Container): boolean {
  return (
    imageNamed(image, ['kiam']) && wordsOf(spec).some((word) => word === 'server' || word.endsWith('/server'))
  )
}
