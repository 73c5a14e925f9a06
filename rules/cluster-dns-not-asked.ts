import {
  at,
  type Container,
  type Graph,
  rule,
  type Sight,
  set,
  takenVariables,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A pod calls Services by names that its DNS does not know',
  category: 'dns',
  severity: 'warning',
  why: `Names of Services exist in the cluster's DNS alone. A pod with \`hostNetwork\` asks the DNS of its node, also with
\`dnsPolicy: ClusterFirst\`, which is the default: the kubelet turns it into \`Default\` for such pods. Every lookup of a Service
then ends in "no such host", from the first start on or from the day somebody adds \`hostNetwork\`.`,
  remedy: 'Set `dnsPolicy: ClusterFirstWithHostNet`.',
  decides: `Pods with \`hostNetwork\` and no \`dnsPolicy\` or \`ClusterFirst\`, and pods with \`dnsPolicy: Default\`, of which
an argument, or an environment variable in place or from a ConfigMap of the input, calls a Service by its name: as
\`web.shop.svc\` or \`web.shop.svc.cluster.local\` behind \`://\` or before a port. A name that stands alone may be one in a certificate.

Exempt: pods with name servers of their own (\`dnsConfig.nameservers\`, \`dnsPolicy: None\`), and those that run on Windows.`,
  falsePositives: 'Nodes whose resolver asks the DNS of the cluster for its domain.',
  sources: ['kubernetes/pkg/kubelet/network/dns/dns.go (getPodDNSType)'],
  stories: [],
  for: 'Workload',
  check(workload, { graph, report }) {
    const { pod, name } = workload
    const policy = pod.dnsPolicy ?? 'ClusterFirst'
    const asksNode = policy === 'Default' || (policy === 'ClusterFirst' && pod.hostNetwork === true)
    if (!asksNode || (pod.dnsConfig?.nameservers ?? []).length > 0 || pod.os?.name === 'windows') return
    const called = calledBy(workload, graph)
    if (!called) return
    report(
      pod,
      pod.dnsPolicy ? 'dnsPolicy' : 'hostNetwork',
      `${name} finds no address of ${called.host}: it asks the DNS of its node, which knows no Service.`,
      {
        see: [called.see],
        fix: set(pod, 'dnsPolicy', pod.hostNetwork ? 'ClusterFirstWithHostNet' : 'ClusterFirst'),
      },
    )
  },
})

/** A Service that is called: `http://web.shop.svc/metrics`, `web.shop.svc.cluster.local:4317`. */
const call =
  /(?<scheme>:\/\/(?:[^@/\s]*@)?)?(?<![\w.-])(?<host>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.svc(?:\.[a-z0-9-]+)*)(?<port>:\d)?/g

/** Names of who issues tokens and whom they are for have the form of an address, and nobody asks for it. */
const identity = /issuer|audience/i

interface Called {
  readonly host: string
  readonly see: Sight
}

/** The first Service that a container of the workload is told to call. */
function calledBy(workload: Workload, graph: Graph): Called | undefined {
  for (const { spec } of workload.containers) {
    const called =
      inWords(spec.command, workload) ??
      inWords(spec.args, workload) ??
      inVariables(spec, workload) ??
      inConfig(spec, workload, graph)
    if (called) return called
  }
  return undefined
}

function inWords(words: readonly string[] = [], workload: Workload): Called | undefined {
  const index = words.findIndex((word) => hostIn(word) !== undefined)
  const host = hostIn(words[index])
  return host ? { host, see: at(workload, words, index) } : undefined
}

function inVariables({ env = [] }: Container['spec'], workload: Workload): Called | undefined {
  for (const variable of env) {
    const host = identity.test(variable.name ?? '') ? undefined : hostIn(variable.value)
    if (host) return { host, see: at(workload, variable, 'value') }
  }
  return undefined
}

function inConfig(spec: Container['spec'], workload: Workload, graph: Graph): Called | undefined {
  for (const { name, value, config, key } of takenVariables(spec, workload, graph)) {
    const host = identity.test(name) ? undefined : hostIn(value)
    if (host) return { host, see: at(config, config.data ?? config, key) }
  }
  return undefined
}

function hostIn(text: unknown): string | undefined {
  if (typeof text !== 'string' || !text.includes('.svc')) return undefined
  for (const { groups = {}, index } of text.matchAll(call)) {
    const isFlag = identity.test(text.slice(text.lastIndexOf(' ', index) + 1, index))
    if ((groups.scheme || groups.port) && !isFlag) return groups.host
  }
  return undefined
}
