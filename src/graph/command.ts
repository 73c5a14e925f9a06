/** What a container's process, or a hook, is started with. */
import type { ContainerSpec, PodSpec } from '../kubernetes.js'
import type { Container } from './container.js'
import { shellOf } from './shell.js'

/** The suffixes of coreutils' sleep. */
const sleepUnits: Readonly<Record<string, number>> = { m: 60, h: 3600, d: 86400 }

/** What no sum of seconds goes beyond. */
const longestSleep = 2 ** 53

/**
 * The seconds that a hook's command waits: the sum of its `sleep N` calls, shell or not. 0 when it never sleeps, and
 * when loops or conditions leave it open for how long.
 * `["sh", "-c", "sleep 10 && nginx -s quit"]` → 10, `["/bin/sleep", "5"]` → 5, `sleep 1m` → 60. What comes after a
 * signal to the process is the time of its shutdown: `sleep 30 && kill -INT 1 && sleep 31` → 30.
 */
export function delayOfCommand(command: readonly string[] | undefined): number {
  const all = (command ?? []).join(' ')
  if (/(?:^|[\s;&|(])(?:while|until|for|if|case)\s/.test(all)) return 0
  const [words = ''] = all.split(/(?:^|[\s;&|(/])(?:kill|pkill|killall)\s/)
  let sum = 0
  for (const match of words.matchAll(/(?:^|[\s;&|(/])sleep\s+["']?(\d+(?:\.\d+)?)([smhd]?)/g)) {
    sum += Number(match[1]) * (sleepUnits[match[2] ?? ''] ?? 1)
  }
  return Math.min(sum, longestSleep)
}

/**
 * The words that the container's process is started with, as far as the manifest has them: its
 * command and its arguments.
 */
export function wordsOf({ command, args }: ContainerSpec): readonly string[] {
  return command && args ? [...command, ...args] : (command ?? args ?? [])
}

/**
 * The value of a command-line flag of the container: `--name=value`, `--name value` or `-name=value`; `true` for a
 * flag without a value. Undefined when the flag is not given. The last one wins, as in Go's flag packages. In the script of a shell
 * flags with two dashes and a value count.
 */
export function flagOf(container: Container, name: string): string | undefined {
  const { command, args } = container.spec
  // Most containers have neither, and rules ask each of them for dozens of flags.
  if (!command && !args) return undefined
  const words = wordsOf(container.spec)
  let value: string | undefined
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? ''
    if (!word.startsWith('-')) {
      if (word.includes(`--${name}`)) value = flagInScript(word, name) ?? value
      continue
    }
    const start = word.startsWith('--') ? 2 : 1
    if (!word.startsWith(name, start)) continue
    const end = start + name.length
    const next = words[i + 1]
    if (word.length === end) value = next === undefined || next.startsWith('-') ? 'true' : next
    else if (word[end] === '=') value = word.slice(end + 1)
  }
  return value
}

/** The value of a flag in the command of a shell: `exec kube-proxy --v=2 --proxy-mode=ipvs`; undefined where its branches differ. */
function flagInScript(script: string, name: string): string | undefined {
  const escaped = name.replaceAll('.', '\\.')
  const flag = new RegExp(`(?:^|\\s)--${escaped}(?:=|\\s+)["']?([^\\s"'=-][^\\s"']*)`, 'g')
  const [value, ...others] = new Set([...script.matchAll(flag)].map((match) => match[1]))
  return others.length === 0 ? value : undefined
}

/** What prints something or sets the shell up. */
const brief = /^(?:\S*\/)?(?:echo|printf|date|cat|true|hostname|uname|whoami|id|pwd|exit|set|:)(?:\s|$)/
const briefSleep = /^(?:\S*\/)?sleep\s+\d+(?:\.\d+)?[smh]?$/
const ofLoops = /^(?:(?:do|then|else|\{)\s+)+/
const listLoop = /^for\s+\w+\s+in\s[^`$(]*$/

/**
 * The most seconds that a pod runs whose containers do nothing that could take for ever, as in examples: `date; echo hello`, `sleep 30`.
 * Undefined for all others: where an image decides what is run, and for scripts with conditions or with commands in quotes.
 */
export function secondsOfRun({ initContainers, containers }: PodSpec): number | undefined {
  let sum = 0
  for (const one of [...(initContainers ?? []), ...(containers ?? [])]) {
    if (!endsByItself(one)) return undefined
    sum += delayOfCommand(wordsOf(one))
  }
  return sum
}

const sleeping = '(?:\\S*/)?(?:sleep\\s+(?:inf|infinity|\\d+[smhd]?)|tail\\s+(?:-f|-F)\\s+/dev/null)'
const asleep = new RegExp(
  `^(?:exec\\s+)?${sleeping}(?:\\s*&\\s*wait)?\\s*;?$|^while\\s+(?:true|:)[\\s;]+do\\s+${sleeping}\\s*;?\\s*done\\s*;?$`,
)

/** Whether a container does nothing but wait: `sleep infinity`, `tail -f /dev/null`. Somebody may open a shell in it. */
export function isAsleep(container: ContainerSpec): boolean {
  const { command, args } = container
  if (!command && !args) return false
  const words = wordsOf(container)
  const { scriptAt } = shellOf(words) ?? {}
  const script = scriptAt === undefined ? words.join(' ') : (words[scriptAt] ?? '')
  return asleep.test(script.trim().replace(/\s*\n\s*/g, ' '))
}

function endsByItself(container: ContainerSpec): boolean {
  const words = wordsOf(container)
  const { scriptAt } = shellOf(words) ?? {}
  const script = scriptAt === undefined ? words.join(' ') : (words[scriptAt] ?? '')
  const commands = script
    .replace(/\$\((?:date|hostname)(?: [^()`]*)?\)/g, '')
    .split(/[;&|\n]+/)
    .map((one) => one.trim().replace(ofLoops, ''))
    .filter((one) => one !== '' && !/^(?:done|fi|\}|#.*|do|\{)$/.test(one))
  const sleeps = commands.some((one) => briefSleep.test(one))
  return (
    commands.length > 0 &&
    commands.every((one) =>
      listLoop.test(one) ? !sleeps : !/`|\$\(/.test(one) && (brief.test(one) || briefSleep.test(one)),
    )
  )
}
