/** Jobs and CronJobs. */
import { schedule } from '../../graph/schedule.js'
import type { CronJob, Job } from '../../kubernetes.js'
import { isPlaceholder } from '../format.js'
import { choices } from './forms.js'
import { pod } from './pods.js'
import { type Checks, merged, on, type Spec } from './say.js'

interface IndexedJob {
  readonly completionMode?: string
  readonly backoffLimitPerIndex?: number
  readonly maxFailedIndexes?: number
  readonly podFailurePolicy?: object
  readonly successPolicy?: object
  readonly template?: { readonly spec?: { readonly restartPolicy?: string } }
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
            if (!schedule(text)) say.conflict(['schedule'], `is no schedule: ${JSON.stringify(text)}`)
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
        const { restartPolicy } = spec.template?.spec ?? {}
        if (spec.podFailurePolicy && restartPolicy === 'OnFailure')
          say.conflict(['podFailurePolicy'], 'goes with restartPolicy Never only')
      }),
    ],
  },
  choices({
    'batch.PodFailurePolicyRule': [1, 'onExitCodes', 'onPodConditions'],
  }),
)
