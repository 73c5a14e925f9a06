/** The lines of the files that were read, for code frames. */
import type { Input } from '../reader/input.js'
import { LineIndex } from '../reader/lines.js'
import { secretRanges } from '../reader/secret.js'
import { groupBy } from '../values/group.js'
import { lazy, memo } from '../values/lazy.js'
import type { Lines } from './report.js'

/** Gives lines as they are written; the values of Secrets stay hidden. */
export function sourceLines({
  documents,
  crds = [],
  sources = [],
  kustomizations,
  unbuilt,
  broken = [],
  texts = [],
  hidden = [],
}: Input): Lines {
  const all = lazy(() => [
    ...documents,
    ...crds,
    ...sources,
    ...(unbuilt?.documents ?? []),
    ...[...kustomizations, ...(unbuilt?.kustomizations ?? [])].map((one) => one.document),
  ])
  const files = lazy(
    () => new Map([...texts, ...broken, ...all().map(({ file }) => file)].map((file) => [file.name, file])),
  )
  const documentsOf = lazy(() => groupBy(all(), ({ file }) => file.name))
  const linesIn = memo((file: string) => new LineIndex(files().get(file)?.text ?? ''))
  const hiddenIn = memo((file: string) => [
    ...(documentsOf().get(file) ?? []).flatMap(secretRanges),
    ...hidden.filter((one) => one.file === file),
  ])
  return {
    line: (file, number) => {
      if (!files().has(file)) return undefined
      const isHidden = hiddenIn(file).some(
        ({ startLine, endLine }) => number >= startLine && number <= endLine,
      )
      return isHidden ? undefined : linesIn(file).line(number - 1)
    },
  }
}
