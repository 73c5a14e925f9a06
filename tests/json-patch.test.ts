/** JSON patches, as kustomize 5.5 was seen to apply them. */
import { describe, expect, it } from 'vitest'
import { applyOperation } from '../src/graph/json-patch.js'

const deployment = () => ({
  spec: {
    replicas: 2,
    paused: null,
    template: { spec: { containers: [{ name: 'web', args: ['a', 'b'], env: [] }] } },
  },
})
const container = '/spec/template/spec/containers/0'

function apply(op: string, path: string, value: unknown, document: object = deployment()) {
  return applyOperation(document, { op, path, value })
}

describe('an operation', () => {
  it.each([
    ['replace', '/spec/minReadySeconds'],
    ['replace', '/spec/paused'],
    ['replace', `${container}/args/-1`],
    ['remove', '/spec/paused'],
    ['remove', `${container}/args/-2`],
    ['add', '/spec/strategy'],
    ['add', `${container}/args/2`],
    ['add', `${container}/args/-`],
    ['add', `${container}/args/-2`],
    ['add', `${container}/env/0`],
    ['add', '/spec/a~1b'],
    ['test', '/spec/replicas'],
  ])('%s at %s is applied', (op, path) => {
    expect(apply(op, path, 2)).toBe('applied')
  })

  it.each([
    ['replace', '/spec/strategy/type', 1],
    ['replace', '/spec/template/spec/containers/1/image', 4],
    ['replace', '/spec/template/spec/containers/-/image', 4],
    ['replace', `${container}/args/2`, 6],
    ['replace', `${container}/args/-`, 6],
    ['replace', '/spec/replicas/', 2],
    ['remove', '/spec/minReadySeconds', 1],
    ['remove', '/spec/strategy/type', 1],
    ['remove', `${container}/args/2`, 6],
    ['add', '/spec/strategy/type', 1],
    ['add', '/spec/replicas/x', 2],
    ['add', '/spec/paused/x', 2],
    ['add', '/spec/template/spec/containers/web/env', 4],
    ['add', `${container}/args/3`, 6],
    ['add', `${container}/ports/-`, 5],
    ['test', '/spec/minReadySeconds', 1],
  ])('%s at %s is refused', (op, path, depth) => {
    expect(apply(op, path, 3)).toEqual({ depth })
  })

  it('is refused where it tests for another value', () => {
    expect(apply('test', '/spec/replicas', 3)).toEqual({ depth: 1, differs: true })
    expect(apply('test', '/spec/gone', null)).toBe('applied')
  })

  it.each([
    { op: 'copy', from: '/spec/x', path: '/spec/y' },
    { op: 'test', path: '/spec/template', value: {} },
    { op: 'add', path: 'spec/x', value: 1 },
    { op: 'add', value: 1 },
    'add',
  ])('is left alone where more would have to be known: %j', (operation) => {
    expect(applyOperation(deployment(), operation)).toBe('unknown')
  })

  it('stays as it is when the next one changes what it has added', () => {
    const [document, value] = [deployment(), [1]]
    apply('add', '/spec/list', value, document)
    apply('add', '/spec/list/-', 2, document)
    expect([value, document.spec]).toMatchObject([[1], { list: [1, 2] }])
  })

  it('changes what the next one sees', () => {
    const document = deployment()
    apply('add', '/spec/strategy', {}, document)
    expect(apply('add', '/spec/strategy/type', 'Recreate', document)).toBe('applied')
    apply('remove', `${container}/args/0`, undefined, document)
    expect(apply('remove', `${container}/args/1`, undefined, document)).toEqual({ depth: 6 })
  })
})
