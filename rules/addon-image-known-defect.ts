import { type Container, imageParts, inRange, rule, version } from '../src/rule.js'

interface Defect {
  /** The last part of the image's name. */
  readonly image: RegExp
  /** Versions that have it; all of them when absent. */
  readonly versions?: readonly string[]
  /** The argument without which the defect is out of reach. */
  readonly argument?: string
  /** What follows "…:1.14.4 ". */
  readonly what: string
  /** Nothing is broken, and nobody mends what will be. */
  readonly retired?: true
}

/** The first entry that fits counts. */
const defects: readonly Defect[] = [
  {
    image: /^k8s-dns-dnsmasq-nanny(-amd64|-arm64|-arm|-ppc64le|-s390x)?$/,
    versions: ['<1.14.5'],
    what: 'has a dnsmasq that a DNS answer can take over (CVE-2017-14491)',
  },
  {
    image: /^traefik$/,
    versions: ['>=2.0.0 <2.5.0'],
    what: 'loads no route at all after a restart when a field of one IngressRoute has a wrong type',
  },
  {
    image: /^controller(-chroot)?$/,
    versions: ['<1.11.5', '>=1.12.0 <1.12.1'],
    argument: '--validating-webhook',
    what: 'lets any pod take over the controller and read its Secrets (CVE-2025-1974)',
  },
  {
    image: /^nginx-ingress-controller(-amd64|-arm64)?$/,
    what: 'is a release of ingress-nginx before 1.0, with known ways to read all Secrets',
  },
  {
    image: /^controller(-chroot)?$/,
    what: 'gets no fixes, as ingress-nginx was retired in March 2026',
    retired: true,
  },
  { image: /^traefik$/, versions: ['<2.0.0'], what: 'has had no fixes since 2021', retired: true },
  {
    image: /^traefik$/,
    versions: ['<3.0.0'],
    what: 'gets no fixes any more, as support for Traefik 2 ended in February 2026',
    retired: true,
  },
  { image: /^kiam$/, what: 'gets no fixes, as the project is archived', retired: true },
]

export default rule({
  title: 'An add-on that all share has a known defect',
  category: 'images',
  severity: 'warning',
  why: `DNS, ingress and credentials serve every application of a cluster, so that their defects hit all of
them at once. The ones listed here have taken down or opened up whole clusters, and are cured by a newer
release; retired projects will not be cured at all.`,
  remedy:
    'Upgrade the add-on, and with Traefik its CustomResourceDefinitions, whose schemas are the cure; replace one that is retired.',
  decides: `The name and tag of an image are in a small table: dnsmasq of kube-dns before 1.14.5, Traefik 2 before
2.5, ingress-nginx before 1.11.5 and 1.12.0, where it is not started without \`--validating-webhook\` (the hole is
in that webhook). An info for projects that get no fixes any more: all of ingress-nginx, Traefik 1 and 2, kiam. An image
that is named \`controller\` or \`nginx-ingress-controller\` counts in ingress-nginx's own repositories only.
kube-proxy has rules of its own.

Tags that are no version are passed over, and digests without a tag.`,
  falsePositives: 'Vendors publish images with fixes under old numbers: suppress with that reason.',
  sources: [
    'CVE-2017-14491 and the Kubernetes blog of October 2017; kubernetes/dns, images/dnsmasq/Makefile of 1.14.4 (dnsmasq 2.76) and 1.14.5 (2.78)',
    'traefik issues 6370, 8088 and 8098 (one object that cannot be decoded ends the list; schemas in the definitions from 2.5 on); traefik v1.7.34 (December 2021, the last of 1.x), docs/content/deprecation/releases.md (2.11)',
    'CVE-2025-1974 and its Kubernetes announcement; ingress-nginx/changelog/controller-1.11.5.md and controller-1.12.1.md',
    'Ingress NGINX: statement of the Kubernetes Steering and Security Response Committees, January 2026',
  ],
  stories: ['dfds-traefik-malformed', 'google-playbook'],
  for: 'Workload',
  check(workload, { report }) {
    for (const { image, spec } of workload.containers) {
      if (!image) continue
      const { registry, repository, name, tag } = imageParts(image)
      if (isForeign(registry, repository, name)) continue
      const release = version(tag)
      const defect = release
        ? defects.find(
            (one) =>
              one.image.test(name) &&
              (!one.versions || one.versions.some((range) => inRange(release, range))) &&
              (!one.argument || mayHave(spec, one.argument)),
          )
        : undefined
      if (!defect) continue
      report(
        spec,
        'image',
        defect.retired
          ? `What breaks in ${workload.name} stays broken: ${name}:${tag} ${defect.what}.`
          : `Every application behind ${workload.name} is at risk: ${name}:${tag} ${defect.what}.`,
        { severity: defect.retired ? 'info' : 'warning' },
      )
      return
    }
  },
})

/** Whether the container is started with the argument, for all that its manifest says. */
function mayHave({ command = [], args = [] }: Container['spec'], argument: string): boolean {
  const words = [...command, ...args]
  return words.length === 0 || words.some((word) => word.startsWith(argument))
}

/**
 * Whether an image only has the name of an add-on: many are called controller, and others make ingress
 * controllers, too.
 */
function isForeign(registry: string, repository: string, name: string): boolean {
  if (/^controller(-chroot)?$/.test(name)) return !repository.endsWith(`ingress-nginx/${name}`)
  if (name.startsWith('nginx-ingress-controller'))
    return !(
      /(^|\/)kubernetes-ingress-controller\//.test(repository) ||
      (/(^|\.)gcr\.io$/.test(registry) && repository.startsWith('google'))
    )
  return name === 'traefik' && !/(^|\/)(library\/)?traefik(\/traefik)?$/.test(repository)
}
