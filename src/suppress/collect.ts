/** Finds the suppressions of a run: in comments, in annotations and in the configuration. */
import { posix } from 'node:path'
import ignore from 'ignore'
import { allRules, type ConfigSuppression, type Settings } from '../config/settings.js'
import type { Document, Range, SourceFile } from '../document.js'
import { type Line, placeOf } from '../engine/place.js'
import type { Finding, Path, Place, Subject } from '../finding.js'
import { ignoreAnnotation, misspelt } from '../graph/annotation.js'
import type { IndexedGraph } from '../graph/graph.js'
import type { Resource } from '../graph/resource.js'
import type { Input } from '../reader/input.js'
import type { Rule } from '../rule.js'
import { enumerate } from '../values/enumerate.js'
import { lazy } from '../values/lazy.js'
import { nearestName } from '../values/similar.js'
import { isObject } from '../values/untyped.js'
import { matchesWildcard } from '../values/wildcard.js'
import { commentsOf, maySpeak } from './comments.js'
import { type Directive, grammar, parseDirective } from './grammar.js'
import { templateCommentsOf } from './template-comments.js'

/** What starts a comment for us. */
const words = ['k8s-af-ignore', 'k8s-af-ignore-file']

/** What a suppression needs to know about the run. */
export interface Run {
  readonly graph: IndexedGraph
  readonly resources: readonly Resource[]
  readonly input: Input
  readonly settings: Settings
  /** All rules, those that are off included. */
  readonly rules: ReadonlyMap<string, Rule>
  /** The object of a finding about what a tool has built: its place does not tell. */
  readonly ownerOf: (finding: Finding) => Resource | undefined
  /** The lines of such a finding besides that of its place. */
  readonly otherLines: (finding: Finding) => readonly Line[]
  /** Whether what is known of the kustomization in a file is enough for a rule; true of other files. */
  readonly canTell: (rule: string, file: string) => boolean
}

/** What covers findings: a comment, an annotation or an entry of the configuration. */
export interface Suppression extends Directive {
  /** Where it is written; absent for one in the configuration without a known place. */
  readonly place: Place | undefined
  readonly subject?: Subject
  /** What it calls its rules, where it names a category or all of them: one of them is enough for it to be needed. */
  readonly called?: string
  covers(finding: Finding): boolean
  /**
   * Whether it should cover something of a rule. False when nothing can be concluded from its being unused: what it is about may not be
   * in this input.
   */
  expects(rule: string): boolean
}

/** What was meant as a suppression, and is none. */
export interface Invalid {
  readonly place: Place
  readonly subject?: Subject
  readonly message: string
}

/** A suppression as it was found, not yet parsed. */
interface Written {
  readonly text: string
  readonly place: Place
  readonly subject?: Subject
  readonly covers: Suppression['covers']
  readonly expects: Suppression['expects']
}

/** Reads all suppressions of the run. */
export function collect(run: Run): { suppressions: Suppression[]; invalid: Invalid[] } {
  const comments = inComments(run)
  const templates = inTemplates(run)
  const annotations = inAnnotations(run)
  const invalid = [...comments.invalid, ...templates.invalid, ...annotations.invalid]
  const suppressions: Suppression[] = []
  for (const { text, ...one } of [...comments.written, ...templates.written, ...annotations.written]) {
    const directive = parseDirective(text)
    if (typeof directive === 'string') {
      invalid.push({
        ...one,
        message: `This suppression has no effect: ${directive}. Write it as ${grammar}.`,
      })
      continue
    }
    const unknown = directive.rules.filter((rule) => !run.rules.has(rule))
    for (const rule of unknown) {
      const near = nearestName(rule, run.rules.keys())
      invalid.push({
        ...one,
        message: `There is no rule ${rule} to suppress.${near ? ` Did you mean ${near}?` : ''}`,
      })
    }
    const rules = directive.rules.filter((rule) => !unknown.includes(rule))
    if (rules.length > 0) suppressions.push({ ...directive, ...one, rules })
  }
  suppressions.push(...run.settings.suppressions.map((one) => configured(one, run)))
  return { suppressions, invalid }
}

