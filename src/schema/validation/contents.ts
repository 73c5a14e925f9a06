/** What ConfigMaps and Secrets hold: ValidateConfigMap and ValidateSecret of pkg/apis/core/validation. */
import { type Checks, on } from './say.js'

interface Contents {
  readonly type?: string
  readonly data?: Readonly<Record<string, string>>
  readonly binaryData?: Readonly<Record<string, string>>
  readonly stringData?: Readonly<Record<string, string>>
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> }
}

/** MaxSecretSize of pkg/apis/core/types.go. */
const mostBytes = 1024 * 1024

/** The keys that a type of Secret wants. Of their values nothing is known here. */
const wantedKeys: ReadonlyMap<string, readonly string[]> = new Map([
  ['kubernetes.io/tls', ['tls.crt', 'tls.key']],
  ['kubernetes.io/ssh-auth', ['ssh-privatekey']],
  ['kubernetes.io/dockercfg', ['.dockercfg']],
  ['kubernetes.io/dockerconfigjson', ['.dockerconfigjson']],
])

const account = 'kubernetes.io/service-account.name'

export const contents: Checks = {
  'core.ConfigMap': [
    on<Contents>(({ data = {}, binaryData = {} }, say) => {
      for (const key of Object.keys(data)) say.name(['data', key], 'data key', key)
      for (const key of Object.keys(binaryData)) {
        say.name(['binaryData', key], 'data key', key)
        if (Object.hasOwn(data, key))
          say.conflict(['binaryData', key], 'cannot stand beside a text of that name in data')
      }
      const sizes = [...Object.values(data).map(bytesOf), ...Object.values(binaryData).map(decodedBytes)]
      const size = sizes.reduce((sum, one) => sum + one, 0)
      if (size > mostBytes)
        say.conflict(
          [Object.keys(data).length > 0 ? 'data' : 'binaryData'],
          `holds ${size} bytes, and a ConfigMap takes ${mostBytes} at most`,
        )
    }),
  ],
  'core.Secret': [
    on<Contents>(({ type = '', data = {}, stringData = {}, metadata }, say) => {
      for (const key of Object.keys(data)) say.name(['data', key], 'data key', key)
      for (const key of Object.keys(stringData)) say.name(['stringData', key], 'data key', key)
      const because = `and type is ${type}`
      const has = (key: string) => Object.hasOwn(data, key) || Object.hasOwn(stringData, key)
      const field = Object.keys(stringData).length > 0 ? 'stringData' : 'data'
      // One of them will do.
      if (type === 'kubernetes.io/basic-auth' && !has('username') && !has('password'))
        say.lacks([field, 'username'], because)
      const [first, ...others] = (wantedKeys.get(type) ?? []).filter((key) => !has(key))
      if (first !== undefined)
        say.lacks([field, first], others.length > 0 ? `as is ${others.join(', ')}, ${because}` : because)
      if (type === 'kubernetes.io/service-account-token' && !metadata?.annotations?.[account])
        say.lacks(['metadata', 'annotations', account], because)
    }),
  ],
}

function bytesOf(text: string): number {
  return Buffer.byteLength(text)
}

function decodedBytes(text: string): number {
  return Buffer.byteLength(text, 'base64')
}
