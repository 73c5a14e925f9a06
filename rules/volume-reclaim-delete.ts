import {
  at,
  type Graph,
  groupBy,
  imageNamed,
  type ObjectOf,
  type PersistentVolume,
  rule,
  type StatefulSet,
  set,
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
Delete\`. It is silent where the StorageClass, or in a cluster every volume, has \`Retain\`.

With \`storageClasses\` also an info for databases whose StorageClass or volumes have the policy \`Delete\`, the
default of provisioned volumes: what a deleted namespace takes along.`,
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
  for: 'StatefulSet',
  check(subject, { graph, params, report }) {
    const { spec } = subject
    const workload = graph.workload(subject)
    const templates = spec?.volumeClaimTemplates ?? []
    const [template] = templates
    if (!spec || !template || !workload?.running.some(({ image }) => imageNamed(image, params.images))) return
    const name = subject.metadata?.name ?? 'this database'
    const fates = templates.map((one) => fateOf(one, subject, graph))
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
        { fix: set(retention, field, 'Retain') },
      )
      return
    }
    const fate = fates.find(({ policy }) => policy === 'Delete')
    if (!params.storageClasses || !fate) return
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
    return { policy: volumes.length > 0 ? 'Delete' : 'Retain', of: undefined, volumes } as const
  const className = template.spec?.storageClassName
  const of: ObjectOf<'StorageClass'> | undefined = className
    ? graph.find('StorageClass', className, owner, '')
    : undefined
  return { policy: of && (of.reclaimPolicy ?? 'Delete'), of, volumes } as const
}

/** The bound volumes by the namespace of their claims. */
function volumesOf(graph: Graph): ReadonlyMap<string, readonly PersistentVolume[]> {
  return graph.once('volume-reclaim-delete: volumes by namespace', () =>
    groupBy(graph.all('PersistentVolume'), ({ spec }) => spec?.claimRef?.namespace ?? ''),
  )
}