/** Whether a comment that starts with another word was meant to suppress: `# k8s-af-scan runs every night` was not. */
function isAttempt(word: string, text: string, rules: ReadonlyMap<string, Rule>): boolean {
  const [first = ''] = text.split(/[\s,]/, 1)
  const isMeant = meantBy(word) !== undefined
  return word.startsWith('k8s-af-')
    ? isMeant || word.startsWith('k8s-af-ignore') || rules.has(first)
    : // `# k8s-af: ignored files are below`
      isMeant && rules.has(first)
}

/** The word that was probably meant by another one. */
function meantBy(word: string): string | undefined {
  const spelt = word.replace(/^k8s[-_ ]?af[-_:\s]+/i, 'k8s-af-')
  return words.includes(spelt) ? spelt : nearestName(spelt, words)
}

function inComments({ input, rules, otherLines, canTell }: Run): { written: Written[]; invalid: Invalid[] } {
  const written: Written[] = []
  const invalid: Invalid[] = []
  const isOfKustomization = (id: string) => rules.get(id)?.for.includes('Kustomization') === true
  for (const { file, documents, isBroken, judged } of speakingFiles(input)) {
    for (const { word, text, range, from, to } of commentsOf(file, documents)) {
      const place = placeIn(file, range, documents)
      const isIn = (one: Finding) => [one.place, ...otherLines(one)].some((line) => line.file === place.file)
      // What this build has no use for may be for another one, and what a kustomization changes is judged where it is built.
      const expects = {
        all: () => true,
        'the kustomization': (id: string) => isOfKustomization(id) && canTell(id, file.name),
        nothing: () => false,
      }[judged]
      if (word === 'k8s-af-ignore-file')
        written.push({ text, place, covers: isIn, expects: isBroken ? () => false : expects })
      else if (word === 'k8s-af-ignore') {
        const covers = (one: Finding) =>
          [...linesOf(one), ...otherLines(one)].some(
            (line) => line.file === file.name && line.line >= from && line.line <= to,
          )
        // It may belong to the part that could not be read.
        if (to >= from || !isBroken) written.push({ text, place, covers, expects })
      } else if (isAttempt(word, text, rules)) invalid.push(misspeltComment(word, place))
    }
  }
  return { written, invalid }
}

function misspeltComment(word: string, place: Place): Invalid {
  const near = meantBy(word)
  return {
    place,
    message: near
      ? `This suppression has no effect: it starts with "${word}". Did you mean ${near}?`
      : `This suppression has no effect: it starts with "${word}", not k8s-af-ignore or k8s-af-ignore-file.`,
  }
}

/** Comments of templates, which Helm does not print. They are about what their lines have made. */
function inTemplates({ input, rules, otherLines }: Run): { written: Written[]; invalid: Invalid[] } {
  const written: Written[] = []
  const invalid: Invalid[] = []
  // Other values may make more of them.
  const isRendered = renderedLines(input.documents)
  for (const file of input.templates ?? [])
    for (const { word, text, range, from, to, isWhole } of templateCommentsOf(file)) {
      const place: Place = { file: file.name, ...range, path: '' }
      const isFile = word === 'k8s-af-ignore-file'
      if (!words.includes(word)) {
        if (isAttempt(word, text, rules)) invalid.push(misspeltComment(word, place))
        continue
      }
      const isIn = ({ file: name, line }: Line) =>
        name === file.name && (isFile || isWhole || (line >= from && line <= to))
      const hasAny = () => (isFile || to < from ? isRendered(file.name) : isRendered(file.name, from, to))
      written.push({
        text,
        place,
        covers: (one) => (isFile || isWhole ? [one.place] : linesOf(one)).concat(otherLines(one)).some(isIn),
        expects: hasAny,
      })
    }
  return { written, invalid }
}

