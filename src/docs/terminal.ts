/** Shows the Markdown of our own pages in a terminal: headings, paragraphs, lists, quotes, code, bold and inline code. */
import { Chalk, type ChalkInstance } from 'chalk'
import type { Look } from '../reporters/reporter.js'
import { columns, wrap } from '../reporters/text.js'
import { blocksOf } from './blocks.js'

/** The page as lines of at most the terminal's width; code blocks keep their lines. Without colours inline code keeps its marks. */
export function forTerminal(markdown: string, look: Look): string {
  const paint = new Chalk({ level: look.color ? 1 : 0 })
  const out: string[] = []
  let code: string | undefined
  for (const block of blocksOf(markdown)) {
    const fence = /^```(\w*)$/.exec(block)
    if (fence) {
      code = code === undefined ? (fence[1] ?? '') : undefined
      continue
    }
    if (code !== undefined) out.push(`    ${code === 'diff' ? changed(block, paint) : block}`)
    else out.push(...text(block, look.width, paint))
  }
  return `${out
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trimEnd()}\n`
}

function text(block: string, width: number, paint: ChalkInstance): string[] {
  if (block === '') return ['']
  const measured = (part: string) => shownColumns(part, paint)
  const heading = /^#+ (.*)$/.exec(block)
  if (heading)
    return wrap(heading[1] ?? '', width - 2, measured).map((line) => paint.bold(inline(line, paint)))
  const marked = /^(- |> )(.*)$/s.exec(block)
  const indent = marked ? '  ' : ''
  const style = { code: false, bold: false }
  return wrap(marked?.[2] ?? block, width - columns(indent) - 2, measured).map((line, i) => {
    const shown = inline(line, paint, style)
    return marked?.[1] === '> '
      ? paint.dim(`  ${shown}`)
      : `${i === 0 && marked ? marked[1] : indent}${shown}`
  })
}

/** The columns of a text in which colours take the place of marks. */
function shownColumns(text: string, paint: ChalkInstance): number {
  const bare = text.replace(/\*\*|<(?=https?:)|(?<=\bhttps?:[^ >]*)>/g, '')
  return columns(paint.level === 0 ? bare : bare.replaceAll('`', ''))
}

/** Paints code, bold text and links; what begins on one line of a paragraph may end on a later one. */
function inline(line: string, paint: ChalkInstance, style = { code: false, bold: false }): string {
  return line
    .split(/(`|\*\*)/)
    .map((piece) => {
      if (piece === '`') {
        style.code = !style.code
        return paint.level === 0 ? piece : ''
      }
      if (piece === '**' && !style.code) style.bold = !style.bold
      else if (style.code) return paint.cyan(piece)
      else {
        const linked = piece.replace(/<(https?:[^>]+)>/g, (_, link: string) => paint.underline(link))
        return style.bold ? paint.bold(linked) : linked
      }
      return ''
    })
    .join('')
}

function changed(line: string, paint: ChalkInstance): string {
  return line.startsWith('+ ') ? paint.green(line) : line.startsWith('- ') ? paint.red(line) : line
}
