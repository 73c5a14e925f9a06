/**
 * Changes a file that other programs read and change at the same time: they find what was there or what is new, never half of
 * it. kubectl holds the same lock. Source: ModifyConfig and lockFile in k8s.io/client-go/tools/clientcmd.
 */
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringAt } from '../values/untyped.js'

/** Milliseconds to wait for a lock: it is held for a moment. */
const longestWait = 2000

/**
 * Gives the text of the file as it is now to `change`, and puts the answer in its place, with the same mode and owner. Where
 * the path is a link, the file that it leads to changes.
 * @throws what `change` throws, or why the file cannot be changed
 */
export async function rewrite(file: string, change: (text: string) => string): Promise<void> {
  const lock = `${file}.lock`
  await take(lock)
  try {
    const target = realpathSync(file)
    if (!statSync(target).isFile()) throw new Error('it is no file that can be written')
    const text = readFileSync(target, 'utf8')
    const changed = change(text)
    if (changed === text) return
    // A folder may let files be replaced that may not be written to.
    accessSync(target, constants.W_OK)
    replace(target, changed)
  } finally {
    rmSync(lock, { force: true })
  }
}

async function take(lock: string): Promise<void> {
  const end = Date.now() + longestWait
  for (;;) {
    try {
      return closeSync(openSync(lock, 'wx', 0o600))
    } catch (error) {
      if (stringAt(error, 'code') !== 'EEXIST') throw error
      if (Date.now() > end)
        throw new Error(`${lock} is there: another program changes the file, or has left its lock behind`)
    }
    await sleep(50)
  }
}

function replace(file: string, text: string): void {
  const beside = `${file}.${process.pid}.new`
  const was = statSync(file)
  try {
    const opened = openSync(beside, 'wx', 0o600)
    try {
      writeFileSync(opened, text)
      // Only the owner may read it where it cannot be given to the same people.
      fchmodSync(opened, isGiven(opened, was) ? was.mode & 0o777 : was.mode & 0o700)
      fsyncSync(opened)
    } finally {
      closeSync(opened)
    }
    renameSync(beside, file)
  } catch (error) {
    rmSync(beside, { force: true })
    if (stringAt(error, 'code') !== 'EBUSY') throw error
    // A file that is mounted by itself, as into a container, cannot be replaced.
    writeFileSync(file, text)
  }
}

function isGiven(opened: number, { uid, gid }: Stats): boolean {
  try {
    fchownSync(opened, uid, gid)
    return true
  } catch {
    return false
  }
}
