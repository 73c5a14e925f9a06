/** Kustomizations as subjects of rules: what is on the disk beside them, suppressions, and what they are called. */
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { aboutChanges, changedSince } from '../src/cli/since.js'
import type { Settings } from '../src/config/settings.js'
import { lint } from '../src/engine/lint.js'
import type { Report } from '../src/engine/report.js'
import { together } from '../src/engine/together.js'
import { fixesOf } from '../src/fix/fix.js'
import { readPaths } from '../src/reader/read.js'
import { baselineOf, knownIn, readBaseline, withBaseline } from '../src/suppress/baseline.js'
import { type Files, folderWith } from './folders.js'
import { activeRule, allRules, settings } from './harness.js'

const rules = await allRules()
const ids = [
  'kustomization-broken-reference',
  'kustomization-patch-matches-nothing',
  'kustomization-refused',
  'suppression-unused',
  'suppression-invalid',
  'job-without-deadline',
]
/** A checkout of a repository with these files. */
function checkout(files: Files): string {
  return folderWith({ '.git/info/exclude': '', ...files })
}

const configMap = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n'
const listing = (...names: string[]) => `resources:\n${names.map((name) => `  - ${name}\n`).join('')}`

function report(cwd: string, paths: readonly string[] = ['.'], others: Partial<Settings> = {}) {
  const chosen = ids.map((id) => activeRule(id))
  return lint(readPaths(paths, { cwd }), {
    settings: { ...settings(chosen), ...others },
    rules,
    stories: () => new Map(),
  })
}

/** What is found, `file:line the end of the message`. */
function found(files: Readonly<Record<string, string>>, paths?: readonly string[]) {
  return report(checkout(files), paths)
    .findings.filter(({ suppressed }) => !suppressed)
    .map(({ place, message }) => `${place.file}:${place.line} ${message.replace(/^.*applied: /, '')}`)
}

describe('what kustomize does not take', () => {
  it('is proposed in the form that it takes', () => {
    const text = 'patches:\n  - web.yaml\nimages:\n  - name: web\n    newTag: 1.10\nresource: []\n'
    const { findings } = report(checkout({ 'a/kustomization.yaml': text, 'a/web.yaml': configMap }))
    expect(findings.map(({ message, label }) => [message.replace(/^.*applied: /, ''), label])).toEqual([
      ['patches[0] takes a mapping, and this is text.', 'path: web.yaml'],
      ['images[0].newTag takes text, and this is the number 1.1.', 'put quotes around 1.10'],
      ['kustomize knows no field resource.', 'did you mean resources?'],
    ])
  })
})

describe('patches of a kustomization that are for nothing', () => {
  const patch = (name: string) =>
    `  - target: {kind: Deployment, name: ${name}}\n    patch: '[{op: add, path: /spec/replicas, value: 2}]'\n`
  const own = (name: string) =>
    `  - patch: |-\n      {apiVersion: apps/v1, kind: StatefulSet, metadata: {name: ${name}}, spec: {replicas: 1}}\n`
  const told = (...patches: string[]) => {
    const text = `kind: Kustomization\nresources: [a.yaml]\npatches:\n${patches.join('')}`
    return together(report(checkout({ 'kustomization.yaml': text, 'a.yaml': configMap }))).findings.map(
      ({ place, message, related }) => [place.line, message, ...related.map(({ line }) => line)],
    )
  }

  it('are one finding, and each object that is not built is named once', () => {
    expect(told(patch('web'), patch('web'))).toEqual([
      [
        4,
        expect.stringMatching(
          /^2 patches of Kustomization .* change nothing: no Deployment web is built there\.$/,
        ),
        6,
      ],
    ])
    expect(told(patch('web'), patch('api'), patch('web'))).toEqual([
      [
        4,
        expect.stringMatching(/^3 patches .*: no Deployment web and no Deployment api is built there\.$/),
        6,
        8,
      ],
    ])
  })

  it('are told apart where kustomize refuses one and leaves out the other', () => {
    expect(told(own('db'), own('db'), patch('web'))).toEqual([
      [
        4,
        expect.stringMatching(/applied\. 2 patches are for nothing: no StatefulSet db is built there\.$/),
        6,
      ],
      [8, expect.stringMatching(/^A patch of .*: no Deployment web is built there\.$/)],
    ])
  })
})