/** Tells whether any of the lines of a template has made something. */
function renderedLines(
  documents: readonly Document[],
): (file: string, from?: number, to?: number) => boolean {
  const known = lazy(() => {
    const found = new Map<string, Set<number>>()
    for (const { built, line, text } of documents) {
      if (built?.by !== 'helm') continue
      for (const [i, one] of text.split('\n').entries()) {
        const start = one.search(/\S/)
        if (start < 0) continue
        const shown = { line: line + i, column: start + 1, endLine: line + i, endColumn: one.length + 1 }
        for (const made of [built.line?.(shown), built.origin([], () => shown)]) {
          if (!made) continue
          const { name } = made.document.file
          const lines = found.get(name) ?? new Set()
          found.set(name, lines.add(made.document.locate().key([...made.object, ...made.path]).line))
        }
      }
    }
    return found
  })
  return (file, from = 1, to = Number.POSITIVE_INFINITY) =>
    [...(known().get(file) ?? [])].some((line) => line >= from && line <= to)
}

/** Where a finding stands. The first line of what something was built from stands for all of it. */
function linesOf({ place }: Finding): readonly Line[] {
  if (!place.built) return [place]
  return place.line === 1 ? [place.built] : [place, place.built]
}

/** Where a comment stands; of one in what was built, also the file that it was made from. */
function placeIn(file: SourceFile, range: Range, documents: readonly Document[]): Place {
  const own = documents.findLast(({ built, line }) => built && line <= range.line) ?? documents[0]
  if (!own?.built) return { file: file.name, ...range, path: '' }
  const { from } = own.built
  const source = own.built.line?.(range)
  if (source?.isCertain && source.document.file.name === from.file)
    return { file: from.file, ...source.document.locate().key(source.path), path: '' }
  return { file: from.file, ...from.range, path: '', built: { file: file.name, ...range } }
}

function inAnnotations(run: Run): { written: Written[]; invalid: Invalid[] } {
  const written: Written[] = []
  const invalid: Invalid[] = []
  for (const { resource, path, key, texts } of ownAnnotations(run)) {
    const about = {
      place: placeOf(resource, [...path, 'metadata', 'annotations', key]),
      subject: subjectOf(resource),
    }
    const slip = misspelt(key)
    if (slip) {
      const hint = slip.meant ? ` Did you mean ${slip.meant}?` : ''
      invalid.push({ ...about, message: `Nothing reads the annotation ${key}.${hint}` })
      continue
    }
    const covers = (finding: Finding) => isAbout(finding, resource, run)
    const expects = (rule: string) => run.canTell(rule, resource.document.file.name)
    for (const text of texts.split(/[\n;]/))
      if (text.trim() !== '') written.push({ ...about, text, covers, expects })
  }
  return { written, invalid }
}

/** The annotations of objects and their pod templates that are for this program, or seem to be. */
function* ownAnnotations({ resources, graph }: Run): Iterable<{
  readonly resource: Resource
  /** To what has the annotation. */
  readonly path: Path
  readonly key: string
  readonly texts: string
}> {
  for (const resource of resources) {
    const { value } = resource
    const template = graph.workload(value)?.template
    for (const owner of template && template !== value ? [value, template] : [value]) {
      const annotations = owner.metadata?.annotations
      if (!annotations) continue
      for (const [key, texts] of Object.entries(annotations)) {
        const path = key === ignoreAnnotation || misspelt(key) ? pathTo(value, owner) : undefined
        if (path) yield { resource, path, key, texts }
      }
    }
  }
}

interface SpeakingFile {
  readonly file: SourceFile
  /** Those that hold Kubernetes objects, in order. */
  readonly documents: Document[]
  /** A part of it could not be read. */
  readonly isBroken: boolean
  /** What in it is linted itself. */
  readonly judged: 'all' | 'the kustomization' | 'nothing'
}

/** The files that may hold comments for us. */
function speakingFiles({
  documents,
  kustomizations,
  unbuilt,
  sources = [],
  broken = [],
}: Input): Iterable<SpeakingFile> {
  const files = new Map<string, SpeakingFile | undefined>()
  const start = (file: SourceFile, judged: SpeakingFile['judged'], isBroken = false) =>
    files.set(file.name, maySpeak(file) ? { file, documents: [], isBroken, judged } : undefined)
  const add = (document: Document, judged: SpeakingFile['judged']) => {
    const { file } = document
    if (!files.has(file.name)) start(file, judged)
    const known = files.get(file.name)
    if (known?.judged === judged) known.documents.push(document)
  }
  for (const file of broken) start(file, 'all', true)
  for (const document of documents) {
    // The YAML of an object of a cluster has no comments.
    if (!document.live) add(document, 'all')
  }
  for (const { document, isEvidence } of unbuilt?.kustomizations ?? kustomizations)
    add(document, isEvidence ? 'nothing' : 'the kustomization')
  for (const document of sources) add(document, 'nothing')
  return [...files.values()].filter((file) => file !== undefined)
}

