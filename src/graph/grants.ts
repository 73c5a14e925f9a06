/** Which objects the pods of the input may make while they run: no manifest has those. */
import type { Role } from '../kubernetes.js'
import { groupBy } from '../values/group.js'
import { lazy, memo } from '../values/lazy.js'
import { isChosen, isNear } from './belonging.js'
import type { Objects, ResourceOf } from './objects.js'
import type { Resource } from './resource.js'
import { accountOf } from './workload.js'

/** A kind whose objects controllers make. */
export type MadeKind = 'Pod' | 'ConfigMap' | 'PersistentVolumeClaim' | 'Secret' | 'Service' | 'ServiceAccount'

interface Grant {
  readonly group: string
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
}

const creating = (resource: string): readonly Grant[] => [
  { group: '', resources: [resource], verbs: ['create'] },
]

/** What makes objects of a kind. Who may change a pod may label it, as its leader for instance. */
const grantsFor: Readonly<Record<MadeKind, readonly Grant[]>> = {
  Pod: [
    { group: '', resources: ['pods'], verbs: ['create', 'patch', 'update'] },
    {
      group: 'apps',
      resources: ['daemonsets', 'deployments', 'replicasets', 'statefulsets'],
      verbs: ['create'],
    },
    { group: 'batch', resources: ['cronjobs', 'jobs'], verbs: ['create'] },
  ],
  ConfigMap: creating('configmaps'),
  PersistentVolumeClaim: creating('persistentvolumeclaims'),
  Secret: creating('secrets'),
  Service: creating('services'),
  ServiceAccount: creating('serviceaccounts'),
}

/** Roles of every cluster that allow to make all of these. */
const builtIn: ReadonlySet<string | undefined> = new Set(['admin', 'cluster-admin', 'edit'])

type Binding = ResourceOf<'RoleBinding'> | ResourceOf<'ClusterRoleBinding'>

/**
 * Whether pods of the input may make objects of a kind beside one: those that belong together with it, and others that a
 * role of its namespace is bound to. What operators may do in the rest of the cluster says nothing of what they do.
 */
export function grants(objects: Objects): (kind: MadeKind, near: Resource) => boolean {
  const byAccount = lazy(() => groupBy(objects.workloads, ({ pod }) => accountOf(pod)))
  /** The workloads that run under the accounts of a binding. */
  const usersOf = memo((binding: Binding) =>
    (binding.value.subjects ?? []).flatMap(({ kind, name = '', namespace = binding.namespace }) =>
      kind === 'ServiceAccount'
        ? (byAccount().get(name) ?? [])
            .map(objects.resource)
            .filter((user) => maybeBeside({ ...binding, namespace }, user))
        : [],
    ),
  )
  /** Beside what they may make objects of a kind. */
  const placesOf = memo((kind: MadeKind) =>
    [...objects.ofKind('RoleBinding'), ...objects.ofKind('ClusterRoleBinding')].flatMap(
      (binding: Binding) => {
        if (!allows(binding, grantsFor[kind], objects)) return []
        const users = usersOf(binding)
        return binding.kindName === 'RoleBinding' && users.length > 0 ? [binding] : users
      },
    ),
  )
  return (kind, near) => placesOf(kind).some((place) => maybeBeside(place, near))
}

/** Whether the role of a binding allows one of these. */
function allows({ value, namespace }: Binding, wanted: readonly Grant[], objects: Objects): boolean {
  const { kind, name = '' } = value.roleRef ?? {}
  const roles =
    kind === 'Role' ? objects.named('Role', namespace, name) : objects.named('ClusterRole', '', name)
  if (kind === 'ClusterRole' && roles.length === 0) return builtIn.has(name)
  return roles.some((role) => role.value.rules?.some((one) => wanted.some((grant) => includes(one, grant))))
}

type Rule = NonNullable<Role['rules']>[number]

function includes({ apiGroups = [], resources = [], verbs = [] }: Rule, grant: Grant): boolean {
  const has = (list: readonly string[], wanted: readonly string[]) =>
    list.some((one) => one === '*' || wanted.includes(one))
  return has(apiGroups, [grant.group]) && has(resources, grant.resources) && has(verbs, grant.verbs)
}

/** Whether two objects may be of one namespace: where it is left open, only near files are. */
function maybeBeside(a: Resource, b: Resource): boolean {
  if (isChosen(a.namespace) && isChosen(b.namespace)) return a.namespace === b.namespace
  return (
    isNear(a.folders, b.folders) && (a.namespace === '' || b.namespace === '' || a.namespace === b.namespace)
  )
}
