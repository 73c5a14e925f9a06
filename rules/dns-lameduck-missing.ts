import {
  advise,
  at,
  corednsOf,
  corefile,
  formatSeconds,
  graceOf,
  rule,
  seconds,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A DNS server goes away before its clients know',
  category: 'dns',
  severity: 'warning',
  why: `A pod that is deleted stays in the tables of the nodes for a second or more, and clients keep their
UDP flow to it. CoreDNS exits at once when it is told to, unless \`lameduck\` of its plugin \`health\` makes
it answer a while longer: queries of that time are lost, and each costs its client a timeout of five seconds.`,
  remedy: 'Give `health` a `lameduck` of 5 s or more, shorter than the grace period of the pods.',
  decides: `The Corefile of a ConfigMap (key \`Corefile\`) with the plugin \`kubernetes\`: \`health\` has no
\`lameduck\`, or one shorter than \`minLameduck\`. Where the Deployment that mounts it is known: a
\`lameduck\` that is not over when the grace period of the pods is; and, as an error, a readiness probe of
\`/ready\` on port 8181 without the plugin \`ready\`, which can never succeed.

Exempt: Corefiles that import others or have no server for the cluster's names, and caches on each node, whose
pods are no endpoints of a Service.`,
  sources: ['coredns/plugin/health/README.md and setup.go', 'coredns/plugin/ready/README.md'],
  stories: ['preply-dns-conntrack', 'datadog-10-ways'],
  unless: ['coredns-plugin-removed'],
  params: {
    minLameduck: {
      type: 'integer',
      minimum: 1,
      default: 5,
      about: 'Seconds that CoreDNS must go on answering.',
    },
  },
  for: 'ConfigMap',
  check(map, { graph, params, report }) {
    const { data } = map
    const text = data?.Corefile
    if (!data || !text) return
    const plugins = corefile(text).flatMap((block) => block.plugins)
    const has = (name: string) => plugins.some((plugin) => plugin.name === name)
    if (!has('kubernetes') || has('import')) return
    const server = corednsOf(map, graph)?.workload
    if (server?.kind === 'DaemonSet') return
    const probe = server && readyProbe(server)
    if (server && probe && !has('ready')) {
      report(
        data,
        'Corefile',
        `No pod of ${server.name} ever becomes ready: its probe asks the plugin ready, which is not on.`,
        {
          severity: 'error',
          see: [at(server, probe)],
          fix: advise('add ready to the server block'),
        },
      )
      return
    }
    const option = plugins
      .filter(({ name }) => name === 'health')
      .flatMap(({ options }) => options)
      .find(({ name }) => name === 'lameduck')
    const lameduck = option ? (seconds(option.args[0]) ?? params.minLameduck) : 0
    if (lameduck < params.minLameduck) {
      report(
        data,
        'Corefile',
        `DNS queries are lost in each rollout of CoreDNS: it ${lameduck === 0 ? 'exits at once' : `answers for ${formatSeconds(lameduck)} only`} while nodes still send to it.`,
        { fix: advise(`lameduck ${params.minLameduck}s, on a line of its own in the block of health`) },
      )
      return
    }
    if (!server) return
    const grace = graceOf(server)
    if (grace > lameduck) return
    report(
      data,
      'Corefile',
      `CoreDNS is killed before it has gone out of service: lameduck is ${formatSeconds(lameduck)}, the grace period of its pods ${formatSeconds(grace)}.`,
      { see: [at(server, server.pod, 'terminationGracePeriodSeconds')] },
    )
  },
})

/** A probe of the plugin `ready` at the port that it has by default. */
function readyProbe({ running }: Workload): object | undefined {
  return running
    .map(({ spec }) => spec.readinessProbe?.httpGet)
    .find((get) => get?.path === '/ready' && String(get.port) === '8181')
}
