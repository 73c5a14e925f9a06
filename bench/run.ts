/**
 * Measures whole processes and prints ratios: `npm run bench`.
 *
 *     npm run bench                          the corpus next to the repository, if there is one, else the fixtures
 *     npm run bench -- --corpus DIR          another folder of manifests
 *     npm run bench -- --peers DIR           where kube-score and kubeconform are (default: found on PATH); the schemas
 *                                            of kubeconform come from a package, by pip
 *     npm run bench -- --rounds 7
 *
 * Commands that are compared run in turn (A B A B …), so that a machine that slows down slows both; the ratio is the median
 * of the ratios pair by pair.
 */
import { execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { corpusAt } from './corpus.js'
import { template, writeSchemas } from './kubeconform-schemas.js'
import { type Cost, find, median, run } from './measure.js'

const root = join(__dirname, '..')
const { values: flags } = parseArgs({
  options: {
    corpus: { type: 'string' },
    peers: { type: 'string' },
    rounds: { type: 'string', default: '5' },
  },
})
const rounds = Number(flags.rounds)
const corpus = corpusAt(flags.corpus)
const tool = ['node', join(root, 'bin', 'k8s-af')] as const
// With NODE_EXTRA_CA_CERTS every Node process reads the certificates of the system at its start: longer than all else that it does by
// then. That would flatter each ratio to another Node program.
const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env
const env = { ...inherited, K8S_AF_DIST: '1', NO_COLOR: '1' }

/** Runs several commands in turn and returns the runs of each, after one warm-up of each. */
async function inTurn(
  commands: Readonly<Record<string, readonly string[]>>,
): Promise<Record<string, Cost[]>> {
  const options = { cwd: root, env }
  const runs: Record<string, Cost[]> = {}
  for (const command of Object.values(commands)) await run(command, options)
  for (let round = 0; round < rounds; round++) {
    for (const [name, command] of Object.entries(commands)) {
      // What it printed is not kept.
      const { seconds, megabytes } = await run(command, options)
      runs[name] = [...(runs[name] ?? []), { seconds, megabytes }]
    }
  }
  return runs
}

function show(runs: Readonly<Record<string, readonly Cost[]>>, against: string): void {
  const base = runs[against] ?? []
  for (const [name, list] of Object.entries(runs)) {
    const ratio = median(list.map((one, i) => one.seconds / (base[i]?.seconds ?? Number.NaN)))
    const seconds = median(list.map((one) => one.seconds))
    const megabytes = Math.max(...list.map((one) => one.megabytes))
    console.log(
      `  ${name.padEnd(28)} ${seconds.toFixed(3)} s  ${megabytes.toFixed(0).padStart(5)} MB  ${ratio.toFixed(2)} × ${against}`,
    )
  }
}

/** The part of a run that the checks against the schemas take; each measured in processes of their own, in turn. */
async function schemaShare(folder: string): Promise<number> {
  const shares: number[] = []
  for (let round = 0; round < rounds; round++) {
    const checks = execFileSync(
      'node',
      ['--import', 'tsx', join(root, 'bench', 'schema-checks.ts'), folder],
      {
        cwd: root,
        encoding: 'utf8',
      },
    )
    const { seconds } = await run([...tool, 'lint', '--isolated', folder], { cwd: root, env })
    shares.push(Number(checks) / 1000 / seconds)
  }
  return median(shares)
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesIn(path) : /\.(ya?ml|json)$/.test(entry.name) ? [path] : []
  })
}

const program = (name: string) => find(name, flags.peers === undefined ? undefined : [flags.peers])

const scratch = mkdtempSync(join(tmpdir(), 'k8s-af-bench-'))

