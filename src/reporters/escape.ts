/** Escaping for the formats that machines read and people may still print. */
import { marksOfLogs, printable, unprintable } from './text.js'

/** JSON text in which nothing can drive a terminal or a log: C1 and format characters are written as escapes, too. */
export function escapeJson(json: string): string {
  // A line break of JSON text is none of a string, where it would be written as an escape.
  return json
    .split('\n')
    .map((line) => line.replace(unprintable(), escapeUnits).replace(marksOfLogs, escapeUnits))
    .join('\n')
}

/** Each UTF-16 unit as JSON and JavaScript escape it. */
export function escapeUnits(text: string): string {
  return text
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
}

/** Text for an XML attribute or element. */
export function escapeXml(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
