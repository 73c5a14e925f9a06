/**
 * The one grammar of suppressions, wherever they stand:
 * `<rule>[, <rule>] [container=NAME] [until=YYYY-MM-DD] -- <reason>`
 */

/** What a suppression says, before anything is known about the rules that it names. */
export interface Directive {
  readonly rules: readonly string[]
  /** Only findings about this container. */
  readonly container: string | undefined
  /** `YYYY-MM-DD`, the last day on which it holds. */
  readonly until: string | undefined
  readonly reason: string
}

/** As messages show it. */
export const grammar = '<rule>[, <rule>] [container=NAME] [until=YYYY-MM-DD] -- <reason>'

/** Reads one suppression. A string is what is wrong with it, half a sentence without a full stop. */
export function parseDirective(text: string): Directive | string {
  const [, head = '', reason = ''] = /^(.*?)(?:(?<=^|\s)--(?:\s+(.*))?)?$/s.exec(text.trim()) ?? []
  const words = head.split(/[\s,]+/).filter((word) => word !== '')
  const rules: string[] = []
  let container: string | undefined
  let until: string | undefined
  for (const word of words) {
    const equals = word.indexOf('=')
    const value = word.slice(equals + 1)
    if (equals < 0) {
      if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(word)) return `${JSON.stringify(word)} is not the name of a rule`
      rules.push(word)
    } else if (word.startsWith('container=')) {
      if (value === '') return 'container= names no container'
      container = value
    } else if (word.startsWith('until=')) {
      if (!isDate(value)) return `${JSON.stringify(value)} is not a day (until=YYYY-MM-DD)`
      until = value
    } else return `${JSON.stringify(word.slice(0, equals))} is not known here (container= and until= are)`
  }
  if (rules.length === 0) return 'it names no rule'
  if (reason.trim() === '') return 'it gives no reason after " -- "'
  return { rules: [...new Set(rules)], container, until, reason: reason.trim() }
}

/** Whether the text is a day of the calendar as `YYYY-MM-DD`. */
export function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false
  const day = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text)
}
