/** A second rendering of a chart, with marks that say which line of which template has made what. */
import { UsageError } from '../config/usage.js'
import type { SourceFile } from '../document.js'
import { positions } from '../reader/lines.js'
import { mayBeSecret } from '../reader/secret.js'
import { type Outcome, runFirst } from './command.js'
import { brokenTemplate, markedChart } from './marked-chart.js'
import { type MarkedDocument, markedDocuments } from './marked-output.js'
import type { Mark, Template } from './marks.js'

/** What is known of the documents that templates have made. */
export interface MarkedRender {
  /** What may be a document, or is the same as one. */
  like(rendered: Rendered): readonly MarkedDocument[]
  readonly marks: readonly Mark[]
}

/** A document as Helm has printed it. */
export interface Rendered {
  /** The name of its template in `# Source: …`. */
  readonly source: string
  /** What the template has made of it. */
  readonly lines: readonly string[]
}

/** The longest that anybody waits for lines, in milliseconds. */
const patience = 30_000

/**
 * Renders a copy of a chart with marks.
 * @param folder of the chart, absolute
 * @param inDefines whether named templates are marked, too. What a chart does to their text may come out otherwise then.
 * @param argsFor what Helm is told, by the folder of the chart
 * @returns undefined where it cannot be rendered like that
 */
export async function markedRender(
  folder: string,
  inDefines: boolean,
  argsFor: (folder: string) => readonly string[],
  { cwd, signal }: { readonly cwd: string; readonly signal: AbortSignal },
): Promise<MarkedRender | undefined> {
  const chart = markedChart(folder, inDefines, cwd)
  if (!chart) return undefined
  try {
    const args = [...argsFor(chart.folder), '--debug']
    const outcome = await attempt(() => runFirst([{ name: 'helm', args }], cwd, signal, patience))
    // The broken template of the copy makes it fail.
    if (!outcome || outcome.code === 0 || !outcome.out.includes(`/${brokenTemplate}\n`)) return undefined
    const found = markedDocuments(outcome.out, chart.marks)
    return {
      like: ({ source, lines }) => alike(lines, found.get(source) ?? []),
      marks: chart.marks,
    }
  } finally {
    chart.remove()
  }
}

/** What stops this one stops the other one, too. */
async function attempt(run: () => Promise<Outcome | undefined>): Promise<Outcome | undefined> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof UsageError) return undefined
    throw error
  }
}

/** Flags that only say what is rendered: nothing is written or fetched, no other program is run, no cluster is asked. */
const plainFlags =
  /^(?:--(?:set(?:-string|-file|-json|-literal)?|values|api-versions|kube-version|namespace|name-template|is-upgrade|no-hooks|skip-tests|include-crds|skip-schema-validation|disable-openapi-validation|description)(?:=|$)|-[afn])/

/** Whether it does no harm to let Helm do the same twice. */
export function isRepeatable(args: readonly string[]): boolean {
  return args.every((arg) => !arg.startsWith('-') || plainFlags.test(arg))
}

/** Those that are the same; where there are none, those that are the same but for what changes each time. */
function alike(lines: readonly string[], candidates: readonly MarkedDocument[]): readonly MarkedDocument[] {
  // YAML sees more lines then.
  if (lines.some((line) => /\r./.test(line))) return []
  const like = candidates.filter((one) => isLike(lines, one))
  const same = like.filter((one) => one.lines.every((line, i) => line === lines[i]))
  return same.length > 0 ? same : like
}

/** What is another one each time that it is asked for, or with marks in what it is made from. */
const changing =
  /\b(?:sha\w*sum|adler32sum|b64enc|rand\w*|gen[A-Z]\w*|uuidv4|now|date\w*|htpasswd|bcrypt|encryptAES|lookup)\b/

function isLike(own: readonly string[], { lines, marksIn }: MarkedDocument): boolean {
  return (
    own.length === lines.length &&
    own.every(
      (line, i) =>
        line === lines[i] || marksIn(i).some(({ code }) => code !== undefined && changing.test(code)),
    )
  )
}

/** The templates of a chart, each once. */
export function templatesOf(marks: readonly Mark[]): readonly Template[] {
  return [...new Set(marks.map(({ file }) => file))]
}

/** Lines of templates that may hold the values of Secrets: all that have made such values, and all templates of Secrets. */
export function secretLines(
  rendered: readonly (Rendered & { readonly marked: readonly MarkedDocument[] })[],
  templates: readonly SourceFile[],
): { readonly file: string; readonly startLine: number; readonly endLine: number }[] {
  const whole = templates
    .filter(({ text }) => mayBeSecret(text))
    .map(({ name, text }) => ({ file: name, startLine: 1, endLine: text.split('\n').length }))
  const values = rendered
    .filter(({ lines }) => mayBeSecret(lines.join('\n')))
    .flatMap(({ lines, marked }) => {
      const own = valueLines(lines)
      return marked.flatMap(({ marksIn }) => own.flatMap((line) => marksIn(line)))
    })
    .map(({ file, start, end }) => {
      const { line, endLine } = positions(file.text, 1, 1).range(start, end)
      return { file: file.name, startLine: line, endLine }
    })
  return [...whole, ...values]
}

/** The indices of the lines in `data` and `stringData`; all where these are not written as usual. */
function valueLines(lines: readonly string[]): readonly number[] {
  let isIn = false
  const found = [...lines.keys()].filter((i) => {
    const line = lines[i] ?? ''
    if (/^\S/.test(line)) isIn = /^["']?(?:data|stringData)["']?:/.test(line)
    return isIn
  })
  return found.length > 0 ? found : [...lines.keys()]
}
