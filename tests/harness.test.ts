/** What the harness says of fixtures that are written in another way than it reads. */
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { folderWith } from './folders.js'
import { allRules, marksOf, root, runOf } from './harness.js'

await allRules()
const fixture = (text: string) => join(relative(root, folderWith({ 'bad.yaml': text })), 'bad.yaml')

describe('a mark', () => {
  it('is a line and a rule', () => {
    expect(marksOf(fixture('kind: Job\nspec: {} # expect: job-without-deadline, missing-field\n'))).toEqual([
      '2 job-without-deadline',
      '2 missing-field',
    ])
  })
  it('names a rule that there is', () => {
    expect(() => marksOf(fixture('spec: {} # expect: job-without-dedline\n'))).toThrow(
      /bad\.yaml:1: there is no rule "job-without-dedline"\. Did you mean "job-without-deadline"\?$/,
    )
  })
  it.each(['# expects: missing-field', '#expect: missing-field', '# expect: missing-field (twice)'])(
    'is not %s',
    (text) => {
      expect(() => marksOf(fixture(`spec: {} ${text}\n`))).toThrow(
        /bad\.yaml:1: write the mark as # expect: /,
      )
    },
  )
})

describe('what a fixture asks for', () => {
  it('are options that there are', () => {
    expect(runOf(fixture('# run: {"complete": true}\nkind: Job\n'))).toEqual({ complete: true })
    expect(runOf(fixture('kind: Job\n'))).toEqual({})
    expect(() => runOf(fixture('# run: {"compleet": true}\n'))).toThrow(
      /# run has no "compleet"\. Did you mean "complete"\?$/,
    )
  })
  it.each(['# run: {complete: true}', '#run: {"complete": true}', '# run: complete'])('is not %s', (text) => {
    expect(() => runOf(fixture(`${text}\n`))).toThrow(/on one line, as # run: \{"complete": true\}$/)
  })
})
