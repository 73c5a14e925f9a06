/** Lints a folder again and again, each time with some failures written into it. */
import { dump } from 'js-yaml'
import type { ActiveRule } from '../../src/config/settings.js'
import type { Document, ReadProblem } from '../../src/document.js'
import { lint } from '../../src/engine/lint.js'
import type { Report } from '../../src/engine/report.js'
import type { Finding, Path } from '../../src/finding.js'
import type { Input } from '../../src/reader/input.js'
import { documentOf, readPaths } from '../../src/reader/read.js'
import { unfold } from '../../src/reader/unfold.js'
import { loadStories } from '../../src/registry.js'
import type { Rule } from '../../src/rule.js'
import { groupBy, push } from '../../src/values/group.js'
import { isObject } from '../../src/values/untyped.js'
import { active, settings } from '../../tests/harness.js'
import { Around, copy, draw, type Hit, type Injection, kindOf, type Manifest, nameOf } from './manifest.js'

/** An object of the corpus. */
interface Subject {
  readonly document: Document
  readonly path: Path
  readonly object: Manifest
  readonly folder: string
}

/** A part of the corpus that is linted as a whole. */
export interface Unit {
  readonly input: Input
  readonly subjects: readonly Subject[]
}

/** A failure to be written into an object. */
interface Job {
  readonly injection: Injection
  readonly subject: Subject
}

/** What came of it. */
export interface Outcome extends Job {
  readonly answer: 'found' | 'unsaid' | 'other' | 'asked' | 'silent'
  /** What the rule says, or another one. */
  readonly said: readonly Finding[]
  /** What else is new, at any object. */
  readonly besides: readonly Finding[]
}

/** An object in its document, and the document as it was. */
interface Spot {
  readonly document: Document
  readonly path: Path
  readonly before: Document | undefined
}

/** Where a job has changed something, and what is there now. */
interface Change {
  readonly documents: ReadonlyMap<Document, readonly Document[]>
  readonly problems: readonly ReadProblem[]
  /** The objects at one of which the finding is expected. */
  readonly at: readonly Spot[]
  readonly says: string | undefined
  readonly file: string
}

function folderIn(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('/')))
}

/** Has each document written anew as JSON, so that those with a failure differ from the others in nothing else. */
function plainly(input: Input): Input {
  return { ...input, documents: input.documents.map((one) => (isKept(one) ? one : asJson(one, one.value))) }
}

/** What only its text tells stays as it is. */
function isKept({ hasDuplicates, text }: Document): boolean {
  return hasDuplicates || text.includes('k8s-af')
}

function asJson({ file, line }: Pick<Document, 'file' | 'line'>, value: unknown): Document {
  const text = JSON.stringify(value, null, 2)
  const chunk = { text, offset: 0, line, column: 1, json: value }
  return documentOf(file, chunk, { ok: true, value, hasDuplicates: false, isPlain: false })
}

/** Reads a folder in parts: the smallest folders with no more than `most` documents together, or those that have files of their own. */
export function units(root: string, most: number): Unit[] {
  const input = plainly(readPaths(['.'], { cwd: root }))
  return parts(input, '', most).map((part) => ({
    input: part,
    subjects: part.documents.flatMap((document) =>
      unfold(document).map(({ value, path }) => ({
        document,
        path,
        object: value,
        folder: folderIn(document.file.name),
      })),
    ),
  }))
}

function parts(input: Input, prefix: string, most: number): Input[] {
  if (input.documents.length <= most && prefix !== '') return [input]
  const below = (name: string) => name.slice(prefix.length).split('/')
  const names = [
    ...input.documents.map(({ file }) => file.name),
    ...input.kustomizations.map((one) => one.document.file.name),
  ]
  if (prefix !== '' && names.some((name) => below(name).length === 1)) return [input]
  return [...new Set(names.map((name) => below(name)[0] ?? ''))].sort().flatMap((step) => {
    const own = `${prefix}${step}/`
    const has = (name: string) => name.startsWith(own)
    const part: Input = {
      ...input,
      documents: input.documents.filter(({ file }) => has(file.name)),
      kustomizations: input.kustomizations.filter(({ document }) => has(document.file.name)),
      problems: input.problems.filter(({ file }) => has(file)),
      skips: input.skips.filter(({ file }) => has(file)),
      broken: (input.broken ?? []).filter(({ name }) => has(name)),
    }
    return parts(part, own, most)
  })
}

