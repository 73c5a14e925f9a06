import { at, imageParts, movingTags, rule } from '../src/rule.js'

export default rule({
  title: 'Replicas will run different images under one tag',
  category: 'images',
  severity: 'warning',
  why: `With \`imagePullPolicy: IfNotPresent\` (the default for every tag but latest) a node that has the
tag keeps its old image, and a new node pulls the new one. With a tag that moves, replicas of one workload
run different code, by the age of their nodes.`,
  remedy: 'Pin a version or a digest; `imagePullPolicy: Always` only helps until the next restart.',
  decides: `A workload with two or more pods at least (or a DaemonSet) and an image with a tag of
\`mutableTags\` that is pulled only if it is not present, by \`imagePullPolicy\` or by default. \`scan\`
compares the images that really run.`,
  sources: ['kubernetes/pkg/apis/core/v1/defaults.go (SetDefaults_Container)'],
  stories: ['betz-shared-tags', 'datadog-10-ways'],
  params: {
    mutableTags: {
      type: 'array',
      items: { type: 'string' },
      default: movingTags,
      about: 'Tags that are known to move.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const pods =
      graph.fewestPods(workload)?.pods ?? (workload.kind === 'DaemonSet' ? Number.POSITIVE_INFINITY : 1)
    if (pods < 2 || workload.batch) return
    for (const { image, spec } of workload.containers) {
      if (!image || /[${}<>]/.test(image)) continue
      const { name, tag, digest } = imageParts(image)
      const moves = !digest && (tag === undefined || params.mutableTags.includes(tag))
      const policy =
        spec.imagePullPolicy ?? (tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent')
      if (!moves || policy === 'Always' || graph.tagSetElsewhere(image)) continue
      report(
        spec,
        'image',
        `Pods of ${workload.name} may run different code on old and new nodes: tag ${tag ?? 'latest'} of image ${name} moves, and a node that has it does not pull it again.`,
        { see: [spec.imagePullPolicy ? at(workload, spec, 'imagePullPolicy') : undefined] },
      )
      return
    }
  },
})
