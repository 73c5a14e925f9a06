import {
  advise,
  blankIn,
  type Custom,
  type Fault,
  type FaultAt,
  type Graph,
  groupOf,
  isPlaceholder,
  type Kustomization,
  objectAt,
  objectsAt,
  type Path,
  rule,
  stringAt,
} from '../src/rule.js'

const range = /[*^~<>|]|\bx\b|\.x|\s-\s/i
/**
 * To Flux a version without all its parts is the range of those that begin with it; Argo CD looks for just that one. Sources:
 * Masterminds/semver (NewConstraint), argo-cd/util/versions/tags.go (MaxVersion).
 */
const part = /^v?\d+(\.\d+)?$/
/** A range that begins and ends within one minor version, as far as it can be seen at a glance: `1.26.x`, `~1.26.3`, `>=1.26.2 <1.27.0`. */
const fixesOnly = /^(?:[v=]*\d+\.\d+\.[x*]|~\s*v?\d+\.\d+(?:\.[\w.*+-]+)?)$/i
const bounds = /^>=\s*v?(\d+)\.(\d+)(?:\.[\w.+-]+)?[\s,]+<\s*v?(\d+)\.(\d+)(?:\.0)?(?:-0)?$/
/** Branches by their name, and a tag that is moved as they are. What else stands for a revision may be a tag or a commit. */
const moving = /^(?:refs\/heads\/.+|main|master|HEAD|develop|dev|trunk|stable|latest|nightly)$/

export default rule({
  title: 'What is deployed changes without a commit',
  category: 'config',
  severity: 'warning',
  why: `A chart version that is a range, or a branch of somebody else's repository, is resolved again at
every reconcile or build. The day upstream publishes a release, the platform is upgraded unasked: at night, in all
clusters at once, with no change of yours to revert.`,
  remedy: 'Name the exact version that is deployed, and let a bot propose the next.',
  decides: `Flux HelmRelease: \`chart.spec.version\` missing, \`*\`, a range, or, as an info, a part of a version
(\`1.2\`), which is one unless a chart has just that version. A range within one minor version (\`1.26.x\`, \`~1.26.3\`),
which asks for corrections and no more, is an info wherever it stands, and so is what is suspended. Flux OCIRepository: tag latest or a semver range. Argo
CD Application and ApplicationSet: \`targetRevision\` of a Helm chart that is a range (an info without
\`syncPolicy.automated\`, where the next sync by hand brings the release), or missing: such an Application is not deployed at all. GitRepositories and Applications that follow a branch are normal for your own
repositories and silent; where the rule is asked for, a GitRepository that follows a branch of another owner than
\`flux-system\` beside it is an info.

Kustomization of kustomize: an address under \`resources\` or \`components\` is an info when it is a repository without
\`ref\` or with that of a branch by its name (\`main\`, \`stable\`), a file of such a branch, or one of the latest release
of GitHub; a chart of \`helmCharts\` that has a \`repo\` and no \`version\`, or a range, is a warning.

Exempt: HelmReleases whose chart comes from a GitRepository or Bucket, where the version is the revision's,
\`chartRef\`, and a missing version where a kustomization or a \`templatePatch\` fills it in. In a cluster the
versions that a HelmRelease went through stand below.`,
  falsePositives: 'Clusters that try new versions on purpose: suppress there with that reason.',
  sources: [
    'Flux documentation, HelmRelease and OCIRepository',
    'fluxcd/source-controller, internal/helm/repository/chart_repository.go (GetChartVersion) and api/v1/ocirepository_types.go',
    'Argo CD documentation, Tracking and Deployment Strategies',
    'sigs.k8s.io/kustomize/api/internal/git/repospec.go (ref and version of an address), api/types/helmchartargs.go (version)',
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
    'Kustomization',
  ],
  check(subject, { graph, report, reportPath }) {
    if (isOfKustomize(subject)) {
      const fault = unpinned(subject, graph)
      if (fault) reportPath(...fault)
      return
    }
    const fault =
      subject.kind === 'GitRepository' ? foreignBranch(subject, graph) : openVersion(subject, graph)
    if (fault) report(...fault)
  },
})

const pin = advise('the version that is deployed now')

/** What a kustomization takes from elsewhere, whatever that is when it is built. */
function unpinned(kustomization: Kustomization, graph: Graph): FaultAt | undefined {
  const [first, ...others] = floatingIn(kustomization)
  return (
    first && [
      first.at,
      `What ${graph.describe(kustomization)} builds changes without a commit: ${first.what}.`,
      {
        ...((!first.isChart || first.isMinor) && { severity: 'info' }),
        fix: first.isChart ? pin : advise('the address of a tag or commit'),
        evidence: others.slice(0, 3).map(({ name, what }) => `${name}: ${what}`),
      },
    ]
  )
}