/** Lints with a set of rules, and finds what is new. */
export class Bench {
  lints = 0
  readonly failures = new Map<string, string>()

  constructor(
    private readonly rules: ReadonlyMap<string, Rule>,
    private readonly injections: readonly Injection[],
  ) {}

  /** The rules of a run: those on by default, or one that is off by default besides; or all, asked for. */
  private active(asked: ReadonlySet<string> | 'all'): readonly ActiveRule[] {
    return [...this.rules].flatMap(([id, rule]) => {
      const isAsked = asked === 'all' || asked.has(id)
      return rule.recommended !== false || isAsked ? [active(id, rule, { asked: isAsked })] : []
    })
  }

  private lint(input: Input, asked: ReadonlySet<string> | 'all'): Report {
    this.lints++
    const report = lint(input, {
      settings: settings(this.active(asked), { complete: asked === 'all' }),
      rules: this.rules,
      stories: loadStories,
    })
    for (const { rule, object, error } of report.failures)
      this.failures.set(
        `${rule} ${object}`,
        error instanceof Error ? (error.stack ?? error.message) : String(error),
      )
    return report
  }

  /** Writes each failure into at most one object of each folder, and of at most `most` folders. */
  run(all: readonly Unit[], most: number): Outcome[] {
    const off = new Set(this.injections.flatMap(({ rule }) => (this.isOff(rule) ? [rule] : [])))
    // What is there already is no failure that was written into it.
    const known = new Set<string>()
    for (const { input } of all) {
      const report = this.lint(input, off)
      for (const finding of report.findings) {
        const { document, path } = report.resource(finding) ?? {}
        if (document && path) known.add(idOf(finding.rule, document, path))
      }
    }
    const jobs = new Map<Unit, Job[]>()
    for (const injection of this.injections)
      for (const [unit, job] of this.chosen(injection, all, most, known)) push(jobs, unit, job)
    return [...jobs].flatMap(([unit, own]) => this.judgeAll(unit, own))
  }

  private isOff(rule: string): boolean {
    return this.rules.get(rule)?.recommended === false
  }

  /** By a number that depends on the failure and the object alone. */
  private chosen(
    injection: Injection,
    all: readonly Unit[],
    most: number,
    known: ReadonlySet<string>,
  ): [Unit, Job][] {
    const turn = ({ document, path }: Subject) =>
      draw(`${injection.what} ${document.file.name} ${document.line} ${path.join('.')}`, 2 ** 31)
    const subjects = all
      .flatMap((unit) => unit.subjects.map((subject) => ({ unit, subject })))
      .filter(
        ({ subject: { object, document } }) =>
          fits(injection, object) && (!injection.text || !isKept(document)),
      )
      .map((one) => ({ ...one, turn: turn(one.subject) }))
      .sort((a, b) => a.turn - b.turn)
    const folders = new Set<string>()
    const jobs: [Unit, Job][] = []
    for (const { unit, subject } of subjects) {
      const job = { injection, subject }
      if (jobs.length >= most || folders.has(subject.folder)) continue
      const made = change(unit, job)
      const isKnown = made?.at.some(
        ({ before, path }) => before && known.has(idOf(injection.rule, before, path)),
      )
      if (!made || isKnown) continue
      folders.add(subject.folder)
      jobs.push([unit, job])
    }
    return jobs
  }

