import { imageParts, inRange, rule, type Version, version } from '../src/rule.js'

export default rule({
  title: 'An old Alpine image with the search domains of the cluster',
  category: 'dns',
  severity: 'info',
  recommended: false,
  why: `Alpine's C library, musl, asks all name servers at once and takes the first answer, and before 1.2.4 it
did not repeat a cut answer over TCP. With the search domains of a cluster each lookup is several queries, any of
which may be lost or cut: names with many addresses may not be found, and others now and then.`,
  remedy: 'Build on a newer base image, or lower `ndots` in the `dnsConfig` of the pod.',
  decides: `An image \`alpine\` below \`fixedIn\`, or a tag that names one (\`3.9-alpine3.13\`), in a pod that uses the
cluster's DNS (\`dnsPolicy: ClusterFirst\`) with its search domains and \`ndots\` of 5.`,
  falsePositives: 'Programs in Go and Java that resolve names themselves.',
  versions: 'musl 1.2.4 (May 2023) has DNS over TCP; Alpine 3.18 is the first release with it.',
  sources: ['musl, WHATSNEW of 1.2.4 (May 2023)', 'Alpine Linux, announcement of 3.18.0 (May 2023)'],
  stories: ['toyota-dns-storm'],
  params: {
    fixedIn: {
      type: 'string',
      pattern: '^[0-9]+\\.[0-9]+$',
      default: '3.18',
      about: 'The first release of Alpine that is not reported.',
    },
  },
  for: 'Workload',
  check({ pod, running, name }, { params, report }) {
    const { hostNetwork, dnsPolicy = 'ClusterFirst', dnsConfig } = pod
    const usesCluster = dnsPolicy === 'ClusterFirst' ? !hostNetwork : dnsPolicy === 'ClusterFirstWithHostNet'
    const ndots = dnsConfig?.options?.find((option) => option.name === 'ndots')?.value
    if (!usesCluster || (ndots !== undefined && Number(ndots) < 5)) return
    for (const { spec, image } of running) {
      const alpine = alpineOf(image)
      if (!alpine || !inRange(alpine, `<${params.fixedIn}`)) continue
      report(
        spec,
        'image',
        `Lookups of ${name} may fail now and then: the resolver of Alpine ${alpine[0]}.${alpine[1]} cannot repeat a query over TCP.`,
      )
      return
    }
  },
})

/** The release of Alpine that an image is made from, where its name tells. */
function alpineOf(image: string | undefined): Version | undefined {
  const { repository, tag = '' } = imageParts(image ?? '')
  if (repository === 'library/alpine') return version(tag)
  return version(/(?:^|[-_.])alpine-?(3\.\d+)(?:$|[-_.])/.exec(tag)?.[1])
}