/** A GitRepository that follows a branch of somebody else's, as far as the owner of `flux-system` tells. */
function foreignBranch(repository: Custom, graph: Graph): Fault | undefined {
  const spec = objectAt(repository, 'spec')
  const ref = objectAt(spec, 'ref')
  const isFixed = ['commit', 'tag', 'semver', 'name'].some((one) => stringAt(ref, one) !== undefined)
  const owner = ownerOf(repository)
  const own = new Set(
    graph
      .siblings('source.toolkit.fluxcd.io/GitRepository', repository)
      .filter(({ metadata }) => metadata?.name === 'flux-system')
      .map(ownerOf),
  )
  if (!spec || isFixed || owner === undefined || own.size === 0 || own.has(owner)) return undefined
  const branch = stringAt(ref, 'branch')
  return [
    ref ?? spec,
    ref ? 'branch' : 'url',
    `What comes from ${owner} changes unasked: ${repository.metadata?.name} follows ${branch ? `branch ${branch}` : 'the default branch'} of somebody else's repository.`,
    { severity: 'info', recommended: false, fix: advise('a tag or commit') },
  ]
}

/** The first version that is a range, or is not named at all; one that brings only corrections where there is no other. */
function openVersion(subject: Custom, graph: Graph): Fault | undefined {
  const isPatched = graph.patched(subject)
  const open = versionsOf(subject).filter((one) => isOpen(one, subject, isPatched))
  const first = open.find(({ text }) => !takesFixesOnly(text)) ?? open[0]
  if (!first) return undefined
  const { node, field, name, text, hasChart } = first
  const evidence = releasesOf(subject)
  if (field === 'targetRevision' && !text)
    return [
      node,
      field,
      `Argo CD does not deploy ${name}: it demands a targetRevision of every chart.`,
      { fix: advise('the version to deploy'), evidence },
    ]
  const whenever = laterOccasion(subject, field, isPatched)
  const what = whyOpen(field, text)
  return [
    node,
    field,
    whenever
      ? `${name} is upgraded to whatever was released meanwhile ${whenever}: ${what}.`
      : `${name} is upgraded unasked when a new release${hasChart ? ' of its chart' : ''} is published: ${what}.`,
    {
      ...((isPart(first, subject) || whenever || takesFixesOnly(text)) && { severity: 'info' }),
      fix: pin,
      evidence,
    },
  ]
}

/** Whether a version may be another one tomorrow. */
function isOpen(one: Version, subject: Custom, isPatched: boolean): boolean {
  const { text } = one
  if (text === undefined) return !isPatched && !stringAt(subject, 'spec', 'templatePatch')
  if (text && !isPart(one, subject) && !range.test(text) && text !== 'latest') return false
  // Templates, of an ApplicationSet among others, are filled in elsewhere.
  return !isPlaceholder(text) && !blankIn(text)
}

/** Whether it is the first part of a version, which Flux and Helm take for a range. */
function isPart({ field, text }: Version, { apiVersion = '' }: Custom): boolean {
  return groupOf(apiVersion) !== 'argoproj.io' && field !== 'tag' && part.test(text ?? '')
}

/** What somebody has to do before anything is upgraded; undefined where nobody has to. */
function laterOccasion(subject: Custom, field: string, isPatched: boolean): string | undefined {
  if (field === 'targetRevision') return isSyncedByItself(subject, isPatched) ? undefined : 'at the next sync'
  return objectAt(subject, 'spec')?.suspend === true ? 'once it is resumed' : undefined
}

/** Whether a range stays within one minor version: whoever wrote it asked for corrections, and for no more. */
function takesFixesOnly(text: string | undefined): boolean {
  if (text === undefined) return false
  const [, major, minor, nextMajor, next] = bounds.exec(text) ?? []
  return (
    fixesOnly.test(text) || (major !== undefined && major === nextMajor && Number(minor) + 1 === Number(next))
  )
}

/** Why a version is another one some day. */
function whyOpen(field: string, text: string | undefined): string {
  if (!text) return 'no version is named'
  if (field === 'ref') return `no ref is given, and it takes the tag ${text}`
  return text === 'latest' ? 'it takes the tag latest' : `version ${text} is a range`
}

/**
 * Whether Argo CD syncs what an Application or ApplicationSet deploys without anybody's asking.
 * Source: argo-cd/pkg/apis/application/v1alpha1/types.go (SyncPolicy.IsAutomatedSyncEnabled).
 * @param isPatched something else may still say so
 */
