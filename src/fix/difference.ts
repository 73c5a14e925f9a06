/** The changes to files as a patch that `git apply` and `patch -p1` take. */
import { structuredPatch } from 'diff'
import type { SourceFile } from '../document.js'

/** Lines around a change that are shown with it. */
const context = 3

/**
 * The unified difference of a file, in lines. Undefined where it cannot be shown: a line near the changes is one that nobody may see,
 * or one that would drive a terminal or the log of a pipeline.
 * @param isHidden whether a line of the file, from 1, must not be shown
 */
export function difference(
  { name, text }: SourceFile,
  changed: string,
  isHidden: (line: number) => boolean,
): readonly string[] | undefined {
  for (let around = context; around > 0; around--) {
    const { hunks } = structuredPatch(name, name, text, changed, '', '', { context: around })
    const isSecret = hunks.some(({ oldStart, oldLines }) =>
      Array.from({ length: oldLines }, (_, i) => oldStart + i).some(isHidden),
    )
    if (isSecret) continue
    // Of files elsewhere there is no repository to apply it in.
    const [old, own] = /^(?:\/|\.\.\/|[A-Za-z]:)/.test(name) ? [name, name] : [`a/${name}`, `b/${name}`]
    const lines = [
      `--- ${old}`,
      `+++ ${own}`,
      ...hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines: own }) => [
        `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`,
        ...own,
      ]),
    ]
    return lines.some(isDriving) ? undefined : lines
  }
  return undefined
}

/** Whether it holds control characters, or the commands that runners of pipelines look for in logs: at the start of a line, or anywhere. */
function isDriving(line: string): boolean {
  return /(?!\t|\r$)[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u.test(line) || /^[-+ ]?\s*::|##\[|##vso\[/.test(line)
}
