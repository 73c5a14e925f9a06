/** What our reader makes of a text, in the form of a verdict of kubectl's. */
import { split } from '../../src/reader/split.js'
import { parse } from '../../src/reader/parse.js'
import type { Verdict } from './oracle.js'

export function ours(file: string): Verdict {
  const text = file.startsWith('\ufeff') ? file.slice(1) : file
  const values: unknown[] = []
  let duplicates = false
  for (const chunk of split(text)) {
    if (chunk.strayOffset !== undefined) return { values, error: 'text after the document mark' }
    const parsed = 'json' in chunk ? { ok: true as const, value: chunk.json } : parse(chunk.text)
    if (!parsed.ok) return { values, error: parsed.mistake.reason }
    if ('hasDuplicates' in parsed && parsed.hasDuplicates) duplicates = true
    if (parsed.value !== null) values.push(parsed.value)
  }
  return { values, ...(duplicates && { duplicates }) }
}
