import { formatBytes, type Graph, imageParts, rule } from '../src/rule.js'

export default rule({
  title: 'A very large image makes every start slow',
  category: 'images',
  severity: 'info',
  recommended: false,
  why: `A node that does not have the image loads and unpacks all of it before the container starts. Minutes pass
when pods move to new nodes or scale up, and pulls of other pods wait behind it where the kubelet pulls one at a
time. A few versions of it fill the node's disk, for which the kubelet then evicts pods.`,
  remedy: 'Build in stages on a small base, and load models and data from a volume or object storage.',
  decides: `\`status.images\` of the Nodes: the image of a container is larger than \`maxBytes\`. A node
reports its 50 largest images (\`nodeStatusMaxImages\`); containerd reports the compressed size, so that the
disk holds more. Workloads that request GPUs are exempt: their libraries are that large.`,
  sources: ['k8s.io/api/core/v1/types.go (ContainerImage)', 'k8s.io/kubelet/config/v1beta1/types.go'],
  stories: ['google-how-not-to'],
  needs: 'cluster',
  params: {
    maxBytes: {
      type: 'integer',
      minimum: 1_000_000_000,
      default: 2_000_000_000,
      about: 'Bytes that an image may have, from one gigabyte on.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const sizes = graph.once('large images', () => largeImages(graph))
    for (const { image, spec } of workload.containers) {
      const size = image ? sizes.get(nameOf(image)) : undefined
      const { limits, requests } = spec.resources ?? {}
      const usesGpu = Object.keys({ ...limits, ...requests }).some((name) => /gpu/.test(name))
      if (!image || size === undefined || size <= params.maxBytes || usesGpu) continue
      report(
        spec,
        'image',
        `Pods of ${workload.name} start late on every node that is new to them: image ${imageParts(image).name} has ${formatBytes(size)}.`,
      )
      return
    }
  },
})

/** The sizes of the large images on all nodes, in bytes, by registry, repository and tag or digest. */
function largeImages(graph: Graph): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>()
  for (const { status } of graph.all('Node'))
    for (const { names, sizeBytes } of status?.images ?? [])
      for (const name of names ?? []) sizes.set(nameOf(name), sizeBytes ?? 0)
  return sizes
}

function nameOf(image: string): string {
  const { registry, repository, tag, digest } = imageParts(image)
  return `${registry}/${repository}@${digest ?? tag ?? 'latest'}`
}
