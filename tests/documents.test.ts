/** What the documents say of rules is so. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { allRules, root } from './harness.js'

const rules = await allRules()
const documents = [
  'README.md',
  'SECURITY.md',
  'deploy/README.md',
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
].filter((name) => name.endsWith('.md'))

/** The anchors of the headings of a document, as GitHub makes them. */
function anchorsIn(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

describe.each(documents)('%s', (name) => {
  const text = readFileSync(join(root, name), 'utf8')

  it('leads to pages and headings that are there', () => {
    const dead = [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].flatMap(
      ([link, path = '', anchor]) => {
        const target = path === '' ? join(root, name) : join(root, dirname(name), path)
        const isThere =
          existsSync(target) &&
          (anchor === undefined || anchorsIn(readFileSync(target, 'utf8')).includes(anchor))
        return isThere ? [] : [link]
      },
    )
    expect(dead).toEqual([])
  })

  it('calls the rules that it links to by their names', () => {
    const links = [...text.matchAll(/\[`?([a-z0-9-]+)`?\]\((?:docs\/)?rules\/([a-z0-9-]+)\.md\)/g)]
    expect(
      links.filter(([, label, id = '']) => label !== id || !rules.has(id)).map(([link]) => link),
    ).toEqual([])
  })

  it('has tables whose rows are as long as their heads', () => {
    const uneven = text.split(/\n(?!\|)/).flatMap((block) => {
      const rows = block.split('\n').filter((line) => line.startsWith('|'))
      const lengths = rows.map((row) => row.replaceAll('\\|', '').split('|').length)
      return rows.filter((_, index) => lengths[index] !== lengths[0])
    })
    expect(uneven).toEqual([])
  })
})

describe('docs/peers.md', () => {
  const text = readFileSync(join(root, 'docs/peers.md'), 'utf8')
  const said = [...text.matchAll(/\[([a-z0-9-]+)\]\(rules\/[^)]*\)(, off by default| after (\d+) (\w+))?/g)]

  it('says of the rules that are off by default that they are', () => {
    const wrong = said.filter(
      ([, id = '', after]) => (rules.get(id)?.recommended === false) !== (after === ', off by default'),
    )
    expect(wrong.map(([link]) => link)).toEqual([])
  })

  it('says how long a rule waits by default', () => {
    const times = said.filter(([, , , count]) => count !== undefined)
    expect(times.length).toBeGreaterThan(0)
    for (const [link, id = '', , count, unit = ''] of times)
      expect(`${link}: ${rules.get(id)?.params?.[unit]?.default}`).toBe(`${link}: ${count}`)
  })
})
