import {
  advise,
  at,
  counted,
  enumerateFew,
  type FaultAt,
  firstOf,
  formatPath,
  type Graph,
  isSamePath,
  type KubernetesObject,
  type Kustomization,
  nearestName,
  type PatchTarget,
  type Path,
  rule,
  type Sight,
  stringAt,
  unbuilt,
  valueAt,
} from '../src/rule.js'

export default rule({
  title: 'A patch of a kustomization misses what it is for',
  category: 'config',
  severity: 'warning',
  why: `A patch with a \`target\` that selects none of the objects is left out, and kustomize says nothing: the
limit, replica count or flag that it sets is missing in the cluster, and whoever reads the overlay believes that it
is there. A patch without a target is for the one object that it names itself; where that is not built, \`kustomize
build\` fails, and nothing of the folder can be applied. Both happen when an object is renamed, or changes its kind,
and its patches stay as they were.`,
  remedy: 'Name the object as it is called now, or take the patch out.',
  decides: `Patches under \`patches\`, \`patchesStrategicMerge\` and \`patchesJson6902\` for a kind and name that no
object of the build has. A patch of a component is looked for in all builds that use it, and reported when it is for
nothing in any of them; not with \`lint -k\` alone, which does not know all of them. Generators with \`behavior:
merge\` or \`replace\` are patches, too: kustomize wants a ConfigMap or Secret of the name among the resources, in
the namespace that the generator itself names, before it sets the namespace of the kustomization. Containers of a
strategic-merge patch that have no image and whose name no container of the object has are told, unless another patch
may write images there.

JSON patches are tried on their objects. kustomize refuses an operation below what is not there, one for an index that a list
does not have, \`remove\` of what is not there and \`test\` of another value; \`replace\` adds a key that is missing. Told is the first
operation that is refused, where the object is in a file, no script writes that file and nothing else changes the object before: no
merge patch, replacement or prefix, and nothing that gives labels, annotations, a namespace or replicas where the operation is about such.

Nothing is said unless all that is built is known: files that were read as a whole, and kustomizations and
generators beside them; no remote bases, charts or plugins, and no patches that give other objects new names. Nor of
a kustomization that builds no object at all. Labels, annotations and namespaces of targets are not compared; the
namespace of a patch without a target is, unless a kustomization sets namespaces. Patches whose target is no single
name (a pattern, or labels alone) are for whatever comes to fit: an info, for those who ask.`,
  falsePositives: 'Patches that are kept for objects which come and go.',
  sources: [
    'sigs.k8s.io/kustomize/api/internal/builtins/PatchTransformer.go (transformStrategicMerge, transformJson6902)',
    'sigs.k8s.io/kustomize/api/filters/patchjson6902, evanphx/json-patch v4 (patch.go); tried with kustomize 5.5',
    'sigs.k8s.io/kustomize/api/resmap/reswrangler.go (Select, GetById, appendReplaceOrMerge)',
  ],
  stories: [],
  unless: ['kustomization-broken-reference'],
  for: 'Kustomization',
  canTell: (kustomization, { graph }) => graph.knowsBuildsOf(kustomization),
  check(kustomization, { graph, reportPath }) {
    for (const fault of unmatched(kustomization, graph)) reportPath(...fault)
    if (kustomization.isBuilt) return
    for (const fault of added(kustomization, graph)) reportPath(...fault)
    for (const fault of refused(kustomization, graph)) reportPath(...fault)
    for (const fault of stray(kustomization, graph)) reportPath(...fault)
  },
})

/** Patches that are for nothing. */
function* unmatched(kustomization: Kustomization, graph: Graph): Iterable<FaultAt> {
  const patches = graph.unmatchedPatches(kustomization)
  const told = new Set<string>()
  for (const { patch, near } of patches) {
    const { at: place, isOwnTarget } = patch
    if (!place || (isOwnTarget && kustomization.isBuilt)) continue
    // A file of patches without targets may have several.
    const beside = patches.flatMap((one) =>
      isOwnTarget && one.patch.at && isSamePath(one.patch.at, place) ? [`no ${wanted(one.patch)}`] : [],
    )
    if (beside.length > 1 && told.has(formatPath(place))) continue
    told.add(formatPath(place))
    const fact =
      beside.length > 1
        ? `${firstOf(beside)} is built there.`
        : `no ${wanted(patch)} is built there${near ? `, ${graph.describe(near)} is` : ''}.`
    const see = near && { see: [at(near, near.metadata ?? near, 'name')] }
    const say = (names: readonly string[], start: string) => {
      const missing = [...new Set(names)]
      return `${start}: ${missing.length === 1 ? fact : `${firstOf(missing)} is built there.`}`
    }
    const name = beside.length > 1 ? firstOf(beside) : `no ${wanted(patch)}`
    const refusal = unbuilt(kustomization, graph)
    const described = graph.describe(kustomization)
    yield isOwnTarget
      ? [
          place,
          `${refusal}. Its patch is for nothing: ${fact}`,
          {
            severity: 'error',
            among: {
              key: 'refused',
              name,
              say: (names) => say(names, `${refusal}. ${names.length} patches are for nothing`),
            },
            ...see,
          },
        ]
      : [
          [...place.slice(0, -1), 'target'],
          `A patch of ${described} changes nothing: ${fact}`,
          {
            ...(!isOneName(patch) && { severity: 'info', recommended: false }),
            among: {
              key: 'left out',
              name,
              say: (names) => say(names, `${names.length} patches of ${described} change nothing`),
            },
            ...see,
          },
        ]
  }
}

