/** Decides how output looks from the stream, the environment and the flag. */
import { relative, resolve, sep } from 'node:path'
import type { Report } from '../engine/report.js'
import type { Finding } from '../finding.js'
import type { Look } from './reporter.js'

export interface Terminal {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Whether to use colours. The flag decides when it is given; then NO_COLOR (any value but empty), FORCE_COLOR (not `0`),
 * then whether the stream is a terminal other than `dumb`. See no-color.org.
 */
export function wantsColor(
  stream: Terminal,
  env: Environment,
  when: 'auto' | 'always' | 'never' = 'auto',
): boolean {
  if (when !== 'auto') return when === 'always'
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false'
  return stream.isTTY === true && env.TERM !== 'dumb'
}

/** 80 columns where the width is unknown; never below 40 or above 100, which reads badly. */
export function lookOf(
  stream: Terminal,
  env: Environment,
  options: { readonly color?: 'auto' | 'always' | 'never'; readonly showSuppressed?: boolean } = {},
): Look {
  const columns = stream.columns ?? Number(env.COLUMNS)
  const linkTo = linksOf(env)
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || ''
  return {
    color: wantsColor(stream, env, options.color),
    width: Math.min(100, Math.max(40, columns || 80)),
    // No locale at all is common in containers and CI, whose logs are UTF-8.
    unicode: locale === '' || /utf-?8/i.test(locale),
    showSuppressed: options.showSuppressed ?? false,
    ...(linkTo && { linkTo }),
  }
}

/** The findings that are shown: suppressed ones where somebody asks for them. */
export function shownIn(report: Report, { showSuppressed }: Look): readonly Finding[] {
  return showSuppressed ? report.findings : report.findings.filter(({ suppressed }) => !suppressed)
}

/**
 * Where the lines of a checkout are on the web, in runs of GitHub Actions and GitLab CI.
 * Source: their documentation of the variables that are set for each run.
 */
function linksOf(env: Environment): Look['linkTo'] {
  const { GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_SHA, GITHUB_WORKSPACE } = env
  const { CI_PROJECT_URL, CI_COMMIT_SHA, CI_PROJECT_DIR } = env
  if (GITHUB_SERVER_URL && GITHUB_REPOSITORY && GITHUB_SHA && GITHUB_WORKSPACE)
    return links(GITHUB_WORKSPACE, `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/blob/${GITHUB_SHA}`)
  if (CI_PROJECT_URL && CI_COMMIT_SHA && CI_PROJECT_DIR)
    return links(CI_PROJECT_DIR, `${CI_PROJECT_URL}/-/blob/${CI_COMMIT_SHA}`)
  return undefined
}

function links(root: string, base: string): (file: string, line: number) => string | undefined {
  return (file, line) => {
    // Lone surrogates cannot be encoded.
    const steps = relative(root, resolve(file)).toWellFormed().split(sep)
    if (steps[0] === '..' || file.startsWith('<')) return undefined
    // A bracket would end the link.
    const path = steps.map((step) =>
      encodeURIComponent(step).replace(/[()]/g, (one) => `%${one.charCodeAt(0).toString(16)}`),
    )
    return `${base}/${path.join('/')}#L${line}`
  }
}
