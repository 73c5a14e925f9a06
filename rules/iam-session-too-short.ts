import {
  durationPattern,
  flagOf,
  formatSeconds,
  imageNamed,
  isWorkload,
  rule,
  safe,
  seconds,
  set,
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
  decides: `A kiam server (image kiam, args with \`server\`) whose \`--session-duration\` is missing or
below \`minSession\`, or whose \`--session-refresh\` is not shorter than the session; the annotation
\`${annotation}\` below an hour on a ServiceAccount; a projected token with \`expirationSeconds\` below 600,
which the API server refuses.`,
  versions: 'kiam: --session-duration 15m, --session-refresh 5m by default.',
  sources: [
    'uswitch/kiam cmd/kiam/server.go',
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
    if (!isWorkload(subject)) {
      const annotations = subject.metadata?.annotations
      const lasts = Number(annotations?.[annotation] ?? Number.NaN)
      if (annotations && lasts < Math.min(enough, 3600))
        report(
          annotations,
          annotation,
          `SDKs fetch new credentials all the time: tokens of ${subject.metadata?.name ?? 'this account'} last ${formatSeconds(lasts)} (default 1 d).`,
          { fix: set(annotations, annotation, '86400') },
        )
      return
    }
    for (const volume of subject.pod.volumes ?? []) {
      const token = volume.projected?.sources?.find(
        (source) => source.serviceAccountToken,
      )?.serviceAccountToken
      if (token?.expirationSeconds !== undefined && token.expirationSeconds < 600)
        report(
          token,
          'expirationSeconds',
          `The API server refuses this pod: a token must last 600 s, this one ${token.expirationSeconds} s.`,
          { severity: 'error', fix: set(token, 'expirationSeconds', 3600) },
        )
    }
    for (const container of subject.running) {
      const { spec } = container
      const words = [...(spec.command ?? []), ...(spec.args ?? [])]
      if (
        !imageNamed(container.image, ['kiam']) ||
        !words.some((word) => word === 'server' || word.endsWith('/server'))
      )
        continue
      const written = flagOf(container, 'session-duration')
      const session = seconds(written ?? '15m')
      const refresh = seconds(flagOf(container, 'session-refresh') ?? '5m') ?? 0
      if (session === undefined || (session >= enough && refresh < session)) continue
      const field = spec.args ? 'args' : 'command'
      const list = spec.args ?? spec.command ?? []
      const text =
        refresh >= session
          ? `sessions are refreshed after ${formatSeconds(refresh)} and last ${formatSeconds(session)}`
          : `sessions last ${formatSeconds(session)}${written ? '' : ' by default'}, as long as the SDK wants them to be valid`
      report(spec, field, `Every request may fetch new credentials first: ${text}.`, {
        fix: safe(
          set(
            spec,
            field,
            [...list.filter((word) => !word.startsWith('--session-duration')), '--session-duration=60m'],
            '--session-duration=60m',
          ),
        ),
      })
      return
    }
  },
})
