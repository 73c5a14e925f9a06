/**
 * The fields of kustomizations and components, and what of one kustomize refuses: it takes no field that it does not know, and no value of
 * another type. Source: sigs.k8s.io/kustomize/api/types 0.21 (kustomize 5.8; Unmarshal, EnforceFields), the superset of
 * earlier releases of kustomize 4 and 5.
 */
import type { Path } from '../finding.js'
import { isObject } from '../values/untyped.js'
import { formatPlace, placeOf } from './lookup.js'

/** What a field takes; `any` is not looked into. */
type Shape = Scalar | 'any' | ListShape | MapShape | FieldsShape
type Scalar = 'text' | 'integer' | 'boolean'
interface ListShape {
  readonly list: Shape
}
/** A mapping with keys of one's own. */
interface MapShape {
  readonly values: Shape
}
interface FieldsShape {
  readonly fields: Readonly<Record<string, Shape>>
}

const texts: Shape = { list: 'text' }
const pairs: Shape = { values: 'text' }
const ofKind = { group: 'text', version: 'text', kind: 'text' } as const
const ofObject = { ...ofKind, name: 'text', namespace: 'text' } as const
const selector: Shape = { fields: { ...ofObject, annotationSelector: 'text', labelSelector: 'text' } }

const patch: Shape = {
  fields: {
    path: 'text',
    patch: 'text',
    target: selector,
    options: { fields: { allowNameChange: 'boolean', allowKindChange: 'boolean' } },
  },
}

const image: Shape = {
  fields: { name: 'text', newName: 'text', tagSuffix: 'text', newTag: 'text', digest: 'text' },
}

const generatorOptions: Shape = {
  fields: { labels: pairs, annotations: pairs, disableNameSuffixHash: 'boolean', immutable: 'boolean' },
}

const generator = {
  namespace: 'text',
  name: 'text',
  behavior: 'text',
  literals: texts,
  files: texts,
  envs: texts,
  env: 'text',
  options: generatorOptions,
} as const

const fieldOptions: Shape = {
  fields: { delimiter: 'text', index: 'integer', encoding: 'text', create: 'boolean' },
}

const kustomization: FieldsShape = {
  fields: {
    kind: 'text',
    apiVersion: 'text',
    metadata: { fields: { name: 'text', namespace: 'text', labels: pairs, annotations: pairs } },
    openapi: pairs,
    namePrefix: 'text',
    nameSuffix: 'text',
    namespace: 'text',
    commonLabels: pairs,
    labels: {
      list: {
        fields: {
          pairs,
          includeSelectors: 'boolean',
          includeTemplates: 'boolean',
          includeVolumeClaimTemplates: 'boolean',
          fields: { list: { fields: { ...ofKind, path: 'text', create: 'boolean' } } },
        },
      },
    },
    commonAnnotations: pairs,
    patchesStrategicMerge: texts,
    patchesJson6902: { list: patch },
    patches: { list: patch },
    images: { list: image },
    imageTags: { list: image },
    replacements: {
      list: {
        fields: {
          path: 'text',
          sourceValue: 'text',
          source: { fields: { ...ofObject, fieldPath: 'text', options: fieldOptions } },
          targets: {
            list: {
              fields: {
                select: selector,
                reject: { list: selector },
                fieldPaths: texts,
                options: fieldOptions,
              },
            },
          },
        },
      },
    },
    replicas: { list: { fields: { name: 'text', count: 'integer' } } },
    vars: {
      list: {
        fields: {
          name: 'text',
          objref: { fields: { ...ofObject, apiVersion: 'text' } },
          fieldref: { fields: { fieldPath: 'text' } },
        },
      },
    },
    sortOptions: {
      fields: { order: 'text', legacySortOptions: { fields: { orderFirst: texts, orderLast: texts } } },
    },
    resources: texts,
    components: texts,
    crds: texts,
    bases: texts,
    configMapGenerator: { list: { fields: generator } },
    secretGenerator: { list: { fields: { ...generator, type: 'text' } } },
    helmGlobals: { fields: { chartHome: 'text', configHome: 'text' } },
    helmCharts: {
      list: {
        fields: {
          name: 'text',
          version: 'text',
          repo: 'text',
          releaseName: 'text',
          namespace: 'text',
          additionalValuesFiles: texts,
          valuesFile: 'text',
          valuesInline: { values: 'any' },
          valuesMerge: 'text',
          includeCRDs: 'boolean',
          skipHooks: 'boolean',
          apiVersions: texts,
          kubeVersion: 'text',
          nameTemplate: 'text',
          skipTests: 'boolean',
          debug: 'boolean',
          devel: 'boolean',
        },
      },
    },
    helmChartInflationGenerator: {
      list: {
        fields: {
          chartName: 'text',
          chartVersion: 'text',
          chartRepoUrl: 'text',
          chartHome: 'text',
          chartRepoName: 'text',
          helmBin: 'text',
          helmHome: 'text',
          values: 'text',
          valuesLocal: { values: 'any' },
          valuesMerge: 'text',
          releaseName: 'text',
          releaseNamespace: 'text',
          extraArgs: texts,
        },
      },
    },
    generatorOptions,
    configurations: texts,
    generators: texts,
    transformers: texts,
    validators: texts,
    buildMetadata: texts,
  },
}

