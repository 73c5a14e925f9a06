/**
 * Runs the containers of a pod as a kubelet does: with their user, arguments, environment and volumes, in a root file system of
 * their own that nobody can write. Needs Linux, and the rights to mount.
 */
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { objectsAt, stringAt, valueAt } from '../../src/values/untyped.js'
import type { Call } from './connection.js'
import { isMapping, type Mapping } from './mapping.js'

/** What an image holds, and how it starts. */
export interface Image {
  /** Folders and files of this machine, by where they are in the image. */
  readonly content: Readonly<Record<string, string>>
  readonly entrypoint: readonly string[]
}

/** What a container printed, and how it ended. */
export interface Ended {
  readonly container: string
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Whether this machine lets a process have mounts of its own. */
export function mayMount(): boolean {
  return process.platform === 'linux' && spawnSync('unshare', ['--mount', 'true']).status === 0
}

/** Where programs that are not linked statically find their libraries: the same everywhere in an image. */
const libraries = ['/lib', '/lib64', '/usr/lib', '/usr/lib64'].filter((path) => existsSync(path))
/** Seconds until a container is ended. */
const longestRun = 120

/** Makes the file system, and becomes the program: ROOT USER GROUP [ro|rw FROM TO]... -- PROGRAM [ARGUMENT]... */
const script = `
root=$1 user=$2 group=$3; shift 3
mount -t tmpfs -o mode=0755 tmpfs "$root"
mkdir "$root/dev"; touch "$root/dev/null"; mount --bind /dev/null "$root/dev/null"
while [ "$1" != -- ]; do
  if [ -L "$2" ]; then mkdir -p "$root$(dirname "$3")"; cp -P "$2" "$root$3"
  else
    if [ -d "$2" ]; then mkdir -p "$root$3"; else mkdir -p "$root$(dirname "$3")"; touch "$root$3"; fi
    mount --bind "$2" "$root$3"
    if [ "$1" = ro ]; then mount -o remount,bind,ro "$root$3"; fi
  fi
  shift 3
done
shift
mount -o remount,ro "$root"
exec chroot --userspec="$user:$group" --groups="$group" "$root" "$@"
`

/**
 * Runs the init containers of a pod, then the others, one after the other; ends with the first one that fails.
 * @param url of the API server
 * @param images by the names that the pod gives them
 * @param folder an empty one, for volumes
 */
export async function runPod(
  pod: Mapping,
  {
    url,
    call,
    images,
    folder,
  }: { url: string; call: Call; images: ReadonlyMap<string, Image>; folder: string },
): Promise<readonly Ended[]> {
  const volumes = await volumesOf(pod, call, folder)
  const ended: Ended[] = []
  for (const container of [
    ...objectsAt(pod, 'spec', 'initContainers'),
    ...objectsAt(pod, 'spec', 'containers'),
  ]) {
    const image = images.get(String(stringAt(container, 'image')))
    if (!image) throw new Error(`there is no image ${stringAt(container, 'image')}`)
    const root = join(folder, 'root')
    mkdirSync(root, { recursive: true })
    const env = environment(pod, container, url)
    const mounts = [
      ...libraries.map((path) => ['ro', path, path]),
      ...Object.entries(image.content).map(([path, from]) => ['ro', from, path]),
      ...objectsAt(container, 'volumeMounts').map((mount) => mountOf(mount, volumes, env)),
    ]
    const one = await run(
      [
        ...['--mount', '--propagation', 'private', 'sh', '-ec', script, 'sh', root],
        ...idsOf(pod, container).map(String),
        ...mounts.flat(),
        '--',
        ...image.entrypoint,
        ...strings(container, 'args'),
      ],
      env,
    )
    ended.push({ container: String(stringAt(container, 'name')), ...one })
    if (one.code !== 0) break
  }
  return ended
}

function run(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Omit<Ended, 'container'>> {
  return new Promise((resolve, reject) => {
    const child = spawn('unshare', args, {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: longestRun * 1000,
    })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (part: Buffer) => out.push(part))
    child.stderr.on('data', (part: Buffer) => err.push(part))
    child.once('error', reject)
    child.once('close', (code) =>
      resolve({ code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() }),
    )
  })
}

/** User and group, which must not be those that an image has by default: that would be root here. */
function idsOf(pod: Mapping, container: Mapping): readonly number[] {
  return ['runAsUser', 'runAsGroup'].map((field) => {
    const id = valueAt(container, 'securityContext', field) ?? valueAt(pod, 'spec', 'securityContext', field)
    if (typeof id !== 'number') throw new Error(`the pod says no ${field}`)
    return id
  })
}

const strings = (object: Mapping, field: string): readonly string[] => {
  const value = object[field]
  return Array.isArray(value) ? value.map(String) : []
}

/**
 * What the kubelet adds, and what the container asks for: values, and labels and annotations of the pod. Runtimes add HOME, by
 * the users that an image knows: here it knows none.
 */
function environment(pod: Mapping, container: Mapping, url: string): Readonly<Record<string, string>> {
  const { hostname, port } = new URL(url)
  const asked = objectsAt(container, 'env').map((variable) => {
    const path = stringAt(variable, 'valueFrom', 'fieldRef', 'fieldPath')
    const [, map, key] = /^metadata\.(annotations|labels)\['(.*)'\]$/.exec(path ?? '') ?? []
    const value = map && key ? valueAt(pod, 'metadata', map, key) : variable.value
    if (typeof value !== 'string')
      throw new Error(`the variable ${variable.name} has no value that is known here`)
    return [String(variable.name), value]
  })
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOSTNAME: String(stringAt(pod, 'metadata', 'name')),
    KUBERNETES_SERVICE_HOST: hostname,
    KUBERNETES_SERVICE_PORT: port,
    ...Object.fromEntries(asked),
  }
}

