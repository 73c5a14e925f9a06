/** Jobs and CronJobs. */
import type { CronJob, Job, PodTemplateSpec } from '../../kubernetes.js'
import { isSchedule } from '../../values/schedule.js'
import { isPlaceholder } from '../format.js'
import { choices, filled, prefixed } from './forms.js'
import { pod } from './pods.js'
import { type Checks, merged, on, type Say, type Spec } from './say.js'

interface IndexedJob {
  readonly completionMode?: string
  readonly completions?: number
  readonly parallelism?: number
  readonly manualSelector?: boolean
  readonly selector?: object
  readonly backoffLimitPerIndex?: number
  readonly maxFailedIndexes?: number
  readonly podFailurePolicy?: { readonly rules?: readonly FailureRule[] }
  readonly podReplacementPolicy?: string
  readonly successPolicy?: { readonly rules?: readonly SuccessRule[] }
  readonly template?: PodTemplateSpec
}

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

/** More indexes than there are. */
function indexes({ completions, maxFailedIndexes, successPolicy }: IndexedJob, say: Say): void {
  if (completions === undefined) return
  if (maxFailedIndexes !== undefined && maxFailedIndexes > completions)
    say.conflict(['maxFailedIndexes'], `is ${maxFailedIndexes}, more than completions, ${completions}`)
  for (const [i, { succeededCount, succeededIndexes }] of (successPolicy?.rules ?? []).entries()) {
    const path = ['successPolicy', 'rules', i]
    if (succeededCount === undefined && succeededIndexes === undefined)
      say.conflict(path, 'needs one of succeededCount or succeededIndexes')
    else if (succeededCount !== undefined && succeededCount > completions)
      say.conflict([...path, 'succeededCount'], `is ${succeededCount}, more than completions, ${completions}`)
  }
}

/** Whether Go knows the time zone, as far as this program can tell. */
function isTimeZone(name: string): boolean {
  try {
    return /^[\w/.+-]+$/.test(name) && Boolean(new Intl.DateTimeFormat('en', { timeZone: name }))
  } catch {
    return false
  }
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
          say.conflict(['timeZone'], `is no time zone: ${JSON.stringify(spec.timeZone)}`)
      }),
    ],
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
        if (spec?.selector && !spec.manualSelector)
          say.conflict(['spec', 'selector'], 'cannot stand in a CronJob: every Job gets its own')
      }),
    ],
  },
  filled({ 'batch.CronJobSpec': ['timeZone'] }),
  prefixed({ 'batch.JobSpec': 'managedBy' }),
  choices({
    'batch.PodFailurePolicyRule': [1, 'onExitCodes', 'onPodConditions'],
  }),
)
