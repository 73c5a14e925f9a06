/** `lint --helm`: what Helm renders of a chart, and which template each object comes from. */
import { type Dirent, readdirSync, realpathSync } from 'node:fs'
import { basename, isAbsolute, join, resolve, sep } from 'node:path'
import { UsageError } from '../config/usage.js'
import type { Built, Document, SourceFile } from '../document.js'
import type { Path } from '../finding.js'
import { contentOf } from '../reader/content.js'
import { displayName } from '../reader/files.js'
import { fileStart } from '../reader/lines.js'
import { split } from '../reader/split.js'
import { kindsServedAt, newestMinor } from '../schema/definitions.js'
import { lazy, memo } from '../values/lazy.js'
import { statsAt } from '../values/stats.js'
import { stringAt } from '../values/untyped.js'
import { archivedTemplate } from './archive.js'
import { chartValues, type FindValue } from './chart-values.js'
import { errorIn, refusal, runFirst } from './command.js'
import type { MarkedDocument } from './marked-output.js'
import { isRepeatable, markedRender, type Rendered, secretLines, templatesOf } from './marked-render.js'
import { writtenIn } from './match.js'
import { type BuiltInput, inputOf, outputName, type Piece, type Read } from './output.js'
import type { Sources } from './sources.js'
import { templatePlaces } from './template-places.js'

export interface HelmRun {
  readonly cwd: string
  /** Files with values, as the user has named them; the last one counts most. */
  readonly values: readonly string[]
  /** The name of the release; that of the chart when undefined. */
  readonly release: string | undefined
  /** The namespace of the release; Helm's own default when undefined. */
  readonly namespace: string | undefined
  /** The version of the cluster that charts are told, `1.33`; Helm's own when undefined. */
  readonly kubernetesVersion: string | undefined
  /** What the user wants Helm to be told besides. */
  readonly args: readonly string[]
  readonly sources: Sources
  readonly signal: AbortSignal
}

interface TemplatePiece extends Piece, Rendered {
  /** The file of its template, where there is one. */
  readonly template: string | undefined
  /** The template in the archive of a chart. */
  readonly archived: string | undefined
  /** The index of the first line that the template has made. */
  readonly start: number
  /** What Helm has rendered in its place with marks. */
  readonly marked: readonly MarkedDocument[]
}

/**
 * Renders a chart.
 * @param dir as the user has named it, with a Chart.yaml in it
 * @throws UsageError when there is no Helm, or it refuses
 */
export async function helm(dir: string, run: HelmRun): Promise<BuiltInput> {
  const { cwd, sources } = run
  const folder = realpathSync(resolve(cwd, dir))
  const chart = join(folder, 'Chart.yaml')
  const release = run.release ?? releaseOf(chart, sources)
  const argsFor = (path: string) => argumentsFor(path, release, run)
  const render = (inDefines: boolean) =>
    isRepeatable(run.args) ? markedRender(folder, inDefines, argsFor, run) : undefined
  const [outcome, first] = await Promise.all([
    // A path is no flag, whatever it begins with; and it is no name of a repository.
    runFirst([{ name: 'helm', args: argsFor(isAbsolute(dir) ? dir : `./${dir}`) }], cwd, run.signal),
    render(true),
  ])
  if (outcome === undefined)
    throw new UsageError(
      '--helm needs helm on the PATH, and does not find it. Install it: https://helm.sh/docs/intro/install/',
    )
  if (outcome.code !== 0)
    throw refusal(`${dir} cannot be rendered`, outcome.name, errorIn(outcome), remedyFor(dir, outcome.said))
  const made = templates(outcome.out, folder)
  const archivedIn = memo((source: string) =>
    archivedTemplate(folder, source.slice(source.indexOf('/') + 1), cwd, sources),
  )
  const pieces = made.map((one): TemplatePiece => {
    const archived = one.template === undefined ? archivedIn(one.source) : undefined
    return {
      ...one,
      marked: first?.like(one) ?? [],
      archived: archived?.name,
      from: archived?.from ?? { file: displayName(one.template ?? chart, cwd), range: fileStart },
    }
  })
  // Marks in named templates change what some charts make of them.
  const isOther = ({ marked, source }: TemplatePiece) => marked.length === 0 && source.includes('/templates/')
  const second = pieces.some(isOther) ? await render(false) : undefined
  const known = pieces.map((one) => (second && isOther(one) ? { ...one, marked: second.like(one) } : one))
  const name = outputName(displayName(folder, cwd), 'helm template')
  const values = run.values.map((file) => resolve(cwd, file))
  const files = new Set([...filesIn(folder), ...values])
  // Another template makes other objects.
  for (const { template } of made) if (template !== undefined) files.delete(template)
  const own = [...new Set(made.flatMap(({ template }) => template ?? []))]
  const findValue = chartValues(folder, own, values, run.args, sources)
  const asks = asksIn(folder)
  const input = inputOf(name, known, files, (read) =>
    read.map((one) => builtOf(one, findValue, asks, sources)),
  )
  const texts = templatesOf([...(first?.marks ?? []), ...(second?.marks ?? [])])
  const unmarked = own.filter((path) => !texts.some((one) => one.path === path))
  return {
    ...input,
    texts,
    templates: [...texts, ...unmarked.flatMap((path) => textOf(path, cwd) ?? [])],
    hidden: [...input.hidden, ...secretLines(known, texts)],
  }
}

