import {
  type Among,
  advise,
  arrayAt,
  at,
  type Fault,
  firstOf,
  formatPath,
  type Graph,
  groupBy,
  type Kustomization,
  type Path,
  type Reference,
  type ReportOptions,
  rule,
  stringAt,
  unbuilt,
  valueAt,
} from '../src/rule.js'

/** What is wrong with a name: the end of the message, and what else the finding has. */
type Wrong = readonly [fact: string, options?: Fault[3]]

export default rule({
  title: 'A kustomization cannot be built: it names what kustomize cannot use',
  category: 'config',
  severity: 'error',
  why: `kustomize reads all that a kustomization names before it prints anything. One file that was moved, renamed
or never committed, and \`kustomize build\` fails: Flux and Argo CD go on with what they applied last, and apply
nothing of the folder any more, nor of any overlay above it, until somebody looks at why nothing changes. A
roll-back or a fix in an emergency waits for it, too.`,
  remedy: 'Correct the name, add the file, or take the entry out.',
  decides: `Every file and folder that a kustomization or component names is looked for on the disk: \`resources\`,
\`bases\`, \`components\`, \`patches\`, \`patchesStrategicMerge\`, \`patchesJson6902\`, the \`files\`, \`envs\` and
\`env\` of generators, \`replacements\`, \`crds\`, \`configurations\`, \`openapi\`, \`generators\`,
\`transformers\`, \`validators\` and the values of \`helmCharts\`. Reported is what kustomize refuses:

- a name that leads to nothing (once, however often it is there; several of one list are one finding), an empty
  one, and a folder without a kustomization;
- a folder where a file is wanted, a file where a component is, and the file of a kustomization in the place of its
  folder, unless that has a \`metadata.name\`: then kustomize takes it for an object;
- a folder whose kustomization says nothing (\`resources: []\` is something), from 5.1 on, unless a script uses
  \`kustomize edit\` or \`create\`;
- a component under \`resources\`, and another kustomization under \`components\`;
- a kustomization that builds on its own folder, on one above, or on another one that builds on it;
- the same resource twice, where it holds objects, the same object in two of its files or twice in one, and a
  generator without \`behavior\` of a ConfigMap or Secret that the resources have;
- a replacement, or one of the \`vars\`, that takes its value from an object by a name that no object of the build has,
  where all that is built is known. Whether that object has the field is not looked at. Nor may \`replicas\` name a
  workload that is not built.

Not judged are addresses and repositories, absolute paths, names that somebody still fills in
(\`\${ENV}/web.yaml\`), what lies outside of the repository or in a submodule, and what may be made before the
build: files that \`.gitignore\` names, that a script or pipeline of the repository writes, that a plugin of Argo CD
names, or that stand there encrypted, to be encrypted, or as a template (\`secrets.enc.yaml\` or \`secrets.yaml.decrypted\` for \`secrets.yaml\`, \`app.env.example\`
for \`app.env\`); nor the names in a kustomization that a script copies elsewhere. What is not there is told in a checkout of git that is not sparse, with \`--complete\`, and to those who ask: files that
somebody has copied may be a part of their repository. The sources of \`secretGenerator\`, and files called
\`.env\`, are rarely committed: their absence is a warning, and for those who ask. A kustomization from standard
input has no folder, so nothing is said about it.`,
  falsePositives: 'A file that something outside of the repository makes before each build.',
  sources: [
    'sigs.k8s.io/kustomize/api/internal/target/kusttarget.go (accumulateResources, accumulateComponents)',
    'sigs.k8s.io/kustomize/api/types/kustomization.go (CheckEmpty: api 0.14, not 0.12; tried with kustomize 5.5)',
    'sigs.k8s.io/kustomize/api/internal/loader/fileloader.go (errIfArgEqualOrHigher)',
    'sigs.k8s.io/kustomize/api/resmap/reswrangler.go (Append)',
    'sigs.k8s.io/kustomize/api/filters/replacement/replacement.go (selectSourceNode), api/internal/accumulator (vars), api/internal/builtins/ReplicaCountTransformer.go',
  ],
  stories: [],
  for: 'Kustomization',
  canTell: (kustomization, { graph, isAsked }) =>
    !kustomization.isBuilt &&
    (isAsked || graph.complete || kustomization.isCheckedOut()) &&
    (!hasBuildsToKnow(kustomization) || graph.knowsBuildsOf(kustomization)),
  check(kustomization, { graph, isAsked, reportPath }) {
    const { references, isBuilt } = kustomization
    if (isBuilt) return
    const refusal = unbuilt(kustomization, graph)
    const isWhole = () => isAsked || graph.complete || kustomization.isCheckedOut()
    const told = new Set<string>()
    for (const reference of references) {
      const { name, found, path } = reference
      if (name !== '' && (found === 'nothing' || found === 'folder')) {
        if (!isWhole() || told.has(path) || reference.mayCome() || isMadeByPlugin(reference, graph)) continue
        told.add(path)
      }
      const [fact, options] = wrong(reference, kustomization, graph) ?? []
      if (fact === undefined) continue
      const refused = `${refusal}: `
      reportPath(reference.at, `${refused}${fact}.`, {
        ...options,
        among: options?.fix ? undefined : amongAbsent(reference, refused),
        ...(isRarelyCommitted(reference) && { severity: 'warning', recommended: false }),
        ...(found === 'nothing' && name !== '' && { absent: path }),
      })
    }
    for (const [path, fact, options] of [
      ...namesOfNothing(kustomization, graph),
      ...builtTwice(kustomization, graph),
      ...generatedTwice(kustomization, graph),
    ])
      reportPath(path, `${refusal}: ${fact}.`, options)
  },
})

