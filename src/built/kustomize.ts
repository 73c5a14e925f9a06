/** `lint -k`: what kustomize builds, and where each object of it comes from. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve, sep } from 'node:path'
import { UsageError } from '../config/usage.js'
import type { Built, Document } from '../document.js'
import type { Path } from '../finding.js'
import { isMapping, type Mapping } from '../reader/classify.js'
import { ownText } from '../reader/content.js'
import { displayName, kustomizationIn } from '../reader/files.js'
import { fileStart } from '../reader/lines.js'
import { split } from '../reader/split.js'
import { groupBy } from '../values/group.js'
import { arrayAt } from '../values/untyped.js'
import { errorIn, type Outcome, refusal, runFirst } from './command.js'
import { essence } from './kustomize-error.js'
import { isWhole, nameOf, type SourceObject, sourcesOf, writtenIn } from './match.js'
import { type Origin, takeOrigin } from './origin.js'
import { type BuiltInput, inputOf, outputName, type Piece, type Read } from './output.js'
import type { Sources } from './sources.js'
import { filesOf, treeOf } from './tree.js'
import { type Writers, writersOf, writtenBy } from './writers.js'

interface OriginPiece extends Piece {
  readonly origin: Origin | undefined
}

export interface KustomizeRun {
  readonly cwd: string
  /** What the user wants kustomize to be told besides. */
  readonly args: readonly string[]
  readonly sources: Sources
  readonly signal: AbortSignal
}

/**
 * Builds a kustomization.
 * @param dir as the user has named it, with a kustomization in it
 * @throws UsageError when there is no kustomize, or it refuses
 */
export async function kustomize(dir: string, run: KustomizeRun): Promise<BuiltInput> {
  const { cwd } = run
  const wrapped = await wrappedBuild(dir, run)
  const tools = toolsFor(plainPath(dir), run)
  const outcome = wrapped?.code === 0 ? wrapped : await runFirst(tools, cwd, run.signal)
  if (outcome === undefined)
    throw new UsageError(
      '-k needs kustomize or kubectl on the PATH, and finds neither. Install one: https://kubectl.docs.kubernetes.io/installation/kustomize/',
    )
  const folder = realpathSync(resolve(cwd, dir))
  if (outcome.code !== 0) {
    const error = errorIn(outcome)
    const short = essence(error, folder, cwd)
    const tool = tools.find(({ name }) => name === outcome.name)
    throw refusal(
      `${dir} cannot be built`,
      outcome.name,
      short ?? error,
      remedyFor(outcome.said),
      short === undefined || !tool ? undefined : `All that it says: ${tool.name} ${tool.args.join(' ')}`,
    )
  }
  const from = { file: displayName(kustomizationIn(folder) ?? folder, cwd), range: fileStart }
  const pieces = split(outcome.out).map(
    ({ text }): OriginPiece => ({
      ...(wrapped === outcome ? takeOrigin(text) : { text, origin: undefined }),
      from,
    }),
  )
  const name = outputName(displayName(folder, cwd), 'kustomize build')
  const base = wrapped?.base ?? folder
  const root = kustomizationIn(folder)
  const tree = root === undefined ? undefined : treeOf(root, run.sources)
  const writers = tree ? writersOf(tree, run.sources) : []
  return inputOf(name, pieces, tree ? filesOf(tree) : new Set(), (read) => builtOf(read, base, writers, run))
}

/**
 * The build of a kustomization that does nothing but ask where the objects come from. It stands in a folder of its own outside
 * the user's; what goes wrong is to be told by a build without it.
 */