function mountOf(
  mount: Mapping,
  volumes: ReadonlyMap<string, string>,
  env: Readonly<Record<string, string>>,
): readonly [string, string, string] {
  const { name, mountPath, readOnly, subPathExpr = '' } = mount
  const volume = volumes.get(String(name))
  if (volume === undefined) throw new Error(`there is no volume ${name}`)
  const path = String(subPathExpr).replace(/\$\((\w+)\)/g, (_, variable: string) => env[variable] ?? '')
  return [readOnly === true ? 'ro' : 'rw', join(volume, path), String(mountPath)]
}

/** The folders of a pod's volumes, by name. */
async function volumesOf(pod: Mapping, call: Call, folder: string): Promise<ReadonlyMap<string, string>> {
  const group = valueAt(pod, 'spec', 'securityContext', 'fsGroup')
  const found = new Map<string, string>()
  for (const volume of objectsAt(pod, 'spec', 'volumes')) {
    const files = await filesOf(volume, pod, call)
    const path = join(folder, 'volumes', String(volume.name))
    mkdirSync(path, { recursive: true })
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(join(path, name), content)
      if (typeof group === 'number') chownSync(join(path, name), 0, group)
      chmodSync(join(path, name), typeof group === 'number' ? 0o440 : 0o644)
    }
    if (typeof group === 'number') chownSync(path, 0, group)
    chmodSync(path, 'emptyDir' in volume ? 0o2777 : 0o755)
    found.set(String(volume.name), path)
  }
  return found
}

async function filesOf(
  volume: Mapping,
  pod: Mapping,
  call: Call,
): Promise<Readonly<Record<string, Buffer | string>>> {
  if ('emptyDir' in volume) return {}
  const namespace = String(stringAt(pod, 'metadata', 'namespace'))
  const secret = stringAt(volume, 'secret', 'secretName')
  if (secret !== undefined) {
    const { status, json } = await call('GET', `/api/v1/namespaces/${namespace}/secrets/${secret}`)
    if (status !== 200) throw new Error(`secret ${secret}: ${json.message}`)
    const entries = Object.entries(isMapping(json.data) ? json.data : {})
    return Object.fromEntries(entries.map(([name, value]) => [name, Buffer.from(String(value), 'base64')]))
  }
  const parts = objectsAt(volume, 'projected', 'sources').map((source) =>
    projected(source, pod, namespace, call),
  )
  if (parts.length === 0) throw new Error(`volume ${volume.name} is of a kind that is not known here`)
  return Object.assign({}, ...(await Promise.all(parts)))
}

/** The sources of the volume that the API server gives each pod with a token: see its ServiceAccount admission plugin. */
async function projected(
  source: Mapping,
  pod: Mapping,
  namespace: string,
  call: Call,
): Promise<Readonly<Record<string, string>>> {
  const path = stringAt(source, 'serviceAccountToken', 'path')
  if (path !== undefined) {
    const { name, uid } = isMapping(pod.metadata) ? pod.metadata : {}
    const bound = { kind: 'Pod', apiVersion: 'v1', name, uid }
    const of = `/api/v1/namespaces/${namespace}/serviceaccounts/${stringAt(pod, 'spec', 'serviceAccountName')}`
    const expirationSeconds = valueAt(source, 'serviceAccountToken', 'expirationSeconds')
    const { json } = await call('POST', `${of}/token`, { spec: { expirationSeconds, boundObjectRef: bound } })
    return { [path]: String(stringAt(json, 'status', 'token')) }
  }
  const map = stringAt(source, 'configMap', 'name')
  if (map !== undefined) {
    const { json } = await call('GET', `/api/v1/namespaces/${namespace}/configmaps/${map}`)
    const items = objectsAt(source, 'configMap', 'items')
    return Object.fromEntries(
      items.map((one) => [String(one.path), String(valueAt(json, 'data', String(one.key)))]),
    )
  }
  const items = objectsAt(source, 'downwardAPI', 'items')
  return Object.fromEntries(items.map((one) => [String(one.path), namespace]))
}
