/** `lint -k` and `lint --helm`, with what the tools have printed (tests/builds/record.ts) and, where they are there, with the tools. */
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { essence } from '../src/built/kustomize-error.js'
import type { Finding } from '../src/finding.js'
import { folderWith } from './folders.js'
import { builtProgram, type Outcome, repository } from './program.js'

const program = builtProgram()
const recorded = join(repository, 'tests', 'builds', 'recorded')

/** Tools that print what the real ones have printed, and note how they were called. */
const tools = folderWith({
  kustomize: `#!${process.execPath}
const { appendFileSync, existsSync, readFileSync } = require('node:fs')
const { basename, join } = require('node:path')
const [folder] = process.argv.slice(2).filter((word) => word !== 'build' && word !== 'kustomize')
appendFileSync(join(__dirname, 'calls'), JSON.stringify(process.argv.slice(2)) + '\\n')
const text = readFileSync(join(folder, 'kustomization.yaml'), 'utf8')
const [wrapped] = text.startsWith('{') ? JSON.parse(text).resources : []
const name = basename(wrapped ?? folder)
const own = join(wrapped ? join(folder, wrapped) : folder, 'output')
const file = existsSync(own) ? own : join(${JSON.stringify(recorded)}, (wrapped ? 'wrapped-' : '') + name + '.yaml')
const refusal = join(folder, 'refusal')
if (existsSync(refusal)) {
  process.stderr.write(readFileSync(refusal))
  process.exit(1)
}
if (!existsSync(file)) {
  process.stderr.write('# Warning: old\\nError: no \\u001b[31m' + name + '\\n')
  process.stderr.write('E1122 00:49:05.129675    3968 run.go:72] "command failed" err="no \\\\"' + name + '\\\\""\\n')
  process.exit(1)
}
process.stdout.write(readFileSync(file, 'utf8').replaceAll('@SHOP@', (wrapped ?? '').split('/overlays')[0]))
`,
  helm: `#!${process.execPath}
const { appendFileSync, existsSync, readFileSync } = require('node:fs')
const { join } = require('node:path')
const isMarked = process.argv.includes('--debug')
if (!isMarked) appendFileSync(join(__dirname, 'calls'), JSON.stringify(process.argv.slice(2)) + '\\n')
const own = join(process.argv[4], 'output')
const [, chart] = /^name: (.+)$/m.exec(readFileSync(join(process.argv[4], 'Chart.yaml'), 'utf8'))
const name = (isMarked ? 'marked-' : '') + (chart === 'web' ? 'chart' : chart)
process.stdout.write(readFileSync(existsSync(own) ? own : join(${JSON.stringify(recorded)}, name + '.yaml')))
process.exitCode = isMarked ? 1 : 0
`,
})
for (const name of ['kustomize', 'helm']) chmodSync(join(tools, name), 0o755)

/** The folders of tests/builds, in a place of their own. */
function copy(): string {
  const folder = folderWith()
  for (const name of ['shop', 'chart', 'places'])
    cpSync(join(repository, 'tests', 'builds', name), join(folder, name), { recursive: true })
  return folder
}

const has = (tool: string, ...args: string[]) => spawnSync(tool, args).status === 0
const real = {
  kustomize: has('kustomize', 'version') || has('kubectl', 'kustomize', '--help'),
  helm: has('helm', 'version'),
}

