import { type Custom, type Graph, numberAt, objectAt, objectsAt, rule, stringAt } from '../src/rule.js'

const ruleKinds = ['monitoring.coreos.com/PrometheusRule', 'operator.victoriametrics.com/VMRule'] as const

export default rule({
  title: 'Nobody notices when the alerting itself is down',
  category: 'observability',
  severity: 'info',
  why: `Prometheus and Alertmanager run in the cluster that they watch. In an outage of its network, DNS or control
plane they are gone, too, and silence looks like health. An alert that always fires, and a service outside that
calls somebody when it stops coming, tell the difference.`,
  remedy: "Add an alert that always fires and route it to a dead man's switch outside the cluster.",
  decides: `PrometheusRules (or VMRules of VictoriaMetrics) with alerts, and none of all alerts is called
as in \`watchdogNames\` or has an expression that is always true (\`vector(1)\`). One finding, on the first of
them; in input that is not declared complete only where the rule is asked for. So are an Alertmanager and a
Prometheus with one replica.

Exempt: a Prometheus that writes to somewhere else (\`remoteWrite\`) or runs as an agent: rules may be evaluated
there.`,
  falsePositives:
    'Checks from outside, of the cluster or of Prometheus, which are not objects of the cluster.',
  sources: ['prometheus-operator documentation, PrometheusRule', 'kube-prometheus, alert Watchdog'],
  stories: [
    'zalando-coredns-oom',
    'nunl-elastalert-oom',
    'heroku-2025-upgrade',
    'fullstaq-dex-crs',
    'reddit-pi-day',
    'zalando-image-policy',
  ],
  params: {
    watchdogNames: {
      type: 'array',
      items: { type: 'string' },
      default: ['Watchdog', 'DeadMansSwitch', 'DeadMansSnitch', 'Heartbeat', 'AlwaysFiring'],
      about: 'Names of alerts that always fire.',
    },
  },
  for: [...ruleKinds, 'monitoring.coreos.com/Alertmanager', 'monitoring.coreos.com/Prometheus'],
  check(subject, { graph, params, report }) {
    if (subject.kind === 'Alertmanager' || subject.kind === 'Prometheus') {
      const spec = objectAt(subject, 'spec')
      if (spec && objectsAt(spec, 'remoteWrite').length === 0 && (numberAt(spec, 'replicas') ?? 1) === 1)
        report(
          spec,
          'replicas',
          `While the only pod of ${subject.kind} ${subject.metadata?.name ?? 'without a name'} is away, ${subject.kind === 'Prometheus' ? 'no alert is evaluated' : 'nobody is called'}.`,
          { recommended: false },
        )
      return
    }
    if (graph.live && !graph.complete) return
    const blind = graph.once('monitoring-only-inside: rules without watchdog', () =>
      blindRules(graph, params.watchdogNames),
    )
    if (blind[0] !== subject) return
    const count = blind.reduce((sum, one) => sum + alertsOf(one).length, 0)
    report(
      subject,
      'spec',
      `When Prometheus or Alertmanager is down, nobody is called: ${count === 1 ? `the only alert in ${graph.source} does not fire` : `none of ${count} alerts in ${graph.source} fires`} all the time to show that they work.`,
      { recommended: graph.complete },
    )
  },
})

/** The PrometheusRules with alerts; none when one of them is a watchdog, or alerts may be evaluated elsewhere. */
function blindRules(graph: Graph, names: readonly string[]): readonly Custom[] {
  const writesAway = graph
    .all('monitoring.coreos.com/Prometheus')
    .some((one) => objectsAt(one, 'spec', 'remoteWrite').length > 0)
  const all = ruleKinds
    .flatMap((kind): readonly Custom[] => graph.all(kind))
    .filter((one) => alertsOf(one).length > 0)
    .sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  const watches = (alert: object) =>
    names.includes(stringAt(alert, 'alert') ?? '') ||
    /^\s*vector\(\s*1\s*\)(\s*[>=]=?\s*[01])?\s*$/.test(stringAt(alert, 'expr') ?? '')
  return writesAway || all.some((one) => alertsOf(one).some(watches)) ? [] : all
}

function alertsOf(one: Custom): readonly object[] {
  return objectsAt(one, 'spec', 'groups')
    .flatMap((group) => objectsAt(group, 'rules'))
    .filter((alert) => stringAt(alert, 'alert') !== undefined)
}

function nameOf({ metadata }: Custom): string {
  return `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`
}
