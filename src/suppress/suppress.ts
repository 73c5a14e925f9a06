/** Marks findings that the owner has accepted, and reports the acceptances that have gone stale. */
import type { ActiveRule } from '../config/settings.js'
import type { Finding, Place, Subject } from '../finding.js'
import { enumerate } from '../values/enumerate.js'
import { stringAt, valueAt } from '../values/untyped.js'
import { collect, isAbout, isAboutSuppressions, type Run, type Suppression } from './collect.js'

/**
 * The same findings, those that a suppression covers with `suppressed`, and behind them the findings about suppressions
 * that are invalid, expired or unused (`suppression-invalid`, `-expired`, `-unused`, as far as those rules are on).
 */
export function suppress(findings: readonly Finding[], run: Run): Finding[] {
  const { settings } = run
  const { suppressions, invalid } = collect(run)
  if (suppressions.length === 0 && invalid.length === 0) return [...findings]

  const containerOf = containers(run)
  const used = new Map<Suppression, Set<string>>()
  const expired = suppressions.filter(({ until }) => until !== undefined && until < settings.today)
  const valid = suppressions.filter((one) => !expired.includes(one))
  const mark = (finding: Finding): Finding => {
    const match = valid.filter(
      (one) =>
        one.rules.includes(finding.rule) &&
        one.covers(finding) &&
        (one.container === undefined || one.container === containerOf(finding)),
    )
    const [first] = match
    if (!first) return finding
    for (const one of match) used.set(one, (used.get(one) ?? new Set()).add(finding.rule))
    const { reason, place } = first
    return { ...finding, suppressed: { reason, ...(place && { place }) } }
  }
  const marked = findings.map(mark)
  const active = new Map(settings.active.map((one) => [one.id, one]))
  const own = [
    ...invalid.map(({ place, subject, message }) => finding('suppression-invalid', place, message, subject)),
    ...expired.map(expiry),
    ...valid.flatMap((one) => idleness(one, used.get(one), active)),
  ].flatMap((one) => {
    const rule = active.get(one.rule)
    return rule ? [mark({ ...one, severity: rule.severity ?? rule.rule.severity })] : []
  })
  return [...marked, ...own]
}

function expiry({ called, place, subject, rules, until }: Suppression): Finding {
  const message = `The suppression of ${called ?? enumerate(rules, 'and')} ended on ${until}: what it hid counts again.`
  return finding('suppression-expired', place, message, subject)
}

/** The rules of a suppression that ran and found nothing for it to cover. */
function idleness(
  { called, expects, place, rules, subject }: Suppression,
  used: ReadonlySet<string> | undefined,
  active: ReadonlyMap<string, ActiveRule>,
): Finding[] {
  const idle = rules.filter((id) => {
    const own = active.get(id)
    return own && own.rule.needs !== 'cluster' && !isAboutSuppressions(id) && !used?.has(id) && expects(id)
  })
  if (idle.length === 0 || (called !== undefined && used)) return []
  if (called)
    return [
      finding(
        'suppression-unused',
        place,
        `There is nothing left to suppress here: ${called} find nothing.`,
        subject,
      ),
    ]
  const find = `${enumerate(idle, 'and')} ${idle.length > 1 ? 'find' : 'finds'} nothing`
  const message =
    idle.length === rules.length
      ? `There is nothing left to suppress here: ${find}.`
      : `A part of this suppression is not needed: ${find} here.`
  return [finding('suppression-unused', place, message, subject)]
}

function finding(
  rule: string,
  place: Place | undefined,
  message: string,
  subject: Subject | undefined,
): Finding {
  return {
    rule,
    severity: 'warning',
    message,
    ...(subject && { subject }),
    place: place ?? { file: '', line: 1, column: 1, endLine: 1, endColumn: 1, path: '' },
    related: [],
    stories: [],
  }
}

/** The name of the container that a finding's place lies in, if it does. */
function containers(run: Run): (finding: Finding) => string | undefined {
  return (finding) => {
    const match = /^(.*?)\.((?:init|ephemeral)?[cC]ontainers)\[(\d+)\]/.exec(finding.place.path)
    const resource = match && run.resources.find((one) => isAbout(finding, one, run))
    if (!match || !resource) return undefined
    const [, parent = '', list = '', index = ''] = match
    const steps = [...parent.split('.').filter((step) => step !== ''), list, Number(index), 'name']
    return stringAt(valueAt(resource.value), ...steps)
  }
}
