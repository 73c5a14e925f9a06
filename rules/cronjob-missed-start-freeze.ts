import {
  advise,
  at,
  countOf,
  type Fault,
  formatInterval,
  type Graph,
  type Live,
  type NoStart,
  neverStarts,
  type ObjectOf,
  rule,
  schedule,
  spanSince,
} from '../src/rule.js'

type CronJob = ObjectOf<'CronJob'>

/** How long a controller up to 1.20 sleeps between two looks, in seconds. Source: cronjob_controller.go of 1.20. */
const poll = 10

export default rule({
  title: 'A CronJob misses its starts',
  category: 'batch',
  severity: 'warning',
  why: `A start that the controller can't make within \`startingDeadlineSeconds\` is dropped: while it was
busy, restarted or down. With a deadline of a few seconds that is any delay at all. Controllers up to 1.20
look at each CronJob every 10 s, so that a shorter deadline may never be met, and stop for ever after more
than 100 missed starts. Nothing on the object turns red.`,
  remedy: 'Set `startingDeadlineSeconds` to a minute or more, below the time between two starts.',
  decides: `\`startingDeadlineSeconds\` below ${poll}: an error when it is 0, which no start meets, and for servers up to 1.20. For these also, as a
warning, one that is absent, and one that spans more than 100 starts. Asked for, the rule names an absent one for newer
servers, too: an info, as a missed run then starts late.

In a cluster an error when the last start is longer ago than two of the schedule's longest intervals, or when
there was none for as long after the creation; and a warning when the controller says that it did not start a run in time.

A warning when no day fits the schedule (\`0 0 31 4 *\`). Of 30 and 31 February only when asked, as an info: that is how
many write that a CronJob is only started by hand.

When no CronJob starts that is due as often as these, the first alone is reported: the controller is at fault.

Exempt: suspended CronJobs; in a cluster those with \`concurrencyPolicy: Forbid\` whose run still goes on.`,
  falsePositives:
    'A CronJob with `startingDeadlineSeconds` that was suspended until a moment ago waits for its next start.',
  versions:
    'The controller of 1.21 and later wakes up at each start, and after more than 100 missed ones only warns and starts once.',
  sources: [
    'kubernetes/pkg/controller/cronjob/cronjob_controllerv2.go (syncCronJob)',
    'kubernetes/pkg/controller/cronjob/utils.go (nextScheduleTime, mostRecentScheduleTime)',
  ],
  stories: ['xing-moving', 'lyft-cronjobs', 'datadog-10-ways'],
  for: 'CronJob',
  check(cronJob, { graph, minor, report }) {
    const { spec } = cronJob
    const plan = schedule(spec?.schedule ?? '')
    const none = plan ? undefined : neverStarts(spec?.schedule ?? '')
    if (spec && none && !spec.suspend) report(...neverFault(cronJob, spec, none, graph.live))
    if (!spec || !plan || spec.suspend) return
    const last = graph.live && idleSince(cronJob, graph.live, plan.longestInterval)
    const missed = graph.live ? missesOf(cronJob, graph.live) : []
    const name = cronJob.metadata?.name ?? ''
    const fault: Fault | undefined =
      graph.live && last !== undefined
        ? notStarted(cronJob, spec, { last, plan }, graph, graph.live)
        : missed.length > 0
          ? [
              spec,
              'schedule',
              `Runs of ${name} are left out: the controller did not start them in time.`,
              { evidence: missed.slice(0, 2) },
            ]
          : deadlineFault(cronJob, spec, plan, minor <= 20)
    if (fault) report(...fault)
  },
})

type Spec = NonNullable<CronJob['spec']>
type Plan = NonNullable<ReturnType<typeof schedule>>

/** One that does not start any more; where none starts, the first alone. */
function notStarted(
  cronJob: CronJob,
  spec: Spec,
  { last, plan }: { readonly last: number; readonly plan: Plan },
  graph: Graph,
  live: Live,
): Fault | undefined {
  const all = graph.once('cronjob-missed-start-freeze', () => idleTogether(graph.seen('CronJob'), live))
  if (all.length > 0 && all[0] !== cronJob) return undefined
  const name = cronJob.metadata?.name ?? ''
  const due = `one is due every ${formatInterval(plan.longestInterval)}`
  const events = live.eventsOf(cronJob).filter(({ involvedObject }) => involvedObject?.kind === 'CronJob')
  return [
    spec,
    'schedule',
    all.length > 0
      ? `No CronJob${ofOneNamespace(all, graph)} starts any more, ${name} and ${all.length - 1} others: no Jobs are made for them.`
      : cronJob.status?.lastScheduleTime === undefined
        ? `${name} has not started once since it was created ${spanSince(last, live)} ago, and ${due}.`
        : `${name} does not start any more: its last start was ${spanSince(last, live)} ago, and ${due}.`,
    {
      severity: 'error',
      evidence: events
        .slice(0, 3)
        .map(({ reason, message }) => `${reason ?? 'Event'}: ${(message ?? '').slice(0, 140)}`),
    },
  ]
}

