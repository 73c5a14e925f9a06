/** Runs the user's own tools: without a shell, for a while, and with an end to what they may print. */
import { type ChildProcess, spawn } from 'node:child_process'
import { UsageError } from '../config/usage.js'

export interface Outcome {
  /** The program that ran. */
  readonly name: string
  readonly code: number
  readonly out: string
  /** What it said on standard error, the beginning of it when that is long. */
  readonly said: string
}

/** A build that takes longer waits for somebody: a repository that does not answer, a password. */
const patience = 120_000
const mostBytes = 128 * 1024 * 1024
const mostSaid = 64 * 1024

/**
 * Runs the first of the tools that is there.
 * @param limit milliseconds that it may take; it has failed when it takes longer
 * @returns undefined when none of them is
 * @throws UsageError when it prints too much, or the user has had enough
 */
export async function runFirst(
  tools: readonly { readonly name: string; readonly args: readonly string[] }[],
  cwd: string,
  signal: AbortSignal,
  limit = patience,
): Promise<Outcome | undefined> {
  for (const { name, args } of tools) {
    const outcome = await run(name, args, cwd, signal, limit)
    if (outcome) return outcome
  }
  return undefined
}

async function run(
  name: string,
  args: readonly string[],
  cwd: string,
  signal: AbortSignal,
  limit: number,
): Promise<Outcome | undefined> {
  // Nobody answers questions: a repository that asks for a password is none that can be read.
  const env = { ...process.env, GIT_TERMINAL_PROMPT: '0' }
  const child = spawn(name, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true })
  let reason: string | undefined
  let isLate = false
  const stop = (why: string) => {
    reason ??= why
    end(child)
  }
  const timer = setTimeout(() => {
    isLate = true
    end(child)
  }, limit)
  const interrupted = () => stop('was interrupted')
  signal.addEventListener('abort', interrupted, { once: true })
  if (signal.aborted) interrupted()
  const out = collected(child.stdout, mostBytes, () => stop(`printed more than ${mostBytes >> 20} MiB`))
  const said = collected(child.stderr, mostSaid, () => {})
  try {
    const { code, signal: end } = await ending(child)
    if (reason !== undefined) throw new UsageError(`${name} ${reason}, and was stopped.`)
    if (isLate) return { name, code: 1, out: '', said: `(no end after ${limit / 1000} s: it was stopped)` }
    if (code === undefined) return undefined
    const ended = end === null ? `exit code ${code}` : `ended by ${end}`
    return {
      name,
      code,
      out: out(),
      said: said().trim() === '' && code !== 0 ? `(nothing; ${ended})` : said(),
    }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', interrupted)
  }
}

interface Ending {
  /** Undefined when there is no such program. */
  readonly code: number | undefined
  /** What has ended it. */
  readonly signal: NodeJS.Signals | null
}

function ending(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve({ code: undefined, signal: null })
      else reject(new UsageError(`${child.spawnfile} cannot be run (${error.code ?? error.message}).`))
    })
    child.on('close', (code, signal) => resolve({ code: code ?? 1, signal }))
  })
}

/** What it has started itself may hold its output open. */
function end(child: ChildProcess): void {
  child.kill('SIGKILL')
  child.stdout?.destroy()
  child.stderr?.destroy()
}

/** Gathers a text; `full` is called once there is more than that, which is dropped. */
function collected(stream: NodeJS.ReadableStream, most: number, full: () => void): () => string {
  const parts: Buffer[] = []
  let size = 0
  stream.on('data', (part: Buffer) => {
    size += part.length
    if (size <= most) parts.push(part)
    else full()
  })
  return () => Buffer.concat(parts).toString('utf8')
}

/** Lines of an error that are passed on. */
const mostLines = 20

/**
 * Why something could not be made, in the tool's own words.
 * @param what as the beginning of a sentence: `overlays/prod cannot be built`
 * @param error what it says, as `errorIn` gives it
 * @param remedies what may help, if anything is known
 */
export function refusal(
  what: string,
  name: string,
  error: string,
  ...remedies: readonly (string | undefined)[]
): UsageError {
  const lines = error === '' ? [] : error.split('\n')
  return new UsageError(
    `${what}. ${name} says:`,
    ...lines.slice(0, mostLines).map((line) => `  ${line}`),
    ...(lines.length > mostLines ? [`  and ${lines.length - mostLines} lines more`] : []),
    ...remedies.filter((one) => one !== undefined),
  )
}

/** What a tool says is wrong, without what only frames it. */
export function errorIn({ said }: Outcome): string {
  return (
    said
      .split('\n')
      .map((line) => line.replaceAll('\t', '  ').trimEnd())
      // kubectl puts errors of several lines between these; kustomize warns of what it will not read one day.
      .filter((line) => !/^$|^E\d{4} .* err=<$|^ >$|^# Warning: |^Use --debug /.test(line))
      .map(withoutLogging)
      .join('\n')
  )
}

/** The error in a line as kubectl logs it; any other line as it is. */
function withoutLogging(line: string): string {
  const [, quoted] = /^E\d{4} .*\] "command failed" err=(".*")$/.exec(line) ?? []
  if (quoted === undefined) return line
  try {
    return String(JSON.parse(quoted))
  } catch {
    // Go quotes some characters as JSON does not.
    return line
  }
}
