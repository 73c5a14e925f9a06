/** The command line: reads the arguments, runs one command, and says in the exit code how it went. */
import { type Command, CommanderError } from 'commander'
import { UsageError } from '../config/usage.js'
import { printable } from '../reporters/text.js'
import { enumerate } from '../values/enumerate.js'
import { didYouMean } from '../values/similar.js'
import { looksLikePath } from './paths.js'
import { isCommandName, programWith } from './program.js'
import { tell } from './streams.js'

export { isFlushed } from './streams.js'

/**
 * Runs the program with its arguments and sets the exit code of the process. Never throws.
 * @param args without the node executable and the script
 */
export async function main(args: readonly string[]): Promise<void> {
  process.once('beforeExit', unfinished)
  try {
    process.exitCode = await run(args)
  } catch (error) {
    process.exitCode = 2
    for (const line of explanation(error)) tell(line)
  } finally {
    process.off('beforeExit', unfinished)
  }
}

/** Node ends where nothing can happen any more, and says nothing: what waits for ever must not look like a good run. */
function unfinished(): void {
  process.exitCode = 2
  for (const line of explanation(new Error('it waits for what will never come'))) tell(line)
}

/** What the user is told, in lines. Names of files and keys may come from anybody: they cannot steer the terminal. */
function explanation(error: unknown): string[] {
  const { stack, message } = error instanceof Error ? error : new Error(String(error))
  if (process.env.K8S_AF_DEBUG === '1') return [stack ?? message]
  const lines =
    (error as NodeJS.ErrnoException).syscall === 'uv_cwd'
      ? ['the folder that this runs in is gone: change to one that is there.']
      : error instanceof UsageError
        ? error.lines
        : [`internal error: ${message} (K8S_AF_DEBUG=1 shows where)`]
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
    isCommandName(first) ? [first] : undefined,
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
    throw group ? unknownCommand(second, group) : wrongArguments(error, isCommand ? first : undefined)
  }
  return code
}

/** @param command undefined where the arguments are none of a command */
function wrongArguments({ message }: CommanderError, command: string | undefined): UsageError {
  const flag = /^error: unknown option '(--[\w-]+)'$/.exec(message)?.[1] ?? ''
  const own = command === 'lint' || command === 'scan' ? flagsElsewhere.get(flag) : undefined
  const hint = own === undefined ? '' : `. Did you mean ${own}?`
  return new UsageError(
    `${oneLine(message)}${hint} (k8s-af ${command === undefined ? '' : `${command} `}--help)`,
  )
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

/** How commands are called here that people know from other tools, or look for. */
const commandsElsewhere: ReadonlyMap<string, string> = new Map([
  ['baseline', 'lint --write-baseline FILE'],
  ['fix', 'lint --fix'],
  ['diff', 'lint --diff'],
  ['check', 'lint'],
  ['validate', 'lint'],
  ['audit', 'scan'],
  ['score', 'lint'],
])

/** @param parent the program, or a command that only has commands */
function unknownCommand(name: string, parent: Command): UsageError {
  const called = parent.parent ? `${parent.parent.name()} ${parent.name()}` : parent.name()
  if (!parent.parent && looksLikePath(name))
    return new UsageError(`${name} is no command. To lint it: k8s-af lint ${name}`)
  const full = JSON.stringify(parent.parent ? `${parent.name()} ${name}` : name)
  const elsewhere = parent.parent ? undefined : commandsElsewhere.get(name)
  const meant = elsewhere
    ? `Did you mean "${elsewhere}"?`
    : didYouMean(
        name,
        parent.commands.map((command) => command.name()),
      )
  return new UsageError(`there is no command ${full}. ${meant || `${called} --help lists them.`}`)
}

/** Commander's message without its prefix, on one line; about values in the words of the configuration. */
function oneLine(message: string): string {
  const line = message
    .replace(/^error: /, '')
    .split('\n')
    .map((part) => part.replace(/^\((.*)\)$/, '$1'))
    .join('. ')
  const [, flag, value = '', why = ''] =
    /^option '(?:-\w, )?(--[\w-]+).*?' argument '(.*)' is invalid\. (.*)$/s.exec(line) ?? []
  if (flag !== undefined) return `${flag} cannot be ${JSON.stringify(value)}. ${choices(value, why)}`
  const [, word = '', argument, allowed = ''] =
    /^command-argument value '(.*)' is invalid for argument '(.*?)'\. (.*)$/s.exec(line) ?? []
  if (argument !== undefined)
    return `${argument} cannot be ${JSON.stringify(word)}. ${choices(word, allowed)}`
  const [, needy] = /^option '(?:-\w, )?(--[\w-]+ .*)' argument missing$/.exec(line) ?? []
  return needy === undefined ? line : `${needy} needs its value`
}

/** What can be given instead: the nearest of few words, or what commander was told. */
function choices(value: string, why: string): string {
  const [, words] = /^Allowed choices are (.*)\.$/.exec(why) ?? []
  if (words === undefined) return why
  const known = words.split(', ')
  return didYouMean(value, known) || `It can be ${enumerate(known, 'or')}.`
}
