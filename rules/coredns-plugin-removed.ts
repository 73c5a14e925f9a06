import {
  advise,
  at,
  type CorefilePlugin,
  corednsOf,
  corefile,
  editDistance,
  imageParts,
  inRange,
  isReady,
  ownValue,
  presentPods,
  type RuleFix,
  rule,
  type ServerBlock,
  safe,
  set,
  troubles,
  type Version,
  version,
} from '../src/rule.js'

export default rule({
  title: 'The Corefile uses what this CoreDNS does not know',
  category: 'dns',
  severity: 'error',
  why: `CoreDNS refuses a configuration with a plugin or option that it does not know. Pods that run keep
what they have read; the next one that starts, with an upgrade or on another node, exits at once, and when the
last old pod goes the cluster has no DNS.`,
  remedy: 'Replace what was removed: `proxy` by `forward`; drop `federation`, `upstream` and `resyncperiod`.',
  decides: `The Corefile of a ConfigMap (key \`Corefile\`) is compared with the version of the CoreDNS workload that
mounts it, else with the one that kubeadm brings for the target version of Kubernetes. Reported are \`startup\` and
\`shutdown\` (gone from 1.1.0), \`proxy\` (1.5.0), \`federation\` (1.7.0), in \`kubernetes\` the options
\`upstream\` and \`resyncperiod\` (1.7.0) and \`transfer\` (1.8.0), and a plugin that no build has and that differs
from a known one in one letter. An info when \`autopath @kubernetes\` has no \`pods verified\` and so no effect,
and, where the rule is asked for, when servers that forward have no \`loop\`.

Exempt: the configuration of node-local-dns, whose build has versions of its own, and names in \`plugins\`.`,
  falsePositives: 'A build of CoreDNS of your own with the old plugin compiled in: name it in `plugins`.',
  versions:
    'kubeadm brings CoreDNS 1.6 from Kubernetes 1.16, 1.7 from 1.19 and 1.8 from 1.21 on (corefile-migration, versions.go).',
  sources: [
    'coredns/plugin.cfg and notes/coredns-1.1.0.md, 1.5.0, 1.7.0',
    'coredns/plugin/kubernetes/setup.go, autopath.go',
    'corefile-migration/migration/plugins.go',
  ],
  stories: ['dfds-coredns-upgrade'],
  params: {
    plugins: {
      type: 'array',
      items: { type: 'string' },
      default: [],
      about: 'Plugins that the build of CoreDNS in use has besides the usual ones.',
    },
  },
  for: 'ConfigMap',
  check(map, { graph, params, minor, report }) {
    const { data } = map
    const text = data?.Corefile
    if (!data || !text || /\b__PILLAR__|node-?local/.test(`${map.metadata?.name} ${text}`)) return
    const server = corednsOf(map, graph)
    const own = version(imageParts(server?.container.image ?? '').tag)
    const found = problemIn(corefile(text), own ?? bundledWith(minor), params.plugins)
    if (!found) {
      for (const [message, recommended] of idleIn(corefile(text)))
        report(data, 'Corefile', message, { severity: 'info', recommended })
      return
    }
    const what = own ? `CoreDNS ${own.join('.')}` : 'CoreDNS'
    const pods = server && graph.live ? presentPods(server.workload, graph.live) : []
    const runs = pods.some(isReady)
    report(
      data,
      'Corefile',
      `${what} ${runs ? 'will not start again' : 'does not start'}: ${found.message}.`,
      {
        see: [server && at(server.workload, server.container.spec, 'image')],
        fix:
          (!graph.live && changed(data, text, own ?? bundledWith(minor), params.plugins)) ||
          advise(found.cure),
        evidence: graph.live && troubles(pods, graph.live),
      },
    )
  },
})

