/** The role that lets a scan read what it looks at, and nothing else. */
import {
  builtinGroups,
  clusterScoped,
  groupOf,
  isBuiltin,
  type KindName,
  pluralOf,
  versionOf,
} from '../kubernetes.js'
import { push } from '../values/group.js'
import { countedKinds } from './kinds.js'

/**
 * A ClusterRole, or the Role of one namespace, as YAML with comments: for what a scan reads and what it counts.
 * @param kinds that it reads
 * @param namespace of a Role; kinds without a namespace are left out then, but for the Namespace itself
 */
export function role(kinds: ReadonlySet<KindName>, namespace: string | undefined): string {
  const builtin = new Map<string, string[]>()
  const addOns = new Map<string, string[]>()
  const add = (rules: Map<string, string[]>, group: string, kind: string) =>
    push(rules, group, resourceOf(kind))
  for (const kind of [...new Set([...kinds, ...countedKinds])].sort()) {
    if (isSecret(kind) || (namespace !== undefined && clusterScoped.has(kind))) continue
    if (isBuiltin(kind)) add(builtin, builtinGroups[kind][0], kind)
    else add(addOns, groupOf(kind), versionOf(kind))
  }
  return `apiVersion: rbac.authorization.k8s.io/v1
kind: ${namespace === undefined ? 'ClusterRole' : 'Role'}
metadata:
  name: k8s-af-scan
${namespace === undefined ? '' : `  namespace: ${JSON.stringify(namespace)}\n`}rules:
${[...builtin].map(ruleOf).join('')}  # Add-ons: a group that the cluster does not have does no harm.
${[...addOns].map(ruleOf).join('')}${namespace === undefined ? metrics : itself}  # Lets rules say that a Secret is missing. A scan asks for metadata alone, but RBAC
  # cannot grant that: who may list Secrets may read them.
  # - apiGroups: [""]
  #   resources: [secrets]
  #   verbs: [list]
  # Lets a scan count the logins that Dex keeps, where /metrics does not tell. Of them, too, who may list them may
  # read them, and log in with them.
${ruleOf([dex, [...countedKinds].filter((kind) => groupOf(kind) === dex).map((kind) => resourceOf(versionOf(kind)))]).replaceAll(/^ {2}/gm, '  # ')}`
}

/** The group of Dex, which keeps codes and tokens in its objects. */
const dex = 'dex.coreos.com'

/** Whether the role leaves a resource to whoever installs it. */
export function isLeftOut(resource: string): boolean {
  return resource === 'secrets' || resource.endsWith(`.${dex}`)
}

function isSecret(kind: KindName): boolean {
  return kind === 'Secret' || groupOf(kind) === dex
}

/** A Role lets read the Namespace that it is in: requests for it are of that namespace. */
const itself = `  # The namespace itself, whose labels decide what its pods may do and are given.
  - apiGroups: [""]
    resources: [namespaces]
    verbs: [get]
`

const metrics = `  # What the API server has counted since it started: deprecated APIs that clients ask for, calls of webhooks,
  # how many objects there are.
  - nonResourceURLs: [/metrics]
    verbs: [get]
  # For scan --kubelet-metrics. It opens all that kubelets offer, commands in containers included.
  # - apiGroups: [""]
  #   resources: [nodes/proxy]
  #   verbs: [get]
  # For scan --node-metrics. It opens every port of every pod to GET requests, and those of nodes, whose network
  # node-exporter shares. A Role in the namespace of node-exporter is enough.
  # - apiGroups: [""]
  #   resources: [pods/proxy]
  #   verbs: [get]
`

function ruleOf([group, resources]: readonly [string, readonly string[]]): string {
  return `  - apiGroups: [${group === '' ? '""' : group}]\n    resources: [${[...resources].sort().join(', ')}]\n    verbs: [list]\n`
}

/** Plurals that do not follow from the kind, of those that are scanned. */
const plurals: Readonly<Record<string, string>> = { Gateway: 'gateways', PodMetrics: 'pods' }

function resourceOf(kind: string): string {
  return plurals[kind] ?? pluralOf(kind)
}
