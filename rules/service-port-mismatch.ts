import { at, type ContainerPort, rule, set } from '../src/rule.js'

export default rule({
  title: 'A Service port leads to no port of its pods',
  category: 'networking',
  severity: 'error',
  why: `A named \`targetPort\` is looked up in the ports of the pod's containers, with the same protocol.
When no container declares it, the endpoints have no such port and connections are refused or hang. A number
is used as it stands: a wrong one gives refused connections.`,
  remedy: 'Use the name or the number of a port that the container declares.',
  decides: `Each port of a Service that selects workloads of the input. A name that no ordinary container or
native sidecar declares for that protocol is an error. A number is a warning when the pods declare ports and
none of the Service's numbers is among them; undeclared ports are legal, so a single number beside a
declared one is left alone.

Exempt: headless Services without ports, ExternalName, pods with injected sidecars that may own the port,
and custom resources that add containers of their own.`,
  falsePositives: 'A port that the image listens on but the manifest does not list: list it.',
  sources: ['kubernetes/staging/src/k8s.io/endpointslice/utils.go'],
  stories: ['machu-kube-proxy-ipvs'],
  for: 'Service',
  check(service, { graph, report }) {
    const backends = graph.backendsOf(service)
    const ports = service.spec?.ports ?? []
    // Where one port is declared as it should be the others may be open without being listed.
    const listed = backends.some((workload) =>
      ports.some((port) => graph.portOf(workload, port)?.port !== undefined),
    )
    for (const port of ports) {
      const protocol = port.protocol ?? 'TCP'
      const target = port.targetPort ?? port.port
      if (target === undefined || (typeof target === 'string' ? !/^[a-z0-9-]{1,15}$/.test(target) : listed))
        continue
      const wrong = backends.filter((workload) => {
        const declared = workload.running.flatMap(({ spec }) => spec.ports ?? [])
        if (typeof target !== 'string' && declared.length === 0) return false
        return !declared.some(
          (one) =>
            (one.protocol ?? 'TCP') === protocol &&
            (typeof target === 'string' ? one.name === target : one.containerPort === target),
        )
      })
      // Another workload behind the same Service may own the port.
      const [workload] = wrong
      if (!workload || wrong.length < backends.length) continue
      const declared = workload.running.flatMap(({ spec }) => spec.ports ?? [])
      const named = typeof target === 'string'
      const same = declared.find((one) => (named ? one.name === target : one.containerPort === target))
      const list = declared.map(show).join(', ') || 'none'
      const only = declared.filter((one) => (one.protocol ?? 'TCP') === protocol)
      const [one] = only
      const [container] = workload.running
      report(
        port,
        port.targetPort === undefined ? 'port' : 'targetPort',
        `${named ? 'Connections fail' : 'Connections may be refused'}: pods of ${workload.name} have no port ${target}${same ? ` for ${protocol}, only for ${same.protocol ?? 'TCP'}` : `, but ${list}`}.`,
        {
          severity: named ? 'error' : 'warning',
          see: [container ? at(workload, container.spec, 'ports') : undefined],
          fix:
            one && only.length === 1 && !same
              ? set(port, 'targetPort', one.name ?? one.containerPort)
              : undefined,
        },
      )
    }
  },
})

function show(port: ContainerPort): string {
  return port.name ? `${port.name} (${port.containerPort})` : String(port.containerPort)
}
