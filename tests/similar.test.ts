/** How far apart names are. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { editDistance, nearestName } from '../src/values/similar.js'

/** The whole table, as the definition has it. */
function inFull(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row[j] = Math.min(
        (rows[i - 1]?.[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (rows[i - 1]?.[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
        isSwap ? (rows[i - 2]?.[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      )
    }
    rows.push(row)
  }
  return rows[a.length]?.[b.length] ?? 0
}

describe('the distance of two names', () => {
  it('is that of the whole table, up to the most that is asked for', () => {
    const name = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 9 }).map((letters) => letters.join(''))
    const check = (a: string, b: string, most: number) => {
      // Above the most it says no more than that it is more.
      const upTo = (distance: number) => Math.min(distance, most + 1)
      expect(upTo(editDistance(a, b, most))).toBe(upTo(inFull(a, b)))
    }
    fc.assert(fc.property(name, name, fc.integer({ min: 1, max: 4 }), check), { numRuns: 10_000 })
  })

  it('is that of an empty one and of long ones, in any order', () => {
    expect(editDistance('ab', '', 2)).toBe(2)
    expect(editDistance('', 'ab', 2)).toBe(2)
    const long = 'a'.repeat(5_000)
    expect(editDistance(long, `${long}b`, 2)).toBe(1)
    expect(editDistance('ba', 'ab', 2)).toBe(1)
  })
})

describe('the nearest name', () => {
  it('is one that may be meant', () => {
    expect(nearestName('imagePulPolicy', ['image', 'imagePullPolicy', 'name'])).toBe('imagePullPolicy')
    expect(nearestName('NAME', ['name'])).toBe('name')
    expect(nearestName('web-1', ['web-2'])).toBeUndefined()
    expect(nearestName('web', ['web', 'api'])).toBeUndefined()
  })
})
