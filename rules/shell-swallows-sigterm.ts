import {
  atMost,
  type Container,
  graceOf,
  killsOf,
  type Live,
  rule,
  type Shell,
  shellOf,
  type Workload,
  wordsOf,
} from '../src/rule.js'

/** What images say about their `sh` in name or tag. */
const dashImage = /\b(debian|ubuntu|slim|buster|bullseye|bookworm|trixie|forky|focal|jammy|noble|resolute)\b/
const bashImage = /\b(fedora|centos|rhel|ubi\d*|rocky(linux)?|almalinux|oraclelinux|amazonlinux|opensuse)\b/
const busyboxImage = /\b(alpine|busybox)/

export default rule({
  title: 'A shell keeps SIGTERM from the process',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `The kubelet sends SIGTERM to process 1. When that is a shell that waits for a command, nothing
happens: a shell as process 1 has no handler and passes nothing on. The container goes on for the whole
grace period and ends in SIGKILL, with open requests and half-written files, at every rollout and drain.`,
  remedy: 'Start the last command of the script with `exec`, or run an init such as tini.',
  decides: `An ordinary container whose command (or args behind a shell) is \`sh -c SCRIPT\` where the
script has several commands, no \`trap\`, no \`exec\`, and ends in a single program. What matters is which
shell \`sh\` is: dash (Debian, Ubuntu) and mksh wait for the last command, bash from 5.1 and zsh replace themselves
by it, busybox (Alpine) does so unless the script ends in a line break. A warning where the image's name or
tag tells that the shell waits; an info where it tells nothing; silent where the shell replaces itself.
Scripts of one command are looked at with \`singleCommand\` only. Asked for, the rule looks at single Pods, too, and,
as infos, at scripts of bash, which waits before 5.1, and at endless loops, which heed no signal in any shell.

In a cluster the containers stand below the finding that got SIGKILL (exit code 137, not for memory) when their pod was
deleted, or after their liveness probe had failed.

Exempt: Jobs, init containers, pods that share their process namespace, containers whose \`preStop\` hook
ends the process itself (\`kill\`, \`quit\`, \`stop\`, \`shutdown\`), and scripts that end in
another loop, a pipe or a plain \`sleep\`.`,
  falsePositives: 'An image whose `sh` is bash, and programs that hold nothing that a SIGKILL could harm.',
  sources: [
    'kubernetes/pkg/kubelet/kuberuntime/kuberuntime_container.go (killContainer)',
    'bash CHANGES (bash-5.1-alpha: fewer forks from `bash -c`)',
    'Tried with dash 0.5.12, bash 5.2, zsh 5.9, mksh 59c and busybox 1.35',
  ],
  stories: ['ravelin-ingress-502', 'zalando-misc-races', 'airbnb-weird-ways'],
  params: {
    singleCommand: {
      type: 'boolean',
      default: false,
      asked: true,
      about: 'Look at scripts of a single command, too.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    if (workload.batch || workload.pod.shareProcessNamespace) return
    const deaf = workload.running.flatMap((container) => deafIn(container, params.singleCommand) ?? [])
    const one = deaf.find(({ isDoubtful }) => !isDoubtful) ?? deaf[0]
    if (!one) return
    const { container, script, last, waits } = one
    const grace = graceOf(workload)
    const effect = `stop of ${container.name} takes ${grace} s and ends in SIGKILL:`
    report(
      container.spec,
      script.field,
      last === undefined
        ? `Every ${effect} the loop of ${script.shell.written} is process 1, and nothing in it heeds SIGTERM.`
        : waits === 'yes'
          ? `Every ${effect} ${script.shell.written} is process 1 and does not pass SIGTERM on to ${last}.`
          : `If ${waits === 'old bash' ? 'its bash is older than 5.1' : `${script.shell.written} is dash`}, every ${effect} process 1 does not pass SIGTERM on to ${last}.`,
      {
        severity: waits === 'yes' && last !== undefined ? 'warning' : 'info',
        recommended: workload.kind !== 'Pod' && !one.isDoubtful,
        evidence: graph.live ? killsIn(workload, container.name, graph.live.seen) : [],
      },
    )
  },
})

function killsIn(workload: Workload, name: string, live: Live): string[] {
  const kills = killsOf(workload, live).filter(({ container }) => container === name)
  return atMost(
    3,
    kills.map(({ text }) => text),
  )
}

interface Script {
  readonly shell: Shell
  readonly text: string
  readonly field: 'command' | 'args'
}

function scriptOf({ spec }: Container): Script | undefined {
  const words = wordsOf(spec)
  const shell = shellOf(words)
  if (shell?.scriptAt === undefined) return undefined
  const isInCommand = shell.scriptAt < (spec.command?.length ?? 0)
  return { shell, text: words[shell.scriptAt] ?? '', field: isInCommand ? 'command' : 'args' }
}

interface Deaf {
  readonly container: Container
  readonly script: Script
  /** The program that does not get the signal; undefined where the shell itself loops. */
  readonly last: string | undefined
  readonly waits: 'yes' | 'dash' | 'old bash'
  /** Bash has replaced itself by the last command for years, and loops often hold nothing to lose. */
  readonly isDoubtful: boolean
}

/** What keeps SIGTERM from the last program of a container, or may. */
function deafIn(container: Container, single: boolean): Deaf | undefined {
  const script = scriptOf(container)
  if (!script || heedsSigterm.test(script.text) || isEndedByHook(container)) return undefined
  if (endlessLoop.test(script.text))
    return { container, script, last: undefined, waits: 'yes', isDoubtful: true }
  const commands = commandsOf(script.text)
  const last = lastProgram(commands)
  if (last === undefined || (commands.length < 2 && !single)) return undefined
  const waits = shellWaits(script, container.image ?? '', commands.length)
  return waits === 'no' ? undefined : { container, script, last, waits, isDoubtful: waits === 'old bash' }
}

/** Whether the hook in front of SIGTERM ends the process: with it the script and its shell end. */
function isEndedByHook({ spec }: Container): boolean {
  return /\b(p?kill|killall|quit|stop|shutdown)\b/.test(JSON.stringify(spec.lifecycle?.preStop ?? {}))
}

/** Whether the shell stays process 1 while the last command of the script runs, or would if it were that shell. */
function shellWaits(script: Script, image: string, commands: number): Deaf['waits'] | 'no' {
  const { name } = script.shell
  const text = image.toLowerCase()
  if (name === 'dash') return 'yes'
  if (name === 'mksh') return commands > 1 ? 'yes' : 'no'
  if (name === 'zsh' || name === 'ksh') return 'no'
  if (name === 'bash' || (name === 'sh' && bashImage.test(text))) return commands > 1 ? 'old bash' : 'no'
  if (name === 'ash' || busyboxImage.test(text)) return /\n\s*$/.test(script.text) ? 'yes' : 'no'
  return dashImage.test(text) ? 'yes' : 'dash'
}

const heedsSigterm = /\btrap\b|\bexec\s+[^<>\d\s]|\b(tini|dumb-init|supervisord|s6-svscan)\b/
const endlessLoop = /\bwhile\s+(true|:|sleep\b|\[\[? 1 \]\]?)[\s\S]*\bdone\s*;?\s*$/

/** The commands of a script, without comments and what sets the shell's options. */
function commandsOf(script: string): string[] {
  return (
    script
      .replace(/\\\n/g, ' ')
      .split('\n')
      .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
      .join('\n')
      // What stands in quotes ends no command: nginx -g 'daemon off;'.
      .replace(/'[^'\n]*'|"(?:\\.|[^"\\\n])*"/g, (quoted) => quoted.replace(/[;&|]/g, ' '))
      .split(/\n|;|&&|\|\|/)
      .map((command) => command.trim())
      .filter((command) => command !== '' && !/^set\s+[-+]/.test(command))
  )
}

/** The program that the shell starts last; undefined when there is nothing to report. */
function lastProgram(commands: readonly string[]): string | undefined {
  const last = commands.at(-1)
  // Compound statements, background jobs and waiting have no single process to pass the signal to.
  if (
    !last ||
    /^(done|fi|esac|\}|\)|wait|sleep|true|tail\s+-f|exit|EOF)\b|^[})]|[&|]\s*$/.test(last) ||
    /\|/.test(last)
  )
    return undefined
  return last.replace(/^(\w+=\S*\s+)+/, '').split(/\s+/)[0]
}
