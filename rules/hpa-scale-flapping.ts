import { at, formatSeconds, imageNamed, rule, set } from '../src/rule.js'

export default rule({
  title: 'The autoscaler removes pods as soon as a spike is over',
  category: 'autoscaling',
  severity: 'info',
  why: `With a short stabilization window the autoscaler takes pods away at the first quiet minute and adds
them at the next spike. Each turn changes endpoints, cuts long connections, and, where addresses are
announced by the nodes that have pods, moves traffic between nodes.`,
  remedy: 'Leave `scaleDown.stabilizationWindowSeconds` at 300 or more.',
  decides: `\`behavior.scaleDown.stabilizationWindowSeconds\` below \`minWindow\` (absent means 300 and is
fine) for a workload behind a Service. A warning when such a Service has \`externalTrafficPolicy: Local\` or
the pods are DNS servers.

Exempt: workers without a Service, \`selectPolicy: Disabled\`, and policies that take one pod a minute at
most.`,
  versions: 'The default window is 300 seconds in all releases of autoscaling/v2.',
  sources: ['kubernetes/pkg/controller/podautoscaler/config/v1alpha1/defaults.go'],
  stories: ['oneandone-ecmp-resets', 'preply-dns-conntrack'],
  params: {
    minWindow: { type: 'integer', minimum: 0, default: 120, about: 'Seconds of quiet that are enough.' },
  },
  for: 'HorizontalPodAutoscaler',
  check(hpa, { graph, params, report }) {
    const down = hpa.spec?.behavior?.scaleDown
    const window = down?.stabilizationWindowSeconds
    if (!down || window === undefined || window >= params.minWindow || down.selectPolicy === 'Disabled')
      return
    const policies = down.policies ?? []
    const slow = policies.every(
      ({ type, value = 0, periodSeconds = 0 }) => type === 'Pods' && value * 60 <= periodSeconds,
    )
    const target = graph.targetOf(hpa)
    const services = target ? graph.servicesOf(target) : []
    const [service] = services
    if (!target || !service || (slow && policies.length > 0)) return
    const local = services.find((one) => one.spec?.externalTrafficPolicy === 'Local')
    const dns = target.running.some(({ image }) => imageNamed(image, ['coredns', 'kube-dns', 'dnsmasq']))
    const after = window === 0 ? 'at the first quiet moment' : `after ${formatSeconds(window)} of quiet`
    report(
      down,
      'stabilizationWindowSeconds',
      `${local ? 'Client connections are reset' : 'Connections are cut'} after each short spike: pods of ${target.name} go ${after}.`,
      {
        severity: local || dns ? 'warning' : 'info',
        see: [local ? at(local, local.spec ?? local, 'externalTrafficPolicy') : at(service, service)],
        fix: set(down, 'stabilizationWindowSeconds', 300),
      },
    )
  },
})
