/** Charts in archives, as `helm dependency build` fetches them: `charts/redis-1.2.3.tgz`. Nobody opens them; their names tell. */
import { join } from 'node:path'
import type { Built } from '../document.js'
import { entriesIn } from '../reader/disk.js'
import { displayName } from '../reader/files.js'
import { fileStart } from '../reader/lines.js'
import { statsAt } from '../values/stats.js'
import { arrayAt, stringAt } from '../values/untyped.js'
import type { Sources } from './sources.js'

export interface Archived {
  /** The template behind the name of its archive: `shop/charts/redis-1.2.3.tgz/templates/web.yaml`. */
  readonly name: string
  /** The dependency of the chart that the archive is for, where it names one. */
  readonly from: Built['from']
}

/**
 * The template in an archive that Helm names.
 * @param folder of the chart, absolute
 * @param path of the template in it, with the names of charts in the place of their archives: `charts/redis/templates/web.yaml`
 */
export function archivedTemplate(
  folder: string,
  path: string,
  cwd: string,
  sources: Sources,
): Archived | undefined {
  const [, name = '', rest = ''] = /^charts\/([^/]+)\/(.+)$/.exec(path) ?? []
  if (name === '') return undefined
  const inside = join(folder, 'charts', name)
  if (statsAt(inside)?.isDirectory()) return archivedTemplate(inside, rest, cwd, sources)
  const file = join(folder, 'Chart.yaml')
  const [document] = sources.documents(file)
  const dependencies = arrayAt(document?.value, 'dependencies')
  // Helm calls a chart by its alias.
  const index = dependencies.findIndex((one) => (stringAt(one, 'alias') ?? stringAt(one, 'name')) === name)
  const archive = archiveOf(join(folder, 'charts'), stringAt(dependencies[index], 'name') ?? name)
  if (archive === undefined) return undefined
  const range = index < 0 ? undefined : document?.locate().value(['dependencies', index, 'name'])
  return {
    name: `${displayName(archive, cwd)}/${rest}`,
    from: { file: displayName(file, cwd), range: range ?? fileStart },
  }
}

/** The only archive of a chart, which has its name and version. */
function archiveOf(folder: string, chart: string): string | undefined {
  const isOf = (name: string) =>
    name.startsWith(`${chart}-`) && /^v?\d.*\.tgz$/.test(name.slice(chart.length + 1))
  const found = entriesIn(folder).filter(isOf)
  return found.length === 1 && found[0] !== undefined ? join(folder, found[0]) : undefined
}
