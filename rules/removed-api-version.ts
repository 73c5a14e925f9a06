import {
  advise,
  enumerate,
  findClient,
  type KubernetesObject,
  type RetiredApi,
  type RuleFix,
  requestedOf,
  requestedSince,
  retiredApi,
  rule,
  successorOf,
  valueAt,
  writtenVersions,
} from '../src/rule.js'

export default rule({
  title: 'The target version no longer serves this API version',
  category: 'api-schema',
  severity: 'error',
  why: `Kubernetes removes beta API versions three releases or more after it deprecates them, and alpha versions
without notice. From then on \`kubectl apply\`, Helm upgrades and GitOps syncs of the manifest fail with "no
matches for kind". Objects that exist stay and are served under the newer version; a client that still
writes the old one stops working on the day of the upgrade.`,
  remedy: 'Write the apiVersion that took its place, and adapt the fields that changed with it.',
  decides: `apiVersion and kind together are looked up in a table of all removals from 1.16 to 1.37;
versions were reused for other kinds, so that a group's version alone says nothing. Reported when the
removal is at or before the target version. The fix is safe where the newer version reads the same manifest
in the same way; a PodDisruptionBudget with an empty selector is the exception: it selects no pod in \`policy/v1beta1\`
and every pod in \`policy/v1\`. One without a selector selects none in both.

Of the objects of a cluster, the versions in which clients last applied them are looked at: kubectl's annotation
and the \`Apply\` entries of managedFields. So is what clients asked for: the API server counts requests for deprecated
versions from the start of its process, and that is shown on the APIService of the version. Which client it was
stands in the audit log. Of several API servers one is asked.

In what \`helm template\` has written, the advice names the flag without which a chart that asks the cluster for the newer
version falls back to the old one.

Exempt: the API groups of custom resources, and what a template of a chart (\`--helm\`) makes where the cluster has the version
(\`.Capabilities.APIVersions.Has "policy/v1beta1"\`): \`helm template\` answers for the versions that its own client knows.`,
  falsePositives: `In a cluster, objects that were once applied with kubectl and belong to another tool now: the
annotation stays as it was. Clients that have stopped to ask since the API server started.`,
  versions: 'The target version is `--k8s-version`, by default the newest that is known.',
  sources: [
    'k8s.io/api/*/*/zz_generated.prerelease-lifecycle.go, v0.21 to v0.37',
    'https://kubernetes.io/docs/reference/using-api/deprecation-guide/',
    'k8s.io/api/policy/v1/types.go and v1beta1/types.go (PodDisruptionBudgetSpec.Selector)',
    'k8s.io/apiserver/pkg/endpoints/metrics/metrics.go (apiserver_requested_deprecated_apis)',
    'helm/pkg/chartutil/capabilities.go (allKnownVersions: groups and versions, no kinds)',
  ],
  stories: [
    'loveholidays-gke-upgrade',
    'zalando-misc-races',
    'monzo-linkerd-etcd',
    'zalando-cronjob-apiserver',
  ],
  for: 'Object',
  live: true,
  check(object, { graph, minor, reportPath }) {
    const { kind = '' } = object
    for (const { apiVersion, resources, removed } of requestedOf(object, graph.live)) {
      if (minor < removed) continue
      reportPath(
        ['spec', 'version'],
        `A client that asked for ${enumerate(resources, 'and')} of ${apiVersion} fails with Kubernetes 1.${minor}: that version was removed in 1.${removed}.`,
        {
          onValue: true,
          evidence: [requestedSince],
          fix: advise(findClient),
        },
      )
    }
    for (const { apiVersion, path, by } of writtenVersions(object, graph.source === 'the cluster')) {
      const retired = retiredApi(apiVersion, kind)
      if (!retired || retired.removed === undefined || minor < retired.removed) continue
      const successor = successorOf(apiVersion, kind, minor)
      reportPath(
        path,
        by === undefined
          ? `kubectl apply fails: Kubernetes 1.${minor} does not serve ${apiVersion} ${kind}, removed in 1.${retired.removed}.`
          : `The next apply by ${by} fails: Kubernetes 1.${minor} does not serve ${apiVersion} ${kind}, removed in 1.${retired.removed}.`,
        {
          onValue: true,
          label: successor ? `${successor} took its place` : 'no other version took its place',
          fix: !successor
            ? advise(
                `remove this ${kind}${kind === 'PodSecurityPolicy' ? ': pod-security.kubernetes.io labels on namespaces do its work' : ''}`,
              )
            : by === undefined
              ? graph.mentions(object, helmMark)
                ? advise(inTemplate(successor, kind))
                : fixOf(object, retired, successor)
              : advise(`apiVersion: ${successor} in the manifest`),
        },
      )
    }
  },
})

/** What `helm template` writes above each object. */
const helmMark = '# Source: '

/** Charts ask for `policy/v1/PodDisruptionBudget`, and `helm template` on its own knows no kinds: they get the old version. */
function inTemplate(successor: string, kind: string): string {
  return `apiVersion: ${successor} in the template; one that asks .Capabilities needs helm template --api-versions ${successor}/${kind}`
}

function fixOf(
  object: KubernetesObject,
  { apiVersion, kind, sameShape }: RetiredApi,
  successor: string,
): RuleFix {
  const title = `apiVersion: ${successor}`
  const edits = [{ op: 'set' as const, path: ['apiVersion'], value: successor }]
  const selector = valueAt(object, 'spec', 'selector')
  const selects = typeof selector === 'object' && selector !== null && Object.keys(selector).length > 0
  if (kind === 'PodDisruptionBudget') return { title, safe: selects || selector === undefined, edits }
  if (sameShape) return { title, safe: true, edits }
  // The same fields, but other defaults: how updates roll, how many old revisions stay.
  if (successor === 'apps/v1' && selects) return { title, safe: false, edits }
  return advise(`${title}, and adapt the fields that differ from ${apiVersion}`)
}
