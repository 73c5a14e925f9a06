/** What a pod needs by name before it can start. */
import type { ContainerSpec, Volume } from '../kubernetes.js'
import { objectsAt, stringAt } from '../values/untyped.js'
import type { Container } from './container.js'
import type { Workload } from './workload.js'

/** A place in a pod spec that names an object which the pod needs. */
export interface ConfigReference {
  readonly kind: 'ConfigMap' | 'Secret' | 'PersistentVolumeClaim' | 'ServiceAccount'
  readonly name: string
  /** The keys that must exist in it, when single ones are named. */
  readonly keys: readonly string[]
  /** With `optional: true` the pod starts without it. */
  readonly optional: boolean
  /** How the pod uses it. An `imagePullSecret` that is missing is skipped by the kubelet; all others stop the pod. */
  readonly as:
    | 'volume'
    | 'projected volume'
    | 'CSI volume'
    | 'envFrom'
    | 'env'
    | 'imagePullSecret'
    | 'serviceAccount'
    | 'claim'
  /** The mapping that names it, with the field. */
  readonly node: object
  readonly field: string
  /** The container, for `env` and `envFrom`. */
  readonly container: string | undefined
}

/** All references of the workload's pod template. */
export function configReferences({ pod, containers, object }: Workload): readonly ConfigReference[] {
  // The controller puts the claims that it makes in the place of volumes of their names: stateful_set_utils.go.
  const replaced = new Set(
    objectsAt(object, 'spec', 'volumeClaimTemplates').map((claim) => stringAt(claim, 'metadata', 'name')),
  )
  return [
    ...(pod.volumes ?? []).filter(({ name }) => !replaced.has(name)).flatMap(inVolume),
    ...containers.flatMap(inContainer),
    ...(pod.imagePullSecrets ?? []).map((secret) => reference('Secret', 'imagePullSecret', secret, 'name')),
    reference('ServiceAccount', 'serviceAccount', pod, 'serviceAccountName'),
  ].filter((one) => one !== undefined)
}

function inVolume({ secret, configMap, projected, csi, persistentVolumeClaim }: Volume) {
  return [
    mounted('Secret', 'volume', secret, 'secretName'),
    mounted('ConfigMap', 'volume', configMap, 'name'),
    ...(projected?.sources ?? []).flatMap((source) => [
      mounted('Secret', 'projected volume', source.secret, 'name'),
      mounted('ConfigMap', 'projected volume', source.configMap, 'name'),
    ]),
    reference('Secret', 'CSI volume', csi?.nodePublishSecretRef, 'name'),
    reference('PersistentVolumeClaim', 'claim', persistentVolumeClaim, 'claimName'),
  ]
}

function inContainer({ name: container, spec }: Container) {
  const all = (spec.envFrom ?? []).flatMap(({ secretRef, configMapRef }) => [
    reference('Secret', 'envFrom', secretRef, 'name', { optional: secretRef?.optional, container }),
    reference('ConfigMap', 'envFrom', configMapRef, 'name', { optional: configMapRef?.optional, container }),
  ])
  const single = (spec.env ?? []).flatMap(({ valueFrom }) =>
    valueFrom
      ? [
          variable('Secret', valueFrom.secretKeyRef, container),
          variable('ConfigMap', valueFrom.configMapKeyRef, container),
        ]
      : [],
  )
  return [...all, ...single]
}

/** A ConfigMap or Secret as a volume; of some, only single keys. */
function mounted<Field extends string>(
  kind: 'ConfigMap' | 'Secret',
  as: 'volume' | 'projected volume',
  source: (Naming<Field> & Pick<NonNullable<Volume['configMap']>, 'items' | 'optional'>) | undefined,
  field: Field,
): ConfigReference | undefined {
  if (!source) return undefined
  const { items, optional } = source
  return reference(kind, as, source, field, { keys: items?.map(({ key }) => key), optional })
}

type Variable = NonNullable<ContainerSpec['env']>[number]
type KeySelector = NonNullable<NonNullable<Variable['valueFrom']>['configMapKeyRef']>

/** A key of a ConfigMap or Secret as an environment variable. */
function variable(
  kind: 'ConfigMap' | 'Secret',
  source: KeySelector | undefined,
  container: string,
): ConfigReference | undefined {
  if (!source) return undefined
  const { key, optional } = source
  return reference(kind, 'env', source, 'name', { keys: [key], optional, container })
}

/** A mapping that names an object in one of its fields. */
type Naming<Field extends string> = { readonly [F in Field]?: string | undefined }

/** The reference that a mapping is; undefined where it is absent or gives no name. */
function reference<Field extends string>(
  kind: ConfigReference['kind'],
  as: ConfigReference['as'],
  node: Naming<Field> | undefined,
  field: Field,
  rest: {
    readonly keys?: readonly (string | undefined)[] | undefined
    readonly optional?: boolean | undefined
    readonly container?: string
  } = {},
): ConfigReference | undefined {
  const name = node?.[field]
  if (!node || !name) return undefined
  return {
    kind,
    as,
    node,
    field,
    name,
    keys: (rest.keys ?? []).filter((key) => key !== undefined),
    optional: rest.optional ?? false,
    container: rest.container,
  }
}
