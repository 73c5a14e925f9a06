import {
  accountOf,
  ageOf,
  at,
  type ClusterRoleBinding,
  firstOf,
  type Graph,
  nearestName,
  type ObjectOf,
  patience,
  type RoleBinding,
  rule,
  set,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A binding grants rights to a ServiceAccount that does not exist',
  category: 'identity',
  severity: 'warning',
  why: `The API server takes a binding without looking for its subjects, and compares namespace and name of a ServiceAccount with
those of whoever asks. A binding that names the account in another namespace, or with a slip in its name, gives the pods that it
is meant for nothing: they start, and get "forbidden" at their first request. It is what happens when an application is
installed into another namespace than its manifests were written for.`,
  remedy: 'Name the namespace and the name of the ServiceAccount that the pods run under.',
  decides: `Subjects of RoleBindings and ClusterRoleBindings that are ServiceAccounts. Reported when no such account is there, and
workloads run under one of the same name in one other namespace, or under one of nearly that name in the same namespace. Not
reported when those have the role by another subject or binding, or may do everything.

In manifests the account has to be in the folder of the binding, with its namespace, and where that is another one no kustomization
may change it.

Exempt: bindings younger than ten minutes, and externals.`,
  falsePositives: 'Bindings that wait for an account that something else makes.',
  sources: [
    'kubernetes/pkg/registry/rbac/validation/rule.go (appliesToUser)',
    'kubernetes/pkg/apis/rbac/validation/validation.go (ValidateRoleBindingSubject)',
  ],
  stories: [],
  for: ['RoleBinding', 'ClusterRoleBinding'],
  check(binding, { graph, report }) {
    if (graph.live && ageOf(binding, graph.live) < graph.live.waitFor(patience.lateSubject)) return
    for (const subject of binding.subjects ?? []) {
      const wanted = accountNamed(subject, binding, graph)
      const meant = wanted && accountMeant(wanted, binding, graph)
      if (!meant) continue
      const { account, users } = meant
      const { name = '', namespace = '' } = account.metadata ?? {}
      const field = name === wanted.name ? 'namespace' : 'name'
      const who = firstOf(
        users.map((one) => graph.describe(one.object)),
        2,
      )
      report(
        subject,
        field,
        `${who} ${users.length === 1 ? 'gets' : 'get'} no rights from ${graph.describe(binding)}: there is no ServiceAccount ${wanted.namespace}/${wanted.name}, but ${namespace}/${name}.`,
        {
          see: [at(account, account.metadata ?? account, field)],
          fix: set(subject, field, field === 'name' ? name : namespace),
        },
      )
    }
  },
})

type Binding = RoleBinding | ClusterRoleBinding
type Account = ObjectOf<'ServiceAccount'>
type Subject = NonNullable<Binding['subjects']>[number]

interface Name {
  readonly namespace: string
  readonly name: string
}

/** The account that a subject names, if it is not there. */
function accountNamed(subject: Subject, binding: Binding, graph: Graph): Name | undefined {
  const { kind, name, namespace = graph.namespaceOf(binding) } = subject
  // What is to be filled in is no name.
  if (kind !== 'ServiceAccount' || !name || !/^[a-z0-9-]+$/.test(namespace)) return undefined
  if (!graph.hasRead('ServiceAccount', namespace)) return undefined
  return graph.exists('ServiceAccount', name, binding, namespace) ? undefined : { namespace, name }
}

/** An account, and the workloads that run under it. */
interface Used {
  readonly account: Account
  readonly users: readonly Workload[]
}

/** The one that was meant: nothing else comes near. */
function accountMeant({ namespace, name }: Name, binding: Binding, graph: Graph): Used | undefined {
  const accounts = graph
    .all('ServiceAccount')
    .filter((one) => graph.live || isWrittenWith(one, binding, graph))
  const own = accounts.filter((one) => graph.namespaceOf(one) === namespace)
  const near = nearestName(
    name,
    own.map(({ metadata }) => metadata?.name ?? ''),
  )
  const candidates = [
    ...own.filter(({ metadata }) => metadata?.name === near),
    ...accounts.filter((one) => one.metadata?.name === name && !isMoved(one, binding, graph)),
  ].flatMap((one) => usedIn(one, graph))
  const [meant, ...others] = candidates
  // Files may hold variants of one application.
  if (!meant || others.some(({ account }) => graph.describe(account) !== graph.describe(meant.account)))
    return undefined
  return isGranted(meant.account, binding, graph) ? undefined : meant
}

function usedIn(account: Account, graph: Graph): Used[] {
  const namespace = graph.namespaceOf(account)
  const users = graph.workloads.filter(
    (one) =>
      one.namespace === namespace &&
      accountOf(one.pod) === account.metadata?.name &&
      graph.together(one.object, account),
  )
  return users.length > 0 ? [{ account, users }] : []
}

/** Whether the account says for itself where it is to be, beside the binding. */
function isWrittenWith(account: Account, binding: Binding, graph: Graph): boolean {
  return account.metadata?.namespace !== undefined && graph.apart(account, binding) === 0
}

/** Whether kustomize may set the namespace of one of them. */
function isMoved(account: Account, binding: Binding, graph: Graph): boolean {
  return !graph.live && (graph.kustomized(account) || graph.kustomized(binding))
}

/** Whether an account has the role of the binding all the same, or every right. */
function isGranted(account: Account, binding: Binding, graph: Graph): boolean {
  const bindings = [...graph.all('ClusterRoleBinding'), ...graph.siblings('RoleBinding', binding)]
  // Files may hold variants of the binding itself.
  const isVariant = (one: Binding) => one !== binding && graph.describe(one) === graph.describe(binding)
  return bindings.some(
    (one) =>
      !isVariant(one) &&
      one.subjects?.some((subject) => isFor(subject, account, one, graph)) &&
      ((one.roleRef?.name === binding.roleRef?.name && one.roleRef?.kind === binding.roleRef?.kind) ||
        (one.kind === 'ClusterRoleBinding' && one.roleRef?.name === 'cluster-admin')),
  )
}

/** Whether a subject is the account or one of its groups. Source: k8s.io/apiserver/pkg/authentication/serviceaccount/util.go. */
function isFor(
  { kind, name = '', namespace }: Subject,
  account: Account,
  of: Binding,
  graph: Graph,
): boolean {
  const own = graph.namespaceOf(account)
  return kind === 'ServiceAccount'
    ? name === account.metadata?.name && (namespace ?? graph.namespaceOf(of)) === own
    : kind === 'Group'
      ? ['system:authenticated', 'system:serviceaccounts', `system:serviceaccounts:${own}`].includes(name)
      : name === `system:serviceaccount:${own}:${account.metadata?.name}`
}