/** What is known about an object. */
function builtOf(
  { piece, value, document }: Read<TemplatePiece>,
  findValue: FindValue,
  asks: ReturnType<typeof asksIn>,
  sources: Sources,
): Built {
  const { from, archived, source, start, marked } = piece
  const places =
    marked.length === 0
      ? undefined
      : templatePlaces(document, start, marked, (template, path) => findValue(source, template.path, path))
  const text = lazy(() => verbatim(piece, sources))
  const inText = (path: Path) => {
    const own = text()
    return own && writtenIn({ document: own, path: [], value }, value, path)
  }
  // Nobody has read the values of Secrets.
  const values = value.kind === 'Secret' ? undefined : places
  return {
    by: 'helm',
    from,
    ...(archived !== undefined && { archived }),
    source: (path, shown) => values?.value(path) ?? places?.template(shown()) ?? inText(path),
    origin: (path, shown) => places?.outer(shown()) ?? inText(path),
    line: (shown) => places?.template(shown),
    asksFor: (apiVersion) => asks(piece.template, apiVersion),
    also: (path, shown) => {
      if (!values?.value(path)) return values?.parts(path) ?? []
      const template = values.template(shown())
      return template ? [template] : []
    },
  }
}

function argumentsFor(path: string, release: string, run: HelmRun): string[] {
  const { values, namespace, kubernetesVersion, args } = run
  return [
    'template',
    release,
    path,
    '--include-crds',
    ...values.map((file) => `--values=${listItem(file)}`),
    ...(namespace === undefined ? [] : [`--namespace=${namespace}`]),
    ...(kubernetesVersion === undefined ? [] : [`--kube-version=${kubernetesVersion}`]),
    `--api-versions=${servedAt(kubernetesVersion)}`,
    ...args,
  ]
}

/**
 * What charts ask for with `.Capabilities.APIVersions.Has "batch/v1/CronJob"`: a cluster names its kinds to `helm install`, and
 * `helm template` knows the versions of groups alone. Source: allKnownVersions in helm/pkg/chartutil/capabilities.go.
 */
function servedAt(version: string | undefined): string {
  const minor = /^v?1\.(\d+)/.exec(version ?? '')?.[1]
  return kindsServedAt(minor === undefined ? newestMinor : Number(minor)).join(',')
}

