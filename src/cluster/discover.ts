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

/**
 * Asks for the wanted kinds only. A group whose server does not answer is named, and all else is found.
 * @throws RequestError when the server answers nothing at all
 */
export async function discover(get: Get, wanted: ReadonlySet<KindName>): Promise<Discovery> {
  const accept = `${aggregated},application/json`
  const [core, groups] = await Promise.all([get('/api', accept), get('/apis', accept)])
  if (!isDiscovery(core) || !isDiscovery(groups))
    throw new RequestError(0, 'what answers there is no API server: it does not tell which kinds it has')
  const found = new Map<KindName, Resource>()
  const unlisted = new Map<KindName, Resource>()
  const down: { group: string; reason: string }[] = []
  const add = (group: string, version: string, entries: readonly Entry[]) => {
    const apiVersion = group === '' ? version : `${group}/${version}`
    for (const { plural, kind, namespaced, verbs } of entries) {
      const kindName = kindNameOf(apiVersion, kind)
      if (plural.includes('/') || !wanted.has(kindName) || found.has(kindName)) continue
      const those = verbs.includes('list') ? found : unlisted
      those.set(kindName, { kindName, apiVersion, kind, plural, namespaced })
    }
  }
  for (const answer of [core, groups]) {
    if (stringAt(answer, 'kind') === 'APIGroupDiscoveryList') {
      for (const group of objectsAt(answer, 'items')) {
        const name = stringAt(group, 'metadata', 'name') ?? ''
        for (const version of objectsAt(group, 'versions')) {
          if (stringAt(version, 'freshness') === 'Stale')
            down.push({ group: name, reason: 'its server does not answer' })
          add(name, stringAt(version, 'version') ?? '', objectsAt(version, 'resources').map(aggregatedEntry))
        }
      }
      continue
    }
    const groupsOfWanted = new Set([...wanted].map((kind) => kind.slice(0, kind.lastIndexOf('/'))))
    for (const { name, versions } of plainGroups(answer)) {
      // Built-in kinds are wanted without their group.
      if (name.includes('.') && !name.endsWith('.k8s.io') && !groupsOfWanted.has(name)) continue
      for (const version of versions) {
        const path = name === '' ? `/api/${version}` : `/apis/${name}/${version}`
        try {
          add(name, version, objectsAt(await get(path), 'resources').map(plainEntry))
        } catch (error) {
          if (!(error instanceof RequestError)) throw error
          down.push({ group: name, reason: error.message })
        }
      }
    }
  }
  return {
    resources: [...found.values()],
    unlisted: [...unlisted.values()].filter(({ kindName }) => !found.has(kindName)),
    down: firstOfEach(down),
  }
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
