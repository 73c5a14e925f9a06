/** Every story is whole, says something of its own in each field, and every story that a rule names exists. */
import Ajv from 'ajv'
import { describe, expect, it } from 'vitest'
import { loadStories } from '../src/registry.js'
import { allRules } from './harness.js'

const rules = await allRules()
const stories = loadStories()

/** One or more sentences on one line. */
const sentences = { type: 'string', minLength: 4, pattern: '^[A-Za-z0-9][^\\n]*[.!]$' }
const properties = {
  id: { type: 'string', pattern: '^[a-z0-9-]+$' },
  org: { type: 'string', minLength: 2 },
  year: { type: 'integer', minimum: 2014, maximum: 2026 },
  title: { type: 'string', minLength: 10 },
  // Shown under a finding: three lines of a terminal.
  brief: { ...sentences, minLength: 40, maxLength: 240 },
  // By the rules that are about another part of it.
  briefs: { type: 'object', additionalProperties: { ...sentences, minLength: 40, maxLength: 240 } },
  happened: { type: 'string', minLength: 200, maxLength: 1200, pattern: '[.)]\\n$' },
  // Markdown list items, and no sentences.
  symptoms: { type: 'array', minItems: 1, items: { type: 'string', minLength: 3, pattern: '[^.\\s]$' } },
  cause: sentences,
  impact: sentences,
  lesson: { ...sentences, minLength: 20 },
  url: { type: ['string', 'null'], pattern: '^https?://\\S+$' },
  evidence: { enum: ['full', 'excerpt', 'list'] },
  core: { type: 'boolean' },
}
const validate = new Ajv({ allowUnionTypes: true }).compile({
  type: 'object',
  additionalProperties: false,
  required: Object.keys(properties).filter((name) => name !== 'briefs'),
  properties,
})

describe('stories', () => {
  it.each([...stories])('%s', (_, story) => {
    validate(story)
    expect(validate.errors).toBeNull()
    // What is printed before the brief is not said again in it, and the page does not begin with it.
    for (const brief of [story.brief, ...Object.values(story.briefs ?? {})]) {
      expect(brief).not.toContain(story.org)
      expect(brief).not.toContain(String(story.year))
      expect(story.happened.replaceAll('\n', ' ')).not.toContain(brief)
    }
    for (const rule of Object.keys(story.briefs ?? {})) expect(rules.get(rule)?.stories).toContain(story.id)
    // Markdown keeps a code span on one line.
    expect(story.happened.split('\n').filter((line) => line.split('`').length % 2 === 0)).toEqual([])
  })
})

describe('rules name stories that exist', () => {
  it.each([...rules])('%s', (_, rule) => {
    expect(rule.stories.filter((story) => !stories.has(story))).toEqual([])
  })
})
