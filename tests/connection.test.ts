/** How `scan` trusts a server, and how it says who asks: the fields of a kubeconfig, against a server over TLS. */
import { delimiter, join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { authority } from './authority.js'
import { base64, kubeconfig, read, readFrom, serverPair, testCluster, trusted } from './connection.js'
import { folderWith } from './folders.js'

const longAgo = new Date('2020-02-03T04:05:06Z')
const nobody = { authorization: undefined, certificate: undefined, impersonated: {} }

describe('a server', () => {
  it('is trusted by the authority in the kubeconfig, or in a file beside it', async () => {
    const { address } = await testCluster()
    expect(await read(kubeconfig(address, {}))).toBe(1)
    const file = { 'certificate-authority-data': undefined, 'certificate-authority': 'pki/ca.crt' }
    const config = kubeconfig(address, {}, file)
    expect(await read({ config, 'pki/ca.crt': trusted.cert })).toBe(1)
    expect(await read({ config })).toMatchInlineSnapshot(
      `"the certificate-authority pki/ca.crt of the cluster "shop" in config is not there."`,
    )
  })

  it('is not trusted by another authority, none, or what is no certificate', async () => {
    const { address } = await testCluster()
    const by = (data: string | undefined) =>
      read(kubeconfig(address, {}, { 'certificate-authority-data': data }))
    expect(await by(base64(authority().cert))).toMatchInlineSnapshot(
      `"the cluster of the context "prod" (https://127.0.0.1) cannot be read: its certificate is signed by no authority that is trusted here: certificate-authority in the kubeconfig names one, or else NODE_EXTRA_CA_CERTS"`,
    )
    expect(await by(undefined)).toMatchInlineSnapshot(
      `"the cluster of the context "prod" (https://127.0.0.1) cannot be read: its certificate is signed by no authority that is trusted here: certificate-authority in the kubeconfig names one, or else NODE_EXTRA_CA_CERTS"`,
    )
    expect(await by(base64('rubbish'))).toMatchInlineSnapshot(
      `"the certificate-authority-data of the cluster "shop" in config holds no certificate that can be read."`,
    )
  })

  it('is trusted in any case when the kubeconfig says so', async () => {
    const { address } = await testCluster(authority().issue({ name: 'somebody else' }))
    const user = { token: 'abc' }
    const config = kubeconfig(address, user, {
      'certificate-authority-data': undefined,
      'insecure-skip-tls-verify': true,
    })
    expect(await read(config)).toBe(1)
  })

  it('must have a certificate that holds today', async () => {
    const { address } = await testCluster(
      trusted.issue({ name: 'server', hosts: ['127.0.0.1'], until: longAgo }),
    )
    expect(await read(kubeconfig(address, {}))).toMatchInlineSnapshot(
      `"the cluster of the context "prod" (https://127.0.0.1) cannot be read: its certificate has expired"`,
    )
  })

  it('must have a certificate for its address, or for tls-server-name', async () => {
    const pair = trusted.issue({ name: 'server', hosts: ['api.example.com'] })
    const { address } = await testCluster(pair)
    expect(await read(kubeconfig(address, {}))).toMatchInlineSnapshot(
      `"the cluster of the context "prod" (https://127.0.0.1) cannot be read: its certificate is for other names (DNS:api.example.com); tls-server-name in the kubeconfig tells which one to expect"`,
    )
    expect(await read(kubeconfig(address, {}, { 'tls-server-name': 'api.example.com' }))).toBe(1)
    expect(
      await read(kubeconfig(address, {}, { 'tls-server-name': 'other.example.com' })),
    ).toMatchInlineSnapshot(
      `"the cluster of the context "prod" (https://127.0.0.1) cannot be read: its certificate is for other names (DNS:api.example.com); tls-server-name in the kubeconfig tells which one to expect"`,
    )
  })

  it('must be there', async () => {
    expect(await read(kubeconfig('https://127.0.0.1:1', {}))).toMatchInlineSnapshot(
      `"the cluster of the context "prod" (https://127.0.0.1) cannot be read: nothing listens there (connection refused)"`,
    )
  })
})

describe('a user', () => {
  it('may have a certificate, in the kubeconfig or in files beside it', async () => {
    const { address, visitors } = await testCluster()
    const { cert, key } = trusted.issue({ name: 'jane', groups: ['admins'] })
    const inside = { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) }
    expect(await read(kubeconfig(address, inside))).toBe(1)
    expect(visitors).toEqual([{ ...nobody, certificate: 'jane' }])
    const beside = { 'client-certificate': 'jane.crt', 'client-key': 'keys/jane.key' }
    const config = kubeconfig(address, beside)
    expect(await read({ config, 'jane.crt': cert, 'keys/jane.key': key })).toBe(1)
    expect(visitors).toEqual([{ ...nobody, certificate: 'jane' }])
    expect(await read({ config, 'jane.crt': cert })).toMatchInlineSnapshot(
      `"the client-key keys/jane.key of the user "me" in config is not there."`,
    )
  })

  it('whose certificate or key is none, or not of the other, is told so', async () => {
    const { address } = await testCluster()
    const { cert, key } = trusted.issue({ name: 'jane' })
    const by = (c: string | undefined, k: string | undefined) =>
      read(
        kubeconfig(address, {
          ...(c && { 'client-certificate-data': base64(c) }),
          ...(k && { 'client-key-data': base64(k) }),
        }),
      )
    expect(await by('rubbish', key)).toMatchInlineSnapshot(
      `"the client-certificate-data of the user "me" in config holds no certificate that can be read."`,
    )
    expect(await by(cert, 'rubbish')).toMatchInlineSnapshot(
      `"the client-key-data of the user "me" in config holds no private key that can be read."`,
    )
    expect(await by(cert, serverPair.key)).toMatchInlineSnapshot(
      `"the client-key-data of the user "me" in config is not the one of the client-certificate-data."`,
    )
    expect(await by(cert, undefined)).toMatchInlineSnapshot(
      `"there is no client-key for the client-certificate-data of the user "me" in config."`,
    )
  })

  it('is told when the certificate has expired', async () => {
    const { address } = await testCluster({}, () => true)
    const { cert, key } = trusted.issue({ name: 'jane', until: longAgo })
    const user = { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) }
    expect(await read(kubeconfig(address, user))).toMatchInlineSnapshot(
      `"the cluster of the context "prod" (https://127.0.0.1) does not know these credentials: Unauthorized. The client certificate expired on 2020-02-03."`,
    )
  })

  it('may have a name and a password', async () => {
    const { address, visitors } = await testCluster()
    expect(await read(kubeconfig(address, { username: 'jane', password: 'pässword' }))).toBe(1)
    expect(await read(kubeconfig(address, { username: 'jane' }))).toBe(1)
    expect(
      visitors.map(({ authorization = '' }) => Buffer.from(authorization.slice(6), 'base64').toString()),
    ).toEqual(['jane:pässword', 'jane:'])
  })

  it('may act as somebody else, in the kubeconfig or by flag', async () => {
    const { address, visitors } = await testCluster()
    const user = {
      token: 'abc',
      as: 'jane',
      'as-uid': '42',
      'as-groups': ['dev', 'ops'],
      'as-user-extra': { 'example.com/Reason': ['on call', 'ünicode'] },
    }
    expect(await read(kubeconfig(address, user))).toBe(1)
    expect(await read(kubeconfig(address, user), { as: 'joe', asGroup: ['qa'] })).toBe(1)
    const extra = { 'impersonate-uid': '42', 'impersonate-extra-example.com%2freason': 'on call, ünicode' }
    expect(visitors.map(({ impersonated }) => impersonated)).toEqual([
      { 'impersonate-user': 'jane', 'impersonate-group': 'dev, ops', ...extra },
      { 'impersonate-user': 'joe', 'impersonate-group': 'qa', ...extra },
    ])
    expect(await read(kubeconfig(address, { 'as-groups': ['dev'] }))).toMatchInlineSnapshot(
      `"the user "me" in config has as-groups, as-uid or as-user-extra, but no as: they need a user."`,
    )
  })
})

