/** The rules about what the API server refuses, against an API server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Document } from '../../src/document.js'
import { groupOf } from '../../src/kubernetes.js'
import { readPaths } from '../../src/reader/read.js'
import { unfold } from '../../src/reader/unfold.js'
import { root } from '../harness.js'
import { kubernetesVersion } from './binary.js'
import { type Cluster, startCluster } from './cluster.js'
import { type Comparison, causes, compare, shareFound, summary } from './comparison.js'
import { customChanges } from './custom-changes.js'
import { createDefinitions, kindsOf, nameOf } from './definitions.js'
import { isMapping } from './mapping.js'
import { builtinChanges, type Mutant, mutants } from './mutations.js'
import { creator } from './resources.js'
import { asApplied, namespacesOf, schemaErrors, untold } from './verdicts.js'

const minor = Number(kubernetesVersion().split('.')[1])
const enough = 0.97

let cluster: Cluster
beforeAll(async () => {
  cluster = await startCluster()
})
afterAll(() => cluster?.stop())

const read = (path: string) => readPaths([path], { cwd: root }).documents

/** Every object of the documents, but not those that another program completes. */
function objectsOf(documents: readonly Document[]): Mutant[] {
  return documents.flatMap((document) =>
    [...unfold(document)].flatMap(({ value }) =>
      isMapping(value) && !/\$\{|\{\{/.test(JSON.stringify(value))
        ? [{ object: asApplied(value), what: `${document.file.name}: ${value.apiVersion} ${value.kind}` }]
        : [],
    ),
  )
}

function print(name: string, comparison: Comparison): void {
  console.log([summary(name, comparison), ...causes(comparison.missed)].join('\n'))
}

describe('an error for what the server refuses, and none for what it accepts', () => {
  it('of the built-in kinds', async () => {
    const create = await creator(cluster.connection.call)
    const errorsOf = await schemaErrors(minor)
    const seeds = await compare(objectsOf(read('tests/cluster/seeds.yaml')), create, errorsOf)
    expect(seeds.missed).toEqual([])
    expect(seeds).toMatchObject({ refused: 0, undecided: 0, wrong: [] })
    const all = objectsOf(read('fixtures'))
    for (const name of namespacesOf(all.map(({ object }) => object)))
      await cluster.connection.call('POST', '/api/v1/namespaces', { metadata: { name } })
    const fixtures = await compare(all, create, errorsOf)
    print('as written', fixtures)
    const isUntold = await untold(minor)
    const silent = fixtures.warned.filter(({ object, warnings }) => isUntold(object, warnings))
    console.log(`${fixtures.warned.length} with a warning`)
    // Their fields say what the annotations do, which the server warns of all the same.
    expect(silent.map(({ what }) => what)).toEqual([
      'fixtures/setting-ignored/another-profile-of-the-pod.yaml: v1 Pod',
      'fixtures/setting-ignored/field-in-the-containers.yaml: apps/v1 Deployment',
      'fixtures/setting-ignored/field-in-the-containers.yaml: v1 Pod',
      'fixtures/setting-ignored/good.yaml: apps/v1 Deployment',
    ])
    const accepted = [...seeds.accepted, ...fixtures.accepted]
    const changed = await compare(mutants(accepted, builtinChanges(minor)), create, errorsOf)
    print('one field changed', changed)
    expect([...fixtures.wrong, ...changed.wrong]).toEqual([])
    expect(shareFound(changed)).toBeGreaterThan(enough)
  })

  it('of custom kinds', async () => {
    const documents = [...read('fixtures'), ...read('tests/cluster/custom-objects.yaml')]
    const found = documents.filter(
      ({ value }) => isMapping(value) && value.kind === 'CustomResourceDefinition',
    )
    // What a file puts together from several is none of a server's.
    const crds = found.filter(
      (one) =>
        !found.some(
          (other) => other !== one && other.file === one.file && nameOf(other.value) === nameOf(one.value),
        ),
    )
    const definitions = objectsOf(crds).map(({ object }) => object)
    await createDefinitions(cluster.connection.call, definitions)
    const kinds = kindsOf(definitions)
    const custom = objectsOf(documents).filter(({ object: { apiVersion, kind } }) =>
      kinds.has(`${groupOf(String(apiVersion))}/${kind}`),
    )
    const create = await creator(cluster.connection.call)
    const errorsOf = await schemaErrors(minor, crds)
    const written = await compare(custom, create, errorsOf)
    print('custom objects as written', written)
    const changed = await compare(mutants(written.accepted, customChanges), create, errorsOf)
    print('custom objects with one field changed', changed)
    expect([...written.wrong, ...changed.wrong]).toEqual([])
    expect(shareFound(changed)).toBeGreaterThan(enough)
  })
})
