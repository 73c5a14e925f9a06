import {
  atMost,
  counted,
  type Graph,
  isKind,
  objectsAt,
  type PersistentVolume,
  type PersistentVolumeClaim,
  rule,
  spanSince,
  stringAt,
} from '../src/rule.js'

export default rule({
  title: 'A claim has lost its volume, or a volume could not be given back',
  category: 'storage',
  severity: 'error',
  why: `A claim that was bound keeps the name of its PersistentVolume. When that object is deleted, or bound to another
claim, the claim is \`Lost\`: pods that have it mounted may go on, and none is placed with it any more. The
disk itself may still exist, with the policy \`Retain\` or where the object alone was deleted. A volume is \`Failed\`
when its claim is gone and the disk could not be deleted: it stays, with the data, and mostly is paid for.`,
  remedy:
    'Lost: look for the disk before anything else is deleted, and make a PersistentVolume of the same name for it, or restore a backup into a new claim. Failed: follow the message, and delete disk and object.',
  decides: `The phase of a PersistentVolumeClaim is \`Lost\`. A warning: the phase of PersistentVolumes has been \`Failed\`
for \`minutes\` (a disk that is still attached is tried again soon); those of one class are one finding.

Claims that wait for their first pod (\`WaitForFirstConsumer\`) or to be provisioned are \`Pending\` and exempt.`,
  versions: 'How long a volume has been in its phase is known from 1.29 on; before, it counts at once.',
  sources: [
    'kubernetes/pkg/controller/volume/persistentvolume/pv_controller.go (syncBoundClaim, deleteVolumeOperation)',
    'kubernetes/pkg/scheduler/framework/plugins/volumebinding/volume_binding.go',
  ],
  stories: [],
  needs: 'cluster',
  params: {
    minutes: {
      type: 'integer',
      minimum: 0,
      default: 60,
      about: 'How long the deletion of a volume may fail.',
    },
  },
  for: ['PersistentVolumeClaim', 'PersistentVolume'],
  check(subject, { graph, params, report }) {
    const { live } = graph
    const { status } = subject
    if (!live || !status) return
    if (isKind(subject, 'PersistentVolumeClaim')) {
      if (status.phase !== 'Lost') return
      report(
        status,
        'phase',
        `No pod starts with claim ${subject.metadata?.name ?? ''} any more: ${lossOf(subject, graph)}.`,
        {
          evidence: [
            ...live
              .eventsOf(subject)
              .flatMap(({ message }) => message ?? [])
              .slice(0, 1),
            ...atMost(3, usersOf(subject, graph)),
          ],
        },
      )
      return
    }
    const failed = graph.once(`volumes failed for ${params.minutes} min`, () =>
      graph
        .all('PersistentVolume')
        .filter(
          (one) => one.status?.phase === 'Failed' && !(live.now - failedAt(one) < params.minutes * 60_000),
        ),
    )
    const alike = failed.filter((one) => one.spec?.storageClassName === subject.spec?.storageClassName)
    if (alike[0] !== subject) return
    const oldest = Math.min(...alike.map(failedAt).filter((time) => time > 0))
    const span = Number.isFinite(oldest)
      ? `, for ${alike.length > 1 ? 'up to ' : ''}${spanSince(oldest, live)}`
      : ''
    const named = subject.spec?.storageClassName ? ` of class ${subject.spec.storageClassName}` : ''
    report(
      status,
      'phase',
      `${alike.length === 1 ? `The disk of volume ${subject.metadata?.name ?? ''} is` : `The disks of ${counted(alike.length, 'volume')}${named} are`} still there, with the data: deleting fails${span}.`,
      { severity: 'warning', evidence: atMost(3, alike.map(lineOf)) },
    )
  },
})

/** What has become of the claim's volume. */
function lossOf(claim: PersistentVolumeClaim, graph: Graph): string {
  const name = claim.spec?.volumeName
  if (!name) return 'it has lost the name of its PersistentVolume'
  const volume = graph.seen('PersistentVolume').find(({ metadata }) => metadata?.name === name)
  const { namespace, name: other } = volume?.spec?.claimRef ?? {}
  return volume
    ? `its volume ${name} belongs to claim ${namespace}/${other}`
    : `its PersistentVolume ${name} is lost`
}

/** When the volume failed, in milliseconds since 1970; 0 when it does not say. */
function failedAt({ status }: PersistentVolume): number {
  return Date.parse(status?.lastPhaseTransitionTime ?? '') || 0
}

function lineOf({ metadata, status }: PersistentVolume): string {
  const message = (status?.message ?? status?.reason ?? '').trim().slice(0, 200)
  return `${metadata?.name ?? ''}${message ? `: ${message}` : ''}`
}

const kinds = ['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob', 'Job', 'Pod'] as const

/** The workloads whose pods mount a claim, by their templates. */
function usersOf(claim: PersistentVolumeClaim, graph: Graph): readonly string[] {
  const { name = '' } = claim.metadata ?? {}
  const users = kinds
    .flatMap((kind) => graph.seen(kind).flatMap((object) => graph.workload(object) ?? []))
    .filter((workload) => graph.namespaceOf(workload.object) === graph.namespaceOf(claim))
    .filter(
      (workload) =>
        graph
          .referencesOf(workload)
          .some((one) => one.kind === 'PersistentVolumeClaim' && one.name === name) ||
        isOfTemplate(name, workload.object),
    )
  return users.map(({ kind, name: user }) => `used by ${kind} ${user}`)
}

/** Whether a StatefulSet made a claim of that name: `data-db-0`. */
function isOfTemplate(name: string, object: object): boolean {
  const owner = stringAt(object, 'metadata', 'name') ?? ''
  return objectsAt(object, 'spec', 'volumeClaimTemplates').some((template) => {
    const start = `${stringAt(template, 'metadata', 'name') ?? ''}-${owner}-`
    return name.startsWith(start) && /^\d+$/.test(name.slice(start.length))
  })
}
