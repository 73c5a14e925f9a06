/**
 * What stands in a kubeconfig, by type. kubectl refuses a file as a whole in which one field is of another type; a token of digits alone
 * is a number in YAML. Source: k8s.io/client-go/tools/clientcmd/api/v1/types.go.
 */
import { isObject } from '../values/untyped.js'

type Form =
  | 'text'
  | 'flag'
  | { readonly list: Form }
  | { readonly map: Form }
  | { readonly fields: Readonly<Record<string, Form>> }

const texts: Form = { list: 'text' }

const extensions: Form = { list: { fields: { name: 'text' } } }

const cluster: Form = {
  fields: {
    server: 'text',
    'tls-server-name': 'text',
    'insecure-skip-tls-verify': 'flag',
    'certificate-authority': 'text',
    'certificate-authority-data': 'text',
    'proxy-url': 'text',
    extensions,
  },
}

const user: Form = {
  fields: {
    'client-certificate': 'text',
    'client-certificate-data': 'text',
    'client-key': 'text',
    'client-key-data': 'text',
    token: 'text',
    tokenFile: 'text',
    as: 'text',
    'as-uid': 'text',
    'as-groups': texts,
    'as-user-extra': { map: texts },
    username: 'text',
    password: 'text',
    'auth-provider': { fields: { name: 'text', config: { map: 'text' } } },
    exec: {
      fields: {
        command: 'text',
        args: texts,
        env: { list: { fields: { name: 'text', value: 'text' } } },
        apiVersion: 'text',
        installHint: 'text',
        provideClusterInfo: 'flag',
        interactiveMode: 'text',
      },
    },
  },
}

const context: Form = { fields: { cluster: 'text', user: 'text', namespace: 'text' } }

const kubeconfig: Form = {
  fields: {
    clusters: { list: { fields: { name: 'text', cluster } } },
    users: { list: { fields: { name: 'text', user } } },
    contexts: { list: { fields: { name: 'text', context } } },
    'current-context': 'text',
  },
}

/** The first field of another type, and what to do about it, without what is in it; undefined where there is none. */
export function misformed(content: unknown): string | undefined {
  return fault(content, kubeconfig, '')
}

/** What is null is not set. */
function fault(value: unknown, form: Form, path: string): string | undefined {
  if (value === undefined || value === null) return undefined
  if (form === 'text')
    return typeof value === 'string' ? undefined : `${path} is no text. Put it in quotes if it is meant so`
  if (form === 'flag')
    return typeof value === 'boolean' ? undefined : `${path} is neither true nor false, without quotes`
  if ('list' in form) {
    if (!Array.isArray(value)) return `${path} is no list`
    return first(value, (one, i) => fault(one, form.list, `${path}[${i}]`))
  }
  if (!isObject(value))
    return path === '' ? 'it holds no mapping with clusters, users and contexts' : `${path} is no mapping`
  if ('map' in form)
    return first(Object.entries(value), ([name, one]) => fault(one, form.map, `${path}.${name}`))
  return first(Object.entries(form.fields), ([name, one]) =>
    fault(Object.hasOwn(value, name) ? value[name] : undefined, one, path === '' ? name : `${path}.${name}`),
  )
}

function first<T>(
  items: readonly T[],
  faultOf: (item: T, i: number) => string | undefined,
): string | undefined {
  for (const [i, item] of items.entries()) {
    const found = faultOf(item, i)
    if (found !== undefined) return found
  }
  return undefined
}
