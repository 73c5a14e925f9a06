/** Objects of kustomizations: what is missing in them may be added before they are applied, or is known to be missing. */
import { describe, expect, it } from 'vitest'
import { lint } from '../src/engine/lint.js'
import { readPaths } from '../src/reader/read.js'
import { type Files, folderWith } from './folders.js'
import { activeRule, allRules, settings } from './harness.js'

const rules = await allRules()

/** What is found of the fields that are missing or contradict each other, `file path`. */
function found(files: Files): string[] {
  const report = lint(readPaths(['.'], { cwd: folderWith(files) }), {
    settings: settings(['missing-field', 'conflicting-fields'].map((id) => activeRule(id))),
    rules,
    stories: () => new Map(),
  })
  return report.findings.map(({ place }) => `${place.file} ${place.path}`)
}

const deployment = (spec: object, metadata: object = { name: 'web' }) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata,
  spec,
})
const template = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'web', image: 'registry.example/web:1.2.3' }] },
}
const unselected = deployment({ template })
const selector = ['web/web.json .spec.selector']
const listing = 'resources: [web.json]\n'

describe('a resource without a field', () => {
  it('is refused where all that is built from it is known', () => {
    expect(found({ 'web/kustomization.yaml': listing, 'web/web.json': unselected })).toEqual(selector)
    const overlay = { 'prod/kustomization.yaml': 'namePrefix: prod-\nresources: [../web]\n' }
    expect(found({ ...overlay, 'web/kustomization.yaml': listing, 'web/web.json': unselected })).toEqual(
      selector,
    )
  })

  it.each<[string, Files]>([
    ['nothing lists it', { 'web/kustomization.yaml': 'resources: [other.yaml]\n' }],
    [
      'a patch is for it',
      {
        'web/kustomization.yaml': `${listing}patches:\n- patch: |\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: web}\n    spec: {selector: {matchLabels: {app: web}}}\n`,
      },
    ],
    [
      'a patch of an overlay is for it',
      {
        'web/kustomization.yaml': listing,
        'prod/kustomization.yaml':
          'resources: [../web]\npatches:\n- target: {kind: Deployment}\n  patch: |\n    - {op: add, path: /spec/selector, value: {matchLabels: {app: web}}}\n',
      },
    ],
    ['labels go into selectors', { 'web/kustomization.yaml': `${listing}commonLabels: {app: web}\n` }],
    [
      'a plugin may change it',
      {
        'web/kustomization.yaml': `${listing}transformers: [fill.yaml]\n`,
        'web/fill.yaml': 'apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: fill}\n',
      },
    ],
    [
      'it is one of a component',
      {
        'web/kustomization.yaml': `apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n${listing}`,
      },
    ],
    [
      'Flux patches what is built',
      {
        'web/kustomization.yaml': listing,
        'apps.json': {
          apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
          kind: 'Kustomization',
          metadata: { name: 'apps' },
          spec: { path: './web', patches: [{ patch: 'x' }] },
        },
      },
    ],
  ])('may be completed where %s', (_, files) => {
    expect(found({ ...files, 'web/web.json': unselected })).toEqual([])
  })

  it('may be completed where it is a base that nothing uses yet', () => {
    expect(found({ 'base/kustomization.yaml': listing, 'base/web.json': unselected })).toEqual([])
  })

  it('is no resource of kustomize without a name', () => {
    const nameless = deployment({ template, selector: { matchLabels: { app: 'web' } } }, {})
    expect(found({ 'base/kustomization.yaml': listing, 'base/web.json': nameless })).toEqual([
      'base/web.json .metadata.name',
    ])
  })
})

describe('a namespace of a subject', () => {
  const binding = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'web' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'web' },
    subjects: [{ kind: 'ServiceAccount', name: 'web' }],
  }
  it('comes from the kustomization', () => {
    const files = { 'web/web.json': binding }
    expect(found({ ...files, 'web/kustomization.yaml': `namespace: shop\n${listing}` })).toEqual([])
    expect(found({ ...files, 'web/kustomization.yaml': listing })).toEqual([
      'web/web.json .subjects[0].namespace',
    ])
  })
})

describe('fields of a resource that contradict each other', () => {
  const mismatch = deployment({ template, selector: { matchLabels: { app: 'shop' } } })
  it('are told where nothing changes them', () => {
    expect(found({ 'web/kustomization.yaml': listing, 'web/web.json': mismatch })).toEqual([
      'web/web.json .spec.selector.matchLabels.app',
    ])
  })
})