function lint(folder: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Outcome {
  return program.run(['lint', ...args], { cwd: folder, env: { PATH: tools, ...env } })
}

const findingsOf = ({ out, err }: Outcome): readonly Finding[] => {
  expect(err).toBe('')
  return (JSON.parse(out) as { findings: Finding[] }).findings
}
const placesOf = (outcome: Outcome) =>
  findingsOf(outcome).map(({ rule, place }) => `${place.file}:${place.line}:${place.column} ${rule}`)
const json = ['-o', 'json']

describe.each([
  ['recorded', tools, true],
  ['real', process.env.PATH ?? '', real.kustomize],
])('what kustomize builds (%s)', (_, PATH, isThere) => {
  const folder = copy()
  const build = (...args: string[]) => lint(folder, args, { PATH })

  it.skipIf(!isThere)('is found where its parts are written: in bases, patches and images', () => {
    expect(placesOf(build('-k', 'shop/overlays/prod', ...json))).toEqual([
      'shop/base/web.yaml:28:17 resource-requests-missing',
      'shop/overlays/prod/kustomization.yaml:7:5 mutable-image-tag',
      'shop/overlays/prod/kustomization.yaml:20:13 rollout-drops-all-replicas',
    ])
  })
  it.skipIf(!isThere)('may be suppressed by comments in the sources', () => {
    const all = findingsOf(build('-k', 'shop/overlays/prod', '--show-suppressed', ...json))
    expect(all.find(({ suppressed }) => suppressed)).toMatchObject({
      rule: 'readiness-probe-missing',
      suppressed: { reason: 'it answers at once', place: { file: 'shop/base/web.yaml', line: 27 } },
    })
  })
  it.skipIf(!isThere)('is suppressed with its source, whatever an overlay has written over that', () => {
    const other = copy()
    const base = join(other, 'shop/base/web.yaml')
    const text = readFileSync(base, 'utf8')
    const comment = '# k8s-af-ignore mutable-image-tag, rollout-drops-all-replicas -- for a day'
    writeFileSync(base, text.replace('apiVersion: apps/v1', `${comment}\napiVersion: apps/v1`))
    const found = findingsOf(lint(other, ['-k', 'shop/overlays/prod', ...json], { PATH }))
    expect(found.map(({ rule }) => rule)).toEqual(['resource-requests-missing'])
  })
  it.skipIf(!isThere)('may be several, named by a pattern', () => {
    const { out } = build('-k', 'shop/overlays/*', '-o', 'concise')
    expect(out).toContain('6 objects in 2 builds')
    expect(out).toContain('[Deployment shop-staging/web]')
    expect(out).toContain('[Deployment shop/prod-web]')
  })
})

describe('a build', () => {
  const folder = copy()
  const prod = ['-k', 'shop/overlays/prod']
  const git = (...args: string[]) =>
    spawnSync('git', ['-c', 'user.name=x', '-c', 'user.email=x@y', ...args], { cwd: folder })

  it('stands beside paths, whose files it has in it are not linted twice', () => {
    const both = lint(folder, [...prod, 'shop', ...json])
    expect(placesOf(both)).toEqual(placesOf(lint(folder, [...prod, ...json])))
    expect(JSON.parse(both.out)).toMatchObject({
      summary: { builds: 1, skipped: { 'source of a build': 1 } },
    })
    const named = lint(folder, [...prod, 'shop/base/web.yaml', '-o', 'concise'])
    expect(named.out).toContain('[Deployment web]')
    expect(named.out).toContain('[Deployment shop/prod-web]')
  })
  it('that a shell has made a path of is named', () => {
    const { err } = lint(folder, [...prod, 'shop/overlays/staging', '--allow-empty'])
    expect(err).toMatch(/^k8s-af: read file by file: shop\/overlays\/staging\. To build/)
  })
  it('is known again by a baseline', () => {
    const { err } = lint(folder, [...prod, '--write-baseline', 'known.json'])
    expect(err).toContain('3 findings kept in known.json')
    expect(findingsOf(lint(folder, [...prod, '--baseline', 'known.json', ...json]))).toEqual([])
  })
  it('goes with --since by the files that its parts are written in', () => {
    git('init', '-q')
    git('add', '.')
    git('commit', '-qm', 'x')
    const scale = join(folder, 'shop/overlays/prod/scale.yaml')
    writeFileSync(scale, `${readFileSync(scale, 'utf8')}# changed\n`)
    const args = [...prod, '--helm', 'chart', '--since', 'HEAD', ...json]
    const since = () => placesOf(lint(folder, args, { PATH: `${tools}:${process.env.PATH}` }))
    // It has one of its places there.
    expect(since()).toEqual(['shop/overlays/prod/kustomization.yaml:20:13 rollout-drops-all-replicas'])
    // Anything of the template may come from the values.
    writeFileSync(join(folder, 'chart/values.yaml'), 'replicas: 2\nimage: example/web:1.4.2\n\n')
    expect(since().filter((place) => place.startsWith('chart'))).toEqual([
      'chart/templates/deployment.yaml:17:17 resource-requests-missing',
      'chart/templates/service.yaml:7:5 service-selects-nothing',
    ])
  })
  it('is not changed by --fix', () => {
    const before = readFileSync(join(folder, 'shop/base/web.yaml'), 'utf8')
    expect(lint(folder, [...prod, '--fix', '--unsafe-fixes'])).toMatchObject({
      code: 2,
      err: 'k8s-af: --fix does not change what is built: name manifests, too.\n',
    })
    const beside = lint(folder, [...prod, 'shop/base/kustomization.yaml', '--fix', '--unsafe-fixes'])
    expect(beside.err).toContain('nothing was fixed')
    expect(beside.out).not.toContain('--unsafe-fixes')
    expect(readFileSync(join(folder, 'shop/base/web.yaml'), 'utf8')).toBe(before)
  })
  it('leaves nothing behind', () => {
    const temporary = join(folder, 'tmp')
    mkdirSync(temporary)
    const before = readdirSync(folder, { recursive: true })
    lint(folder, [...prod, '-k', 'shop/overlays/staging'], { TMPDIR: temporary })
    expect(lint(folder, [...prod, '-o', 'concise'], { TMPDIR: join(folder, 'none') }).out).toContain(
      'As built',
    )
    expect(readdirSync(folder, { recursive: true })).toEqual(before)
  })
  it('is made by kubectl where there is no kustomize', () => {
    const only = folderWith()
    cpSync(join(tools, 'kustomize'), join(only, 'kubectl'))
    const found = lint(folder, ['-k', 'shop/overlays/prod', ...json], { PATH: only })
    expect(findingsOf(found).length).toBeGreaterThan(0)
    expect(readFileSync(join(only, 'calls'), 'utf8')).toMatch(/^\["kustomize","[^"]*k8s-af-kustomize-/)
  })
  it('cannot be made without a tool', () => {
    const none = { PATH: join(folder, 'none') }
    expect(lint(folder, ['-k', 'shop/overlays/*'], none)).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringMatching(/^k8s-af: -k needs kustomize or kubectl on the PATH[^\n]*\n$/),
    })
    expect(lint(folder, ['--helm', 'chart'], none).err).toMatch(/^k8s-af: --helm needs helm on the PATH/)
  })
  it('that fails says why, harmlessly, and the others are linted', () => {
    const { code, out, err } = lint(folder, ['-k', 'shop/base', ...prod, '-o', 'concise'])
    expect(code).toBe(2)
    expect(err).toBe(
      'k8s-af: shop/base cannot be built. kustomize says:\nk8s-af:   Error: no \\u001b[31mbase\nk8s-af:   no "base"\n',
    )
    expect(out).toContain('[Deployment shop/prod-web]')
    expect(lint(folder, ['-k', 'shop/base'])).toMatchObject({ code: 2, out: '' })
  })
  it('that fails says what is wrong, not by way of which folders kustomize has come there', () => {
    const long = `accumulating resources: accumulation err='accumulating resources from '../base': '${folder}/base' must resolve to a file': recursed accumulation of path '${folder}/base': invalid Kustomization: json: unknown field "resource"`
    mkdirSync(join(folder, 'wrong'))
    writeFileSync(join(folder, 'wrong/kustomization.yaml'), 'resources: [../base]\n')
    writeFileSync(join(folder, 'wrong/refusal'), `Error: ${long}\n`)
    expect(lint(folder, ['-k', 'wrong', '--kustomize-arg=--as-current-user']).err).toBe(
      [
        'wrong cannot be built. kustomize says:',
        '  base: invalid Kustomization: json: unknown field "resource"',
        'All that it says: kustomize build wrong --as-current-user',
      ]
        .map((line) => `k8s-af: ${line}\n`)
        .join(''),
    )
  })
  it('needs a folder with something to build', () => {
    const refusal = (...args: string[]) => lint(folder, args).err
    expect(refusal('-k', 'shop')).toBe(
      'k8s-af: there is no kustomization.yaml in shop. -k takes the folder of one.\n',
    )
    expect(refusal('-k', 'shop/base/web.yaml')).toMatch(/web\.yaml is a file/)
    expect(refusal('-k', 'shop/overlay')).toMatch(/Did you mean shop\/overlays\?/)
    expect(refusal('--helm', 'chart', '--helm-release=-x')).toMatch(/"-x" is no name of a release/)
    expect(refusal('--helm-values', 'x.yaml')).toBe('k8s-af: --helm-values goes with --helm.\n')
    expect(refusal('--helm', 'shop')).toMatch(/there is no Chart\.yaml in shop/)
    expect(refusal('--helm', 'chart', '--helm-values', 'chart/value.yaml')).toMatch(
      /Did you mean chart\/values/,
    )
  })
})

