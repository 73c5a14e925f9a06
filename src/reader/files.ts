/** From the paths that the user gave to the files to read. */
import {
  type Dirent,
  existsSync,
  lstatSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import picomatch from 'picomatch'
import type { SkipReason } from '../document.js'
import { groupBy } from '../values/group.js'
import { isTooWild } from '../values/wildcard.js'
import { namesArchived } from './archived.js'
import {
  configured,
  type IgnorePatterns,
  ignoreFile,
  isIgnored,
  type Rules,
  rulesAbove,
  rulesIn,
} from './ignored.js'
import { isPipeline, type ProgramFolders } from './program.js'

export interface FoundFile {
  /** How to open it. */
  readonly path: string
  /** How to name it: relative to the working directory, with `/`. */
  readonly name: string
  /** Named by the user, not met on a walk. */
  readonly explicit: boolean
  /** Known to be an ordinary file: opening it does not wait for anybody. */
  readonly isFile: boolean
}

export interface Found {
  readonly files: readonly FoundFile[]
  /** Names of files and folders that ignore patterns left out. */
  readonly ignored: readonly string[]
  /** What a walk met and left out by itself. */
  readonly leftOut: readonly LeftOut[]
  /** Names of folders of what is no longer applied that ignore patterns take back. */
  readonly takenBack: ReadonlySet<string>
  /** The folders with Go sources and modules that a walk met. */
  readonly programs: ProgramFolders
  /** Arguments that lead to nothing. */
  readonly missing: readonly string[]
  /** Folders and links that could not be followed. */
  readonly unreadable: readonly { readonly name: string; readonly error: unknown }[]
  /** Links that a walk met and that lead nowhere. */
  readonly dangling: readonly DanglingLink[]
}

/** A link that leads nowhere. */
export interface DanglingLink {
  readonly name: string
  /** The name of the first part of its target's path that is not there: a folder that has moved breaks many links. */
  readonly gone: string
}

/** A folder or file that a walk leaves out unless an argument names it: what it holds is not applied. */
interface LeftOut {
  readonly name: string
  readonly reason: Extract<SkipReason, 'test data' | 'switched off' | 'older release' | 'agent skill'>
}

export interface FindOptions {
  readonly cwd: string
  readonly recursive: boolean
  readonly ignore: readonly IgnorePatterns[]
}

const manifest = /\.(?:ya?ml|json)$/i
const skippedFolders: ReadonlySet<string> = new Set(['.git', 'node_modules'])
/** Where Go keeps the modules that a program is built from, and godep did before: a folder of this name with this list in it. */
const vendored: ReadonlyMap<string, string> = new Map([
  ['vendor', 'modules.txt'],
  ['Godeps', 'Godeps.json'],
])

/** Folders of tests. An environment may be called `test`, too, so what is in one is test data only where its name says more. */
function isOfTests(name: string): boolean {
  return /^(?:tests?|e2e|cypress)$/.test(name)
}

/**
 * Folders of test data, whose manifests are broken or old on purpose: as Go calls them, and their like, `test-cases`, `2-test-data`,
 * `testutils`, `tests/fixtures`, `tests/data` and `fake/data`, the `tests/scenarios` that a test plays, those of Cypress and Jest, what
 * tests expect to be rendered or have rendered (`tests/expected`, `tests/generated`, `test/helm-output`), what chart-testing installs
 * beside a chart (`ci/fixtures`), the releases that they upgrade from (`test/upgrade/2.0.1`), what Maven keeps for tests
 * (`src/test/resources`) and the projects that its Invoker builds for them (`src/it`), and what tests of charts have taken down
 * (`.snapshots`). What tests compare with is told by its files' names, too (`isTestDataFile`).
 * @param parents the names of the folders that it is in, the nearest first, where they say anything
 */
function isTestDataFolder(name: string, parents: readonly string[]): boolean {
  const [parent = ''] = parents
  return (
    /^(?:(?:\d+[-_.])?_?test[-_]?(?:data|cases)|test[-_]?utils?|__tests__)$/i.test(name) ||
    /^(?:\.snapshots|__snapshots?__)$/.test(name) ||
    (ofTests.test(name) && parents.some(isOfTests)) ||
    (name === 'expected' && isOfTests(parent)) ||
    (/^(?:generated|scenarios)$/.test(name) && /^(?:tests|e2e)$/.test(parent)) ||
    (name === 'fixtures' && parent === 'ci') ||
    (name === 'data' && (isOfTests(parent) || /^(?:fakes?|mocks?|__mocks__)$/.test(parent))) ||
    (name === 'resources' && /^(?:test|e2e)$/.test(parent)) ||
    (name === 'it' && parent === 'src')
  )
}

/** What says anywhere below tests that tests begin with it or end with it: a release that they upgrade from is its version alone. */
const ofTests = /^(?:_?fixtures|golden|(?:helm|expected|rendered)[-_]?outputs?|v?\d+\.\d+\.\d+)$/

/**
 * Folders that somebody has put out of use, and says so: `disabled`, and hidden ones as `.archive`. The generators of Argo CD leave
 * hidden folders out by themselves. A folder `archive` without a dot may well be an application: see `archivedFolders`.
 * Source: argo-cd/reposerver/repository/repository.go (GetGitDirectories).
 */
function isSwitchedOffFolder(name: string): boolean {
  return /^(?:[._]?disabled|\.(?:archived?|deprecated|obsolete|old|trash|unused))$/i.test(name)
}

/**
 * Whether a folder is a skill of a coding agent (`.claude/skills/deploy/SKILL.md`): its manifests are examples and templates, which the
 * agent copies to where they are applied.
 * Source: the Agent Skills specification (a folder with a SKILL.md).
 * @param parents the names of the folders that it is in, the nearest first
 */
function isSkill([parent]: readonly string[], entries: readonly Dirent[]): boolean {
  return parent === 'skills' && entries.some(({ name }) => name === 'SKILL.md')
}

/**
 * Whether a file is what a test in Go compares with, as by `helm template` with values of the test's or example's own, pieces of many
 * releases that nobody applies together, or with the values that stand beside it (`web.out.yaml` beside `web.in.yaml`); or calls itself
 * invalid, or what a test expects.
 * @param parents the names of the folders that it is in
 */
function isTestDataFile(name: string, beside: readonly Dirent[], parents: readonly string[]): boolean {
  if (/\.golden\.(?:ya?ml|json)$|^invalid\.(?:ya?ml|json)$/i.test(name)) return true
  const has = (file: RegExp) => beside.some((entry) => file.test(entry.name))
  const [, base] = /^(.+)\.out\.ya?ml$/.exec(name) ?? []
  if (base !== undefined && parents.some((one) => /(?:^|[-_.])tests?$/.test(one)))
    return beside.some(({ name: other }) => [`${base}.in.yaml`, `${base}.in.yml`].includes(other))
  if (/^expected\.ya?ml$/.test(name) && parents.some((one) => /(?:^|[-_.])tests?$/.test(one))) return true
  return (
    /^(?:results?|rendered|expected|output)\.ya?ml$/.test(name) &&
    parents.some(showsRendered) &&
    has(/^values\.ya?ml$/) &&
    !has(/^Chart\.yaml$/)
  )
}

/** Folders of tests and examples of charts: what is rendered there is rendered again at each change, many times the same. */
function showsRendered(name: string): boolean {
  return /(?:^|[-_.])(?:tests?|examples?)$/.test(name)
}

/**
 * Whether a folder holds what Helm has rendered with the values beside it, in an example or a test of a chart (`examples/basic/rendered`).
 * @param parents the names of the folders that it is in
 */
function isRenderedExample(name: string, beside: readonly Dirent[], parents: readonly string[]): boolean {
  if (!/^\.?rendered$/.test(name) || !parents.some(showsRendered)) return false
  return (
    name.startsWith('.') ||
    beside.some((entry) => /^(?:[^/]+[-_.])?values(?:[-_.][^/]*)?\.ya?ml$/.test(entry.name))
  )
}

/**
 * What folders of manifests that are wrong on purpose are called, by what those beside them are called. `bad` beside `good` is left in:
 * so people call what they try a linter on.
 */
const counterparts: ReadonlyMap<string, string> = new Map([
  ['invalid', 'valid'],
  ['fail', 'pass'],
  ['disallowed', 'allowed'],
])

/**
 * Whether a folder holds what a policy or a test refuses: one of what it takes stands beside it; or what the script or the tests in Go, of
 * Bats or of pytest beside it read: `compare` beside `run`, as Percona's operators have it, `fixtures` beside `ingress_test.go` or
 * `acceptance.bats`, `files` beside `conftest.py`. Among `fixtures` what is `valid` beside `invalid` is no more than what a parser has to
 * take.
 * @param parents the names of the folders that it is in, the nearest first
 */
function isCounterexample(name: string, parents: readonly string[], beside: readonly Dirent[]): boolean {
  if (name === 'compare') return beside.some((entry) => entry.name === 'run' && entry.isFile())
  if (name === 'fixtures' && beside.some((entry) => /(?:_test\.go|\.bats)$/.test(entry.name))) return true
  if (/^(?:fixtures|files|data|resources)$/.test(name))
    return beside.some((entry) => entry.name === 'conftest.py' || /^test_.+\.py$/.test(entry.name))
  const other = name === 'valid' && parents[0] === 'fixtures' ? 'invalid' : counterparts.get(name)
  return other !== undefined && beside.some((entry) => entry.name === other && entry.isDirectory())
}

/**
 * Where repositories keep all that they have released, and the Operator SDK kept the versions of an operator. So does any folder with the
 * file that names the channels of an operator (`web.package.yaml`). Source: operator-registry, package manifests format.
 */
const records = /(?:^|[-_])(?:releases?|archives?|archived|olm-catalog)$/
/** A version of three numbers, up to the end of a name. */
const versioned = /^(.*?)v?(\d+)\.(\d+)\.(\d+)(?:[-+](?:[a-z]+[.-]?)(\d+)?)?(?:\.(?:ya?ml|json))?$/

/**
 * The entries of a folder that a newer one stands beside, of the same name but for its version (`web-1.2.0.yaml`, `web-1.10.0`): nobody
 * changes what was released.
 */
function olderReleases(entries: readonly Dirent[]): ReadonlySet<string> {
  const found = entries.flatMap(({ name }) => {
    const [, base, ...numbers] = versioned.exec(name) ?? []
    // The number of `-rc.1`; a version without one comes last.
    return base === undefined ? [] : [{ name, base, numbers: numbers.map((one) => Number(one ?? Infinity)) }]
  })
  const isNewer = (a: readonly number[], b: readonly number[]) => {
    const at = a.findIndex((one, i) => one !== b[i])
    return at >= 0 && Number(a[at]) > Number(b[at])
  }
  return new Set(
    found
      .filter(({ base, numbers }) =>
        found.some((other) => other.base === base && isNewer(other.numbers, numbers)),
      )
      .map(({ name }) => name),
  )
}

/** A version of Kubernetes that a folder is for, and what else its name says: `kubernetes-1.27`, `k8s-1.27-test`. */
const forKubernetes = /^(kubernetes|k8s)-1\.(\d+)(.*)$/

/**
 * The folders for a version of Kubernetes beside one for a newer version, three or more, as drivers have them (`deploy/kubernetes-1.26`,
 * `deploy/kubernetes-1.27`, `deploy/kubernetes-1.28`; kubernetes-csi/csi-driver-host-path). Two may be of two clusters.
 */
function forOlderKubernetes(entries: readonly Dirent[]): ReadonlySet<string> {
  const found = entries.flatMap((entry) => {
    const [, base, minor, rest] = entry.isDirectory() ? (forKubernetes.exec(entry.name) ?? []) : []
    return minor === undefined ? [] : [{ name: entry.name, of: `${base}${rest}`, minor: Number(minor) }]
  })
  const alike = groupBy(found, ({ of }) => of)
  return new Set(
    [...alike.values()]
      .filter((some) => some.length > 2)
      .flatMap((some) => {
        const newest = Math.max(...some.map(({ minor }) => minor))
        return some.flatMap(({ name, minor }) => (minor < newest ? name : []))
      }),
  )
}

/**
 * Whether the folder from which a driver is deployed keeps what it has released, too: three versions or more (`deploy/v1.9.0`,
 * `deploy/v1.10.0`; kubernetes-csi/csi-driver-smb; `deployment/0.9.0`), and so its charts (`charts/v1.9.0`). Two may be of two clusters.
 */
function keepsReleases(name: string | undefined, entries: readonly Dirent[]): boolean {
  if (!/^(?:deploy(?:ments?)?|charts)$/.test(name ?? '')) return false
  return entries.filter((entry) => entry.isDirectory() && /^v?\d+\.\d+\.\d+$/.test(entry.name)).length > 2
}

/** What KUTTL compares with the cluster after a step. Source: kuttl/pkg/test/step.go. */
const kuttlFile = /^\d+-(?:assert|errors)(?:-[^.]+)?(?:\.gotmpl)?\.ya?ml$/

/**
 * Whether a folder is a test of Chainsaw, KUTTL or the Kyverno CLI, or of programs in Go that stand beside the manifests and are called
 * like them (`tests/invalid-route.go`), or of a policy, by the names of its files (`tests/reject-root.yaml`), or of a version in a catalog
 * of Tekton (`git-clone/0.1/tests/run.yaml`; tektoncd/catalog, CONTRIBUTING.md): its manifests are refused on purpose, or hold no more than
 * what an assertion compares. Below tests, what a check fails stands beside what it passes (`test/checks/hostIPC/failure.yaml`,
 * `success.yaml`; Polaris). The file of the Kyverno CLI may also stand beside manifests that are applied; the folder's name, or its
 * parent's, tells.
 * @param parents the names of the folders that it is in, the nearest first, where the walk has come through them
 */
function isPolicyTest(folder: string, parents: readonly string[], entries: readonly Dirent[]): boolean {
  const name = basename(folder)
  const [parent] = parents
  if (name === '.chainsaw-test' || name === '.kyverno-test') return true
  const has = (file: string) =>
    entries.some((entry) => entry.name === `${file}.yaml` || entry.name === `${file}.yml`)
  if (entries.some((entry) => kuttlFile.test(entry.name))) return true
  if (/^(?:tests?|e2e|conformance)$/.test(name) && (hasProgramOfManifest(entries) || hasVerdicts(entries)))
    return true
  if (parents.some((one) => /^tests?$/.test(one)) && hasResults(entries)) return true
  if (name === 'tests' && /^\d+\.\d+(?:\.\d+)?$/.test(parent ?? '') && has('run')) return true
  return has('chainsaw-test') || (/test/i.test(`${parent ?? ''}/${name}`) && has('kyverno-test'))
}

/** Whether files are called after what a policy does with them: what it refuses beside what it admits. */
function hasVerdicts(entries: readonly Dirent[]): boolean {
  const has = (verdict: RegExp) => entries.some(({ name }) => manifest.test(name) && verdict.test(name))
  return (
    has(/^(?:accept|allow|pass|valid|good)(?:ed|ing)?[-_.]/) &&
    has(/^(?:reject|deny|denied|fail|invalid|bad)(?:ed|ing)?[-_.]/)
  )
}

/** Whether files are called after what comes of a check: what fails it beside what passes it. */
function hasResults(entries: readonly Dirent[]): boolean {
  const has = (result: RegExp) => entries.some(({ name }) => manifest.test(name) && result.test(name))
  return has(/^failure[-_.]/) && has(/^success[-_.]/)
}

function hasProgramOfManifest(entries: readonly Dirent[]): boolean {
  const programs = new Set(entries.filter(({ name }) => name.endsWith('.go')).map(({ name }) => name))
  return entries.some(({ name }) => manifest.test(name) && programs.has(name.replace(manifest, '.go')))
}

/** Whether a file's name says that it may be a manifest. */
export function isManifestName(name: string): boolean {
  return manifest.test(name) || /(?:^|[\\/])Kustomization$/.test(name)
}

/** Lists the files that the arguments name, each real file once, in a stable order. */
export function find(args: readonly string[], options: FindOptions): Found {
  const search: Search = {
    nameOf: displayNames(options.cwd),
    files: new Map(),
    ignored: new Set(),
    leftOut: new Map(),
    takenBack: new Set(),
    testSteps: new Set(),
    missing: [],
    unreadable: new Map(),
    refused: (path, error) => search.unreadable.set(search.nameOf(path), error),
    dangling: new Map(),
    folders: new Set(),
    programs: {
      sources: new Map(),
      scripts: new Map(),
      terraform: new Map(),
      pipelines: new Map(),
      modules: new Set(),
    },
  }
  const configuredRules = options.ignore.filter(({ patterns }) => patterns.length > 0).map(configured)
  for (const arg of args) follow(arg, search, options, configuredRules)
  const { files, ignored, testSteps, missing, unreadable, dangling, folders, programs } = search
  // Another argument may have named the folder.
  const isLeft = ([real]: [string, LeftOut]) => !folders.has(real) && !files.has(real)
  const isStep = (real: string, { explicit }: FoundFile) => !explicit && testSteps.has(real)
  return {
    files: [...files].flatMap(([real, file]) => (isStep(real, file) ? [] : [file])),
    ignored: [...ignored],
    leftOut: [
      ...[...search.leftOut].filter(isLeft).map(([, one]) => one),
      ...[...files].flatMap(([real, file]): LeftOut[] =>
        isStep(real, file) ? [{ name: file.name, reason: 'test data' }] : [],
      ),
    ],
    takenBack: search.takenBack,
    programs,
    missing,
    unreadable: [...unreadable].map(([name, error]) => ({ name, error })),
    dangling: [...dangling.values()],
  }
}

/** What was found so far; files and folders by their real paths. */
interface Search {
  readonly nameOf: (path: string) => string
  readonly files: Map<string, FoundFile>
  readonly ignored: Set<string>
  /** What was left out by itself, by its real path. */
  readonly leftOut: Map<string, LeftOut>
  readonly takenBack: Set<string>
  /** Files elsewhere that links in folders of tests lead to, by their real paths: several tests share a step. */
  readonly testSteps: Set<string>
  readonly missing: string[]
  /** What could not be followed, by its name. */
  readonly unreadable: Map<string, unknown>
  /** Hears of ignore files that cannot be read. */
  readonly refused: (path: string, error: unknown) => void
  /** By their names: several arguments may come upon one. */
  readonly dangling: Map<string, DanglingLink>
  /** Those that were walked, for any of the arguments. */
  readonly folders: Set<string>
  readonly programs: {
    readonly sources: Map<string, string>
    readonly scripts: Map<string, string>
    readonly terraform: Map<string, string>
    readonly pipelines: Map<string, string>
    readonly modules: Set<string>
  }
}

/** A walk from an argument: which files it asks for, and how far it has come. */
interface Walk {
  readonly isWanted: (path: string) => boolean
  /** Whether folders of test data are walked. */
  readonly testData: boolean
  /** Whether folders that are switched off are walked. */
  readonly switchedOff: boolean
  /** Folders in folders, too. */
  readonly deep: boolean
  /** Those that it has been in, by their real paths: a link may lead back. */
  readonly folders: Set<string>
  /** Whether it came upon a file that is wanted, or something that ignore patterns leave out. */
  hasFound: boolean
}

/** A folder on a walk. */
interface Folder {
  readonly path: string
  readonly real: string
  /** The rules that hold in its parent. */
  readonly above: readonly Rules[]
  /** The user may have named it. */
  readonly isNamed: boolean
  /**
   * The names of the folders above, the nearest first, without the one that the walk started from: what a checkout is called tells nothing.
   */
  readonly parents: readonly string[]
}

/** Looks for what an argument names: a file, a folder or a pattern. */
function follow(
  arg: string,
  search: Search,
  { cwd, recursive }: FindOptions,
  configuredRules: readonly Rules[],
): void {
  const path = resolve(cwd, arg)
  const stats = statOf(path)
  const rulesFor = (start: string) => [...configuredRules, ...rulesAbove(start, search.refused)]
  const walkFrom = (start: string, real: string, isWanted: Walk['isWanted'], deep: boolean) => {
    const run: Walk = {
      isWanted,
      testData: namesTestData(arg),
      switchedOff: arg.split(/[\\/]/).some(isSwitchedOffFolder),
      deep,
      folders: new Set(),
      hasFound: false,
    }
    walk({ path: start, real, above: rulesFor(start), isNamed: true, parents: [] }, run, search)
    return run.hasFound
  }
  if (stats?.isDirectory()) walkFrom(path, realpathSync(path), anything, recursive)
  else if (stats && isIgnored(path, false, rulesFor(path))) search.ignored.add(search.nameOf(path))
  else if (stats) add({ path, explicit: true, isFile: stats.isFile() }, realOf(path) ?? path, search)
  else {
    const pattern = globOf(arg)
    const base = pattern && resolve(cwd, pattern.base)
    const real = base && realOf(base)
    if (!pattern || !base || real === undefined) return void search.missing.push(arg)
    const matches = picomatch(pattern.glob, { dot: true })
    const isMatch = (name: string) => matches(relative(base, name).split(sep).join('/'))
    if (!walkFrom(base, real, isMatch, true)) search.missing.push(arg)
  }
}

/** Whether a part of a path is called as folders of test data are: who names them wants them. */
function namesTestData(path: string): boolean {
  return path
    .split(/[\\/]/)
    .some(
      (part, i, all) =>
        isTestDataFolder(part, all.slice(0, i).reverse()) ||
        /^(?:\.?(?:chainsaw|kyverno)-test|golden)$/.test(part),
    )
}

function walk({ path: folder, real, above, isNamed, parents }: Folder, run: Walk, search: Search): void {
  const { nameOf, unreadable } = search
  if (run.folders.has(real)) return
  let entries: Dirent[]
  try {
    entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
  } catch (error) {
    run.folders.add(real)
    search.folders.add(real)
    unreadable.set(nameOf(folder), error)
    return
  }
  const isTest = !isNamed && !run.testData && isPolicyTest(folder, parents, entries)
  if (isTest && isIgnored(folder, true, above, true)) {
    search.leftOut.set(real, { name: nameOf(folder), reason: 'test data' })
    for (const { name } of entries.filter((entry) => entry.isSymbolicLink() && isManifestName(entry.name))) {
      const end = realOf(folder + sep + name)
      if (end !== undefined) search.testSteps.add(end)
    }
    return
  }
  if (!isNamed && isSkill(parents, entries) && isIgnored(folder, true, above, true))
    return void search.leftOut.set(real, { name: nameOf(folder), reason: 'agent skill' })
  const list = isNamed ? undefined : vendored.get(basename(folder))
  if (list !== undefined && entries.some(({ name }) => name === list)) return
  run.folders.add(real)
  search.folders.add(real)
  const rules = entries.some(({ name }) => name === ignoreFile)
    ? [...above, ...rulesIn(folder, search.refused)]
    : above
  const around = isNamed ? [] : [basename(folder), ...parents]
  const isRecord =
    around.slice(0, 2).some((name) => records.test(name)) ||
    entries.some(({ name }) => /.\.package\.ya?ml$/.test(name)) ||
    keepsReleases(around[0], entries)
  const older = isRecord ? olderReleases(entries) : forOlderKubernetes(entries)
  const here = { folder, real, rules, entries, around, older }
  for (const entry of entries) visit(entry, here, run, search)
  notePrograms(folder, entries, search)
}

/** Walks on into a folder, adds a file, or says why it does neither. */
function visit(entry: Dirent, here: Surroundings, run: Walk, search: Search): void {
  const { nameOf } = search
  const { rules } = here
  const path = here.folder + sep + entry.name
  const isManifest = isManifestName(entry.name)
  if (!isManifest && !entry.isDirectory() && !entry.isSymbolicLink()) return
  let target: Target
  try {
    // Most paths have no links in them, and one text is hashed once.
    target = targetOf(entry, path, here.real === here.folder ? path : here.real + sep + entry.name)
  } catch (error) {
    // A hidden one is a tool's that is not installed here, as pre-commit's in a Nix store.
    if (!isManifest || entry.name.startsWith('.')) return
    const link = danglingLink(path, here.real, nameOf)
    if (link) search.dangling.set(link.name, link)
    else search.unreadable.set(nameOf(path), error)
    return
  }
  const { isFolder, isFile } = target
  if (isFolder ? !run.deep || skippedFolders.has(entry.name) : !isManifest || !run.isWanted(path)) return
  const reason = reasonToLeave(entry.name, isFolder, here, run)
  if (isIgnored(path, isFolder, rules, reason !== undefined)) {
    if (reason) search.leftOut.set(target.real, { name: nameOf(path), reason })
    else {
      run.hasFound = true
      search.ignored.add(nameOf(path))
    }
  } else if (isFolder) {
    if (namesArchived(entry.name) && !isIgnored(path, true, rules, true)) search.takenBack.add(nameOf(path))
    walk({ path, real: target.real, above: rules, isNamed: false, parents: here.around }, run, search)
  } else {
    run.hasFound = true
    add({ path, explicit: false, isFile }, target.real, search)
  }
}

function notePrograms(folder: string, entries: readonly Dirent[], { nameOf, programs }: Search): void {
  const has = (isSuch: (name: string) => boolean) =>
    entries.some((entry) => !entry.isDirectory() && !entry.isSymbolicLink() && isSuch(entry.name))
  if (has((name) => name === 'go.mod')) programs.modules.add(nameOf(folder))
  if (has((name) => name.endsWith('.go'))) programs.sources.set(nameOf(folder), folder)
  if (has((name) => name.endsWith('.sh'))) programs.scripts.set(nameOf(folder), folder)
  if (has((name) => name.endsWith('.tf'))) programs.terraform.set(nameOf(folder), folder)
  if (has(isPipeline)) programs.pipelines.set(nameOf(folder), folder)
}

/** What stands in a folder, links followed. */
interface Target {
  readonly real: string
  readonly isFolder: boolean
  readonly isFile: boolean
}

/** Throws where a link leads nowhere. */
function targetOf(entry: Dirent, path: string, real: string): Target {
  if (!entry.isSymbolicLink()) return { real, isFolder: entry.isDirectory(), isFile: entry.isFile() }
  const end = realpathSync(path)
  const stats = statSync(end)
  return { real: end, isFolder: stats.isDirectory(), isFile: stats.isFile() }
}

/** What stands around an entry: the folder, what is beside it, above it, and the older releases among those. */
interface Surroundings {
  readonly folder: string
  readonly real: string
  /** The rules that hold in the folder. */
  readonly rules: readonly Rules[]
  readonly entries: readonly Dirent[]
  readonly around: readonly string[]
  readonly older: ReadonlySet<string> | undefined
}

/** Why a walk leaves out what nobody applies; undefined for what it reads. */
function reasonToLeave(
  name: string,
  isFolder: boolean,
  { entries, around, older }: Surroundings,
  run: Walk,
): LeftOut['reason'] | undefined {
  const isTestData = () =>
    isFolder
      ? isTestDataFolder(name, around) ||
        isCounterexample(name, around, entries) ||
        isRenderedExample(name, entries, around)
      : isTestDataFile(name, entries, around)
  if (!run.testData && isTestData()) return 'test data'
  if (!run.switchedOff && isFolder && isSwitchedOffFolder(name)) return 'switched off'
  return older?.has(name) ? 'older release' : undefined
}

/**
 * Undefined for what is no link, or leads to something that cannot be opened.
 * @param folder the real path of the one that it is in
 */
function danglingLink(path: string, folder: string, nameOf: Search['nameOf']): DanglingLink | undefined {
  try {
    const gone = firstMissing(resolve(folder, readlinkSync(path)))
    return gone === undefined ? undefined : { name: nameOf(path), gone: nameOf(gone) }
  } catch {
    return undefined
  }
}

/** The first part of a path that is not there; undefined where all of them are. */
function firstMissing(path: string): string | undefined {
  if (statOf(path)) return undefined
  const folder = dirname(path)
  return folder === path ? path : (firstMissing(folder) ?? path)
}

function add(file: Omit<FoundFile, 'name'>, real: string, { files, nameOf }: Search): void {
  const known = files.get(real)
  if (!known || (file.explicit && !known.explicit))
    files.set(real, { ...file, name: known?.name ?? nameOf(file.path) })
}

/** `displayName`, which takes a path apart: most files stand in a folder that it was asked about, and most folders in another one. */
function displayNames(cwd: string): (path: string) => string {
  const folderNames = new Map<string, string>()
  const nameOf = (path: string): string => {
    const end = path.lastIndexOf(sep)
    if (path.indexOf(sep) === end || cwd.startsWith(path)) return displayName(path, cwd)
    const folder = path.slice(0, end)
    const known = folderNames.get(folder) ?? nameOf(folder)
    folderNames.set(folder, known)
    return known === '.' ? path.slice(end + 1) : `${known}/${path.slice(end + 1)}`
  }
  return nameOf
}

function anything(_path: string): boolean {
  return true
}

/** Undefined when there is nothing; a link that leads nowhere is there. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    try {
      return lstatSync(path)
    } catch {
      return undefined
    }
  }
}

/** What kustomize calls its files, in the order in which it looks for them. */
export const kustomizationNames = ['kustomization.yaml', 'kustomization.yml', 'Kustomization']

/** The kustomization in a folder; undefined where none is. */
export function kustomizationIn(folder: string): string | undefined {
  return kustomizationNames.map((name) => join(folder, name)).find((path) => existsSync(path))
}

/** The folders in a folder by their names, hidden ones left out; none where it cannot be read. */
export function foldersIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((one) => one.isDirectory() && !one.name.startsWith('.'))
      .map(({ name }) => join(folder, name))
      .sort()
  } catch {
    return []
  }
}

/** The path with links followed; undefined where it leads nowhere. */
export function realOf(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}

function globOf(arg: string): { base: string; glob: string } | undefined {
  if (isTooWild(arg)) return undefined
  const { base, glob, isGlob } = picomatch.scan(arg.split(sep).join('/'))
  return isGlob && glob !== '' ? { base: base === '' ? '.' : base, glob } : undefined
}

/** Relative to the working directory with `/`; outside of it the shorter one of the relative and the absolute path. */
export function displayName(path: string, cwd: string): string {
  if (sep === '/' && path.startsWith(`${cwd}/`)) return path.slice(cwd.length + 1)
  const name = relative(cwd, path)
  if (name === '') return '.'
  return (name.startsWith('..') && path.length < name.length ? path : name).split(sep).join('/')
}
