/** Which rules and stories speak of what somebody sees: `502 during deploys`. */
import type { Story } from '../engine/report.js'
import type { Rule } from '../rule.js'
import { countBy } from '../values/group.js'

/** How well a rule fits a symptom, from 0 (not at all) to 1 (as none else does). */
export type Fit = (rule: string) => number

/** Words that people use for one thing. */
const synonyms: readonly (readonly string[])[] = [
  ['5xx', '500', '502', '503', '504', 'error', 'errors', 'gateway', 'failed', 'fails'],
  ['deploy', 'deploys', 'deployment', 'deployments', 'rollout', 'rollouts', 'release', 'releases', 'rolling'],
  ['dns', 'resolve', 'resolution', 'lookup', 'lookups', 'nxdomain', 'coredns'],
  ['oom', 'oomkilled', 'memory', '137', 'killed'],
  ['pending', 'unschedulable', 'schedule', 'scheduled', 'scheduling'],
  ['slow', 'latency', 'throttled', 'throttling', 'timeouts', 'timeout', 'stalls', 'hangs'],
  ['crash', 'crashes', 'crashloop', 'crashloopbackoff', 'restart', 'restarts', 'restarting'],
  ['evicted', 'eviction', 'evictions', 'drain', 'drains', 'drained'],
  ['notready', 'ready', 'readiness', 'unready'],
  ['refused', 'reset', 'resets', 'dropped', 'drops', 'lost', 'unreachable', 'connection', 'connections'],
  ['image', 'images', 'pull', 'imagepullbackoff', 'errimagepull', 'registry'],
  ['full', 'disk', 'storage', 'space', 'volume', 'volumes'],
  ['job', 'jobs', 'cronjob', 'cronjobs', 'cron'],
  ['certificate', 'certificates', 'tls', 'x509', 'expired'],
]
const groupOf = new Map(synonyms.flatMap((group, i) => group.map((word) => [word, `#${i}`] as const)))

const stopWords = new Set(
  'the a an and or of to in on is are was were be it its that this with for from by at as not no all during when while after before every some our we my sometimes'.split(
    ' ',
  ),
)

/** How often each meaning is named in a text; synonyms count as one. */
function meanings(text: string): ReadonlyMap<string, number> {
  const words = (text.toLowerCase().match(/[a-z0-9]+/g) ?? []).filter((word) => !stopWords.has(word))
  return countBy(words, (word) => groupOf.get(word) ?? word)
}

/** What a word counts in the title, in the explanation, and in the stories behind a rule, which tell of more than the rule. */
const weights = { title: 4, why: 1, stories: 0.3 }
/** From this many mentions on, more of them say half as much. */
const enough = 2

/**
 * Compares the words of a symptom with those of the rules and of the stories behind them. Words that few rules use say more
 * than those of all.
 */
export function fitFor(
  symptom: string,
  rules: ReadonlyMap<string, Rule>,
  storyOf: (id: string) => Story | undefined,
): Fit {
  const asked = [...meanings(symptom).keys()]
  const texts = [...rules].map(([id, { title, why, stories }]) => {
    const told = stories.slice(0, 2).flatMap((story) => {
      const { symptoms = [], cause = '' } = storyOf(story) ?? {}
      return [...symptoms, cause]
    })
    return { id, title: meanings(`${id} ${title}`), why: meanings(why), stories: meanings(told.join(' ')) }
  })
  const rarity = asked.map((word) => {
    const users = texts.filter(({ title, why }) => title.has(word) || why.has(word)).length
    return users === 0 ? 0 : Math.log(1 + texts.length / users)
  })
  const scores = new Map(
    texts.map(({ id, title, why, stories }) => {
      const score = asked.reduce((sum, word, i) => {
        const mentions =
          weights.title * (title.get(word) ?? 0) +
          weights.why * (why.get(word) ?? 0) +
          weights.stories * (stories.get(word) ?? 0)
        return sum + ((rarity[i] ?? 0) * mentions) / (mentions + enough)
      }, 0)
      return [id, score]
    }),
  )
  const best = Math.max(...scores.values(), Number.MIN_VALUE)
  return (rule) => (scores.get(rule) ?? 0) / best
}