/**
 * What follows from the deadline, or from its absence.
 * @param isOld up to 1.20
 */
function deadlineFault(cronJob: CronJob, spec: Spec, plan: Plan, isOld: boolean): Fault | undefined {
  const name = cronJob.metadata?.name ?? ''
  const { startingDeadlineSeconds: deadline } = spec
  const see = [at(cronJob, spec, 'schedule')]
  // The controller looks for the starts after now minus the deadline and up to now: with 0 there is none between the two.
  if (deadline === 0)
    return [
      spec,
      'startingDeadlineSeconds',
      `${name} never starts: with a deadline of 0 s the controller is too late for every start.`,
      { severity: 'error', see },
    ]
  if (deadline !== undefined && deadline < poll)
    return [
      spec,
      'startingDeadlineSeconds',
      isOld
        ? `${name} may never start: the controller looks every ${poll} s, and a start must be made within ${deadline} s.`
        : `A start of ${name} that the controller makes more than ${deadline} s late is dropped, for instance while it restarts.`,
      { severity: isOld ? 'error' : 'warning', see },
    ]
  if (!isOld && deadline === undefined)
    return [
      spec,
      'startingDeadlineSeconds',
      `A run of ${name} that an outage has prevented starts after it, however late: its start has no deadline.`,
      { severity: 'info', recommended: false, see },
    ]
  if (!isOld || (deadline !== undefined && deadline / plan.interval <= 100)) return undefined
  return [
    spec,
    'startingDeadlineSeconds',
    `After more than 100 missed starts, every ${formatInterval(plan.interval)} one, ${name} never starts again.`,
    { see },
  ]
}

/** A schedule that no day fits. Who writes 30 February means that the job is only started by hand. */
function neverFault(cronJob: CronJob, spec: Spec, { days, isMeant }: NoStart, live: Live | undefined): Fault {
  const why =
    days === undefined ? 'a field of its schedule is empty' : `no month of its schedule has ${days} days`
  return [
    spec,
    'schedule',
    `${cronJob.metadata?.name ?? ''} never starts: ${why}.`,
    {
      evidence: live ? saidOf(cronJob, live, ['InvalidSchedule']).slice(0, 1) : [],
      ...(isMeant && {
        severity: 'info',
        recommended: false,
        fix: advise('suspend: true, where it is only started by hand'),
      }),
    },
  ]
}

/** What the controller said of starts that it did not make in time. */
function missesOf(cronJob: CronJob, live: Live): string[] {
  return saidOf(cronJob, live, ['MissSchedule', 'TooManyMissedTimes', 'FailedNeedsStart'])
}

/** What the controller said of a CronJob, by the reasons of its events. Source: cronjob_controllerv2.go (syncCronJob). */
function saidOf(cronJob: CronJob, live: Live, reasons: readonly string[]): string[] {
  return live
    .eventsOf(cronJob)
    .filter(
      ({ reason, involvedObject }) => involvedObject?.kind === 'CronJob' && reasons.includes(reason ?? ''),
    )
    .map(
      (event) =>
        `${event.reason}${countOf(event) > 1 ? `, ${countOf(event)} times` : ''}: ${(event.message ?? '').slice(0, 140)}`,
    )
}

/** The time of the last start (or of the creation) when it is too long ago, in milliseconds since 1970. */
function idleSince({ status, spec, metadata }: CronJob, live: Live, interval: number): number | undefined {
  const last = Date.parse(status?.lastScheduleTime ?? metadata?.creationTimestamp ?? '')
  const waits = spec?.concurrencyPolicy === 'Forbid' && (status?.active?.length ?? 0) > 0
  // A minute more: the controller needs some seconds for each start.
  const late = live.now - last > (2 * interval + 60) * 1000
  return late && !waits ? last : undefined
}

/** ` of shop` when they are all of one namespace: of others nothing may be known. */
function ofOneNamespace(all: readonly CronJob[], graph: Graph): string {
  const [namespace, ...others] = new Set(all.map((one) => graph.namespaceOf(one)))
  return others.length > 0 ? '' : ` of ${namespace}`
}

/** All CronJobs that are due, when three of them or more don't start and none does; else nothing. */
function idleTogether(cronJobs: readonly CronJob[], live: Live | undefined): readonly CronJob[] {
  const due = cronJobs.flatMap((cronJob) => {
    const plan = schedule(cronJob.spec?.schedule ?? '')
    if (!live || !plan || cronJob.spec?.suspend) return []
    const { longestInterval } = plan
    return [{ cronJob, longestInterval, idle: idleSince(cronJob, live, longestInterval) !== undefined }]
  })
  const idle = due.filter((one) => one.idle)
  const longest = Math.max(0, ...idle.map((one) => one.longestInterval))
  const runs = due.some((one) => !one.idle && one.longestInterval <= longest)
  return idle.length > 2 && !runs ? idle.map(({ cronJob }) => cronJob) : []
}
