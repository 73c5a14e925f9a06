/** SARIF 2.1.0, for code scanning. */
import type { Report } from '../engine/report.js'
import { type Finding, type Place, rankOf, type Severity } from '../finding.js'
import type { Rule } from '../rule.js'
import { escapeJson } from './escape.js'
import { fingerprints } from './fingerprint.js'
import type { Look } from './reporter.js'
import { statement } from './text.js'
import { tool } from './tool.js'

const levels: Readonly<Record<Severity, string>> = { error: 'error', warning: 'warning', info: 'note' }
/** GitHub takes at most so many results of a run. Source: GitHub documentation, SARIF support for code scanning. */
const most = 25_000

export function* render(report: Report, _look: Look): Iterable<string> {
  // Errors first, so that what is cut matters least.
  const all = [...report.findings].sort((a, b) => rankOf(a.severity) - rankOf(b.severity))
  const findings = all.slice(0, most)
  const ids = [...new Set(findings.map((finding) => finding.rule))].sort()
  const fingerprint = fingerprints()
  const driver = {
    name: tool.name,
    semanticVersion: tool.version,
    version: tool.version,
    informationUri: 'https://github.com/k8s-af/k8s-af',
    rules: ids.map((id) => describe(id, report.rules.get(id))),
  }
  const notifications = [
    ...(all.length > most
      ? [
          {
            level: 'warning',
            message: {
              text: `${all.length - most} of ${all.length} findings were left out: code scanning takes ${most}.`,
            },
          },
        ]
      : []),
    ...report.failures.map(({ rule, object }) => ({
      level: 'error',
      message: { text: `Rule ${rule} failed on ${object}.` },
    })),
  ]
  yield `{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{"tool":{"driver":${escapeJson(JSON.stringify(driver))}},`
  yield `"columnKind":"utf16CodeUnits","originalUriBaseIds":{"ROOT":{"description":{"text":"The folder in which k8s-af ran."}}},`
  yield `"invocations":[${escapeJson(JSON.stringify({ executionSuccessful: report.failures.length === 0, toolExecutionNotifications: notifications }))}],"results":[`
  let separator = '\n'
  for (const finding of findings) {
    yield `${separator}${escapeJson(JSON.stringify(result(finding, ids.indexOf(finding.rule), fingerprint(finding))))}`
    separator = ',\n'
  }
  yield ']}]}\n'
}

function describe(id: string, rule: Rule | undefined) {
  if (!rule) return { id, shortDescription: { text: id }, defaultConfiguration: { level: 'error' } }
  const plain = (markdown: string) => markdown.replace(/`/g, '').replace(/\s*\n\s*/g, ' ')
  return {
    id,
    name: id,
    shortDescription: { text: rule.title },
    fullDescription: { text: plain(rule.why) },
    help: {
      text: `${plain(rule.why)}\n\n${plain(rule.remedy)}`,
      markdown: `${rule.why}\n\n**Remedy.** ${rule.remedy}\n\n**How it is decided.** ${rule.decides}`,
    },
    defaultConfiguration: { level: levels[rule.severity] },
    properties: {
      tags: ['kubernetes', rule.category],
      precision: rule.severity === 'error' ? 'very-high' : 'high',
      'problem.severity': rule.severity === 'info' ? 'recommendation' : rule.severity,
    },
  }
}

function location(place: Place, cluster: string | undefined) {
  // A live object is in no file.
  if (place.live)
    return {
      logicalLocations: [
        { fullyQualifiedName: `${cluster === undefined ? '' : `${cluster}/`}${place.file}${place.path}` },
      ],
    }
  return {
    physicalLocation: {
      artifactLocation: { uri: uri(place.file), ...(!place.file.startsWith('/') && { uriBaseId: 'ROOT' }) },
      region: {
        startLine: place.line,
        startColumn: place.column,
        endLine: place.endLine,
        endColumn: place.endColumn,
      },
    },
    ...(place.path && { logicalLocations: [{ fullyQualifiedName: place.path }] }),
  }
}

/** A path as a relative URI reference. */
function uri(file: string): string {
  // Lone surrogates cannot be encoded.
  return file.toWellFormed().split('/').map(encodeURIComponent).join('/')
}

function result(finding: Finding, ruleIndex: number, print: string) {
  const { rule, severity, cluster, place, related, suppressed } = finding
  return {
    ruleId: rule,
    ruleIndex,
    level: levels[severity],
    // Brackets would begin a link.
    message: { text: statement(finding).replace(/[[\]]/g, '\\$&') },
    locations: [location(place, cluster)],
    ...(related.length > 0 && {
      relatedLocations: related.map((one, i) => ({
        id: i + 1,
        ...location(one, cluster),
        message: { text: (one.note ?? one.object ?? one.path) || 'related' },
      })),
    }),
    partialFingerprints: { 'k8sAf/v1': print },
    ...(suppressed && {
      suppressions: [
        { kind: suppressed.baseline ? 'external' : 'inSource', justification: suppressed.reason },
      ],
    }),
  }
}
