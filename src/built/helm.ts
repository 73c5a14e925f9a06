/** `lint --helm`: what Helm renders of a chart, and which template each object comes from. */
import { readdirSync, realpathSync, statSync } from 'node:fs'
import { isAbsolute, join, resolve, sep } from 'node:path'
import { UsageError } from '../config/usage.js'
import type { Built, Document } from '../document.js'
import type { Path } from '../finding.js'
import { displayName } from '../reader/files.js'
import { fileStart } from '../reader/lines.js'
import { split } from '../reader/split.js'
import { stringAt } from '../values/untyped.js'
import { refusal, runFirst } from './command.js'
import { writtenIn } from './match.js'
import { type BuiltInput, inputOf, outputName, type Piece } from './output.js'
import type { Sources } from './sources.js'

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

interface TemplatePiece extends Piece {
  /** The file of its template, where there is one. */
  readonly template: string | undefined
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
  const outcome = await runFirst(
    [{ name: 'helm', args: argumentsFor(dir, run.release ?? releaseOf(chart, sources), run) }],
    cwd,
    run.signal,
  )
  if (outcome === undefined)
    throw new UsageError(
      '--helm needs helm on the PATH, and does not find it. Install it: https://helm.sh/docs/intro/install/',
    )
  if (outcome.code !== 0) throw refusal(`${dir} cannot be rendered`, outcome, remedyFor(dir, outcome.said))
  const made = templates(outcome.out, folder)
  const pieces = made.map(
    ({ text, template }): TemplatePiece => ({
      text,
      template,
      from: { file: displayName(template ?? chart, cwd), range: fileStart },
    }),
  )
  const name = outputName(displayName(folder, cwd), 'helm template')
  const files = new Set([...filesIn(folder), ...run.values.map((file) => resolve(cwd, file))])
  // Another template makes other objects.
  for (const { template } of made) if (template !== undefined) files.delete(template)
  return inputOf(name, pieces, files, (read) =>
    read.map(({ piece, value }): Built => {
      const source = verbatim(piece, sources)
      const origin = (path: Path) => source && writtenIn({ document: source, path: [], value }, value, path)
      return { by: 'helm', from: piece.from, source: origin, origin }
    }),
  )
}

function argumentsFor(dir: string, release: string, run: HelmRun): string[] {
  const { values, namespace, kubernetesVersion, args } = run
  return [
    'template',
    release,
    // A path is no flag, whatever it begins with; and it is no name of a repository.
    isAbsolute(dir) ? dir : `./${dir}`,
    '--include-crds',
    ...values.map((file) => `--values=${listItem(file)}`),
    ...(namespace === undefined ? [] : [`--namespace=${namespace}`]),
    ...(kubernetesVersion === undefined ? [] : [`--kube-version=${kubernetesVersion}`]),
    ...args,
  ]
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

/** Named after the chart, as most releases are: templates put the two names together where they differ. */
function releaseOf(chart: string, sources: Sources): string {
  const name = sources.documents(chart).map(({ value }) => stringAt(value, 'name'))[0] ?? ''
  return isReleaseName(name) ? name : 'release-name'
}

/**
 * The documents with the files of their templates, which Helm names above the first document of each; undefined for those in
 * archives.
 */
function templates(text: string, folder: string) {
  let template: string | undefined
  return split(text).map((chunk) => {
    const [, name] = /^# Source: [^/\n]+\/(.+)$/m.exec(chunk.text) ?? []
    if (name !== undefined) {
      const path = resolve(folder, name)
      const isFile = path.startsWith(folder + sep) && statSync(path, { throwIfNoEntry: false })?.isFile()
      template = isFile ? path : undefined
    }
    return { text: chunk.text, template }
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

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

/** What may help where Helm refuses. */
function remedyFor(dir: string, said: string): string | undefined {
  if (/helm dependency build|missing in charts/.test(said))
    return `Fetch them first: helm dependency build ${dir}`
  if (said.includes('requires kubeVersion')) return 'Say which version the clusters have: --k8s-version 1.33'
  return undefined
}
