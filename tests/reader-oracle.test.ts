/** Our reader against what kubectl's made of the same cases: values, and whether a text is read at all. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cases } from './oracle/cases.js'
import type { Verdict } from './oracle/oracle.js'
import { ours } from './oracle/ours.js'
import { sameVerdict } from './oracle/same.js'

const recorded = JSON.parse(readFileSync(join(__dirname, 'oracle', 'recorded.json'), 'utf8')) as Record<
  string,
  Verdict
>

/** Where we differ from kubectl, and why that is right or does not matter. */
const deliberate: readonly { readonly why: string; readonly cases: RegExp }[] = [
  {
    why: 'Keys that are fractions or beyond 2^53: Go writes or refuses them in its own way; no field of any object is called so.',
    cases:
      /^key (1_0e1_0|0\.1e-7|10{20}|-?9007199254740993|-?922337203685477580\d|1844674407370955161\d|0x?[F7]+|01?7{20,}|0xF{16})$|^(large|small|very large|larger|unsafe) (float|integer) key$|^large integer key$/,
  },
  {
    why: 'Infinity as a key: no field is called so.',
    cases: /^key [-+]?\.(inf|Inf|INF|nan|NaN|NAN)$|^infinity key$/,
  },
  {
    why: 'kubectl stops at the end of the first value and drops what follows in silence: a mistake, which we report.',
    cases: /^flow (\]a|a\])$|^key (\{\}|\[\])$|^first key indented, second not$|^key &a,b c$/,
  },
  {
    why: 'A question mark that go-yaml reads as the start of a key, which nobody means.',
    cases: /^(value|key|flow) (\[\?a\]|\{\?a: b\}|\?a)$|^key [[{]\? a( : b)?[\]}]$/,
  },
  {
    why: 'A colon at the end of a word in a flow collection is read as YAML 1.2 says: a key without a value.',
    cases: /^(value|flow) \[a:\]$|^flow, colon at the end$/,
  },
  {
    why: 'JSON with something after it: kubectl applies what comes first and then fails; we report the file.',
    cases: /^key \{"a":"b"\}$|^stream: JSON, (text after|two and text after|bracket after)$/,
  },
  {
    why: 'Unicode line breaks are text, as in YAML 1.2 and in editors.',
    cases: /⟦(0085|2028|2029)⟧|^(NEL|LS) as a line break$|^literal with a NEL$/,
  },
  {
    why: 'Control characters in comments and DEL in quotes do no harm.',
    cases: /⟦007F⟧|^control character in a comment$/,
  },
  {
    why: 'Oddities of anchors, tags and escapes that no manifest holds.',
    cases:
      /^key &a?$|^(value|key|flow) &a\.b-c\/d e$|^value !$|^key !!null ""$|\\UFFFFFFFF|^tag followed by a comma in flow$|^alias to a scalar as key without a space$|^explicit empty key$/,
  },
  {
    why: 'Keys longer than 1,024 characters: no object has one.',
    cases: /^long (key of (1025|2000)|quoted key|key in flow|key in flow, quoted)$/,
  },
  {
    why: 'A block scalar needs an indentation, and a space before a comment.',
    cases: /^comment right after a literal mark$|^literal, top level$/,
  },
  { why: 'A file of nothing but an end mark is empty.', cases: /^only a document end$/ },
  {
    why: 'What js-yaml takes and kubectl refuses, too rare to look for in every text.',
    cases:
      /^(value|flow) (: ?a|\[::?a\]|\{: a\})$|^flow, only a colon$|^comma and colon in flow$|^tag and a mapping on the key's line$|closed by a later one with a key after it$/,
  },
  {
    why: 'A key repeated around a merge key.',
    cases: /^merge into a repeated key$/,
  },
]

/** Where we count repeated keys differently. */
const otherDuplicates = /^number and text as keys$|^merge|^stream: JSON, repeated key$/

describe('the reader agrees with kubectl', () => {
  const all = cases()
  it('has a verdict for every case', () => {
    expect(all.filter(({ name }) => !(name in recorded)).map(({ name }) => name)).toEqual([])
  })
  it('on what is read, and as what', () => {
    const differing = all.filter(({ name, text }) => {
      const theirs = recorded[name]
      return theirs && !sameVerdict(theirs, ours(text)) && !deliberate.some((one) => one.cases.test(name))
    })
    expect(differing.map(({ name, text }) => ({ name, ours: ours(text), theirs: recorded[name] }))).toEqual(
      [],
    )
  })
  it('on repeated keys', () => {
    const differing = all.filter(({ name, text }) => {
      const theirs = recorded[name]
      if (!theirs || theirs.error !== undefined || text.includes('---') || otherDuplicates.test(name))
        return false
      return (theirs.duplicates ?? false) !== (ours(text).duplicates ?? false)
    })
    expect(differing.map(({ name }) => name)).toEqual([])
  })
  it.each(deliberate)('except: $why', ({ cases: pattern }) => {
    const matching = all.filter(({ name }) => pattern.test(name))
    expect(
      matching.some(({ name, text }) => !sameVerdict(recorded[name] ?? { values: [] }, ours(text))),
    ).toBe(true)
  })
})
