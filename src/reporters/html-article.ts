/** A finding, and those that read the same, as a part of a page. */
import { copyable, link } from '../docs/browser.js'
import { type Report, storyFor } from '../engine/report.js'
import { type Finding, formatSubject, type Place, type Subject } from '../finding.js'
import { escapeXml } from './escape.js'
import { excerpt } from './excerpt.js'
import { some } from './gaps.js'
import type { Gathered } from './gather.js'
import type { Look } from './reporter.js'
import { cut, fieldOf, nearOf, printable, seenOf, textPlace, whereShown } from './text.js'

/** The report with what all its articles share. */
export interface Page {
  readonly report: Report
  readonly linkTo: Look['linkTo']
  /** How many articles there are of each namespace and of each cluster. */
  readonly namespaces: ReadonlyMap<string, number>
  readonly clusters: ReadonlyMap<string, number>
  idOf(finding: Finding): string
  /** True for the first of equal calls: stories are told once. */
  isNew(text: string): boolean
  /** The namespaces and clusters of an article by their numbers, from 1: names may be long, and hold anything. */
  marksOf(group: Gathered): { readonly namespaces: readonly number[]; readonly clusters: readonly number[] }
}

/** Columns of an excerpt: lines are broken where the window is narrower. */
const room = 160
/** Code units of a text of the input. Nobody reads more, and a browser would choke on a megabyte. */
const most = 2000
/** Places that are listed at once; more are folded. */
const few = 5

/** Text of the input, as long as anybody reads, for text and for attributes. */
export function short(text: string): string {
  return escapeXml(clipped(text))
}

function clipped(text: string): string {
  return text.length > most ? `${text.slice(0, most)}…` : text
}

/** All that the page says of equal findings. */
export function article(group: Gathered, page: Page): string {
  const { first } = group
  const { rule, severity, suppressed } = first
  const { namespaces, clusters } = page.marksOf(group)
  const id = page.idOf(first)
  return `<article id="${id}" class="${severity}" data-rule="${escapeXml(rule)}" data-namespaces="${namespaces.join(' ')}"${clusters.length > 0 ? ` data-clusters="${clusters.join(' ')}"` : ''}>
<header><b>${severity}</b> <h3>${escapeXml(rule)}</h3>${suppressed ? ' <i>suppressed</i>' : ''} ${titleOf(group)}<a href="#${id}" aria-label="Link to this finding">#</a></header>
<p class="message">${short(first.message)}</p>
${[seen(group), frames(first, page), also(group, page), fix(first), background(first, page)].join('')}</article>
`
}

/** The object, named here too where it stands above: a link leads to the article alone. And the clusters that have it. */
function titleOf({ first, clusters }: Gathered): string {
  const object = first.subject ? [short(formatSubject(first.subject))] : []
  const where = clusters.length > 0 ? [`in ${short(some(clusters))}`] : []
  return object.length + where.length > 0 ? `<span>${[...object, ...where].join(' ')}</span> ` : ''
}

function seen({ first, clusters }: Gathered): string {
  const { cluster = '' } = first
  const all = seenOf(first)
  if (all.length === 0) return ''
  // Of several clusters, what was seen is of the first.
  const of = clusters.length > 1 ? `in ${cluster}: ` : ''
  return `<ul class="seen">${all.map((one) => `<li>${short(`${of}${one}`)}</li>`).join('')}</ul>\n`
}

/** The lines of the input with the places marked, the finding's own and the related ones. */
function frames(finding: Finding, page: Page): string {
  const { place, related, label, subject } = finding
  const isSecret = (object: string | undefined) =>
    object === undefined ? subject?.kind === 'Secret' : object.startsWith('Secret ')
  return `<div class="frame">${[
    frame({ place, title: where(place, page), note: label, isSecret: isSecret(undefined) }, finding, page),
    ...related.map((one) => {
      const object = one.object === undefined ? '' : ` <span>${short(one.object)}</span>`
      const title = `${beside(one, place, page)}${object}`
      return frame({ place: one, title, note: one.note, isSecret: isSecret(one.object) }, finding, page)
    }),
  ].join('')}</div>\n`
}

