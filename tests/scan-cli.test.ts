/** `k8s-af scan` as people run it: the built program against a small API server. */
import { execFile } from 'node:child_process'
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { load } from 'js-yaml'
import { describe, expect, it } from 'vitest'
import { type ApiServerOptions, apiServer, send, status } from './api-server.js'
import { authority } from './authority.js'
import { folderWith } from './folders.js'
import { builtProgram, type Outcome } from './program.js'
import { isReport } from './report.js'

const program = builtProgram()
const serverPair = authority().issue({ name: 'server' })
function run(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  return new Promise((resolve) => {
    const all = { PATH: process.env.PATH ?? '', HOME: cwd, ...env }
    execFile(
      process.execPath,
      [program.bin, 'scan', ...args],
      { cwd, env: all, maxBuffer: 1 << 28 },
      (error, out, err) => {
        const code = error ? (typeof error.code === 'number' ? error.code : null) : 0
        resolve({ code, out, err })
      },
    )
  })
}

/** Scans a server through ~/.kube/config. */
async function scanned(options: ApiServerOptions, ...args: readonly string[]): Promise<Outcome> {
  const server = await apiServer(options)
  return run(args, folderWith({ '.kube/config': server.kubeconfig }))
}

const container = { name: 'web', image: 'a/web:1.0.0' }
const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [container] } }
const web = {
  metadata: { name: 'web', namespace: 'shop', uid: 'w' },
  spec: { replicas: 3, selector: { matchLabels: { app: 'web' } }, template },
}
const service = {
  metadata: { name: 'web', namespace: 'shop', uid: 's' },
  spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
}
const lonely = {
  metadata: { name: 'web', namespace: 'shop', uid: 's' },
  spec: { type: 'LoadBalancer', selector: { app: 'wbe-server' }, ports: [{ port: 80 }] },
}
const shop = { metadata: { name: 'shop', uid: 'n' } }
const objects = { namespaces: [shop], deployments: [web], services: [service] }
const forbid =
  (plural: string): NonNullable<ApiServerOptions['answer']> =>
  (url, response) =>
    url.pathname.endsWith(`/${plural}`) && send(response, 403, status(403, `${plural} is forbidden`))