/** Helm reads a list with commas, as spreadsheets write it. */
function listItem(file: string): string {
  return /[,"\n]/.test(file) ? `"${file.replaceAll('"', '""')}"` : file
}

/** Source: ValidateReleaseName in helm/pkg/chartutil/validate_name.go. */
export function isReleaseName(name: string): boolean {
  return (
    name.length <= 53 && /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/.test(name)
  )
}

/**
 * Named after the chart, as most releases are: templates put the two names together where they differ. A dot, or a digit in front,
 * would make names that Services must not have, and nobody has asked for it.
 */
function releaseOf(chart: string, sources: Sources): string {
  const name = sources.documents(chart).map(({ value }) => stringAt(value, 'name'))[0] ?? ''
  const label = name.replaceAll('.', '-')
  return isReleaseName(label) && /^[a-z]/.test(label) ? label : 'release-name'
}

/**
 * The documents with the files of their templates, which Helm names above the first document of each; undefined for those in
 * archives.
 */
function templates(output: string, folder: string): Omit<TemplatePiece, 'from' | 'marked' | 'archived'>[] {
  let template: string | undefined
  let source = ''
  return split(output).map(({ text }) => {
    const [, chart, name] = /^# Source: ([^/\n]+)\/(.+)$/m.exec(text) ?? []
    if (name !== undefined) {
      const path = resolve(folder, name)
      const isFile = path.startsWith(folder + sep) && statsAt(path)?.isFile()
      template = isFile ? path : undefined
      source = `${chart}/${name}`
    }
    const lines = text.trimEnd().split('\n')
    const head = lines.findIndex((line) => line.startsWith('# Source: '))
    const first = lines.findIndex((line, i) => i > head && line.trim() !== '')
    const start = first < 0 ? lines.length : first
    return { text, template, source, start, lines: lines.slice(start) }
  })
}

/** The document of the template, where Helm has nothing filled in: lines of a definition, of a manifest without braces. */
function verbatim({ text, template }: TemplatePiece, sources: Sources): Document | undefined {
  const bare = (written: string) => written.replace(/^# Source: .*$/m, '').trim()
  const same = (template === undefined ? [] : sources.documents(template)).filter(
    (one) => bare(one.text) === bare(text),
  )
  return same.length === 1 ? same[0] : undefined
}

function textOf(path: string, cwd: string): SourceFile | undefined {
  const content = contentOf({ path, name: basename(path), explicit: false, isFile: true })
  return 'text' in content && !('problem' in content)
    ? { name: displayName(path, cwd), text: content.text }
    : undefined
}

/**
 * Tells whether a template of a chart, or one that it may take in, asks for an API version: `.Capabilities.APIVersions.Has
 * "policy/v1beta1"`, with a kind or without. `helm template` answers for the versions that its own client knows, whatever Kubernetes it is
 * told to render for.
 * Source: DefaultVersionSet in helm/pkg/chartutil/capabilities.go.
 */
function asksIn(folder: string): (template: string | undefined, apiVersion: string) => boolean {
  const textAt = memo((path: string) => textOf(path, folder)?.text ?? '')
  const shared = lazy(() =>
    filesIn(folder)
      .filter((path) => path.endsWith('.tpl'))
      .map(textAt)
      .join('\n'),
  )
  return (template, apiVersion) => {
    if (template === undefined) return false
    const asked = [
      ...`${textAt(template)}\n${shared()}`.matchAll(/\bAPIVersions\.Has[ (]+["`]([^"`\n]+)["`]/g),
    ]
    return asked.some(([, name = '']) => name === apiVersion || name.startsWith(`${apiVersion}/`))
  }
}

/** What nobody may look into, Helm has not read. */
function filesIn(folder: string): string[] {
  let entries: Dirent[]
  try {
    entries = readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesIn(path) : entry.isFile() ? [path] : []
  })
}

/** What may help where Helm refuses. */
function remedyFor(dir: string, said: string): string | undefined {
  if (/helm dependency build|missing in charts/.test(said))
    return `Fetch them first: helm dependency build ${dir}`
  if (said.includes('requires kubeVersion')) return 'Say which version the clusters have: --k8s-version 1.33'
  return undefined
}
