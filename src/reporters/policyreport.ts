/**
 * Objects of wgpolicyk8s.io/v1alpha2 for kubectl apply: a PolicyReport for each namespace, a ClusterPolicyReport for the rest.
 * Source: kubernetes-sigs/wg-policy-prototypes, policy-report/crd/v1alpha2.
 */
import type { Report } from '../engine/report.js'
import type { Finding } from '../finding.js'
import { clusterScoped, kindNameOf } from '../kubernetes.js'
import { push } from '../values/group.js'
import { escapeJson } from './escape.js'
import { shownIn } from './look.js'
import type { Look } from './reporter.js'
import { withEvidence } from './text.js'
import { tool } from './tool.js'

/**
 * Bytes of the results of an object: kubectl apply keeps a copy of it in its annotations, which hold 256 KiB in all. Go writes some
 * characters longer. Source: TotalAnnotationSizeLimitB, k8s.io/apimachinery/pkg/api/validation/objectmeta.go.
 */
const mostBytes = 150_000
/** What all versions of the format have in common: critical and info came later. */
const severities = { error: 'high', warning: 'medium', info: 'low' } as const
const outcomes = ['pass', 'fail', 'warn', 'error', 'skip'] as const

type Result = ReturnType<typeof resultOf>

/** A List in JSON. There is a ClusterPolicyReport even when nothing was found. */
export function* render(report: Report, look: Look): Iterable<string> {
  const cluster: Result[] = []
  const namespaces = new Map<string, Result[]>()
  for (const finding of shownIn(report, look)) {
    const result = resultOf(finding, report)
    if (isOfCluster(finding)) cluster.push(result)
    else push(namespaces, finding.subject?.namespace ?? '', result)
  }
  yield '{"apiVersion":"v1","kind":"List","items":['
  yield* objects('ClusterPolicyReport', {}, cluster, '\n')
  for (const [namespace, results] of namespaces)
    yield* objects('PolicyReport', namespace === '' ? {} : { namespace }, results, ',\n')
  yield '\n]}\n'
}

/** Objects of a manifest that names no namespace get the one that kubectl applies the report to. */
function isOfCluster({ subject, place }: Finding): boolean {
  if (subject === undefined) return true
  if (subject.namespace !== '') return false
  return place.live === true || clusterScoped.has(kindNameOf(subject.apiVersion, subject.kind))
}

function resultOf(finding: Finding, report: Report) {
  const { rule, severity, subject, place, fix, suppressed } = finding
  const result = suppressed ? 'skip' : severity === 'error' ? 'fail' : 'warn'
  const category = report.rules.get(rule)?.category
  return {
    source: tool.name,
    policy: rule,
    ...(category && { category }),
    severity: severities[severity],
    result: result satisfies (typeof outcomes)[number],
    scored: result === 'fail',
    message: withEvidence(finding),
    ...(subject && {
      resources: [
        {
          apiVersion: subject.apiVersion,
          kind: subject.kind,
          name: subject.name,
          ...(subject.namespace && { namespace: subject.namespace }),
        },
      ],
    }),
    properties: {
      ...(place.path && { field: place.path }),
      ...(!place.live && { file: `${place.file}:${place.line}` }),
      ...(fix && { fix: fix.title }),
      ...(suppressed && { suppressed: suppressed.reason }),
    },
  }
}

/** As many objects as the results need: `k8s-af`, `k8s-af-2`. */
function* objects(
  kind: string,
  metadata: object,
  results: readonly Result[],
  first: string,
): Iterable<string> {
  let separator = first
  for (const [i, part] of parts(results).entries()) {
    const object = {
      apiVersion: 'wgpolicyk8s.io/v1alpha2',
      kind,
      metadata: {
        name: i === 0 ? tool.name : `${tool.name}-${i + 1}`,
        ...metadata,
        labels: { 'app.kubernetes.io/managed-by': tool.name },
      },
      summary: Object.fromEntries(
        outcomes.map((name) => [name, part.filter(({ result }) => result === name).length]),
      ),
      results: part,
    }
    yield `${separator}${escapeJson(JSON.stringify(object))}`
    separator = ',\n'
  }
}

/** The results in pieces that fit into an object each; one piece when there are none. */
function parts(results: readonly Result[]): Result[][] {
  const all: Result[][] = [[]]
  let size = 0
  for (const result of results) {
    const own = Buffer.byteLength(JSON.stringify(result))
    if (size > 0 && size + own > mostBytes) {
      all.push([])
      size = 0
    }
    size += own
    all.at(-1)?.push(result)
  }
  return all
}
