/** Manifests of others to measure with. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = join(__dirname, '..')

/** The folder that is asked for, else the one beside the repository, else the applications in it. */
export function corpusAt(folder: string | undefined): string {
  const neighbour = join(root, '..', 'shared', 'corpus')
  return resolve(folder ?? (existsSync(neighbour) ? neighbour : join(root, 'fixtures', 'healthy')))
}
