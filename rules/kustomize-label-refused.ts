import { arrayAt, at, type Graph, type Kustomization, objectAt, rule, stringAt } from '../src/rule.js'

const option = 'managedByLabel'

export default rule({
  title: 'Flux cannot apply a kustomization: the label that it asks for is invalid',
  category: 'config',
  severity: 'error',
  why: `With \`buildMetadata: [${option}]\` kustomize gives every object the label \`app.kubernetes.io/managed-by\`
with its own version. Flux has kustomize built in as a library, which doesn't know its version: the value is
\`kustomize-(devel)\`, and parentheses are not allowed in labels. The API server refuses each object, and nothing of
the folder is applied any more.`,
  remedy: `Take ${option} out, and set the label with \`labels\` where you need it.`,
  decides: `A kustomization with \`${option}\` in \`buildMetadata\` in the folder that \`spec.path\` of a Flux
Kustomization of the input leads to, unless \`spec.buildMetadata\` there replaces it. That of a base or component of
the folder is not used.

The label is put on objects only, never into selectors or pod templates: where kustomize knows its version, as its
own command does, a new one changes the label and starts no rollout. Argo CD and \`kustomize build\` are therefore
silent.`,
  versions:
    'Flux 2.0 and newer (kustomize 5.0), kustomize-controller 1.9 included. kubectl 1.28 did the same.',
  sources: [
    'sigs.k8s.io/kustomize/api/krusty/kustomizer.go (AddManagedbyLabel), api/provenance/provenance.go (FindVersion)',
    'fluxcd/kustomize-controller#960, #1008; kustomize-controller/api/v1/kustomization_types.go (BuildMetadataOption)',
    'fluxcd/pkg/kustomize/kustomize_generator.go (buildMetadata)',
    'kubernetes/kubectl#1495',
  ],
  stories: [],
  for: 'Kustomization',
  // Who applies it may be written elsewhere.
  canTell: (kustomization, { graph }) => graph.complete || appliedBy(kustomization, graph) !== undefined,
  check(kustomization, { graph, reportPath }) {
    const options = arrayAt(kustomization.document.value, 'buildMetadata')
    const index = options.indexOf(option)
    if (index < 0) return
    const flux = appliedBy(kustomization, graph)
    if (!flux) return
    const path = options.length > 1 ? ['buildMetadata', index] : ['buildMetadata']
    reportPath(
      ['buildMetadata', index],
      `Flux applies nothing of ${graph.describe(kustomization)}: the API server refuses the label app.kubernetes.io/managed-by: kustomize-(devel) that it puts on each object.`,
      {
        see: [at(flux, objectAt(flux, 'spec') ?? flux, 'path')],
        fix: { title: `remove ${option}`, safe: false, edits: [{ op: 'remove', path }] },
      },
    )
  },
})

/** The Flux Kustomization whose folder it stands in, and which leaves its options as they are. */
function appliedBy({ folder }: Kustomization, graph: Graph) {
  return graph.all('kustomize.toolkit.fluxcd.io/Kustomization').find((one) => {
    const path = stringAt(one, 'spec', 'path')?.replace(/^(\.?\/)+|\/+$/g, '')
    return (
      path !== undefined &&
      path !== '' &&
      path !== '.' &&
      `/${folder}`.endsWith(`/${path}`) &&
      arrayAt(one, 'spec', 'buildMetadata').length === 0
    )
  })
}
