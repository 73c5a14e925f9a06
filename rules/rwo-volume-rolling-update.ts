import { at, intOrPercent, rule, set } from '../src/rule.js'

export default rule({
  title: 'The new pod waits for a volume that the old one holds',
  category: 'storage',
  severity: 'error',
  why: `A ReadWriteOnce volume is attached to one node at a time. A rolling update starts the new pod before
it stops the old one; when the new pod is placed on another node it waits for the volume, the old one waits
for the new one to be ready, and the rollout never ends. With several replicas the same happens to all but
the first.`,
  remedy: 'Use `strategy: {type: Recreate}`, or a StatefulSet with a claim per pod.',
  decides: `A Deployment or ReplicaSet that mounts a PersistentVolumeClaim of the input whose access modes
are only ReadWriteOnce or ReadWriteOncePod. With two or more pods at least it is an error where only
ReadWriteOncePod is allowed, else a warning: pods that happen to stand on one node share the volume. With
one pod it is a warning for a rolling update whose maxSurge is one or more (the default), which works only
while both pods land on one node.

Exempt: \`strategy: Recreate\`, maxSurge 0, claims mounted read-only, pods held on one node by selector or
affinity, and claims that the input does not show.`,
  sources: [
    'Kubernetes documentation, Persistent Volumes (access modes)',
    'kubernetes/pkg/controller/deployment/util/deployment_util.go',
  ],
  stories: ['zalando-misc-races', 'dfds-pvc-stuck'],
  for: ['Deployment', 'ReplicaSet'],
  check(subject, { graph, report }) {
    const workload = graph.workload(subject)
    const spec = subject.spec
    if (!workload || !spec || workload.controlled) return
    const fewest = graph.fewestPods(workload)
    const strategy = 'strategy' in spec ? spec.strategy : undefined
    const pinned =
      workload.pod.nodeName ||
      workload.pod.nodeSelector?.['kubernetes.io/hostname'] ||
      workload.pod.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.length
    if (!fewest || fewest.pods < 1 || pinned) return
    for (const volume of workload.pod.volumes ?? []) {
      const source = volume.persistentVolumeClaim
      const claim =
        source && !source.readOnly
          ? graph.find('PersistentVolumeClaim', source.claimName, subject)
          : undefined
      const modes = claim?.spec?.accessModes
      if (
        !source ||
        !claim?.spec ||
        !modes?.length ||
        !modes.every((mode) => mode === 'ReadWriteOnce' || mode === 'ReadWriteOncePod')
      )
        continue
      const see = [at(claim, claim.spec, 'accessModes', modes.join(', '))]
      if (fewest.pods > 1) {
        report(
          source,
          'claimName',
          `Only pods on one node get volume ${source.claimName ?? ''}: the other replicas of ${workload.name} hang in ContainerCreating (${fewest.pods} at least).`,
          {
            // Pods that happen to stand on one node share it, unless the mode allows one pod only.
            severity: modes.includes('ReadWriteOnce') ? 'warning' : 'error',
            see: [...see, at(fewest.of, fewest.node, fewest.field)],
          },
        )
        return
      }
      if (subject.kind !== 'Deployment' || strategy?.type === 'Recreate') return
      const surge = intOrPercent(strategy?.rollingUpdate?.maxSurge ?? '25%', fewest.pods, 'up') ?? 1
      if (surge < 1) return
      report(
        source,
        'claimName',
        `A rollout of ${workload.name} hangs when its new pod lands on another node: the old one still holds volume ${source.claimName ?? ''}.`,
        { severity: 'warning', see, fix: set(spec, 'strategy', { type: 'Recreate' }) },
      )
      return
    }
  },
})
