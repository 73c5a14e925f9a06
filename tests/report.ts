/** A report of a real outage to show in every format, and how tests look at it. */
import Ajv2020 from 'ajv/dist/2020.js'
import reportSchema from '../src/reporters/report.schema.json'
import type { Look } from '../src/reporters/reporter.js'
import { allRules, everyRule, lintPaths } from './harness.js'

await allRules()
export const incident = lintPaths(['fixtures/stories/zalando-cronjob-apiserver/before'], everyRule(), {
  complete: true,
})
export const look: Look = { color: false, width: 80, unicode: true, showSuppressed: false }

/** Whether a value is what the schema of reports in JSON describes. */
export const isReport = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true }).compile(
  reportSchema,
)
