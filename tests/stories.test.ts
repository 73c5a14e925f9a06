/** Every story is whole, and every story that a rule names exists. */
import Ajv from 'ajv'
import { describe, expect, it } from 'vitest'
import { loadStories } from '../src/registry.js'
import { allRules } from './harness.js'

const rules = await allRules()
const stories = loadStories()

const text = { type: 'string', minLength: 10, pattern: '^\\S[\\s\\S]*$' } as const
const validate = new Ajv({ allowUnionTypes: true }).compile({
  type: 'object',
  additionalProperties: false,
  required: [
    'id',
    'org',
    'year',
    'title',
    'brief',
    'happened',
    'symptoms',
    'cause',
    'impact',
    'lesson',
    'url',
    'evidence',
    'core',
  ],
  properties: {
    id: { type: 'string', pattern: '^[a-z0-9-]+$' },
    org: { type: 'string', minLength: 2 },
    year: { type: 'integer', minimum: 2014, maximum: 2026 },
    title: text,
    // Shown under a finding: three lines of a terminal.
    brief: { ...text, maxLength: 240, pattern: '[.!]$' },
    happened: text,
    symptoms: { type: 'array', items: { type: 'string', minLength: 3 } },
    cause: text,
    impact: { type: 'string', minLength: 3 },
    lesson: text,
    url: { type: ['string', 'null'], pattern: '^https?://' },
    evidence: { enum: ['full', 'excerpt', 'list'] },
    core: { type: 'boolean' },
  },
})

describe('stories', () => {
  for (const [id, story] of stories) {
    it(id, () => {
      validate(story)
      expect(validate.errors).toBeNull()
      expect(JSON.stringify(story)).not.toMatch(/\s-\s|TODO|undefined/)
    })
  }
})

describe('rules name stories that exist', () => {
  for (const [id, rule] of rules) {
    it(id, () => {
      expect(rule.stories.filter((story) => !stories.has(story))).toEqual([])
    })
  }
})
