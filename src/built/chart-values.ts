/** Where the values of a chart are written: the file that Helm takes each from. */
import { join, relative, sep } from 'node:path'
import type { Document } from '../document.js'
import type { Path } from '../finding.js'
import { at } from '../fix/edited.js'
import { memo } from '../values/lazy.js'
import type { Sources } from './sources.js'

/** A value in a file. */
export interface SetValue {
  readonly document: Document
  readonly path: Path
  readonly value: unknown
}

/**
 * Finds a value of the chart that a template belongs to.
 * @param source the template as Helm names it, `shop/charts/web/templates/web.yaml`: charts stand there under the names that values have
 * @param template its absolute path
 * @param path in the values as that chart sees them
 * @returns undefined when no file has it, or not for certain
 */
export type FindValue = (source: string, template: string, path: Path) => SetValue | undefined

/**
 * @param folder of the chart, absolute
 * @param templates the absolute paths of those that have made something
 * @param files what the user has named with values, as absolute paths; the last one counts most
 * @param args what Helm is told besides
 */
export function chartValues(
  folder: string,
  templates: Iterable<string>,
  files: readonly string[],
  args: readonly string[],
  sources: Sources,
): FindValue {
  const told = toldValues(args)
  const chartsAround = memo((template: string) => chartNames(relative(folder, template).split(sep).join('/')))
  const ownFiles = (charts: readonly string[]) =>
    [
      folder,
      ...charts.map((_, i) => join(folder, ...charts.slice(0, i + 1).flatMap((one) => ['charts', one]))),
    ].map((one) => join(one, 'values.yaml'))
  // What findings name has to be known before there are any.
  const own = [...templates].flatMap((template) => ownFiles(chartsAround(template)))
  for (const file of new Set([...files, ...own])) sources.documents(file)
  const inFile = (file: string, path: Path): SetValue | undefined => {
    const [document] = sources.documents(file)
    const value = document && at(document.value, path)
    return document && value !== undefined ? { document, path, value } : undefined
  }
  return (source, template, path) => {
    const names = chartNames(source)
    const charts = chartsAround(template)
    const pathFor = (depth: number) => (path[0] === 'global' ? path : [...names.slice(depth), ...path])
    if (names.length !== charts.length || !told || told.some((one) => touch(one, pathFor(0))))
      return undefined
    const found = [
      ...files.toReversed().map((file) => inFile(file, pathFor(0))),
      ...ownFiles(charts).map((file, depth) => inFile(file, pathFor(depth))),
    ].find((one) => one !== undefined)
    // Helm takes null as: no value.
    return found && found.value !== null ? found : undefined
  }
}

/** The names of the charts within the outermost one that a template stands in, by its path. */
function chartNames(path: string): readonly string[] {
  const [before = ''] = path.split(/(?:^|\/)templates\//, 1)
  return before.split(/(?:^|\/)charts\//).slice(1)
}

/** Whether one of two paths leads to the other, or to something in it. */
export function touch(one: Path, other: Path): boolean {
  return one.slice(0, other.length).every((step, i) => step === other[i])
}

/** What arguments set, whatever files say; undefined when there may be any values among them. */
function toldValues(args: readonly string[]): readonly Path[] | undefined {
  if (args.some((arg) => /^(?:-f|--values|--set-json)/.test(arg))) return undefined
  return args.flatMap((arg, i) => {
    const [, inline] = /^--set(?:-[a-z]+)?(?:=(.*))?$/s.exec(arg) ?? [undefined, undefined]
    if (!arg.startsWith('--set')) return []
    const text = inline ?? args[i + 1] ?? ''
    // A comma in a value makes a path of what is none: then one value more has no place.
    return text.split(/(?<!\\),/).map((one) => pathIn(one.split('=', 1)[0] ?? ''))
  })
}

/** `a.b\.c[0]` as a path to the list or the field. */
function pathIn(key: string): Path {
  const [before = ''] = key.split('[', 1)
  return before.split(/(?<!\\)\./).map((step) => step.replaceAll('\\', ''))
}
