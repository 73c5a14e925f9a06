/** One model of containers. */
import type { ContainerSpec, PodSpec } from '../kubernetes.js'

/** A container of a workload, whichever list it stands in. */
export interface Container {
  readonly name: string
  /**
   * `ordinary`: `spec.containers`. `sidecar`: an init container with `restartPolicy: Always` (native sidecar, on by
   * default from 1.29). `init`: any other init container.
   */
  readonly role: 'ordinary' | 'sidecar' | 'init'
  readonly spec: ContainerSpec
  /** As written; undefined when the manifest leaves it to somebody else (kustomize, an injector). */
  readonly image: string | undefined
  /** Its index in its list. */
  readonly index: number
}

/** All containers in the order of the manifest, ordinary ones first. */
export function containersOf(pod: PodSpec): readonly Container[] {
  const make =
    (role: Container['role'] | undefined) =>
    (spec: ContainerSpec, index: number): Container => ({
      // Knative names what has no name.
      name: spec.name ?? (spec.image === undefined ? '' : imageParts(spec.image).name),
      role: role ?? (spec.restartPolicy === 'Always' ? 'sidecar' : 'init'),
      spec,
      image: spec.image,
      index,
    })
  const ordinary = (pod.containers ?? []).map(make('ordinary'))
  return pod.initContainers ? [...ordinary, ...pod.initContainers.map(make(undefined))] : ordinary
}

/**
 * Whether an injector fills in the container at admission, with probes, ports and hooks: Istio does where the image is
 * `auto`. Source: istio/manifests/charts/gateway.
 */
export function isInjected({ image }: Container): boolean {
  return image === 'auto'
}

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

const split = new Map<string, ImageParts>()

/** Splits an image reference by the rules of distribution/reference. */
export function imageParts(image: string): ImageParts {
  let parts = split.get(image)
  if (!parts) {
    parts = partsOf(image)
    split.set(image, parts)
  }
  return parts
}

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

/** The suffixes of coreutils' sleep. */
const sleepUnits: Readonly<Record<string, number>> = { m: 60, h: 3600, d: 86400 }

/**
 * The seconds that a hook's command waits: the sum of its `sleep N` calls, shell or not. 0 when it never sleeps, and
 * when loops or conditions leave it open for how long.
 * `["sh", "-c", "sleep 10 && nginx -s quit"]` → 10, `["/bin/sleep", "5"]` → 5, `sleep 1m` → 60. What comes after a
 * signal to the process is the time of its shutdown: `sleep 30 && kill -INT 1 && sleep 31` → 30.
 */
export function delayOfCommand(command: readonly string[] | undefined): number {
  const all = (command ?? []).join(' ')
  if (/(?:^|[\s;&|(])(?:while|until|for|if|case)\s/.test(all)) return 0
  const [words = ''] = all.split(/(?:^|[\s;&|(/])(?:kill|pkill|killall)\s/)
  let sum = 0
  for (const match of words.matchAll(/(?:^|[\s;&|(/])sleep\s+["']?(\d+(?:\.\d+)?)([smhd]?)/g)) {
    sum += Number(match[1]) * (sleepUnits[match[2] ?? ''] ?? 1)
  }
  return sum
}

/**
 * The words that the container's process is started with, as far as the manifest has them: its
 * command and its arguments.
 */
export function wordsOf({ command = [], args = [] }: ContainerSpec): readonly string[] {
  return [...command, ...args]
}

/**
 * The value of a command-line flag of the container: `--name=value`, `--name value` or `-name=value`; `true` for a
 * flag without a value. Undefined when the flag is not given. The last one wins, as in Go's flag packages.
 */
export function flagOf(container: Container, name: string): string | undefined {
  const { command = [], args = [] } = container.spec
  let value: string | undefined
  const count = command.length + args.length
  const wordAt = (i: number) => (i < command.length ? command[i] : args[i - command.length])
  for (let i = 0; i < count; i++) {
    const word = wordAt(i) ?? ''
    if (!word.startsWith('-')) continue
    const start = word.startsWith('--') ? 2 : 1
    if (!word.startsWith(name, start)) continue
    const end = start + name.length
    const next = wordAt(i + 1)
    if (word.length === end) value = next === undefined || next.startsWith('-') ? 'true' : next
    else if (word[end] === '=') value = word.slice(end + 1)
  }
  return value
}

const patterns = new Map<string, RegExp>()
const patternsOfLists = new WeakMap<readonly string[], RegExp>()

/** One expression for a list of words; rules ask with few lists, many times. */
function patternOf(words: readonly string[]): RegExp {
  let pattern = patternsOfLists.get(words)
  if (pattern) return pattern
  const key = words.join(' ')
  pattern = patterns.get(key)
  if (!pattern) {
    const any = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')
    pattern = words.length > 0 ? new RegExp(`(^|[/_.-])(${any})($|[/_.-])`) : /(?!)/
    patterns.set(key, pattern)
  }
  patternsOfLists.set(words, pattern)
  return pattern
}

/**
 * Whether the image's repository holds one of the words as a whole part: `vector` is in
 * `timberio/vector`, not in `pgvector`.
 */
export function imageNamed(image: string | undefined, words: readonly string[]): boolean {
  if (!image) return false
  const { repository } = imageParts(image)
  return patternOf(words).test(repository)
}
