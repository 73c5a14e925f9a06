/** What Velero has saved. Source: velero/pkg/apis/velero/v1. */
import type { Custom } from '../kubernetes.js'
import { arrayAt, numberAt, stringAt, valueAt } from '../values/untyped.js'
import type { Graph } from './graph.js'

/** A backup, as far as it has come. */
export interface VeleroBackup {
  readonly name: string
  readonly phase: string
  /** When it ended or, until then, began, in milliseconds since 1970. */
  readonly at: number
  /** What could not be saved, as a number of messages. */
  readonly errors: number
  /** Why it was refused or failed, in Velero's words. */
  readonly reason: string | undefined
}

/** The backups that a schedule made and that have not expired, the newest first. */
export function veleroBackups(schedule: Custom, graph: Graph): readonly VeleroBackup[] {
  return graph
    .siblings('velero.io/Backup', schedule)
    .filter(({ metadata }) => metadata?.labels?.['velero.io/schedule-name'] === schedule.metadata?.name)
    .map(({ metadata, ...backup }): VeleroBackup => {
      const time = (field: string) => stringAt(backup, 'status', field)
      return {
        name: metadata?.name ?? '',
        phase: stringAt(backup, 'status', 'phase') ?? 'New',
        at:
          Date.parse(
            time('completionTimestamp') ?? time('startTimestamp') ?? metadata?.creationTimestamp ?? '',
          ) || 0,
        errors: numberAt(backup, 'status', 'errors') ?? 0,
        reason:
          time('failureReason') ??
          arrayAt(backup, 'status', 'validationErrors').find((one) => typeof one === 'string'),
      }
    })
    .sort((a, b) => b.at - a.at)
}

/**
 * Where a schedule's backups go. What names no location takes the one that is marked as default, or the one that the
 * server is told to take: `default`, as far as objects show.
 */
export function veleroLocation(schedule: Custom, graph: Graph): Custom | undefined {
  const locations = graph.siblings('velero.io/BackupStorageLocation', schedule)
  const name = stringAt(schedule, 'spec', 'template', 'storageLocation')
  return name
    ? locations.find(({ metadata }) => metadata?.name === name)
    : (locations.find((one) => valueAt(one, 'spec', 'default') === true) ??
        locations.find(({ metadata }) => metadata?.name === 'default'))
}
