/** `k8s-af scan` of several clusters: the built program against small API servers. */
import { type ChildProcess, execFile } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { type ApiServerOptions, apiServer, send, status } from './api-server.js'
import { folderWith } from './folders.js'
import { builtProgram, type Outcome } from './program.js'
import { isReport } from './report.js'

const program = builtProgram()
const service = (name: string, app: string, namespace = 'shop') => ({
  metadata: { name, namespace, uid: name },
  spec: { selector: { app }, ports: [{ port: 80 }] },
})
const shop = { metadata: { name: 'shop', uid: 'n' } }
const pod = {
  metadata: { name: 'web-1', namespace: 'shop', uid: 'p', labels: { app: 'web' } },
  spec: { containers: [{ name: 'web', image: 'a/web:1.0.0' }] },
}
const withServices = (...services: readonly Readonly<Record<string, unknown>>[]): ApiServerOptions => ({
  objects: { namespaces: [shop], pods: [pod], services },
})
const dead = 'http://127.0.0.1:1'

/** Scans clusters through one kubeconfig; a text in the place of a server is an address where nobody listens. */
async function scanned(
  clusters: Readonly<Record<string, ApiServerOptions | string>>,
  ...args: readonly string[]
): Promise<Outcome> {
  return new Promise<Outcome>((resolve) => void start(clusters, args, resolve))
}

/** Starts a scan; the process is there when the promise is fulfilled. */
async function start(
  clusters: Readonly<Record<string, ApiServerOptions | string>>,
  args: readonly string[],
  done: (outcome: Outcome) => void,
): Promise<ChildProcess> {
  const addresses: [string, string][] = []
  for (const [name, options] of Object.entries(clusters)) {
    const server = typeof options === 'string' ? undefined : await apiServer(options)
    addresses.push([name, server?.address ?? String(options)])
  }
  const kubeconfig = JSON.stringify({
    clusters: addresses.map(([name, server]) => ({ name, cluster: { server } })),
    users: [{ name: 'me', user: { token: 'abc' } }],
    contexts: addresses.flatMap(([name]) => [
      { name, context: { cluster: name, user: 'me' } },
      { name: `${name}-shop`, context: { cluster: name, user: 'me', namespace: 'shop' } },
    ]),
    'current-context': addresses[0]?.[0],
  })
  const cwd = folderWith({ '.kube/config': kubeconfig })
  return execFile(
    process.execPath,
    [program.bin, 'scan', ...args],
    { cwd, env: { PATH: process.env.PATH ?? '', HOME: cwd } },
    (error, out, err) =>
      done({ code: error ? (typeof error.code === 'number' ? error.code : null) : 0, out, err }),
  )
}

const only = ['--only', 'service-selects-nothing', '--fail-on', 'warning']

describe('a big cluster', () => {
  const names = Array.from({ length: 60 }, (_, i) => `service-${String(i).padStart(2, '0')}`)
  const many = withServices(
    ...names.map((name) => service(name, `${name}-app`)),
    service('other', 'x', 'other'),
  )

  it('shows equal findings of many objects once, and the others by name', async () => {
    const { out } = await scanned({ eu: many }, ...only)
    expect(out.match(/service-selects-nothing/g)).toHaveLength(3) // With the hint to explain it.
    expect(out).toContain('├─ also Service shop/service-01, shop/service-02, ')
    expect(out).toMatch(/├─ also Service shop[^\n]* and 5\d more\n/)
    expect(out.split('\n').filter((line) => line.includes('also') && line.length > 80)).toEqual([])
  })

  it('is whole in JSON', async () => {
    const { out } = await scanned({ eu: many }, ...only, '-o', 'json')
    expect(JSON.parse(out).findings).toHaveLength(61)
  })
})

