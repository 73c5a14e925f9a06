/** What an API server serves: aggregated discovery in two requests, or group by group where a server is too old for it. */
import { type KindName, kindNameOf } from '../kubernetes.js'
import { arrayAt, isObject, objectsAt, stringAt } from '../values/untyped.js'
import { type Get, RequestError } from './request.js'

/** A kind that can be listed. */
export interface Resource {
  readonly kindName: KindName
  readonly apiVersion: string
  readonly kind: string
  /** The plural in paths and roles: `deployments`. */
  readonly plural: string
  readonly namespaced: boolean
}

export interface Discovery {
  /** Those of the wanted kinds that the server has, each in the version that the server prefers. */
  readonly resources: readonly Resource[]
  /** Those that it has and does not list in any version. */
  readonly unlisted: readonly Resource[]
  /** Groups or versions that could not be asked: their kinds may exist. `''` is the core group. */
  readonly down: readonly { readonly group: string; readonly reason: string }[]
}

const aggregated = ['v2', 'v2beta1']
  .map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`)
  .join(',')

/** What one version of a group serves, or why nobody can tell. */
interface Served {
  readonly group: string
  readonly version: string
  readonly entries: readonly Entry[]
  readonly down?: string
}

/**
 * Asks for the wanted kinds only. A group whose server does not answer is named, and all else is found.
 * @throws RequestError when the server answers nothing at all
 */
export async function discover(get: Get, wanted: ReadonlySet<KindName>): Promise<Discovery> {
  const accept = `${aggregated},application/json`
  const answers = await Promise.all([get('/api', accept), get('/apis', accept)])
  if (!answers.every(isDiscovery))
    throw new RequestError(0, 'what answers there is no API server: it does not tell which kinds it has')
  const found = new Map<KindName, Resource>()
  const unlisted = new Map<KindName, Resource>()
  const down: { group: string; reason: string }[] = []
  for (const answer of answers)
    for (const served of await servedBy(answer, get, wanted)) {
      const { group, version, entries } = served
      if (served.down !== undefined) down.push({ group, reason: served.down })
      const apiVersion = group === '' ? version : `${group}/${version}`
      for (const { plural, kind, namespaced, verbs } of entries) {
        const kindName = kindNameOf(apiVersion, kind)
        if (plural.includes('/') || !wanted.has(kindName) || found.has(kindName)) continue
        const those = verbs.includes('list') ? found : unlisted
        those.set(kindName, { kindName, apiVersion, kind, plural, namespaced })
      }
    }
  return {
    resources: [...found.values()],
    unlisted: [...unlisted.values()].filter(({ kindName }) => !found.has(kindName)),
    down: firstOfEach(down),
  }
}

/** What the groups of an answer serve, the preferred version of each group first: all at once, or asked one by one. */
async function servedBy(answer: unknown, get: Get, wanted: ReadonlySet<KindName>): Promise<Served[]> {
  return stringAt(answer, 'kind') === 'APIGroupDiscoveryList'
    ? aggregatedGroups(answer)
    : askedOneByOne(answer, get, wanted)
}

/** Source: k8s.io/api/apidiscovery/v2/types.go. */
function aggregatedGroups(answer: unknown): Served[] {
  return objectsAt(answer, 'items').flatMap((item) => {
    const group = stringAt(item, 'metadata', 'name') ?? ''
    return objectsAt(item, 'versions').map((version) => ({
      group,
      version: stringAt(version, 'version') ?? '',
      entries: objectsAt(version, 'resources').map(aggregatedEntry),
      ...(stringAt(version, 'freshness') === 'Stale' && { down: 'its server does not answer' }),
    }))
  })
}

/** Asks for each version of the groups that may have one of the wanted kinds. */
async function askedOneByOne(answer: unknown, get: Get, wanted: ReadonlySet<KindName>): Promise<Served[]> {
  const groupsOfWanted = new Set([...wanted].map((kind) => kind.slice(0, kind.lastIndexOf('/'))))
  // Built-in kinds are wanted without their group.
  const mayHave = (group: string) =>
    !group.includes('.') || group.endsWith('.k8s.io') || groupsOfWanted.has(group)
  const served: Served[] = []
  for (const { name: group, versions } of plainGroups(answer).filter(({ name }) => mayHave(name)))
    for (const version of versions) {
      const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
      try {
        served.push({ group, version, entries: objectsAt(await get(path), 'resources').map(plainEntry) })
      } catch (error) {
        if (!(error instanceof RequestError)) throw error
        served.push({ group, version, entries: [], down: error.message })
      }
    }
  return served
}

/** Source: k8s.io/api/apidiscovery/v2/types.go, k8s.io/apimachinery/pkg/apis/meta/v1/types.go. */
function isDiscovery(answer: unknown): boolean {
  return ['APIGroupDiscoveryList', 'APIVersions', 'APIGroupList'].includes(stringAt(answer, 'kind') ?? '')
}

interface Entry {
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
  readonly verbs: readonly unknown[]
}

/** Source: k8s.io/api/apidiscovery/v2/types.go. */
function aggregatedEntry(resource: object): Entry {
  return {
    plural: stringAt(resource, 'resource') ?? '',
    kind: stringAt(resource, 'responseKind', 'kind') ?? '',
    namespaced: stringAt(resource, 'scope') === 'Namespaced',
    verbs: arrayAt(resource, 'verbs'),
  }
}

/** Source: APIResource in k8s.io/apimachinery/pkg/apis/meta/v1/types.go. */
function plainEntry(resource: object): Entry {
  return {
    plural: stringAt(resource, 'name') ?? '',
    kind: stringAt(resource, 'kind') ?? '',
    namespaced: 'namespaced' in resource && resource.namespaced === true,
    verbs: arrayAt(resource, 'verbs'),
  }
}

/** The groups of an APIGroupList, or the core group of an APIVersions, with their versions, the preferred one first. */
function plainGroups(answer: unknown): { name: string; versions: readonly string[] }[] {
  if (!isObject(answer)) return []
  const core = arrayAt(answer, 'versions').filter((version) => typeof version === 'string')
  if (core.length > 0) return [{ name: '', versions: core }]
  return objectsAt(answer, 'groups').map((group) => ({
    name: stringAt(group, 'name') ?? '',
    versions: [
      ...new Set(
        [
          stringAt(group, 'preferredVersion', 'version'),
          ...objectsAt(group, 'versions').map((one) => stringAt(one, 'version')),
        ].filter((version) => version !== undefined),
      ),
    ],
  }))
}

function firstOfEach<T extends { readonly group: string }>(list: readonly T[]): T[] {
  return list.filter(({ group }, i) => list.findIndex((one) => one.group === group) === i)
}