describe('what matters of an error of kustomize', () => {
  const tried = (path: string, folder: string) =>
    `accumulating resources: accumulation err='accumulating resources from '${path}': '${folder}' must resolve to a file': recursed accumulation of path '${folder}': `
  const noFile = (path: string) =>
    `evalsymlink failure on '${path}' : lstat ${path}: no such file or directory`
  const listed = (path: string, why: string, then = 'must build at directory: not a valid directory: x') =>
    `accumulating resources: accumulation err='accumulating resources from '${path}': ${why}': ${then}`
  const gone = (folder: string) => listed('gone.yaml', noFile(`${folder}/gone.yaml`))
  const told = (error: string) => essence(error, '/repo/app', '/repo')

  // As kustomize 5.5 says it.
  it.each([
    [gone('/repo/app'), 'app/gone.yaml: no such file or directory'],
    [
      `Error: ${tried('../base', '/repo/base')}${gone('/repo/base')}`,
      'base/gone.yaml: no such file or directory',
    ],
    [
      tried('../c', '/repo/c') + tried('../b', '/repo/b') + tried('../a', '/repo/a') + gone('/repo/a'),
      'a/gone.yaml: no such file or directory\n(by way of c and b)',
    ],
    [
      `accumulating components: accumulateDirectory: ${JSON.stringify(`recursed accumulation of path '/repo/common': ${gone('/repo/common')}`)}`,
      'common/gone.yaml: no such file or directory',
    ],
    [
      `accumulating components: loader.New ${JSON.stringify(`must build at directory: not a valid directory: ${noFile('/repo/common')}`)}`,
      'common: no such file or directory',
    ],
    [
      "accumulating resources: accumulating resources from 'cm.yaml': MalformedYAMLError: yaml: line 3: mapping values are not allowed in this context in File: cm.yaml",
      'app/cm.yaml: yaml: line 3: mapping values are not allowed in this context',
    ],
    [
      "accumulating resources: accumulation err='merging resources from 'cm.yaml': may not add resource with an already registered id: ConfigMap.v1.[noGrp]/a.[noNs]': must build at directory: '/repo/app/cm.yaml': file is not directory",
      'app/cm.yaml: may not add resource with an already registered id: ConfigMap.v1.[noGrp]/a.[noNs]',
    ],
    [
      listed('../cm.yaml', "security; file '/repo/cm.yaml' is not in or below '/repo/app'"),
      "cm.yaml: security; file 'cm.yaml' is not in or below 'app'",
    ],
    [
      "accumulating resources: accumulation err='accumulating resources from '../web': '/repo/web' must resolve to a file': couldn't make target for path '/repo/web': unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '/repo/web'",
      "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory 'web'",
    ],
    [
      listed(
        'https://example.org/a/b//c?ref=v1',
        'URL is a git repository',
        "failed to run '/usr/bin/git fetch --depth=1 https://example.org/a/b v1': exit status 128",
      ),
      "app: failed to run '/usr/bin/git fetch --depth=1 https://example.org/a/b v1': exit status 128",
    ],
    [
      listed(
        'https://example.org/a/b',
        'Get "https://example.org/a/b": connection refused',
        "failed to run '/usr/bin/git fetch --depth=1 https://example.org/a/b': exit status 128",
      ),
      "https://example.org/a/b: failed to run '/usr/bin/git fetch --depth=1 https://example.org/a/b': exit status 128",
    ],
    [
      `${tried('../base', '/repo/base')}trouble configuring builtin PatchTransformer with config: \`\npath: p.yaml\n\`: failed to get the patch file from path(p.yaml): ${noFile('/repo/base/p.yaml')}`,
      'trouble configuring builtin PatchTransformer with config: `\npath: p.yaml\n`: failed to get the patch file from path(p.yaml): base/p.yaml: no such file or directory',
    ],
  ])('%#', (error, what) => {
    expect(told(error)).toBe(what)
  })
  it('is all of it where it has no more', () => {
    expect(told('Error: nothing selected by Secret.[noVer].[noGrp]/x.[noNs]')).toBeUndefined()
    expect(told('')).toBeUndefined()
  })
})

