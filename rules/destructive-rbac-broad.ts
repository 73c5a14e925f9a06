import { at, type ClusterRole, type ClusterRoleBinding, type Graph, rule, rulesOf } from '../src/rule.js'

/** What takes others with it when it is deleted, by API group. */
const precious: ReadonlyMap<string, readonly string[]> = new Map([
  ['', ['nodes', 'namespaces', 'persistentvolumes', '*']],
  ['apiextensions.k8s.io', ['customresourcedefinitions', '*']],
  ['*', ['nodes', 'namespaces', 'persistentvolumes', 'customresourcedefinitions', '*']],
])
const deletes = ['delete', 'deletecollection', '*']
const everybody = ['system:authenticated', 'system:serviceaccounts', 'system:unauthenticated']

export default rule({
  title: 'A routine identity may delete nodes, namespaces or everything',
  category: 'identity',
  severity: 'warning',
  why: `One mistyped command, one wrong context or one defect of a script removes what its identity may
remove. With cluster-admin in daily use that is the cluster: namespaces take all their objects with them,
volumes their data, a definition every object of its kind.`,
  remedy:
    'Give people a role for reading and one for their namespaces, and keep cluster-admin for emergencies.',
  decides: `A ClusterRoleBinding to cluster-admin, or to a ClusterRole of the input that may, by itself or by those
that it aggregates, delete nodes, namespaces, persistentvolumes, customresourcedefinitions or everything in their
API groups. An error for groups that everybody is in; a warning for other users and groups that are not in
\`breakGlass\`, an info for those that are called administrators; ServiceAccounts are left alone unless
\`serviceAccounts\` is on: operators need such rights.

Exempt: bindings that the API server makes itself, a user beside a ServiceAccount of the same name (a program that signs in either way:
\`cloud-controller-manager\`), subjects that are to be filled in (\`<group>\`), and groups in
\`breakGlass\`.`,
  falsePositives:
    'The group of the people on call, if they use it only in emergencies: name it in `breakGlass`.',
  sources: [
    'Kubernetes documentation, Using RBAC Authorization',
    'kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy (rbac-defaults)',
    'kubernetes/cmd/kubeadm/app/constants/constants.go (kubeadm:cluster-admins)',
  ],
  stories: ['dfds-node-deletion', 'spotify-deleted-clusters', 'oath-101-ways', 'zalando-etcd-delete'],
  params: {
    breakGlass: {
      type: 'array',
      items: { type: 'string' },
      default: [
        'system:masters',
        'kubeadm:cluster-admins',
        'system:nodes',
        'system:kube-controller-manager',
        'system:cluster-admins',
        'kube:admin',
      ],
      about: 'Users and groups for emergencies.',
    },
    serviceAccounts: {
      type: 'boolean',
      default: false,
      asked: true,
      about: 'Report ServiceAccounts outside kube-system, too.',
    },
  },
  for: 'ClusterRoleBinding',
  check(binding, { graph, params, report }) {
    if (binding.metadata?.labels?.['kubernetes.io/bootstrapping'] === 'rbac-defaults') return
    const power = powerOf(binding, graph)
    if (!power) return
    const subject = binding.subjects?.find(
      (one) => !params.breakGlass.includes(one.name ?? '') && !isExempt(one, binding, params.serviceAccounts),
    )
    if (!subject) return
    const { kind = 'Subject', name = '' } = subject
    const isAll = isOfEverybody(subject)
    report(
      subject,
      'name',
      `${isAll ? `Everybody in ${name}` : `${kind} ${name}`} can ${power.what} with one wrong command.`,
      { severity: isAll ? 'error' : isOfAdmins(name) ? 'info' : 'warning', see: [power.see] },
    )
  },
})

type Subject = NonNullable<ClusterRoleBinding['subjects']>[number]

/** Whether nobody is tempted to use the rights by hand, or it is open whose they are. */
function isExempt(
  { kind, name = '', namespace }: Subject,
  binding: ClusterRoleBinding,
  areAccountsAsked: boolean,
): boolean {
  if (kind === 'ServiceAccount' && (!areAccountsAsked || namespace === 'kube-system')) return true
  if (kind === 'User' && (name.startsWith('system:') || isOfComponent(name, binding))) return true
  // Somebody else writes who it is.
  return /^<.*>$/.test(name)
}

/** Whether the group has everybody who signs in, or every ServiceAccount of a namespace. */
function isOfEverybody({ kind, name = '' }: Subject): boolean {
  return kind === 'Group' && (everybody.includes(name) || name.startsWith('system:serviceaccounts:'))
}

/** Whether the user is a program, which may sign in as an account of the same name, too: no person has one. */
function isOfComponent(user: string, { subjects = [] }: ClusterRoleBinding): boolean {
  return subjects.some(({ kind, name }) => kind === 'ServiceAccount' && name === user)
}

/** Every cluster has them. Whether they are used daily can't be seen. */
function isOfAdmins(name: string): boolean {
  return /(^|[^a-z])(admin(s|istrators?)?|sre|break-?glass)([^a-z]|$)/i.test(name)
}

/** A resource of the rule that takes others with it; a resource of the same name in a group of somebody else is another one. */
function preciousIn({
  apiGroups = [],
  resources = [],
}: NonNullable<ClusterRole['rules']>[number]): string | undefined {
  const known = apiGroups.flatMap((group) => precious.get(group) ?? [])
  return resources.find((one) => known.includes(one))
}

function powerOf(binding: ClusterRoleBinding, graph: Graph) {
  const { roleRef } = binding
  if (roleRef?.name === 'cluster-admin')
    return { what: 'delete everything', see: at(binding, roleRef, 'name') }
  const role: ClusterRole | undefined =
    roleRef?.kind === 'ClusterRole' ? graph.find('ClusterRole', roleRef.name, binding, '') : undefined
  const grave = (role ? rulesOf(role, graph) : []).find(
    (one) =>
      one.verbs?.some((verb) => deletes.includes(verb)) && preciousIn(one) && !one.resourceNames?.length,
  )
  const resource = grave && preciousIn(grave)
  return role && grave
    ? {
        what: `delete ${resource === '*' ? 'everything in its groups' : resource}`,
        see: role.rules?.includes(grave) ? at(role, grave, 'verbs') : at(role, role),
      }
    : undefined
}
