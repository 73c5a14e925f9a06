/** Records kubectl's verdicts on all cases: `npx tsx tests/oracle/record.ts`. Needs Go. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cases } from './cases.js'
import { ask } from './oracle.js'

const all = cases()
const verdicts = ask(all.map(({ text }) => text))
const lines = all.map(({ name }, i) => `${JSON.stringify(name)}: ${JSON.stringify(verdicts[i])}`)
writeFileSync(join(__dirname, 'recorded.json'), `{\n${lines.join(',\n')}\n}\n`)
console.log(`${all.length} cases, ${verdicts.filter(({ error }) => error).length} refused`)