describe('ignored files in a build', () => {
  const folder = copy()
  const linted = (ignore: string, ...args: string[]) => {
    writeFileSync(join(folder, '.k8s-af.yaml'), `ignore: [${ignore}]\n`)
    return lint(folder, args)
  }

  it('are evidence, and nothing is said about them, unless somebody else writes over them', () => {
    const all = placesOf(linted('', '-k', 'shop/overlays/prod', ...json))
    const isBase = (place: string) => place.startsWith('shop/base/')
    expect(all.some(isBase)).toBe(true)
    const own = all.filter((place) => !isBase(place))
    expect(own.length).toBeGreaterThan(0)
    expect(placesOf(linted('shop/base/', '-k', 'shop/overlays/prod', ...json))).toEqual(own)
    const { out } = linted('shop/base/', '-k', 'shop/overlays/prod')
    expect(out).toContain('1 skipped (ignored)')
  })
  it('do not keep a folder from being judged that is named', () => {
    const built = ['--helm', 'chart', '-n', 'shop', ...json]
    expect(placesOf(linted('chart/', ...built))).toEqual(placesOf(linted('', ...built)))
    expect(placesOf(linted('chart/templates/service.yaml', ...built))).toHaveLength(2)
  })
})

describe('the kustomizations of a build', () => {
  const patch = (name: string) =>
    `patches:\n- target: {kind: ConfigMap, name: ${name}}\n  patch: |\n    - {op: add, path: /data, value: {}}\n`
  const map = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n'
  const ignored = '# k8s-af-ignore kustomization-patch-matches-nothing -- it comes later\n'
  const component = 'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n'
  const folder = folderWith({
    '.git/HEAD': '',
    'base/kustomization.yaml': 'resources: [map.yaml]\n',
    'base/map.yaml': map,
    'common/kustomization.yaml': `${component}${patch('other')}`,
    'late/kustomization.yaml': `resources: [../base]\n${ignored}${patch('setting')}`,
    'late/output': map,
    'prod/kustomization.yaml': `resources: [../base]\ncomponents: [../common]\n${patch('setting')}`,
    'prod/output': map,
    'right/kustomization.yaml': `resources: [../base]\n${ignored}${patch('settings')}`,
    'right/output': map,
    'gone/kustomization.yaml': 'resources: [../base, web.yaml]\n',
  })
  const only = '--only=kustomization-patch-matches-nothing,kustomization-broken-reference,suppression-unused'
  const placesIn = (...args: string[]) => {
    const { out, ...rest } = lint(folder, [...args, only, ...json])
    return { ...rest, places: placesOf({ out, err: '', code: 0 }) }
  }

  it('are judged, at their own lines, and once where the folder is linted, too', () => {
    const prod = 'prod/kustomization.yaml:4:3 kustomization-patch-matches-nothing'
    expect(placesIn('-k', 'prod').places).toEqual([prod])
    expect(placesIn('-k', 'prod', 'prod', 'base').places).toEqual([prod])
    // Other kustomizations may use a component, unless it is linted with them.
    const common = 'common/kustomization.yaml:4:3 kustomization-patch-matches-nothing'
    expect(placesIn('-k', 'prod', 'prod', 'base', 'common').places).toEqual([common, prod])
  })
  it('heed the comments in them, and tell of those that nothing needs', () => {
    expect(placesIn('-k', 'late').places).toEqual([])
    expect(placesIn('-k', 'right').places).toEqual(['right/kustomization.yaml:2:1 suppression-unused'])
  })
  it('that cannot be built are judged, after what kustomize says', () => {
    const { places, err, code } = placesIn('-k', 'gone')
    expect(places).toEqual(['gone/kustomization.yaml:1:22 kustomization-broken-reference'])
    expect(err).toMatch(/^k8s-af: gone cannot be built\. kustomize says:\nk8s-af: {3}Error: no .*gone/)
    expect(code).toBe(2)
  })
  it('are not judged where they are ignored', () => {
    expect(placesIn('-k', 'prod').places).not.toEqual([])
    writeFileSync(join(folder, '.k8s-af.yaml'), 'ignore: [prod/]\n')
    expect(placesIn('-k', 'prod').places).toEqual([])
  })
})