/** A place of the finding, and what is said there. */
interface Sight {
  readonly place: Place
  /** Where it is, as HTML. */
  readonly title: string
  readonly note: string | undefined
  readonly isSecret: boolean
}

function frame({ place, title, note, isSecret }: Sight, { cluster }: Finding, { report }: Page): string {
  const text = textPlace(place)
  const source = report.lines.line(text.file, text.line, cluster)
  const made = nearOf(place, 'made from ')
  const near = made === '' ? '' : `<p class="note">${short(made)}</p>`
  return `<p class="place">${title}</p>${source === undefined ? '' : sourceLine(source, text)}${near}${source === undefined && isSecret ? '<p>not shown: Secret</p>' : ''}${note === undefined ? '' : `<p class="note">${short(note)}</p>`}`
}

function sourceLine(source: string, place: Place): string {
  const { before, marked, after } = excerpt(source, place, { room, show: printable, more: '…' })
  const start = before.length
  const line = cut(before + marked + after, room).trimEnd()
  const [left, middle, right] = [
    line.slice(0, start),
    line.slice(start, start + marked.length),
    line.slice(start + marked.length),
  ].map(escapeXml)
  const code = `<code>${left}<mark>${middle}</mark>${right}</code>`
  // The lines of a live object, or of what was built, are nowhere to be looked up.
  return place.live || place.built
    ? `<div class="line live">${code}</div>`
    : `<div class="line"><span>${place.line}</span>${code}</div>`
}

/** A field of a live object, or a line, with a link to it where the run knows one. */
function where(place: Place, page: Page): string {
  return linked(place, place.live ? fieldOf(place) : whereShown(place), page)
}

/** The same beside another place: a file is named once. */
function beside(place: Place, other: Place, page: Page): string {
  const isNear = !place.live && !place.built && place.file === other.file
  return isNear ? linked(place, `line ${place.line}`, page) : where(place, page)
}

function linked(place: Place, text: string, { linkTo }: Page): string {
  const url = place.live ? undefined : linkTo?.(place.file, place.line)
  return url === undefined ? short(text) : link(url, clipped(text))
}

/** Where else the same was found. */
function also({ first, places, objects }: Gathered, page: Page): string {
  const items = [
    ...places.map((other) => {
      const { subject } = other
      const isOther =
        subject &&
        !other.place.live &&
        (!first.subject || formatSubject(subject) !== formatSubject(first.subject))
      return `<li id="${page.idOf(other)}">${beside(other.place, first.place, page)}${isOther ? ` <span>${short(formatSubject(subject))}</span>` : ''}</li>`
    }),
    ...objects.map((subject: Subject) => `<li>${short(formatSubject(subject))}</li>`),
  ]
  if (items.length === 0) return ''
  const list = `<ul>${items.join('')}</ul>`
  return items.length > few
    ? `<details class="also"><summary>The same in ${items.length} other places</summary>${list}</details>\n`
    : `<div class="also"><p>The same in</p>${list}</div>\n`
}

/** The fix, and how it gets into the files or into the cluster. */
function fix({ fix, place, subject }: Finding): string {
  if (!fix) return ''
  const flag =
    fix.edits.length > 0 && !place.live ? ` <code>${fix.safe ? '--fix' : '--unsafe-fixes'}</code>` : ''
  const how = !fix.command
    ? ''
    : subject?.keeper
      ? `<p>in ${short(subject.keeper)}, which undoes changes by hand</p>`
      : copyable(printable(fix.command))
  return `<div class="fix"><p><b>Fix</b> ${short(fix.title)}${flag}</p>${how}</div>\n`
}

/** What happened elsewhere, where to read more, and what the rule is about. */
function background(finding: Finding, { report, isNew }: Page): string {
  const { rule, suppressed } = finding
  if (suppressed) return `<p class="story">Suppressed: ${short(suppressed.reason)}</p>\n`
  if (!report.rules.has(rule)) return ''
  const story = storyFor(finding, report)
  const told =
    story && isNew(story.text)
      ? `${escapeXml(story.text)}${story.url ? ` ${link(story.url, 'Read it')}` : ''}`
      : ''
  return `${told === '' ? '' : `<p class="story">${told}</p>\n`}<p class="why"><a href="#rule-${escapeXml(rule)}">Why, and when to ignore it</a></p>\n`
}
