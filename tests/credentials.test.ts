/** Credentials that come from elsewhere: plugins, issuers of tokens, files, the service account of a pod. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it, vi } from 'vitest'
import { note } from '../src/cli/streams.js'
import { connect } from '../src/cluster/connect.js'
import { clientOf } from '../src/cluster/request.js'
import { apiServer, send } from './api-server.js'
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

vi.mock('../src/cli/streams.js', async (actual) => ({ ...(await actual()), note: vi.fn() }))

const v1 = 'client.authentication.k8s.io/v1'

/** A user whose plugin is a piece of JavaScript. */
function plugged(script: string, exec: object = {}): object {
  return {
    exec: {
      apiVersion: v1,
      interactiveMode: 'Never',
      command: process.execPath,
      args: ['-e', script],
      ...exec,
    },
  }
}

/** The plugin that prints this status. */
function giving(status: string, apiVersion = v1): string {
  return `console.log(JSON.stringify({apiVersion: ${JSON.stringify(apiVersion)}, kind: 'ExecCredential', status: ${status}}))`
}

describe('a plugin', () => {
  it('gives a token, in either version, and sees its environment and its task', async () => {
    const { address, visitors } = await testCluster()
    vi.stubEnv('INHERITED', 'yes')
    const told = `{token: Buffer.from(JSON.stringify([process.env.PROFILE, process.env.INHERITED, JSON.parse(process.env.KUBERNETES_EXEC_INFO)])).toString('base64')}`
    const env = [{ name: 'PROFILE', value: 'prod' }]
    expect(await read(kubeconfig(address, plugged(giving(told), { env })))).toBe(1)
    const v1beta1 = 'client.authentication.k8s.io/v1beta1'
    const old = { apiVersion: v1beta1, provideClusterInfo: true }
    const extensions = [{ name: 'client.authentication.k8s.io/exec', extension: { audience: 'shop' } }]
    const cluster = { 'tls-server-name': 'localhost', extensions }
    expect(await read(kubeconfig(address, plugged(giving(told, v1beta1), old), cluster))).toBe(1)
    const tokens = visitors.map(({ authorization = '' }) =>
      JSON.parse(Buffer.from(authorization.replace('Bearer ', ''), 'base64').toString()),
    )
    expect(tokens).toEqual([
      ['prod', 'yes', { apiVersion: v1, kind: 'ExecCredential', spec: { interactive: false } }],
      [
        null,
        'yes',
        {
          apiVersion: v1beta1,
          kind: 'ExecCredential',
          spec: {
            interactive: false,
            cluster: {
              server: address,
              'tls-server-name': 'localhost',
              'certificate-authority-data': base64(trusted.cert),
              config: { audience: 'shop' },
            },
          },
        },
      ],
    ])
  })

  it('gives a certificate', async () => {
    const { address, visitors } = await testCluster()
    const { cert, key } = trusted.issue({ name: 'jane' })
    const status = { clientCertificateData: cert, clientKeyData: key }
    expect(await read(kubeconfig(address, plugged(giving(JSON.stringify(status)))))).toBe(1)
    expect(visitors).toEqual([{ ...nobody, certificate: 'jane' }])
    const broken = { ...status, clientKeyData: authority().cert }
    expect(await read(kubeconfig(address, plugged(giving(JSON.stringify(broken)))))).toMatchInlineSnapshot(
      `"the key from the plugin of the user "me" in config holds no private key that can be read."`,
    )
  })

  it('does not run where the kubeconfig has a token or a certificate', async () => {
    const { address, visitors } = await testCluster()
    const failing = plugged('process.exit(1)')
    expect(await read(kubeconfig(address, { ...failing, token: 'abc' }))).toBe(1)
    expect(visitors).toEqual([{ ...nobody, authorization: 'Bearer abc' }])
  })

  it('that fails is named, with what it said, and nothing of what it printed', async () => {
    const by = (script: string, exec: object = {}) =>
      read(kubeconfig('https://127.0.0.1:1', plugged(script, exec)))
    const told = [
      by('console.error("log in first");console.log("hunter2");process.exit(3)'),
      by('process.exit(3)'),
      by('process.kill(process.pid, "SIGKILL");setInterval(() => {}, 1000)'),
      by('console.log("hunter2")'),
      by('setInterval(() => console.log("hunter2".repeat(100000)), 1)'),
      by('console.log("{}")'),
      by(giving('{token: "hunter2"}', 'client.authentication.k8s.io/v1beta1')),
      by(giving('undefined')),
      by(giving('{token: ""}')),
      by(giving('{clientCertificateData: "hunter2"}')),
      by('', { command: 'no-such-plugin', installHint: 'brew install it.' }),
      by('', { command: './config' }),
      by('', { command: undefined }),
      by('', { apiVersion: 'client.authentication.k8s.io/v1alpha1' }),
      by('', { interactiveMode: 'Always' }),
    ]
    const messages = (await Promise.all(told)).map((one) =>
      String(one).replaceAll(process.execPath, 'plugin'),
    )
    expect(messages.join('\n')).not.toContain('hunter2')
    expect(messages).toMatchInlineSnapshot(`
      [
        "plugin, which the user "me" in config gets its credentials from, failed with exit code 3: log in first",
        "plugin, which the user "me" in config gets its credentials from, failed with exit code 3: it said nothing",
        "plugin, which the user "me" in config gets its credentials from, failed with SIGKILL: it said nothing",
        "plugin, which the user "me" in config gets its credentials from, gave none: what it printed is no JSON.",
        "plugin, which the user "me" in config gets its credentials from, printed more than 1 MiB: it said nothing",
        "plugin, which the user "me" in config gets its credentials from, gave none: what it printed is no ExecCredential.",
        "plugin, which the user "me" in config gets its credentials from, gave none: it answers in another version than client.authentication.k8s.io/v1, which the kubeconfig asks for.",
        "plugin, which the user "me" in config gets its credentials from, gave none: there is neither a token nor a certificate in its status.",
        "plugin, which the user "me" in config gets its credentials from, gave none: there is neither a token nor a certificate in its status.",
        "plugin, which the user "me" in config gets its credentials from, gave none: a certificate and its key come together only.",
        "the user "me" in config gets its credentials from the program no-such-plugin, which is not installed. brew install it.",
        "./config, which the user "me" in config gets its credentials from, cannot be started: no permission (EACCES).",
        "the exec of the user "me" in config names no command.",
        "the exec of the user "me" in config has the apiVersion "client.authentication.k8s.io/v1alpha1", which kubectl does not know any more. Have the kubeconfig written anew, or use client.authentication.k8s.io/v1 or client.authentication.k8s.io/v1beta1.",
        "plugin, which the user "me" in config gets its credentials from, asks questions (interactiveMode: Always), and a scan has nowhere to answer them. Take a user with a token or a certificate.",
      ]
    `)
  })

  it('that hangs, with what it has started, ends with the time for the run or with Ctrl-C', async () => {
    const script = `require('child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, 65000)'], {stdio: 'inherit'});setInterval(() => {}, 1000)`
    const config = kubeconfig('https://127.0.0.1:1', plugged(script))
    expect(await read(config, { timeout: 1500 })).toContain(
      'did not end (the time for the whole run is over)',
    )
    expect(await read(config, { signal: AbortSignal.abort() })).toContain('did not end (interrupted)')
  })

  it('runs without anything to read from', async () => {
    const { address } = await testCluster()
    const script = `process.stdin.resume().on('end', () => ${giving('{token: "abc"}')})`
    expect(await read(kubeconfig(address, plugged(script)))).toBe(1)
  })
})