describe('what helm renders', () => {
  const folder = copy()
  const chart = ['--helm', 'chart', '-n', 'shop']

  it.for([
    ['recorded', tools, true],
    ['real', process.env.PATH ?? '', real.helm],
  ] as const)(
    'is found where its parts are written: in templates and values (%s)',
    ([, PATH, isThere], { skip }) => {
      skip(!isThere)
      expect(placesOf(lint(folder, [...chart, ...json], { PATH }))).toEqual([
        'chart/templates/deployment.yaml:16:9 suppression-unused',
        'chart/templates/deployment.yaml:17:17 resource-requests-missing',
        'chart/templates/service.yaml:7:5 service-selects-nothing',
      ])
      const found = findingsOf(
        lint(folder, ['--helm', 'places', '-n', 'shop', '--show-suppressed', ...json], { PATH }),
      )
      const all = found.map(({ rule, place, related, suppressed }) => {
        const own = related.filter(({ path }) => path === place.path)
        const lines = [place, ...own].map(({ file, line, column }) => `${file.slice(7)}:${line}:${column}`)
        return `${rule}${suppressed ? ' (suppressed)' : ''} ${lines.join(' ')}`
      })
      expect([...new Set(all)]).toEqual([
        'resource-requests-missing charts/db/templates/db.yaml:14:17',
        // Written in a named template, which others include.
        'readiness-probe-missing templates/_helpers.tpl:6:9',
        // Put together from two values.
        'mutable-image-tag templates/_helpers.tpl:7:3 values.yaml:7:3 values.yaml:8:3',
        'job-retries-despite-never templates/jobs.yaml:13:5',
        'job-without-deadline templates/jobs.yaml:13:5',
        'mutable-image-tag templates/jobs.yaml:18:13',
        'resource-requests-missing templates/jobs.yaml:18:13',
        'unknown-field templates/secret.yaml:7:1',
        // In a block that is one value.
        'rollout-drops-all-replicas values.yaml:5:5 templates/deployment.yaml:11:5',
        // A value for a chart within the chart, with a comment beside it.
        'mutable-image-tag (suppressed) values.yaml:13:3 charts/db/templates/db.yaml:15:11',
      ])
      // A block that a function makes has a line, and no text there.
      const { out } = lint(folder, ['--helm', 'places', '--only', 'mutable-image-tag'], { PATH })
      expect(out).toContain(`
     ╭─ as built: .spec.jobTemplate.spec.template.spec.containers[0].image
     │         - image: example/job:latest
     │           ━━━━━
     ├─ made from places/templates/jobs.yaml:18
`)
    },
  )
  it('is suppressed with its template, wherever its value is set', () => {
    const files = (name: string) =>
      `suppressions: [{ rules: [rollout-drops-all-replicas], files: [${name}], reason: x }]\n`
    const found = (name: string) => {
      writeFileSync(join(folder, 'config.yaml'), files(name))
      const only = ['--only', 'rollout-drops-all-replicas', '--config', 'config.yaml']
      return placesOf(lint(folder, ['--helm', 'places', '-n', 'shop', ...only, ...json]))
    }
    expect(found('places/templates/deployment.yaml')).toEqual([])
    expect(found('places/values.yaml')).toEqual([])
    expect(found('places/templates/service.yaml')).toHaveLength(1)
  })
  it('keeps the values of Secrets to itself, in templates and values', () => {
    for (const format of ['pretty', 'concise', 'html', 'json', 'sarif']) {
      const { out } = lint(folder, ['--helm', 'places', '-n', 'shop', '-o', format])
      expect(out).toContain('templates/secret.yaml')
      expect(out).not.toMatch(/hunter|aHVudGVyM/)
    }
  })
  it('is a release whose name Services can have, too', () => {
    const named = (name: string) => {
      mkdirSync(join(folder, 'named'), { recursive: true })
      writeFileSync(join(folder, 'named/Chart.yaml'), `apiVersion: v2\nname: ${name}\nversion: 1.0.0\n`)
      lint(folder, ['--helm', 'named'])
      const call: string[] = JSON.parse(
        readFileSync(join(tools, 'calls'), 'utf8').trimEnd().split('\n').at(-1) ?? '',
      )
      return call[1]
    }
    expect(['web', 'web.v2', '2fa', '"[x]"'].map(named)).toEqual([
      'web',
      'web-v2',
      'release-name',
      'release-name',
    ])
  })
  it('is not told to have a version that its template asks the cluster for', () => {
    const policy = 'apiVersion: policy/v1beta1\nkind: PodSecurityPolicy\nmetadata: {name: web}\nspec: {}\n'
    const render = (template: string, helpers = '') => {
      const chart = folderWith({
        'web/Chart.yaml': 'apiVersion: v2\nname: asking\nversion: 1.0.0\n',
        'web/templates/psp.yaml': template,
        'web/templates/_helpers.tpl': helpers,
        'web/output': `---\n# Source: asking/templates/psp.yaml\n${policy}`,
      })
      return findingsOf(lint(chart, ['--helm', 'web', ...json])).map(({ rule }) => rule)
    }
    const asking = (version: string) =>
      `{{- if .Capabilities.APIVersions.Has "${version}" }}\n${policy}{{- end }}\n`
    expect(render(policy)).toEqual(['removed-api-version'])
    expect(render(asking('policy/v1'))).toEqual(['removed-api-version'])
    expect(render(asking('policy/v1beta1'))).toEqual([])
    expect(render(asking('policy/v1beta1/PodSecurityPolicy'))).toEqual([])
    expect(render(policy, `{{ define "x" }}${asking('policy/v1beta1')}{{ end }}`)).toEqual([])
  })
  it('is asked for with the namespace, the values and the version', () => {
    writeFileSync(join(folder, 'a,b.yaml'), '')
    const values = ['--helm-values', 'chart/values.yaml', '--helm-values', 'a,b.yaml']
    lint(folder, [
      ...chart,
      ...values,
      '--helm-release',
      'shop.eu',
      '--helm-arg=--set=a=b',
      '--k8s-version',
      '1.33',
    ])
    const call = readFileSync(join(tools, 'calls'), 'utf8').trimEnd().split('\n').at(-1) ?? ''
    const args: string[] = JSON.parse(call)
    const [kinds = ''] = args.filter((one) => one.startsWith('--api-versions='))
    expect(kinds).toMatch(/^--api-versions=(?:.*,)?batch\/v1\/CronJob(?:,|$)/)
    expect(kinds).not.toContain('MutatingAdmissionPolicy')
    expect(args.filter((one) => one !== kinds)).toEqual([
      'template',
      'shop.eu',
      './chart',
      '--include-crds',
      '--values=chart/values.yaml',
      '--values="a,b.yaml"',
      '--namespace=shop',
      '--kube-version=1.33',
      '--set=a=b',
    ])
  })
  it('shows the first of two equal keys where it is written, never by a line of what was rendered', () => {
    const labels = 'metadata:\n  name: web\n  labels:\n    part: api\n    part: web\n'
    const head = 'apiVersion: v1\nkind: ConfigMap\n'
    const twice = folderWith({
      'twice/Chart.yaml': 'apiVersion: v2\nname: twice\nversion: 1.0.0\n',
      'twice/templates/web.yaml': `{{- /* Two parts. */}}\n${head}${labels}`,
    })
    const all = (env: Readonly<Record<string, string>>) =>
      findingsOf(lint(twice, ['--helm', 'twice', '--only', 'duplicate-key', ...json], env)).map(
        ({ message, place, related: [first] }) => [message.split(':')[0], place.line, first?.line],
      )
    if (real.helm)
      expect(all({ PATH: process.env.PATH ?? '' })).toEqual([['What stands first has no effect', 8, 7]])
    writeFileSync(join(twice, 'twice', 'output'), `---\n# Source: twice/templates/web.yaml\n${head}${labels}`)
    // Nothing is known of the lines of this template.
    expect(all({})).toEqual([['What stands first has no effect', 1, 1]])
  })
  it('heeds the comments of templates', () => {
    const { out } = lint(folder, [...chart, '-o', 'concise'])
    expect(out).toContain('chart/templates/deployment.yaml:16:9: warning suppression-unused')
    expect(out).not.toContain('.metadata.name')
  })
})