describe('a scan', () => {
  it('exits with 1 for errors, else with 0', async () => {
    const fine = await scanned({ objects }, '--only', 'service-selects-nothing')
    expect([fine.code, fine.err]).toEqual([0, ''])
    const bad = await scanned(
      { objects: { ...objects, services: [lonely] } },
      '--only',
      'service-selects-nothing',
    )
    expect([bad.code, bad.err]).toEqual([1, ''])
    expect(bad.out).toContain('Service shop/web\n')
    expect(bad.out).toContain('╭─ .spec.selector\n')
    expect(bad.out).toContain('no pod of namespace shop has')
    expect(bad.out).toContain('objects in cluster prod')
  })

  it('reports what is new, once a baseline is kept', async () => {
    const server = await apiServer({ objects: { ...objects, services: [lonely] } })
    const cwd = folderWith({ '.kube/config': server.kubeconfig })
    const only = ['--only', 'service-selects-nothing']
    const first = await run([...only, '--write-baseline', 'known.json'], cwd)
    expect([first.code, first.err]).toEqual([
      0,
      'k8s-af: 1 finding kept in known.json: --baseline known.json reports what is new or worse\n',
    ])
    expect(readFileSync(join(cwd, 'known.json'), 'utf8')).toContain('"file":"service/shop/web"')
    const second = await run([...only, '--baseline', 'known.json'], cwd)
    expect([second.code, second.err]).toEqual([0, ''])
    expect((await run(only, cwd)).code).toBe(1)
  })

  it('concludes nothing from what it may not read', async () => {
    const only = ['--only', 'pdb-missing', '-o', 'json', '--fail-on', 'info']
    const missing = await scanned({ objects }, ...only)
    expect(missing.code).toBe(1)
    expect(JSON.parse(missing.out).findings).toMatchObject([{ rule: 'pdb-missing', place: { live: true } }])
    const unknown = await scanned({ objects, answer: forbid('poddisruptionbudgets') }, ...only)
    expect(unknown.code).toBe(0)
    expect(JSON.parse(unknown.out)).toMatchObject({
      findings: [],
      summary: {
        notEvaluated: [{ rule: 'pdb-missing', needs: 'PodDisruptionBudget' }],
        cluster: { unread: [{ resource: 'poddisruptionbudgets.policy', reason: 'forbidden' }] },
      },
    })
    expect(unknown.err).toContain('not read, forbidden: poddisruptionbudgets.policy')
  })

  it('says which rules could not decide without what', async () => {
    const { code, out, err } = await scanned(
      { objects, answer: forbid('services') },
      '--only',
      'service-selects-nothing,pdb-missing',
      '-o',
      'json',
    )
    expect(code).toBe(0)
    expect(err).toBe(
      'k8s-af: not read, forbidden: services. k8s-af rbac prints the role that allows it\nk8s-af: not decided without Service: service-selects-nothing\n',
    )
    expect(JSON.parse(out).summary.notEvaluated).toEqual([
      { rule: 'service-selects-nothing', needs: 'Service' },
    ])
  })

  it('may have to be complete, but for Secrets', async () => {
    const complete = ['--require-complete', '--only', 'service-selects-nothing']
    expect((await scanned({ objects }, ...complete)).code).toBe(0)
    expect((await scanned({ objects, answer: forbid('secrets') }, ...complete)).code).toBe(0)
    expect((await scanned({ objects, answer: forbid('configmaps') }, ...complete)).code).toBe(3)
    const bad = { objects: { ...objects, services: [lonely] }, answer: forbid('configmaps') }
    expect((await scanned(bad, ...complete)).code).toBe(3)
    expect((await scanned(bad, ...complete.slice(1))).code).toBe(1)
  })

  it('may be made as somebody else', async () => {
    const seen = new Set<string>()
    const answer: ApiServerOptions['answer'] = (_, __, { headersDistinct }) => {
      seen.add(JSON.stringify([headersDistinct['impersonate-user'], headersDistinct['impersonate-group']]))
      return false
    }
    const as = ['--as', 'eve', '--as-group', 'dev', '--as-group', 'ops']
    expect((await scanned({ objects, answer }, '--only', 'pdb-missing', ...as)).code).toBe(0)
    expect([...seen]).toEqual(['[["eve"],["dev","ops"]]'])
    const { code, err } = await scanned({ objects }, '--as-group', 'dev')
    expect([code, err]).toEqual([2, 'k8s-af: --as-group goes with --as: groups need a user.\n'])
  })

  it('finds the versions that clients still write', async () => {
    const applied = '{"apiVersion":"batch/v1beta1","kind":"CronJob","metadata":{}}'
    const metadata = {
      name: 'report',
      namespace: 'shop',
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': applied },
      managedFields: [{ manager: 'old', operation: 'Update', apiVersion: 'batch/v2alpha1' }],
    }
    const { code, out } = await scanned(
      { objects: { ...objects, cronjobs: [{ metadata, spec: { schedule: '1 * * * *' } }] } },
      '--only',
      'api-schema',
      '-o',
      'concise',
    )
    expect(code).toBe(1)
    expect(out.split('\n').slice(0, -2)).toEqual([
      'cronjob/shop/report .metadata.managedFields[0].apiVersion: error removed-api-version: The next apply by kubectl fails: Kubernetes 1.33 does not serve batch/v1beta1 CronJob, removed in 1.25.',
    ])
  })

  it('finds the fields that the API server has dropped, and nothing else about what they would have set', async () => {
    const container = { image: 'registry.example/cont:1.4.2', name: 'cont' }
    const job = (more: object) => ({
      spec: { template: { spec: { containers: [container], ...more } } },
    })
    const applied = JSON.stringify({
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: {},
      spec: { jobTemplate: job({ concurrencyPolicy: 'Forbid' }), schedule: '1 * * * *' },
    })
    const metadata = {
      name: 'report',
      namespace: 'shop',
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': applied },
    }
    const spec = { concurrencyPolicy: 'Allow', jobTemplate: job({}), schedule: '1 * * * *' }
    const rules = ['--only', 'misplaced-spec-field,cronjob-overlapping-runs']
    const { code, out } = await scanned(
      { objects: { ...objects, cronjobs: [{ metadata, spec }] } },
      ...rules,
      '-o',
      'json',
    )
    expect(code).toBe(1)
    expect(JSON.parse(out).findings).toMatchObject([
      {
        rule: 'misplaced-spec-field',
        message:
          'kubectl last applied .spec.jobTemplate.spec.template.spec.concurrencyPolicy: Forbid, and the API server dropped it: .spec.concurrencyPolicy is Allow.',
        label: 'did you mean .spec.concurrencyPolicy?',
        fix: {
          title: 'move concurrencyPolicy to .spec in the manifest, and set it here',
          command: `kubectl patch cronjob/report -n shop --type=json -p '[{"op":"replace","path":"/spec/concurrencyPolicy","value":"Forbid"}]'`,
        },
      },
    ])
  })

  it('takes the version of the server, unless another one is asked for', async () => {
    const version = async (...args: string[]) => {
      const { out } = await scanned({ objects, version: 'v1.31.2-gke.100' }, '-o', 'json', ...args)
      return JSON.parse(out).summary.kubernetesVersion
    }
    expect(await version()).toBe('1.31')
    expect(await version('--k8s-version', '1.34')).toBe('1.34')
  })

  it('survives names and values of any kind', async () => {
    const name = '\u001b[2J\u202e$(id)'
    const { code, out, err } = await scanned(
      {
        objects: {
          ...objects,
          services: [
            { ...lonely, metadata: { name, namespace: '../x', annotations: { a: 'y'.repeat(1e6) } } },
          ],
        },
      },
      '--preset',
      'all',
      '--color',
      'never',
    )
    expect(code).toBe(1)
    expect(err).not.toContain('internal error')
    expect(out).toContain('\\u001b[2J\\u202e$(id)')
    expect(out).not.toMatch(/[\u001b\u202e]/)
  })

  it('is not driven by what a server says of itself', async () => {
    const hostile = '\u202e\u001b[2J##[error]x'
    const { code, out } = await scanned(
      {
        objects,
        version: hostile,
        answer: (url, response) =>
          url.pathname.endsWith('/nodes') && send(response, 404, status(404, hostile)),
      },
      '-o',
      'json',
    )
    expect(code).toBe(0)
    expect(out).not.toMatch(/[\u001b\u202e]|##\[/)
    expect(JSON.parse(out).summary.cluster).toMatchObject({
      version: hostile,
      unread: [{ resource: 'nodes', message: hostile }],
    })
  })

  it('takes no web page for what the API server has counted', async () => {
    const { code, err } = await scanned(
      {
        objects,
        answer: (url, response) =>
          url.pathname === '/metrics' &&
          send(response, 200, '<html>Log in</html>', { 'content-type': 'text/html' }),
      },
      '--only',
      'pdb-missing',
    )
    expect(code).toBe(0)
    expect(err).toContain('not read: /metrics: a web page answers')
  })

  it('says what keeps it from reading anything', async () => {
    const refused = await scanned({
      answer: (_, response) => send(response, 401, status(401, 'Unauthorized')),
    })
    expect([refused.code, refused.out]).toEqual([2, ''])
    expect(refused.err).toMatch(
      /^k8s-af: the cluster of the context "prod" \(http:.*\) does not know these credentials: Unauthorized\./,
    )
    const hung = await scanned({ answer: () => true }, '--request-timeout', '200ms')
    expect(hung.code).toBe(2)
    expect(hung.err).toContain('no answer within 0.2 s')
    const late = await scanned({ answer: () => true }, '--timeout', '200ms')
    expect(late.code).toBe(2)
    expect(late.err).toContain('the time for the whole run is over')
    const server = await apiServer()
    await server.close()
    const gone = await run([], folderWith({ '.kube/config': server.kubeconfig }))
    expect(gone.code).toBe(2)
    expect(gone.err).toContain('nothing listens there')
  })
})

describe('a snapshot', () => {
  it('gives the same findings, and holds no Secrets', async () => {
    const applied = '{"apiVersion":"v1","data":{"k":"aHVudGVyMg=="},"kind":"Secret"}'
    const secret = {
      metadata: {
        name: 's',
        namespace: 'shop',
        annotations: { a: 'hunter2', 'kubectl.kubernetes.io/last-applied-configuration': applied },
      },
      data: { k: 'x' },
    }
    const misspelt = {
      'kubectl.kubernetes.io/last-applied-configuration':
        '{"apiVersion":"v1","kind":"Service","spec":{"sesionAffinity":"ClientIP"}}',
    }
    const server = await apiServer({
      objects: {
        ...objects,
        services: [
          service,
          { ...lonely, metadata: { ...lonely.metadata, name: 'b' } },
          { ...service, metadata: { name: 'c', namespace: 'shop', annotations: misspelt } },
        ],
        secrets: [secret],
      },
      answer: forbid('pods'),
    })
    const folder = folderWith({ '.kube/config': server.kubeconfig })
    const live = await run(
      ['--context', 'prod', '--preset', 'all', '-o', 'json', '--save-snapshot', 'prod.gz'],
      folder,
    )
    await server.close()
    const saved = await run(['--preset', 'all', '-o', 'json', '--from-snapshot', 'prod.gz'], folder)
    const [a, b] = [JSON.parse(live.out), JSON.parse(saved.out)]
    expect(a.findings.map(({ rule }: { rule: string }) => rule)).toContain('unknown-field')
    expect(b.findings).toEqual(a.findings)
    expect({ ...b.summary, milliseconds: 0 }).toEqual({ ...a.summary, milliseconds: 0 })
    expect([saved.code, saved.err]).toEqual([live.code, live.err])
    expect(isReport(a), JSON.stringify(isReport.errors)).toBe(true)

    const bytes = readFileSync(join(folder, 'prod.gz'))
    expect(gunzipSync(bytes).toString() + live.out).not.toMatch(/hunter2|aHVudGVyMg/)
    if (process.platform !== 'win32') expect(statSync(join(folder, 'prod.gz')).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder).sort()).toEqual(['.kube', 'prod.gz'])
  })

  it('tells diagnose what is there, and which kinds nobody reads', async () => {
    const server = await apiServer({ objects })
    const folder = folderWith({ '.kube/config': server.kubeconfig })
    await run(['--save-snapshot', 'prod.gz'], folder)
    const ask = (object: string) =>
      program.run(['diagnose', object, '--from-snapshot', 'prod.gz'], { cwd: folder })
    expect(ask('svc/web')).toMatchObject({ code: 0, out: expect.stringMatching(/^Service shop\/web\n/) })
    expect(ask('service/shop/web')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^Service shop\/web\n/),
    })
    expect(ask('service/other/web').err).toMatch(
      /^k8s-af: there is no service "web" in the namespace other\. /,
    )
    expect(ask('svc/wbe').err).toBe('k8s-af: there is no svc "wbe". Did you mean "web"?\n')
    expect(ask('cm/web').err).toBe('k8s-af: there is no cm "web". kubectl get cm -A lists them.\n')
    expect(ask('kafka/web').err).toMatch(/^k8s-af: a scan reads no objects of the kind kafka\. Ask about /)
    expect(ask('deploymnt/web').err).toMatch(/ of the kind deploymnt\. Did you mean "deployment"\?\n$/)
  })

  it('does not keep from diagnose what has just begun', async () => {
    const metadata = { ...lonely.metadata, creationTimestamp: new Date(Date.now() - 60_000).toISOString() }
    const server = await apiServer({ objects: { ...objects, services: [{ ...lonely, metadata }] } })
    const folder = folderWith({
      '.kube/config': server.kubeconfig,
      'patient.yaml': 'rules: {service-selects-nothing: {params: {minutes: 5}}}',
    })
    const { code } = await run(
      ['--save-snapshot', 'prod.gz', '--only', 'service-selects-nothing', '--fail-on', 'info'],
      folder,
    )
    expect(code).toBe(0)
    const ask = () => program.run(['diagnose', 'svc/web', '--from-snapshot', 'prod.gz'], { cwd: folder }).out
    expect(ask()).toMatch(/^ 1 +error +service-selects-nothing /m)
    writeFileSync(join(folder, '.k8s-af.yaml'), readFileSync(join(folder, 'patient.yaml')))
    expect(ask()).not.toContain('service-selects-nothing')
  })

  it('does not have diagnose take what could not be read for absent', async () => {
    const server = await apiServer({ objects, answer: forbid('deployments') })
    const folder = folderWith({ '.kube/config': server.kubeconfig })
    await run(['--save-snapshot', 'prod.gz'], folder)
    const { code, err } = program.run(['diagnose', 'deploy/web', '--from-snapshot', 'prod.gz'], {
      cwd: folder,
    })
    expect([code, err]).toEqual([
      2,
      'k8s-af: not all of the kind deploy could be read, and "web" is not among what was.\nk8s-af: not read, forbidden: deployments.apps. k8s-af rbac prints the role that allows it\n',
    ])
  })

  it('that is none is refused', async () => {
    const folder = folderWith({ text: 'kind: Pod\n' })
    writeFileSync(join(folder, 'cut'), gzipSync('{"snapshot":1}\n{"kind":"Pod"}\n').subarray(0, 30))
    writeFileSync(join(folder, 'other'), gzipSync('{"a":1}\n'))
    writeFileSync(join(folder, 'newer'), gzipSync('{"snapshot":99}\n'))
    for (const name of ['text', 'cut', 'other', 'newer', 'absent']) {
      const { code, out, err } = await run(['--from-snapshot', name], folder)
      expect([name, code, out]).toEqual([name, 2, ''])
      expect(err).toMatch(/^k8s-af: [^\n]+\n$/)
      expect(err).not.toContain('internal error')
      if (name === 'text' || name === 'cut') expect(err).toMatch(/: it is no gzip file, or not whole\.\n$/)
    }
    const both = await run(['--from-snapshot', 'text', '-n', 'shop'], folder)
    expect([both.code, both.err]).toEqual([
      2,
      'k8s-af: --from-snapshot reads no cluster: it does not go with --namespace.\n',
    ])
  })
})

