/** Tells templates from broken manifests. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isMapping } from './classify.js'
import { parse } from './parse.js'

/** Text that a template engine still has to fill in: it holds `{{` or `{%`. */
export function hasBraces(text: string): boolean {
  return text.includes('{{') || text.includes('{%')
}

/** A directive of Terraform's templates: `%{ for name in names ~}`, `%{ endif }`. */
const terraform = /%\{~?[ \t]*(?:if|for|else|endif|endfor)\b[^\n}]*\}/

/** A line with a directive of a Go template whose delimiters are `[[` and `]]`. Tests of shells have no such words there. */
const bracketed = /^[ \t]*\[\[-?[ \t]*(?:if|else|end|range|with|define|block|template)\b[^\n]*\]\][ \t\r]*$/m

/** A directive of ERB or EJS in a line of its own, or where a value starts: `<% end %>`, `image: <%= image %>`. */
const embeddedCode = /^[ \t]*<%[^\n]*%>[ \t\r]*$|(?:: +|- +)["']?<%[-=]/m

/** A directive of FreeMarker in a line of its own: `<#if prod>`, `<#list names as name>`, `</#list>`, `<#-- a comment -->`. */
const freeMarker =
  /^[ \t]*<(?:\/?#(?:if|else|elseif|list|items|sep|assign|local|global|macro|switch|case|noparse|compress|include|import)\b|#--)[^\n]*>[ \t\r]*$/m

/** Whether text that does not parse fails because of its template braces, or of what another engine has in their place. */
export function isTemplate(text: string): boolean {
  if (text.includes('%{') && terraform.test(text)) return true
  if (text.includes('[[') && bracketed.test(text)) return true
  if (text.includes('<%') && embeddedCode.test(text)) return true
  if (/<\/?#/.test(text) && freeMarker.test(text)) return true
  if (!hasBraces(text)) return false
  if (/\{%-? *(?:if|for|set|include|macro|block|raw|end\w+)\b/.test(text)) return true
  // Where a value or a line starts, braces are no part of a text such as an alert's description.
  if (
    /(?:^[ \t]*|: +|- +)\{\{-?\s*(?:\/\*|if|else|end|range|with|define|template|include|toYaml|tpl|\.[A-Za-z]|\$\w+ *:=)/m.test(
      text,
    )
  )
    return true
  return parse(filledIn(text)).ok
}

function filledIn(text: string): string {
  return text
    .replace(/^[ \t]*\{[{%][^\n]*[}%]\}[ \t]*$/gm, '')
    .split('\n')
    .map(withoutActions)
    .join('\n')
}

/**
 * A line with a word in the place of each `{{ … }}`, and with nothing where one follows a quote: `["serve"{{ more_args }}]`. An expression
 * would look for the end from every brace of a line that has none.
 */
function withoutActions(line: string): string {
  let result = ''
  let from = 0
  for (;;) {
    const open = line.indexOf('{{', from)
    const close = open < 0 ? -1 : line.indexOf('}}', open + 2)
    if (close < 0) return result + line.slice(from)
    result += `${line.slice(from, open)}${/["']/.test(line.charAt(open - 1)) ? '' : 'x'}`
    from = close + 2
  }
}

/**
 * Whether an object of a file that is called a template has a name to be replaced: `service_name`, `APP_NAME`, `web-{ID}`. Names
 * of roles may look so.
 */
export function isNamedBlank(value: unknown, fileName: string): boolean {
  if (!/(?:^|[-_.])(?:template|tmpl|tpl)s?(?:[-_.]|$)/i.test(fileName) || !isMapping(value)) return false
  const { kind, metadata } = value
  const name = isMapping(metadata) ? metadata.name : undefined
  if (typeof name !== 'string' || !/^(?:[\w.-]|\{\w+\})+$/.test(name)) return false
  return /[_A-Z]/.test(name) && !/Role(?:Binding)?$/.test(String(kind))
}

/**
 * Whether a variable stands where no value does: the kind (`kind: ${ROLE_KIND}`), or a field that is switched off by it
 * (`${COMMENT}namespace: web`). What comes of it is known to the program that fills it in.
 */
export function hasBlankField(value: unknown): boolean {
  if (!isMapping(value)) return false
  const isBlank = (key: string) => key.startsWith('${')
  if (isBlank(String(value.kind))) return true
  return [value, value.metadata, value.spec].some((one) => isMapping(one) && Object.keys(one).some(isBlank))
}

/**
 * Whether something is left to a program by a mark that YAML takes for a comment: `name: #SERVICE_NAME#-web`, or what ytt works
 * with, `#@ for …`, `name: #@ data.values.name` and `#@overlay/match`.
 */
export function hasCommentBlank(text: string): boolean {
  // Every text is asked, and hardly one has a comment there.
  if (text.includes('#@') && isYtt(text)) return true
  return text.includes(': #') && /^[ \t-]*[\w.][\w.-]*: #[A-Z][A-Z0-9_]*#/m.test(text)
}

function isYtt(text: string): boolean {
  return /^[ \t]*#@(?: (?:load\(|def |for\b|if\b|end\b|data\.)|overlay\/)|^[ \t-]*[\w.][\w.-]*: #@ |^[ \t]*- #@ /m.test(
    text,
  )
}

/** Lines, without the blanks around them, that somebody or something else is to write or to take away. */
const blankLines: readonly RegExp[] = [
  // What a page leaves out.
  /^(?:\.{3}|…)$/,
  // `$rules`, `{rules}`, `<ISSUER_ANNOTATION>` alone between the keys of a mapping.
  /^(?:\$[A-Za-z_]\w*|\{[A-Za-z_][\w.]*\}|<[A-Z][A-Z0-9_-]*>)$/,
  // `${rules}` alone, or where it switches its line off: `${noTLS}  tls:`.
  /^\$\{[A-Za-z_][\w.]*\}(?: +[\w.-]+:.*)?$/,
  // `DATE_LABEL` and `__EXTRA_VOLUMES__`, also as a variable, with or without a function that is applied to it.
  /^(?:\$\{?)?_*[A-Z][A-Z0-9-]*_[A-Z0-9_-]*[A-Z0-9]_*\}?\s*(?:\|.*)?$/,
  // Marks that no value may begin with: `name: %%GATEWAY%%`, `image: {your-account}/web`, `image: {images[web]}`.
  /^(?:- +)*[\w./-]+: +(%{1,2}|@{1,2})[A-Za-z][\w.-]*\1/,
  // What a program formats, `name: %s`, or fills in: `priorityClassName: %{PRIORITY}`, `value: %IP`.
  /^(?:- +)*[\w./-]+: +%(?:\{[A-Z][A-Z0-9_]*\}|[A-Z][A-Z0-9_]+$|[-+]?\d*[a-z]\b)/,
  // `namespace: %%%`, `name: @app_name-config`, `storage: @@sizeGi`.
  /^(?:- +)*[\w./-]+: +(?:%{2,}|@[a-z]+(?:_[a-z0-9]+)+(?:[-./:].*)?|@@[A-Za-z]\w*(?:[-./:].*)?)$/,
  /^(?:- +)*[\w./-]+: +\{[A-Za-z_][\w .-]*(?:\[[\w-]+\]\}|\}[\w/:.-])/,
]

/**
 * Whether text that does not parse breaks at a line that is still to be filled in, or right behind one.
 * @param offset where it breaks
 */
export function isBlankLine(text: string, offset: number): boolean {
  const end = text.indexOf('\n', offset)
  return (end < 0 ? text : text.slice(0, end))
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .slice(-2)
    .some((line) => blankLines.some((blank) => blank.test(line)))
}

/**
 * Text with spaces for the directives in lines of their own before and after everything else: `{{ if … }}` and `{{ end }}` around
 * a whole document leave its text as it is. Undefined where there are none.
 */
export function withoutFrame(text: string): string | undefined {
  const lines = text.split('\n')
  const isFrame = (line: string) => /^\s*(?:(?:#.*|\{\{.*\}\}|\{%.*%\}|%\{.*\})\s*)?$/.test(line)
  const first = lines.findIndex((line) => !isFrame(line))
  const last = lines.findLastIndex((line) => !isFrame(line))
  if (first < 0) return undefined
  const bare = lines.map((line, i) =>
    (i < first || i > last) && (hasBraces(line) || line.includes('%{')) ? line.replace(/[^\r]/g, ' ') : line,
  )
  return bare.join('\n') === text ? undefined : bare.join('\n')
}

/**
 * Whether text that does not parse would, with words for its variables: `{ port: ${PORT} }` in a file or folder called a template,
 * which a program fills in before anybody reads it.
 */
export function hasVariablesInBraces(text: string, fileName: string): boolean {
  if (!text.includes('${') || !/(?:^|[-_./\\])(?:template|tmpl|tpl)s?(?:[-_./\\]|$)/i.test(fileName))
    return false
  return parse(text.replace(/\$\{[^{}\n]*\}/g, 'x')).ok
}

/**
 * Whether text in the style of JSON has variables where a value or a field would be in quotes: `"port": ${PORT},` or `$SECURITY_CONTEXT`
 * alone.
 */
export function hasVariablesInJson(text: string): boolean {
  return /^\s*\{/.test(text) && /(?:^[ \t]*|": *)(?:\$\w+|\$\{\w+\}),?[ \t]*\r?$/m.test(text)
}

/** Finds the folder of the Helm chart that a file belongs to. Each folder is looked at once. */
export function chartFinder(): (file: string) => string | undefined {
  const known = new Map<string, string | undefined>()
  const rootOf = (folder: string): string | undefined => {
    if (known.has(folder)) return known.get(folder)
    const parent = dirname(folder)
    const above = parent === folder ? undefined : () => rootOf(parent)
    const root = existsSync(join(folder, 'Chart.yaml')) ? folder : above?.()
    known.set(folder, root)
    return root
  }
  return (file) => rootOf(dirname(file))
}