describe('comments of templates', () => {
  const comment = (word: string) => `# k8s-af-${word} resource-requests-missing -- small\n`
  const deployment = (name: string) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      containers:
        - name: ${name}
          image: example/app:1.0.0
`
  const rendered = (file: string, text: string) => `---\n# Source: two/templates/${file}\n${text}`
  const plain = `${comment('ignore')}${deployment('plain')}`
  const folder = folderWith({
    'two/Chart.yaml': 'apiVersion: v2\nname: two\nversion: 0.1.0\n',
    'two/templates/mixed.yaml': `${plain}---\n${deployment('{{ .Release.Name }}')}`,
    'two/templates/one.yaml': `${comment('ignore')}${deployment('{{ .Release.Name }}')}`,
    'two/templates/file.yaml': `${comment('ignore-file')}${deployment('{{ .Values.name }}')}`,
    'two/output': [
      rendered('mixed.yaml', plain),
      rendered('mixed.yaml', deployment('second')),
      rendered('one.yaml', `${comment('ignore')}${deployment('one')}`),
      rendered('file.yaml', `${comment('ignore-file')}${deployment('whole')}`),
    ].join(''),
  })
  it('are about the objects and the files in which they stand', () => {
    const only = 'resource-requests-missing,suppression-unused'
    expect(findingsOf(lint(folder, ['--helm', 'two', '--only', only, ...json]))).toMatchObject([
      { subject: { name: 'second' }, place: { file: 'two/templates/mixed.yaml', line: 1 } },
    ])
  })
})

