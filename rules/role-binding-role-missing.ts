import {
  accountOf,
  advise,
  ageOf,
  type ClusterRoleBinding,
  firstOf,
  type Graph,
  nearestName,
  patience,
  type RoleBinding,
  type RuleFix,
  rule,
  set,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A binding grants a role that does not exist',
  category: 'identity',
  severity: 'warning',
  why: `From whoever may bind every role, as a cluster admin may, the API server takes a binding without looking for
its role, and when it checks a request it passes over one whose role it does not find. Its subjects have none of the
rights that were meant for them: an operator or a leader election gets "forbidden" at its first request, often only
in the code that handles a rare case.`,
  remedy:
    'Create the role, or make the binding anew with the right one: `roleRef` cannot be changed afterwards.',
  decides: `\`roleRef\` of RoleBindings and ClusterRoleBindings. Reported when no role of that name and kind is there, but one
with nearly that name, or one of that name and the other kind (Role and ClusterRole). Without such a neighbour in complete
input (Roles only: ClusterRoles come from elsewhere) and in a cluster, if a workload runs under one of the ServiceAccounts
that the binding is for.

A Role called \`cluster-admin\`, and in complete input one called \`admin\`, \`edit\` or \`view\`, is taken for the ClusterRole
that the API server makes; \`extension-apiserver-authentication-reader\` is in kube-system alone.

Exempt: in manifests the other roles that the API server makes itself, bindings younger than ten minutes, and externals.`,
  falsePositives: 'Bindings that a chart left behind for an account that needs no rights any more.',
  sources: [
    'kubernetes/pkg/registry/rbac/validation/rule.go (VisitRulesFor, GetRoleReferenceRules)',
    'kubernetes/pkg/registry/rbac/rolebinding/policybased/storage.go (EscalationAllowed, BindingAuthorized)',
    'kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy (policy.go, namespace_policy.go)',
  ],
  stories: [],
  for: ['RoleBinding', 'ClusterRoleBinding'],
  check(binding, { graph, report }) {
    const { roleRef } = binding
    const { kind, name } = roleRef ?? {}
    if (!roleRef || !name || (kind !== 'Role' && kind !== 'ClusterRole')) return
    if (!graph.live && mayBeMadeByServer(kind, name, binding, graph)) return
    if (binding.kind === 'ClusterRoleBinding' && kind === 'Role') return
    if (graph.exists(kind, name, binding)) return
    if (graph.live && ageOf(binding, graph.live) < graph.live.waitFor(patience.lateSubject)) return
    const near = neighbour(kind, name, binding, graph)
    const users = usersOf(binding, graph)
    if (!near && (users.length === 0 || !(graph.live || (graph.complete && kind === 'Role')))) return
    const who =
      users.length > 0
        ? firstOf(
            users.map((one) => `${one.kind} ${one.name}`),
            2,
          )
        : 'Its subjects'
    report(
      roleRef,
      near?.field ?? 'name',
      `${who} ${users.length === 1 ? 'gets' : 'get'} no rights from ${graph.describe(binding)}: there is no ${kind} ${name}${near ? `, but ${near.what}` : ` in ${graph.source}`}.`,
      { fix: near?.fix },
    )
  },
})

/** Who may do what in a cluster or namespace. */
const ofUsers: readonly string[] = ['cluster-admin', 'admin', 'edit', 'view']

/** What an API server that others extend grants for its own configuration: in kube-system, and nowhere else. */
const reader = 'extension-apiserver-authentication-reader'

/** Whether the API server makes a role of that kind and name, or somebody may well have made one beside it. */
function mayBeMadeByServer(
  kind: 'Role' | 'ClusterRole',
  name: string,
  binding: RoleBinding | ClusterRoleBinding,
  graph: Graph,
): boolean {
  if (name.startsWith('system:')) return true
  if (kind === 'ClusterRole') return ofUsers.includes(name)
  if (name === reader)
    return ['', 'kube-system'].includes(graph.namespaceOf(binding)) || graph.kustomized(binding)
  return ofUsers.includes(name) && name !== 'cluster-admin' && !graph.complete
}

interface Neighbour {
  readonly what: string
  readonly field: 'name' | 'kind'
  readonly fix: RuleFix
}

/** The role that was probably meant. */
function neighbour(
  kind: 'Role' | 'ClusterRole',
  name: string,
  binding: RoleBinding | ClusterRoleBinding,
  graph: Graph,
): Neighbour | undefined {
  const { roleRef = {} } = binding
  if (kind === 'Role' && name === reader)
    return { what: 'one in kube-system', field: 'name', fix: advise('namespace: kube-system') }
  if (kind === 'Role' && ofUsers.includes(name))
    return { what: 'a ClusterRole of that name', field: 'kind', fix: set(roleRef, 'kind', 'ClusterRole') }
  const names =
    kind === 'Role'
      ? graph.namesNear('Role', binding)
      : graph.seen('ClusterRole').map(({ metadata }) => metadata?.name ?? '')
  const near = nearestName(name, names)
  if (near) return { what: `one named ${near}`, field: 'name', fix: set(roleRef, 'name', near) }
  const other = kind === 'Role' ? 'ClusterRole' : 'Role'
  const isThere =
    binding.kind === 'RoleBinding' &&
    (other === 'Role'
      ? graph.namesNear('Role', binding).includes(name)
      : graph.seen('ClusterRole').some(({ metadata }) => metadata?.name === name))
  return isThere
    ? { what: `a ${other} of that name`, field: 'kind', fix: set(roleRef, 'kind', other) }
    : undefined
}

/** The workloads that run under the binding's ServiceAccounts. */
function usersOf(binding: RoleBinding | ClusterRoleBinding, graph: Graph): readonly Workload[] {
  const own = graph.namespaceOf(binding)
  return (binding.subjects ?? []).flatMap((subject) => {
    if (subject.kind !== 'ServiceAccount') return []
    const namespace = subject.namespace ?? own
    const workloads =
      namespace === own ? graph.nearby(binding) : graph.workloads.filter((one) => one.namespace === namespace)
    return workloads.filter(({ pod }) => accountOf(pod) === subject.name)
  })
}
