/**
 * Records what kustomize and Helm print for the folders beside this file, for tests on machines that have neither:
 *
 *     npx tsx tests/builds/record.ts [helm|kustomize]
 *
 * It runs the `kustomize` and `helm` of the PATH (recorded with kustomize 5.8.1 and Helm 3.22). What kustomize says of where objects
 * come from begins with the way from the outermost kustomization to `shop`, which differs: it is recorded as @SHOP@. Helm is run a second
 * time with marks in the templates, as k8s-af does: to be recorded again when the marks change.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { markedChart } from '../../src/built/marked-chart.js'

const shop = join(__dirname, 'shop')
const output = (tool: string, ...args: string[]) =>
  execFileSync(tool, args, { cwd: __dirname, encoding: 'utf8' })
const record = (name: string, text: string) =>
  writeFileSync(join(__dirname, 'recorded', `${name}.yaml`), text)

function kustomize(): void {
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
}

function helm(): void {
  for (const name of ['chart', 'places']) {
    const args = ['--include-crds', '--namespace=shop']
    const release = name === 'chart' ? 'web' : name
    record(name, output('helm', 'template', release, `./${name}`, ...args))
    const copy = markedChart(join(__dirname, name), true, __dirname)
    if (!copy) throw new Error('no copy')
    // It fails, as one of the templates in the copy is no YAML.
    const marked = spawnSync('helm', ['template', release, copy.folder, ...args, '--debug'], {
      encoding: 'utf8',
    })
    // Helm prints them in any order.
    const templates = marked.stdout.split(/^(?=---\n# Source: )/m).sort()
    record(`marked-${name}`, templates.join(''))
    copy.remove()
  }
}

const [only] = process.argv.slice(2)
if (only !== 'helm') kustomize()
if (only !== 'kustomize') helm()
