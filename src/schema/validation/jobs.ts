/** Jobs and CronJobs. */
import type { CronJob, Job, ObjectMeta, PodTemplateSpec } from '../../kubernetes.js'
import { isSchedule } from '../../values/schedule.js'
import { matchesSelector } from '../../values/selector.js'
import { isTimeZone, timeZoneMeant } from '../../values/time-zone.js'
import { ownValue } from '../../values/untyped.js'
import { isPlaceholder } from '../format.js'
import { choices, filled, prefixed } from './forms.js'
import { pod } from './pods.js'
import { type Checks, merged, on, type Say, type Spec } from './say.js'

interface IndexedJob {
  readonly completionMode?: string
  readonly completions?: number
  readonly parallelism?: number
  readonly manualSelector?: boolean
  readonly selector?: Selector
  readonly backoffLimitPerIndex?: number
  readonly maxFailedIndexes?: number
  readonly podFailurePolicy?: { readonly rules?: readonly FailureRule[] }
  readonly podReplacementPolicy?: string
  readonly successPolicy?: { readonly rules?: readonly SuccessRule[] }
  readonly template?: PodTemplateSpec
}

type Selector = NonNullable<Spec<Job>['selector']>

interface FailureRule {
  readonly onExitCodes?: {
    readonly containerName?: string
    readonly operator?: string
    readonly values?: readonly number[]
  }
}

interface SuccessRule {
  readonly succeededCount?: number
  readonly succeededIndexes?: string
}

function failurePolicy({ podFailurePolicy, podReplacementPolicy, template }: IndexedJob, say: Say): void {
  if (podFailurePolicy && template?.spec?.restartPolicy === 'OnFailure')
    say.conflict(['podFailurePolicy'], 'goes with restartPolicy Never only')
  if (podFailurePolicy && podReplacementPolicy === 'TerminatingOrFailed')
    say.conflict(['podReplacementPolicy'], 'has to be Failed beside podFailurePolicy')
  const { containers = [], initContainers = [] } = template?.spec ?? {}
  const names = [...containers, ...initContainers].map(({ name }) => name)
  for (const [i, { onExitCodes }] of (podFailurePolicy?.rules ?? []).entries()) {
    const { containerName, operator, values = [] } = onExitCodes ?? {}
    const path = ['podFailurePolicy', 'rules', i, 'onExitCodes']
    if (
      containerName !== undefined &&
      ![containerName, ...names].some(isPlaceholder) &&
      !names.includes(containerName)
    )
      say.conflict([...path, 'containerName'], `names no container: ${JSON.stringify(containerName)}`)
    if (operator === 'In' && values.includes(0))
      say.conflict([...path, 'values', values.indexOf(0)], 'is 0, which is no failure')
  }
}

/** Labels that the server gives to the pods of a Job; those with a domain since 1.27. */
const ofUid = ['controller-uid', 'batch.kubernetes.io/controller-uid'] as const
const ofName = ['job-name', 'batch.kubernetes.io/job-name'] as const

/**
 * The selector of a Job, which the server makes, and the labels that it makes it of. Source: generateSelector of pkg/registry/batch/job,
 * validateGeneratedSelector of pkg/apis/batch/validation.
 */
function selected({ metadata, spec }: { metadata?: ObjectMeta; spec?: IndexedJob }, say: Say): void {
  const { manualSelector, selector, template } = spec ?? {}
  const labels = template?.metadata?.labels ?? {}
  const at = (key: string) => ['spec', 'template', 'metadata', 'labels', key]
  if (manualSelector) {
    if (!selector) say.lacks(['spec', 'selector'], 'and manualSelector is true')
    else if (
      !matchesSelector(selector, labels) &&
      ![...Object.values(selector.matchLabels ?? {}), ...Object.values(labels)].some(isPlaceholder)
    )
      say.conflict(['spec', 'selector'], 'does not match the labels of the pod template')
    return
  }
  const isKnown = (key: string) => say.minor >= 27 || !key.includes('/')
  for (const key of ofUid.filter(isKnown)) {
    const uid = ownValue(labels, key)
    if (uid !== undefined && !isPlaceholder(uid))
      say.conflict(at(key), 'is the uid of a Job, and the server gives every new Job one of its own')
  }
  const name = metadata?.name
  for (const key of ofName.filter(isKnown)) {
    const own = ownValue(labels, key)
    if (name && own !== undefined && own !== name && ![name, own].some(isPlaceholder))
      say.conflict(at(key), `is ${JSON.stringify(own)}, and the Job is called ${JSON.stringify(name)}`)
  }
  const given = [
    ...Object.keys(selector?.matchLabels ?? {}),
    ...(selector?.matchExpressions ?? []).map(({ key = '' }) => key),
  ]
  if (given.some((key) => !ofName.some((one) => one === key)))
    say.conflict(
      ['spec', 'selector'],
      'goes with manualSelector true only: the server makes one for every Job',
    )
}

