/** The command line: reads the arguments, runs one command, and says in the exit code how it went. */
import { Command, CommanderError, Help, InvalidArgumentError, Option } from 'commander'
import { version } from '../../package.json'
import { namespacePattern, presets } from '../config/config.js'
import { UsageError } from '../config/usage.js'
import { severities } from '../finding.js'
import { formatNames } from '../reporters/reporter.js'
import { printable, wrap } from '../reporters/text.js'
import { enumerate } from '../values/enumerate.js'
import { nearestName } from '../values/similar.js'
import { looksLikePath } from './paths.js'
import { tell, terminalOf, write } from './streams.js'

const lintExitCodes = `Exit code:
  0  nothing found at or above --fail-on
  1  findings at or above it; manifests that cannot be read count as errors
  2  the job could not be done: a wrong flag or configuration, a missing path,
     no Kubernetes objects, a build that fails, an internal error`
const scanExitCodes = `Exit code:
  0  nothing found at or above --fail-on
  1  findings at or above it
  2  the job could not be done: a wrong flag or configuration, a cluster that
     cannot be read, an internal error
  3  one of several clusters could not be read;
     with --require-complete: anything could not be read`

export { isFlushed } from './streams.js'

/**
 * Runs the program with its arguments and sets the exit code of the process. Never throws.
 * @param args without the node executable and the script
 */
export async function main(args: readonly string[]): Promise<void> {
  try {
    process.exitCode = await run(args)
  } catch (error) {
    process.exitCode = 2
    for (const line of explanation(error)) tell(line)
  }
}

/** What the user is told, in lines. Names of files and keys may come from anybody: they cannot steer the terminal. */
function explanation(error: unknown): string[] {
  const { stack, message } = error instanceof Error ? error : new Error(String(error))
  if (process.env.K8S_AF_DEBUG === '1') return [stack ?? message]
  const lines =
    error instanceof UsageError ? error.lines : [`internal error: ${message} (K8S_AF_DEBUG=1 shows where)`]
  return lines.map((line) => `k8s-af: ${printable(line)}`)
}

async function run(args: readonly string[]): Promise<number> {
  let code = 0
  const [first = '', second = ''] = args
  const program = programWith(
    (result) => {
      code = result
    },
    // To describe all the others takes a fiftieth of a short run.
    Object.hasOwn(everyCommand, first) ? [first] : undefined,
  )
  if (args.length === 0) {
    program.outputHelp({ error: true })
    return 2
  }
  // What bin/kubectl_complete-af asks: its words are unfinished, and nobody else's.
  if (first === '__complete') {
    const { kubectlCompletionCommand } = await import('./completion-kubectl.js')
    return kubectlCompletionCommand(args.slice(1), program)
  }
  const commands = [...program.commands.map((command) => command.name()), 'help']
  const isCommand = commands.includes(first)
  const wanted = first === 'help' && second !== '' ? second : first
  if (!wanted.startsWith('-') && !commands.includes(wanted)) throw unknownCommand(wanted, program)
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return 0
    // A command that only has commands was asked for by itself.
    if (error.code === 'commander.help') return 2
    const group =
      error.code === 'commander.unknownCommand' && program.commands.find((one) => one.name() === first)
    if (group) throw unknownCommand(second, group)
    const flag = /^error: unknown option '(--[\w-]+)'$/.exec(error.message)?.[1] ?? ''
    const own = first === 'lint' || first === 'scan' ? flagsElsewhere.get(flag) : undefined
    const hint = own === undefined ? '' : `. Did you mean ${own}?`
    throw new UsageError(`${oneLine(error.message)}${hint} (k8s-af ${isCommand ? `${first} ` : ''}--help)`)
  }
  return code
}

const byRuleOrFile = '--disable for rules, or ignore in .k8s-af.yaml for files'

/** How flags that people know from other linters are called here, where their names are not near. */
const flagsElsewhere: ReadonlyMap<string, string> = new Map([
  ['--format', '-o'],
  ['--output-format', '-o'],
  ['--severity', '--min-severity'],
  ['--quiet', '--min-severity error'],
  ['--select', '--only'],
  ['--rule', '--only'],
  ['--rules', '--only'],
  ['--include', '--only'],
  ['--skip', '--disable'],
  ['--ignore', byRuleOrFile],
  ['--exclude', byRuleOrFile],
])

