/** What a test has opened and its end closes. */
import { afterEach } from 'vitest'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

/** Has something closed at the end of the test. */
export function closing<T extends { close(): Promise<void> }>(one: T): T {
  open.push(one)
  return one
}
