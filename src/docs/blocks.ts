/** The Markdown of our own pages, block by block. */

/** Lines of code one by one; prose joined into paragraphs and list items. */
export function blocksOf(markdown: string): string[] {
  const blocks: string[] = []
  let inCode = false
  let open = false
  for (const line of markdown.split('\n')) {
    if (line.startsWith('```')) {
      inCode = !inCode
      open = false
      blocks.push(line)
    } else if (inCode) blocks.push(line)
    else if (line.trim() === '') {
      open = false
      blocks.push('')
    } else if (open && !/^(#|- |> )/.test(line)) blocks.push(`${blocks.pop() ?? ''} ${line.trim()}`)
    else {
      open = true
      blocks.push(line)
    }
  }
  return blocks
}
