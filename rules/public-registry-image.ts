import { at, firstOf, imageParts, rule } from '../src/rule.js'

export default rule({
  title: 'An image comes straight from a public registry',
  category: 'images',
  severity: 'info',
  recommended: false,
  why: `A public registry counts pulls by address, and all nodes of a cluster often share one; it may be
down, delete a tag, or move house (k8s.gcr.io did). Each of these is felt when pods start, which is when
something is broken already.`,
  remedy:
    'Mirror what production needs into a registry of your own, or let the container runtime use a mirror.',
  decides: `The registry of an image (docker.io when it names none) is in \`publicRegistries\`, and neither
it nor the repository below it is in \`allowed\`. Namespaces in \`exemptNamespaces\` are left out. One
finding per workload.`,
  falsePositives: 'Mirrors that containerd or CRI-O is told to use are in no manifest.',
  sources: ['Kubernetes documentation, Images', 'Docker documentation, Docker Hub usage and limits'],
  stories: ['google-how-not-to', 'google-playbook'],
  params: {
    publicRegistries: {
      type: 'array',
      items: { type: 'string' },
      default: [
        'docker.io',
        'quay.io',
        'ghcr.io',
        'gcr.io',
        'k8s.gcr.io',
        'registry.k8s.io',
        'public.ecr.aws',
      ],
      about: 'Registries that are public.',
    },
    allowed: {
      type: 'array',
      items: { type: 'string' },
      default: [],
      about: 'Registries, or repositories such as `ghcr.io/our-company`, that may be used.',
    },
    exemptNamespaces: {
      type: 'array',
      items: { type: 'string' },
      default: ['kube-system'],
      about: 'Namespaces that are left out.',
    },
  },
  unless: ['image-pull-throttled'],
  for: 'Workload',
  check(workload, { graph, params, report }) {
    if (params.exemptNamespaces.includes(workload.namespace)) return
    const found = workload.containers.filter(({ image }) => {
      // OpenShift fills in an image of one blank when its trigger fires.
      if (!image?.trim() || /[${}<>]/.test(image) || graph.tagSetElsewhere(image)) return false
      const { registry, repository } = imageParts(image)
      const path = `${registry}/${repository}`
      return (
        params.publicRegistries.includes(registry) &&
        !params.allowed.some((one) => path === one || path.startsWith(`${one.replace(/\/$/, '')}/`))
      )
    })
    const [first, ...others] = found
    if (!first?.image) return
    const registries = [...new Set(found.map(({ image }) => imageParts(image ?? '').registry))]
    report(
      first.spec,
      'image',
      `Pods of ${workload.name} start only while ${firstOf(registries)} ${registries.length === 1 ? 'serves' : 'serve'} you: ${imageParts(first.image).name} comes from there directly.`,
      { see: others.slice(0, 3).map((one) => at(workload, one.spec, 'image', 'does, too')) },
    )
  },
})