/** @param parent the program, or a command that only has commands */
function unknownCommand(name: string, parent: Command): UsageError {
  const called = parent.parent ? `${parent.parent.name()} ${parent.name()}` : parent.name()
  if (!parent.parent && looksLikePath(name))
    return new UsageError(`${name} is no command. To lint it: k8s-af lint ${name}`)
  const near = nearestName(
    name,
    parent.commands.map((command) => command.name()),
  )
  return new UsageError(
    `there is no command ${JSON.stringify(parent.parent ? `${parent.name()} ${name}` : name)}. ${near ? `Did you mean ${JSON.stringify(near)}?` : `${called} --help lists them.`}`,
  )
}

/** Commander's message without its prefix, on one line. */
function oneLine(message: string): string {
  return message
    .replace(/^error: /, '')
    .split('\n')
    .map((line) => line.replace(/^\((.*)\)$/, '$1'))
    .join('. ')
}

/** Splits `a,b c`; given repeatedly, the values add up. */
function names(value: string, before: readonly string[] = []): readonly string[] {
  const own = value.split(/[\s,]+/).filter((name) => name !== '')
  if (own.length === 0) throw new InvalidArgumentError('It is empty.')
  return [...before, ...own]
}

/** A time such as `30s`, `5m`, `500ms` or `1m30s`, as kubectl writes it, in milliseconds; a bare number counts seconds. */
function duration(value: string): number {
  const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  const isWhole = parts.map(([part]) => part).join('') === value && value !== ''
  const time = isWhole
    ? parts.reduce((sum, [, number, unit]) => sum + Number(number) * units[unit as keyof typeof units], 0)
    : /^\d+$/.test(value)
      ? Number(value) * 1000
      : 0
  if (time <= 0 || time > 24 * units.h) throw new InvalidArgumentError('Write a time like 30s or 5m.')
  return time
}

function namespaceName(value: string): string {
  if (!new RegExp(namespacePattern).test(value))
    throw new InvalidArgumentError('It is no name of a namespace.')
  return value
}

function wholeNumber(value: string): number {
  const number = Number(value)
  if (!Number.isInteger(number) || number < 1)
    throw new InvalidArgumentError('It is no whole number above 0.')
  return number
}

function more(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

/**
 * The program with its commands. What each of them needs is imported when it runs.
 * @param done receives the exit code
 * @param commands those that it has to know; all by default
 */
export function programWith(done: Done, commands = Object.keys(everyCommand)): Command {
  const program = new Command('k8s-af')
    .description(
      'Finds in Kubernetes manifests and live clusters the failure patterns that teams have published after their outages.',
    )
    .version(`k8s-af ${version}`, '--version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => write(text),
      writeErr: (text) => write(text, 'stderr'),
      outputError: () => {},
      getOutHelpWidth: () => terminalOf('stdout').columns ?? 80,
      getErrHelpWidth: () => terminalOf('stderr').columns ?? 80,
    })
    // Choices and defaults stand in the descriptions, in words.
    .configureHelp({
      optionDescription: ({ description }) => description,
      argumentDescription: ({ description }) => description,
      formatItem: helpItem,
    })
    .addHelpText(
      'after',
      '\nStart with:  k8s-af lint .\n             k8s-af scan\n             k8s-af explain <rule>',
    )
  for (const name of commands) everyCommand[name]?.(program, done)
  return program
}

/** Columns of a description in the help: with less room it stands below what it is about. */
const leastRoom = 40

function helpItem(term: string, termWidth: number, description: string, helper: Help): string {
  const { helpWidth = 80 } = helper
  if (helpWidth - termWidth - 4 >= leastRoom)
    return Help.prototype.formatItem.call(helper, term, termWidth, description, helper)
  return [`  ${term}`, ...wrap(description, helpWidth - 6).map((line) => `      ${line}`)].join('\n')
}

/** Receives the exit code of a command. */
type Done = (code: number) => void

