/** The outcome of a run, as the reporters get it. */
import type { Finding, Summary } from '../finding.js'
import type { Resource } from '../graph/resource.js'
import type { Among, Rule } from '../rule.js'

/** Gives back source lines for code frames. */
export interface Lines {
  /**
   * The text of a line (from 1) of a file of the input, without its line break. Undefined when the file is not known or
   * when the line must not be shown (the values of a Secret).
   * @param cluster of the finding, when there are several
   */
  line(file: string, number: number, cluster?: string): string | undefined
}

/** A documented outage: `rules/stories/<id>.yaml`. */
export interface Story {
  readonly id: string
  /** The organisation, `Zalando`. */
  readonly org: string
  readonly year: number
  readonly title: string
  /** One or two sentences in our own words, at most 240 characters: what was shown under a finding. */
  readonly brief: string
  /** The same for rules that are about another part of it than the brief, by their ids. */
  readonly briefs?: Readonly<Record<string, string>>
  /** What happened, Markdown, our own words. */
  readonly happened: string
  readonly symptoms: readonly string[]
  readonly cause: string
  readonly impact: string
  readonly lesson: string
  /** Absent when nothing is published at a stable address. */
  readonly url: string | null
  /** How much of the source was read: whole, a part, or only its entry in a list. */
  readonly evidence: 'full' | 'excerpt' | 'list'
  /** True for the stories that the project was started from. */
  readonly core: boolean
}

/** What a story has to say to those who read a finding of the rule. */
export function briefFor(rule: string, { brief, briefs }: Story): string {
  return briefs?.[rule] ?? brief
}

/** The first story of a finding: what it has to say to those who read it, and where to read more. */
export function storyFor(
  { rule, stories }: Finding,
  report: Report,
): { readonly text: string; readonly url: string | null } | undefined {
  const story = stories.map((id) => report.story(id)).find((one) => one !== undefined)
  return story && { text: `${story.org}, ${story.year}: ${briefFor(rule, story)}`, url: story.url }
}

/** The report with these findings instead. */
export function withFindings(report: Report, findings: readonly Finding[]): Report {
  const suppressed = findings.filter((finding) => finding.suppressed).length
  return { ...report, findings, summary: { ...report.summary, suppressed } }
}

export interface Report {
  /** Sorted by file, line, column and rule. Suppressed findings included (they carry `suppressed`). */
  readonly findings: readonly Finding[]
  readonly summary: Summary
  readonly lines: Lines
  /** Rules that ended with an error of their own: defects of this program. Everything else was still evaluated. */
  readonly failures: readonly { readonly rule: string; readonly object: string; readonly error: unknown }[]
  /** Milliseconds spent in each rule, when asked for. */
  readonly timings?: ReadonlyMap<string, number>
  /** All rules by id, for their prose. */
  readonly rules: ReadonlyMap<string, Rule>
  /** The object that a finding of the rules is about; undefined for objects of several clusters. */
  resource(finding: Finding): Resource | undefined
  /** What a finding of the rules has in common with others; undefined for objects of several clusters. */
  among(finding: Finding): Among | undefined
  /** Loads the stories when first asked. */
  story(id: string): Story | undefined
}