function isSyncedByItself(subject: Custom, isPatched: boolean): boolean {
  if (isPatched || stringAt(subject, 'spec', 'templatePatch') !== undefined) return true
  const own = subject.kind === 'ApplicationSet' ? ['template', 'spec'] : []
  const automated = objectAt(subject, 'spec', ...own, 'syncPolicy', 'automated')
  return automated !== undefined && automated.enabled !== false
}

/** `github.com/fluxcd` of the address of a Git repository. */
function ownerOf(repository: Custom): string | undefined {
  const url = stringAt(repository, 'spec', 'url') ?? ''
  const [, host, owner] = /^(?:\w+:\/\/)?(?:[^@/]+@)?([^/:]+)(?::\d+)?[/:]([^/]+)\//.exec(url) ?? []
  return host && owner ? `${host}/${owner}` : undefined
}

/** What a kustomization takes from elsewhere. */
interface Floating {
  readonly at: Path
  /** The address or the chart. */
  readonly name: string
  readonly what: string
  readonly isChart: boolean
  /** Whether only corrections come by themselves. */
  readonly isMinor: boolean
}

function isOfKustomize(subject: Custom | Kustomization): subject is Kustomization {
  return 'isCheckedOut' in subject
}

function floatingIn({ references, document }: Kustomization): readonly Floating[] {
  const remote = references.flatMap(({ at, name, takes, found }): readonly Floating[] => {
    const what = found === 'elsewhere' && takes !== 'file' && !isPlaceholder(name) ? driftOf(name) : undefined
    return what === undefined ? [] : [{ at, name, what, isChart: false, isMinor: true }]
  })
  const charts = objectsAt(document.value, 'helmCharts').flatMap((chart, i): readonly Floating[] => {
    const version = stringAt(chart, 'version')
    const name = stringAt(chart, 'name') ?? 'a chart'
    if (!stringAt(chart, 'repo') || (version && (!range.test(version) || isPlaceholder(version)))) return []
    const what = version ? `version ${version} of chart ${name} is a range` : `chart ${name} has no version`
    const at = ['helmCharts', i, version ? 'version' : 'name']
    return [{ at, name, what, isChart: true, isMinor: takesFixesOnly(version) }]
  })
  return [...charts.filter(({ isMinor }) => !isMinor), ...remote, ...charts.filter(({ isMinor }) => isMinor)]
}

/** Why an address leads to something else one day, if that can be seen. Source: kustomize/api/internal/git/repospec.go. */
function driftOf(address: string): string | undefined {
  const [path = '', query = ''] = address.split('?', 2)
  if (/^https:\/\/github\.com\/[^/]+\/[^/]+\/releases\/latest\/download\//.test(path))
    return 'it takes the latest release'
  const [, branch] =
    /^https:\/\/(?:raw\.githubusercontent\.com|github\.com)\/[^/]+\/[^/]+\/(?:raw\/|blob\/)?(?:refs\/heads\/)?([^/]+)\/.*\.(?:ya?ml|json)$/.exec(
      path,
    ) ?? []
  if (branch !== undefined) return moving.test(branch) ? `it takes a file of branch ${branch}` : undefined
  const isRepository =
    /^(?:git::|git@|ssh:)|\.git(?:\/|$)|^(?:https:\/\/)?(?:github|gitlab|bitbucket)\.\w+\/[^/]+\/[^/]+/.test(
      path,
    ) && !/\.(?:ya?ml|json)$/.test(path)
  if (!isRepository) return undefined
  const ref = /(?:^|&)(?:ref|version)=([^&]*)/.exec(query)?.[1]
  if (!ref) return 'it takes the default branch of a repository'
  return moving.test(ref) ? `it follows ${ref}, which moves` : undefined
}

interface Version {
  readonly node: object
  readonly field: string
  readonly name: string
  /** Whether that is the name of the object, and what is released is its chart. */
  readonly hasChart?: boolean
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
              name: nameOf(subject, chart),
              hasChart: true,
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
              name: nameOf(subject, spec),
              hasChart: true,
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
      const charts = [...(source ? [source] : []), ...objectsAt(own, 'sources')].filter(
        (one) => stringAt(one, 'chart') !== undefined,
      )
      const isAlone = charts.length === 1 && subject.kind === 'Application'
      return charts.map((one) => ({
        node: one,
        field: 'targetRevision',
        name: isAlone ? nameOf(subject, one) : (stringAt(one, 'chart') ?? ''),
        hasChart: isAlone,
        text: stringAt(one, 'targetRevision'),
      }))
    }
  }
}

/** What is deployed by the name of its object: findings of one sort then read the same, and are told as one. */
function nameOf({ metadata }: Custom, chart: object): string {
  return metadata?.name ?? stringAt(chart, 'chart') ?? 'The chart'
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