describe('several kubeconfigs', () => {
  const listed = (folder: string, ...files: readonly string[]) =>
    files.map((file) => join(folder, file)).join(delimiter)

  it('are one: the first entry of a name counts, and paths start at the file that they are in', async () => {
    const { address, visitors } = await testCluster()
    const { cert, key } = trusted.issue({ name: 'jane' })
    const server = { server: address, 'certificate-authority': 'ca.crt' }
    const folder = folderWith({
      'contexts/config': {
        contexts: [{ name: 'prod', context: { cluster: 'shop', user: 'me' } }],
        users: [{ name: 'other', user: { token: 'abc' } }],
      },
      'users/config': {
        'current-context': 'prod',
        users: [{ name: 'me', user: { 'client-certificate': 'me.crt', 'client-key': 'me.key' } }],
      },
      'users/me.crt': cert,
      'users/me.key': key,
      'clusters/config': {
        'current-context': 'nowhere',
        clusters: [{ name: 'shop', cluster: server }],
        users: [{ name: 'me', user: { token: 'abc' } }],
      },
      'clusters/ca.crt': trusted.cert,
      empty: '',
    })
    const files = ['empty', 'contexts/config', 'absent', 'users/config', 'clusters/config']
    vi.stubEnv('KUBECONFIG', listed(folder, ...files))
    expect(await readFrom(undefined)).toBe(1)
    expect(visitors).toEqual([{ ...nobody, certificate: 'jane' }])
  })

  it('are named in what is wrong with them', async () => {
    const folder = folderWith({
      a: { contexts: [{ name: 'prod', context: { cluster: 'shop', user: 'me' } }] },
      b: { clusters: [{ name: 'shop', cluster: { server: 'api.example.com' } }] },
      c: { users: [{ name: 'me', user: {} }], 'current-context': 'prod' },
      list: '- hunter2',
      'folder/config': {},
    })
    const by = async (...files: readonly string[]) => {
      vi.stubEnv('KUBECONFIG', listed(folder, ...files))
      return String(await readFrom(undefined)).replaceAll(`${folder}/`, '')
    }
    const messages = [
      await by('a'),
      await by('a', 'c'),
      await by('a', 'c', 'b'),
      await by('b', 'c'),
      await by('c', 'list'),
      await by('folder'),
      await by('absent'),
    ]
    expect(messages.join('\n')).not.toContain('hunter2')
    expect(messages).toMatchInlineSnapshot(`
      [
        "no context is set in a. It has prod. Choose one: --context NAME",
        "the context "prod" names the cluster "shop", which a, c does not have. kubectl config view shows what is there.",
        "the server of the cluster "shop" in b is no https address: "api.example.com".",
        "there is no context "prod" in b, c. It has none.",
        "list cannot be used as a kubeconfig: it holds no mapping with clusters, users and contexts. Correct the file, or name another one: --kubeconfig FILE",
        "folder cannot be used as a kubeconfig: EISDIR: illegal operation on a directory, read. Correct the file, or name another one: --kubeconfig FILE",
        "there is no kubeconfig: KUBECONFIG names absent. Name one: --kubeconfig FILE",
      ]
    `)
  })
})
