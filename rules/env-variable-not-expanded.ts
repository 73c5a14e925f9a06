import {
  advise,
  at,
  type Container,
  type Fault,
  type Graph,
  nearestName,
  rule,
  set,
  variablesNamedIn,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A variable holds the mere text of another one',
  category: 'config',
  severity: 'error',
  why: `The kubelet goes through \`env\` from top to bottom and puts into \`$(NAME)\` what it knows by then. A variable that stands
below is not known yet, nor is one that is misspelt: nothing complains, and the text \`$(NAME)\` itself is the value. So a
password is literally \`$(REDIS_PASSWORD)\`, and a broker tells its clients to call \`$(POD_NAME)\`.`,
  remedy: 'Put the variable above those that use it.',
  decides: `A \`value\` in \`env\` with \`$(NAME)\`, where the container has NAME further down in \`env\` and nowhere above, and no
ConfigMap of \`envFrom\` has it. Also \`$(NAME)\` in a value or in \`command\` and \`args\` that is no variable of the container, and differs from
one of them in a letter or two.

Not reported: where \`envFrom\` names a Secret, or a ConfigMap that is not in the input, which may have the name; \`$$(NAME)\`, which is meant to
stay; scripts of a shell, where \`$(name)\` is a command; and other unknown names, which a program may replace itself.`,
  sources: [
    'kubernetes/pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables)',
    'kubernetes/third_party/forked/golang/expansion/expand.go',
  ],
  stories: [],
  for: 'Workload',
  check(workload, { graph, report }) {
    for (const { name, spec } of workload.containers) {
      if (!mayName(spec)) continue
      const taken = namesTaken(spec, workload, graph)
      if (!taken) continue
      for (const fault of [...inVariables(name, spec, taken, workload), ...inCommands(name, spec, taken)])
        report(...fault)
    }
  },
})

/** Whether a container has anything to replace: most have not. */
function mayName({ env = [], command = [], args = [] }: Container['spec']): boolean {
  return (
    env.some(({ value }) => typeof value === 'string' && value.includes('$(')) ||
    [...command, ...args].some((word) => typeof word === 'string' && word.includes('$('))
  )
}

/** What `envFrom` brings, also what `env` has anew; undefined where nobody knows. */
function namesTaken(
  { envFrom = [] }: Container['spec'],
  { object }: Workload,
  graph: Graph,
): ReadonlySet<string> | undefined {
  const names = new Set<string>()
  for (const { configMapRef, prefix = '' } of envFrom) {
    const config = configMapRef && graph.find('ConfigMap', configMapRef.name, object)
    if (!config) return undefined
    for (const key of Object.keys(config.data ?? {})) names.add(prefix + key)
  }
  return names
}

function inVariables(
  container: string,
  spec: Container['spec'],
  taken: ReadonlySet<string>,
  workload: Workload,
): readonly Fault[] {
  const env = spec.env ?? []
  const own = new Set(env.map(({ name }) => name ?? ''))
  const before = new Set(taken)
  return env.flatMap((variable, i): readonly Fault[] => {
    const { name = '', value } = variable
    const lost = variablesNamedIn(value).find((one) => !before.has(one) && own.has(one) && one !== name)
    before.add(name)
    const misspelt = lost ? undefined : slipIn(value, own, taken)
    const rest = { restsOn: [[spec, 'env']] as const }
    if (lost) {
      const below = env.findIndex((one, j) => j > i && one.name === lost)
      return [
        [
          variable,
          'value',
          `${name} of ${container} holds the mere text $(${lost}): the variable stands below it.`,
          {
            ...rest,
            see: [at(workload, env[below] ?? variable, 'name')],
            fix: advise(`Move ${lost} above ${name}`),
          },
        ],
      ]
    }
    return misspelt
      ? [
          [
            variable,
            'value',
            `${name} of ${container} holds the mere text $(${misspelt.written}): there is no such variable, and there is ${misspelt.meant}.`,
            { ...rest, fix: set(variable, 'value', misspelt.mended, `$(${misspelt.meant})`) },
          ],
        ]
      : []
  })
}

function inCommands(
  container: string,
  spec: Container['spec'],
  taken: ReadonlySet<string>,
): readonly Fault[] {
  const own = new Set((spec.env ?? []).map(({ name }) => name ?? ''))
  return [spec.command ?? [], spec.args ?? []].flatMap((words) =>
    words.flatMap((word, i): readonly Fault[] => {
      const misspelt = slipIn(word, own, taken)
      return misspelt
        ? [
            [
              words,
              i,
              `${container} starts with the mere text $(${misspelt.written}): there is no such variable, and there is ${misspelt.meant}.`,
              { restsOn: [[spec, 'env']], fix: set(words, i, misspelt.mended, `$(${misspelt.meant})`) },
            ],
          ]
        : []
    }),
  )
}

/** A name that is none of a container's variables and nearly one of them. */
function slipIn(text: unknown, own: ReadonlySet<string>, taken: ReadonlySet<string>) {
  const known = [...own, ...taken]
  for (const written of variablesNamedIn(text)) {
    if (own.has(written) || taken.has(written) || !isVariable(written)) continue
    const meant = nearestName(written, known)
    if (meant) return { written, meant, mended: String(text).replaceAll(`$(${written})`, `$(${meant})`) }
  }
  return undefined
}

/** What variables are called, and no command of a shell; the addresses of Services come from the kubelet. */
function isVariable(name: string): boolean {
  return /^[A-Z][A-Z0-9_]{3,}$/.test(name) && !/_(?:SERVICE_(?:HOST|PORT)|PORT)(?:_|$)/.test(name)
}
