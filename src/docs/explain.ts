/** The pages of `explain`: one Markdown text, which docs/, SARIF and the terminal all show. */
import { briefFor, type Story } from '../engine/report.js'
import { clusterScoped } from '../kubernetes.js'
import type { Param, Rule } from '../rule.js'
import { enumerate } from '../values/enumerate.js'
import { changedLines } from './difference.js'
import { type Mended, mendedBy } from './mended.js'

/** The texts of a rule's fixtures. */
export interface Example {
  readonly bad?: string | undefined
  readonly good?: string | undefined
}

/** What happens, why, how it is decided, what to change and how to suppress it, as Markdown. */
export function rulePage(id: string, rule: Rule, stories: readonly Story[], example: Example): string {
  const preset =
    rule.for.length === 0
      ? 'always on'
      : rule.recommended === false
        ? 'off by default (preset `all`)'
        : 'on by default'
  const mended = example.bad === undefined ? undefined : mendedBy(id, rule, example.bad)
  return [
    `# ${rule.title}`,
    `\`${id}\` · ${rule.severity} · ${rule.category} · ${preset}`,
    rule.why,
    `**Remedy.** ${rule.remedy}`,
    mended && fixNote(mended),
    ...stories.slice(0, 1).map((story) => told(story, id)),
    ...exampleOf(rule, { ...example, good: mended?.text ?? example.good }),
    `## How it is decided\n\n${rule.decides}`,
    rule.falsePositives && `## When to ignore it\n\n${rule.falsePositives}`,
    suppression(id, rule),
    params(id, rule.params),
    rule.unless?.length &&
      `## Beside other rules\n\nLeft out where ${list(rule.unless)} reports the same object: one cause, one finding.`,
    rule.versions && `## Kubernetes versions\n\n${rule.versions}`,
    rule.sources?.length && `## Sources\n\n${rule.sources.map((source) => `- ${source}`).join('\n')}`,
    stories.length > 1 &&
      `## Stories\n\n${stories.map(({ id: name, org, year, title }) => `- \`${name}\` (${org}, ${year}): ${title}`).join('\n')}`,
  ]
    .filter((part) => typeof part === 'string' && part !== '')
    .join('\n\n')
    .concat('\n')
}

/** An outage: what happened, its cause, what it teaches, and the rules that would have found it. */
export function storyPage(story: Story, rules: ReadonlyMap<string, Rule>): string {
  const found = [...rules].filter(([, rule]) => rule.stories.includes(story.id))
  return [
    `# ${story.title}`,
    `${story.org}, ${story.year}.${story.url ? ` <${story.url}>` : ''}`,
    story.happened.trim(),
    story.symptoms.length > 0 && `## Symptoms\n\n${story.symptoms.map((one) => `- ${one}`).join('\n')}`,
    `## Cause\n\n${story.cause}`,
    `## Impact\n\n${story.impact}`,
    `## Lesson\n\n${story.lesson}`,
    found.length > 0 &&
      `## Found by\n\n${found.map(([id, rule]) => `- \`${id}\`: ${rule.title}`).join('\n')}`,
    story.evidence !== 'full' &&
      `*${story.evidence === 'list' ? 'Told after its entry in a public list of failure stories; the original was not read.' : 'Told after a part of the original.'}*`,
  ]
    .filter((part) => typeof part === 'string')
    .join('\n\n')
    .concat('\n')
}

function told(story: Story, rule: string): string {
  return `> **${story.org}, ${story.year}.** ${briefFor(rule, story)}${story.url ? ` <${story.url}>` : ''}`
}

/** Which flag of `lint` makes the changes of the example, or some of what it takes. */
function fixNote({ fixes, text }: Mended): string {
  const titles = (safe: boolean) => {
    const all = new Set(fixes.filter((fix) => fix.safe === safe).map(({ title }) => `\`${title}\``))
    return enumerate(all.size > 2 ? [...[...all].slice(0, 2), 'more'] : [...all], 'and')
  }
  const [safe, others] = [titles(true), titles(false)]
  const what =
    text === undefined ? 'a part of the change' : fixes.length > 1 ? 'the changes below' : 'the change below'
  const how = [
    safe && `\`lint --fix\` makes ${what}: ${safe}.`,
    others &&
      `\`lint --fix --unsafe-fixes\` makes ${safe ? 'others, too' : what}, for somebody to look at: ${others}.`,
  ].filter((part) => part)
  return how.length > 0 ? `**Fix.** ${how.join(' ')}` : ''
}