describe('what is not there', () => {
  it('is told where all files of a repository are, or are said to be', () => {
    const files = { 'a/kustomization.yaml': listing('web.yaml') }
    const missing = ['a/kustomization.yaml:2 there is no web.yaml.']
    expect(found(files)).toEqual(missing)
    expect(found({ ...files, '.git/info/sparse-checkout': '/a/\n' })).toEqual([])
    const copied = checkout(files)
    rmSync(join(copied, '.git'), { recursive: true })
    expect(report(copied).findings).toEqual([])
    expect(report(copied, ['.'], { complete: true }).findings).toHaveLength(1)
  })

  it('is one finding for all that a list names, suppressed and known one by one', () => {
    const text = `${listing('a.yaml', 'web.yaml', 'b.yaml # k8s-af-ignore kustomization-broken-reference -- made later', 'c.yaml', 'd')}crds: [e.yaml]
components: [d]
`
    const files = { 'kustomization.yaml': text, 'web.yaml': configMap, 'd/web.yaml': configMap }
    const cwd = checkout(files)
    const told = (one: Report) =>
      together(one)
        .findings.filter(({ suppressed }) => !suppressed)
        .map(({ place, message, related }) => [
          place.line,
          message.replace(/^.*applied: /, ''),
          ...related.map(({ line, note }) => `${line} ${note}`),
        ])
    const others = [
      [6, 'there is no kustomization.yaml in d.'],
      [7, 'there is no e.yaml.'],
    ]
    expect(told(report(cwd))).toEqual([[2, 'a.yaml and c.yaml are not there.', '5 not there'], ...others])
    const all = knownIn(report(cwd), String)
    const without = (known: typeof all) => told(withBaseline(report(cwd), known, String, 'known').report)
    expect(without(all.slice(0, 1))).toEqual([[5, 'there is no c.yaml.'], ...others])
    expect(without(all)).toEqual([])
  })

  it('is looked for on the disk, whatever has been read', () => {
    const files = { 'a/kustomization.yaml': listing('web.yaml', '../b'), 'a/web.yaml': configMap }
    expect(found(files, ['a/kustomization.yaml'])).toEqual(['a/kustomization.yaml:3 there is no ../b.'])
    expect(found({ ...files, 'b/kustomization.yml': listing('../a/web.yaml') }, ['a'])).toEqual([])
  })

  it('is nobody’s business where there is no disk beside the text', () => {
    const input = readPaths(['-'], {
      cwd: '/',
      stdin: () => listing('gone.yaml'),
      stdinFilename: 'kustomization.yaml',
    })
    expect(input.kustomizations.map(({ references }) => references)).toEqual([[]])
  })

  it('may be a link that leads nowhere, or differ in a letter of a folder', () => {
    expect(
      found({ 'kustomization.yaml': listing('overlys/web.yaml'), 'overlays/web.yaml': configMap }),
    ).toEqual(['kustomization.yaml:2 there is no overlys/web.yaml, only overlays/web.yaml.'])
  })

  it('is not put in the place of a name that is listed already', () => {
    expect(
      found({ 'kustomization.yaml': listing('./web.yaml', 'webs.yaml'), 'web.yaml': configMap }),
    ).toEqual(['kustomization.yaml:3 there is no webs.yaml.'])
  })

  const expected: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'git ignores it': { '.gitignore': 'made/\n*.local.yaml\n' },
    'it is in a submodule': { '.gitmodules': '[submodule "made"]\n\tpath = made\n\turl = ../made.git\n' },
    'it is outside of the repository': {
      '.git/HEAD': '',
      'app/kustomization.yaml': listing('../../made/web.yaml'),
    },
    'a script writes it': { 'hack/make.sh': 'mkdir -p made\nhelm template web > made/web.yaml\n' },
    'a pipeline writes it': { '.github/workflows/ci.yaml': 'run: curl -o made/web.yaml https://example.com' },
    'a Makefile makes it': { Makefile: 'made/web.yaml: web.jsonnet\n\tjsonnet $< > $@\n' },
    'it is encrypted': { 'made/web.enc.yaml': 'a: ENC[x]' },
    'it is to be encrypted': { 'made/web.yaml.decrypted': 'a: b' },
    'it is written as a template': { 'made/web.yaml.tmpl': '{{ x }}' },
    'it is shown by an example': { 'made/example.web.yaml': 'a: b' },
    'a plugin of Argo CD writes it': {
      'argocd/plugins.yaml': `apiVersion: v1
kind: ConfigMap
metadata:
  name: plugins
data:
  plugin.yaml: |
    apiVersion: argoproj.io/v1alpha1
    kind: ConfigManagementPlugin
    spec:
      generate: { command: [sh, -c, 'helm template . > web.yaml && kustomize build'] }
`,
    },
  }
  it.each(Object.entries(expected))('is waited for where %s', (_, files) => {
    expect(found({ 'kustomization.yaml': listing('made/web.yaml'), ...files })).toEqual(
      'app/kustomization.yaml' in files ? ['kustomization.yaml:2 there is no made/web.yaml.'] : [],
    )
  })

  const unexpected: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'git ignores others': { '.gitignore': 'made/*\n!made/web.yaml\n' },
    'a script reads it': { 'hack/apply.sh': 'kubectl apply -f made/web.yaml\n' },
    'a script writes one that ends alike': { 'hack/make.sh': 'helm template web > made/my-web.yaml\n' },
    'others are encrypted': { 'made/api.enc.yaml': 'a: ENC[x]' },
    'a script copies another kustomization': { 'hack/new.sh': 'cp -r web/base apps/$1\n' },
  }
  it.each(Object.entries(unexpected))('is reported where %s', (_, files) => {
    expect(found({ 'kustomization.yaml': listing('made/web.yaml'), ...files })).toEqual([
      'kustomization.yaml:2 there is no made/web.yaml.',
    ])
  })
})

