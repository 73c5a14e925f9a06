import {
  advise,
  asksToHold,
  at,
  atMost,
  type Container,
  containerStates,
  formatEnd,
  hasNativeSidecars,
  holdsApplications,
  imageNamed,
  type Live,
  lastEnd,
  proxyNames,
  rule,
  type Workload,
} from '../src/rule.js'

/** After its start a proxy needs some seconds before it lets connections through, in milliseconds. */
const warmUp = 15_000

export default rule({
  title: 'The application may start before the proxy that it needs',
  category: 'workload-lifecycle',
  severity: 'info',
  recommended: false,
  why: `The kubelet starts the ordinary containers of a pod one after the other and waits for none of them, except
for a \`postStart\` hook. An application that connects to its database or its peers through a proxy in the same
pod finds nobody there at first; at the end the proxy may be gone before the last request is answered. Where a
failed connection ends the process, each trouble of the network becomes a wave of restarts.`,
  remedy: 'Make the proxy an init container with `restartPolicy: Always` and a `startupProbe`.',
  decides: `An ordinary container whose image or name is one of \`proxies\`, beside other containers, that is not
the first with a \`postStart\` hook, in a pod without \`holdApplicationUntilProxyStarts: true\`. Istio's proxy is
exempt where the input has that in the configuration of the mesh, or \`ENABLE_NATIVE_SIDECARS\` on istiod, or an
istiod of 1.27 or later that does not switch it off and nodes, in manifests a target version, of 1.33 or later. Jobs
are \`job-sidecar-never-completes\`.

A warning in a cluster where a container crashed before its proxy, also an injected one, had been up for
${warmUp / 1000} s, and runs since.`,
  versions:
    'Init containers with `restartPolicy: Always` are on by default from 1.29, stable in 1.33. Istio makes its proxy one from 1.27 on, on nodes of 1.33.',
  sources: [
    'kubernetes/pkg/kubelet/kuberuntime/kuberuntime_manager.go (SyncPod)',
    'kubernetes/pkg/features/kube_features.go (SidecarContainers)',
    'istio/pilot/pkg/features/pilot.go (ENABLE_NATIVE_SIDECARS), istio/pkg/kube/inject/webhook.go (DetectNativeSidecar)',
  ],
  stories: ['airmap-pleg', 'exponea-istio'],
  params: {
    proxies: {
      type: 'array',
      items: { type: 'string' },
      default: [...proxyNames],
      about: 'Parts of image names, or container names, of proxies that others connect through.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, minor, report }) {
    if (workload.batch) return
    const isProxy = ({ name, image }: Container) =>
      params.proxies.includes(name) || imageNamed(image, params.proxies)
    const ordinary = workload.containers.filter(({ role }) => role === 'ordinary')
    const proxy = ordinary.find(isProxy)
    const waits = Object.values(workload.annotations).some(asksToHold)
    const crashed = graph.live ? earlyCrashes(workload, params.proxies, isProxy, graph.live) : []
    const others = ordinary.filter((one) => !isProxy(one))
    const isFirst = proxy?.index === 0 && proxy.spec.lifecycle?.postStart !== undefined
    const fix = advise(
      minor >= 29
        ? 'move the proxy to initContainers, with restartPolicy: Always and a startupProbe'
        : 'put the proxy first, with a postStart hook that waits until it is ready',
    )
    if (crashed.length > 0) {
      report(
        proxy?.spec ?? workload.template,
        undefined,
        `${workload.name} crashes at its start, before its proxy lets connections through.`,
        { severity: 'warning', evidence: atMost(3, crashed), fix },
      )
      return
    }
    const [first] = others
    if (!proxy || !first || isFirst || waits) return
    // The injector merges what it knows into a container that is there.
    if (proxy.name === 'istio-proxy' && (holdsApplications(graph) || hasNativeSidecars(graph, minor))) return
    report(
      proxy.spec,
      'name',
      `${first.name} may start before ${proxy.name} lets it connect, and lose it before its last request: nothing orders them.`,
      { see: [at(workload, first.spec, 'name')], fix },
    )
  },
})

/** Pods of which a container ended before the proxy had been up for some seconds. */
function earlyCrashes(
  workload: Workload,
  proxies: readonly string[],
  isProxy: (one: Container) => boolean,
  live: Live,
): string[] {
  const written = workload.containers.filter(isProxy).map(({ name }) => name)
  return live.podsOf(workload).flatMap((pod) => {
    const states = containerStates(pod)
    const proxy = states.find(({ name = '' }) => written.includes(name) || proxies.includes(name))
    const up = Date.parse(proxy?.state?.running?.startedAt ?? '')
    const inits = new Set((pod.status?.initContainerStatuses ?? []).map(({ name }) => name))
    // The kubelet waits for an init container; one that was restarted says nothing of the pod's start.
    if (!proxy || Number.isNaN(up) || (proxy.restartCount ?? 0) > 0 || inits.has(proxy.name)) return []
    return states.flatMap((state) => {
      const end =
        state === proxy || inits.has(state.name) || !state.state?.running ? undefined : lastEnd(state)
      return end && end.exitCode !== 0 && end.endedAt > 0 && end.endedAt < up + warmUp
        ? [
            `pod ${pod.metadata?.name ?? ''}, container ${state.name ?? ''}: ${formatEnd(end)}, ${relative(end.endedAt - up)} the start of ${proxy.name ?? ''}`,
          ]
        : []
    })
  })
}

function relative(milliseconds: number): string {
  return `${Math.round(Math.abs(milliseconds) / 1000)} s ${milliseconds < 0 ? 'before' : 'after'}`
}