describe('numbers of node-exporter', () => {
  const exporter = {
    metadata: { name: 'ne', namespace: 'monitoring', uid: 'ne' },
    spec: {
      nodeName: 'n1',
      hostNetwork: true,
      containers: [{ name: 'ne', image: 'prom/node-exporter:v1.9.1', ports: [{ containerPort: 9100 }] }],
    },
    status: { phase: 'Running' },
  }
  const path = '/api/v1/namespaces/monitoring/pods/ne:9100/proxy/metrics'
  const only = ['--only', 'conntrack-table-small', '-o', 'json']
  const serving = async (code: number, text: string) => {
    const server = await apiServer({
      objects: { nodes: [{ metadata: { name: 'n1', uid: 'n1' } }], pods: [exporter] },
      answer: ({ pathname }, response) =>
        pathname === path && send(response, code, text, { 'content-type': 'text/plain' }),
    })
    return { server, folder: folderWith({ '.kube/config': server.kubeconfig }) }
  }

  it('are read on request, and kept in snapshots', async () => {
    const { server, folder } = await serving(
      200,
      'node_nf_conntrack_entries 251000\nnode_nf_conntrack_entries_limit 262144\n',
    )
    const without = await run(only, folder)
    expect(without).toMatchObject({ code: 0, err: '' })
    expect(server.asked.filter((one) => one.path.includes('/proxy/'))).toEqual([])
    const live = await run(['--node-metrics', '--save-snapshot', 'prod.gz', ...only], folder)
    expect(live).toMatchObject({ code: 1, err: '' })
    expect(JSON.parse(live.out).findings).toMatchObject([
      { evidence: ['node n1: 251,000 of 262,144 entries'], severity: 'error' },
    ])
    expect(server.asked.filter((one) => one.path.includes('/proxy/'))).toHaveLength(1)
    const saved = await run(['--from-snapshot', 'prod.gz', ...only], folder)
    expect(JSON.parse(saved.out).findings).toEqual(JSON.parse(live.out).findings)
  })

  it('are missing where credentials are asked for, and that is said', async () => {
    const { folder } = await serving(401, 'Unauthorized\n')
    const found = await run(['--node-metrics=5', ...only], folder)
    expect(found.code).toBe(0)
    expect(found.err).toMatch(
      /^k8s-af: not read: node-exporter in monitoring: it wants credentials \(HTTP 401\), [^\n]+\n$/,
    )
    expect((await run(['--node-metrics', '--require-complete', ...only], folder)).code).toBe(3)
  })

  it('are of whole nodes of a cluster', async () => {
    const folder = folderWith()
    const one = await run(['--node-metrics', '-n', 'shop'], folder)
    expect([one.code, one.err]).toEqual([
      2,
      'k8s-af: --node-metrics is about whole nodes: it does not go with -n.\n',
    ])
    const file = await run(['--node-metrics', '--from-snapshot', 'prod.gz'], folder)
    expect([file.code, file.err]).toEqual([
      2,
      'k8s-af: --from-snapshot reads no cluster: it does not go with --node-metrics.\n',
    ])
  })
})

