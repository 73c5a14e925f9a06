/** What matters of an error of kustomize. */
import { join } from 'node:path'
import { displayName } from '../reader/files.js'
import { enumerate } from '../values/enumerate.js'

/**
 * An error of kustomize as a person would tell it: what is wrong with which file, and by way of which kustomizations it comes there.
 * kustomize tries every path as a file and then as a folder, and tells both failures for each kustomization that builds on another one.
 * Undefined where it says no more than that. Source: sigs.k8s.io/kustomize/api, internal/target (kusttarget.go).
 * @param folder the absolute path of what was to be built
 */
export function essence(error: string, folder: string, cwd: string): string | undefined {
  const nameOf = (path: string) => displayName(path, cwd)
  const whole = error.replace(/^\s*(?:Error: )?/, '')
  const { rest, through } = unwrapped(whole)
  const [at = folder] = through.slice(-1)
  const told = leaf(rest, (path) => (path.includes('://') ? path : nameOf(join(at, path))))
  if (told === whole) return undefined
  const isNamed = told !== rest || through.some((path) => rest.includes(path))
  const text = (isNamed ? told : `${nameOf(at)}: ${told}`).replaceAll(`${cwd}/`, '')
  const between = through.slice(0, -1).map(nameOf)
  return between.length === 0 ? text : `${text}\n(by way of ${enumerate(between, 'and')})`
}

/** What a path was tried as first is of no interest where it is a folder, or in a repository. */
const triedAsFile =
  /^accumulating resources: accumulation err='accumulating resources from '[^']*': (?:'[^']*' must resolve to a file|URL is a git repository)': /
const inFolder =
  /^(?:recursed accumulation of|recursed merging from|couldn't make target for) path '([^']*)': /
const ofComponent = /^accumulating components: (?:accumulateDirectory:|loader\.New) (".*")$/s

/** The error without what leads to it, and the folders of the kustomizations on the way. */
function unwrapped(error: string): { readonly rest: string; readonly through: readonly string[] } {
  const through: string[] = []
  let rest = error
  for (;;) {
    const [, component] = ofComponent.exec(rest) ?? []
    const [, folder] = inFolder.exec(rest) ?? []
    if (folder !== undefined) through.push(folder)
    const next =
      component === undefined ? rest.replace(inFolder, '').replace(triedAsFile, '') : unquoted(component)
    if (next === rest) return { rest, through }
    rest = next
  }
}

/** A text that Go has put in quotes; the same where it has done so as JSON does not. */
function unquoted(text: string): string {
  try {
    return String(JSON.parse(text))
  } catch {
    return text.slice(1, -1)
  }
}

/** What is said of a file or address that a kustomization lists; anything else as it is. */
function leaf(error: string, nameOf: (path: string) => string): string {
  const [, file, reason] =
    /^accumulating resources: accumulation err='(?:accumulating|merging) resources from '([^']*)': (.*)': must build at directory: /s.exec(
      error,
    ) ??
    /^accumulating resources: (?:accumulating|merging) resources from '([^']*)': (.*)$/s.exec(error) ??
    /^accumulating resources: accumulation err='accumulating resources from '([^']*)': .*?': (.*)$/s.exec(
      error,
    ) ??
    []
  const said = (reason ?? error)
    .replace(/^must build at directory: not a valid directory: /, '')
    .replace(/evalsymlink failure on '([^']*)' : lstat [^:]*: /g, '$1: ')
    .replace(/^MalformedYAMLError: (.*) in File: \S+$/s, '$1')
  return file === undefined || said.startsWith('/') ? said : `${nameOf(file)}: ${said}`
}