/** In the order of the help. */
const everyCommand: Readonly<Record<string, (program: Command, done: Done) => void>> = {
  lint: addLint,
  scan: addScan,
  diagnose: addDiagnose,
  rbac: addRbac,
  explain: addExplain,
  rules: addRules,
  stories: addStories,
  init: addInit,
  config: addConfig,
  completion: addCompletion,
  version: addVersion,
}

function addLint(program: Command, done: Done): void {
  const lint = program
    .command('lint')
    .description('lint manifests: files, folders, glob patterns, - for standard input')
    .argument('[path...]', 'what to lint; this folder by default, nothing with -k or --helm')
    .option('-f, --filename <path>', 'the same as a path argument; repeatable', more)
    .option('-R, --recursive', 'read folders with all that is below them (the default)')
    .option('--no-recursive', 'read only the files directly in a folder')
    .option(
      '-k, --kustomize <folder>',
      'build the kustomization in this folder and lint what that gives; repeatable',
      more,
    )
    .option(
      '--kustomize-arg <argument>',
      'one more argument for kustomize: --kustomize-arg=--enable-helm; repeatable',
      more,
    )
    .option('--helm <folder>', 'render the chart in this folder and lint what that gives; repeatable', more)
    .option('--helm-release <name>', 'the name of the release; that of the chart by default')
    .option('--helm-values <file>', 'values for the charts; repeatable, later files win', more)
    .option(
      '--helm-arg <argument>',
      'one more argument for helm: --helm-arg=--set=tier=prod; repeatable',
      more,
    )
    .option('--stdin-filename <name>', 'what to call standard input')
    .option('--allow-empty', 'exit with 0 where there is no Kubernetes object at all')
    .option(
      '--since <commit>',
      'report only what is about files that have changed since this branch left that commit',
    )
    .option('--fix', 'make the safe changes that findings propose, and report what is left')
    .option('--unsafe-fixes', 'with --fix or --diff: the others, too, defaults that somebody should look at')
    .option('--diff', 'print what --fix would change as a patch, and change nothing')
  withReport(lint)
  withInput(lint)
  withSettings(lint, 'the newest known one')
    .addHelpText(
      'after',
      `
-k runs your kustomize, or kubectl, and --helm your helm. lint never uses the
network; they do for what a kustomization names that is not on the disk, and
for what --kustomize-arg and --helm-arg tell them to fetch.`,
    )
    .addHelpText('after', `\n${lintExitCodes}`)
    .addHelpText(
      'after',
      `
Examples:
  k8s-af lint .
  k8s-af lint -k 'overlays/*'
  k8s-af lint --helm charts/shop --helm-values prod.yaml -n shop
  k8s-af lint -o pretty -o sarif=k8s-af.sarif deploy/
  k8s-af lint --diff --unsafe-fixes deploy/`,
    )
    .action(async (paths: string[], flags) => {
      const { lintCommand } = await import('./lint.js')
      done(await lintCommand(paths, flags))
    })
}

function addScan(program: Command, done: Done): void {
  const scan = program
    .command('scan')
    .description('judge a live cluster, read through the kubeconfig')
    .option(
      '--context <context>',
      'a context of the kubeconfig; the current one by default; repeatable',
      more,
    )
    .option('--all-contexts', 'the clusters of all contexts, in one report')
    .option('-n, --namespace <name>', 'only this namespace; the whole cluster by default', namespaceName)
    .option('-A, --all-namespaces', 'all namespaces (the default)')
    .option('--require-complete', 'exit with 3 when something could not be read')
    .addOption(
      new Option(
        '--kubelet-metrics [nodes]',
        'ask the kubelets of so many nodes at most (20) how far CPU limits slow containers down; needs the right to get nodes/proxy',
      )
        .preset('20')
        .argParser(wholeNumber),
    )
    .addOption(
      new Option(
        '--node-metrics [nodes]',
        'ask node-exporter on so many nodes at most (20) how full the tables of their kernels are; needs the right to get pods/proxy',
      )
        .preset('20')
        .argParser(wholeNumber),
    )
    .option('--save-snapshot <file>', 'write what was read into a file, too; without the values of Secrets')
  withCluster(scan)
  withReport(scan)
  withSettings(scan, 'that of the cluster')
    .addHelpText('after', `\n${scanExitCodes}`)
    .addHelpText(
      'after',
      `
Examples:
  k8s-af scan
  k8s-af scan --context prod -n shop
  k8s-af scan --all-contexts -o html=report.html
  k8s-af scan --only networking -o concise`,
    )
    .action(async (flags) => {
      const { scanCommand } = await import('./scan.js')
      done(await scanCommand(flags))
    })
}

