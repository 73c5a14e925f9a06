/** Escaping for the formats that machines read and people may still print. */
import { printable } from './text.js'

/** JSON text in which nothing can drive a terminal: C1 and format characters are written as escapes, too. */
export function escapeJson(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Text for an XML attribute or element. */
export function escapeXml(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