/** The bad manifest with the lines that the good one changes marked. The state of a cluster alone: nobody edits it. */
function exampleOf(rule: Rule, { bad, good }: Example): string[] {
  if (!bad) return []
  const plain = clean(bad)
  if (rule.needs === 'cluster') return [`## What it looks like\n\n\`\`\`yaml\n${plain}\`\`\``]
  if (!good) return [`## Example\n\n\`\`\`yaml\n${plain}\`\`\``]
  return [`## Example\n\n\`\`\`diff\n${changedLines(plain, clean(good))}\`\`\``]
}

/** Fixtures carry marks and run options for the tests, and blanks at the ends of lines: they are no part of the example. */
function clean(text: string): string {
  return text
    .replace(/^ *# (?:run|severity|message|note|evidence|often|fix): .*\n/gm, '')
    .replace(/ *# expect: .*$/gm, '')
    .replace(/ +$/gm, '')
}

function suppression(id: string, rule: Rule): string {
  // There is no manifest of a node, and none of what is seen in a cluster only.
  const onObject =
    rule.needs === 'cluster'
      ? 'A reason is required. On the object:'
      : `A reason is required. In the manifest, above what it is about or on the same line:

\`\`\`yaml
# k8s-af-ignore ${id} until=2027-06-30 -- why this is right here
\`\`\`

On the object, which \`scan\` reads as well:`
  const [kind = ''] = rule.for
  const where =
    rule.needs === 'cluster' && clusterScoped.has(kind) ? 'name: "sandbox-*"' : 'namespace: sandbox'
  return `## How to suppress it

${onObject}

\`\`\`yaml
metadata:
  annotations:
    k8s-af.dev/ignore: "${id} -- why this is right here"
\`\`\`

Or in \`.k8s-af.yaml\`:

\`\`\`yaml
suppressions:
  - rules: [${id}]
    ${where}
    reason: why this is right there
\`\`\``
}

function params(id: string, known: Readonly<Record<string, Param>>): string {
  const names = Object.entries(known)
  if (names.length === 0) return ''
  const rows = names.map(
    ([name, param]) => `- \`${name}\` (${param.type}, default ${defaultOf(param)}): ${param.about}`,
  )
  const [[name = '', param] = []] = names
  return `## Parameters\n\n${rows.join('\n')}\n\n\`\`\`yaml\nrules:\n  ${id}:\n    params:\n      ${name}: ${JSON.stringify(param?.default)}\n\`\`\``
}

function defaultOf(param: Param): string {
  const own = shown(param.default)
  if (param.type === 'boolean' && param.asked !== undefined)
    return `${own}, but ${shown(param.asked)} with preset \`all\` or where the rule is asked for by name`
  if ((param.type === 'integer' || param.type === 'number') && param.diagnosed !== undefined)
    return `${own}, but ${shown(param.diagnosed)} in \`diagnose\``
  return own
}

/** A list without quotes and brackets around long words, so that it can be wrapped. */
function shown(value: Param['default']): string {
  if (!Array.isArray(value)) return `\`${JSON.stringify(value)}\``
  return value.length === 0 ? 'none' : value.map((one) => `\`${one}\``).join(', ')
}

function list(ids: readonly string[]): string {
  return ids.map((id) => `\`${id}\``).join(' or ')
}
