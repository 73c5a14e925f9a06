/** Lints one fixture of a rule, in the way that its first comment asks for. */
import { posix } from 'node:path'
import type { Report } from '../src/engine/report.js'
import type { Rule } from '../src/rule.js'
import { active, lintPaths, runOf } from './harness.js'
import { lintLive } from './live.js'

/**
 * @param file within the repository
 * @param rule the rule of that id, or what somebody has made of it
 */
export async function lintFixture(file: string, id: string, rule: Rule): Promise<Report> {
  const run = runOf(file)
  const toRun = [active(id, rule, run)]
  if (run.live) return lintLive(file, toRun, run)
  const folder = posix.dirname(file)
  return lintPaths([file, ...(run.beside ?? []).map((name) => posix.join(folder, name))], toRun, run)
}
