/** Shows the Markdown of our own pages in a browser: headings, paragraphs, lists, quotes, code, bold text and links. */
import { escapeXml } from '../reporters/escape.js'
import { blocksOf } from './blocks.js'

/** The level of a page's own heading, below those of the report. */
const top = 3

/** The page as HTML without ids, scripts and styles. Its own heading is an `h3`. */
export function forBrowser(markdown: string): string {
  let code: string[] | undefined
  let list: string[] = []
  const out: string[] = []
  for (const block of [...blocksOf(markdown), '']) {
    const isItem = code === undefined && block.startsWith('- ')
    if (!isItem && list.length > 0) {
      out.push(`<ul>${list.join('')}</ul>`)
      list = []
    }
    if (block.startsWith('```')) {
      if (code) out.push(copyable(code.join('\n')))
      code = code ? undefined : []
    } else if (code) code.push(block)
    else if (isItem) list.push(`<li>${inline(block.slice(2))}</li>`)
    else if (block !== '') out.push(paragraph(block))
  }
  return out.join('\n')
}

/** Code with a button that copies it. It is all the text of its element, so that nothing else gets copied. */
export function copyable(code: string): string {
  const lines = code.split('\n').map(escapeXml).join('\n')
  return `<div class="copyable"><pre><code>${lines}</code></pre><button type="button" class="copy">Copy</button></div>`
}

function paragraph(block: string): string {
  const [, marks, heading = ''] = /^(#+) (.*)$/.exec(block) ?? []
  if (marks !== undefined) {
    const tag = `h${Math.min(6, top + marks.length - 1)}`
    return `<${tag}>${inline(heading)}</${tag}>`
  }
  return block.startsWith('> ')
    ? `<blockquote>${inline(block.slice(2))}</blockquote>`
    : `<p>${inline(block)}</p>`
}

function inline(text: string): string {
  return text
    .split(/(`[^`]*`|\*\*.*?\*\*|<https?:[^>]+>)/)
    .map((piece) => {
      if (/^`.*`$/s.test(piece)) return `<code>${escapeXml(piece.slice(1, -1))}</code>`
      if (/^\*\*.*\*\*$/s.test(piece)) return `<b>${inline(piece.slice(2, -2))}</b>`
      if (/^<https?:.*>$/s.test(piece)) return link(piece.slice(1, -1))
      return escapeXml(piece)
    })
    .join('')
}

/** A link to a page elsewhere; the text alone when its address is of no such page. */
export function link(address: string, text = address): string {
  return /^https?:\/\//.test(address) && URL.canParse(address)
    ? `<a href="${escapeXml(address)}" rel="noopener noreferrer">${escapeXml(text)}</a>`
    : escapeXml(text)
}
