/**
 * Compares our reader with kubectl's on all manifests below a folder: `npx tsx tests/oracle/corpus.ts FOLDER`. Needs Go.
 * Exits with 1 when they differ.
 */
import { readFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { find } from '../../src/reader/files.js'
import { ask } from './oracle.js'
import { ours } from './ours.js'
import { sameVerdict } from './same.js'

const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('Give a folder of manifests.')
const cwd = resolve(folder)
const paths = find(['.'], { cwd, recursive: true, ignore: [] }).files.map(({ path }) => path)
let differ = 0
let documents = 0
for (let i = 0; i < paths.length; i += 500) {
  const batch = paths.slice(i, i + 500)
  const texts = batch.map((path) => readFileSync(path, 'utf8'))
  ask(texts).forEach((theirs, j) => {
    const mine = ours(texts[j] ?? '')
    documents += theirs.values.length
    if (sameVerdict(theirs, mine)) return
    differ++
    console.log(
      `${relative(cwd, batch[j] ?? '')}\n  kubectl: ${theirs.error ?? 'reads it'}\n  ours:    ${mine.error ?? 'reads it'}`,
    )
  })
}
console.log(`${paths.length} files, ${documents} documents, ${differ} files differ`)
process.exitCode = differ === 0 ? 0 : 1
