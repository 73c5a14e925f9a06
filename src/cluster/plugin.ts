/**
 * Credentials from a program that the kubeconfig names. The Kubernetes client (1.4) waits for programs for ever, does not tell
 * them of their task, looks for them in the current folder, and shows none of what they say to the people who wait.
 * Source: k8s.io/client-go/plugin/pkg/client/auth/exec/exec.go.
 */
import { spawn } from 'node:child_process'
import { dirname, resolve, sep } from 'node:path'
import { UsageError } from '../config/usage.js'
import { whyRefused } from '../values/refusal.js'
import { arrayAt, objectsAt, stringAt, valueAt } from '../values/untyped.js'
import { ending } from './failure.js'
import { type Entry, titleOf } from './kubeconfig.js'
import { type Pair, pairOf } from './pem.js'

/** What a plugin gives: a token, a certificate with its key, or both. */
export interface Given {
  readonly token?: string | undefined
  readonly pair?: Pair | undefined
}

const versions = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1']

/**
 * Runs the plugin of a user, without a terminal to ask questions on. `cluster` is what it may be told of the server.
 * @throws UsageError
 */
export async function fromPlugin(entry: Entry, cluster: () => object, signal: AbortSignal): Promise<Given> {
  const { file, fields } = entry
  const exec = (field: string) => stringAt(fields, 'exec', field)
  const command = exec('command')
  const user = titleOf(entry)
  if (!command) throw new UsageError(`the exec of ${user} names no command.`)
  const apiVersion = exec('apiVersion') ?? ''
  if (!versions.includes(apiVersion))
    throw new UsageError(
      `the exec of ${user} has the apiVersion ${JSON.stringify(apiVersion)}, which kubectl does not know any more. Have the kubeconfig written anew, or use ${versions.join(' or ')}.`,
    )
  const who = `${command}, which ${user} gets its credentials from,`
  if (exec('interactiveMode') === 'Always')
    throw new UsageError(
      `${who} asks questions (interactiveMode: Always), and a scan has nowhere to answer them. Take a user with a token or a certificate.`,
    )
  const asks = valueAt(fields, 'exec', 'provideClusterInfo') === true
  const task = { interactive: false, ...(asks && { cluster: cluster() }) }
  const environment = objectsAt(fields, 'exec', 'env').map((one) => [
    stringAt(one, 'name') ?? '',
    stringAt(one, 'value') ?? '',
  ])
  const outcome = await run(
    // Beside the kubeconfig, where it is a path.
    command.includes(sep) ? resolve(dirname(file), command) : command,
    arrayAt(fields, 'exec', 'args').map(String),
    {
      ...process.env,
      ...Object.fromEntries(environment),
      KUBERNETES_EXEC_INFO: JSON.stringify({ apiVersion, kind: 'ExecCredential', spec: task }),
    },
    signal,
  )
  if ('error' in outcome) {
    const hint = exec('installHint')
    throw new UsageError(
      outcome.error.code === 'ENOENT'
        ? `${user} gets its credentials from the program ${command}, which is not installed.${hint === undefined ? '' : ` ${hint}`}`
        : `${who} cannot be started: ${whyNot(outcome.error)}.`,
    )
  }
  const { end, said, output } = outcome
  if (end !== undefined) throw new UsageError(`${who} ${end}: ${said || 'it said nothing'}`)
  const given = credentialsIn(output, apiVersion)
  if (typeof given === 'string') throw new UsageError(`${who} gave none: ${given}.`)
  const { token, cert, key } = given
  if (!cert || !key) return { token }
  const of = `from the plugin of ${user}`
  return { token, pair: pairOf({ text: cert, from: 'the certificate' }, { text: key, from: 'the key' }, of) }
}

/** Characters of what a plugin prints: a token and a certificate are some thousand. */
const largestOutput = 1024 * 1024

type Outcome =
  | { readonly error: NodeJS.ErrnoException }
  /** `end` says how it ended where that was not well; `said` is the last of its messages. */
  | { readonly end: string | undefined; readonly said: string; readonly output: string }

/** Of some arguments spawn throws. What it says of them shows them: they may be secrets. */
function started(command: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  try {
    return spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
}

function whyNot(error: NodeJS.ErrnoException): string {
  if (error.code === 'ERR_INVALID_ARG_VALUE')
    return 'its command, args or env hold a character that cannot be handed over'
  return whyRefused(error)
}

function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Outcome> {
  return new Promise((done) => {
    const child = started(command, args, env)
    if (child instanceof Error) return done({ error: child })
    let output = ''
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (output.length > largestOutput) stop(`printed more than ${largestOutput >> 20} MiB`)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-1000)
      // It may wait for a login elsewhere: people must see where.
      if (process.stderr.isTTY) process.stderr.write(text)
    })
    const finish = (end: string | undefined) => {
      done({ end, said: said.replace(/\s+/g, ' ').trim(), output })
    }
    // What it has started itself may live on and hold the streams: nobody waits for that.
    const stop = (end: string) => {
      child.kill()
      child.stdout.destroy()
      child.stderr.destroy()
      child.unref()
      finish(end)
    }
    const onAbort = () => stop(`did not end (${ending(signal)})`)
    child.on('error', (error) => done({ error }))
    child.on('close', (code, killer) => {
      signal.removeEventListener('abort', onAbort)
      finish(code === 0 ? undefined : `failed with ${killer ?? `exit code ${code}`}`)
    })
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort)
  })
}

/** The credentials in what the plugin has printed, or what is wrong with that; of the text itself nothing may be shown. */
function credentialsIn(output: string, apiVersion: string) {
  let answer: unknown
  try {
    answer = JSON.parse(output)
  } catch {
    return 'what it printed is no JSON'
  }
  if (stringAt(answer, 'kind') !== 'ExecCredential') return 'what it printed is no ExecCredential'
  if (stringAt(answer, 'apiVersion') !== apiVersion)
    return `it answers in another version than ${apiVersion}, which the kubeconfig asks for`
  const given = (field: string) => stringAt(answer, 'status', field) || undefined
  const [token, cert, key] = [given('token'), given('clientCertificateData'), given('clientKeyData')]
  if ((cert === undefined) !== (key === undefined)) return 'a certificate and its key come together only'
  return token === undefined && cert === undefined
    ? 'there is neither a token nor a certificate in its status'
    : { token, cert, key }
}
