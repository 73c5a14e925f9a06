import {
  configurationsIn,
  etcdBackupAnnotation,
  type Fault,
  type Graph,
  imageParts,
  isWorkload,
  type KubernetesObject,
  objectAt,
  rule,
  stringAt,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'Nothing saves the state of etcd',
  category: 'control-plane',
  severity: 'error',
  why: `etcd holds the whole cluster. One wrong range delete or a lost disk without a snapshot is the end of
it: every object has to be made again from whatever repositories exist.`,
  remedy: 'Save a snapshot to another machine on a schedule, and try the restore.',
  decides: `An etcd pod, Deployment or StatefulSet in kube-system (or a kubeadm ClusterConfiguration with local
etcd), or an EtcdCluster of an operator, and no object that takes snapshots. That is a workload whose command runs
\`snapshot save\` or whose image or name matches \`backupPatterns\`, a Velero Schedule, an EtcdBackup or
EtcdBackupSchedule of an operator, or a Backup of OpenShift. etcd of an application, in another namespace, is a
warning, and so is all etcd of a running cluster: what its machines do is not visible there.

In input that is not declared complete it is reported only where the rule is asked for, as a warning: the backup may
be declared elsewhere.

Exempt: etcd-manager of kops (it keeps snapshots by itself), and the annotation \`k8s-af.dev/etcd-backup\` on the
Namespace kube-system, for backups from outside.`,
  falsePositives:
    'A backup on the machine itself (a systemd timer, a snapshot of the disk) is not visible: set the annotation.',
  sources: [
    'etcd documentation, disaster recovery',
    'kubernetes/cmd/kubeadm/app/apis/kubeadm/v1beta4/types.go (Etcd)',
  ],
  stories: [
    'zalando-etcd-delete',
    'oath-101-ways',
    'reddit-pi-day',
    'spotify-deleted-clusters',
    'skyscanner-gitops-prune',
  ],
  params: {
    backupPatterns: {
      type: 'array',
      items: { type: 'string' },
      default: [
        'snapshot save',
        'snapshot", "save',
        'etcd-backup',
        'etcdbr',
        'etcd-manager',
        'etcd-snapshot',
      ],
      about: 'Texts in names, images and commands that tell a backup.',
    },
  },
  for: [
    'Workload',
    'kubeadm.k8s.io/ClusterConfiguration',
    'ConfigMap',
    'etcd.database.coreos.com/EtcdCluster',
    'operator.etcd.io/EtcdCluster',
  ],
  check(subject, { graph, params, report, isAsked }) {
    // A scan of one namespace sees too little.
    if (!graph.complete && (graph.live || !isAsked)) return
    const faults = isWorkload(subject)
      ? faultsOfPods(subject, graph)
      : subject.kind === 'EtcdCluster'
        ? faultsOfOperated(subject, graph)
        : faultsOfKubeadm(subject, graph)
    if (faults.length === 0) return
    if (graph.once('etcd-backup', () => hasBackup(graph, params.backupPatterns))) return
    for (const fault of faults) report(...fault)
  },
})

/** An etcd that an operator runs. */
function faultsOfOperated(cluster: KubernetesObject, graph: Graph): readonly Fault[] {
  const message = `A wrong delete or a lost disk ends what this etcd holds: nothing in ${graph.source} saves snapshots of ${cluster.metadata?.name}.`
  return [[cluster, 'spec', message, { severity: 'warning', recommended: graph.complete }]]
}

/** The etcd of a cluster that kubeadm is to make. The configuration that it leaves in one is not asked: the pods of its etcd tell. */
function faultsOfKubeadm(subject: KubernetesObject, graph: Graph): readonly Fault[] {
  if (graph.live && graph.workloads.some(isMember)) return []
  return configurationsIn(subject, 'kubeadm.k8s.io/ClusterConfiguration').flatMap(
    ({ value, place }): readonly Fault[] => {
      if (objectAt(value, 'etcd', 'external')) return []
      // Local etcd is the default of kubeadm, but a part of a configuration leaves it out, too.
      const local = objectAt(value, 'etcd', 'local')
      const isCertain = graph.complete && local !== undefined
      return [
        [
          ...place(local ?? value, undefined),
          `A wrong delete or a lost disk ends this cluster: nothing in ${graph.source} saves its local etcd.`,
          { severity: isCertain ? 'error' : 'warning', recommended: isCertain },
        ],
      ]
    },
  )
}

/** An etcd in pods. The members of the cluster's own one on other machines are one with the first. */
function faultsOfPods(workload: Workload, graph: Graph): readonly Fault[] {
  if (!isEtcd(workload) || (isMember(workload) && graph.workloads.find(isMember) !== workload)) return []
  const isOwn = workload.namespace === 'kube-system'
  return [
    [
      workload.object,
      undefined,
      `A wrong delete or a lost disk ends ${isOwn ? 'this cluster' : 'what this etcd holds'}: nothing in ${graph.source} saves snapshots of ${workload.name}.`,
      // A timer on the machine is not visible in a cluster, but often there.
      { severity: isOwn && graph.complete && !graph.live ? 'error' : 'warning', recommended: graph.complete },
    ],
  ]
}

function isEtcd({ batch, running }: Workload): boolean {
  return !batch && running.some(({ image }) => image && imageParts(image).name === 'etcd')
}

/** A static pod of the cluster's own etcd. */
function isMember(workload: Workload): boolean {
  return (
    isEtcd(workload) &&
    workload.kind === 'Pod' &&
    workload.namespace === 'kube-system' &&
    workload.labels.component === 'etcd'
  )
}

function hasBackup(graph: Graph, patterns: readonly string[]): boolean {
  const declared = graph
    .all('Namespace')
    .some(
      (one) =>
        one.metadata?.name === 'kube-system' &&
        one.metadata.annotations?.[etcdBackupAnnotation] !== undefined,
    )
  const kinds = [
    'velero.io/Schedule',
    'etcd.database.coreos.com/EtcdBackup',
    'etcd.aenix.io/EtcdBackupSchedule',
    'config.openshift.io/Backup',
  ] as const
  return (
    declared ||
    kinds.some((kind) => graph.all(kind).length > 0) ||
    graph.workloads.some((workload) => {
      const text = JSON.stringify([
        workload.name,
        workload.containers.map(({ spec }) => [spec.image, spec.command, spec.args]),
      ]).replaceAll('","', '", "')
      return patterns.some(
        (pattern) => text.includes(pattern) || text.includes(pattern.replaceAll('"', '\\"')),
      )
    }) ||
    graph.objects.some(
      (one) => one.kind === 'Cluster' && stringAt(one, 'apiVersion')?.startsWith('kops.k8s.io/'),
    )
  )
}
