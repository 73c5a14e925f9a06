/** A baseline: what was found when a team began. It stays out of the way until it gets worse, and what is new is reported. */
import { type Report, withFindings } from '../engine/report.js'
import { type Finding, isAtLeast, type Severity, severities } from '../finding.js'
import { push } from '../values/group.js'
import { arrayAt, isObject, numberAt, stringAt } from '../values/untyped.js'

/** A finding as a baseline knows it: no line, which the next edit would change, and no message, which the next version may. */
export interface Known {
  readonly rule: string
  readonly severity: Severity
  /** Of several clusters the context. */
  readonly cluster?: string
  /** Of manifests, relative to the folder of the baseline with `/`; of a live object its name. */
  readonly file: string
  /** `CronJob reports/export` */
  readonly object: string
  /** `.spec.replicas`; empty for the object as a whole. */
  readonly field: string
}

/** How a file of a finding is called in the baseline. */
type Naming = (file: string) => string

/** What cannot be read hides what else is there, and what is wrong with suppressions is seen to at once. */
function isOutside({ rule }: Finding): boolean {
  return rule === 'invalid-yaml' || rule === 'unreadable-file' || rule.startsWith('suppression-')
}

function known({ rule, severity, cluster, place, subject }: Finding, nameFile: Naming): Known {
  const { kind = '', namespace = '', name = '' } = subject ?? {}
  return {
    rule,
    severity,
    ...(cluster !== undefined && { cluster }),
    file: place.live ? place.file : nameFile(place.file),
    object: subject ? `${kind} ${namespace ? `${namespace}/` : ''}${name}` : '',
    field: place.path,
  }
}

/** All but the severity: a finding that gets milder is still the same. */
function keyOf({ severity: _, ...one }: Known): string {
  return JSON.stringify(one)
}

/** The findings that are not suppressed, as a baseline keeps them. */
export function knownIn({ findings }: Report, nameFile: Naming): readonly Known[] {
  return findings
    .filter((finding) => !finding.suppressed && !isOutside(finding))
    .map((finding) => known(finding, nameFile))
}

/** The text of a baseline: JSON, sorted, a line each, so that changes to it can be read. */
export function baselineOf(known: readonly Known[]): string {
  const lines = known.map((one) => JSON.stringify(one)).sort()
  const list = lines.length === 0 ? '' : `\n    ${lines.join(',\n    ')}\n  `
  return `{\n  "baseline": 1,\n  "findings": [${list}]\n}\n`
}

/** A baseline of a form that came later than this program. */
export class NewerBaseline extends SyntaxError {}

/** @throws SyntaxError that says what is wrong, as the end of a sentence */
export function readBaseline(text: string): readonly Known[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new SyntaxError('it is not JSON')
  }
  if ((numberAt(value, 'baseline') ?? 0) > 1) throw new NewerBaseline('it is of a newer form')
  if (!isObject(value) || value.baseline !== 1 || !Array.isArray(value.findings))
    throw new SyntaxError('it does not begin with "baseline": 1 and a list of findings')
  return arrayAt(value, 'findings').map((one, i) => {
    const severity = severities.find((name) => name === stringAt(one, 'severity'))
    const [rule, file, object, field] = ['rule', 'file', 'object', 'field'].map((name) => stringAt(one, name))
    const cluster = stringAt(one, 'cluster')
    if (rule === undefined || file === undefined || object === undefined || field === undefined || !severity)
      throw new SyntaxError(`finding ${i + 1} lacks its rule, severity, file, object or field`)
    return { rule, severity, ...(cluster !== undefined && { cluster }), file, object, field }
  })
}

/**
 * The report with what the baseline knows suppressed. A finding that is worse than it was is not; of several that are alike as many
 * are as there were.
 * @param reason for the suppressed ones
 * @returns also what the baseline knows and the report does not have
 */
export function withBaseline(
  report: Report,
  baseline: readonly Known[],
  nameFile: Naming,
  reason: string,
): { readonly report: Report; readonly gone: readonly Known[] } {
  const left = new Map<string, Known[]>()
  for (const one of baseline) push(left, keyOf(one), one)
  /** How many findings are more, or graver, than what is known: what they were is not gone. */
  const worse = new Map<string, number>()
  const findings = report.findings.map((finding): Finding => {
    if (finding.suppressed || isOutside(finding)) return finding
    const key = keyOf(known(finding, nameFile))
    const same = left.get(key) ?? []
    const at = same.findIndex(({ severity }) => isAtLeast(severity, finding.severity))
    if (at < 0) {
      worse.set(key, (worse.get(key) ?? 0) + 1)
      return finding
    }
    same.splice(at, 1)
    return { ...finding, suppressed: { reason, baseline: true } }
  })
  return {
    report: withFindings(report, findings),
    gone: [...left].flatMap(([key, same]) => same.slice(worse.get(key) ?? 0)),
  }
}