/** Files that hold at least one whole Kubernetes object and that the peer reads: one bad file ends its run. */
async function readable(files: readonly string[], kubeScore: string | undefined): Promise<string[]> {
  const candidates = files.filter((file) => {
    const text = readFileSync(file, 'utf8')
    return /^apiVersion:/m.test(text) && /^kind:/m.test(text) && !text.includes('{{')
  })
  if (!kubeScore) return candidates
  // Halve until the bad ones are alone: an aborted run exits without printing anything.
  const works = async (list: readonly string[]): Promise<boolean> =>
    new Promise((done) => {
      const child = spawn(kubeScore, ['score', '--output-format', 'ci', ...list], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      let size = 0
      child.stdout?.on('data', (data: Buffer) => {
        size += data.length
      })
      child.on('close', () => done(size > 0))
    })
  const keep = async (list: readonly string[]): Promise<string[]> => {
    if (list.length === 0) return []
    if (await works(list)) return [...list]
    if (list.length === 1) return []
    const half = Math.ceil(list.length / 2)
    return [...(await keep(list.slice(0, half))), ...(await keep(list.slice(half)))]
  }
  return keep(candidates)
}

async function main(): Promise<void> {
  const files = filesIn(corpus)
  console.log(
    `Node ${process.version}, ${rounds} rounds, ${files.length} files in ${relative(root, corpus)}\n`,
  )
  await smallFile()
  await besidePeers(files)
  console.log('\nThe whole corpus')
  show(await inTurn({ 'k8s-af lint': [...tool, 'lint', '--isolated', corpus] }), 'k8s-af lint')
  await growth()
}

async function smallFile(): Promise<void> {
  console.log('One small file')
  const small = join(root, 'fixtures', 'job-without-deadline', 'bad.yaml')
  const runs = await inTurn({ 'node -e 0': ['node', '-e', '0'], 'k8s-af lint': [...tool, 'lint', small] })
  show(runs, 'node -e 0')
}

async function besidePeers(files: readonly string[]): Promise<void> {
  console.log('\nThe files that all can read')
  const kubeScore = program('kube-score')
  const kubeconform = program('kubeconform')
  const folder = join(scratch, 'common')
  for (const file of await readable(files, kubeScore)) {
    const target = join(folder, relative(corpus, file))
    mkdirSync(join(target, '..'), { recursive: true })
    cpSync(file, target)
  }
  const copied = filesIn(folder)
  console.log(`  ${copied.length} files`)
  const commands: Record<string, readonly string[]> = {
    'read + js-yaml 4': plainRead(copied),
    'k8s-af lint': [...tool, 'lint', '--isolated', folder],
    ...(kubeScore && { 'kube-score': [kubeScore, 'score', '--output-format', 'ci', ...copied] }),
    ...(kubeconform && { kubeconform: [...validation(kubeconform), folder] }),
  }
  const same = await inTurn(commands)
  show(same, 'read + js-yaml 4')
  for (const peer of ['kube-score', 'kubeconform'])
    if (same[peer]) show({ 'k8s-af lint': same['k8s-af lint'] ?? [], [peer]: same[peer] }, peer)
  const share = await schemaShare(folder)
  console.log(`  checks against the schemas   ${Math.round(share * 100)} % of k8s-af lint`)
}

/** A program that reads the files and parses them, and no more. */
function plainRead(files: readonly string[]): readonly string[] {
  const parse = join(scratch, 'parse.cjs')
  const list = join(scratch, 'list')
  writeFileSync(
    parse,
    `const { readFileSync } = require('node:fs'); const { loadAll } = require(${JSON.stringify(join(root, 'node_modules', 'js-yaml'))})
for (const file of readFileSync(process.argv[2], 'utf8').split('\\n')) { try { loadAll(readFileSync(file, 'utf8')) } catch {} }`,
  )
  writeFileSync(list, files.join('\n'))
  return ['node', parse, list]
}

function validation(kubeconform: string): readonly string[] {
  const schemas = join(scratch, 'schemas')
  writeSchemas(schemas)
  return [
    ...[kubeconform, '-n', '2', '-ignore-missing-schemas'],
    ...['-schema-location', join(schemas, template)],
  ]
}

async function growth(): Promise<void> {
  console.log('\nGrowth')
  const copies = (count: number) => {
    const folder = join(scratch, `copies-${count}`)
    for (let copy = 0; copy < count; copy++) cpSync(corpus, join(folder, `copy-${copy}`), { recursive: true })
    return [...tool, 'lint', '--isolated', folder]
  }
  show(await inTurn({ '1 copy': copies(1), '10 copies': copies(10) }), '1 copy')
}

main().finally(() => rmSync(scratch, { recursive: true, force: true }))
