import { flagOf, imageNamed, isWorkload, rule, seconds, set } from '../src/rule.js'

export default rule({
  title: 'Objects of one kind can pile up in etcd',
  category: 'control-plane',
  severity: 'warning',
  why: `Every object costs memory in etcd and in each cache that lists it. Kinds that grow with every
deployment or every request make lists slow, then time out, and with them namespace deletion, controllers
and the API server's own start.`,
  remedy: 'Keep few revisions, keep events for hours, and put a quota on kinds that users or traffic create.',
  decides: `A Deployment, StatefulSet or DaemonSet that keeps more than \`maxRevisions\` old revisions
(default 10); a kube-apiserver whose \`--event-ttl\` is above \`maxEventTtl\` (default 1h). \`scan\` counts
the objects themselves.`,
  sources: [
    'k8s.io/api/apps/v1/types.go (RevisionHistoryLimit)',
    'kube-apiserver documentation (--event-ttl)',
  ],
  stories: [
    'fullstaq-dex-crs',
    'swade-sso-authrequests',
    'algolia-jobs',
    'zalando-cronjob-apiserver',
    'target-cascading',
  ],
  params: {
    maxRevisions: {
      type: 'integer',
      minimum: 0,
      default: 20,
      about: 'Old revisions of a workload that are fine to keep.',
    },
    maxEventTtl: {
      type: 'string',
      default: '24h',
      about: 'The longest time that events may be kept (a Go duration).',
    },
  },
  for: ['Deployment', 'StatefulSet', 'DaemonSet', 'Workload'],
  check(subject, { params, report }) {
    if (isWorkload(subject)) {
      for (const container of subject.running) {
        if (!imageNamed(container.image, ['kube-apiserver'])) continue
        const ttl = flagOf(container, 'event-ttl')
        if ((seconds(ttl) ?? 0) > (seconds(params.maxEventTtl) ?? 0))
          report(
            container.spec,
            container.spec.command ? 'command' : 'args',
            `Events pile up in etcd until lists time out: they are kept for ${ttl} (default 1h).`,
          )
      }
      return
    }
    const { spec } = subject
    const kept = spec?.revisionHistoryLimit
    if (!spec || kept === undefined || kept <= params.maxRevisions) return
    const what = subject.kind === 'Deployment' ? 'ReplicaSets' : 'ControllerRevisions'
    report(
      spec,
      'revisionHistoryLimit',
      `Up to ${kept} old ${what} of ${subject.metadata?.name ?? 'this workload'} stay in etcd and in every controller's cache (default 10).`,
      { fix: set(spec, 'revisionHistoryLimit', 10) },
    )
  },
})