describe('a folder without a kustomization', () => {
  const files = { 'kustomization.yaml': listing('nodes'), 'nodes/users.yaml.envsubst': 'a: $USER' }
  const missing = ['kustomization.yaml:2 there is no kustomization.yaml in nodes.']
  it('may get one before the build', () => {
    expect(found(files)).toEqual(missing)
    expect(found({ ...files, '.gitignore': 'nodes/kustomization.yaml\n' })).toEqual([])
    expect(found({ ...files, 'nodes/.gitignore': '/kustomization.yaml\n' })).toEqual([])
    expect(
      found({ ...files, 'nodes/Makefile': 'kustomization.yaml: users.yaml\n\tkustomize create\n' }),
    ).toEqual([])
    expect(found({ ...files, '.gitignore': 'nodes/users.yaml\n' })).toEqual(missing)
  })
})

describe('the source of a replacement', () => {
  const replacement = (name: string) => `replacements:
  - source: { kind: ConfigMap, name: ${name}, fieldPath: data.a }
    targets: [{ select: { kind: ConfigMap }, fieldPaths: [data.b] }]
`
  const files = (name: string, rest = '') => ({
    'kustomization.yaml': `${listing('map.yaml')}${rest}${replacement(name)}`,
    'map.yaml': configMap,
  })
  it('is built there', () => {
    expect(found(files('settings'))).toEqual([])
    expect(found(files('setings'))).toEqual([
      'kustomization.yaml:4 a replacement takes its value from ConfigMap setings, and none is built there, ConfigMap settings is.',
    ])
  })

  it('may come from what is not known, or be built where a component is used', () => {
    expect(found(files('setings', 'generators: [plugin.yaml]\n'))).toEqual([
      'kustomization.yaml:3 there is no plugin.yaml.',
    ])
    expect(found(files('setings', 'kind: Component\n'))).toEqual([])
  })

  it('of a variable may come with a kustomization that builds on this one', () => {
    const vars = 'vars:\n  - { name: A, objref: { kind: ConfigMap, name: other, apiVersion: v1 } }\n'
    const all = {
      'app/kustomization.yaml': listing('map.yaml') + vars,
      'app/map.yaml': configMap,
      'prod/kustomization.yaml': listing('../app'),
    }
    expect(found(all)).toEqual([
      'app/kustomization.yaml:4 a variable takes its value from ConfigMap other, and none is built there.',
    ])
    const generator = 'configMapGenerator: [{ name: other, literals: [a=b] }]\n'
    expect(found({ ...all, 'prod/kustomization.yaml': listing('../app') + generator })).toEqual([])
    const base = Object.entries(all).filter(([name]) => !name.startsWith('prod'))
    expect(
      found(Object.fromEntries(base.map(([name, text]) => [name.replace('app', 'base'), text]))),
    ).toEqual([])
  })
})