/** Where kustomize refuses something, and what it is. */
type Refused = readonly [path: Path, fact: string, options: ReportOptions]

/** The names in replicas, variables and replacements that nothing has which is built. */
function namesOfNothing(kustomization: Kustomization, graph: Graph): Refused[] {
  return graph.unbuiltNames(kustomization).map(({ at: path, kind = 'object', name, near }) => {
    const what =
      path[0] === 'replicas'
        ? `it sets the replicas of ${name}, and no Deployment, StatefulSet or the like of that name is built there`
        : `a ${path[0] === 'vars' ? 'variable' : 'replacement'} takes its value from ${kind} ${name}, and none is built there`
    return [
      path,
      `${what}${near ? `, ${graph.describe(near)} is` : ''}`,
      { label: 'not there', see: [near && at(near, near.metadata ?? near, 'name')] },
    ]
  })
}

/** The objects that are built twice. */
function builtTwice(kustomization: Kustomization, graph: Graph): Refused[] {
  return graph
    .repeatedObjects(kustomization)
    .map(({ first, again, at: path }) => [
      path,
      `${graph.describe(again)} is there twice`,
      { see: [at(first, first.metadata ?? first, 'name'), at(again, again.metadata ?? again, 'name')] },
    ])
}

/** What generators make that is built without them. */
function generatedTwice(kustomization: Kustomization, graph: Graph): Refused[] {
  return graph
    .strayGenerators(kustomization)
    .filter(({ behavior }) => behavior === undefined)
    .map(({ kind, name, at: path, near }) => [
      [...path, 'name'],
      `it generates ${kind} ${name}, which is built there already`,
      {
        ...(near && { see: [at(near, near.metadata ?? near, 'name')] }),
        fix: {
          title: 'behavior: merge',
          safe: false,
          edits: [{ op: 'set', path: [...path, 'behavior'], value: 'merge' }],
        },
      },
    ])
}

/** Whether what is said of it depends on all that is built. */
function hasBuildsToKnow({ document, generated }: Kustomization): boolean {
  const isListed = (field: string) => arrayAt(document.value, field).length > 0
  return generated.length > 0 || ['replacements', 'vars', 'replicas'].some(isListed)
}

