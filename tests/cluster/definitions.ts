/** CustomResourceDefinitions on a server. */
import { setTimeout } from 'node:timers/promises'
import type { Call } from './connection.js'
import { isMapping, type Mapping } from './mapping.js'

const collection = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

/**
 * Creates those that the server takes, and waits until it serves their objects.
 * @throws when two have the same name
 */
export async function createDefinitions(call: Call, definitions: Iterable<Mapping>): Promise<void> {
  for (const definition of definitions) {
    const name = nameOf(definition)
    const { status } = await call('POST', collection, definition)
    if (status === 409) throw new Error(`${name} is defined twice`)
    while (status < 400 && !(await isEstablished(call, name))) await setTimeout(50)
  }
}

export function nameOf(value: unknown): string {
  return isMapping(value) && isMapping(value.metadata) ? String(value.metadata.name) : ''
}

async function isEstablished(call: Call, name: string): Promise<boolean> {
  const { status } = (await call('GET', `${collection}/${name}`)).json
  const conditions: unknown = isMapping(status) ? status.conditions : undefined
  return (
    Array.isArray(conditions) && conditions.some((one) => one.type === 'Established' && one.status === 'True')
  )
}

/** What they define, as `group/Kind`. */
export function kindsOf(definitions: Iterable<Mapping>): Set<string> {
  const kinds = [...definitions].flatMap(({ spec }) =>
    isMapping(spec) && isMapping(spec.names) ? [`${spec.group}/${spec.names.kind}`] : [],
  )
  return new Set(kinds)
}
