/** A time ends what it limits, whatever happens to memory meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { limited } from '../src/cluster/limit.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

describe('a limit', () => {
  it('ends with its time, after garbage was collected, too', async () => {
    const { signal } = limited(300, new AbortController().signal)
    await sleep(50)
    collectGarbage()
    collectGarbage()
    await sleep(500)
    expect(signal.reason).toMatchObject({ name: 'TimeoutError' })
  })

  it('ends with the other signal, for its reason', () => {
    const other = new AbortController()
    const { signal } = limited(60_000, other.signal)
    const released = limited(60_000, other.signal)
    released.release()
    other.abort(new Error('interrupted'))
    expect(signal.reason).toEqual(new Error('interrupted'))
    expect(limited(60_000, other.signal).signal.reason).toEqual(new Error('interrupted'))
    expect(released.signal.aborted).toBe(false)
  })

  it('may be longer than a timer', async () => {
    const { signal, release } = limited(2 ** 40, new AbortController().signal)
    await sleep(20)
    expect(signal.aborted).toBe(false)
    release()
  })
})