/** What is not there is told once for all entries of a list. */
function amongAbsent({ at: path, found, name }: Reference, refused: string): Among | undefined {
  if (name === '' || (found !== 'nothing' && found !== 'folder')) return undefined
  const list = path.slice(
    0,
    path.findLastIndex((step) => typeof step === 'number'),
  )
  return {
    key: `${found} ${formatPath(list)}`,
    name,
    say: (names) => {
      const all = firstOf(names, 8)
      return found === 'folder'
        ? `${refused}there is no kustomization.yaml in ${all}.`
        : `${refused}${all} are not there.`
    },
  }
}

/**
 * Whether a plugin of Argo CD in the input, which runs commands before it builds, names the file. Source: argo-cd/cmpserver/plugin (a
 * ConfigManagementPlugin with its commands), formerly `configManagementPlugins` in argocd-cm.
 */
function isMadeByPlugin({ name, found }: Reference, graph: Graph): boolean {
  if (found !== 'nothing') return false
  const plugins = graph.once('plugins of Argo CD', () =>
    graph.objects.filter((one) => graph.mentions(one, 'onfigManagementPlugin')),
  )
  const file = name.slice(name.lastIndexOf('/') + 1)
  return file.includes('.') && plugins.some((one) => graph.mentions(one, file))
}

function wrong(reference: Reference, own: Kustomization, graph: Graph): Wrong | undefined {
  const { name, takes, found, at: path } = reference
  if (name === '') return [`an entry of ${String(path[0])} is empty`]
  switch (found) {
    case 'elsewhere':
      return undefined
    case 'nothing':
      return missing(reference, own)
    case 'file':
      return takes === 'component'
        ? [`${name} is a file, and a component is a folder`]
        : wrongFile(reference, own, graph)
    default:
      return takes === 'file'
        ? [`${name} is a folder, and it takes a file here`]
        : wrongFolder(reference, own, graph)
  }
}

