/**
 * Writes schemas that kubeconform can read without a network: one file a kind, with everything that the kind refers to in it.
 *
 *     npx tsx bench/kubeconform-schemas.ts DIR
 *     kubeconform -schema-location 'DIR/{{.ResourceKind}}{{.KindSuffix}}.json' …
 *
 * They come from the package that our own schemas come from (scripts/schema/packages.ts).
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Definitions, fetchDefinitions, type OpenApi } from '../scripts/schema/packages.js'
import { newestMinor } from '../src/schema/definitions.js'

/** How kubeconform calls the files of a folder. */
export const template = '{{.ResourceKind}}{{.KindSuffix}}.json'

/** Writes the schemas of all kinds of the newest version that we know; needs pip. */
export function writeSchemas(folder: string): void {
  mkdirSync(folder, { recursive: true })
  const unpacked = mkdtempSync(join(tmpdir(), 'k8s-af-definitions-'))
  try {
    const definitions = fetchDefinitions(newestMinor, unpacked)
    for (const [name, definition] of Object.entries(definitions))
      for (const kind of definition['x-kubernetes-group-version-kind'] ?? [])
        writeFileSync(join(folder, fileName(kind)), standalone(name, definitions))
  } finally {
    rmSync(unpacked, { recursive: true, force: true })
  }
}

/** `Ingress` of `networking.k8s.io/v1` → `ingress-networking-v1.json`. */
function fileName({ group, version, kind }: { group: string; version: string; kind: string }): string {
  const [short] = group.split('.')
  return `${[kind, ...(short ? [short] : []), version].join('-').toLowerCase()}.json`
}

function standalone(name: string, definitions: Definitions): string {
  const used = new Map<string, OpenApi>()
  const pending = [name]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const definition = definitions[next]
    if (definition === undefined || used.has(next)) continue
    used.set(next, definition)
    for (const [, other = ''] of JSON.stringify(definition).matchAll(/"\$ref":"#\/\$defs\/([^"]+)"/g))
      pending.push(other)
  }
  const { [name]: root, ...others } = Object.fromEntries(used)
  return JSON.stringify({
    $schema: 'http://json-schema.org/draft-07/schema#',
    ...root,
    $defs: { ...others, [name]: root },
  })
}

const [folder] = process.argv.slice(2)
if (require.main === module && folder) writeSchemas(folder)
