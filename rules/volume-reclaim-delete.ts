import {
  arrayAt,
  at,
  type Graph,
  groupBy,
  imageNamed,
  isKind,
  type ObjectOf,
  objectAt,
  type PersistentVolume,
  rule,
  type StatefulSet,
  set,
  valueAt,
  type Workload,
} from '../src/rule.js'

type Template = NonNullable<NonNullable<StatefulSet['spec']>['volumeClaimTemplates']>[number]

export default rule({
  title: "A database's volumes are deleted with it",
  category: 'storage',
  severity: 'warning',
  why: `Claims of a StatefulSet outlive it by default, so that a wrong delete can be taken back. With
\`persistentVolumeClaimRetentionPolicy\` the controller makes the StatefulSet their owner: its deletion, or
that of the pods that a scale-down removes, deletes the claims. A volume with the policy \`Delete\` goes with its
claim, disk and all; so it does when the namespace is deleted.`,
  remedy: 'Keep claims and volumes of databases with Retain, and clean up by hand.',
  decides: `A StatefulSet with an image of \`images\`, claim templates, and \`whenDeleted: Delete\` or \`whenScaled:
Delete\`; where the rule is asked for, one with any image is an info. It is silent where the StorageClass, or in a
cluster every volume, has \`Retain\`, and in namespaces that a Schedule of Velero saves.

With \`storageClasses\` also an info for databases (Deployments, too, with the claims that they mount) whose
StorageClass or volumes have the policy \`Delete\`, the default of provisioned volumes: what a deleted namespace
takes along.`,
  falsePositives: 'Databases that can be made again from elsewhere, and clusters for tests.',
  versions: 'The retention policy is on by default since 1.27 and stable since 1.32.',
  sources: ['k8s.io/api/apps/v1/types.go', 'kubernetes/pkg/apis/storage/v1/defaults.go'],
  stories: ['skyscanner-gitops-prune', 'spotify-deleted-clusters', 'oath-101-ways', 'gravitational-postgres'],
  params: {
    images: {
      type: 'array',
      items: { type: 'string' },
      default: [
        'postgres',
        'postgresql',
        'mysql',
        'mariadb',
        'mongo',
        'mongodb',
        'cassandra',
        'elasticsearch',
        'opensearch',
        'kafka',
        'etcd',
        'clickhouse',
        'cockroach',
      ],
      about: 'Parts of image names of databases.',
    },
    storageClasses: {
      type: 'boolean',
      default: false,
      asked: true,
      about: 'Report databases whose volumes go with their claims, too.',
    },
  },
  for: ['StatefulSet', 'Deployment'],
  check(subject, { graph, params, report }) {
    if (isSaved(graph.namespaceOf(subject), graph)) return
    if (isKind(subject, 'Deployment')) {
      const workload = graph.workload(subject)
      const isDatabase = workload?.running.some(({ image }) => imageNamed(image, params.images))
      const found = workload && params.storageClasses && isDatabase ? mountedFate(workload, graph) : undefined
      if (found)
        report(
          found.source,
          'claimName',
          `The data of ${workload?.name} is deleted with claim ${found.source.claimName} or its namespace: the class of its volume has the reclaim policy Delete.`,
          { severity: 'info', see: [at(found.of, found.of, 'reclaimPolicy')] },
        )
      return
    }
    const { spec } = subject
    const workload = graph.workload(subject)
    const templates = spec?.volumeClaimTemplates ?? []
    if (!spec || !workload) return
    const isDatabase = workload.running.some(({ image }) => imageNamed(image, params.images))
    const name = subject.metadata?.name ?? 'this database'
    const fates = templates.map((template) => fateOf(template, subject, graph))
    if (fates.every(({ policy }) => policy === 'Retain')) return
    const retention = spec.persistentVolumeClaimRetentionPolicy
    const field = (['whenDeleted', 'whenScaled'] as const).find((one) => retention?.[one] === 'Delete')
    if (retention && field) {
      report(
        retention,
        field,
        field === 'whenDeleted'
          ? `The data of ${name} is deleted with the StatefulSet: its claims go with it.`
          : `The data of the last pods of ${name} is deleted when it is scaled down: their claims go with them.`,
        {
          severity: isDatabase ? 'warning' : 'info',
          recommended: isDatabase,
          fix: set(retention, field, 'Retain'),
        },
      )
      return
    }
    const fate = fates.find(({ policy }) => policy === 'Delete')
    if (!params.storageClasses || !isDatabase || !fate) return
    const { template } = fate
    report(
      template.spec ?? template,
      template.spec?.storageClassName ? 'storageClassName' : undefined,
      `The data of ${name} is deleted with its namespace: its volumes have the reclaim policy Delete.`,
      {
        severity: 'info',
        see: fate.of ? [at(fate.of, fate.of, 'reclaimPolicy')] : [],
        evidence: fate.volumes
          .slice(0, 3)
          .map(({ metadata }) => `PersistentVolume ${metadata?.name}: Delete`),
      },
    )
  },
})

/** Whether a schedule of Velero saves the namespace. */
function isSaved(namespace: string, graph: Graph): boolean {
  return graph.seen('velero.io/Schedule').some((one) => {
    const template = objectAt(one, 'spec', 'template')
    const included = arrayAt(template, 'includedNamespaces')
    const excluded = arrayAt(template, 'excludedNamespaces')
    const isIn = included.length === 0 || included.includes('*') || included.includes(namespace)
    return isIn && !excluded.includes(namespace) && valueAt(one, 'spec', 'paused') !== true
  })
}

/** The first claim of the input that a workload mounts and whose class deletes volumes. */
function mountedFate({ pod, object }: Workload, graph: Graph) {
  for (const { persistentVolumeClaim: source } of pod.volumes ?? []) {
    const claim = source && graph.find('PersistentVolumeClaim', source.claimName, object)
    const className = claim?.spec?.storageClassName
    const of = className ? graph.find('StorageClass', className, object, '') : undefined
    if (source && of && (of.reclaimPolicy ?? 'Delete') === 'Delete') return { source, of }
  }
  return undefined
}

/** What happens to the volumes of a claim template, as far as it is known: their own policy, or that of their class. */
function fateOf(template: Template, owner: StatefulSet, graph: Graph) {
  const namespace = graph.namespaceOf(owner)
  const prefix = `${template.metadata?.name}-${owner.metadata?.name}-`
  const bound = graph.live ? volumesOf(graph).get(namespace) : undefined
  const own = (bound ?? []).filter(({ spec }) => {
    const claim = spec?.claimRef?.name ?? ''
    return claim.startsWith(prefix) && /^\d+$/.test(claim.slice(prefix.length))
  })
  const volumes = own.filter(({ spec }) => spec?.persistentVolumeReclaimPolicy === 'Delete')
  if (own.length > 0)
    return { policy: volumes.length > 0 ? 'Delete' : 'Retain', of: undefined, volumes, template } as const
  const className = template.spec?.storageClassName
  const of: ObjectOf<'StorageClass'> | undefined = className
    ? graph.find('StorageClass', className, owner, '')
    : undefined
  return { policy: of && (of.reclaimPolicy ?? 'Delete'), of, volumes, template } as const
}

/** The bound volumes by the namespace of their claims. */
function volumesOf(graph: Graph): ReadonlyMap<string, readonly PersistentVolume[]> {
  return graph.once('volume-reclaim-delete: volumes by namespace', () =>
    groupBy(graph.all('PersistentVolume'), ({ spec }) => spec?.claimRef?.namespace ?? ''),
  )
}
