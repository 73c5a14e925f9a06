/** Whether an object that another one names exists, as far as the input tells. */
import type { External } from '../config/settings.js'
import type { KindName } from '../kubernetes.js'
import { groupBy } from '../values/group.js'
import { lazy, memo } from '../values/lazy.js'
import type { Labels } from '../values/selector.js'
import { objectAt, stringAt } from '../values/untyped.js'
import { matchesWildcard } from '../values/wildcard.js'
import { grants, type MadeKind } from './grants.js'
import type { GraphOptions } from './graph.js'
import { madeKey, madeNames } from './made.js'
import type { Objects } from './objects.js'
import { isOf, operated } from './operated.js'
import type { Resource } from './resource.js'

/** What rules may ask about the existence of objects. */
export interface Existence {
  /**
   * Whether an object of that name exists as far as the input or the externals tell: written anywhere in a
   * namespace that may be the same, made by an object of the input (ExternalSecret, SealedSecret, RabbitmqCluster,
   * Certificate, generator…), called after a Helm release that Flux, Argo CD or k3s installs, beside a Subscription of OLM, or external.
   * @param namespace the one that it is looked for in; that of `near` by default
   */
  exists(kind: KindName, name: string, near: object, namespace?: string): boolean
  /**
   * Whether an object of the input creates or completes the ConfigMap or Secret, so that its
   * written keys are not all it has.
   */
  isFilledElsewhere(kind: 'ConfigMap' | 'Secret', name: string): boolean
  /**
   * Whether what is not in the input of a kind, beside an object, does not exist: the input is complete, no pod of it may
   * make such objects while it runs, it is not about kube-system, where clusters have more than manifests, and no chart that
   * is installed from elsewhere has Services in the namespace.
   */
  hasAll(kind: Exclude<MadeKind, 'Pod'>, near: object): boolean
  /**
   * The same of pods with the labels that a selector asks for: none is there but those of the workloads of the input, and no
   * operator or chart from elsewhere seems to make any.
   */
  hasAllPods(labels: Labels | undefined, near: object): boolean
  /** Whether something in the input tells that an operator makes pods with these labels. */
  mayBeOperated(labels: Labels | undefined, near: object): boolean
}

/** Kinds that charts call after their release. */
const ofCharts: ReadonlySet<KindName> = new Set<KindName>([
  'ConfigMap',
  'PersistentVolumeClaim',
  'Secret',
  'Service',
  'ServiceAccount',
])

/**
 * Names that no one else gives: users of databases, in whatever namespace they were asked for, and outposts of authentik. Sources:
 * user manual of Zalando's postgres-operator, authentik's integration with Kubernetes.
 */
const namedByMakers: ReadonlyMap<KindName, RegExp> = new Map([
  ['Secret', /\.credentials\.postgresql\.acid\.zalan\.do$/],
  ['Service', /^ak-outpost-/],
])

/** Answers what rules ask about the existence of objects. */
export function existence(
  objects: Objects,
  { complete, live, kustomizations, externals }: GraphOptions,
): Existence {
  const { ofKind, resource, resources } = objects
  const made = lazy(() => madeNames(resources, kustomizations))
  const releases = lazy(() => resources.flatMap(releaseOf))
  const written = memo((kind: KindName) => groupBy(ofKind(kind), ({ name }) => name))
  const mayMake = grants(objects)
  const mayBeOperated = operated(objects)
  const hasAll = (kind: MadeKind, near: Resource) =>
    complete && (live !== undefined || (near.namespace !== 'kube-system' && !mayMake(kind, near)))
  /** Whether charts that are installed from elsewhere have something in the namespace. */
  const hasCharts = ({ namespace }: Resource) => releases().some((one) => one.namespace === namespace)
  return {
    exists: (kind, name, near, namespace = resource(near).namespace) => {
      const maybeSame = (other: string) => namespace === '' || other === '' || other === namespace
      return (
        (written(kind).get(name) ?? []).some((one) => maybeSame(one.namespace)) ||
        (made().get(madeKey(kind, name))?.some(maybeSame) ?? false) ||
        namedByMakers.get(kind)?.test(name) ||
        // The API server makes it. Source: kubernetes/pkg/controlplane/controller/kubernetesservice/controller.go.
        (kind === 'Service' && name === 'kubernetes' && maybeSame('default')) ||
        (ofCharts.has(kind) &&
          releases().some(
            (one) => maybeSame(one.namespace) && (one.name === undefined || isOf(one.name, name)),
          )) ||
        externals.some((external) => isExternal(external, kind, name, namespace))
      )
    },
    isFilledElsewhere: (kind, name) => made().has(madeKey(kind, name)),
    hasAll: (kind, near) =>
      hasAll(kind, resource(near)) && (kind !== 'Service' || !hasCharts(resource(near))),
    hasAllPods: (labels = {}, near) =>
      hasAll('Pod', resource(near)) &&
      (live !== undefined || (!mayBeOperated(labels, resource(near)) && !hasCharts(resource(near)))),
    mayBeOperated: (labels = {}, near) => mayBeOperated(labels, resource(near)),
  }
}

interface Release {
  /** Undefined for what OLM installs: nothing tells how its parts are called. */
  readonly name: string | undefined
  readonly namespace: string
}

/** The release of a chart that is installed from elsewhere: most of what is in it is called after it, or after an override. */
function releaseOf({ document, kindName, value, name, namespace }: Resource): Release[] {
  // In a cluster, what is not there was not made.
  if (document.live) return []
  switch (kindName) {
    case 'helm.toolkit.fluxcd.io/HelmRelease': {
      const target = stringAt(value, 'spec', 'targetNamespace')
      const values = objectAt(value, 'spec', 'values')
      const said = stringAt(value, 'spec', 'releaseName')
      // Source: helm-controller/api/v2/helmrelease_types.go (releaseName).
      const composed = target && !said ? calledBy(undefined, `${target}-${name}`, target) : []
      return [...composed, ...calledBy(values, said ?? name, target ?? namespace)]
    }
    case 'helm.cattle.io/HelmChart':
      return [{ name, namespace: stringAt(value, 'spec', 'targetNamespace') ?? namespace }]
    case 'argoproj.io/Application':
      return calledBy(
        objectAt(value, 'spec', 'source', 'helm', 'valuesObject'),
        stringAt(value, 'spec', 'source', 'helm', 'releaseName') ?? name,
        stringAt(value, 'spec', 'destination', 'namespace') ?? '',
      )
    case 'operators.coreos.com/Subscription':
      return [{ name: undefined, namespace }]
    default:
      return []
  }
}

/** The release, and the charts in it that its values call otherwise: `grafana.fullnameOverride`. */
function calledBy(
  values: Readonly<Record<string, unknown>> | undefined,
  name: string,
  namespace: string,
): Release[] {
  const names = [values, ...Object.values(values ?? {})].map((one) => stringAt(one, 'fullnameOverride'))
  return [name, ...names.filter((one) => one !== undefined && one !== '')].map((own) => ({
    name: own,
    namespace,
  }))
}

function isExternal(external: External, kind: string, name: string, namespace: string): boolean {
  return (
    matchesWildcard(external.kind, kind) &&
    matchesWildcard(external.name, name) &&
    (external.namespace === undefined || namespace === '' || matchesWildcard(external.namespace, namespace))
  )
}
