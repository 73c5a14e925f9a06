/** References to images, and what their names tell. */
import { groupBy } from '../values/group.js'
import { memo } from '../values/lazy.js'

/** An image reference, `registry/repository:tag@digest`, in its parts. */
export interface ImageParts {
  /** `docker.io` when the image names none. */
  readonly registry: string
  /** Without registry, tag and digest, with `library/` for official images. */
  readonly repository: string
  /** The last part of the repository: `nginx`. */
  readonly name: string
  readonly tag: string | undefined
  readonly digest: string | undefined
}

/** Tags that are pushed again and again by convention: they name a state, not a release. */
export const movingTags = [
  'latest',
  'stable',
  'master',
  'main',
  'dev',
  'develop',
  'edge',
  'nightly',
  'prod',
  'production',
  'release',
  'current',
  'canary',
] as const

/** Parts of the names of images and containers that others of the pod connect through. */
export const proxyNames = [
  'istio-proxy',
  'istio/proxyv2',
  'linkerd-proxy',
  'linkerd/proxy',
  'envoy',
  'cloud-sql-proxy',
  'cloudsql-proxy',
  'gce-proxy',
  'alloydb-auth-proxy',
] as const

/** Splits an image reference by the rules of distribution/reference. */
export const imageParts: (image: string) => ImageParts = memo(partsOf)

function partsOf(image: string): ImageParts {
  const at = image.indexOf('@')
  const digest = at < 0 ? undefined : image.slice(at + 1)
  let rest = at < 0 ? image : image.slice(0, at)
  const slash = rest.lastIndexOf('/')
  const colon = rest.indexOf(':', slash + 1)
  const tag = colon < 0 ? undefined : rest.slice(colon + 1)
  if (colon >= 0) rest = rest.slice(0, colon)
  const first = rest.slice(0, Math.max(0, rest.indexOf('/')))
  const hasRegistry = first.includes('.') || first.includes(':') || first === 'localhost'
  const registry = hasRegistry ? first : 'docker.io'
  const path = hasRegistry ? rest.slice(first.length + 1) : rest
  const repository = registry === 'docker.io' && !path.includes('/') ? `library/${path}` : path
  return { registry, repository, name: path.slice(path.lastIndexOf('/') + 1), tag, digest }
}

/**
 * The official images of Docker Hub, the only ones that are pulled by a bare name, and retired
 * ones that manifests still name.
 * Source: docker-library/official-images, library/, in August 2026 and before.
 */
const officialImages = new Set(
  `adminer aerospike almalinux alpine alt amazoncorretto amazonlinux api-firewall arangodb archlinux
  azul-zulu backdrop bash bonita buildpack-deps busybox caddy cassandra centos chronograf cirros clearlinux
  clefos clickhouse clojure composer consul convertigo couchbase couchdb crate dart debian docker drupal
  eclipse-mosquitto eclipse-temurin eggdrop elasticsearch elixir emqx erlang espocrm fedora flink fluentd
  friendica gazebo gcc geonetwork ghost golang gradle groovy haproxy haskell haxe hello-world hitch httpd
  hylang ibm-semeru-runtimes ibmjava influxdb irssi java jetty jobber joomla jruby julia kapacitor kibana
  kong krakend lightstreamer liquibase logstash mageia mariadb matomo maven mediawiki memcached mongo
  mongo-express monica mono mysql nats nats-streaming neo4j neurodebian nextcloud nginx nim node notary
  nuxeo odoo open-liberty openjdk opensuse oraclelinux orientdb percona perl photon php php-zendserver
  phpmyadmin plone postfixadmin postgres pypy python r-base rabbitmq rakudo-star redis redmine registry
  rethinkdb rocket.chat rockylinux ros ruby rust sapmachine satosa silverpeas solr sonarqube sourcemage
  spark spiped storm swarm swift swipl teamspeak telegraf thrift tomcat tomee traefik ubuntu unit varnish
  vault websphere-liberty wordpress xwiki yourls znc zookeeper`.split(/\s+/),
)

