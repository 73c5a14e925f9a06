/** The report as one page for a browser, to send to others: it needs no network, and no script to be read. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { forBrowser } from '../docs/browser.js'
import { rulePage } from '../docs/explain.js'
import type { Report } from '../engine/report.js'
import { severities } from '../finding.js'
import { countBy } from '../values/group.js'
import { escapeXml } from './escape.js'
import { fingerprints } from './fingerprint.js'
import { allGaps } from './gaps.js'
import { type Gathered, gather, gravestFirst, titleOf } from './gather.js'
import { article, type Page, short } from './html-article.js'
import { shownIn } from './look.js'
import type { Look } from './reporter.js'
import { summaryParts } from './summary.js'
import { count } from './text.js'
import { tool } from './tool.js'

export function* render(report: Report, look: Look): Iterable<string> {
  const shown = shownIn(report, look)
  const groups = gather(gravestFirst(shown))
  const page = pageOf(report, groups, look)
  yield* head(report)
  yield summary(report)
  yield filters(page, groups, shown.length)
  yield groups.length > many ? '<main class="long">\n' : '<main>\n'
  let file: string | undefined
  for (const group of groups) {
    const { first } = group
    if (first.place.file !== file) {
      yield `${file === undefined ? '' : '</section>\n'}<section>\n<h2>${short(titleOf(first))}</h2>\n`
      file = first.place.file
    }
    yield article(group, page)
  }
  yield file === undefined ? '<p>No findings.</p>\n' : '</section>\n'
  yield '</main>\n'
  yield* rules(report, groups)
  yield `<script>${script}</script>\n</body>\n</html>\n`
}

/** Articles that a browser draws all at once; of more it draws those in sight. */
const many = 300

const style = readFileSync(join(__dirname, 'page.css'), 'utf8')
const script = readFileSync(join(__dirname, 'page.js'), 'utf8')

function hash(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
}

function head(report: Report): string[] {
  const policy = `default-src 'none'; style-src ${hash(style)}; script-src ${hash(script)}; base-uri 'none'; form-action 'none'`
  return [
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">\n`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
    '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n',
    `<title>k8s-af: ${escapeXml(summaryParts(report)[0] ?? '')}</title>\n<style>${style}</style>\n</head>\n<body>\n`,
  ]
}

/** What was found, what was read, and what was not. */
function summary(report: Report): string {
  const [, ...parts] = summaryParts(report)
  const found = report.findings.filter((finding) => !finding.suppressed)
  const counts = severities.map((severity) => {
    const number = found.filter((finding) => finding.severity === severity).length
    return `<li${number > 0 ? ` class="${severity}"` : ''}>${count(number, severity).replace(/^\S+/, '<b>$&</b>')}</li>`
  })
  const written = `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`
  return `<header class="top">
<h1>k8s-af <small>${tool.version}, ${written}</small></h1>
<ul class="counts">${counts.join('')}</ul>
<ul class="facts">${parts.map((part) => `<li>${escapeXml(part)}</li>`).join('')}</ul>
${notSeen(allGaps(report))}</header>
`
}

/** What nothing is said about. A long list is folded. */
function notSeen(gaps: readonly string[]): string {
  if (gaps.length === 0) return ''
  const open = gaps.length > 6 ? '' : ' open'
  return `<details class="gaps"${open}><summary>Not read or not decided (${gaps.length})</summary><ul>${gaps.map((gap) => `<li>${short(gap)}</li>`).join('')}</ul></details>\n`
}

/** What findings can be filtered by: useless without the script, which shows it. */
function filters({ namespaces, clusters }: Page, groups: readonly Gathered[], findings: number): string {
  if (groups.length === 0) return ''
  const rules = counted(groups.map(({ first }) => [first.rule]))
  const select = (name: string, values: ReadonlyMap<string, number>) =>
    values.size < 2
      ? ''
      : `<label>${name} <select name="${name}"><option value="">all</option>${[...values]
          .map(([value, number]) => `<option value="${short(value)}">${short(value)} (${number})</option>`)
          .join('')}</select></label>\n`
  return `<search class="filters" hidden>
<fieldset><legend>severity</legend>${severities.map((one) => `<label class="${one}"><input type="checkbox" name="severity" value="${one}" checked>${one}</label>`).join('')}</fieldset>
${select('rule', rules)}${select('namespace', namespaces)}${select('cluster', clusters)}<label>text <input type="search" name="text" autocomplete="off" spellcheck="false"></label>
<button type="button" class="reset">Show all</button>
<p role="status">${entries(groups.length, findings)}</p>
</search>
`
}

/** How many articles there are, and of how many findings, where equal ones share one. */
function entries(articles: number, findings: number): string {
  const shown = count(articles, 'entry', 'entries')
  return findings > articles ? `${shown}, ${count(findings, 'finding')}` : shown
}

/** What all articles share. */
function pageOf(report: Report, groups: readonly Gathered[], { linkTo }: Look): Page {
  const fingerprint = fingerprints()
  const ids = new Map(report.findings.map((finding) => [finding, `f-${fingerprint(finding).slice(0, 12)}`]))
  const told = new Set<string>()
  const namespaces = counted(groups.map(namespacesOf))
  const clusters = counted(groups.map((group) => group.clusters))
  const ofNamespace = numbered(namespaces)
  const ofCluster = numbered(clusters)
  return {
    report,
    linkTo,
    namespaces,
    clusters,
    idOf: (finding) => ids.get(finding) ?? '',
    isNew: (text) => !told.has(text) && told.add(text) !== undefined,
    marksOf: (group) => ({
      namespaces: [...new Set(namespacesOf(group))].map(ofNamespace),
      clusters: group.clusters.map(ofCluster),
    }),
  }
}

/** The names in alphabetical order, each with the number of lists that have it. */
function counted(lists: readonly (readonly string[])[]): ReadonlyMap<string, number> {
  const each = lists.flatMap((names) => [...new Set(names)])
  return new Map([...countBy(each, (name) => name)].sort(([a], [b]) => (a < b ? -1 : Number(a > b))))
}

function numbered(names: ReadonlyMap<string, number>): (name: string) => number {
  const numbers = new Map([...names.keys()].map((name, i) => [name, i + 1]))
  return (name) => numbers.get(name) ?? 0
}

function namespacesOf({ first, places, objects }: Gathered): string[] {
  return [first, ...places, ...objects.map((subject) => ({ subject }))].map(
    ({ subject }) => subject?.namespace || '(none)',
  )
}

/** The pages of all rules that reported, for those who ask why. */
function* rules(report: Report, groups: readonly Gathered[]): Iterable<string> {
  const ids = new Set(groups.map(({ first }) => first.rule))
  const used = [...report.rules].filter(([id]) => ids.has(id))
  if (used.length === 0) return
  yield '<aside>\n<h2>Rules</h2>\n'
  for (const [id, rule] of used) {
    const stories = rule.stories.flatMap((name) => report.story(name) ?? [])
    const [, ...rest] = rulePage(id, rule, stories, {}).split('\n\n')
    yield `<details><summary><h3>${escapeXml(rule.title)}</h3> <code>${escapeXml(id)}</code></summary><div id="rule-${escapeXml(id)}">\n${forBrowser(rest.join('\n\n'))}\n</div></details>\n`
  }
  yield '</aside>\n'
}