async function wrappedBuild(
  dir: string,
  run: KustomizeRun,
): Promise<(Outcome & { readonly base: string }) | undefined> {
  const base = temporaryFolder()
  if (base === undefined) return undefined
  try {
    const folder = realpathSync(resolve(run.cwd, dir))
    const path = relative(base, folder).split(sep).join('/')
    const kustomization = {
      resources: [path],
      buildMetadata: ['originAnnotations', ...(isLabelled(folder) ? ['managedByLabel'] : [])],
    }
    writeFileSync(join(base, 'kustomization.yaml'), JSON.stringify(kustomization))
    const outcome = await runFirst(toolsFor(base, run), run.cwd, run.signal, patienceForOrigins)
    return outcome && { ...outcome, base }
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
}

/**
 * kustomize keeps a list of all that has changed each object, and reads it anew for each change: hundreds of patches for hundreds of
 * objects take it minutes, and a moment when nobody asks.
 */
const patienceForOrigins = 30_000

/** Undefined where none can be made: then nobody says where objects come from. */
function temporaryFolder(): string | undefined {
  try {
    return mkdtempSync(join(realpathSync(tmpdir()), 'k8s-af-kustomize-'))
  } catch {
    return undefined
  }
}

/** kustomize adds this label where the outermost kustomization asks for it. */
function isLabelled(folder: string): boolean {
  const path = kustomizationIn(folder)
  try {
    return path !== undefined && ownText(path).includes('managedByLabel')
  } catch {
    return false
  }
}

/** The tools that build a folder, the better one first. */
function toolsFor(folder: string, { args }: KustomizeRun) {
  return [
    { name: 'kustomize', args: ['build', folder, ...args] },
    { name: 'kubectl', args: ['kustomize', folder, ...args] },
  ]
}

/** A path that is no flag, whatever it begins with. */
function plainPath(path: string): string {
  return path.startsWith('-') ? `./${path}` : path
}

/** What may help where kustomize refuses. */
function remedyFor(said: string): string | undefined {
  if (said.includes('--enable-helm')) return 'Charts are inflated with: --kustomize-arg=--enable-helm'
  if (said.includes('security; file'))
    return 'Files outside of its folder are read with: --kustomize-arg=--load-restrictor=LoadRestrictionsNone'
  return undefined
}

/** What is known about each object of a build. */
function builtOf(
  read: readonly Read<OriginPiece>[],
  base: string,
  writers: readonly Writers[],
  { sources }: KustomizeRun,
): Built[] {
  const pathOf = (path: string | undefined, { repo }: Origin) =>
    path === undefined || repo !== undefined ? undefined : resolve(base, path)
  const byFile = groupBy(read, ({ piece: { origin } }) => origin && pathOf(origin.path, origin))
  const found = new Map<Mapping, SourceObject>()
  for (const [path, own] of byFile)
    for (const [value, source] of sourcesOf(
      own.map((one) => one.value),
      sources.objects(path),
    ))
      found.set(value, source)
  return read.map(({ piece: { origin: said, from }, value }): Built => {
    const source = found.get(value)
    const origin = (path: Path) => source && writtenIn(source, value, path)
    const file = said && pathOf(said.path, said)
    const generator = said ? pathOf(said.configuredIn, said) : undefined
    const made =
      generator === undefined ? undefined : generatorIn(sources.documents(generator), said?.generator, value)
    return {
      by: 'kustomize',
      from: made ?? from,
      origin,
      source: (path) => {
        const own = origin(path)
        const by = writtenBy(writers, { value, source, file }, path)
        // What writes the same again decides.
        if (by.length === 0 || (own?.isCertain && isWhole(value, path))) return own
        return by.length === 1 ? by[0] : own && { ...own, isCertain: false }
      },
    }
  })
}

/** Where kustomizations list what generates objects. */
const generatorLists: Readonly<Record<string, string>> = {
  ConfigMapGenerator: 'configMapGenerator',
  SecretGenerator: 'secretGenerator',
  HelmChartInflationGenerator: 'helmCharts',
}

/** Where the generator of an object stands in its kustomization; the whole file where several may be it. */
function generatorIn(
  documents: readonly Document[],
  generator = '',
  value: Mapping,
): Built['from'] | undefined {
  const [document] = documents
  if (!document) return undefined
  const list = generatorLists[generator] ?? ''
  const entries = arrayAt(document.value, list)
  const made = nameOf(value)
  const isOf = (one: unknown) => isMapping(one) && typeof one.name === 'string' && made.includes(one.name)
  // A chart gives its objects any names.
  const own = list === 'helmCharts' ? entries : entries.filter(isOf)
  const range =
    own.length === 1 ? document.locate().value([list, entries.indexOf(own[0]), 'name']) : fileStart
  return { file: document.file.name, range }
}
