/** The files that builds are made of: read for their places and comments, and not linted. */
import { basename } from 'node:path'
import type { Document } from '../document.js'
import { contentOf } from '../reader/content.js'
import { displayName } from '../reader/files.js'
import { parseChunk } from '../reader/parse.js'
import { documentOf } from '../reader/read.js'
import { dropGeneratedSecrets, dropSecretValues } from '../reader/secret.js'
import { split } from '../reader/split.js'
import { unfold } from '../reader/unfold.js'
import { memo } from '../values/lazy.js'
import type { SourceObject } from './match.js'

export interface Sources {
  /** The documents of a file by its absolute path; none where it cannot be read. */
  documents(path: string): readonly Document[]
  objects(path: string): readonly SourceObject[]
  /** All documents that were asked for. */
  all(): readonly Document[]
  /** The files whose objects were asked for: they are in what was built. */
  built(): ReadonlySet<string>
}

/** @param cwd what names are relative to */
export function sourcesFrom(cwd: string): Sources {
  const read: Document[] = []
  const built = new Set<string>()
  const documents = memo((path: string) => {
    const found = documentsIn(path, displayName(path, cwd))
    read.push(...found)
    return found
  })
  return {
    documents,
    objects: memo((path: string) => {
      built.add(path)
      return documents(path).flatMap((document) =>
        unfold(document).map(({ value, path: own }) => ({ document, path: own, value })),
      )
    }),
    all: () => read,
    built: () => built,
  }
}

function documentsIn(path: string, name: string): Document[] {
  const content = contentOf({ path, name: basename(path), explicit: false, isFile: false })
  if (!('text' in content) || 'problem' in content) return []
  const file = { name, text: content.text ?? '' }
  return split(file.text).flatMap((chunk) => {
    const parsed = parseChunk(chunk)
    // A patch may be a list of operations.
    if (!parsed.ok || typeof parsed.value !== 'object' || parsed.value === null) return []
    dropSecretValues(parsed.value)
    dropGeneratedSecrets(parsed.value)
    return [documentOf(file, chunk, parsed)]
  })
}
