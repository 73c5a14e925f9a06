/** The whole report as one YAML document: what the json format says, in the same order. */
import type { Report } from '../engine/report.js'
import { escapeUnits } from './escape.js'
import { schemaVersion } from './json.js'
import { shownIn } from './look.js'
import type { Look } from './reporter.js'
import { marksOfLogs, unprintable } from './text.js'
import { tool } from './tool.js'

export function* render(report: Report, look: Look): Iterable<string> {
  const findings = shownIn(report, look)
  yield `${block({ schemaVersion, tool, summary: report.summary }, '')}\n`
  yield findings.length === 0 ? 'findings: []\n' : 'findings:\n'
  for (const finding of findings) yield `- ${block(finding, '  ')}\n`
}

/** A mapping or list, each line but the first behind the indentation. */
function block(value: object, indent: string): string {
  const lines = Array.isArray(value)
    ? value.map((item: unknown) => `- ${inline(item, `${indent}  `)}`)
    : Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([key, item]) => `${scalar(key)}:${isFilled(item) ? below(item, indent) : ` ${scalar(item)}`}`)
  return lines.join(`\n${indent}`)
}

/** What stands behind a dash. */
function inline(value: unknown, indent: string): string {
  return isFilled(value) ? block(value, indent) : scalar(value)
}

/** What stands under a key. */
function below(value: object, indent: string): string {
  const deeper = `${indent}  `
  return `\n${deeper}${block(value, deeper)}`
}

function isFilled(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0
}

/** Words that mean themselves: no number, no boolean, no null, in any version of YAML. */
const plain = /^(?!(?:y|n|yes|no|on|off|true|false|null|inf|nan)$)[a-z][\w./-]*(?: [\w./-]+)*$/i

function scalar(value: unknown): string {
  if (typeof value !== 'string') return Array.isArray(value) ? '[]' : JSON.stringify(value)
  if (plain.test(value)) return value
  return JSON.stringify(value.toWellFormed())
    .replace(unprintable(), (character) => {
      const hex = (character.codePointAt(0) ?? 0).toString(16)
      return hex.length > 4 ? `\\U${hex.padStart(8, '0')}` : `\\u${hex.padStart(4, '0')}`
    })
    .replace(marksOfLogs, escapeUnits)
}
