/** The flags that commands share, and how their values are read. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { namespacePattern, presets } from '../config/config.js'
import { severities } from '../finding.js'
import { formatNames } from '../reporters/reporter.js'
import { enumerate } from '../values/enumerate.js'
import { seconds } from '../values/quantity.js'

/** Splits `a,b c`; given repeatedly, the values add up. */
function names(value: string, before: readonly string[] = []): readonly string[] {
  const own = value.split(/[\s,]+/).filter((name) => name !== '')
  if (own.length === 0) throw new InvalidArgumentError('It is empty.')
  return [...before, ...own]
}

/** A day, in milliseconds. */
const mostTime = 86_400_000

/** A time such as `30s`, `5m`, `500ms` or `1m30s`, as kubectl writes it, in milliseconds; a bare number counts seconds. */
function duration(value: string): number {
  const time = (seconds(value) ?? 0) * 1000
  if (time <= 0 || time > mostTime) throw new InvalidArgumentError('Write a time like 30s or 5m.')
  return time
}

/** Takes a name that a namespace may have. */
export function namespaceName(value: string): string {
  if (!new RegExp(namespacePattern).test(value))
    throw new InvalidArgumentError('It is no name of a namespace.')
  return value
}

/** Takes a whole number above 0. */
export function wholeNumber(value: string): number {
  const number = Number(value)
  if (!Number.isInteger(number) || number < 1)
    throw new InvalidArgumentError('It is no whole number above 0.')
  return number
}

/** Takes what is not empty: a variable that is not set must not lead to another cluster. */
export function filled(value: string): string {
  if (value === '') throw new InvalidArgumentError('It is empty.')
  return value
}

/** Adds up what is given repeatedly. */
export function more(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

/** A choice of formats, the first one by default. */
export function formatOption(first: string, ...others: readonly string[]): Option {
  const words = [`${first} (default)`, ...others]
  return new Option('-o, --output <format>', enumerate(words, 'or'))
    .choices([first, ...others])
    .default(first)
}

/** The flags about what is reported, and where. */
export function withReport(command: Command): Command {
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
export function withCluster(command: Command): Command {
  return command
    .option(
      '--kubeconfig <file>',
      'this file instead of those that KUBECONFIG and the home folder name',
      filled,
    )
    .option('--as <user>', 'read the cluster with the rights of this user, if yours allow that')
    .option('--as-group <group>', 'and of this group; repeatable', more)
    .option('--concurrency <number>', 'kinds to read at the same time (4)', wholeNumber, 4)
    .option('--chunk-size <number>', 'objects to ask for at once (500)', wholeNumber, 500)
    .option('--request-timeout <time>', 'the longest wait for an answer (30s)', duration, 30_000)
    .option('--timeout <time>', 'the longest time to read the cluster (5m)', duration, 300_000)
    .option(
      '--from-snapshot <file>',
      'read a file that scan --save-snapshot wrote instead of a cluster',
      filled,
    )
}

/** Whether there are colours. `--no-color`, as other programs call it, is taken for `--color=never`. */
export function withColor(command: Command): Command {
  return command
    .addOption(
      new Option('--color [when]', 'auto (default), always or never; NO_COLOR and FORCE_COLOR are heeded')
        .choices(['auto', 'always', 'never'])
        .default('auto')
        .preset('always'),
    )
    .addOption(new Option('--no-color').hideHelp())
    .on('option:no-color', () => command.setOptionValue('color', 'never'))
}

/** The settings that say what manifests leave open. */
export function withInput(command: Command): Command {
  return command
    .option('-n, --namespace <name>', 'the namespace of objects that name none', namespaceName)
    .option('--complete', 'the input is the whole of its namespaces: what is not there does not exist')
}

/** Which configuration counts. */
export function withConfig(command: Command): Command {
  return command
    .option('--config <file>', 'this configuration file instead of the nearest .k8s-af.yaml')
    .option('--isolated', 'no configuration file at all')
}

/**
 * The flags of all that has settings.
 * @param version what the version is by default
 */
export function withSettings(command: Command, version: string): Command {
  command
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
  return withConfig(command)
}
