import { type Container, rule } from '../src/rule.js'

const shell = /^(\/usr)?(\/bin\/)?(ba|da|a|z|k)?sh$/

export default rule({
  title: 'A shell keeps SIGTERM from the process',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `The kubelet sends SIGTERM to process 1. When that is a shell that waits for a command, nothing happens: a shell as process 1 has no handler and passes nothing on. The container goes on for the whole grace period
and ends in SIGKILL, with open requests and half-written files, at every rollout and drain.`,
  remedy: 'Start the last command of the script with `exec`, or run an init such as tini.',
  decides: `An ordinary container whose command (or args behind a shell) is \`sh -c SCRIPT\` where the script has several commands, no \`trap\`, and its last command does not start with \`exec\`. A script of one command is left alone unless
\`singleCommand\` is on: most shells replace themselves by it.

Exempt: Jobs, init containers, pods that share their process namespace, scripts that run in the background of an init, and scripts that end in a loop or a plain \`sleep\` (nothing to shut down).`,
  falsePositives: 'A script that only prints or waits has nothing to shut down.',
  sources: [
    'kubernetes/pkg/kubelet/kuberuntime/kuberuntime_container.go (StopContainer)',
    'bash and dash manuals',
  ],
  stories: ['zalando-misc-races', 'ravelin-ingress-502', 'airbnb-weird-ways'],
  params: {
    singleCommand: { type: 'boolean', default: false, about: 'Report scripts of a single command, too.' },
  },
  for: 'Workload',
  check(workload, { params, report }) {
    if (workload.batch || workload.kind === 'Pod' || workload.pod.shareProcessNamespace) return
    for (const container of workload.running) {
      const script = scriptOf(container)
      if (!script) continue
      const last = lastCommand(script.text, params.singleCommand)
      if (!last) continue
      report(
        container.spec,
        script.field,
        `Every stop of ${container.name} ends in SIGKILL after the whole grace period: ${script.shell} does not pass SIGTERM on to ${last}.`,
      )
      return
    }
  },
})

function scriptOf({
  spec,
}: Container): { shell: string; text: string; field: 'command' | 'args' } | undefined {
  const command = spec.command ?? []
  const words = [...command, ...(spec.args ?? [])]
  const [first = ''] = words
  if (!shell.test(first)) return undefined
  const at = words.findIndex((word) => /^-[a-z]*c[a-z]*$/.test(word))
  // Only flags may stand between the shell and -c.
  if (at < 1 || words.slice(1, at).some((word) => !word.startsWith('-') && word !== 'pipefail'))
    return undefined
  const text = words[at + 1]
  return text === undefined
    ? undefined
    : { shell: first, text, field: at + 1 < command.length ? 'command' : 'args' }
}

/** The program that the shell waits for at the end; undefined when there is nothing to report. */
function lastCommand(script: string, single: boolean): string | undefined {
  if (/\btrap\b|\bexec\s+[^<>\d\s]|\b(tini|dumb-init|supervisord|s6-svscan)\b/.test(script)) return undefined
  const commands = script
    .replace(/\\\n/g, ' ')
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .join('\n')
    .split(/\n|;|&&|\|\|/)
    .map((command) => command.trim())
    .filter((command) => command !== '' && !/^set\s+[-+]/.test(command))
  const last = commands.at(-1)
  if (!last || (commands.length < 2 && !single)) return undefined
  // Compound statements, background jobs and waiting have no single process to pass the signal to.
  if (
    /^(done|fi|esac|\}|\)|wait|sleep|true|tail\s+-f|exit|EOF)\b|^[})]|[&|]\s*$/.test(last) ||
    /\|/.test(last)
  )
    return undefined
  return last.replace(/^(\w+=\S*\s+)+/, '').split(/\s+/)[0]
}
