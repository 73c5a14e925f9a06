/** Findings as `fixtures/<rule>/findings.txt` holds them: what each fixture is told, word for word. */
import { type Edit, type Finding, formatPath, type Place } from '../src/finding.js'

/**
 * The findings of one fixture, in the order of the report; the empty text where there are none.
 * @param file the fixture: places elsewhere are named with their file
 */
export function textOf(findings: readonly Finding[], file: string): string {
  return findings.map((finding) => linesOf(finding, file).join('\n')).join('\n')
}

function linesOf(finding: Finding, file: string): string[] {
  const {
    severity,
    message,
    evidence = [],
    often = [],
    label,
    place,
    absent,
    related,
    fix,
    suppressed,
  } = finding
  const optional = (name: string, text: string | undefined) =>
    text === undefined ? [] : [`  ${name}: ${text}`]
  return [
    `${whereIs(place, file)} ${severity}: ${message}`,
    ...optional('label', label),
    ...optional('absent', absent),
    ...evidence.map((line) => `  evidence: ${line}`),
    ...often.map((line) => `  often: ${line}`),
    ...related.map((one) =>
      ['  beside:', whereIs(one, file), one.object && `of ${one.object}`, one.note].filter(Boolean).join(' '),
    ),
    ...(fix ? [`  fix, ${fix.safe ? 'safe' : 'unsafe'}: ${fix.title}`] : []),
    ...(fix?.edits ?? []).map((edit) => `    ${textOfEdit(edit)}`),
    ...(fix?.command === undefined ? [] : [`    ${fix.command}`]),
    ...optional('suppressed', suppressed?.reason),
  ]
}

function whereIs({ file, line, column, path }: Place, fixture: string): string {
  return `${file === fixture ? '' : `${file}:`}${line}:${column}${path && ` ${path}`}`
}

function textOfEdit(edit: Edit): string {
  const at = formatPath(edit.path)
  if (edit.op === 'set') return `set ${at} to ${JSON.stringify(edit.value)}`
  return edit.op === 'move' ? `move ${at} to ${formatPath(edit.to)}` : `remove ${at}`
}
