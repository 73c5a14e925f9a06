/** What every output format is: a function from a report to pieces of text. */
import type { Report } from '../engine/report.js'

/** How a person looks at the output, and from where. Formats for machines ignore it. */
export interface Look {
  readonly color: boolean
  /** Columns of the terminal. */
  readonly width: number
  /** False on terminals without UTF-8: lines are then drawn in ASCII. */
  readonly unicode: boolean
  /** Show suppressed findings as well. */
  readonly showSuppressed: boolean
  /** The address of a line of a file on the web, where the run knows of one. */
  readonly linkTo?: (file: string, line: number) => string | undefined
}

/** Gives the output in pieces, so that large reports need no large string. Each piece ends where it likes. */
type Reporter = (report: Report, look: Look) => Iterable<string>

type Loader = () => Promise<{ readonly render: Reporter }>

/** All formats by name, loaded when asked for. */
export const formats = {
  pretty: () => import('./pretty.js'),
  concise: () => import('./concise.js'),
  json: () => import('./json.js'),
  jsonl: () => import('./jsonl.js'),
  yaml: () => import('./yaml.js'),
  sarif: () => import('./sarif.js'),
  github: () => import('./github.js'),
  gitlab: () => import('./gitlab.js'),
  junit: () => import('./junit.js'),
  checkstyle: () => import('./checkstyle.js'),
  html: () => import('./html.js'),
  markdown: () => import('./markdown.js'),
  policyreport: () => import('./policyreport.js'),
} as const satisfies Record<string, Loader>

export type Format = keyof typeof formats

export const formatNames = Object.keys(formats) as readonly Format[]

/** Whether there is a report of that format. */
export function isFormat(name: string): name is Format {
  return Object.hasOwn(formats, name)
}
