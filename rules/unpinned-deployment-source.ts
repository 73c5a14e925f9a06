import {
  advise,
  blankIn,
  type Custom,
  groupOf,
  isPlaceholder,
  objectAt,
  objectsAt,
  rule,
  stringAt,
} from '../src/rule.js'

const range = /[*^~<>|]|\bx\b|\.x|\s-\s/i
/**
 * To Flux a version without all its parts is the range of those that begin with it; Argo CD looks for just that one. Sources:
 * Masterminds/semver (NewConstraint), argo-cd/util/versions/tags.go (MaxVersion).
 */
const part = /^v?\d+(\.\d+)?$/

export default rule({
  title: 'What is deployed changes without a commit',
  category: 'config',
  severity: 'warning',
  why: `A chart version that is a range, or a branch of somebody else's repository, is resolved again at
every reconcile. The day upstream publishes a release, the platform is upgraded unasked: at night, in all
clusters at once, with no change of yours to revert.`,
  remedy: 'Name the exact version that is deployed, and let a bot propose the next.',
  decides: `Flux HelmRelease: \`chart.spec.version\` missing, \`*\`, a range, or, as an info, a part of a version
(\`1.2\`), which is one unless a chart has just that version. Flux OCIRepository: tag latest or a semver range. Argo
CD Application and ApplicationSet: \`targetRevision\` of a Helm chart that is a range, or missing: such an
Application is not deployed at all. GitRepositories and Applications that follow a branch are normal for your own
repositories and silent; where the rule is asked for, a GitRepository that follows a branch of another owner than
\`flux-system\` beside it is an info.

Exempt: HelmReleases whose chart comes from a GitRepository or Bucket, where the version is the revision's,
\`chartRef\`, and a missing version where a kustomization or a \`templatePatch\` fills it in. In a cluster the
versions that a HelmRelease went through stand below.`,
  falsePositives: 'Clusters that try new versions on purpose: suppress there with that reason.',
  sources: [
    'Flux documentation, HelmRelease and OCIRepository',
    'fluxcd/source-controller, internal/helm/repository/chart_repository.go (GetChartVersion) and api/v1/ocirepository_types.go',
    'Argo CD documentation, Tracking and Deployment Strategies',
    'argo-cd/util/argo/argo.go (targetRevision is required for a chart) and util/versions/tags.go',
  ],
  stories: ['dfds-flux-unpinned', 'dfds-kiam-cert', 'zalando-image-policy', 'dfds-ami-latest'],
  for: [
    'helm.toolkit.fluxcd.io/HelmRelease',
    'source.toolkit.fluxcd.io/OCIRepository',
    'source.toolkit.fluxcd.io/HelmChart',
    'source.toolkit.fluxcd.io/GitRepository',
    'argoproj.io/Application',
    'argoproj.io/ApplicationSet',
  ],
  check(subject, { graph, report }) {
    const fix = advise('the version that is deployed now')
    if (subject.kind === 'GitRepository') {
      const spec = objectAt(subject, 'spec')
      const ref = objectAt(spec, 'ref')
      const fixed = ['commit', 'tag', 'semver', 'name'].some((one) => stringAt(ref, one) !== undefined)
      const owner = ownerOf(subject)
      const own = new Set(
        graph
          .siblings('source.toolkit.fluxcd.io/GitRepository', subject)
          .filter(({ metadata }) => metadata?.name === 'flux-system')
          .map(ownerOf),
      )
      if (spec && !fixed && owner !== undefined && own.size > 0 && !own.has(owner))
        report(
          ref ?? spec,
          ref ? 'branch' : 'url',
          `What comes from ${owner} changes unasked: ${subject.metadata?.name} follows ${stringAt(ref, 'branch') ? `branch ${stringAt(ref, 'branch')}` : 'the default branch'} of somebody else's repository.`,
          { severity: 'info', recommended: false, fix: advise('a tag or commit') },
        )
      return
    }
    for (const { node, field, name, text } of versionsOf(subject)) {
      const isPart =
        groupOf(subject.apiVersion ?? '') !== 'argoproj.io' && field !== 'tag' && part.test(text ?? '')
      if (text && !isPart && !range.test(text) && text !== 'latest') continue
      if (text === undefined && (graph.patched(subject) || stringAt(subject, 'spec', 'templatePatch')))
        continue
      // Templates, of an ApplicationSet among others, are filled in elsewhere.
      if (text !== undefined && (isPlaceholder(text) || blankIn(text))) continue
      const isRefused = field === 'targetRevision' && !text
      report(
        node,
        field,
        isRefused
          ? `Argo CD does not deploy ${name}: it demands a targetRevision of every chart.`
          : `${name} is upgraded unasked when a new release is published: ${text ? `version ${text} is a range` : 'no version is named'}.`,
        {
          ...(isPart && { severity: 'info' }),
          fix: isRefused ? advise('the version to deploy') : fix,
          evidence: releasesOf(subject),
        },
      )
      return
    }
  },
})