describe('the role for a scan', () => {
  const role = (...args: string[]) => program.run(['rbac', ...args]).out
  it('lets read what is looked at, and no Secrets', () => {
    expect(load(role())).toMatchObject({
      kind: 'ClusterRole',
      rules: expect.arrayContaining([
        {
          apiGroups: ['apps'],
          resources: ['daemonsets', 'deployments', 'replicasets', 'statefulsets'],
          verbs: ['list'],
        },
      ]),
    })
    expect(JSON.stringify(load(role()))).not.toContain('"secrets"')
    expect(role()).toContain('customresourcedefinitions')
  })
  it('may be for one namespace', () => {
    expect(load(role('-n', 'shop'))).toMatchObject({ kind: 'Role', metadata: { namespace: 'shop' } })
    expect(role('-n', 'shop')).not.toContain('customresourcedefinitions')
    const itself = { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] }
    expect(load(role('-n', 'shop'))).toMatchObject({ rules: expect.arrayContaining([itself]) })
  })
})

describe('a namespace', () => {
  it('is read alone', async () => {
    const { code, out } = await scanned({ objects }, '-n', 'shop', '--only', 'service-selects-nothing')
    expect(code).toBe(0)
    expect(out).toContain('in namespace shop of prod')
  })
  it('decides nothing about what lies outside it', async () => {
    const only = ['--only', 'service-selects-nothing,node-not-ready', '-o', 'json']
    const bad = { ...objects, services: [lonely], nodes: [{ metadata: { name: 'n1', uid: 'n1' } }] }
    const { out, err } = await scanned({ objects: bad }, '-n', 'shop', ...only)
    expect(JSON.parse(out).summary.notEvaluated.map(({ rule }: { rule: string }) => rule)).toContain(
      'node-not-ready',
    )
    expect(err).toMatch(/not decided by what namespace shop shows: .*node-not-ready/)
  })
  it('is looked at itself', async () => {
    const restricted = { 'pod-security.kubernetes.io/enforce': 'baseline' }
    const refusing = { metadata: { ...shop.metadata, labels: restricted } }
    const other = { metadata: { name: 'other', uid: 'o' } }
    const privileged = {
      ...web,
      spec: { ...web.spec, template: { ...template, spec: { ...template.spec, hostNetwork: true } } },
    }
    const all = { ...objects, namespaces: [refusing, other], deployments: [privileged] }
    const only = [
      '-n',
      'shop',
      '--only',
      'pod-security-refused,namespace-limitrange-surprise',
      '-o',
      'concise',
    ]
    const { code, out } = await scanned({ objects: all }, ...only)
    expect(code).toBe(1)
    expect(out).toContain('pod-security-refused')
    expect(out).not.toContain('other')
    // Whoever may not look at it learns of all else.
    const { out: less, err } = await scanned(
      {
        objects: all,
        answer: (url, response) =>
          /\/namespaces\/[^/]+$/.test(url.pathname) && send(response, 403, status(403, 'forbidden')),
      },
      ...only,
    )
    expect(less).not.toContain('pod-security-refused')
    expect(err).toContain('not decided by what namespace shop shows')
  })
  it('is not all of them', async () => {
    expect((await scanned({ objects }, '-A', '--only', 'service-selects-nothing')).code).toBe(0)
    expect((await scanned({ objects }, '-A', '-n', 'shop')).err).toBe(
      'k8s-af: -A and -n contradict each other. Keep one.\n',
    )
  })
  it('that is not there is a mistake', async () => {
    const { code, err } = await scanned({ objects }, '-n', 'shp')
    expect([code, err]).toEqual([2, 'k8s-af: there is no namespace "shp". Did you mean "shop"?\n'])
  })
})