describe('a kustomization that says nothing', () => {
  const blank = 'the kustomization in a is empty, and kustomize refuses such from 5.1 on.'
  const head = 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n'
  it.each([
    ['', true],
    ['# soon\n---\n', true],
    [head, true],
    [`${head}resources:\n# - web.yaml\nnamespace: ""\n`, true],
    ['kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\n', true],
    [`${head}resources: []\n`, false],
    [`${head}metadata: {}\n`, false],
    ['namespace: shop\n', false],
  ])('cannot be built on: %j', (text, isTold) => {
    const files = { 'kustomization.yaml': listing('a'), 'a/kustomization.yaml': text }
    expect(found(files)).toEqual(isTold ? [`kustomization.yaml:2 ${blank}`] : [])
  })

  it('may be filled in before the build', () => {
    const files = { 'kustomization.yaml': listing('a'), 'a/kustomization.yaml': head }
    for (const script of ['cd a && kustomize edit add resource web.yaml', 'kustomize create --autodetect'])
      expect(found({ ...files, 'hack/build.sh': script })).toEqual([])
    expect(found({ ...files, 'hack/build.sh': 'kustomize build a > all.yaml' })).toEqual([
      `kustomization.yaml:2 ${blank}`,
    ])
    expect(found({ ...files, '.gitignore': 'a/kustomization.yaml\n' })).toEqual([])
  })
})

describe('a kustomization that a script copies elsewhere', () => {
  const files = { 'utils/templates/infra/kustomization.yaml': listing('../base') }
  const missing = ['utils/templates/infra/kustomization.yaml:2 there is no ../base.']
  it('names what is there', () => {
    expect(found(files)).toEqual(missing)
    for (const command of [
      'cp ./utils/templates/infra/kustomization.yaml "./infra/$1/kustomization.yaml"',
      'mkdir infra/$1; cp -r utils/templates/infra infra/$1',
    ])
      expect(found({ ...files, 'utils/add.sh': command })).toEqual([])
    for (const command of ['cp -r infra/a utils/templates/infra', 'kustomize build utils/templates/infra'])
      expect(found({ ...files, 'utils/add.sh': command })).toEqual(missing)
  })
})

describe('a kustomization that lists all files of its folder', () => {
  it('lists itself, and is to take that out', () => {
    const cwd = checkout({
      'a/kustomization.yaml': listing('web.yaml', 'kustomization.yaml'),
      'a/web.yaml': configMap,
    })
    expect(report(cwd).findings.map(({ place, message, fix }) => [place.line, message, fix?.title])).toEqual([
      [
        3,
        'Kustomization a cannot be built, so nothing of it is applied: kustomization.yaml is this kustomization itself.',
        'take it out',
      ],
    ])
  })
})

