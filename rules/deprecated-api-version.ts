import {
  advise,
  enumerate,
  findClient,
  groupOf,
  requestedOf,
  requestedSince,
  retiredApi,
  rule,
  successorOf,
  versionOf,
  versionsOf,
  type Written,
  writtenVersions,
} from '../src/rule.js'

export default rule({
  title: 'An API version that is on its way out',
  category: 'api-schema',
  severity: 'warning',
  why: `The API server still serves this version and warns on every request; a later release will not. Alpha
versions are off by default, may change in any release, and go without a deprecation.`,
  remedy: 'Move to the version that the message names before the upgrade that removes this one.',
  decides: `apiVersion and kind together are looked up in a table of all deprecations up to 1.37. Reported
when the target version serves the kind and deprecates it, or when the version is an alpha one. An info
where no release is named for the removal. Versions that the target no longer serves are reported by
\`removed-api-version\`.

In a cluster, what clients asked for counts, too: the API server counts requests for deprecated versions from the
start of its process. Shown on the APIService of the version, and only where another version is there to ask for.
Which client it was stands in the audit log. Of several API servers one is asked.`,
  falsePositives: 'In a cluster, clients that have stopped to ask since the API server started.',
  sources: [
    'k8s.io/api/*/*/zz_generated.prerelease-lifecycle.go, v0.21 to v0.37',
    'https://kubernetes.io/docs/reference/using-api/deprecation-policy/',
    'k8s.io/apiserver/pkg/endpoints/metrics/metrics.go (apiserver_requested_deprecated_apis)',
  ],
  stories: ['loveholidays-gke-upgrade', 'zalando-cronjob-apiserver'],
  for: 'Object',
  live: true,
  check(object, { graph, minor, reportPath }) {
    for (const written of writtenVersions(object, graph.source === 'the cluster')) checkVersion(written)
    for (const { apiVersion, resources, removed } of requestedOf(object, graph.live)) {
      if (minor >= removed) continue
      reportPath(
        ['spec', 'version'],
        `The upgrade to 1.${removed} breaks a client that asks for ${enumerate(resources, 'and')} of ${apiVersion}: that release stops serving this version.`,
        {
          onValue: true,
          evidence: [requestedSince],
          fix: advise(findClient),
        },
      )
    }

    function checkVersion({ apiVersion, path, by }: Written) {
      const { kind = '' } = object
      const retired = retiredApi(apiVersion, kind)
      const alpha = apiVersion.includes('alpha') && /^v\d+alpha/.test(versionOf(apiVersion))
      const due = retired !== undefined && minor >= retired.deprecated
      if (!due && !alpha) return
      if (!versionsOf(groupOf(apiVersion), kind, minor).includes(apiVersion)) return
      const successor = successorOf(apiVersion, kind, minor)
      const removed = retired?.removed
      reportPath(
        path,
        removed !== undefined
          ? `The upgrade to 1.${removed} breaks ${by === undefined ? 'this manifest' : `what ${by} applies`}: that release stops serving ${apiVersion} ${kind}.`
          : alpha
            ? `${apiVersion} is an alpha API: off by default, and it may be gone in the next release.`
            : `${apiVersion} ${kind} is deprecated since 1.${retired?.deprecated}; no release is named for its end.`,
        {
          onValue: true,
          severity: removed === undefined && !alpha ? 'info' : 'warning',
          label: successor ? `${successor} is served too` : undefined,
          ...(successor !== undefined &&
            retired?.sameShape &&
            by === undefined && {
              fix: {
                title: `apiVersion: ${successor}`,
                safe: true,
                edits: [{ op: 'set' as const, path: ['apiVersion'], value: successor }],
              },
            }),
        },
      )
    }
  },
})
