/** The rules about what the API server refuses, against an API server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readPaths, unfold } from '../../src/reader/read.js'
import { root } from '../harness.js'
import { kubernetesVersion } from './binary.js'
import { type Cluster, startCluster } from './cluster.js'
import { type Comparison, causes, compare, shareFound, summary } from './comparison.js'
import { isMapping } from './mapping.js'
import { type Mutant, mutants } from './mutations.js'
import { type Create, creator } from './resources.js'
import { schemaErrors } from './verdicts.js'

const minor = Number(kubernetesVersion().split('.')[1])

let cluster: Cluster
let create: Create
let errorsOf: Awaited<ReturnType<typeof schemaErrors>>
beforeAll(async () => {
  cluster = await startCluster()
  create = await creator(cluster.connection.call)
  errorsOf = await schemaErrors(minor)
})
afterAll(() => cluster?.stop())

/** Every object of the files, but not those that another program completes. */
function objectsOf(paths: readonly string[]): Mutant[] {
  return readPaths(paths, { cwd: root }).documents.flatMap((document) =>
    [...unfold(document)].flatMap(({ value }) =>
      isMapping(value) && !/\$\{|\{\{/.test(JSON.stringify(value))
        ? [{ object: value, what: `${document.file.name}: ${value.apiVersion} ${value.kind}` }]
        : [],
    ),
  )
}

function print(name: string, comparison: Comparison): void {
  console.log([summary(name, comparison), ...causes(comparison.missed)].join('\n'))
}

describe('an error for what the server refuses, and none for what it accepts', () => {
  let accepted: Comparison['accepted']

  it('as written', async () => {
    const seeds = await compare(objectsOf(['tests/cluster/seeds.yaml']), create, errorsOf)
    expect(seeds.missed).toEqual([])
    expect(seeds).toMatchObject({ refused: 0, undecided: 0, wrong: [] })
    const fixtures = await compare(objectsOf(['fixtures']), create, errorsOf)
    print('as written', fixtures)
    expect(fixtures.wrong).toEqual([])
    accepted = [...seeds.accepted, ...fixtures.accepted]
  })

  it('with one field changed', async () => {
    const changed = await compare(mutants(accepted, minor), create, errorsOf)
    print('one field changed', changed)
    expect(changed.wrong).toEqual([])
    expect(shareFound(changed)).toBeGreaterThan(0.93)
  })
})
