/** Fetches the published packages that the schemas come from. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** PyPI: the OpenAPI definitions of the API server, one file per minor version. Apache-2.0, see NOTICE. */
const definitions = [
  {
    requirement: 'kubernetes-validate==1.24.1',
    sha256: '705416be22f53a46799137d6a217a4cdb72f2205f9133241fa9bb0a7e84ac8f6',
    minors: [15, 24],
  },
  {
    requirement: 'kubernetes-validate==1.37.0',
    sha256: '85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9',
    minors: [25, 37],
  },
] as const

/** npm: the same definitions as TypeScript, with the closed sets of values. MIT, see NOTICE. */
const models = {
  package: 'kubernetes-models@5.1.0',
  integrity:
    'sha512-ym4Kiyr8BzGIWj4f853ytVYES1B8C1BdONRP5zodItPD1o//OEKuTwC5nFV3ZJtFGeMqOFbIYkpunSVXSlHS8g==',
}

/** The part of JSON Schema that the sources use. */
export interface OpenApi {
  readonly type?: string | readonly string[]
  readonly format?: string
  readonly $ref?: string
  readonly oneOf?: readonly OpenApi[]
  readonly items?: OpenApi
  readonly additionalProperties?: OpenApi | boolean
  readonly properties?: Readonly<Record<string, OpenApi>>
  readonly required?: readonly string[]
  readonly enum?: readonly string[]
  readonly description?: string
  readonly 'x-kubernetes-list-type'?: string
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
  readonly 'x-kubernetes-patch-merge-key'?: string
  readonly 'x-kubernetes-group-version-kind'?: readonly {
    readonly group: string
    readonly version: string
    readonly kind: string
  }[]
}

/** Definition name (`io.k8s.api.core.v1.Pod`) → definition. */
export type Definitions = Readonly<Record<string, OpenApi>>

export interface Sources {
  /** Minor version → definitions, oldest version first. */
  readonly versions: ReadonlyMap<number, Definitions>
  /** Definition name in the spelling of kubernetes-models (`IoK8sApiCoreV1Pod`) → field → its values. */
  readonly enums: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>
}

/** Downloads the packages through pip and npm, refuses any whose checksum differs, and reads them. */
export function fetchSources(): Sources {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-af-schema-'))
  try {
    const versions = new Map<number, Definitions>()
    for (const one of definitions) {
      const unpacked = fetchPackage(one, folder)
      for (let minor: number = one.minors[0]; minor <= one.minors[1]; minor++)
        versions.set(minor, readDefinitions(unpacked, minor))
    }
    return { versions, enums: readEnums(fetchModels(folder)) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * The definitions of one minor version.
 * @param folder where the package is unpacked
 */
export function fetchDefinitions(minor: number, folder: string): Definitions {
  const found = definitions.find(({ minors }) => minors[0] <= minor && minor <= minors[1])
  if (!found) throw new Error(`no package has the definitions of 1.${minor}`)
  return readDefinitions(fetchPackage(found, folder), minor)
}

function fetchPackage({ requirement, sha256 }: (typeof definitions)[number], folder: string): string {
  const unpacked = join(folder, requirement)
  mkdirSync(unpacked)
  const requirements = join(unpacked, 'requirements.txt')
  writeFileSync(requirements, `${requirement} --hash=sha256:${sha256}\n`)
  run('pip', [
    'download',
    '-q',
    '--no-deps',
    '--disable-pip-version-check',
    '-d',
    unpacked,
    '-r',
    requirements,
  ])
  const archive = onlyFile(unpacked, /\.(whl|tar\.gz)$/)
  run('python3', ['-m', archive.endsWith('.whl') ? 'zipfile' : 'tarfile', '-e', archive, unpacked])
  return unpacked
}

function fetchModels(folder: string): string {
  run('npm', ['pack', models.package, '--silent', '--pack-destination', folder])
  const archive = onlyFile(folder, /\.tgz$/)
  const digest = createHash('sha512').update(readFileSync(archive)).digest('base64')
  if (`sha512-${digest}` !== models.integrity)
    throw new Error(`${models.package} has an unexpected checksum: sha512-${digest}`)
  run('python3', ['-m', 'tarfile', '-e', archive, folder])
  return join(folder, 'package')
}

function readDefinitions(folder: string, minor: number): Definitions {
  const wanted = join(`v1.${minor}.0-local`, '_definitions.json')
  const file = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find((name) =>
    name.endsWith(wanted),
  )
  if (!file) throw new Error(`the package has no definitions of 1.${minor}`)
  const json = JSON.parse(readFileSync(join(folder, file), 'utf8'))
  return json.$defs ?? json.definitions
}

/** The string unions of the declarations: `"protocol"?: "SCTP" | "TCP" | "UDP";`, also as `Array<…>`. */
function readEnums(folder: string): Map<string, Map<string, readonly string[]>> {
  const enums = new Map<string, Map<string, readonly string[]>>()
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.d.ts') || file.startsWith('_schemas')) continue
    const text = readFileSync(join(folder, file), 'utf8')
    const name = /export type \{ \S+ as I(IoK8s\w+),/.exec(text)?.[1]
    const body = /export interface \w+ \{([\s\S]*?)\n\}\n/.exec(text)?.[1]
    if (!name || !body) continue
    const union = /^ {4}"([^"]+)"\??: (?:Array<)?((?:"[^"]*"(?: \| )?)+)>?;$/gm
    const fields = new Map<string, readonly string[]>()
    for (const [, field = '', values = ''] of body.matchAll(union))
      if (field !== 'apiVersion' && field !== 'kind')
        fields.set(
          field,
          values.split(' | ').map((value) => JSON.parse(value)),
        )
    if (fields.size > 0) enums.set(name, fields)
  }
  return enums
}

function onlyFile(folder: string, pattern: RegExp): string {
  const [file, ...more] = readdirSync(folder).filter((name) => pattern.test(name))
  if (!file || more.length > 0) throw new Error(`expected one package in ${folder}`)
  return join(folder, file)
}

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })
}
