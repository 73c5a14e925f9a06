/** The built program in a folder of its own, as an installed package has it. */
import { spawnSync } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { folderWith } from './folders.js'

export const repository = join(__dirname, '..')

export interface Outcome {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

interface Call {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
}

export interface Program {
  /** The folder that holds bin and dist. */
  readonly folder: string
  readonly bin: string
  run(args: readonly string[], call?: Call): Outcome
  /** Runs a shell command in which `k8s-af` is the program. */
  shell(command: string, call?: Call & { readonly shell?: string }): Outcome
}

/** Builds the program from the sources as they are. */
export function builtProgram(): Program {
  const folder = folderWith()
  cpSync(join(repository, 'bin'), join(folder, 'bin'), { recursive: true })
  const tsx = join(repository, 'node_modules', '.bin', 'tsx')
  const build = spawnSync(tsx, [join(repository, 'scripts', 'build.ts'), join(folder, 'dist')], {
    encoding: 'utf8',
  })
  if (build.status !== 0) throw new Error(build.stderr)
  const bin = join(folder, 'bin', 'k8s-af')
  const empty = folderWith()

  const call = (
    command: string,
    args: readonly string[],
    { cwd = empty, env = {}, input = '' }: Call,
  ): Outcome => {
    const { status, stdout, stderr } = spawnSync(command, args, {
      cwd,
      input,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      env: { PATH: `${join(folder, 'bin')}:${process.env.PATH ?? ''}`, HOME: empty, ...env },
    })
    return { code: status, out: stdout, err: stderr }
  }
  return {
    folder,
    bin,
    run: (args, options = {}) => call(process.execPath, [bin, ...args], options),
    shell: (command, { shell = 'bash', ...options } = {}) => call(shell, ['-c', command], options),
  }
}