/** The path from a root to a node that is reached through mappings only. */
function pathTo(root: unknown, node: object): Path | undefined {
  if (root === node) return []
  if (!isObject(root)) return undefined
  for (const [key, value] of Object.entries(root)) {
    const rest = pathTo(value, node)
    if (rest) return [key, ...rest]
  }
  return undefined
}

function subjectOf({ apiVersion, kind, name, namespace }: Resource): Subject {
  return { apiVersion, kind, name, namespace }
}

/** Whether a finding is about an object of the input (several may have one name). */
export function isAbout(finding: Finding, resource: Resource, { ownerOf }: Run): boolean {
  const { document } = resource
  if (document.built) return ownerOf(finding) === resource
  const { subject, place } = finding
  if (!subject || place.file !== document.file.name) return false
  return (
    subject.kind === resource.kind &&
    subject.name === resource.name &&
    subject.namespace === resource.namespace &&
    subject.apiVersion === resource.apiVersion &&
    place.line >= document.line &&
    place.line < document.line + document.text.split('\n').length
  )
}

function configured(
  one: ConfigSuppression,
  { settings, resources, rules, otherLines, canTell }: Run,
): Suppression {
  const isWide = one.rules.some((name) => !rules.has(name))
  const folder = posix.dirname(settings.configFile ?? '')
  const files = one.files && ignore().add([...one.files])
  const isFile = (name: string) => {
    if (!files) return true
    const relative = posix.relative(folder, name)
    return ignore.isPathValid(relative) && files.ignores(relative)
  }
  const isItsObject = (object: Pick<Subject, 'kind' | 'name' | 'namespace'>) =>
    matches(one.kind, object.kind) &&
    matches(one.name, object.name) &&
    matches(one.namespace, object.namespace)
  const anyObject = one.kind === undefined && one.name === undefined && one.namespace === undefined
  return {
    rules: isWide ? namedBy(one.rules, rules) : one.rules,
    ...(isWide && { called: calledBy(one.rules, rules) }),
    container: one.container,
    until: one.until,
    reason: one.reason,
    place: one.place,
    covers: (finding) =>
      // What was built comes from several files.
      [finding.place, ...otherLines(finding)].some(({ file }) => isFile(file)) &&
      (finding.subject ? isItsObject(finding.subject) : anyObject),
    // The object it names is in the input, or the input is everything.
    expects: (rule) =>
      settings.complete ||
      (one.name !== undefined &&
        resources.some(
          (resource) =>
            isItsObject(resource) &&
            isFile(resource.document.file.name) &&
            canTell(rule, resource.document.file.name),
        )),
  }
}

/** The rules that names of rules and categories, or `*`, stand for; not those about suppressions, which watch over it. */
function namedBy(names: readonly string[], rules: ReadonlyMap<string, Rule>): readonly string[] {
  return [...rules].flatMap(([id, { category }]) => {
    const isNamed = names.includes(id) || names.includes(category) || names.includes(allRules)
    return isNamed && (names.includes(id) || !isAboutSuppressions(id)) ? [id] : []
  })
}

/** `the rules of batch and pdb-missing` */
function calledBy(names: readonly string[], rules: ReadonlyMap<string, Rule>): string {
  if (names.includes(allRules)) return 'all rules'
  return enumerate(
    names.map((name) => (rules.has(name) ? name : `the rules of ${name}`)),
    'and',
  )
}

/** Whether a rule is about suppressions themselves. */
export function isAboutSuppressions(rule: string): boolean {
  return rule.startsWith('suppression-')
}

/** An absent pattern matches everything. */
function matches(pattern: string | undefined, text: string): boolean {
  return pattern === undefined || matchesWildcard(pattern, text)
}