/** Pods of an Indexed Job have its name and their index for host names. */
function indexed({ metadata, spec }: { metadata?: ObjectMeta; spec?: IndexedJob }, say: Say): void {
  const { completionMode, completions = 0 } = spec ?? {}
  const { name } = metadata ?? {}
  if (completionMode !== 'Indexed' || completions <= 0 || !name) return
  const host = `${name}-${completions - 1}`
  if (name.includes('.'))
    say.conflict(['metadata', 'name'], 'has a dot, and is part of the host names of Indexed pods')
  else if (host.length > 63 && !isPlaceholder(name))
    say.conflict(
      ['metadata', 'name'],
      `makes host names of ${host.length} characters with the index, and they have 63 at most`,
    )
}

/** The indexes of a text such as `0,2-4`; what is wrong with it otherwise. Source: validateIndexesFormat. */
function indexesIn(text: string, completions: number): number | string {
  let last = -1
  let total = 0
  for (const part of text === '' ? [] : text.split(',')) {
    const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? []
    if (from === undefined) return `is no list of indexes: ${JSON.stringify(text)}`
    const [first, end] = [Number(from), Number(to)]
    if (end >= completions) return `names the index ${end}, and completions is ${completions}`
    if (first <= last || (part.includes('-') && end <= first)) return `has to ascend: ${JSON.stringify(text)}`
    last = end
    total += end - first + 1
  }
  return total
}

/** More indexes than there are. */
function indexes({ completions, maxFailedIndexes, successPolicy }: IndexedJob, say: Say): void {
  if (completions === undefined) return
  if (maxFailedIndexes !== undefined && maxFailedIndexes > completions)
    say.conflict(['maxFailedIndexes'], `is ${maxFailedIndexes}, more than completions, ${completions}`)
  for (const [i, { succeededCount, succeededIndexes }] of (successPolicy?.rules ?? []).entries()) {
    const path = ['successPolicy', 'rules', i]
    if (succeededCount === undefined && succeededIndexes === undefined)
      say.conflict(path, 'needs one of succeededCount or succeededIndexes')
    const total = succeededIndexes === undefined ? undefined : indexesIn(succeededIndexes, completions)
    if (typeof total === 'string' && !isPlaceholder(succeededIndexes))
      say.conflict([...path, 'succeededIndexes'], total)
    if (typeof total === 'number' && (succeededCount ?? 0) > total)
      say.conflict(
        [...path, 'succeededCount'],
        `is ${succeededCount}, more than the ${total} of succeededIndexes`,
      )
    else if (succeededCount !== undefined && succeededCount > completions)
      say.conflict([...path, 'succeededCount'], `is ${succeededCount}, more than completions, ${completions}`)
  }
}

function noTimeZone(name: string): string {
  const meant = timeZoneMeant(name)
  return `is no time zone: ${JSON.stringify(name)}${meant === undefined ? '' : `, but ${meant} is one`}`
}

export const jobs: Checks = merged(
  {
    'batch.CronJobSpec': [
      on<Spec<CronJob>>((spec, say) => {
        const text = spec.schedule
        if (text && !isPlaceholder(text)) {
          if (!/TZ/.test(text)) {
            if (!isSchedule(text)) say.conflict(['schedule'], `is no schedule: ${JSON.stringify(text)}`, text)
          } else if (say.minor >= 29)
            say.conflict(['schedule'], 'names a time zone, which servers from 1.29 on take in timeZone only')
        }
        if (spec.timeZone && !isPlaceholder(spec.timeZone) && !isTimeZone(spec.timeZone))
          say.conflict(['timeZone'], noTimeZone(spec.timeZone))
      }),
    ],
    'batch.Job': [on(selected), on(indexed)],
    'batch.JobSpec': [
      on<Spec<Job>>((spec, say) => {
        pod(spec.template?.spec, say, ['template', 'spec'], { restart: ['Never', 'OnFailure'] })
        // Without either, both are 1.
        if (
          spec.completionMode === 'Indexed' &&
          spec.completions === undefined &&
          spec.parallelism !== undefined
        )
          say.lacks(['completions'], 'and completionMode is Indexed')
      }),
      on<IndexedJob>((spec, say) => {
        if (spec.completionMode !== 'Indexed')
          for (const field of ['backoffLimitPerIndex', 'maxFailedIndexes', 'successPolicy'] as const)
            if (spec[field] !== undefined) say.conflict([field], 'goes with completionMode Indexed only')
        if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined)
          say.lacks(['backoffLimitPerIndex'], 'and maxFailedIndexes is there')
        failurePolicy(spec, say)
        indexes(spec, say)
      }),
    ],
    'batch.JobTemplateSpec': [
      on<{ readonly spec?: IndexedJob }>(({ spec }, say) => {
        // Nothing is filled in here, and of a CronJob every Job needs a selector of its own.
        if (
          spec?.completionMode === 'Indexed' &&
          spec.completions === undefined &&
          spec.parallelism === undefined
        )
          say.lacks(['spec', 'completions'], 'and completionMode is Indexed')
        if (spec?.selector)
          say.conflict(['spec', 'selector'], 'cannot stand in a CronJob: every Job gets its own')
        else if (spec?.manualSelector) say.conflict(['spec', 'manualSelector'], 'cannot be true in a CronJob')
      }),
    ],
  },
  filled({ 'batch.CronJobSpec': ['timeZone'] }),
  prefixed({ 'batch.JobSpec': 'managedBy' }),
  choices({
    'batch.PodFailurePolicyRule': [1, 'onExitCodes', 'onPodConditions'],
  }),
)
