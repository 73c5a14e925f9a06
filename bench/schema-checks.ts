/**
 * Prints how many milliseconds the checks against the schemas take in a new process, for the objects of a folder:
 *
 *     npx tsx bench/schema-checks.ts DIR
 *
 * They are done as `lint` does them, first of all and once.
 */
import { readPaths } from '../src/reader/read.js'
import { unfold } from '../src/reader/unfold.js'
import { check } from '../src/schema/check.js'
import { customKinds } from '../src/schema/custom-kinds.js'
import { newestMinor } from '../src/schema/definitions.js'

const [folder = '.'] = process.argv.slice(2)
const objects = readPaths(['.'], { cwd: folder }).documents.flatMap((document) =>
  unfold(document).map(({ value }) => value),
)
const begun = performance.now()
const customs = customKinds(objects)
for (const object of objects) {
  check(object, String(object.apiVersion ?? ''), String(object.kind ?? ''), newestMinor, customs)
  customs.read(object)
}
console.log(performance.now() - begun)
