/**
 * Compares our reader with kubectl's on damaged manifests: `npx tsx tests/oracle/fuzz.ts FOLDER [COUNT]`. Needs Go.
 * Shows where they differ, shortest first; not each difference is a mistake.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { find } from '../../src/reader/files.js'
import { split } from '../../src/reader/split.js'
import { ask } from './oracle.js'
import { ours } from './ours.js'
import { sameVerdict } from './same.js'

const [folder, count = '5000'] = process.argv.slice(2)
if (folder === undefined) throw new Error('Give a folder of manifests.')
const cwd = resolve(folder)
const chunks = find(['.'], { cwd, recursive: true, ignore: [] })
  .files.flatMap(({ path }) => split(readFileSync(path, 'utf8')).map(({ text }) => text))
  .map((text) => text.replace(/^#.*\n/gm, ''))
  .filter((text) => text.length < 1500 && text.length > 20)

const random = (below: number) => Math.floor(Math.random() * below)
const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T
const pieces = [
  '\t',
  ' ',
  '  ',
  '\n',
  '\r\n',
  ':',
  ': ',
  '-',
  '- ',
  '"',
  "'",
  '[',
  ']',
  '{',
  '}',
  ',',
  '#',
  ' #',
  '|',
  '>-',
  '?',
  '? ',
  '~',
  '<<: ',
  '!!str ',
  '\\',
  'é',
  '  \n',
  '-\n',
  '|\n',
  'x',
  '0',
  'a: b\n',
  '- a\n',
]

function damaged(text: string): string {
  let changed = text
  for (let i = random(3); i >= 0; i--) {
    const start = random(changed.length)
    const end = start + random(6)
    const [before, middle, after] = [changed.slice(0, start), changed.slice(start, end), changed.slice(end)]
    changed = pick([
      before + pick(pieces) + middle + after,
      before + pick(pieces) + middle + after,
      before + after,
      before + middle + middle + after,
    ])
  }
  return changed
}

const texts = Array.from({ length: Number(count) }, () => damaged(pick(chunks)))
const verdicts = ask(texts)
const different = texts.flatMap((text, i) => {
  const theirs = verdicts[i]
  if (!theirs) return []
  const mine = ours(text)
  // kubectl drops what follows the first value of a document in silence.
  const isRest = theirs.error === undefined && mine.error?.startsWith('end of the stream')
  return isRest || sameVerdict(theirs, mine) ? [] : [{ text, theirs, mine }]
})
for (const { text, theirs, mine } of different.sort((a, b) => a.text.length - b.text.length))
  console.log(
    `${JSON.stringify(text)}\n  kubectl: ${theirs.error ?? JSON.stringify(theirs.values)}\n  ours:    ${mine.error ?? JSON.stringify(mine.values)}\n`,
  )
console.log(`${different.length} of ${texts.length} differ`)
