import {
  advise,
  at,
  looksInto,
  matchesLabels,
  objectAt,
  objectsAt,
  ownValue,
  rule,
  stringAt,
  type Untyped,
  valueAt,
} from '../src/rule.js'

export default rule({
  title: 'Prometheus scrapes nothing: the labels are those of the pods',
  category: 'observability',
  severity: 'warning',
  why: `A ServiceMonitor finds Services by their own labels, not by those that their selectors ask for. Where only the pods have
the label, Prometheus has no target and says nothing: there are no metrics, rules over them have no result, and alerts
stay silent during the outage that they are for.`,
  remedy: 'Give the Service the labels that the ServiceMonitor asks for.',
  decides: `A ServiceMonitor whose \`matchLabels\` no Service of its namespaces has, beside a Service whose selector asks its pods
for just these labels and which has a port that an endpoint names.

Not reported: \`matchExpressions\`, and Services that a kustomization may give labels.`,
  sources: ['Prometheus Operator API reference (ServiceMonitorSpec.selector)'],
  stories: ['dfds-kiam-cert'],
  for: 'monitoring.coreos.com/ServiceMonitor',
  check(monitor, { graph, report }) {
    const selector = objectAt(monitor, 'spec', 'selector')
    const wanted = objectAt(selector, 'matchLabels') ?? {}
    const names = Object.keys(wanted)
    if (!selector || names.length === 0 || valueAt(selector, 'matchExpressions') !== undefined) return
    if (!isLabels(wanted)) return
    const isIn = looksInto(monitor, graph)
    const services = graph.all('Service')
    if (services.some((service) => matchesLabels(wanted, service.metadata?.labels) && isIn(service))) return
    const ports = objectsAt(monitor, 'spec', 'endpoints').map((one) => stringAt(one, 'port'))
    const meant = services.find(
      (service) =>
        matchesLabels(wanted, service.spec?.selector) &&
        isIn(service) &&
        service.spec?.ports?.some(({ name }) => name !== undefined && ports.includes(name)) &&
        !graph.kustomized(service),
    )
    if (!meant) return
    const { labels } = meant.metadata ?? {}
    const key = names.find((name) => ownValue(labels, name) !== wanted[name]) ?? ''
    const own = ownValue(labels, key)
    report(
      selector,
      'matchLabels',
      `Nothing behind ${graph.describe(meant)} is scraped: its pods have label ${key}: ${wanted[key]}, the Service itself has ${own === undefined ? 'no such label' : own}.`,
      {
        see: [at(meant, meant.metadata ?? meant, labels ? 'labels' : 'name')],
        fix: advise(
          `labels of ${graph.describe(meant)}: ${names.map((name) => `${name}: ${wanted[name]}`).join(', ')}`,
        ),
      },
    )
  },
})

/** Whether all values are texts: what is none is the value of no label. */
function isLabels(value: Untyped): value is Readonly<Record<string, string>> {
  return Object.values(value).every((one) => typeof one === 'string')
}
