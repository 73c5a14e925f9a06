/** Folders with files in them, which are gone when the tests of a file have ended. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll } from 'vitest'

/** What is in files, by their names; objects are written as JSON. */
export type Files = Readonly<Record<string, string | Buffer | object>>

const made: string[] = []
afterAll(() => {
  for (const path of made) rmSync(path, { recursive: true, force: true })
})

/** Makes a folder with these files, and the folders that they are in. */
export function folderWith(files: Files = {}): string {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'k8s-af-files-'))
  made.push(folder)
  writeFiles(folder, files)
  return folder
}

/** Writes files into a folder that is there. */
export function writeFiles(folder: string, files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    const isText = typeof content === 'string' || Buffer.isBuffer(content)
    writeFileSync(path, isText ? content : JSON.stringify(content))
  }
}
