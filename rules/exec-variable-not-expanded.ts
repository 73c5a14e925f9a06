import {
  advise,
  at,
  type Container,
  enumerate,
  firstOf,
  type Graph,
  type RuleFix,
  rule,
  type Sight,
  set,
  shellOf,
  takenVariables,
  variablesNamedIn,
  type Workload,
} from '../src/rule.js'

const probes = { livenessProbe: 'liveness', readinessProbe: 'readiness', startupProbe: 'startup' } as const
const hooks = ['preStop', 'postStart'] as const

export default rule({
  title: 'A probe or hook runs without the value of a variable that it names',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `\`$(NAME)\` is not the shell's: the kubelet puts the value in its place, in \`command\` and \`args\` of the
container. In the command of a probe it knows only variables that have a \`value\` in the manifest: of one with
\`valueFrom\` nothing is put there, and one of \`envFrom\` stays the text \`$(NAME)\`. In a hook it puts in none at
all. A shell takes that text for a command and runs it. So the probe asks with no password or for another database,
and fails for a healthy container or passes for a broken one; a hook does nothing at the end of a pod.`,
  remedy: 'Run the command in a shell, and write `$NAME`.',
  decides: `The \`exec\` commands of liveness, readiness and startup probes with \`$(NAME)\`, where the container
has NAME from \`valueFrom\`, or by \`envFrom\` from a ConfigMap of the input; and those of the hooks \`preStop\` and
\`postStart\` with any variable of the container. One finding for each command.

Not reported: other names (\`$(hostname)\` is for the shell), and \`$$(NAME)\`, which is not meant to be replaced.`,
  sources: [
    'kubernetes/pkg/kubelet/prober/prober.go (runProbe)',
    'kubernetes/pkg/kubelet/container/helpers.go (ExpandContainerCommandOnlyStatic, v1EnvVarsToMap)',
    'kubernetes/pkg/kubelet/lifecycle/handlers.go (Run)',
    'kubernetes/third_party/forked/golang/expansion/expand.go (MappingFuncFor)',
  ],
  stories: [],
  for: 'Workload',
  check(workload, { graph, report }) {
    for (const { name, spec } of workload.running) {
      for (const [field, word] of Object.entries(probes)) {
        const command = spec[field as keyof typeof probes]?.exec?.command
        const lost = command ? lostIn(command, 'probe', spec, workload, graph) : []
        const [first] = lost
        if (!command || !first) continue
        const gets = first.isNamed ? 'nothing in the place of' : 'the mere text'
        report(
          command,
          first.index,
          `The ${word} probe of ${name} runs with ${gets} ${textOf(lost)}: the kubelet puts only variables with a value of their own there.`,
          {
            see: [first.see],
            restsOn: [[spec, 'env']],
            fix: fixOf(command, first),
            among: {
              key: `${name} ${gets} ${textOf(lost)}`,
              name: word,
              say: (words) =>
                `The ${enumerate(words, 'and')} probes of ${name} run with ${gets} ${textOf(lost)}: the kubelet puts only variables with a value of their own there.`,
            },
          },
        )
      }
      for (const field of hooks) {
        const command = spec.lifecycle?.[field]?.exec?.command
        const lost = command ? lostIn(command, 'hook', spec, workload, graph) : []
        const [first] = lost
        if (!command || !first) continue
        report(
          command,
          first.index,
          `The ${field} hook of ${name} runs with the mere text ${textOf(lost)}: the kubelet puts no variables there.`,
          { see: [first.see], restsOn: [[spec, 'env']], fix: fixOf(command, first) },
        )
      }
    }
  },
})

/** A variable of a container. */
interface Variable {
  readonly name: string
  /** Whether its value stands in the manifest. */
  readonly isStatic: boolean
  /** Whether the container names it itself, not all of a ConfigMap. */
  readonly isNamed: boolean
  readonly see: Sight
}

/** One that a word of a command names, and that the kubelet does not put there. */
interface Lost extends Variable {
  /** The word's place in the command. */
  readonly index: number
}

/** The variables of a container, by name; of two with one name the last one counts. */
function variablesOf(
  spec: Container['spec'],
  workload: Workload,
  graph: Graph,
): ReadonlyMap<string, Variable> {
  const variables = new Map<string, Variable>()
  for (const { name, config, key } of takenVariables(spec, workload, graph))
    variables.set(name, {
      name,
      isStatic: false,
      isNamed: false,
      see: at(config, config.data ?? config, key),
    })
  for (const one of spec.env ?? [])
    if (one.name !== undefined)
      variables.set(one.name, {
        name: one.name,
        isStatic: one.valueFrom === undefined,
        isNamed: true,
        see: at(workload, one, one.valueFrom === undefined ? 'value' : 'valueFrom'),
      })
  return variables
}

function lostIn(
  command: readonly string[],
  where: 'probe' | 'hook',
  spec: Container['spec'],
  workload: Workload,
  graph: Graph,
): readonly Lost[] {
  const named = command.flatMap((word, index) => variablesNamedIn(word).map((name) => ({ name, index })))
  if (named.length === 0) return []
  const variables = variablesOf(spec, workload, graph)
  return named.flatMap(({ name, index }) => {
    const variable = variables.get(name)
    return variable && (where === 'hook' || !variable.isStatic) ? [{ ...variable, index }] : []
  })
}

function textOf(lost: readonly Lost[]): string {
  return firstOf([...new Set(lost.map(({ name }) => `$(${name})`))])
}

/** In the script of a shell the shell can put it there, but not between single quotes. */
function fixOf(command: readonly string[], { index, name }: Lost): RuleFix {
  const script = command[index] ?? ''
  const isQuoted = script.slice(0, script.lastIndexOf(`$(${name})`)).includes("'")
  return shellOf(command)?.scriptAt === index && !isQuoted
    ? set(
        command,
        index,
        script.replaceAll(`$(${name})`, `\${${name}}`),
        `\${${name}}, which the shell replaces`,
      )
    : advise(`sh -c with $${name}, which the shell replaces`)
}