  /**
   * One lint judges one failure of each folder; what nothing is said of is tried again with all rules, asked for, in input that is whole.
   */
  private judgeAll(unit: Unit, jobs: readonly Job[]): Outcome[] {
    const isOff = ({ injection }: Job) => this.isOff(injection.rule)
    const judged = (own: readonly Job[], asked: ReadonlySet<string>) => {
      if (own.length === 0) return []
      const before = seen(this.lint(unit.input, asked))
      return rounds(own).flatMap((round) => this.judge(unit, round, asked, before))
    }
    const off = jobs.filter(isOff)
    return [
      ...judged(
        jobs.filter((job) => !isOff(job)),
        new Set(),
      ),
      ...judged(off, new Set(off.map(({ injection }) => injection.rule))),
    ]
  }

  private judge(
    unit: Unit,
    jobs: readonly Job[],
    asked: ReadonlySet<string>,
    before: ReadonlySet<string>,
  ): Outcome[] {
    const made = jobs.flatMap((job) => {
      const one = change(unit, job)
      return one ? [{ job, change: one }] : []
    })
    const report = this.lint(
      changed(
        unit.input,
        made.map((one) => one.change),
      ),
      asked,
    )
    const fresh = report.findings.filter((finding) => !before.has(keyOf(finding)))
    const outcomes = made.map((one) => ({ ...one, outcome: outcomeOf(one.job, one.change, fresh, report) }))
    const quiet = outcomes.filter(({ outcome }) => outcome.answer === 'silent' || outcome.answer === 'other')
    if (quiet.length === 0) return outcomes.map(({ outcome }) => outcome)
    const again = this.lint(
      changed(
        unit.input,
        quiet.map((one) => one.change),
      ),
      'all',
    )
    return outcomes.map((one) => {
      const { outcome } = one
      if (outcome.answer !== 'silent' && outcome.answer !== 'other') return outcome
      const said = again.findings.filter(
        (finding) => finding.rule === one.job.injection.rule && isThere(finding, one.change, again),
      )
      return said.length > 0 && outcome.answer === 'silent' ? { ...outcome, answer: 'asked', said } : outcome
    })
  }
}

/** Lists of jobs of which no two are of one folder. */
function rounds(jobs: readonly Job[]): Job[][] {
  const byFolder = groupBy(jobs, ({ subject }) => subject.folder)
  const count = Math.max(0, ...[...byFolder.values()].map((own) => own.length))
  return Array.from({ length: count }, (_, i) => [...byFolder.values()].flatMap((own) => own[i] ?? []))
}

function outcomeOf(job: Job, made: Change, fresh: readonly Finding[], report: Report): Outcome {
  const near = fresh.filter(({ place }) => folderIn(place.file) === job.subject.folder)
  const there = near.filter((finding) => isThere(finding, made, report))
  const said = there.filter(({ rule }) => rule === job.injection.rule)
  const { says } = made
  if (said.length > 0) {
    const isSaid =
      says === undefined || said.some((one) => `${one.message} ${one.fix?.title} ${one.label}`.includes(says))
    return {
      ...job,
      answer: isSaid ? 'found' : 'unsaid',
      said,
      besides: near.filter((one) => !said.includes(one)),
    }
  }
  return {
    ...job,
    answer: there.length > 0 ? 'other' : 'silent',
    said: there,
    besides: near.filter((one) => !there.includes(one)),
  }
}

function isThere(finding: Finding, made: Change, report: Report): boolean {
  const resource = report.resource(finding)
  if (!resource) return finding.place.file === made.file
  return made.at.some(({ document, path }) => document === resource.document && isBelow(resource.path, path))
}

function idOf(rule: string, { file, line }: Document, path: Path): string {
  return [rule, file.name, line, ...path].join('\n')
}

function fits({ of }: Injection, object: Manifest): boolean {
  const kind = kindOf(object)
  if (of.includes('*')) return !kind.includes('/') && isOwnGroup(object) && kind !== 'Secret'
  if (of.includes('custom')) return !isOwnGroup(object)
  return of.includes(kind)
}

