import {
  absentFor,
  failingCalls,
  imageParts,
  isGone,
  isReady,
  type Live,
  type Pod,
  presentPods,
  pulledWithout,
  refusalOf,
  rule,
  troubles,
  unreadyFor,
  type Workload,
  waitingForImages,
} from '../src/rule.js'

export default rule({
  title: 'Pods wait for an image that cannot be pulled',
  category: 'images',
  severity: 'warning',
  why: `The kubelet tries a pull that failed again and again, up to five minutes apart, whatever the reason. A registry
that was away comes back; one that has no such image, or does not give it to this pod, gives the same answer each
time. The pod stays Pending, a Deployment says so after ten minutes and a Job never does.`,
  remedy:
    'Correct the name or tag, push the image, build it for the platform of the nodes, or repair the pull secret.',
  decides: `A container of a pod has waited for \`seconds\` for the image that the template still names, and the registry's
answer is final: there is no such image, none for the platform of the node, or no access to it; a pull secret that the kubelet did not find stands below. The answer stands in
the state of the container, or in the events of the pod. An error when no pod of the workload is ready.

Trouble that may pass is not reported: a registry that can't be reached, time-outs, and pulls that are refused for
their number (\`image-pull-throttled\`). Neither are pull secrets that the kubelet does not find
(\`referenced-config-missing\`), nor containers with \`imagePullPolicy: Always\` that ran before
(\`image-pull-always\`).`,
  versions:
    'Kubelets before 1.32 give the answer in the state of a container only until they back off, and then in events, which the API server keeps for an hour.',
  sources: [
    'kubernetes/pkg/kubelet/images/image_manager.go (EnsureImageExists)',
    'containerd, core/remotes/docker (resolver)',
  ],
  stories: [],
  needs: 'cluster',
  params: {
    seconds: {
      type: 'integer',
      minimum: 0,
      default: 60,
      diagnosed: 0,
      about: 'How long a pod may wait for an image that a pipeline still pushes, or for its pull secret.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const { live } = graph
    if (!live || workload.controlled) return
    const waiting = live.troubledPodsOf(workload).filter((pod) => !isGone(pod))
    const stuck = finalIn(workload, waiting, live).filter(
      ({ pod }) => unreadyFor(pod, live) >= params.seconds,
    )
    const [first] = stuck
    if (!first) return
    const pods = presentPods(workload, live)
    const ready = pods.filter(isReady).length
    const { name: image, tag, digest, registry } = imageParts(first.image)
    const named = `${image}${digest ? '' : `:${tag ?? 'latest'}`}`
    const answer = {
      absent: `${registry} has no image ${named}`,
      platform: `image ${named} is not made for the platform of the node`,
      denied: `${registry} does not let it pull ${named}`,
    }[first.refusal]
    const calls = failingCalls(workload, graph, live.seen)
    report(first.container.spec, 'image', `${effectOn(workload, ready, pods.length)}: ${answer}.`, {
      severity: ready === 0 ? 'error' : 'warning',
      evidence: [
        ...troubles(
          stuck.map(({ pod }) => pod),
          live,
        ),
        // To who asks without a login some registries deny that there is such an image.
        ...(first.refusal === 'absent'
          ? pulledWithout(
              stuck.map(({ pod }) => pod),
              live,
            )
          : []),
        ...calls.said,
      ],
      see: [calls.route],
      symptomOf: stuck.every(({ pod }) => absentFor(pod, live).length > 0)
        ? { rules: ['referenced-config-missing'], objects: [workload.object] }
        : undefined,
    })
  },
})

/** The pods that wait for an image of the template in vain. */
function finalIn(workload: Workload, pods: readonly Pod[], live: Live) {
  return waitingForImages(pods).flatMap((waiting) => {
    const container = workload.containers.find(({ name }) => name === waiting.container)
    const refusal = refusalOf(waiting, live)
    // Pods of an earlier template may still wait for its image.
    if (!refusal || !container || container.image !== waiting.image) return []
    const ranBefore = waiting.pod.status?.containerStatuses?.some(
      ({ name, restartCount = 0 }) => name === waiting.container && restartCount > 0,
    )
    if (ranBefore && container.spec.imagePullPolicy === 'Always') return []
    return [{ ...waiting, container, refusal }]
  })
}

function effectOn({ kind, name, batch }: Workload, ready: number, all: number): string {
  if (kind === 'Pod') return `Pod ${name} never starts`
  if (batch) return `No run of ${name} starts`
  return ready === 0
    ? `No pod of ${name} starts`
    : `${ready} of ${all} pods of ${name} ${ready === 1 ? 'is' : 'are'} ready, and the next one never starts`
}
