/** The kubectl commands that make changes, and who would undo them. */
import { describe, expect, it } from 'vitest'
import { isFrozen } from '../src/engine/frozen.js'
import { patchCommand } from '../src/engine/patch.js'
import type { Edit } from '../src/finding.js'
import { keeperOf } from '../src/graph/keeper.js'

const value = {
  metadata: { name: 'web', annotations: { 'a/b~c': 'x' } },
  spec: {
    replicas: 1,
    template: {
      spec: { containers: [{ name: 'side' }, { name: 'web', resources: { limits: { cpu: '1' } } }] },
    },
  },
}

function operations(...edits: Edit[]): unknown {
  const command = patchCommand({ name: 'deployment/web', namespace: 'shop', value }, edits)
  const [, json] = /^kubectl patch deployment\/web -n shop --type=json -p '(.*)'$/.exec(command ?? '') ?? []
  return JSON.parse((json ?? 'null').replaceAll("'\\''", "'"))
}

describe('a patch', () => {
  it('replaces what is there', () => {
    expect(operations({ op: 'set', path: ['spec', 'replicas'], value: 2 })).toEqual([
      { op: 'replace', path: '/spec/replicas', value: 2 },
    ])
  })
  it('adds what is not there, with all that is missing on the way', () => {
    expect(
      operations({ op: 'set', path: ['spec', 'strategy', 'rollingUpdate', 'maxSurge'], value: 1 }),
    ).toEqual([{ op: 'add', path: '/spec/strategy', value: { rollingUpdate: { maxSurge: 1 } } }])
  })
  it('changes only the container that was looked at', () => {
    expect(
      operations({
        op: 'remove',
        path: ['spec', 'template', 'spec', 'containers', 1, 'resources', 'limits', 'cpu'],
      }),
    ).toEqual([
      { op: 'test', path: '/spec/template/spec/containers/1/name', value: 'web' },
      { op: 'remove', path: '/spec/template/spec/containers/1/resources/limits/cpu' },
    ])
  })
  it('moves fields', () => {
    expect(operations({ op: 'move', path: ['spec', 'a'], to: ['b'] })).toEqual([
      { op: 'move', from: '/spec/a', path: '/b' },
    ])
  })
  it('escapes names, for JSON pointers and for the shell', () => {
    expect(
      operations({ op: 'set', path: ['metadata', 'annotations', 'a/b~c'], value: "it's; rm -rf $HOME" }),
    ).toEqual([{ op: 'replace', path: '/metadata/annotations/a~1b~0c', value: "it's; rm -rf $HOME" }])
  })
  it('is none when there is nothing to change', () => {
    expect(patchCommand({ name: 'node/n', namespace: '', value }, [])).toBeUndefined()
  })
})

describe('a field that does not change', () => {
  it.each([
    ['StorageClass', ['parameters', 'type'], true],
    ['StatefulSet', ['spec', 'podManagementPolicy'], true],
    ['StatefulSet', ['spec', 'template', 'spec', 'affinity'], false],
    ['Job', ['spec', 'template', 'spec', 'restartPolicy'], true],
    ['Job', ['spec', 'activeDeadlineSeconds'], false],
    ['Pod', ['spec', 'containers', 0, 'readinessProbe'], true],
    ['Pod', ['spec', 'containers', 0, 'image'], false],
    ['ConfigMap', ['data', 'Corefile'], false],
  ])('is known: %s %j', (kind, path, expected) => {
    expect(isFrozen(kind, path)).toBe(expected)
  })
})

describe('who keeps an object', () => {
  const kept = (labels: Record<string, string>, annotations: Record<string, string> = {}) =>
    keeperOf({ metadata: { labels, annotations } })
  it.each([
    [
      kept(
        { 'app.kubernetes.io/managed-by': 'Helm' },
        { 'meta.helm.sh/release-name': 'web', 'meta.helm.sh/release-namespace': 'shop' },
      ),
      'Helm release shop/web',
    ],
    [
      kept({}, { 'argocd.argoproj.io/tracking-id': 'web:apps/Deployment:shop/web' }),
      'Argo CD application web',
    ],
    [
      kept({
        'kustomize.toolkit.fluxcd.io/name': 'apps',
        'kustomize.toolkit.fluxcd.io/namespace': 'flux-system',
      }),
      'Flux Kustomization flux-system/apps',
    ],
    [kept({ app: 'web' }), undefined],
  ])('%s', (found, expected) => {
    expect(found).toBe(expected)
  })
})