describe('charts in archives', () => {
  const chart = (dependencies: string) =>
    `apiVersion: v2\nname: shop\nversion: 0.1.0\ndependencies:\n${dependencies}`
  const folder = folderWith({
    'shop/Chart.yaml': chart('  - {name: other, version: 1.0.0}\n  - name: redis\n    alias: cache\n'),
    'shop/output': `---\n# Source: shop/charts/cache/templates/job.yaml
apiVersion: batch/v1
kind: CronJob
metadata: {name: a}
spec:
  schedule: 7 4 * * *
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: "a/b:1.0.0"}]}}}}
`,
    'shop/charts/redis-1.2.3.tgz': '',
    'shop/charts/redis-cluster-1.2.3.tgz': '',
  })
  const only = ['--helm', 'shop', '--only', 'job-without-deadline']
  const archive = 'shop/charts/redis-1.2.3.tgz'

  it('are found at the dependency, with the template in the archive', () => {
    expect(findingsOf(lint(folder, [...only, ...json]))).toMatchObject([
      { place: { file: 'shop/Chart.yaml', line: 6, built: { archived: `${archive}/templates/job.yaml` } } },
    ])
    expect(lint(folder, only).out).toContain(`made from ${archive}/templates/job.yaml\n`)
    const suppressed = `suppressions: [{ rules: [job-without-deadline], files: [${archive}], reason: x }]\n`
    writeFileSync(join(folder, 'config.yaml'), suppressed)
    expect(findingsOf(lint(folder, [...only, '--config', 'config.yaml', ...json]))).toEqual([])
  })
  it('may be suppressed there, and are named by the chart where nobody knows which they are', () => {
    const path = join(folder, 'shop', 'Chart.yaml')
    writeFileSync(
      path,
      chart('  # k8s-af-ignore job-without-deadline -- theirs\n  - {name: redis, alias: cache}\n'),
    )
    expect(findingsOf(lint(folder, [...only, ...json]))).toEqual([])
    writeFileSync(join(folder, 'shop', 'charts', 'redis-1.2.4.tgz'), '')
    const [{ place } = { place: undefined }] = findingsOf(lint(folder, [...only, ...json]))
    expect(place).toMatchObject({ file: 'shop/Chart.yaml', line: 1 })
    expect(place?.built?.archived).toBeUndefined()
  })
  it('are never opened, and have names that do no harm', () => {
    const names = [
      'templates/\u001b[31mred\u001b]0;title\u0007\u009b\u202e.yaml',
      '../../../../secret.yaml',
      'templates/same.yaml',
      'templates/same.yaml',
      `templates/${'n'.repeat(100_000)}.yaml`,
      `${'charts/deep/'.repeat(500)}templates/nested.yaml`,
      'charts/../../../templates/above.yaml',
    ]
    const job = (name: string) => `---\n# Source: ${name}
apiVersion: batch/v1
kind: CronJob
metadata: {name: a}
spec:
  schedule: 7 4 * * *
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: "a/b:1.0.0"}]}}}}
`
    const hostile = folderWith({
      'secret.yaml': 'kind: [',
      'shop/Chart.yaml': chart('  - {name: redis, version: 1.0.0}\n'),
      'shop/output': [
        ...names.map((name) => job(`shop/charts/redis/${name}`)),
        ...['shop/../secret.yaml', '/secret.yaml', 'shop/charts/__proto__/templates/a.yaml'].map(job),
        ...['shop/charts/../../secret.yaml', 'shop/charts/other/templates/a.yaml'].map(job),
      ].join(''),
      'shop/charts/redis-1.2.3.tgz': 'x\u0001\u0000 not what it seems',
      'shop/charts/other-1.0.0\u001b[31m.tgz': '',
    })
    for (const format of [
      'pretty',
      'concise',
      'json',
      'github',
      'sarif',
      'html',
      'markdown',
      'junit',
      'gitlab',
    ]) {
      const { code, out, err } = lint(hostile, [...only, '-o', format])
      expect([code, err]).toEqual([0, ''])
      expect(out).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/)
    }
    const made = findingsOf(lint(hostile, [...only, ...json])).map(({ place }) => place)
    expect(made).toHaveLength(12)
    expect(new Set(made.map(({ file }) => file))).toEqual(new Set(['shop/Chart.yaml']))
    expect(lint(hostile, ['shop', '--allow-empty'])).toMatchObject({ code: 0, err: '' })
    const named = lint(hostile, ['shop/charts/redis-1.2.3.tgz'])
    expect([named.code, named.out]).toEqual([1, expect.stringContaining('unreadable')])
  })
})

