/** How `scan` trusts a server, and how it says who asks: the fields of a kubeconfig, against a server over TLS. */
import { execFileSync } from 'node:child_process'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { authority } from './authority.js'
import {
  base64,
  kubeconfig,
  listening,
  nobody,
  read,
  readFrom,
  serverPair,
  testCluster,
  trusted,
} from './connection.js'
import { folderWith } from './folders.js'

const longAgo = new Date('2020-02-03T04:05:06Z')

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

  it('must speak TLS and HTTP, and go on with it', async () => {
    const saying = (text: string) =>
      listening(createServer((socket) => void socket.on('error', () => {}).write(text)))
    const to = async (scheme: string, text: string) =>
      read(kubeconfig((await saying(text)).replace('https', scheme), {}))
    expect(await to('https', 'SSH-2.0-OpenSSH_9\r\n')).toMatch(
      /cannot be read: what answers there does not speak TLS; is its address one of http:\/\/\?$/,
    )
    expect(await to('http', 'SSH-2.0-OpenSSH_9\r\n')).toMatch(
      /cannot be read: what answers there is no HTTP, or broken \(Parse Error: .*\)$/,
    )
    const other = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'
    expect(await to('http', other)).toMatch(/cannot be read: HTTP 101: it answers in another protocol$/)
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

describe('a kubeconfig', () => {
  /** What is said of one with this in the place of something. */
  const with_ = (more: object) => read({ ...kubeconfig('https://127.0.0.1:1', {}), ...more })

  it('with a field of another type is refused, as by kubectl, without what is in it', async () => {
    const cluster = (fields: object) => ({ clusters: [{ name: 'shop', cluster: fields }] })
    const user = (fields: object) => ({ users: [{ name: 'me', user: fields }] })
    const messages = [
      await with_({ 'current-context': 7 }),
      await with_({ contexts: {} }),
      await with_({ clusters: [7] }),
      await with_({ contexts: [{ name: ['prod'], context: { cluster: 'shop' } }] }),
      await with_(cluster({ server: 'https://127.0.0.1:1', 'tls-server-name': { a: 1 } })),
      await with_(cluster({ server: 'https://127.0.0.1:1', 'insecure-skip-tls-verify': 'yes' })),
      await with_(user({ token: 4711 })),
      await with_(user({ as: 'me', 'as-user-extra': { scopes: [4711] } })),
      await with_(user({ exec: { command: 'x', env: [{ name: 'PORT', value: 4711 }] } })),
    ]
    expect(messages.join('\n')).not.toContain('4711')
    expect(messages.map((one) => /a kubeconfig: (.*?)\. Correct/.exec(String(one))?.[1])).toEqual([
      'current-context is no text. Put it in quotes if it is meant so',
      'contexts is no list',
      'clusters[0] is no mapping',
      'contexts[0].name is no text. Put it in quotes if it is meant so',
      'clusters[0].cluster.tls-server-name is no text. Put it in quotes if it is meant so',
      'clusters[0].cluster.insecure-skip-tls-verify is neither true nor false, without quotes',
      'users[0].user.token is no text. Put it in quotes if it is meant so',
      'users[0].user.as-user-extra.scopes[0] is no text. Put it in quotes if it is meant so',
      'users[0].user.exec.env[0].value is no text. Put it in quotes if it is meant so',
    ])
  })

  it('may have entries that are null, and names that are properties of objects', async () => {
    const { address } = await testCluster()
    for (const name of ['constructor', '__proto__', '::error::x', '\u001b[2J']) {
      const [{ cluster = {} } = {}] = Object(kubeconfig(address, {})).clusters
      const config = {
        clusters: [null, { name, cluster }],
        users: [{ name: 'other', user: null }, null, { name, user: {} }],
        contexts: [null, { name, context: { cluster: name, user: name } }],
        'current-context': name,
      }
      expect(await read(config)).toBe(1)
    }
  })

  it('that lacks something says what', async () => {
    expect(await with_({ clusters: [{ name: 'shop', cluster: {} }] })).toBe(
      'the cluster "shop" in config has no server. Write it as https://HOST:PORT.',
    )
    expect(await with_({ contexts: [{ name: 'prod' }] })).toBe(
      'the context "prod" in config names no cluster.',
    )
  })

  it('may have a user and a password in the address of the server, which nobody sees', async () => {
    const { address, visitors } = await testCluster()
    const at = (server: string, user: object = {}) => read(kubeconfig(server, user))
    expect(await at(address.replace('//', '//me:hunter%402@'))).toBe(1)
    expect(visitors.map(({ authorization }) => authorization)).toEqual([`Basic ${base64('me:hunter@2')}`])
    expect(await at(address.replace('//', '//me:hunter2@'), { token: 'abc' })).toBe(1)
    expect(visitors[1]?.authorization).toBe('Bearer abc')
    for (const server of ['https://me:hunter2@127.0.0.1:99999', 'me:hunter2@x', 'ftp://me:hun\nter2@x'])
      expect(await at(server)).toMatch(/is no https address: "((https|ftp):\/\/)?…@(127.0.0.1|x)"\. Write/)
    expect(await at('https://me:hunter2@127.0.0.1:1')).not.toContain('hunter2')
  })

  it('is read as kubectl reads it: of YAML 1.1', async () => {
    const { address } = await testCluster()
    const text = `
      clusters: [{name: shop, cluster: {server: "${address}", insecure-skip-tls-verify: yes}}]
      contexts: [{name: 2026-01-01, context: {cluster: shop}}]
      current-context: 2026-01-01
    `
    expect(await read({ config: text })).toBe(1)
    expect(await read({ config: text.replace('yes', 'maybe') })).toContain('is neither true nor false')
  })

  it('may have an address in capitals, or with slashes at its end', async () => {
    const { address } = await testCluster()
    expect(await read(kubeconfig(address.replace('https', 'HTTPS'), {}))).toBe(1)
    expect(await read(kubeconfig(`${address}///`, {}))).toBe(1)
  })

  it('has tokens that fit into a header', async () => {
    expect(await with_({ users: [{ name: 'me', user: { token: 'hunter2\nx: y' } }] })).toBe(
      'the token of the user "me" in config holds a line break or another character that no token has.',
    )
    expect(await with_({ users: [{ name: 'me', user: { as: 'a\nb' } }] })).toBe(
      'impersonate-user cannot be sent: --as, --as-group or the user "me" in config gives it a line break or another character that no header can hold.',
    )
  })

  it.skipIf(process.platform === 'win32')('waits for no pipe that nobody writes to', async () => {
    const user = { tokenFile: 'silent' }
    const folder = folderWith({ config: kubeconfig('https://127.0.0.1:1', user) })
    execFileSync('mkfifo', [join(folder, 'silent')])
    expect(await readFrom(join(folder, 'silent'))).toBe(
      'silent cannot be read: it is a pipe that nobody writes to. Name another file: --kubeconfig FILE',
    )
    expect(await readFrom(join(folder, 'config'))).toBe(
      'the tokenFile silent of the user "me" in config cannot be read: it is a pipe that nobody writes to.',
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
        "the server of the cluster "shop" in b is no https address: "api.example.com". Write it as https://HOST:PORT.",
        "there is no context "prod" in b, c. It has none.",
        "list cannot be used as a kubeconfig: it holds no mapping with clusters, users and contexts. Correct the file, or name another one: --kubeconfig FILE",
        "folder cannot be read: it is a folder. Name another file: --kubeconfig FILE",
        "there is no kubeconfig: KUBECONFIG names absent. Name one: --kubeconfig FILE",
      ]
    `)
  })
})
