/**
 * From when on something in a cluster is trouble: the default of the rule that tells of it, and for `pod-unready`,
 * which tells of what no other rule does.
 */
export const patience = {
  /** Restarts of a container a day, of `crashloop-restart-storm`. */
  restarts: 5,
  /** Minutes without a ready pod, of `service-without-ready-endpoints`. */
  deadService: 10,
  /** How long a run goes on, of `job-without-deadline`: a Go duration. */
  hungRun: '6h',
  /** The same in intervals of its schedule; the longer of the two counts. */
  hungIntervals: 3,
  /** Seconds in which a role or an account may follow its binding, of both rules about such. */
  lateSubject: 600,
  /** How many of its durations a Lease is not renewed, of `leader-lease-stale`. */
  leaseDurations: 4,
} as const