function missing(reference: Reference, own: Kustomization): Wrong {
  const { name, at: path } = reference
  const near = reference.near()
  const fact = `there is no ${name}`
  const written = stringAt(own.document.value, ...path)
  const isNamed = own.references.some((one) => one.name.replace(/^\.\//, '') === near?.replace(/^\.\//, ''))
  if (near === undefined || written === undefined || isNamed) return [fact, { label: 'not there' }]
  const value = written.slice(0, written.length - name.length) + near
  return [
    `${fact}, only ${near}`,
    { label: 'not there', fix: { title: value, safe: false, edits: [{ op: 'set', path, value }] } },
  ]
}

function wrongFile(reference: Reference, own: Kustomization, graph: Graph): Wrong | undefined {
  const { name, takes, path } = reference
  if (takes !== 'resource') return undefined
  const other = byFile(graph).get(path)
  // With a name it passes for an object, which Flux leaves out of what it applies, and kubectl refuses by itself.
  if (other && stringAt(other.document.value, 'metadata', 'name')) return undefined
  if (other === own) return [`${name} is this kustomization itself`, { fix: advise('take it out') }]
  if (other)
    return [`${name} is a kustomization and no object`, { fix: advise(`name its folder, ${folderOf(name)}`) }]
  return reference.isRead ? repeated(reference, own) : undefined
}

function byFile(graph: Graph): ReadonlyMap<string, Kustomization> {
  return graph.once(
    'kustomizations by file',
    () => new Map(graph.kustomizations.map((one) => [one.document.file.name, one])),
  )
}

function folderOf(name: string): string {
  const end = name.lastIndexOf('/')
  return end < 0 ? '.' : name.slice(0, end)
}

function wrongFolder(reference: Reference, own: Kustomization, graph: Graph): Wrong | undefined {
  const { name, takes, found, path } = reference
  if (isOwnOrAbove(path, own.folder)) return [`it lists its own folder, or one above it (${name})`]
  if (found === 'folder') return [`there is no kustomization.yaml in ${name}`]
  // Whether a component or not: it is refused before.
  if (found === 'blank')
    return reference.mayCome() || reference.mayGrow()
      ? undefined
      : [
          `the kustomization in ${name} is empty, and kustomize refuses such from 5.1 on`,
          { label: 'is empty' },
        ]
  const [target, ...more] = byFolder(graph).get(path) ?? []
  if (!target || more.length > 0) return undefined
  const isComponent = stringAt(target.document.value, 'kind') === 'Component'
  if (takes === 'component')
    return isComponent
      ? undefined
      : [`${name} is no component`, { fix: advise(`list ${name} under resources`) }]
  if (isComponent) return [`${name} is a component`, { fix: advise(`list ${name} under components`) }]
  return cycle(name, target, own, graph) ?? (hasObjects(target) ? repeated(reference, own) : undefined)
}

/** Source: errIfArgEqualOrHigher. */
function isOwnOrAbove(path: string, folder: string): boolean {
  return path === folder || path === '.' || folder.startsWith(`${path}/`) || /^\.\.(?:\/\.\.)*$/.test(path)
}

/** The kustomizations by their folders; of one folder with several nobody knows which one kustomize would take. */
function byFolder(graph: Graph): ReadonlyMap<string, readonly Kustomization[]> {
  return graph.once('kustomizations by folder', () => groupBy(graph.kustomizations, ({ folder }) => folder))
}

/** A way from another kustomization back to one's own. It is told once: of the first one of the circle. */
function cycle(name: string, from: Kustomization, own: Kustomization, graph: Graph): Wrong | undefined {
  const way = wayBack(from, own, graph)
  const last = way?.at(-1)
  if (!way || !last || way.some(({ folder }) => folder < own.folder)) return undefined
  const { at: [field, i] = [] } = last.references.find(({ path }) => path === own.folder) ?? {}
  const list = valueAt(last.document.value, String(field))
  const by = way.length > 1 ? `, by way of ${last.folder}` : ''
  return [
    `${name} builds on it again${by}`,
    { see: typeof list === 'object' && list ? [at(last, list, i)] : [] },
  ]
}

/** The shortest way, without its end; undefined where none leads back. */
function wayBack(from: Kustomization, own: Kustomization, graph: Graph): Kustomization[] | undefined {
  const before = new Map<Kustomization, Kustomization | undefined>([[from, undefined]])
  for (const [one] of before)
    for (const { found, takes, path } of one.references) {
      if (found !== 'kustomization' || takes === 'file') continue
      if (path === own.folder) {
        const way: Kustomization[] = []
        for (let step: Kustomization | undefined = one; step; step = before.get(step)) way.unshift(step)
        return way
      }
      for (const next of byFolder(graph).get(path) ?? []) if (!before.has(next)) before.set(next, one)
    }
  return undefined
}

function hasObjects({ references, generated }: Kustomization): boolean {
  return generated.length > 0 || references.some(({ isRead, takes }) => isRead && takes === 'resource')
}

/** Whether an entry above has the same objects: an object may be there once. */
function repeated({ name, path, at: place }: Reference, own: Kustomization): Wrong | undefined {
  const isListed = ({ at: [field] }: Reference) => field === 'resources' || field === 'bases'
  const first = own.references.find((one) => one.path === path && isListed(one))
  if (!first || first.at === place || !isListed({ at: place } as Reference)) return undefined
  const list = valueAt(own.document.value, String(first.at[0]))
  return [
    `${name} is listed twice, and no object may be there twice`,
    { see: typeof list === 'object' && list ? [at(own, list, first.at[1], 'the first time')] : [] },
  ]
}

function isRarelyCommitted({ at: [field], name, found }: Reference): boolean {
  return found === 'nothing' && (field === 'secretGenerator' || /(?:^|\/)\.env(?:\.[\w-]+)?$/.test(name))
}
