/** Text from the input, made safe to show and measured as a terminal does. */
import { type Finding, formatSubject, type Place } from '../finding.js'
import { grouped } from '../values/enumerate.js'
import { lazy } from '../values/lazy.js'

/**
 * What could drive a terminal or a log, or make text look like something else: control characters (C0, DEL, C1),
 * bidirectional and other format characters, lone surrogates, spaces other than the ordinary one, and what Unicode
 * lets programs show as nothing. The selector that makes ⚠ an emoji is harmless and common. Made when it is needed, as
 * all expressions with properties of Unicode here: V8 takes milliseconds for them, even where they are only written down.
 */
export const unprintable = lazy(
  () => /(?! |\ufe0f)[\p{Cc}\p{Cf}\p{Cs}\p{Z}\p{Default_Ignorable_Code_Point}]/gu,
)

const unplain = /[^ -~]/
/** All but ASCII, letters of Europe, dashes, dots and lines of frames, which take one column each. */
const unusual = /[^ -~\u00a1-\u02ff\u2010-\u2027\u2500-\u257f]/

/**
 * The first character of what runners of pipelines take for commands wherever it stands in a line of a log: `##vso[` and `##[`. The
 * second half of the first one is enough, as colours and frames may come between. Sources: microsoft/azure-pipelines-agent,
 * Command.cs; actions/runner, ActionCommand.cs (TryParse).
 */
export const marksOfLogs = /#(?=#\[|vso\[)/g
/**
 * The first one of `::error::`, which drives a log where a line begins with it, and lines are broken anywhere. Addresses have such
 * colons, too, and no letters behind f. Source: actions/runner, ActionCommand.cs (TryParseV2).
 */
const commandOfLogs = /:(?=:[a-z-]{0,30}[g-z-][a-z-]{0,30}(?:::| ))/gi

/**
 * The text with everything unprintable written out, `\u001b`, and what would drive a log. Line breaks and tabs are written out, too.
 */
export function printable(text: string): string {
  const plain = unplain.test(text)
    ? text.replace(
        unprintable(),
        (character) => ({ '\n': '\\n', '\r': '\\r', '\t': '\\t' })[character] ?? escaped(character),
      )
    : text
  return plain.includes('#') || plain.includes('::')
    ? plain.replace(marksOfLogs, escaped).replace(commandOfLogs, escaped)
    : plain
}

const lookalikes: Readonly<Record<string, string>> = {
  '’': "'",
  '‘': "'",
  '“': '"',
  '”': '"',
  '…': '...',
  '·': '-',
  '–': '-',
  '—': '-',
}

/** Printable text in ASCII: a terminal in another encoding may take bytes of UTF-8 for control characters. */
export function ascii(text: string): string {
  return printable(text).replace(/[^ -~]/gu, (character) => lookalikes[character] ?? escaped(character))
}