describe('a kubeconfig', () => {
  const config = (name: string, more: object = {}) =>
    JSON.stringify({
      clusters: [{ name, cluster: { server: 'http://127.0.0.1:1' } }],
      contexts: [{ name, context: { cluster: name, user: name } }],
      users: [{ name, user: {} }],
      ...more,
    })

  it('may come through a pipe, also for several contexts', async () => {
    const server = await apiServer({ objects })
    const folder = folderWith({ config: server.kubeconfig })
    const flags = '--context prod --context staging --only pdb-missing -o json'
    const out = await new Promise<string>((resolve) => {
      execFile(
        'sh',
        ['-c', `cat config | "${process.execPath}" "${program.bin}" scan --kubeconfig /dev/stdin ${flags}`],
        { cwd: folder },
        (_, text) => resolve(text),
      )
    })
    expect(JSON.parse(out).summary.clusters).toMatchObject([{ context: 'prod' }, { context: 'staging' }])
  })

  it('is not another one where a variable is not set', async () => {
    for (const flag of ['--context', '--kubeconfig', '--from-snapshot']) {
      const { code, err } = await scanned({}, flag, '')
      expect([code, err]).toEqual([2, `k8s-af: ${flag} cannot be "". It is empty. (k8s-af scan --help)\n`])
    }
  })

  it('has contexts, and says which one was meant', async () => {
    const { code, err } = await scanned({}, '--context', 'stagign')
    expect([code, err]).toEqual([
      2,
      'k8s-af: there is no context "stagign" in ~/.kube/config. Did you mean "staging"?\n',
    ])
  })

  it('that is missing or broken is named, without what is in it', async () => {
    const none = await run([], folderWith())
    expect(none.code).toBe(2)
    expect(none.err).toContain('there is no kubeconfig')
    const folder = folderWith({ broken: 'users:\n- token: hunter2\n  - x: y\n', text: 'hunter2' })
    const broken = await run(['--kubeconfig', 'broken'], folder)
    expect(broken.code).toBe(2)
    expect(broken.err).toMatch(/^k8s-af: ~\/broken cannot be used as a kubeconfig: .*\(line 3\)/)
    const text = await run(['--kubeconfig', 'text'], folder)
    expect(text.code).toBe(2)
    expect(broken.err + text.err).not.toContain('hunter2')
    const absent = await run(['--kubeconfig', 'nowhere'], folder)
    expect(absent.err).toBe('k8s-af: --kubeconfig: there is no file nowhere.\n')
  })

  it('may be several: the first entry of a name counts, and files that are not there do not', async () => {
    const server = await apiServer({ objects })
    const folder = folderWith({ a: config('other'), b: server.kubeconfig, c: config('prod') })
    const files = ['a', 'missing', 'b', 'c'].map((name) => join(folder, name)).join(':')
    const { code, out } = await run(['--only', 'pdb-missing'], folder, { KUBECONFIG: files })
    expect(code).toBe(0)
    expect(out).toContain('cluster prod')
  })

  it('may have its token in a file', async () => {
    const server = await apiServer({ tls: serverPair, objects })
    const text = server.kubeconfig
      .replace('"token":"abc"', '"tokenFile":"token"')
      .replaceAll('"server":', '"insecure-skip-tls-verify":true,"server":')
    const folder = folderWith({ 'sub/config': text, 'sub/token': 'from-file\n', alone: text })
    expect((await run(['--kubeconfig', 'sub/config', '--only', 'pdb-missing'], folder)).code).toBe(0)
    expect([...server.credentials]).toEqual(['Bearer from-file'])
    const missing = await run(['--kubeconfig', 'alone'], folder)
    expect(missing.code).toBe(2)
    expect(missing.err).toBe('k8s-af: the tokenFile ~/token of the user "me" in ~/alone is not there.\n')
  })

  it('may get its credentials from a program', async () => {
    const server = await apiServer({ tls: serverPair, objects })
    const script = `const {apiVersion} = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
      console.log(JSON.stringify({apiVersion, kind: 'ExecCredential', status: {token: 'from-plugin'}}))`
    const withExec = (exec: object) =>
      config('prod', {
        'current-context': 'prod',
        clusters: [{ name: 'prod', cluster: { server: server.address, 'insecure-skip-tls-verify': true } }],
        users: [{ name: 'prod', user: { exec: { apiVersion: 'client.authentication.k8s.io/v1', ...exec } } }],
      })
    const folder = folderWith({
      good: withExec({ command: process.execPath, args: ['-e', script] }),
      'sub/beside': withExec({ command: './plugin' }),
      'sub/plugin': `#!${process.execPath}\n${script}`,
      absent: withExec({ command: 'no-such-plugin', installHint: 'Install it.' }),
      failing: withExec({
        command: process.execPath,
        args: ['-e', 'console.error("log in first");process.exit(1)'],
      }),
    })
    expect((await run(['--kubeconfig', 'good', '--only', 'pdb-missing'], folder)).code).toBe(0)
    // Beside the kubeconfig, as kubectl takes it.
    chmodSync(join(folder, 'sub/plugin'), 0o755)
    expect((await run(['--kubeconfig', 'sub/beside', '--only', 'pdb-missing'], folder)).code).toBe(0)
    expect([...server.credentials]).toEqual(['Bearer from-plugin'])
    const absent = await run(['--kubeconfig', 'absent'], folder)
    expect([absent.code, absent.err]).toEqual([
      2,
      'k8s-af: the user "prod" in ~/absent gets its credentials from the program no-such-plugin, which is not installed. Install it.\n',
    ])
    const failing = await run(['--kubeconfig', 'failing'], folder)
    expect(failing.code).toBe(2)
    expect(failing.err).toContain('log in first')
  })
  it('whose proxy or plugin says nothing does not hold the program', async () => {
    const sockets = new Set<Socket>()
    const silent = createServer((socket) => void sockets.add(socket))
    await new Promise<void>((resolve) => void silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as AddressInfo
    const cluster = { server: 'https://api.example.com', 'proxy-url': `http://127.0.0.1:${port}` }
    const clusters = [{ name: 'prod', cluster }]
    const script = `require('child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, 65000)'], {stdio: 'inherit'});setTimeout(() => {}, 65000)`
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: process.execPath,
      args: ['-e', script],
    }
    const folder = folderWith({
      proxy: config('prod', { 'current-context': 'prod', clusters }),
      plugin: config('prod', {
        'current-context': 'prod',
        clusters,
        users: [{ name: 'prod', user: { exec } }],
      }),
    })
    const proxy = await run(['--kubeconfig', 'proxy', '--request-timeout', '1'], folder)
    expect([proxy.code, proxy.err]).toEqual([
      2,
      `k8s-af: the cluster of the context "prod" (https://api.example.com, through the proxy 127.0.0.1:${port}) cannot be read: no answer within 1 s\n`,
    ])
    const plugin = await run(['--kubeconfig', 'plugin', '--timeout', '1'], folder)
    expect(plugin.code).toBe(2)
    expect(plugin.err).toContain('did not end (the time for the whole run is over)')
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
})
