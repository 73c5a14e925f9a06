/** Decides how output looks from the stream, the environment and the flag. */
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
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || ''
  return {
    color: wantsColor(stream, env, options.color),
    width: Math.min(100, Math.max(40, columns || 80)),
    // No locale at all is common in containers and CI, whose logs are UTF-8.
    unicode: locale === '' || /utf-?8/i.test(locale),
    showSuppressed: options.showSuppressed ?? false,
  }
}
