/** Paths that a user typed. */
import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { quoted } from '../engine/patch.js'
import { nearestName } from '../values/similar.js'
import { isTooWild } from '../values/wildcard.js'

/** Whether a word in the place of a command was rather meant as a path. */
export function looksLikePath(word: string): boolean {
  return /[/\\*]|^\.\.?$|\.(ya?ml|json)$/i.test(word) || existsSync(word)
}

/** `no such file or folder: deploy/ap.yaml. Did you mean deploy/app.yaml?` */
export function missingPath(path: string, cwd: string): string {
  try {
    lstatSync(resolve(cwd, path))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return `no permission to look for ${path}.`
  }
  if (/^https?:\/\//.test(path))
    return `${path} is an address, and lint does not use the network: curl -fsSL ${quoted(path)} | k8s-af lint -`
  if (/[*+]/.test(path) && isTooWild(path)) return `${path} has too many stars: write out more of the names.`
  const folder = dirname(path)
  let neighbours: string[] = []
  try {
    neighbours = readdirSync(resolve(cwd, folder))
  } catch {
    // The folder is missing, too: nothing to propose.
  }
  const near = nearestName(basename(path), neighbours)
  const isPattern = /[*?{[]/.test(path)
  return `${isPattern ? 'nothing matches' : 'no such file or folder:'} ${path}.${near === undefined ? '' : ` Did you mean ${folder === '.' ? near : join(folder, near)}?`}`
}
