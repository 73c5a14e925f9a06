import { advise, at, looksInto, objectAt, objectsAt, rule, stringAt, valueAt } from '../src/rule.js'

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
    const has = (labels: object | undefined) => names.every((name) => wanted[name] === valueAt(labels, name))
    const services = graph.all('Service').filter(looksInto(monitor, graph))
    if (services.some(({ metadata }) => has(metadata?.labels))) return
    const ports = objectsAt(monitor, 'spec', 'endpoints').map((one) => stringAt(one, 'port'))
    const meant = services.find(
      (service) =>
        has(service.spec?.selector) &&
        service.spec?.ports?.some(({ name }) => name !== undefined && ports.includes(name)) &&
        !graph.kustomized(service),
    )
    if (!meant) return
    const { labels } = meant.metadata ?? {}
    const key = names.find((name) => labels?.[name] !== wanted[name]) ?? ''
    const own = labels?.[key]
    report(
      selector,
      'matchLabels',
      `Nothing behind ${graph.describe(meant)} is scraped: its pods have label ${key}: ${String(wanted[key])}, the Service itself has ${own === undefined ? 'no such label' : own}.`,
      {
        see: [at(meant, meant.metadata ?? meant, labels ? 'labels' : 'name')],
        fix: advise(
          `labels of ${graph.describe(meant)}: ${names.map((name) => `${name}: ${String(wanted[name])}`).join(', ')}`,
        ),
      },
    )
  },
})
