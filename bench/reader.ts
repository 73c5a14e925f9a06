/**
 * Compares the reader with reading the same files and parsing them with js-yaml as it comes:
 *
 *     npx tsx bench/reader.ts DIR [ROUNDS]
 *
 * Both run in turn in one process; the ratio is the median of the ratios pair by pair.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { loadAll } from 'js-yaml'
import { find } from '../src/reader/files.js'
import { readPaths } from '../src/reader/read.js'

const [folder = '.', rounds = '7'] = process.argv.slice(2)
const cwd = resolve(folder)
const files = find(['.'], { cwd, recursive: true, ignore: [] }).files.map(({ path }) => path)

function milliseconds(work: () => unknown): number {
  const begun = performance.now()
  work()
  return performance.now() - begun
}

const reader = () => readPaths(['.'], { cwd })
/** Keeps texts and values, as everything that looks at more than one object has to. */
const plain = () =>
  files.map((file) => {
    const text = readFileSync(file, 'utf8')
    try {
      return { text, values: loadAll(text) }
    } catch {
      return { text }
    }
  })

const median = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0
const times = Array.from({ length: Number(rounds) }, () => ({
  plain: milliseconds(plain),
  reader: milliseconds(reader),
}))
console.log(`${files.length} files`)
console.log(
  `read + js-yaml  ${median(times.map((one) => one.plain)).toFixed(0)} ms (first ${times[0]?.plain.toFixed(0)})`,
)
console.log(
  `reader          ${median(times.map((one) => one.reader)).toFixed(0)} ms (first ${times[0]?.reader.toFixed(0)})`,
)
console.log(`ratio           ${median(times.map((one) => one.reader / one.plain)).toFixed(2)}`)
console.log(`memory          ${Math.round(process.memoryUsage().rss / 1e6)} MB`)
