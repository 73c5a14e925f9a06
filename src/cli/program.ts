/** The commands with their flags and helps. What each of them needs is imported when it runs. */
import { Command, Help, Option } from 'commander'
import { version } from '../../package.json'
import { leastRoom, wrap } from '../reporters/text.js'
import {
  filled,
  formatOption,
  more,
  namespaceName,
  wholeNumber,
  withCluster,
  withColor,
  withConfig,
  withInput,
  withReport,
  withSettings,
} from './flags.js'
import { terminalOf, write } from './streams.js'

const lintExitCodes = `Exit code:
  0  nothing found at or above --fail-on
  1  findings at or above it; manifests that cannot be read count as errors
  2  the job could not be done: a wrong flag or configuration, a missing path,
     no Kubernetes objects, a build that fails, an internal error
  130, 143  interrupted`
const diagnoseExitCodes = `Exit code:
  0  whatever is found
  2  there is no such object, the cluster cannot be read, a wrong flag or
     configuration, an internal error`
const scanExitCodes = `Exit code:
  0  nothing found at or above --fail-on
  1  findings at or above it
  2  the job could not be done: a wrong flag or configuration, a cluster that
     cannot be read, an internal error
  3  one of several clusters could not be read;
     with --require-complete: anything could not be read
  130, 143  interrupted: what was read by then is reported`

/**
 * The program with its commands. What each of them needs is imported when it runs.
 * @param done receives the exit code
 * @param commands those that it has to know; all by default
 */
export function programWith(done: Done, commands: readonly CommandName[] = commandNames): Command {
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
  for (const name of commands) everyCommand[name](program, done)
  return program
}

function helpItem(term: string, termWidth: number, description: string, helper: Help): string {
  const { helpWidth = 80 } = helper
  if (helpWidth - termWidth - 4 >= leastRoom)
    return Help.prototype.formatItem.call(helper, term, termWidth, description, helper)
  return [`  ${term}`, ...wrap(description, helpWidth - 6).map((line) => `      ${line}`)].join('\n')
}

/** Receives the exit code of a command. */
type Done = (code: number) => void

/** In the order of the help. */
const everyCommand = {
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
} satisfies Readonly<Record<string, (program: Command, done: Done) => void>>

type CommandName = keyof typeof everyCommand

const commandNames = Object.keys(everyCommand) as CommandName[]

/** Whether a word is one of the program's own commands. */
export function isCommandName(word: string): word is CommandName {
  return Object.hasOwn(everyCommand, word)
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
    .option('--stdin-filename <name>', 'what to call standard input: the file that it is the text of')
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
  k8s-af lint --k8s-version 1.37 deploy/     before an upgrade: what it breaks
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
      (value, before?: readonly string[]) => more(filled(value), before),
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
  k8s-af scan --only networking -o concise
  k8s-af scan --k8s-version 1.37             before an upgrade: what it breaks`,
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
    .option('--context <context>', 'a context of the kubeconfig; the current one by default', filled)
  withConfig(withColor(withCluster(diagnose)))
    .addHelpText(
      'after',
      `
${diagnoseExitCodes}

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
  const rbac = program
    .command('rbac')
    .description('print the role that a scan needs')
    .option(
      '-n, --namespace <name>',
      'a Role for a scan of this namespace instead of a ClusterRole',
      namespaceName,
    )
  withConfig(rbac)
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