function escaped(character: string): string {
  const hex = (character.codePointAt(0) ?? 0).toString(16)
  return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`
}

/** East Asian wide and fullwidth characters of Unicode 15.1, and emoji that are pictures by themselves. */
const wide = lazy(
  () =>
    /^(?:[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\u4dbf\u4e00-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{1b2fb}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]|(?!\p{Regional_Indicator})\p{Emoji_Presentation})/u,
)
const mark = lazy(() => /^[\p{Mn}\p{Me}]/u)

/** The number of columns that printable text takes: wide characters two, combining marks none. */
export function columns(text: string): number {
  if (!unusual.test(text)) return text.length
  let sum = 0
  for (const character of text) {
    if (!mark().test(character)) sum += wide().test(character) ? 2 : 1
  }
  return sum
}

/** The text cut to a number of columns, with `more` at its end when something was cut. */
export function cut(text: string, most: number, more = '…'): string {
  return columns(text) <= most ? text : `${beginning(text, most - columns(more))}${more}`
}

/** As much of the text as fits into so many columns. */
function beginning(text: string, most: number): string {
  let kept = ''
  let sum = 0
  for (const character of text) {
    sum += columns(character)
    if (sum > most) break
    kept += character
  }
  return kept
}

/** The text without its beginning, so that it takes at most so many columns, with `more` in the place of what was cut. */
export function cutFront(text: string, most: number, more: string): string {
  let sum = columns(text)
  if (sum <= most) return text
  let rest = text
  for (const character of text) {
    if (sum <= most - columns(more)) break
    sum -= columns(character)
    rest = rest.slice(character.length)
  }
  return `${more}${rest}`
}

/** Columns that a description needs beside what it is about: with less room it stands below. */
export const leastRoom = 40

/** Spaces, but for that between a number and its unit. */
const gap = /(?<!\d)\s+|\s+(?!(?:ms|s|h|%)(?!\w))/

/**
 * Breaks text at spaces into lines of at most `most` columns. Longer words stand on lines of their own, unbroken, and a
 * number stands beside its unit.
 * @param measure the columns that a piece of the text takes
 */
export function wrap(text: string, most: number, measure = columns): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(gap)) {
    if (word === '') continue
    if (line === '') line = word
    else if (measure(`${line} ${word}`) <= most) line += ` ${word}`
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
  return `${grouped(number)} ${number === 1 ? one : many}`
}

/** The message with what was seen, and where it is when no line tells, for formats that have one text for all. */
export function withEvidence(
  finding: Pick<Finding, 'message' | 'evidence' | 'often' | 'place' | 'subject'>,
): string {
  const seen = seenOf(finding)
  const built = builtNote(finding)
  return [
    finding.message,
    ...(seen.length > 0 ? [`Seen: ${seen.join('; ')}.`] : []),
    ...(built === '' ? [] : [`${built}.`]),
  ].join(' ')
}

/** The same, and behind it the object, and its cluster where there are several: `… (Deployment shop/web in prod-eu)`. */
export function statement(finding: Finding): string {
  const { subject } = finding
  return `${withEvidence(finding)}${subject ? ` (${formatSubject(subject)}${inCluster(finding)})` : ''}`
}

/** `As built: .spec.replicas, from base/web.yaml:6`, where no file is known to hold it; else empty. */
export function builtNote({ place, subject }: Pick<Finding, 'place' | 'subject'>): string {
  if (!place.built) return ''
  const field = subject ? `: ${fieldOf(place)}` : ''
  return `As built${field}${nearOf(place, ', from ')}`
}

/** Where the nearest thing around it is written, or in which file of an archive, behind a word. */
export function nearOf({ built }: Pick<Place, 'built'>, word: string): string {
  const name = built?.near ? `${built.near.file}:${built.near.line}` : built?.archived
  return name === undefined ? '' : `${word}${name}`
}

/** Where the text of a place stands: in its file, or in what was built. */
export function textPlace<P extends Place>(place: P): P {
  return place.built ? { ...place, ...place.built } : place
}

/** Most lines of what was seen that are shown. */
const mostSeen = 5

/** What was seen, and how often it happens, as far as there is room. */
export function seenOf({
  evidence = [],
  often = [],
}: Pick<Finding, 'evidence' | 'often'>): readonly string[] {
  return [...evidence, ...often.slice(0, Math.max(0, mostSeen - evidence.length))]
}

/** ` in prod-eu`, where there are several clusters. */
export function inCluster({ cluster }: Pick<Finding, 'cluster'>): string {
  return cluster === undefined ? '' : ` in ${cluster}`
}

/** The same for people: there is no line of what was built. */
export function whereShown(place: Place): string {
  return place.built ? `${place.file}, as built` : whereIs(place)
}

/** `deploy/web.yaml:3:5`; of a live object the field, `deployment/shop/web .spec.replicas`. Raw text. */
export function whereIs(place: Place): string {
  const { file, line, column } = place
  return place.live ? `${file} ${fieldOf(place)}` : `${file}:${line}:${column}`
}

/** The field of a place; an object as a whole is shown at its name. */
export function fieldOf({ path }: Place): string {
  return path || '.metadata.name'
}

/** Joins the parts of a line and breaks lines between them where that is possible. */
export function wrapParts(parts: readonly string[], width: number, dot: string): string[] {
  const lines: string[] = []
  for (const part of parts) {
    const last = lines.at(-1)
    if (last !== undefined && columns(last) + columns(dot) + columns(part) <= width)
      lines[lines.length - 1] = `${last}${dot}${part}`
    else lines.push(part)
  }
  return lines.flatMap((line) => (columns(line) > width ? wrap(line, width) : [line]))
}
