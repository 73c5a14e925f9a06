import { at, type Container, type Graph, imageParts, movingTags, rule } from '../src/rule.js'

/** Some publishers number their repositories, with one image in each: `tgi-cu124.2-3.ubuntu2204`. */
const versionInName = /\d\.\d[^/]*$/

export default rule({
  title: 'The image behind the tag can change',
  category: 'images',
  severity: 'warning',
  why: `A tag is a pointer. Pods that start on different days or nodes from \`latest\`, or from a branch's
name, run different code under one manifest; a rollback finds the same tag and changes nothing; and a push
by somebody else reaches production with the next restart.`,
  remedy: 'Name a version that is never pushed twice, better still a digest.',
  decides: `Containers and init containers without digest: no tag, \`latest\`, or one of \`mutableTags\` is a
warning. It is an info in a Pod or Job of its own, of which nothing makes a second one. So it is where no tag is
given, but the repository's own name has a version or a mark behind it says where a script puts one (\`#imagetag\`).
With \`versions\` on, tags of a major or minor version only (\`1\`, \`1.27\`, \`3-alpine\`), which are moved at each
patch release, are an info, and with \`requireDigest\` all others. A kustomization that sets a tag for the image,
and a skaffold.yaml that builds it, count when they are in the input. One finding per workload.

Exempt: images whose registry is in \`immutableRegistries\`, placeholders of templates, and bare names without
registry and tag that are no official image of Docker Hub: skaffold, Tilt and others put a tag in their place.`,
  falsePositives: 'Registries that refuse to move a tag: name them in `immutableRegistries`.',
  sources: ['distribution/reference grammar', 'kubernetes/pkg/apis/core/v1/defaults.go (imagePullPolicy)'],
  stories: ['betz-shared-tags', 'datadog-10-ways', 'zalando-image-policy', 'google-how-not-to'],
  params: {
    mutableTags: {
      type: 'array',
      items: { type: 'string' },
      default: movingTags,
      about: 'Tags that are known to move.',
    },
    versions: {
      type: 'boolean',
      default: false,
      asked: true,
      about: 'Report tags of a major or minor version, too.',
    },
    requireDigest: {
      type: 'boolean',
      default: false,
      about: 'Report every image without a digest.',
    },
    immutableRegistries: {
      type: 'array',
      items: { type: 'string' },
      default: [],
      about: 'Registry hosts that never move a tag.',
    },
  },
  unless: ['image-tag-drift'],
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const moving = workload.containers.flatMap((container) => {
      const { image } = container
      // OpenShift fills in an image of one blank when its trigger fires.
      if (!image?.trim() || /[${}<>]/.test(image)) return []
      const { registry, repository, tag, digest } = imageParts(image)
      // No registry takes upper case in a repository: CONTAINER_IMAGE waits to be filled in.
      if (/[A-Z]/.test(repository)) return []
      if (digest || params.immutableRegistries.includes(registry)) return []
      const inName =
        tag === undefined && (versionInName.test(repository) || hasMark(image, workload.object, graph))
      const grave = tag === undefined ? !inName : params.mutableTags.includes(tag.toLowerCase())
      const mild =
        params.requireDigest ||
        inName ||
        (params.versions && tag !== undefined && /^v?\d+(\.\d+)?(-[a-z]+)?$/.test(tag))
      return (grave || mild) && !graph.tagSetElsewhere(image) ? [{ container, tag, grave }] : []
    })
    const [first] = [...moving.filter(({ grave }) => grave), ...moving]
    if (!first) return
    const { container, tag } = first
    const others = moving.filter((one) => one !== first).map((one) => one.container)
    // Nothing makes a second pod of these by itself.
    const once = workload.kind === 'Pod' || workload.kind === 'Job'
    const danger =
      workload.kind === 'Pod'
        ? `${workload.name === '' ? 'The pod' : `Pod ${workload.name}`} may run other code when it is made anew`
        : `Pods of ${workload.name} may run different code`
    const { name } = imageParts(container.image ?? '')
    report(
      container.spec,
      'image',
      `${danger}: ${tag === undefined ? `image ${name} has no tag, which means latest` : `tag ${tag} of image ${name} can be moved`}.`,
      {
        severity: first.grave && !once ? 'warning' : 'info',
        see: others.slice(0, 3).map((one: Container) => at(workload, one.spec, 'image', 'moves, too')),
      },
    )
  },
})

/** Whether the comment behind the image is a mark for a script, which writes the tag over it: `#imagetag`. */
function hasMark(image: string, object: object, graph: Graph): boolean {
  return /tag/i.test(graph.markBehind(object, image) ?? '')
}