/** Containers that patches add without an image. */
function* added(kustomization: Kustomization, graph: Graph): Iterable<FaultAt> {
  for (const { patch, container, to, beside } of graph.addedContainers(kustomization)) {
    const [first, ...others] = to.filter((one) => !graph.patchedContainers(one, 'image'))
    if (!first || !patch.at) continue
    const near = nearestName(container, beside)
    yield [
      patch.at,
      `kubectl apply is refused for ${graph.describe(first)}${others.length > 0 ? ` and ${counted(others.length, 'more object')}` : ''}: a patch adds container ${container} without an image, as none there is called so.`,
      {
        severity: 'error',
        label: near
          ? `did you mean ${near}?`
          : `${first.metadata?.name} has ${enumerateFew(beside, 'container', 'and')}`,
        see: [at(first, first.metadata ?? first, 'name')],
      },
    ]
  }
}

/** Operations that are refused, the first one of each patch. */
function* refused(kustomization: Kustomization, graph: Graph): Iterable<FaultAt> {
  const told = new Set<string>()
  for (const { patch, object, op, pointer, path, differs } of graph.refusedOperations(kustomization)) {
    if (!patch.at || told.has(formatPath(patch.at))) continue
    told.add(formatPath(patch.at))
    const fact = differs ? 'another value there' : `no ${formatPath(path).slice(1)}`
    yield [
      patch.at,
      `${unbuilt(kustomization, graph)}. Its patch is refused at ${op} ${pointer}: ${graph.describe(object)} has ${fact}.`,
      {
        severity: 'error',
        label: differs ? 'finds another value' : 'finds nothing there',
        see: [sightOf(object, path)],
      },
    ]
  }
}

/** Generators that are to merge into or replace what is not there. */
function* stray(kustomization: Kustomization, graph: Graph): Iterable<FaultAt> {
  for (const { kind, name, at: path, behavior, near } of graph.strayGenerators(kustomization)) {
    if (behavior === undefined) continue
    const namespace = near?.metadata?.name === name ? near.metadata.namespace : undefined
    const fact = namespace
      ? `without a namespace, only ${namespace}/${name}`
      : `there${near ? `, only ${near.metadata?.name}` : ''}`
    yield [
      [...path, 'behavior'],
      `${unbuilt(kustomization, graph)}. Its generator is to ${behavior} what is not there: no ${kind} ${name} is built ${fact}.`,
      {
        severity: 'error',
        ...(near && { see: [at(near, near.metadata ?? near, namespace ? 'namespace' : 'name')] }),
        fix: namespace
          ? {
              title: `namespace: ${namespace}`,
              safe: false,
              edits: [{ op: 'set', path: [...path, 'namespace'], value: namespace }],
            }
          : advise(near ? 'the name as it is now' : 'no behavior'),
      },
    ]
  }
}

/** The field, or what should have it. */
function sightOf(object: KubernetesObject, path: Path): Sight {
  const parent = valueAt(object, ...path.slice(0, -1))
  return typeof parent === 'object' && parent !== null ? at(object, parent, path.at(-1)) : at(object, object)
}

function wanted({ kind, name, change, isOwnTarget }: PatchTarget): string {
  const namespace = isOwnTarget ? stringAt(change, 'metadata', 'namespace') : undefined
  return `${kind ?? 'object'} ${namespace ? `${namespace}/` : ''}${name ?? ''}`.trimEnd()
}

function isOneName({ name }: PatchTarget): boolean {
  return name !== undefined && /^[\w.-]+$/.test(name)
}
