import { builtin } from '../src/rule.js'

export default builtin({
  title: 'A manifest is not YAML or JSON that kubectl reads',
  category: 'api-schema',
  severity: 'error',
  why: `kubectl and every controller that applies the file refuse it, and with it often the whole folder:
nothing of what it declares reaches the cluster, and what runs there stays as it was. In a pipeline that
ignores exit codes nobody notices.`,
  remedy: 'Correct the line that is named; the message says what the parser expected.',
  decides: `Reads each document as kubectl does: split at \`---\`, then YAML 1.1 as sigs.k8s.io/yaml
understands it. The other documents of the file are linted all the same. Files that are no manifests (no
\`apiVersion\` and \`kind\`) and templates of Helm and Go are left out instead, and counted.`,
  falsePositives: `Templates of tools that are not recognised. Leave them out with \`.k8s-af-ignore\`, or
lint what they make.`,
  stories: [],
})
