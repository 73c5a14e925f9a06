/** `lint --since REF`: what is about files that have changed. The whole input is read all the same, as rules compare objects. */
import { spawnSync } from 'node:child_process'
import { relative, resolve, sep } from 'node:path'
import { UsageError } from '../config/usage.js'
import { type Report, withFindings } from '../engine/report.js'
import type { Finding, Place } from '../finding.js'
import { printable } from '../reporters/text.js'

/**
 * The files, as absolute paths, that differ from where the branch has left a commit, and those that git does not know yet.
 * @param paths what is linted, which has to be in the same repository: of other files nobody knows whether they have changed
 * @throws UsageError when git is missing, this is no repository, or there is no such commit
 */
export function changedSince(ref: string, cwd: string, paths: readonly string[] = []): ReadonlySet<string> {
  if (ref.trim() === '')
    throw new UsageError(
      '--since names no commit. In a pipeline, look whether the variable is set that names it.',
    )
  if (ref.includes('..'))
    throw new UsageError(
      `--since: ${JSON.stringify(ref)} is no commit: name the one that the branch has left.`,
    )
  if (ref.startsWith('-')) throw new UsageError(`--since: ${JSON.stringify(ref)} is no commit.`)
  const root = resolve(git(ref, ['rev-parse', '--show-toplevel'], cwd)[0] ?? cwd)
  const outside = paths.find((path) => !`${resolve(cwd, path)}${sep}`.startsWith(`${root}${sep}`))
  if (outside !== undefined)
    throw new UsageError(
      `--since: ${outside} is outside of this repository: what has changed there git does not say.`,
    )
  const [base = ''] = git(ref, ['merge-base', ref, 'HEAD'], cwd)
  const differing = git(ref, ['diff', '--name-only', '--no-renames', '-z', base, '--'], root)
  const unknown = git(ref, ['ls-files', '--others', '--exclude-standard', '-z'], root)
  return new Set([...differing, ...unknown].map((name) => resolve(root, name)))
}

/**
 * The report with those findings of which one of the places is in such a file, or that are about one that was taken away. What has no
 * place in a file of its own comes from any of those that made it.
 * @param madeOf the absolute paths of those, by the name of the output
 */
export function aboutChanges(
  report: Report,
  changed: ReadonlySet<string>,
  cwd: string,
  madeOf: (output: string) => Iterable<string>,
): Report {
  const areChanged = (files: Iterable<string>) => [...files].some((name) => changed.has(resolve(cwd, name)))
  const isChanged = ({ file, built }: Place) =>
    areChanged([file, ...(built?.near ? [built.near.file] : []), ...(built ? madeOf(built.file) : [])])
  // Whether there is an object at all, values decide, too.
  const isChartChanged = (finding: Finding) => {
    const document = report.resource(finding)?.document
    return document?.built?.by === 'helm' && areChanged(madeOf(document.file.name))
  }
  // Somebody has taken away what others still name.
  const isGone = (absent: string) => {
    const path = resolve(cwd, absent)
    return changed.has(path) || [...changed].some((one) => one.startsWith(path + sep))
  }
  const findings = report.findings.filter((finding) => {
    const { place, related, absent } = finding
    return (
      [place, ...related].some(isChanged) ||
      isChartChanged(finding) ||
      (absent !== undefined && isGone(absent))
    )
  })
  const narrowed = withFindings(report, findings)
  const open = (of: Report) => of.findings.filter(({ suppressed }) => !suppressed).length
  return { ...narrowed, summary: { ...narrowed.summary, unchanged: open(report) - open(narrowed) } }
}

/** What brings a commit into a clone that lacks it: a name is there at the origin, a way from another commit is not. */
function toFetch(ref: string): string {
  return /^[\w./-]+$/.test(ref)
    ? `it first: git fetch origin ${ref.replace(/^origin\//, '')}`
    : 'all commits first: git fetch --unshallow'
}

/** Milliseconds, and bytes, that git may take. */
const patience = 60_000
const mostBytes = 256 * 1024 * 1024

/** What git prints, by lines or by the zeros between names. */
function git(ref: string, args: readonly string[], cwd: string): readonly string[] {
  // A repository may name programs for git to run. Messages are looked at, so they have to be in English.
  const own = ['-c', 'core.fsmonitor=false', '-c', 'core.quotePath=false', ...args]
  const env = { ...process.env, LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0' }
  const { error, status, stdout, stderr } = spawnSync('git', own, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: mostBytes,
    timeout: patience,
    killSignal: 'SIGKILL',
  })
  if (error) {
    const { code } = error as NodeJS.ErrnoException
    const reasons: Readonly<Record<string, string>> = {
      ENOENT: '--since needs git on the PATH, and does not find it.',
      ETIMEDOUT: `--since: git has not answered for ${patience / 1000} s, and was stopped.`,
      ENOBUFS: `--since: git printed more than ${mostBytes >> 20} MiB, and was stopped.`,
    }
    throw new UsageError(reasons[code ?? ''] ?? `--since cannot run git: ${code}.`)
  }
  // Names may hold line breaks: git marks their ends where it is told to.
  if (status === 0) return stdout.split(args.includes('-z') ? '\0' : '\n').filter((name) => name !== '')
  if (stderr.includes('not a git repository'))
    throw new UsageError(`--since: ${relative('', cwd) || 'this folder'} is in no git repository.`)
  if (args[0] === 'merge-base')
    throw new UsageError(
      stderr === ''
        ? `--since: ${ref} and this branch have no commit in common. A shallow clone has too few: git fetch --unshallow`
        : `--since: there is no commit ${JSON.stringify(ref)} here. In a pipeline, fetch ${toFetch(ref)}`,
    )
  throw new UsageError(`--since: git says: ${printable(stderr.trim().split('\n')[0] ?? '')}`)
}
