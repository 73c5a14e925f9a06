import { at, counted, enumerateFew, rule } from '../src/rule.js'

export default rule({
  title: 'A manifest that its kustomization does not name',
  category: 'config',
  severity: 'info',
  recommended: false,
  why: `kustomize builds what a kustomization lists, and nothing else of its folder. A new file that nobody has added to the list is
in the repository, passes its review, and is never applied: neither Flux, nor Argo CD, nor \`kubectl apply -k\` says a word. It is often the NetworkPolicy or
the PodDisruptionBudget that everybody takes to be there.`,
  remedy: 'Add the file to `resources`, or delete it.',
  decides: `A file with objects in the folder of a kustomization that lists other files of this folder, while no kustomization of the input
names it, as a resource or in any other field. One finding for each kustomization.

Not reported: files that the kustomization has in a comment, those that are called an example, a sample, a template, old, a backup, a test or
encrypted (\`.sops\`, \`.enc\`), or that are for bootstrapping, Secrets, Jobs and Pods, Kustomizations of Flux and Applications of
Argo CD, which many apply by hand, and configuration of tools such as kind, k3d and Skaffold.`,
  falsePositives:
    'Files that somebody applies by hand or by a script, and files that a kustomization outside of the input names.',
  sources: ['sigs.k8s.io/kustomize/api/types (Kustomization.resources)'],
  stories: [],
  for: 'Kustomization',
  canTell: ({ isBuilt }) => !isBuilt,
  check(kustomization, { graph, reportPath }) {
    if (kustomization.isBuilt) return
    const files = graph.leftOutBy(kustomization)
    if (files.length === 0) return
    const names = enumerateFew(
      files.map(({ file }) => file),
      'file',
      'and',
    )
    reportPath(
      ['resources'],
      `Nothing builds ${names}: ${graph.describe(kustomization)} does not list ${files.length > 1 ? 'them' : 'it'}, nor does another kustomization of ${graph.source}.`,
      {
        label: `${counted(files.length, 'file')} beside it ${files.length > 1 ? 'are' : 'is'} not here`,
        see: files.slice(0, 3).map(({ object }) => at(object, object.metadata ?? object, 'name')),
      },
    )
  },
})
