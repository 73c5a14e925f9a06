/**
 * Records what kustomize and Helm print for the folders beside this file, for tests on machines that have neither:
 *
 *     npx tsx tests/builds/record.ts
 *
 * It runs the `kustomize` and `helm` of the PATH (recorded with kustomize 5.8.1 and Helm 3.22). What kustomize says of where objects
 * come from begins with the way from the outermost kustomization to `shop`, which differs: it is recorded as @SHOP@.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'

const shop = join(__dirname, 'shop')
const output = (tool: string, ...args: string[]) =>
  execFileSync(tool, args, { cwd: __dirname, encoding: 'utf8' })
const record = (name: string, text: string) =>
  writeFileSync(join(__dirname, 'recorded', `${name}.yaml`), text)

for (const overlay of ['prod', 'staging']) {
  const base = mkdtempSync(join(realpathSync(tmpdir()), 'record-'))
  const up = relative(base, shop)
  const resources = [`${up}/overlays/${overlay}`]
  writeFileSync(
    join(base, 'kustomization.yaml'),
    JSON.stringify({ resources, buildMetadata: ['originAnnotations'] }),
  )
  record(`wrapped-${overlay}`, output('kustomize', 'build', base).replaceAll(up, '@SHOP@'))
  rmSync(base, { recursive: true })
  record(overlay, output('kustomize', 'build', join('shop', 'overlays', overlay)))
}
record('chart', output('helm', 'template', 'web', './chart', '--namespace=shop'))
