import { advise, counted, formatPath, rule } from '../src/rule.js'

export default rule({
  title: 'A key is written twice in one mapping',
  category: 'api-schema',
  severity: 'error',
  why: `\`kubectl apply\` turns YAML into JSON before anybody validates it: of two equal keys the last one is
kept, without a word, whatever \`--validate\` says. What stands under the other one never reaches the
cluster: a second \`env\`, \`resources\` or \`labels\` does not add to the first, it takes its place.
Kustomize, and with it \`kubectl apply -k\` and Flux, refuses the whole file instead.`,
  remedy: 'Merge the two, or remove the one that is wrong.',
  decides: `Keys are compared in the text, in every mapping of an object, those of custom resources too. Keys that
come from a merge (\`<<\`) are meant to be overridden and do not count. Two objects without a line \`---\` between
them are one finding. Where both values are written alike, or the second has all that the first has, nothing is
lost: all such keys of an object are one finding, a warning where a kustomization stands in the folder, else an info.`,
  versions:
    'Tried with kubectl 1.36 and a kube-apiserver 1.36: last one kept, no warning, `--validate=strict` included.',
  sources: [
    'sigs.k8s.io/yaml: YAMLToJSON, with which kubectl reads manifests',
    'sigs.k8s.io/kustomize/kyaml, which reads with go-yaml v3',
  ],
  stories: [],
  for: 'Object',
  check(object, { graph, repeatedKeys, reportPath }) {
    const repeated = repeatedKeys()
    if (repeated.length === 0) return
    const second = repeated.find(({ path }) => path.length === 1 && path[0] === 'kind')
    const begin = second && repeated.find(({ path, isSame }) => path.length === 1 && !isSame)
    if (begin) {
      reportPath(
        begin.path,
        `What ${begin.line === undefined ? 'stands first' : `line ${begin.line} begins`} has no effect: another object follows without a line --- between them, and the last ${formatPath(begin.path).slice(1)} counts.`,
        { see: [begin.first], fix: advise('write a line --- above the second object') },
      )
      return
    }
    for (const { path, line, first, isSame } of repeated)
      if (!isSame)
        reportPath(
          path,
          `What ${line === undefined ? 'stands first' : `line ${line} says`} has no effect: ${formatPath(path).slice(1)} is written again here, and the last one counts.`,
          { see: [first], fix: advise('make one of the two, or remove one') },
        )
    const [one, ...others] = repeated.filter(({ isSame }) => isSame)
    if (!one) return
    const key = formatPath(one.path).slice(1)
    reportPath(
      one.path,
      `kubectl apply -k refuses this file: ${key} ${others.length > 0 ? `and ${counted(others.length, 'more key')} are` : 'is'} written twice, to the same effect.`,
      {
        severity: graph.kustomized(object) ? 'warning' : 'info',
        see: [{ ...one.first, note: 'the first one' }],
        fix: advise('remove one of the two'),
      },
    )
  },
})