describe('comments that Helm does not print', () => {
  const says = (rule: string, word = 'ignore') => `{{- /* k8s-af-${word} ${rule} -- why */}}`
  const edited = (folder: string, file: string, line: string, comment: string) => {
    const path = join(folder, 'places', 'templates', file)
    const text = readFileSync(path, 'utf8')
    expect(text).toContain(line)
    writeFileSync(path, text.replace(line, `${comment}\n${line}`))
  }
  const found = (folder: string, PATH: string, ...args: string[]) =>
    findingsOf(lint(folder, ['--helm', 'places', '-n', 'shop', ...args, ...json], { PATH })).map(
      ({ rule, place, suppressed }) =>
        `${place.file.replace('places/templates/', '')}:${place.line} ${rule}${suppressed ? ' (suppressed)' : ''}`,
    )
  const kinds = [
    ['recorded', tools, true],
    ['real', process.env.PATH ?? '', real.helm],
  ] as const

  it.for(kinds)('count at the lines of templates (%s)', ([, PATH, isThere], { skip }) => {
    skip(!isThere)
    const folder = copy()
    edited(folder, 'jobs.yaml', '  jobTemplate:', `  ${says('job-without-deadline')}`)
    edited(folder, 'jobs.yaml', '  schedule:', `  ${says('job-retries-despite-never')}`)
    edited(folder, 'jobs.yaml', 'spec:', says('job-without-deadlines'))
    edited(folder, '_helpers.tpl', '{{- define "places.container" -}}', says('mutable-image-tag'))
    const only = 'job-without-deadline,mutable-image-tag,suppression-unused,suppression-invalid'
    const all = found(folder, PATH, '--only', `${only},job-retries-despite-never`, '--show-suppressed')
    expect([...new Set(all)].filter((one) => !one.startsWith('places/'))).toEqual([
      '_helpers.tpl:8 mutable-image-tag (suppressed)',
      'jobs.yaml:7 suppression-invalid',
      'jobs.yaml:9 suppression-unused',
      'jobs.yaml:16 job-retries-despite-never',
      'jobs.yaml:16 job-without-deadline (suppressed)',
      'jobs.yaml:21 mutable-image-tag',
    ])
  })
  it.skipIf(!real.helm)('are not called unused where these values print nothing', () => {
    const folder = copy()
    const branch = (value: string) =>
      `  {{- if eq $job "${value}" }}\n  ${says('job-without-deadline')}\n  suspend: false\n  {{- end }}`
    edited(folder, 'jobs.yaml', '  schedule:', `${branch('other')}\n${branch('export')}`)
    const only = ['--only', 'job-without-deadline,suppression-unused', '-o', 'concise']
    const { out } = lint(folder, ['--helm', 'places', ...only], { PATH: process.env.PATH ?? '' })
    expect(out.match(/jobs\.yaml:\d+:\d+: \w+ suppression-unused/g)).toEqual([
      'jobs.yaml:13:3: warning suppression-unused',
    ])
  })
  it('count for the file, or its only document, where nothing has a line', () => {
    const folder = copy()
    edited(folder, 'deployment.yaml', 'apiVersion:', says('rollout-drops-all-replicas', 'ignore-file'))
    edited(folder, 'jobs.yaml', '{{- range', says('job-without-deadline'))
    edited(folder, 'jobs.yaml', '  jobTemplate:', says('job-retries-despite-never'))
    const rules = 'rollout-drops-all-replicas,job-without-deadline,job-retries-despite-never'
    const only = ['--only', `${rules},suppression-unused`]
    expect([...new Set(found(folder, tools, ...only, '--helm-arg=--post-renderer=cat'))]).toEqual([
      'jobs.yaml:1 job-retries-despite-never',
    ])
  })
})

describe('hostile builds', () => {
  const secret = (value: string, origin = '') => `apiVersion: v1
kind: Secret
metadata:
${origin}  name: keys
type: Opaque
stringdata: {}
data:
  password: ${value}
`
  const folder = folderWith({
    '-x\n\u001b[2J/kustomization.yaml': 'resources: [keys.yaml]\n',
    '-x\n\u001b[2J/keys.yaml': secret('aHVudGVyMg=='),
    '-x\n\u001b[2J/output': secret(
      'aHVudGVyMw==',
      '  annotations:\n    config.kubernetes.io/origin: |\n      path: /etc/passwd\n',
    ),
    'odd/kustomization.yaml': '{}',
    'odd/output': 'kind: [Pod\n---\nkind: Secret\ndata:\n  password: aHVudGVyMg==\n  x: [\n---\n- 1\n---\n',
  })

  it('keep their values and their escapes to themselves', () => {
    for (const format of ['pretty', 'concise', 'html', 'json']) {
      const { out, err, code } = lint(folder, ['--kustomize=-x\n\u001b[2J', '-o', format])
      expect([code, err]).toEqual([1, ''])
      expect(out).toContain('stringdata')
      expect(out).not.toMatch(/aHVudGVyM|\u001b|root:/)
    }
  })
  it('that are no YAML are findings', () => {
    const { out, code } = lint(folder, ['-k', 'odd', '-o', 'concise'])
    expect(code).toBe(1)
    expect(out.match(/odd\/kustomization\.yaml:1:1: error invalid-yaml: .* As built\.\n/g)).toHaveLength(2)
    expect(lint(folder, ['-k', 'odd']).out).not.toContain('aHVudGVyMg')
  })
})