function isOwnGroup({ apiVersion }: Manifest): boolean {
  return /^(v1|(apps|batch|autoscaling|policy)\/v[^/]+|(networking|rbac\.authorization|storage|admissionregistration|scheduling|coordination|discovery)\.k8s\.io\/.*|apiextensions\.k8s\.io\/v1|apiregistration\.k8s\.io\/v1)$/.test(
    String(apiVersion),
  )
}

function isBelow(path: Path, base: Path): boolean {
  return base.every((step, i) => step === path[i])
}

/** A finding by its rule, and what it is about. */
function keyOf({ rule, subject, place }: Finding): string {
  return [rule, place.file, subject?.kind, subject?.namespace, subject?.name, place.path].join('\n')
}

function seen(report: Report): Set<string> {
  return new Set(report.findings.map(keyOf))
}

/** What a job makes of the documents; undefined where its object cannot have the failure. */
function change(unit: Unit, { injection, subject }: Job): Change | undefined {
  const { document, path, object, folder } = subject
  const { name } = document.file
  if (injection.text) {
    const text = path.length === 0 && injection.text(toYaml(document.value), object)
    if (text === false) return undefined
    const read = readPaths(['-'], { cwd: '/', stdin: () => text, stdinFilename: name })
    const at = read.documents.map((one) => ({ document: one, path: [], before: document }))
    return {
      documents: new Map([[document, read.documents]]),
      problems: read.problems,
      at,
      says: undefined,
      file: name,
    }
  }
  const value = copy(document.value)
  const own = step(value, path)
  if (!isObject(own)) return undefined
  const others = unit.subjects.filter((one) => one !== subject)
  const around = new Around(
    others.filter((one) => one.folder === folder).map((one) => one.object),
    others.map((one) => one.object),
  )
  const hit = injection.edit?.(own as Manifest, around)
  if (!hit) return undefined
  const gone = others.filter((one) => around.removed.has(one.object))
  // What stands in one document with others stays.
  if (gone.some((one) => one.document === document || one.path.length > 0)) return undefined
  const mine = around.removed.has(own as Manifest) ? undefined : asJson(document, value)
  const added = around.added.map((one) => ({ object: one, document: asJson(document, one) }))
  const kept = [...(mine ? [mine] : []), ...added.map((one) => one.document)]
  const { at: expected = own as Manifest, says }: Hit = hit === true ? {} : hit
  const at = [expected].flat().flatMap((one): Spot[] => {
    const made = added.find((each) => each.object === one)
    if (made) return [{ document: made.document, path: [], before: undefined }]
    if (one === own) return mine ? [{ document: mine, path, before: document }] : []
    const other = others.find((each) => each.object === one)
    if (!other) return []
    const isBeside = other.document === document && mine
    return [{ document: isBeside ? mine : other.document, path: other.path, before: other.document }]
  })
  return {
    documents: new Map<Document, readonly Document[]>([
      ...gone.map((one): [Document, Document[]] => [one.document, []]),
      [document, kept],
    ]),
    problems: [],
    at,
    says,
    file: name,
  }
}

function step(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((here, one) => (here as Record<string | number, unknown>)[one], value)
}

function changed(input: Input, changes: readonly Change[]): Input {
  const all = new Map(changes.flatMap(({ documents }) => [...documents]))
  return {
    ...input,
    documents: input.documents.flatMap((one) => all.get(one) ?? [one]),
    problems: [...input.problems, ...changes.flatMap(({ problems }) => problems)],
  }
}

/** As people write it: two spaces, lists below their key. */
function toYaml(value: unknown): string {
  return dump(value, { lineWidth: -1, noRefs: true })
}

export function placeOf({ document, object }: Subject): string {
  return `${document.file.name}:${document.line} ${String(object.kind)}/${nameOf(object)}`
}
