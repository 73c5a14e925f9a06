/** Where an API server keeps objects of each kind. */
import type { Answer, Call } from './connection.js'
import { isMapping } from './mapping.js'

/** Creates an object in its namespace or else in `default`; undefined when the server does not know its kind. */
export type Create = (object: unknown, query?: string) => Promise<Answer | undefined>

/** Asks the server for its kinds, once. */
export async function creator(call: Call): Promise<Create> {
  const folderOf = await folders(call)
  return async (object, query = '') => {
    const folder = folderOf(object)
    return folder === undefined ? undefined : call('POST', `${folder}${query}`, object)
  }
}

/**
 * Asks the server for its kinds, once. The function gives the path below which objects like this one are, in its namespace
 * or else in `default`; undefined when the server does not know the kind.
 */
export async function folders(call: Call): Promise<(object: unknown) => string | undefined> {
  const resources = await discover(call)
  return (object) => {
    if (!isMapping(object)) return undefined
    const resource = resources.get(`${object.apiVersion} ${object.kind}`)
    if (!resource) return undefined
    const namespace = isMapping(object.metadata) ? (object.metadata.namespace ?? 'default') : 'default'
    const folder = resource.namespaced ? `namespaces/${encodeURIComponent(String(namespace))}/` : ''
    return `${resource.base}/${folder}${resource.name}`
  }
}

interface Resource {
  readonly base: string
  readonly name: string
  readonly namespaced: boolean
}

/** Everything that can be created, by apiVersion and kind. */
async function discover(call: Call): Promise<Map<string, Resource>> {
  const groups = entries((await call('GET', '/apis')).json.groups)
  const versions = groups.flatMap((group) => entries(group.versions).map((one) => String(one.groupVersion)))
  const found = new Map<string, Resource>()
  for (const version of ['v1', ...versions]) {
    const base = version === 'v1' ? '/api/v1' : `/apis/${version}`
    for (const { name, kind, namespaced, verbs } of entries((await call('GET', base)).json.resources))
      if (Array.isArray(verbs) && verbs.includes('create') && !String(name).includes('/'))
        found.set(`${version} ${kind}`, { base, name: String(name), namespaced: namespaced === true })
  }
  return found
}

const entries = (value: unknown) => (Array.isArray(value) ? value.filter(isMapping) : [])
