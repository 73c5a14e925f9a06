/** Input that is said to be complete. */
import { expect, it } from 'vitest'
import { lint } from '../src/engine/lint.js'
import { readPaths } from '../src/reader/read.js'
import { type Files, folderWith } from './folders.js'
import { activeRule, allRules, settings } from './harness.js'

const rules = await allRules()

const ingress = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'web' },
  spec: { defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
}

function found(files: Files): string[] {
  const chosen = ['invalid-yaml', 'ingress-backend-missing'].map((id) => activeRule(id))
  const report = lint(readPaths(['.'], { cwd: folderWith(files) }), {
    settings: settings(chosen, { complete: true }),
    rules,
    stories: () => new Map(),
  })
  return report.findings.map(({ rule }) => rule)
}

it('does not have what no document holds', () => {
  expect(found({ 'ingress.json': ingress })).toEqual(['ingress-backend-missing'])
})

it('may have what a document holds that cannot be read', () => {
  const broken = 'apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: *labels}\n'
  expect(found({ 'ingress.json': ingress, 'service.yaml': broken })).toEqual(['invalid-yaml'])
})
