/**
 * Builds the package: one minified CommonJS bundle (it starts fastest) and the data that commands load when they need it.
 *
 *     npm run build            writes dist/
 *     npm run build -- DIR     writes DIR/, which is made anew
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import Module from 'node:module'
import { basename, join, resolve } from 'node:path'
import { type BuildOptions, build, type Plugin } from 'esbuild'
import { load } from 'js-yaml'
import { configSchema } from '../src/config/schema.js'
import { loadRules } from '../src/registry.js'
import { escapeUnits } from '../src/reporters/escape.js'
import { definitions } from '../src/schema/data/definitions.js'
import { kinds } from '../src/schema/data/kinds.js'

const root = join(__dirname, '..')
const dist = resolve(process.argv[2] ?? join(root, 'dist'))
/** Filled first, and then put in the place of the old one. */
const draft = `${dist}.${process.pid}`

function namesIn(folder: string, extension: string): string[] {
  return readdirSync(join(root, folder))
    .filter((name) => name.endsWith(extension))
    .map((name) => name.slice(0, -extension.length))
    .sort()
}

const rules = namesIn('rules', '.ts')
const stories = namesIn('rules/stories', '.yaml')

/**
 * The registry with all rules imported by name, and stories and examples in files beside the bundle. Stories stand one on a line: to parse
 * them all for one that is shown takes a fiftieth of a short run.
 */
const registry = `
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
${rules.map((id, i) => `import r${i} from ${JSON.stringify(`../rules/${id}.ts`)}`).join('\n')}
const rules = new Map([${rules.map((id, i) => `[${JSON.stringify(id)}, r${i}]`).join(', ')}])
const data = (name) => JSON.parse(readFileSync(join(__dirname, name), 'latin1'))
export const loadRules = async () => rules
const stories = () => readFileSync(join(__dirname, 'stories.jsonl'), 'latin1')
export const loadStories = () => new Map(stories().split('\\n').map((line) => JSON.parse(line)).map((story) => [story.id, story]))
export const findStories = () => {
  const text = '\\n' + stories() + '\\n'
  return {
    get: (id) => {
      const start = text.indexOf('\\n{"id":' + JSON.stringify(id) + ',') + 1
      return start > 0 ? JSON.parse(text.slice(start, text.indexOf('\\n', start))) : undefined
    },
  }
}
export const loadExamples = (id) => data('examples.json')[id] ?? {}
`

const withRegistry: Plugin = {
  name: 'registry',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/]registry\.ts$/ }, () => ({
      contents: registry,
      loader: 'js',
      resolveDir: join(root, 'src'),
    }))
  },
}

/** Large texts are read from files of their own: that costs less than compiling them as a part of the program. */
const texts: Readonly<Record<string, string>> = { definitions, kinds }

const withTextFiles: Plugin = {
  name: 'texts',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]schema[\\/]data[\\/](definitions|kinds)\.ts$/ }, ({ path }) => {
      const name = basename(path, '.ts')
      return {
        contents: `
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
export const ${name} = readFileSync(join(__dirname, '${name}.txt'), 'latin1')`,
        loader: 'js',
        resolveDir: root,
      }
    })
  },
}

/** The validator is needed where there is a configuration file only: a bundle of its own. */
const withoutAjv: Plugin = {
  name: 'ajv',
  setup({ onResolve }) {
    onResolve({ filter: /^ajv$/ }, () => ({ path: './ajv.cjs', external: true }))
  },
}

/** Needed for live clusters only: a bundle of its own, with the part that reads kubeconfigs. */
const withoutKubernetes: Plugin = {
  name: 'kubernetes',
  setup({ onResolve }) {
    onResolve({ filter: /^@kubernetes\/client-node$/ }, () => ({ path: './kubernetes.cjs', external: true }))
  },
}

/**
 * Parts of the client that nothing reaches: what it generates for each kind of object, which is most of it, a fetch of its
 * own, and what src/cluster does in the place of proxies and issuers of tokens.
 */
const withoutModels: Plugin = {
  name: 'models',
  setup({ onResolve, onLoad }) {
    const unused = /^(\.\/gen\/index\.js|node-fetch|jsonpath-plus|openid-client|hpagent|socks-proxy-agent)$/
    onResolve({ filter: unused }, ({ path }) => ({ path, namespace: 'unused' }))
    onLoad({ filter: /./, namespace: 'unused' }, () => ({ contents: 'module.exports = {}' }))
  },
}

/** commander loads node:child_process, and with it the network, for subcommands in executables of their own: we have none. */
const withoutChildProcess: Plugin = {
  name: 'child-process',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      /[\\/]commander[\\/]/.test(importer) ? { path: 'child_process', namespace: 'absent' } : undefined,
    )
    onLoad({ filter: /./, namespace: 'absent' }, () => ({ contents: '' }))
  },
}