describe('a circle', () => {
  it('is told once, with the other half', () => {
    const files = {
      'a/kustomization.yaml': listing('../b'),
      'b/kustomization.yaml': listing('../c', '../0'),
      'c/kustomization.yaml': listing('../a'),
      '0/kustomization.yaml': 'resources: []',
    }
    const { findings } = report(checkout(files))
    expect(
      findings.map(({ place, message, related }) => [place.file, message, related.map((one) => one.file)]),
    ).toEqual([
      [
        'a/kustomization.yaml',
        'Kustomization a cannot be built, so nothing of it is applied: ../b builds on it again, by way of c.',
        ['c/kustomization.yaml'],
      ],
    ])
  })
})

describe('a finding about a kustomization', () => {
  const broken = listing('gone.yaml')
  const reasons = (text: string, others: Partial<Settings> = {}) => {
    const { findings } = report(checkout({ 'shop/kustomization.yaml': text }), ['.'], others)
    return findings.map(({ rule, suppressed }) => `${rule}: ${suppressed?.reason}`)
  }

  it('has the kustomization as its subject, by the name of its folder or its own', () => {
    const cwd = checkout({
      'kustomization.yaml': broken,
      'shop/kustomization.yaml': broken,
      'tmp/kustomization.yaml': `apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nmetadata:\n  name: cache\n${broken}`,
    })
    expect(report(cwd).findings.map(({ subject, absent }) => [subject?.kind, subject?.name, absent])).toEqual(
      [
        ['Kustomization', 'kustomization.yaml', 'gone.yaml'],
        ['Kustomization', 'shop', 'shop/gone.yaml'],
        ['Component', 'cache', 'tmp/gone.yaml'],
      ],
    )
    const { summary } = report(cwd)
    expect([summary.objects, summary.skipped]).toEqual([0, {}])
  })

  it('is suppressed by comments, annotations and the configuration', () => {
    const rule = 'kustomization-broken-reference'
    expect(reasons(`resources:\n  - gone.yaml # k8s-af-ignore ${rule} -- made later\n`)).toEqual([
      `${rule}: made later`,
    ])
    expect(reasons(`# k8s-af-ignore ${rule} -- made later\n${broken}`)).toEqual([`${rule}: made later`])
    expect(reasons(`${broken}# k8s-af-ignore-file ${rule} -- made later\n`)).toEqual([`${rule}: made later`])
    expect(
      reasons(`metadata:\n  annotations:\n    k8s-af.dev/ignore: ${rule} -- made later\n${broken}`),
    ).toEqual([`${rule}: made later`])
    const suppression = {
      rules: [rule],
      kind: 'Kustomization',
      name: 'shop',
      reason: 'made later',
      files: undefined,
      namespace: undefined,
      container: undefined,
      until: undefined,
      place: undefined,
    }
    expect(reasons(broken, { suppressions: [suppression] })).toEqual([`${rule}: made later`])
  })

  it('is missed by a suppression of its rule that has nothing left to do, and by no other one', () => {
    const line = (rule: string) => `images: [] # k8s-af-ignore ${rule} -- for a while\n`
    expect(reasons(line('kustomization-broken-reference'))).toEqual(['suppression-unused: undefined'])
    // What is built of it is judged elsewhere.
    expect(reasons(line('job-without-deadline'))).toEqual([])
  })

  it('is not missed where the rule cannot tell', () => {
    const rule = 'kustomization-patch-matches-nothing'
    const patch = `patches: # k8s-af-ignore ${rule} -- made later
  - target: {kind: ConfigMap, name: settings}
    patch: '[{op: add, path: /data, value: {}}]'
`
    const files = {
      'base/kustomization.yaml': listing('map.yaml'),
      'base/map.yaml': configMap,
      'prod/kustomization.yaml': `resources: [../base]\n${patch}`,
    }
    const cwd = checkout(files)
    const rulesIn = (...paths: string[]) => report(cwd, paths).findings.map((one) => one.rule)
    expect(rulesIn('.')).toEqual(['suppression-unused'])
    expect(rulesIn('prod')).toEqual([])
  })

  it('is kept in a baseline', () => {
    const first = report(checkout({ 'kustomization.yaml': broken }))
    const known = readBaseline(baselineOf(knownIn(first, (file) => file)))
    const later = report(checkout({ 'kustomization.yaml': `# moved\n${broken}  - lost.yaml\n` }))
    const { findings } = withBaseline(later, known, (file) => file, 'known').report
    expect(findings.map(({ suppressed, absent }) => [absent, suppressed?.reason])).toEqual([
      ['gone.yaml', 'known'],
      ['lost.yaml', undefined],
    ])
  })

  it('is about the file that a branch takes away', () => {
    const cwd = checkout({
      'kustomization.yaml': listing('gone.yaml', 'lost.yaml', 'base'),
      'gone.yaml': configMap,
      'base/kustomization.yaml': 'resources: []',
    })
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], {
        cwd,
        stdio: 'ignore',
      })
    git('init', '-q')
    git('add', '.')
    git('commit', '-qm', 'first')
    rmSync(join(cwd, 'gone.yaml'))
    rmSync(join(cwd, 'base'), { recursive: true })
    const { findings } = aboutChanges(report(cwd), changedSince('HEAD', cwd), cwd, () => [])
    expect(findings.map(({ absent }) => absent)).toEqual(['gone.yaml', 'base'])
  })

  it('is mended by the nearest name, which a generator keeps under its key', () => {
    const text = 'configMapGenerator:\n  - name: page\n    files:\n      - index.html=sites/index.htm\n'
    const cwd = checkout({ 'kustomization.yaml': text, 'sites/index.html': '' })
    expect(fixesOf(report(cwd), false).files).toEqual([])
    expect(fixesOf(report(cwd), true).files.map((one) => one.text)).toEqual([
      text.replace(/index.html=.*/, '"index.html=sites/index.html"'),
    ])
  })
})