describe('a server with http://', () => {
  it('is shown no credentials, and no plugin runs for it', async () => {
    const { address, credentials } = await apiServer({
      objects: { namespaces: [{ metadata: { name: 'shop', uid: 'n' } }] },
    })
    const log = join(folderWith(), 'log')
    const script = `require('fs').writeFileSync(${JSON.stringify(log)}, '');${giving('{token: "abc"}')}`
    const users = [
      { token: 'abc' },
      { tokenFile: 'absent' },
      { username: 'jane', password: 'abc' },
      { 'auth-provider': { name: 'oidc', config: { 'id-token': 'abc' } } },
      plugged(script),
    ]
    for (const user of users) expect(await read(kubeconfig(address, user))).toBe(1)
    expect([...credentials]).toEqual([undefined])
    expect(existsSync(log)).toBe(false)
  })
})

describe('credentials that end while a cluster is read', () => {
  /** A server that takes each token for four requests. */
  async function impatient() {
    const uses = new Map<string, number>()
    return testCluster({}, ({ authorization = '' }) => {
      uses.set(authorization, (uses.get(authorization) ?? 0) + 1)
      return (uses.get(authorization) ?? 0) > 4
    })
  }

  it('are fetched again from the plugin', async () => {
    const { address, visitors } = await impatient()
    const config = kubeconfig(address, plugged(giving('{token: `t${process.pid}`}')))
    expect(await read(config, { concurrency: 1 })).toBe(1)
    expect(visitors.length).toBeGreaterThan(2)
  })

  it('are read again from the file', async () => {
    const folder = folderWith({ token: 'first\n' })
    const tokenFile = join(folder, 'token')
    const { address, visitors } = await testCluster({}, ({ authorization }) => {
      const isFirst = authorization === 'Bearer first'
      if (isFirst) writeFileSync(tokenFile, 'second\n')
      return isFirst && visitors.length > 0 && asked++ > 3
    })
    let asked = 0
    expect(await read(kubeconfig(address, { tokenFile }))).toBe(1)
    expect(visitors.map(({ authorization }) => authorization)).toEqual(['Bearer first', 'Bearer second'])
  })

  it('are not fetched again when they have never been good for anything', async () => {
    const { address } = await testCluster({}, () => true)
    const folder = folderWith()
    const log = join(folder, 'log')
    const script = `require('fs').appendFileSync(${JSON.stringify(log)}, 'x');${giving('{token: "abc"}')}`
    expect(await read(kubeconfig(address, plugged(script)))).toMatchInlineSnapshot(
      `"the cluster of the context "prod" (https://127.0.0.1) does not know these credentials: Unauthorized. They may have expired."`,
    )
    expect(readFileSync(log, 'utf8')).toBe('x')
  })
})

