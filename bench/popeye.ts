/** popeye, a linter of live clusters: how `npm run bench:scan` calls it, and what it answers. */
import { spawnSync } from 'node:child_process'
import { isMapping, type Mapping } from '../tests/cluster/mapping.js'

/** By number. */
const levels = ['ok', 'info', 'warning', 'error'] as const

export interface Report {
  /** `code` is like `POP-106`. */
  readonly findings: readonly { readonly level: string; readonly code: string }[]
  /** What one of the linters that gave up says; the findings of those are missing. */
  readonly gaveUp?: string
}

/** Which version a file says it is, `dev` when `go install` made it. Undefined when it is no popeye: a chess program has that name, too. */
export function versionOf(file: string): string | undefined {
  const { stdout } = spawnSync(file, ['version'], {
    encoding: 'utf8',
    timeout: 30_000,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return /^Version: +(\S+)/m.exec(plainText(stdout ?? ''))?.[1]
}

/** Reads every namespace with every linter. The report goes to the standard output, so that the log has to go elsewhere. */
export function commandOf(file: string, kubeconfig: string, log: string): readonly string[] {
  return [file, '--kubeconfig', kubeconfig, '-A', '-o', 'json', '--logs', log]
}

/** Throws when popeye printed no report: its exit code is 1 then, as it is when it found an error. */
export function reportIn(stdout: string): Report {
  const { sections, errors } = contentOf(stdout)
  const findings = issuesIn(sections).map(({ level, message }) => ({
    level: levels[Number(level)] ?? 'unknown',
    code: /^\[(POP-\d+)\]/.exec(String(message))?.[1] ?? 'no code',
  }))
  return {
    findings: findings.filter(({ level }) => level !== 'ok'),
    ...(errors !== undefined && { gaveUp: JSON.stringify(errors) }),
  }
}

function contentOf(stdout: string): Mapping {
  try {
    const { popeye }: { popeye?: unknown } = JSON.parse(stdout)
    if (isMapping(popeye)) return popeye
  } catch {
    // Told below.
  }
  throw new Error(`no report but ${stdout.slice(-300).trim() || 'nothing'}`)
}

/** Sections have issues by object, as lists. */
function issuesIn(value: unknown): Mapping[] {
  if (typeof value !== 'object' || value === null) return []
  return isMapping(value) && 'message' in value ? [value] : Object.values(value).flatMap(issuesIn)
}

/** Without the sequences that colour it. */
const plainText = (text: string) => text.replace(/\u001b\[[\d;]*m/g, '')