/** What kustomize refuses about a kustomization. */
export type KustomizationFault =
  | { readonly kind: 'unknown-field'; readonly path: Path; readonly known: readonly string[] }
  | {
      readonly kind: 'wrong-type'
      readonly path: Path
      readonly expected: Scalar | 'list' | 'mapping'
      readonly value: unknown
    }
  | { readonly kind: 'wrong-version'; readonly path: Path; readonly expected: string }

/** What kustomize refuses about the fields of a kustomization: of the entries of one list a fault is told once. */
export function kustomizationFaults(value: unknown): readonly KustomizationFault[] {
  const found = new Map<string, KustomizationFault>()
  for (const fault of faultsIn(value, kustomization, [])) {
    const key = formatPlace(placeOf(fault.path))
    if (!found.has(key)) found.set(key, fault)
  }
  const version = wrongVersion(value)
  return version ? [...found.values(), version] : [...found.values()]
}

function wrongVersion(value: unknown): KustomizationFault | undefined {
  if (!isObject(value) || typeof value.apiVersion !== 'string' || value.apiVersion === '') return undefined
  const expected = `kustomize.config.k8s.io/${value.kind === 'Component' ? 'v1alpha1' : 'v1beta1'}`
  return value.apiVersion === expected || isLeftOpen(value.apiVersion)
    ? undefined
    : { kind: 'wrong-version', path: ['apiVersion'], expected }
}

function* faultsIn(value: unknown, shape: Shape, path: Path): Generator<KustomizationFault> {
  // Nothing is a value of every type.
  if (value === null || value === undefined || shape === 'any') return
  if (typeof shape === 'string') {
    if (!isScalar(value, shape) && !isLeftOpen(value))
      yield { kind: 'wrong-type', path, expected: shape, value }
  } else if ('list' in shape) {
    if (Array.isArray(value))
      for (const [i, one] of value.entries()) yield* faultsIn(one, shape.list, [...path, i])
    else if (!isLeftOpen(value)) yield { kind: 'wrong-type', path, expected: 'list', value }
  } else if (!isObject(value)) {
    if (!isLeftOpen(value)) yield { kind: 'wrong-type', path, expected: 'mapping', value }
  } else if ('values' in shape) {
    for (const [key, one] of Object.entries(value)) yield* faultsIn(one, shape.values, [...path, key])
  } else yield* faultsOfFields(value, shape, path)
}

function* faultsOfFields(
  value: Readonly<Record<string, unknown>>,
  { fields }: FieldsShape,
  path: Path,
): Generator<KustomizationFault> {
  for (const [name, one] of Object.entries(value)) {
    // The decoder of Go takes a field's name in any case.
    const field = Object.hasOwn(fields, name)
      ? name
      : Object.keys(fields).find((known) => isSameName(known, name))
    const shape = field === undefined ? undefined : fields[field]
    if (shape !== undefined) yield* faultsIn(one, shape, [...path, name])
    else if (!isLeftOpen(name))
      yield { kind: 'unknown-field', path: [...path, name], known: Object.keys(fields) }
  }
}

function isSameName(known: string, name: string): boolean {
  return known.length === name.length && known.toLowerCase() === name.toLowerCase()
}

function isScalar(value: unknown, shape: Scalar): boolean {
  if (shape === 'integer') return Number.isInteger(value)
  return typeof value === (shape === 'text' ? 'string' : 'boolean')
}

/** Whether something fills in text before kustomize reads it. */
function isLeftOpen(value: unknown): boolean {
  return typeof value === 'string' && /\$[{(]?\w|\{[{%]|<\w+>|%\w+%|@\w+@|__\w+__/.test(value)
}
