/** Comments of Go templates: which of them speak to this program, and the lines that they are about. */
import { describe, expect, it } from 'vitest'
import { templateCommentsOf } from '../src/suppress/template-comments.js'

const comment = '{{/* k8s-af-ignore a-rule -- why */}}'
const found = (text: string) => templateCommentsOf({ name: 'web.yaml', text })

/** The lines that the comments of a template are about, by their texts. */
function covered(text: string): string[][] {
  const lines = text.split('\n')
  return found(text).map(({ from, to }) => lines.slice(from - 1, to).map((line) => line.trim()))
}

describe('what is a comment of a template', () => {
  it('stands in braces, with or without trim marks, on one line or several', () => {
    for (const text of [
      comment,
      '{{- /* k8s-af-ignore a-rule -- why */ -}}',
      '{{/*k8s-af-ignore a-rule -- why*/}}',
      '{{/* # k8s-af-ignore a-rule -- why */}}',
      '{{- /*\n  Words.\n  k8s-af-ignore a-rule -- why\n*/ -}}',
    ])
      expect(found(`${text}\na: b\n`)).toMatchObject([{ word: 'k8s-af-ignore', text: 'a-rule -- why' }])
  })
  it('is no text, and nothing in quotes', () => {
    for (const text of [
      '# k8s-af-ignore a-rule -- why',
      'a: "{{ "/* k8s-af-ignore a-rule -- why */" }}"',
      '{{/* about k8s-af-ignore */}}',
      '{{ /* k8s-af-ignore a-rule -- why',
    ])
      expect(found(`${text}\na: b\n`)).toEqual([])
  })
  it('is placed as it is written', () => {
    expect(found(`a:\n  ${comment}\n  b: c\n`)[0]?.range).toMatchObject({ line: 2, column: 3, endColumn: 40 })
    expect(found('{{/*\n  k8s-af-ignore a -- b\n*/}}\na: b\n')[0]?.range).toMatchObject({
      line: 2,
      column: 3,
    })
  })
})

describe('a comment of a template is about', () => {
  it('its line, beside something', () => {
    expect(covered(`a:\n  b: c ${comment}\n  d: e\n`)).toEqual([[`b: c ${comment}`]])
    expect(covered(`a:\n  {{ include "b" . }} ${comment}\n  d: e\n`)[0]).toHaveLength(1)
  })
  it('the node that follows, past what prints nothing', () => {
    const text = `a:
  x: 1
  ${comment}
  {{- with .Values.b }}

  b:
    {{- toYaml . | nindent 4 }}
{{ toYaml .Values.c | indent 4 }}
    - {{ .d }}
  {{- end }}
  e: 2
`
    expect(covered(text)[0]).toEqual([
      'b:',
      '{{- toYaml . | nindent 4 }}',
      '{{ toYaml .Values.c | indent 4 }}',
      '- {{ .d }}',
    ])
  })
  it('one item of a list, or all of a list at the indentation of its key', () => {
    expect(covered(`a:\n${comment}\n- b: 1\n  c: 2\n- d: 3\n`)).toEqual([['- b: 1', 'c: 2']])
    expect(covered(`x:\n  y: 1\n${comment}\na:\n- b: 1\n- c: 2\nd: 3\n`)).toEqual([
      ['a:', '- b: 1', '- c: 2'],
    ])
  })
  it('what an action prints', () => {
    expect(covered(`x: 1\na:\n  ${comment}\n  {{- include "b" . | nindent 2 }}\n  c: 1\n`)).toEqual([
      ['{{- include "b" . | nindent 2 }}'],
    ])
  })
  it('the whole document, before its first key', () => {
    const document = 'kind: A\nmetadata:\n  name: b'
    const lines = document.split('\n').map((line) => line.trim())
    expect(covered(`{{- if .x }}\n${comment}\n# words\n${document}\n{{- end }}\n`)).toEqual([lines])
    expect(covered(`a: b\n---\n${comment}\n${document}\n---\nc: d\n`)).toEqual([lines])
    expect(covered(`${comment}\n{{- range .x }}\n---\n${document}\n{{- end }}\n`)).toEqual([lines])
    expect(found(`${comment}\n{{- range .x }}\n---\n${document}\n{{- end }}\n`)[0]?.isWhole).toBe(true)
    expect(found(`${comment}\n${document}\n---\nc: d\n`)[0]?.isWhole).toBe(false)
  })
  it('all of the named template that follows', () => {
    const text = `${comment}\n{{- define "a" -}}\n  b: 1\nc: 2\n{{- end }}\n{{- define "d" -}}\ne: 3\n{{- end }}\n`
    expect(covered(text)).toEqual([['b: 1', 'c: 2']])
  })
  it('nothing behind the block in which it stands', () => {
    expect(covered(`a:\n  {{- if .x }}\n  ${comment}\n  {{- else }}\n  b: 1\n  {{- end }}\n`)).toEqual([[]])
    expect(covered(`a:\n  {{- if .x }}\n  ${comment}\n  b:\n    c: 1\n  {{- end }}\n    d: 1\n`)).toEqual([
      ['b:', 'c: 1'],
    ])
    expect(covered(`a: b\n${comment}\n---\nc: d\n`)).toEqual([[]])
    expect(covered(`a: b\n${comment}`)).toEqual([[]])
  })
})