describe('a pod', () => {
  const account = 'var/run/secrets/kubernetes.io/serviceaccount'
  const inPod = (root: string, { port }: URL) => {
    vi.stubEnv('KUBERNETES_SERVICE_HOST', '127.0.0.1')
    vi.stubEnv('KUBERNETES_SERVICE_PORT', port)
    const env = { ...process.env, KUBECONFIG: undefined, HOME: root }
    return connect({ env, sockets: 1, signal: new AbortController().signal, warn: console.error, root })
  }

  it('uses its service account, whose token it reads each time that it connects', async () => {
    const { address, visitors } = await testCluster()
    const root = folderWith({ [`${account}/token`]: 'first', [`${account}/ca.crt`]: trusted.cert })
    for (const token of ['first', 'second']) {
      writeFileSync(join(root, account, 'token'), token)
      const connection = await inPod(root, new URL(address))
      expect(connection.context).toBe('inClusterContext')
      const { get } = clientOf(connection, { timeout: 30_000, signal: new AbortController().signal })
      await get('/version')
      connection.agent.destroy()
    }
    expect(visitors.map(({ authorization }) => authorization)).toEqual(['Bearer first', 'Bearer second'])
  })

  it('needs the files of the service account', async () => {
    const at = new URL('https://127.0.0.1:1')
    const said = async (files: Readonly<Record<string, string>>) => {
      const named = Object.entries(files).map(([name, content]) => [`${account}/${name}`, content])
      const root = folderWith(Object.fromEntries(named))
      const error: unknown = await inPod(root, at).catch((one: unknown) => one)
      return String(error).replaceAll(join(root, account), 'FOLDER')
    }
    expect(await said({})).toMatchInlineSnapshot(
      `"UsageError: there is no kubeconfig: KUBECONFIG is not set, and ~/.kube/config is not there. Name one: --kubeconfig FILE"`,
    )
    expect(await said({ token: 'abc' })).toMatchInlineSnapshot(
      `"UsageError: the certificate-authority FOLDER/ca.crt of the cluster "inCluster" in FOLDER is not there."`,
    )
    expect(await said({ token: '\n', 'ca.crt': trusted.cert })).toMatchInlineSnapshot(
      `"UsageError: the tokenFile FOLDER/token of the user "inClusterUser" in FOLDER is empty."`,
    )
    expect(await said({ token: 'abc', 'ca.crt': 'rubbish' })).toMatchInlineSnapshot(
      `"UsageError: the certificate-authority FOLDER/ca.crt of the cluster "inCluster" in FOLDER holds no certificate that can be read."`,
    )
  })
})

