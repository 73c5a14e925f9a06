import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Prints what a reader judges to measure precision: every error and a fixed sample of warnings of the default rules
 * on a folder, one tab-separated line each: severity, place, rule, object, message.
 *
 *     npx tsx bench/precision.ts FOLDER [SAMPLE=200]
 *
 * A warning's turn is the SHA-256 of its file, line and rule, so the same findings give the same sample.
 */

interface Finding {
  readonly rule: string
  readonly severity: 'error' | 'warning' | 'info'
  readonly message: string
  readonly subject?: { readonly kind: string; readonly name: string }
  readonly place?: { readonly file: string; readonly line: number }
}

const program = fileURLToPath(new URL('../bin/k8s-af', import.meta.url))

function findings(folder: string): Finding[] {
  const run = spawnSync(process.execPath, [program, 'lint', '--isolated', '-o', 'json', folder], {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  })
  if (run.status !== 0 && run.status !== 1) throw new Error(run.stderr || `k8s-af ended with ${run.status}`)
  return JSON.parse(run.stdout).findings
}

function where(finding: Finding, folder: string): string {
  if (finding.place === undefined) return '-'
  return `${relative(folder, resolve(finding.place.file))}:${finding.place.line}`
}

const [folder, sample = '200'] = process.argv.slice(2)
if (folder === undefined) {
  console.error('usage: tsx bench/precision.ts FOLDER [SAMPLE]')
  process.exit(2)
}
const root = resolve(folder)
const all = findings(folder).map((finding) => ({ ...finding, at: where(finding, root) }))
const turn = (finding: { at: string; rule: string }) =>
  createHash('sha256').update(`${finding.at} ${finding.rule}`).digest('hex')
const errors = all.filter((finding) => finding.severity === 'error')
const warnings = all
  .filter((finding) => finding.severity === 'warning')
  .map((finding) => ({ finding, turn: turn(finding) }))
  .sort((a, b) => (a.turn < b.turn ? -1 : 1))
  .slice(0, Number(sample))
  .map(({ finding }) => finding)
const byPlace = <T extends { at: string }>(list: T[]) => list.sort((a, b) => (a.at < b.at ? -1 : 1))

for (const { severity, at, rule, subject, message } of [...byPlace(errors), ...byPlace(warnings)]) {
  console.log([severity, at, rule, subject ? `${subject.kind}/${subject.name}` : '-', message].join('\t'))
}