function addDiagnose(program: Command, done: Done): void {
  const diagnose = program
    .command('diagnose')
    .description('tell what may be wrong with one object of a cluster')
    .argument('<kind/name...>', 'the object, as kubectl names it: deployment/web')
    .option('--symptom <words>', 'what you see, such as "502 during deploys"')
    .addOption(formatOption('text', 'json'))
    .option(
      '-n, --namespace <name>',
      'its namespace; needed only where the name is not unique',
      namespaceName,
    )
    .option('--context <context>', 'a context of the kubeconfig; the current one by default')
  withColor(withCluster(diagnose))
    .addHelpText(
      'after',
      `
Examples:
  k8s-af diagnose deployment/web -n shop
  k8s-af diagnose svc/web --symptom "502 during deploys"`,
    )
    .action(async (words: string[], flags) => {
      const { diagnoseCommand } = await import('./diagnose.js')
      done(await diagnoseCommand(words, flags))
    })
}

function addRbac(program: Command, done: Done): void {
  program
    .command('rbac')
    .description('print the role that a scan needs')
    .option(
      '-n, --namespace <name>',
      'a Role for a scan of this namespace instead of a ClusterRole',
      namespaceName,
    )
    .option('--config <file>', 'this configuration file instead of the nearest .k8s-af.yaml')
    .option('--isolated', 'no configuration file at all')
    .addHelpText('after', '\nExample:\n  k8s-af rbac | kubectl apply -f -')
    .action(async (flags) => {
      const { rbacCommand } = await import('./rbac.js')
      done(await rbacCommand(flags))
    })
}

function addExplain(program: Command, done: Done): void {
  program
    .command('explain')
    .description('explain a rule or tell a story')
    .argument('<rule|story>', 'a name that k8s-af rules or k8s-af stories lists')
    .addOption(formatOption('text', 'markdown', 'json'))
    .addHelpText(
      'after',
      `
Examples:
  k8s-af explain job-without-deadline
  k8s-af explain zalando-cronjob-apiserver`,
    )
    .action(async (name: string, flags) => {
      const { explainCommand } = await import('./explain.js')
      done(await explainCommand(name, flags))
    })
}

function addRules(program: Command, done: Done): void {
  program
    .command('rules')
    .description('list the rules')
    .addOption(formatOption('table', 'name', 'json'))
    .action(async (flags) => {
      const { rulesCommand } = await import('./list.js')
      done(await rulesCommand(flags))
    })
}

function addStories(program: Command, done: Done): void {
  program
    .command('stories')
    .description('list the documented outages behind the rules')
    .addOption(formatOption('table', 'name', 'json'))
    .action(async (flags) => {
      const { storiesCommand } = await import('./list.js')
      done(storiesCommand(flags))
    })
}

function addInit(program: Command, done: Done): void {
  program
    .command('init')
    .description('write a configuration file with comments, .k8s-af.yaml')
    .action(async () => {
      const { initCommand } = await import('./init.js')
      done(await initCommand())
    })
}

function addConfig(program: Command, done: Done): void {
  const config = program.command('config').description('print or check the configuration').helpCommand(false)
  const print = config.command('print').description('print the configuration in force, with all defaults')
  withInput(print)
  withSettings(print, 'the newest known one').action(async (flags) => {
    const { configPrintCommand } = await import('./config.js')
    done(await configPrintCommand(flags))
  })
  config
    .command('validate')
    .description('check a configuration file')
    .argument('[file]', 'the file (default: the one in force)')
    .action(async (file: string | undefined) => {
      const { configValidateCommand } = await import('./config.js')
      done(await configValidateCommand(file))
    })
  config
    .command('schema')
    .description('print the JSON Schema of the configuration')
    .action(async () => {
      const { configSchemaCommand } = await import('./config.js')
      done(await configSchemaCommand())
    })
}

