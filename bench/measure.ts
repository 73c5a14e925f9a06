/** Runs programs from start to end and measures them. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface Cost {
  readonly seconds: number
  /** Peak resident memory of the process, in MB; 0 where there is no /proc. */
  readonly megabytes: number
}

export interface Run extends Cost {
  readonly stdout: string
  readonly stderr: string
}

export interface Surroundings {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** Milliseconds, after which it is ended; nothing by default. */
  readonly timeout?: number
}

/** Rejects when the program cannot be started, and when it ends with another code than 0 and 1, which linters have for findings. */
export function run(command: readonly string[], surroundings: Surroundings = {}): Promise<Run> {
  return new Promise((done, fail) => {
    const [program = '', ...args] = command
    const begun = process.hrtime.bigint()
    const child = spawn(program, args, { ...surroundings, stdio: ['ignore', 'pipe', 'pipe'] })
    const texts: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] }
    let megabytes = 0
    const timer = setInterval(() => {
      try {
        const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))
        if (match) megabytes = Math.max(megabytes, Number(match[1]) / 1024)
      } catch {
        // The process is gone, or this is not Linux: no figure for memory then.
      }
    }, 10)
    for (const name of ['stdout', 'stderr'] as const)
      child[name].on('data', (chunk: Buffer) => texts[name].push(chunk))
    child.on('error', (error) => {
      clearInterval(timer)
      fail(error)
    })
    child.on('close', (code, signal) => {
      const seconds = Number(process.hrtime.bigint() - begun) / 1e9
      clearInterval(timer)
      const stdout = Buffer.concat(texts.stdout).toString()
      const stderr = Buffer.concat(texts.stderr).toString()
      if (code === 0 || code === 1) done({ seconds, megabytes, stdout, stderr })
      else fail(new Error(`${command.join(' ').slice(0, 200)}: ${signal ?? code} ${stderr.slice(-2000)}`))
    })
  })
}

/** The middle one of the numbers; of an even count the mean of the two in the middle. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const [upper = Number.NaN, lower = upper] = [sorted[sorted.length >> 1], sorted[(sorted.length - 1) >> 1]]
  return (lower + upper) / 2
}

/** The file of a program in the first of the folders that has it; those of PATH by default. */
export function find(
  name: string,
  folders: readonly string[] = (process.env.PATH ?? '').split(delimiter),
): string | undefined {
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file))
}