/** An id-token that ends so many seconds from now; nobody looks at its signature here. */
function idToken(seconds: number): string {
  const part = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ name: 'me', exp: Math.floor(Date.now() / 1000) + seconds })}.c2ln`
}

interface Issuer {
  /** Answers for the token endpoint, `refresh_token` by what it is exchanged for. */
  readonly tokens?: Readonly<Record<string, object>>
  readonly metadata?: object
  /** Called when a token is asked for. */
  readonly meanwhile?: () => void
}

let realms = 0

/**
 * An issuer of tokens over TLS, and what its token endpoint was sent. Each has a name of its own: tokens are remembered by
 * issuer for the run, and a port may be that of the issuer of an earlier test.
 */
async function issuer({ tokens = {}, metadata = {}, meanwhile }: Issuer) {
  const sent: { authorization: string | undefined; form: Record<string, string> }[] = []
  const realm = `/realm-${realms++}`
  const server = createServer({ ...serverPair }, async (request, response) => {
    const form = Object.fromEntries(new URLSearchParams(await text(request)))
    if (request.url === `${realm}/.well-known/openid-configuration`)
      return void send(response, 200, { token_endpoint: `${address}/token`, ...metadata })
    sent.push({ authorization: request.headers.authorization, form })
    meanwhile?.()
    const answer = tokens[form.refresh_token ?? '']
    if (answer) return void send(response, 200, answer)
    send(response, 400, { error: 'invalid_grant', error_description: 'Token is not active' })
  })
  const address = await listening(server)
  return { address: `${address}${realm}`, sent }
}

describe('OpenID Connect', () => {
  const authProvider = (address: string, config: object) => ({
    'auth-provider': {
      name: 'oidc',
      config: {
        'idp-issuer-url': address,
        'idp-certificate-authority-data': base64(trusted.cert),
        'client-id': 'kubernetes',
        'refresh-token': 'old',
        ...config,
      },
    },
  })
  const fresh = idToken(600)
  const expired = idToken(-60)

  it('takes the id-token while it is valid', async () => {
    const { address, visitors } = await testCluster()
    const user = authProvider('https://127.0.0.1:1', { 'id-token': fresh })
    expect(await read(kubeconfig(address, user))).toBe(1)
    expect(visitors.map(({ authorization }) => authorization)).toEqual([`Bearer ${fresh}`])
  })

  it('gets another one with the refresh token, as the client that the kubeconfig names', async () => {
    const { address, visitors } = await testCluster()
    const { address: from, sent } = await issuer({
      tokens: { a: { id_token: fresh }, b: { id_token: fresh } },
    })
    const open = authProvider(from, { 'id-token': expired, 'refresh-token': 'a' })
    const secret = authProvider(from, {
      'id-token': 'rubbish',
      'refresh-token': 'b',
      'client-secret': 's3/cret',
    })
    for (const user of [open, secret]) expect(await read(kubeconfig(address, user))).toBe(1)
    expect(visitors.map(({ authorization }) => authorization)).toEqual([`Bearer ${fresh}`])
    const form = { grant_type: 'refresh_token' }
    expect(sent).toEqual([
      { authorization: undefined, form: { ...form, refresh_token: 'a', client_id: 'kubernetes' } },
      { authorization: `Basic ${base64('kubernetes:s3%2Fcret')}`, form: { ...form, refresh_token: 'b' } },
    ])
  })

  describe('a refresh token that takes the place of the old one', () => {
    const old = 'the-old-refresh-token'
    /** Has the token replaced, in a kubeconfig to which something happens before that: what it was and is, and what was warned of. */
    async function replaced(
      happens: (file: string) => void = () => {},
      name = 'config',
      next = 'the-new-refresh-token',
    ) {
      const { address } = await testCluster()
      const tokens = { [old]: { id_token: fresh, refresh_token: next } }
      const { address: from } = await issuer({ tokens, meanwhile: () => happens(join(folder, 'config')) })
      const user = authProvider(from, { 'id-token': expired, 'refresh-token': old })
      const before = `# mine\n${JSON.stringify(kubeconfig(address, user), undefined, 2)}`
      const folder = folderWith({ config: before })
      symlinkSync('config', join(folder, 'link'))
      const told = vi.mocked(note).mockClear()
      const count = await readFrom(join(folder, name))
      const warnings = told.mock.calls.map(([line]) => line.replaceAll(`${folder}/`, ''))
      expect(count).toBe(1)
      return { folder, before, after: readFileSync(join(folder, 'config'), 'utf8'), warnings }
    }
    const renewed = (text: string) => text.replace(old, 'the-new-refresh-token').replace(expired, fresh)

    it('is kept, and nothing else in the file changes', async () => {
      const { folder, before, after, warnings } = await replaced((file) => chmodSync(file, 0o640))
      expect(after).toBe(renewed(before))
      expect(warnings).toEqual([])
      expect(statSync(join(folder, 'config')).mode & 0o777).toBe(0o640)
      expect(readdirSync(folder)).toEqual(['config', 'link'])
    })

    it('comes with a new file, and links stay', async () => {
      let inode = 0
      const see = (file: string) => {
        inode = statSync(file).ino
      }
      const { folder, before, after } = await replaced(see, 'link')
      expect(after).toBe(renewed(before))
      expect(lstatSync(join(folder, 'link')).isSymbolicLink()).toBe(true)
      expect(statSync(join(folder, 'config')).ino).not.toBe(inode)
    })

    it('waits for others that change the file, and keeps what they have changed', async () => {
      const { before, after } = await replaced((file) => {
        writeFileSync(`${file}.lock`, '')
        setTimeout(() => {
          writeFileSync(file, readFileSync(file, 'utf8').replace('# mine', '# ours'))
          rmSync(`${file}.lock`)
        }, 200)
      })
      expect(after).toBe(renewed(before).replace('# mine', '# ours'))
    })

    it('gives way to that of another login', async () => {
      const { before, after, warnings } = await replaced((file) =>
        writeFileSync(file, readFileSync(file, 'utf8').replace(old, 'of-another-login')),
      )
      expect(after).toBe(before.replace(old, 'of-another-login'))
      expect(warnings).toEqual([])
    })

    it('that cannot be kept is a warning', async () => {
      const locked = await replaced((file) => writeFileSync(`${file}.lock`, ''))
      const strange = await replaced(undefined, 'config', 'a: b')
      for (const { before, after } of [locked, strange]) expect(after).toBe(before)
      expect([...locked.warnings, ...strange.warnings]).toMatchInlineSnapshot(`
        [
          "the issuer has replaced the refresh-token of the user "me" in config, and the new one cannot be kept there: config.lock is there: another program changes the file, or has left its lock behind. Log in again when the id-token has expired.",
          "the issuer has replaced the refresh-token of the user "me" in config, and the new one cannot be kept there: it cannot be told from the text around it. Log in again when the id-token has expired.",
        ]
      `)
    })

    it('is used in the same run where it cannot be kept', async () => {
      const { address } = await testCluster()
      const { address: from, sent } = await issuer({
        tokens: { [old]: { id_token: idToken(5), refresh_token: 'a: b' }, 'a: b': { id_token: fresh } },
      })
      const config = kubeconfig(address, authProvider(from, { 'id-token': expired, 'refresh-token': old }))
      const file = join(folderWith({ config }), 'config')
      expect([await readFrom(file), await readFrom(file)]).toEqual([1, 1])
      expect(sent.map(({ form }) => form.refresh_token)).toEqual([old, 'a: b'])
    })

    // Nothing is read only to root.
    it.skipIf(process.getuid?.() === 0)(
      'that has to stay out of a file that is read only is one, too',
      async () => {
        const { before, after, warnings } = await replaced((file) => chmodSync(file, 0o400))
        expect(after).toBe(before)
        expect(warnings.join()).toContain('EACCES')
      },
    )
  })

  it('asks once for all contexts of a user', async () => {
    const { address } = await testCluster()
    const { address: from, sent } = await issuer({ tokens: { shared: { id_token: fresh } } })
    const user = authProvider(from, { 'id-token': expired, 'refresh-token': 'shared' })
    const config = kubeconfig(address, user)
    expect(await Promise.all([read(config), read(config)])).toEqual([1, 1])
    expect(sent).toHaveLength(1)
  })

  it('says what keeps it from a token, and no secrets', async () => {
    const { address: good } = await issuer({
      tokens: { hunter2: {}, large: { id_token: 'x'.repeat(2 ** 20) } },
    })
    const { address: strange } = await issuer({ metadata: { token_endpoint: null } })
    const by = async (from: string, config: object) =>
      String(
        await read(kubeconfig('https://127.0.0.1:1', authProvider(from, { 'id-token': expired, ...config }))),
      )
    const messages = [
      await by(good, { 'refresh-token': undefined }),
      await by(good, { 'refresh-token': 'spent-hunter2', 'client-secret': 'hunter2' }),
      await by(good, { 'refresh-token': 'hunter2' }),
      await by(good, { 'refresh-token': 'large' }),
      await by(`${good}/elsewhere`, {}),
      await by(strange, {}),
      await by('https://127.0.0.1:1', {}),
      await by(good, { 'idp-certificate-authority-data': base64(authority('another').cert) }),
      await by(good, { 'idp-certificate-authority-data': base64('rubbish') }),
      await by('', {}),
      await by(good, { 'client-id': undefined }),
    ]
    expect(messages.join('\n')).not.toContain('hunter2')
    expect(messages).toMatchInlineSnapshot(`
      [
        "the user "me" in config has no id-token that is valid now, and no refresh-token to get one with. Log in again.",
        "the user "me" in config has an id-token that has expired, and the issuer https://127.0.0.1 gives no other: HTTP 400: Token is not active. Log in again if that lasts.",
        "the user "me" in config has an id-token that has expired, and the issuer https://127.0.0.1 gives no other: there is no id_token in its answer. Log in again if that lasts.",
        "the user "me" in config has an id-token that has expired, and the issuer https://127.0.0.1 gives no other: the answer is larger than 1 MiB. Log in again if that lasts.",
        "the user "me" in config has an id-token that has expired, and the issuer https://127.0.0.1 gives no other: HTTP 400: Token is not active. Log in again if that lasts.",
        "the user "me" in config has an id-token that has expired, and the issuer https://127.0.0.1 gives no other: its discovery document names no token_endpoint. Log in again if that lasts.",
        "the user "me" in config has an id-token that has expired, and the issuer https://127.0.0.1 gives no other: nothing listens there (connection refused). Log in again if that lasts.",
        "the user "me" in config has an id-token that has expired, and the issuer https://127.0.0.1 gives no other: its certificate is signed by no authority that is trusted here: certificate-authority in the kubeconfig names one, or else NODE_EXTRA_CA_CERTS. Log in again if that lasts.",
        "the idp-certificate-authority-data of the user "me" in config holds no certificate that can be read.",
        "the user "me" in config has an id-token that has expired. Another one needs idp-issuer-url and client-id in its auth-provider.",
        "the user "me" in config has an id-token that has expired. Another one needs idp-issuer-url and client-id in its auth-provider.",
      ]
    `)
  })

  it('is the only provider that is left', async () => {
    const user = { 'auth-provider': { name: 'gcp', config: { 'access-token': 'abc' } } }
    expect(await read(kubeconfig('https://127.0.0.1:1', user))).toMatchInlineSnapshot(
      `"the user "me" in config has the auth-provider "gcp", which kubectl has not had since 1.26. Have the kubeconfig written anew, with a credential plugin."`,
    )
  })
})