/** chalk asks the terminal what it can do, which loads the network: we say so ourselves, by flags and environment. */
const withoutDetection: Plugin = {
  name: 'supports-color',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^#supports-color$/ }, () => ({ path: 'supports-color', namespace: 'colorless' }))
    onLoad({ filter: /./, namespace: 'colorless' }, () => ({ contents: 'export default {}' }))
  },
}

const common: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  format: 'cjs',
  // The bundle is run as a script, which has no import() of its own.
  supported: { 'dynamic-import': false },
  minify: true,
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
}

/** Makes the bundles and names the files that went into them. */
async function bundle(): Promise<string[]> {
  const results = await Promise.all([
    build({
      ...common,
      entryPoints: [join(root, 'src/cli/main.ts')],
      outfile: join(draft, 'k8s-af.cjs'),
      plugins: [
        withRegistry,
        withTextFiles,
        withoutAjv,
        withoutKubernetes,
        withoutChildProcess,
        withoutDetection,
      ],
    }),
    build({
      ...common,
      stdin: { contents: "export { Ajv } from 'ajv'", resolveDir: root },
      outfile: join(draft, 'ajv.cjs'),
    }),
    build({
      ...common,
      stdin: {
        contents: "export { KubeConfig } from '@kubernetes/client-node/dist/config.js'",
        resolveDir: root,
      },
      outfile: join(draft, 'kubernetes.cjs'),
      plugins: [withoutModels],
    }),
  ])
  return results.flatMap(({ metafile }) => Object.keys(metafile?.inputs ?? {}))
}

/** The texts of a rule's first two fixtures, for `explain`. */
function examples(): Record<string, Record<string, string>> {
  return Object.fromEntries(
    rules.flatMap((id) => {
      const texts = ['bad', 'good'].flatMap((name) => {
        const file = join(root, 'fixtures', id, `${name}.yaml`)
        return existsSync(file) ? [[name, readFileSync(file, 'utf8')] as const] : []
      })
      return texts.length > 0 ? [[id, Object.fromEntries(texts)]] : []
    }),
  )
}

/** The licences of all packages that went into the bundle. */
function licences(inputs: readonly string[]): string {
  const folders = new Set(
    inputs.flatMap((input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? []),
  )
  const texts = [...folders].sort().map((folder) => {
    const about = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as {
      readonly name: string
      readonly version: string
      readonly license?: string
    }
    const file = readdirSync(join(root, folder)).find((name) => /^licen[cs]e/i.test(name))
    if (!file) throw new Error(`${about.name} has no licence file`)
    const text = readFileSync(join(root, folder, file), 'utf8').trim()
    return `${about.name} ${about.version} (${about.license ?? 'see below'})\n\n${text}\n`
  })
  return texts.join(`\n${'-'.repeat(80)}\n\n`)
}

/** JSON in ASCII: V8 takes half the time for it. */
function json(value: unknown): string {
  return JSON.stringify(value).replace(/[\u0080-\uffff]/g, escapeUnits)
}

function write(name: string, text: string): void {
  writeFileSync(join(draft, name), text)
}

/**
 * Makes the bundle what bin/bundle.cjs loads: the function that Node makes of a module, so that nobody has to copy the text for it, behind
 * a line with its sum, which tells what bytecode was made of this bundle.
 */
function wrap(): void {
  const file = join(draft, 'k8s-af.cjs')
  const text = Module.wrap(readFileSync(file, 'latin1'))
  const sum = createHash('sha256').update(text).digest('hex')
  writeFileSync(file, `// ${sum.slice(0, 20)}\n${text}`, 'latin1')
}

async function main(): Promise<void> {
  mkdirSync(draft, { recursive: true })
  const inputs = await bundle()
  wrap()
  write(
    'stories.jsonl',
    stories
      .map((id) =>
        json({
          id,
          ...(load(readFileSync(join(root, 'rules/stories', `${id}.yaml`), 'utf8')) as object),
        }),
      )
      .join('\n'),
  )
  for (const [name, text] of Object.entries(texts)) write(`${name}.txt`, text)
  write('examples.json', json(examples()))
  write('config.schema.json', `${JSON.stringify(configSchema(await loadRules()), undefined, 2)}\n`)
  for (const name of ['page.css', 'page.js'])
    write(name, readFileSync(join(root, 'src/reporters', name), 'utf8'))
  write('report.schema.json', readFileSync(join(root, 'src/reporters/report.schema.json'), 'utf8'))
  write('THIRD-PARTY-LICENSES', licences(inputs))
  rmSync(dist, { recursive: true, force: true })
  renameSync(draft, dist)
}

main().catch((error: unknown) => {
  rmSync(draft, { recursive: true, force: true })
  console.error(error)
  process.exitCode = 1
})
