/** Text from the input, made safe to show and measured as a terminal does. */
import type { Subject } from '../finding.js'

/**
 * Control characters (C0, DEL, C1), bidirectional overrides, invisible format characters and lone surrogates: what could
 * drive a terminal or a log, or make text look like something else.
 */
const unprintable =
  /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|\p{Surrogate}/gu

/** The text with everything unprintable written out, `\u001b`. Line breaks and tabs are written out, too. */
export function printable(text: string): string {
  return text.replace(unprintable, (character) => {
    const named = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character]
    return named ?? `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`
  })
}

const wide =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u

/** The number of columns that printable text takes: wide characters two, combining marks none. */
export function columns(text: string): number {
  let sum = 0
  for (const character of text) {
    if (/^[\p{Mn}\p{Me}]/u.test(character)) continue
    sum += wide.test(character) ? 2 : 1
  }
  return sum
}

/** The text cut to a number of columns, with `…` when something was cut. */
export function cut(text: string, most: number): string {
  if (columns(text) <= most) return text
  let kept = ''
  let sum = 0
  for (const character of text) {
    sum += columns(character)
    if (sum > most - 1) break
    kept += character
  }
  return `${kept}…`
}

/** Breaks text at spaces into lines of at most `most` columns. Longer words stand on lines of their own, unbroken. */
export function wrap(text: string, most: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (word === '') continue
    if (line === '') line = word
    else if (columns(line) + 1 + columns(word) <= most) line += ` ${word}`
    else {
      lines.push(line)
      line = word
    }
  }
  if (line !== '') lines.push(line)
  return lines
}

/** `1 error`, `2 errors`. */
export function count(number: number, one: string, many = `${one}s`): string {
  // toLocaleString would load the data of all languages: 20 ms.
  return `${String(number).replace(/\B(?=(\d{3})+$)/g, ',')} ${number === 1 ? one : many}`
}

/** `Deployment shop/web`, as people name an object. */
export function nameOf({ kind, namespace, name }: Subject): string {
  return `${kind} ${namespace ? `${namespace}/` : ''}${name || '(no name)'}`
}