/** `github.com/fluxcd` of the address of a Git repository. */
function ownerOf(repository: Custom): string | undefined {
  const url = stringAt(repository, 'spec', 'url') ?? ''
  const [, host, owner] = /^(?:\w+:\/\/)?(?:[^@/]+@)?([^/:]+)(?::\d+)?[/:]([^/]+)\//.exec(url) ?? []
  return host && owner ? `${host}/${owner}` : undefined
}

interface Version {
  readonly node: object
  readonly field: string
  readonly name: string
  readonly text: string | undefined
}

function versionsOf(subject: Custom): readonly Version[] {
  const spec = objectAt(subject, 'spec')
  switch (subject.kind) {
    case 'HelmRelease': {
      const chart = objectAt(spec, 'chart', 'spec')
      const from = stringAt(chart, 'sourceRef', 'kind')
      return chart && (from === undefined || from === 'HelmRepository')
        ? [
            {
              node: chart,
              field: 'version',
              name: stringAt(chart, 'chart') ?? 'The chart',
              text: stringAt(chart, 'version'),
            },
          ]
        : []
    }
    case 'HelmChart':
      return spec && stringAt(spec, 'sourceRef', 'kind') === 'HelmRepository'
        ? [
            {
              node: spec,
              field: 'version',
              name: stringAt(spec, 'chart') ?? 'The chart',
              text: stringAt(spec, 'version'),
            },
          ]
        : []
    case 'OCIRepository': {
      const ref = objectAt(spec, 'ref')
      const name = subject.metadata?.name ?? 'The source'
      if (!spec || ref?.digest !== undefined) return []
      if (!ref) return [{ node: spec, field: 'ref', name, text: 'latest' }]
      const semver = stringAt(ref, 'semver')
      return semver !== undefined
        ? [{ node: ref, field: 'semver', name, text: semver }]
        : [{ node: ref, field: 'tag', name, text: stringAt(ref, 'tag') }]
    }
    default: {
      const own = subject.kind === 'ApplicationSet' ? objectAt(spec, 'template', 'spec') : spec
      const source = objectAt(own, 'source')
      return [...(source ? [source] : []), ...objectsAt(own, 'sources')]
        .filter((one) => stringAt(one, 'chart') !== undefined)
        .map((one) => ({
          node: one,
          field: 'targetRevision',
          name: stringAt(one, 'chart') ?? '',
          text: stringAt(one, 'targetRevision'),
        }))
    }
  }
}

/** The chart versions in the history of a HelmRelease, the latest first, where there is more than one. */
function releasesOf(subject: Custom): string[] | undefined {
  const history = objectsAt(subject, 'status', 'history').map((one) => ({
    version: stringAt(one, 'chartVersion') ?? '',
    day: (stringAt(one, 'firstDeployed') ?? '').slice(0, 10),
  }))
  const versions = history.filter(({ version }, i) => version !== '' && version !== history[i + 1]?.version)
  const [now, before] = versions
  return now && before
    ? [`chart version ${now.version} was deployed${now.day && ` on ${now.day}`}, ${before.version} before`]
    : undefined
}