/**
 * Whether the image is a bare name for a tool to fill in: no registry, no tag, and no image of that name on Docker Hub.
 * Such names can't be pulled as they stand; skaffold, kustomize, Tilt and their like put a reference in their place.
 */
export function isImageAlias(image: string): boolean {
  return /^[a-z0-9._-]+$/.test(image) && !officialImages.has(image)
}

const betweenParts = /[/_.-]/
/** What the names of images end with that are made for one kind of node, as those of old releases: `kube-proxy-amd64`. */
const architecture = /-(?:amd64|arm64|arm|ppc64le|s390x)$/
/** The repository of an image, its parts, and the program by its last part. */
const named = memo((image: string) => {
  const { repository, name } = imageParts(image)
  return { repository, parts: repository.split(betweenParts), program: name.replace(architecture, '') }
})

/** Words by their first parts; of the key, they have spaces between them. */
const byFirstPart = memo((words: string) =>
  groupBy(words.split(' '), (word) => word.split(betweenParts)[0] ?? ''),
)
const byFirstPartOfLists = new WeakMap<readonly string[], ReadonlyMap<string, readonly string[]>>()

/** Rules ask with few lists, many times; some write their list anew each time. */
function wordsByFirstPart(words: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const known = byFirstPartOfLists.get(words)
  if (known) return known
  const grouped = byFirstPart(words.join(' '))
  byFirstPartOfLists.set(words, grouped)
  return grouped
}

/**
 * Whether the image's repository holds one of the words as a whole part, or as several: `vector` is in
 * `timberio/vector`, not in `pgvector`. An expression for each list would take V8 longer than all else of a short run's rules.
 */
export function imageNamed(image: string | undefined, words: readonly string[]): boolean {
  if (!image) return false
  const { repository, parts } = named(image)
  const wanted = wordsByFirstPart(words)
  for (const part of parts) if (wanted.get(part)?.some((word) => isHeld(word, repository))) return true
  return false
}

function isHeld(word: string, repository: string): boolean {
  if (word === '') return false
  for (let at = repository.indexOf(word); at >= 0; at = repository.indexOf(word, at + 1))
    if (isEdge(repository, at - 1) && isEdge(repository, at + word.length)) return true
  return false
}

/** Whether a part of the repository begins or ends at an index. */
function isEdge(repository: string, index: number): boolean {
  const character = repository[index]
  return character === undefined || betweenParts.test(character)
}

/** Parts of the image names of ingress controllers that are the proxy, too. */
export const ingressControllers = [
  'ingress-nginx/controller',
  'nginx-ingress-controller',
  'nginx/nginx-ingress',
  'library/traefik',
  'traefik/traefik',
  'haproxy-ingress',
  'haproxytech/kubernetes-ingress',
] as const

/** What a list of programs asks of an image: those with a `/` are words, the others ends of names. */
const asked = memo((programs: readonly string[]) => {
  const isWord = (program: string) => program.includes('/')
  return { words: programs.filter(isWord), ends: programs.filter((program) => !isWord(program)) }
})

/**
 * Whether the image is of one of the programs, whoever has built it: `hardened-flannel` is Flannel, `coredns-exporter` is not CoreDNS
 * and `aws-node-termination-handler` not what `aws-node` is. Words with a `/` are looked for as `imageNamed` does.
 */
export function imageOf(image: string | undefined, programs: readonly string[]): boolean {
  if (!image) return false
  const { words, ends } = asked(programs)
  const { program } = named(image)
  return ends.some((end) => isEnd(end, program)) || imageNamed(image, words)
}

function isEnd(end: string, program: string): boolean {
  return program.endsWith(end) && isEdge(program, program.length - end.length - 1)
}

/** Whether it is an image of kube-proxy. */
export function isKubeProxy(image: string | undefined): boolean {
  return image !== undefined && named(image).program === 'kube-proxy'
}