/** What means the same to a newer CoreDNS, where that leaves nothing that it does not know. */
function changed(data: object, text: string, running: Version, more: readonly string[]): RuleFix | undefined {
  let plugin = ''
  const cures = new Set<string>()
  const lines = text.split('\n').filter((line) => {
    const [word = '', ...rest] = line.trim().split(/\s+/)
    if (rest.at(-1) === '{') plugin = word
    else if (word === '}') plugin = ''
    const isIdle = plugin === 'kubernetes' && (word === 'upstream' || word === 'resyncperiod')
    if (isIdle) cures.add(`remove ${word}`)
    return !isIdle
  })
  // One with options of its own needs another eye: those of forward have other names.
  const better = lines.map((line) => line.replace(/^(\s*)proxy(?=\s+\S+\s+[^\s{][^{]*$)/, '$1forward'))
  if (better.some((line, i) => line !== lines[i])) cures.add('write forward instead of proxy')
  const result = better.join('\n')
  const isWhole = cures.size > 0 && !problemIn(corefile(result), running, more)
  return isWhole ? safe(set(data, 'Corefile', result, [...cures].join(', '))) : undefined
}

/** What starts and does less than it seems to: a message, and whether by default. */
function idleIn(
  blocks: readonly ServerBlock[],
): readonly (readonly [message: string, recommended: boolean])[] {
  return blocks.flatMap(({ plugins }) => {
    const find = (name: string) => plugins.find((one) => one.name === name)
    const kubernetes = find('kubernetes')
    if (!kubernetes) return []
    const mode = kubernetes.options.find(({ name }) => name === 'pods')?.args[0]
    return [
      ...(find('autopath')?.args.includes('@kubernetes') && mode !== 'verified'
        ? ([
            [
              'Pods ask for every search domain all the same: autopath does nothing unless the plugin kubernetes has the option pods verified.',
              true,
            ],
          ] as const)
        : []),
      ...(find('forward') && !find('loop')
        ? ([
            [
              'A server that forwards to itself answers more and more queries until it runs out of memory: there is no plugin loop to stop it.',
              false,
            ],
          ] as const)
        : []),
    ]
  })
}

/** The CoreDNS that kubeadm installs, as far as it matters here. */
function bundledWith(minor: number): Version {
  return [1, minor >= 21 ? 8 : minor >= 19 ? 7 : minor >= 16 ? 6 : 3, 0]
}

interface Problem {
  readonly message: string
  readonly cure: string
}

const removedPlugins: Readonly<Record<string, readonly [since: string, cure: string]>> = {
  startup: ['1.1.0', 'use the plugin on'],
  shutdown: ['1.1.0', 'use the plugin on'],
  proxy: ['1.5.0', 'write forward instead of proxy'],
  federation: ['1.7.0', 'remove federation'],
}
const removedOptions: Readonly<Record<string, readonly [since: string, cure: string]>> = {
  upstream: ['1.7.0', 'remove upstream: it had no effect any more'],
  resyncperiod: ['1.7.0', 'remove resyncperiod: it had no effect any more'],
  transfer: ['1.8.0', 'move transfer to the plugin transfer'],
}

function problemIn(
  blocks: readonly ServerBlock[],
  running: Version,
  more: readonly string[],
): Problem | undefined {
  const gone = (since: string) => inRange(running, `>=${since}`)
  for (const plugin of blocks.flatMap(({ plugins }) => plugins)) {
    if (more.includes(plugin.name)) continue
    const [since, cure] = ownValue(removedPlugins, plugin.name) ?? []
    if (since && cure && gone(since))
      return { message: `it has no plugin ${plugin.name} from ${since} on`, cure }
    const option = oldOption(plugin, gone)
    if (option) return option
    const near = since ? undefined : slipOf(plugin.name)
    if (near)
      return {
        message: `there is no plugin ${plugin.name}, only ${near}`,
        cure: `write ${near} instead of ${plugin.name}`,
      }
  }
  return undefined
}

function oldOption({ name, options }: CorefilePlugin, gone: (since: string) => boolean): Problem | undefined {
  if (name !== 'kubernetes') return undefined
  for (const option of options) {
    const [since, cure] = ownValue(removedOptions, option.name) ?? []
    if (since && cure && gone(since))
      return { message: `its plugin kubernetes has no option ${option.name} from ${since} on`, cure }
  }
  return undefined
}

/** The plugins of the usual builds that are as long as to tell a slip. Source: coredns/plugin.cfg of 1.12.1. */
const longNames = `metadata geoip cancel timeouts multisocket reload bufsize ready health prometheus errors
  loadbalance cache rewrite header dnssec autopath minimal template transfer hosts route53 azure clouddns
  k8s_external kubernetes secondary forward whoami`.split(/\s+/)

/** Names that are near to others and right: other plugins, and those of other builds. */
const others = /^(auto|proxy|erratic|import|hosts|host|caches|view|header|headers|ready|route5?3?)$/

function slipOf(name: string): string | undefined {
  if (longNames.includes(name) || others.test(name) || name.length < 5) return undefined
  return longNames.find((known) => editDistance(known, name, 1) === 1)
}
