/**
 * Imports flow one way: rules → rule.ts → graph → what the reader and the schema know; the engine above them, the command line on
 * top. No file needs itself, whichever way round.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { groupBy } from '../src/values/group.js'

const root = join(__dirname, '..')

function files(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? files(posix.join(folder, entry.name))
      : entry.name.endsWith('.ts')
        ? [posix.join(folder, entry.name)]
        : [],
  )
}

interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8')
  return [
    ...text.matchAll(/^(?:import|export)\s+(type\s)?[^'"]*?from\s+'([^']+)'|import\('([^']+)'\)/gm),
  ].map((match) => {
    const name = match[2] ?? match[3] ?? ''
    const to = name.startsWith('.')
      ? relative(root, join(root, dirname(file), name))
          .replaceAll('\\', '/')
          .replace(/\.js$/, '.ts')
      : name
    return { from: file, to, typeOnly: match[1] !== undefined }
  })
}

const imports = [...files('src'), ...files('rules')].flatMap(importsOf)
const needed = groupBy(
  imports.filter((one) => !one.typeOnly),
  ({ from }) => from,
)
/** The imports of some files that lead to others; it fails where there are no such files to import anything. */
function between(from: RegExp, to: RegExp): string[] {
  const own = imports.filter((one) => from.test(one.from))
  expect(own).not.toEqual([])
  return own.filter((one) => to.test(one.to)).map((one) => `${one.from} → ${one.to}`)
}

/** The files over which a file needs itself, values only; empty where it does not. */
function wayBack(start: string): string[] {
  const seen = new Set<string>()
  const back = (file: string): string[] | undefined => {
    for (const { to } of needed.get(file) ?? []) {
      if (to === start) return [file]
      if (seen.has(to)) continue
      seen.add(to)
      const way = back(to)
      if (way) return [file, ...way]
    }
    return undefined
  }
  return back(start) ?? []
}

describe('answers', () => {
  it('do not depend on the language of the machine', () => {
    const asks = /\b(localeCompare|toLocale\w+)\(/
    const found = [...files('src'), ...files('rules')].filter((file) =>
      asks.test(readFileSync(join(root, file), 'utf8')),
    )
    expect(found).toEqual([])
  })
})

describe('what is computed once per run', () => {
  it('has a name that no other file uses', () => {
    const files = [...readdirSync(join(root, 'rules')), ...readdirSync(join(root, 'src', 'graph'))]
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(existsSync(join(root, 'rules', name)) ? 'rules' : 'src/graph', name))
    const names = files.flatMap((file) => {
      const text = readFileSync(join(root, file), 'utf8')
      return [...new Set([...text.matchAll(/\bonce\(\s*(['`])(.*?)\1/gs)].map((match) => match[2] ?? ''))]
    })
    expect(names.length).toBeGreaterThan(50)
    expect(names.filter((name, i) => names.indexOf(name) < i)).toEqual([])
  })
})

describe('imports', () => {
  it('are found at all', () => {
    expect(between(/^rules\//, /^src\/rule\.ts$/).length).toBeGreaterThan(1)
  })
  it('of rules lead to the rule contract only', () => {
    expect(between(/^rules\//, /^(?!src\/rule\.ts$)/)).toEqual([])
  })
  it('never lead back to where they start', () => {
    expect(files('src').flatMap(wayBack)).toEqual([])
  })
  it('of the graph never lead to what makes or judges it', () => {
    const above = /^(src\/(cli|cluster|diagnose|docs|engine|fix|reporters|suppress)\/|rules\/)/
    expect(between(/^src\/graph\//, above)).toEqual([])
  })
  it('of the reader and the schema never lead upwards', () => {
    const above = /^(src\/(cli|cluster|config|diagnose|docs|engine|fix|reporters|suppress)\/|rules\/)/
    expect(between(/^src\/(reader|schema)\//, above)).toEqual([])
  })
  it('of the reader and the schema know nothing of graphs, and those of plain values of nothing', () => {
    expect(between(/^src\/(reader|schema)\//, /^src\/graph\//)).toEqual([])
    expect(between(/^src\/values\//, /^src\/(?!values\/|kubernetes\.ts$)/)).toEqual([])
  })
  it('of what is built never lead to the engine, the command line, reporters or rules', () => {
    expect(between(/^src\/built\//, /^(src\/(engine|cli|reporters|suppress|docs)\/|rules\/)/)).toEqual([])
  })
  it('of reporters never lead to the graph, the reader or the command line', () => {
    expect(between(/^src\/reporters\//, /^src\/(graph|reader|cli|engine\/lint)/)).toEqual([])
  })
  it('of the command line come from nowhere else', () => {
    expect(between(/^(?!src\/cli\/)/, /^src\/cli\//)).toEqual([])
  })
  it('load the Kubernetes client in one place', () => {
    const loading = imports.filter(({ to, typeOnly }) => to === '@kubernetes/client-node' && !typeOnly)
    expect([...new Set(loading.map(({ from }) => from))]).toEqual(['src/cluster/kubeconfig.ts'])
  })
})