describe('several clusters', () => {
  const good = withServices(service('web', 'web'))
  const bad = withServices(service('web', 'wbe-server'), service('api', 'apy-server'))

  it('make one page that says which have what, and what was not read', async () => {
    const { code, out } = await scanned(
      { eu: bad, us: bad, ap: dead },
      '--all-contexts',
      '-o',
      'html',
      ...only,
    )
    expect(code).toBe(3)
    expect(out.match(/<article [^>]*>/g)).toHaveLength(1)
    expect(out).toContain('data-clusters="1 2"')
    expect(out).toContain('<option value="us">us (1)</option>')
    expect(out).toContain('<span>Service shop/api in eu, us</span>')
    expect(out).toMatch(/<li>ap: not read at all: [^<]*<\/li>/)
  })
  it('make one report in which findings carry their cluster', async () => {
    const clusters = { eu: bad, us: good, ap: { ...bad, version: 'v1.31.2' } }
    const { code, out, err } = await scanned(clusters, '--all-contexts', '-o', 'json', ...only)
    expect([code, err]).toEqual([1, ''])
    const report = JSON.parse(out)
    expect(isReport(report), JSON.stringify(isReport.errors)).toBe(true)
    expect(report.findings.map((one: Json) => [one.cluster, one.subject.name])).toEqual([
      ['ap', 'api'],
      ['eu', 'api'],
      ['ap', 'web'],
      ['eu', 'web'],
    ])
    expect(report.summary).toMatchObject({
      kubernetesVersion: '1.31',
      clusters: [
        { context: 'ap', kubernetesVersion: '1.31' },
        { context: 'eu', kubernetesVersion: '1.33', version: 'v1.33.4' },
        { context: 'us', objects: 3 },
      ],
    })
  })

  it('show what is equal once', async () => {
    const clusters = { eu: bad, us: good, ap: bad }
    const { code, out } = await scanned(clusters, '--context', 'eu', '--context', 'ap', ...only)
    expect(code).toBe(1)
    expect(out).toMatch(/^Service shop\/api\n {2}(?:warning|error) {2}service-selects-nothing +in ap, eu\n/m)
    expect(out.match(/service-selects-nothing/g)).toHaveLength(2)
    expect(out).toContain('.spec.selector')
    expect(out).toContain('in 2 clusters (ap, eu)')
  })

  it('have the commands for fixes go to the right one', async () => {
    const metadata = { name: 'web', namespace: 'shop', uid: 'd' }
    const selector = { matchLabels: { app: 'web' } }
    const server = {
      objects: {
        namespaces: [shop],
        deployments: [{ metadata, spec: { replicas: 3, selector, template: pod } }],
        poddisruptionbudgets: [{ metadata, spec: { maxUnavailable: 0, selector } }],
      },
    }
    const blocks = ['--only', 'pdb-blocks-drain', '-o', 'json']
    const { out } = await scanned({ eu: server, us: server }, '--all-contexts', ...blocks)
    const commands = JSON.parse(out).findings.flatMap((one: Json) => one.fix?.command ?? [])
    expect(commands.length).toBeGreaterThan(0)
    for (const command of commands) expect(command).toMatch(/^kubectl --context '(eu|us)' patch /)

    const commandOf = async (...args: readonly string[]) =>
      JSON.parse((await scanned({ eu: server, us: server }, ...args, ...blocks)).out).findings[0].fix.command
    expect(await commandOf('--context', 'us')).toMatch(/^kubectl --context 'us' patch /)
    expect(await commandOf('--kubeconfig', '.kube/config')).toMatch(/^kubectl --kubeconfig '.kube\/config' p/)
    expect(await commandOf()).toMatch(/^kubectl patch /)
  })

  it('do not wait for one that is dead, and say so', async () => {
    const clusters = { eu: good, us: dead, ap: good }
    const { code, out, err } = await scanned(clusters, '--all-contexts', ...only)
    expect(code).toBe(3)
    expect(out).toContain('2 clusters (ap, eu)')
    expect(out).toContain('nothing read of us')
    expect(err).toMatch(
      /^k8s-af: us: not read at all: the cluster of the context "us" .* \(connection refused\)\n$/,
    )
    const all = await scanned({ eu: dead, us: dead }, '--all-contexts', ...only)
    expect([all.code, all.out]).toEqual([2, ''])
  })

  it('name what each of them did not give', async () => {
    const partly: ApiServerOptions = {
      ...good,
      answer: (url, response) =>
        url.pathname.endsWith('/services') && send(response, 403, status(403, 'forbidden')),
    }
    const { code, out, err } = await scanned(
      { eu: good, us: partly },
      '--all-contexts',
      '-o',
      'json',
      ...only,
    )
    expect(code).toBe(0)
    expect(err).toContain('k8s-af: us: not read, forbidden: services')
    expect(err).toContain('k8s-af: us: not decided without Service: service-selects-nothing')
    expect(JSON.parse(out).summary.notEvaluated).toEqual([
      { rule: 'service-selects-nothing', needs: 'Service', clusters: ['us'] },
    ])
  })

  it('must exist', async () => {
    const { code, err } = await scanned({ staging: dead }, '--context', 'staging', '--context', 'stagign')
    expect([code, err]).toEqual([2, 'k8s-af: there is no context "stagign". Did you mean "staging"?\n'])
    const other = await scanned({ staging: dead }, '--context', 'staging', '--context', 'prod')
    expect(other.err).toBe('k8s-af: there is no context "prod". kubectl config get-contexts lists them.\n')
  })
})

describe.skipIf(process.platform === 'win32')('Ctrl-C', () => {
  /** Interrupts a scan of servers of which one never lists its ConfigMaps. */
  async function interrupted(options: ApiServerOptions, args: readonly string[]): Promise<Outcome> {
    let hangs = () => {}
    const isHanging = new Promise<void>((resolve) => {
      hangs = resolve
    })
    const answer: ApiServerOptions['answer'] = (url, response) => {
      if (url.pathname === '/apis/policy/v1/poddisruptionbudgets') response.once('finish', hangs)
      return url.pathname.endsWith('/configmaps')
    }
    let child: ChildProcess | undefined
    const outcome = new Promise<Outcome>((resolve) => {
      void start({ eu: { ...options, answer }, us: options }, args, resolve).then((one) => {
        child = one
      })
    })
    await isHanging
    // The last answer is on its way.
    setTimeout(() => child?.kill('SIGINT'), 1500)
    return outcome
  }
  const deployment = {
    metadata: { name: 'web', namespace: 'shop', uid: 'd' },
    spec: { replicas: 3, selector: { matchLabels: { app: 'web' } }, template: pod },
  }
  const cluster = {
    objects: { namespaces: [shop], deployments: [deployment], services: [service('web', 'web')] },
  }

  it('ends with what was found so far', async () => {
    const { code, out, err } = await interrupted(cluster, ['--only', 'pdb-missing'])
    expect(code).toBe(130)
    expect(out).toContain('Deployment shop/web\n')
    expect(err).toContain('not read: configmaps, jobs.batch, pods, replicasets.apps: interrupted')
  })

  it('ends a scan of several clusters with what was read of each', async () => {
    const { code, out } = await interrupted(cluster, ['--all-contexts', '--only', 'pdb-missing'])
    expect(code).toBe(130)
    expect(out).toContain('in eu, us')
  })
})

type Json = {
  readonly fix?: { readonly command?: string }
  readonly cluster: string
  readonly subject: { readonly name: string }
}