describe('a file that is named alone', () => {
  const cronJob = `apiVersion: batch/v1
kind: CronJob
metadata: {name: report}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: report, image: "report:1.2.3"}]
`
  const deadline = 'spec: {jobTemplate: {spec: {activeDeadlineSeconds: 600}}}\n'
  const patch = `apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: report}\n${deadline}`
  const files = {
    'base/kustomization.yaml': 'resources: [report.yaml]\n',
    'base/report.yaml': cronJob,
    'overlays/prod/kustomization.yaml':
      'resources: [../../base, gone.yaml]\npatches: [{path: deadline.yaml}]\n',
    'overlays/prod/deadline.yaml': patch,
  }
  it('is judged as the overlay beside it builds it, which is not judged itself', () => {
    expect(found(files, ['base/report.yaml'])).toEqual([])
    expect(found(files, ['overlays/prod'])).toEqual([expect.stringContaining('gone.yaml')])
  })
  it('may come from standard input, as an editor sends it', () => {
    const cwd = checkout(files)
    const sent = (stdinFilename: string, text: string) => {
      const input = readPaths(['-'], { cwd, stdin: () => text, stdinFilename })
      const { findings } = lint(input, {
        settings: settings([activeRule('job-without-deadline')]),
        rules,
        stories: () => new Map(),
      })
      return [findings.length, input.skips.map(({ reason }) => reason)]
    }
    expect(sent('base/report.yaml', cronJob)).toEqual([0, []])
    expect(sent('report.yaml', cronJob)).toEqual([1, []])
    expect(sent('overlays/prod/deadline.yaml', patch)).toEqual([0, ['kustomize patch']])
  })
  it('is judged as it is written where nothing changes it', () => {
    const { 'overlays/prod/deadline.yaml': _, ...others } = files
    const alone = { ...others, 'overlays/prod/kustomization.yaml': 'resources: [../../base]\n' }
    expect(found(alone, ['base/report.yaml'])).toEqual([expect.stringMatching(/^base\/report\.yaml:\d+ /)])
  })
  it('is judged where its kustomization cannot be read', () => {
    const broken = { ...files, 'overlays/prod/kustomization.yaml': 'resources: [../../base\n' }
    expect(found(broken, ['base/report.yaml'])).toEqual([expect.stringMatching(/^base\/report\.yaml:\d+ /)])
  })
})