function addCompletion(program: Command, done: Done): void {
  program
    .command('completion')
    .description('print the completion script for a shell')
    .addArgument(program.createArgument('<shell>', 'bash, zsh or fish').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      `
bash:  source <(k8s-af completion bash)          in ~/.bashrc
zsh:   source <(k8s-af completion zsh)           in ~/.zshrc, after compinit
fish:  k8s-af completion fish | source           in ~/.config/fish/config.fish`,
    )
    .action(async (shell: 'bash' | 'zsh' | 'fish') => {
      const { completionCommand } = await import('./completion.js')
      done(
        await completionCommand(
          shell,
          programWith(() => {}),
        ),
      )
    })
}

function addVersion(program: Command, done: Done): void {
  program
    .command('version')
    .description('print the version, and which versions of Kubernetes it knows')
    .action(async () => {
      const { versionCommand } = await import('./version.js')
      done(versionCommand())
    })
}

/** A choice of formats, the first one by default. */
function formatOption(first: string, ...others: readonly string[]): Option {
  const words = [`${first} (default)`, ...others]
  return new Option('-o, --output <format>', enumerate(words, 'or'))
    .choices([first, ...others])
    .default(first)
}

/** The flags about what is reported, and where. */
function withReport(command: Command): Command {
  command
    .option(
      '-o, --output <format[=file]>',
      `a report, on standard output or in a file; repeatable: ${formatNames.join(', ').replace('pretty', 'pretty (default)')}`,
      more,
    )
    .option('--show-suppressed', 'show suppressed findings, too')
    .option('--baseline <file>', 'leave out the findings in this file, unless they are worse by now')
    .option('--write-baseline <file>', 'write what is found into such a file')
    .option('--statistics', 'count the findings by rule, on standard error')
    .option('--timings', 'say how long each rule took, on standard error')
  return withColor(command)
}

/** Which cluster is read, and how. */
function withCluster(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'this file instead of those that KUBECONFIG and the home folder name')
    .option('--as <user>', 'read the cluster with the rights of this user, if yours allow that')
    .option('--as-group <group>', 'and of this group; repeatable', more)
    .option('--concurrency <number>', 'kinds to read at the same time (4)', wholeNumber, 4)
    .option('--chunk-size <number>', 'objects to ask for at once (500)', wholeNumber, 500)
    .option('--request-timeout <time>', 'the longest wait for an answer (30s)', duration, 30_000)
    .option('--timeout <time>', 'the longest time to read the cluster (5m)', duration, 300_000)
    .option('--from-snapshot <file>', 'read a file that scan --save-snapshot wrote instead of a cluster')
}

function withColor(command: Command): Command {
  return command.addOption(
    new Option('--color [when]', 'auto (default), always or never; NO_COLOR and FORCE_COLOR are heeded')
      .choices(['auto', 'always', 'never'])
      .default('auto')
      .preset('always'),
  )
}

/** The settings that say what manifests leave open. */
function withInput(command: Command): Command {
  return command
    .option('-n, --namespace <name>', 'the namespace of objects that name none', namespaceName)
    .option('--complete', 'the input is the whole of its namespaces: what is not there does not exist')
}

/**
 * The flags of all that has settings.
 * @param version what the version is by default
 */
function withSettings(command: Command, version: string): Command {
  return command
    .option('--k8s-version <version>', `the version of Kubernetes, such as 1.33; by default ${version}`)
    .addOption(
      new Option(
        '--preset <preset>',
        'the rules to start from: recommended (default), or all, with all that they find',
      ).choices(presets),
    )
    .option(
      '--only <rules>',
      'these rules, categories or stories (a,b) alone, with all that they find',
      names,
    )
    .option('--enable <rules>', 'these, too, with all that they find', names)
    .option('--disable <rules>', 'not these', names)
    .addOption(
      new Option(
        '--fail-on <severity>',
        'exit code 1 at or above it: error (default), warning, info, never',
      ).choices([...severities, 'never']),
    )
    .addOption(
      new Option(
        '--min-severity <severity>',
        'leave out findings below it: error, warning, info (default)',
      ).choices(severities),
    )
    .option('--config <file>', 'this configuration file instead of the nearest .k8s-af.yaml')
    .option('--isolated', 'no configuration file at all')
}
