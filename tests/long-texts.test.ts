/**
 * Texts of 200 kB that would be read as often as they are long by expressions which look for an end from each of their characters:
 * minutes each, and the time limit of a test is seconds.
 */
import { describe, expect, it } from 'vitest'
import { render } from '../src/cluster/yaml.js'
import { emptyItemsIn, mended } from '../src/reader/mend.js'
import { readPaths } from '../src/reader/read.js'
import { isSuspicious } from '../src/reader/refuse.js'
import { split } from '../src/reader/split.js'
import { hasCommentBlank, isTemplate, withoutFrame } from '../src/reader/template.js'
import { blankIn, isQuantity, textFormats } from '../src/schema/format.js'
import { matcher } from '../src/schema/pattern.js'
import { commentsOf } from '../src/suppress/comments.js'
import { quantity, seconds } from '../src/values/quantity.js'
import { matchesWildcard } from '../src/values/wildcard.js'

const size = 200_000
const long = (part: string) => part.repeat(size / part.length)
const read = (text: string) =>
  readPaths(['-'], { cwd: '/', stdin: () => text, stdinFilename: 'a.yaml' }).problems.length

const cases: Readonly<Record<string, readonly [answer: () => unknown, expected: unknown]>> = {
  'a quantity of digits': [() => quantity(`${long('1')}x`), undefined],
  'what is no quantity': [() => isQuantity(`${long('1')}x`), false],
  'a duration of digits': [() => seconds(`${long('1')}x`), undefined],
  'a duration of a custom resource': [() => textFormats.duration?.is(long('1')), false],
  'words in capitals': [() => blankIn(`${long('A_')}!`), undefined],
  'words in small letters': [() => blankIn(`${long('a-')}!`), undefined],
  'dots between words': [() => blankIn(`${long('a.')}!`), undefined],
  'braces that words follow': [() => blankIn(`${long('{a ')}!`), undefined],
  'words between underscores': [() => blankIn(`${long('_A')}!`), undefined],
  'hyphens behind an order': [() => blankIn(`your${long('-')}!`), undefined],
  'stars in a row': [() => isSuspicious(`${long('*')}x`), false],
  'empty lines and braces': [() => isSuspicious(`x{{${long('\n')}x`), false],
  'empty lines and a question mark': [() => isSuspicious(`x?${long('\n')}x`), false],
  'anchors in a row': [() => isSuspicious(long('&a ')), false],
  'white space before no dash': [() => mended(`- ${long('\r')}`).length, size + 2],
  'aliases as keys': [
    () => mended(Array.from({ length: 20_000 }, (_, i) => `*key${i}: 1`).join('\n')).includes('*key'),
    false,
  ],
  'dashes in a row': [() => emptyItemsIn(long('- ')).length, 0],
  'braces that nothing closes': [() => isTemplate(`a: b: ${long('{{')}`), false],
  'code of ERB that ends before the line': [() => isTemplate(`${long('<%%> ')}x`), false],
  'a directive of FreeMarker that nothing closes': [() => isTemplate(`${long('<#if ')}x`), false],
  'a line of spaces in a template': [() => withoutFrame(`{{ a }}\n${long(' ')}x`)?.includes('{'), false],
  'a line of dashes': [() => hasCommentBlank(`a #@ b: #\n${long('-')}`), false],
  'JSON text without an end': [() => split(`{"a":"${long('\\"')}`).length, 1],
  'JSON text without an end, behind a backslash': [() => split(`{"a":"${long('\\"')}\\`).length, 1],
  'a broken line of dashes': [() => read(`kind: Pod\n ${long('-')}: - x`), 1],
  'a broken line of spaces': [() => read(`kind: Pod\na: b: ${long(' ')}x`), 1],
  'a broken line of braces': [() => read(`kind: Pod\na: ${long('{{')}`), 1],
  'a broken line of brackets': [() => read(`kind: Pod\na: ${long('[] ')}: - x`), 1],
  'a shell command of marks': [() => read(`kubectl ${long('< ')}\nkind: Pod\na: b: c`), 1],
  'a comment with a gap': [
    () => commentsOf({ name: 'a.yaml', text: `# k8s-af-ignore a${long(' ')}b` }, [])[0]?.text.length,
    size + 2,
  ],
  'spaces in a live object': [() => render({ a: `x\n${long(' ')}y\n` }).text.length > size, true],
  'empty lines in a live object': [() => render({ a: `x\n${long('\n')}y\n` }).text.length > size, true],
  'tabs in a live object': [() => render({ a: `x\n${long('\t')}y\n` }).text.length > size, true],
  'stars in a wildcard': [() => matchesWildcard('*a*a*a*a*a*b', long('a')), false],
  'repetitions of nothing': [() => matcher('((((){1000}){1000}){1000}){1000}'), undefined],
}

describe('the time for a long text does not explode with', () => {
  for (const [what, [answer, expected]] of Object.entries(cases))
    it(what, () => {
      expect(answer()).toEqual(expected)
    })
})

describe('a wildcard', () => {
  it('stands for any run of characters', () => {
    const all = ['', 'a', 'ab', 'ba', 'aba', 'abab', 'a\nb']
    const matching = (pattern: string) => all.filter((text) => matchesWildcard(pattern, text))
    expect(matching('*')).toEqual(all)
    expect(matching('a*')).toEqual(['a', 'ab', 'aba', 'abab', 'a\nb'])
    expect(matching('*a')).toEqual(['a', 'ba', 'aba'])
    expect(matching('a*b')).toEqual(['ab', 'abab', 'a\nb'])
    expect(matching('a*a')).toEqual(['aba'])
    expect(matching('*ba*b')).toEqual(['abab'])
    expect(matching('ab')).toEqual(['ab'])
    expect(matching('.*')).toEqual([])
  })
})
