import { firstOf, imageParts, rule, set, waitingForImages } from '../src/rule.js'

export default rule({
  title: 'Pods pull an image on every start although it never changes',
  category: 'images',
  severity: 'info',
  recommended: false,
  why: `With \`imagePullPolicy: Always\` the kubelet asks the registry before each start of a container, also
when the node has the image. While the registry, its credentials or the way to it are broken, nothing
restarts and nothing scales: a crash that would have taken seconds lasts as long as the registry's trouble.`,
  remedy: 'Use `imagePullPolicy: IfNotPresent` for images with a digest or a full version.',
  decides: `\`imagePullPolicy: Always\` with a digest, or with a tag of three numbers. One finding per
workload; a moving tag is the subject of \`mutable-image-tag\`.

In a cluster an error: containers with that policy that ran before in the same pod, so that their node had
the image, and now wait for the registry.`,
  falsePositives: `Where tenants share nodes, Always keeps one from starting another's private image
(\`KubeletEnsureSecretPulledImages\` does, too, on by default from 1.35).`,
  sources: [
    'kubernetes/pkg/apis/core/v1/defaults.go (SetDefaults_Container)',
    'kubernetes/pkg/features/kube_features.go (KubeletEnsureSecretPulledImages)',
  ],
  stories: ['datadog-10-ways', 'google-playbook', 'zalando-image-policy'],
  for: 'Workload',
  check(workload, { graph, report }) {
    const always = workload.containers.filter(({ spec }) => spec.imagePullPolicy === 'Always')
    if (always.length === 0) return
    const stuck = waitingForImages(graph.live?.troubledPodsOf(workload) ?? []).filter(
      ({ pod, container }) =>
        always.some(({ name }) => name === container) &&
        pod.status?.containerStatuses?.some((one) => one.name === container && (one.restartCount ?? 0) > 0),
    )
    const [first] = stuck
    const held = always.find(({ name }) => name === first?.container)
    if (first && held) {
      report(
        held.spec,
        'imagePullPolicy',
        `Pods of ${workload.name} cannot restart, ${stuck.length} now: the node has the image, and Always asks the registry, which fails.`,
        {
          severity: 'error',
          onValue: true,
          evidence: [
            firstOf(stuck.map(({ pod }) => `${pod.metadata?.name} on ${pod.spec?.nodeName}`)),
            ...(first.message ? [first.message] : []),
          ],
          fix: set(held.spec, 'imagePullPolicy', 'IfNotPresent'),
        },
      )
      return
    }
    const fixed = always.find(({ image }) => image !== undefined && isFixed(image))
    if (!fixed?.image) return
    const { name, tag } = imageParts(fixed.image)
    report(
      fixed.spec,
      'imagePullPolicy',
      `Pods of ${workload.name} cannot restart without the registry: image ${name}${tag ? `:${tag}` : ''} never changes, and is asked for each time.`,
      { onValue: true, fix: set(fixed.spec, 'imagePullPolicy', 'IfNotPresent') },
    )
  },
})

function isFixed(image: string): boolean {
  const { digest, tag } = imageParts(image)
  return digest !== undefined || /^v?\d+\.\d+\.\d+([-+.][\w.-]+)?$/.test(tag ?? '')
}
