/** The difference of two short texts by lines. */

/**
 * All lines of both, in order, with `- ` before those of `bad` only, `+ ` before those of `good` only and two spaces before
 * the rest: a longest common subsequence. Quadratic: for examples of some dozens of lines.
 */
export function changedLines(bad: string, good: string): string {
  const a = bad.replace(/\n$/, '').split('\n')
  const b = good.replace(/\n$/, '').split('\n')
  const longest = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0))
  const at = (i: number, j: number) => longest[i]?.[j] ?? 0
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const row = longest[i]
      if (row) row[j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  let text = ''
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      text += `  ${a[i]}\n`
      i++
      j++
    } else if (j < b.length && (i === a.length || at(i, j + 1) > at(i + 1, j))) text += `+ ${b[j++]}\n`
    else text += `- ${a[i++]}\n`
  }
  return text
}
