/** Which line of a template has made what: marks go in, and come out with it. */
import { describe, expect, it } from 'vitest'
import { chartValues } from '../src/built/chart-values.js'
import { partsOf } from '../src/built/go-template.js'
import { markedDocuments } from '../src/built/marked-output.js'
import { isRepeatable } from '../src/built/marked-render.js'
import { type Mark, withMarks, writtenValues } from '../src/built/marks.js'
import { examinedTemplates } from '../src/built/named-templates.js'
import type { Sources } from '../src/built/sources.js'

const template = (text: string) => ({ name: 'x.yaml', path: '/c/templates/x.yaml', text })

/** What Helm would print of templates whose actions are words in quotes alone. */
function render(text: string): string {
  const trimmed = text.replace(/\s+(?=\{\{-\s)/g, '').replace(/(?<=\s-\}\})\s+/g, '')
  return trimmed.replace(/\{\{-?\s*(?:\/\*.*?\*\/|(?:"([^"]*)"))?\s*-?\}\}/gs, (_, word = '') =>
    JSON.parse(`"${word}"`),
  )
}

function marked(text: string, inDefines = true) {
  const marks: Mark[] = []
  const copy = withMarks(template(text), marks, () => inDefines) ?? ''
  return { copy, marks }
}

describe('a template', () => {
  const codes = (text: string) =>
    partsOf(text)?.map(({ start, end, code }) => code ?? [text.slice(start, end)])
  it('is text and actions', () => {
    expect(codes('a: {{ .b }}\nc: {{- "}}" -}} d')).toEqual([['a: '], '.b', ['\nc: '], '"}}"', [' d']])
    expect(codes('{{- /* {{ x }} */ -}}{{ `}}"` }}{{/* y */}}')).toEqual(['', '`}}"`', ''])
    expect(codes('{{-1}}{{ "\\"}}" | f "a" }}')).toEqual(['-1', '"\\"}}" | f "a"'])
    expect(codes('{{ a\n  | b }}')).toEqual(['a\n  | b'])
  })
  it('is none with an action that does not end', () => {
    expect(codes('a {{ "b }}')).toBeUndefined()
    expect(codes('a {{ b }')).toBeUndefined()
    expect(codes('{{/* b }}')).toBeUndefined()
    expect(withMarks(template('{{ if .a }} b'), [], () => true)).toBeUndefined()
    expect(withMarks(template('b {{ end }}'), [], () => true)).toBeUndefined()
  })
})

describe('marks', () => {
  it('change nothing else', () => {
    const pieces = ['a: ', '\n  ', '\n', ' ', '- b', '"', '#', '---\n', '\r\n', '⟨']
    const actions = ['{{ "x" }}', '{{- "x\\n y" }}', '{{ "" -}}', '{{- "z" -}}', '{{- /* } */ -}}', '{{"q"}}']
    let seed = 7
    const any = (list: readonly string[]) => {
      seed = (seed * 1103515245 + 12345) % 2147483648
      return list[(seed >> 8) % list.length] ?? ''
    }
    for (let i = 0; i < 500; i++) {
      const text = Array.from({ length: 1 + (i % 12) }, () =>
        any(any(['a', 'b']) === 'a' ? pieces : actions),
      ).join('')
      const { copy, marks } = marked(text)
      const output = `---\n# Source: c/templates/x.yaml\n${render(copy)}\n`
      const [first, ...more] = markedDocuments(output, marks).get('c/templates/x.yaml') ?? []
      const all = [first, ...more].map((one) => one?.lines.join('\n') ?? '')
      const plain = render(text)
        .trim()
        .split(/(?:^|\s*\n)---\s*/)
      expect(all.join('|'), JSON.stringify(text)).toBe(
        plain
          .map((one) => one.trim())
          .filter((one) => one !== '')
          .join('|'),
      )
    }
  })
  const origins = (text: string, output = render(marked(text).copy)) => {
    const { marks } = marked(text)
    const [found] = markedDocuments(`---\n# Source: c/x.yaml\n${output}\n`, marks).get('c/x.yaml') ?? []
    return found?.lines.map((line, i) => {
      const origin = found.origin(i, line.search(/\S|$/))
      return origin && `${text.slice(origin.mark.start, origin.mark.end)}${origin.isBlock ? ' (block)' : ''}`
    })
  }
  it('say what has made a line', () => {
    expect(origins('a: 1\n{{- "\\n" }}b: {{ "2" }}\n\nc: 3')).toEqual(['a: 1', 'b:', undefined, 'c: 3'])
    expect(origins('a:\n  {{- "\\n  b: 1\\n  c: 2" }}\n{{ "d" }}: 3')).toEqual([
      'a:',
      '{{- "\\n  b: 1\\n  c: 2" }} (block)',
      '{{- "\\n  b: 1\\n  c: 2" }} (block)',
      '{{ "d" }}',
    ])
  })
  it('say nothing where a function has cut them', () => {
    expect(origins('a: {{ "b" }}', '⟦0⟧a: ⟦+1⟧b⟦-')).toBeUndefined()
    expect(origins('a: {{ "b" }}', '⟦0⟧a: ⟦+1⟧b')).toBeUndefined()
    expect(origins('a: {{ "b" }}', '⟦0⟧a: ⟦+1⟧b⟦-0⟧')).toBeUndefined()
    expect(origins('a: {{ "b" }}', '⟦9⟧a: b')).toBeUndefined()
  })
  it('stand in named templates that write YAML, and in no others', () => {
    const word = '{{ define "word" }}true{{ end }}'
    const block = '{{ define "block" }}\na: {{ .b }}\n{{ end }}'
    expect(marked(word + block).copy).toContain(word)
    expect(marked(word + block).copy).not.toContain(block)
    expect(marked(word + block, false).copy).toBe(word + block)
  })
  it('are kept out of what is looked into, and of what that includes', () => {
    const helpers =
      '{{ define "a" }}{{ include "b" . | nindent 2 }}{{ end }}{{ define "c" }}{{ include "d" . }}{{ end }}'
    const uses =
      '{{ if eq (include "a" .) "x" }}{{ include "c" . | nindent 4 }}{{ end }}{{ $x := include "e" . }}{{ include "f" . | fromYaml | toYaml }}'
    expect([...examinedTemplates([helpers, uses])].sort()).toEqual(['a', 'b', 'e', 'f'])
  })
  it('know the value that is printed', () => {
    const values = (text: string) => marked(text).marks.flatMap((one) => one.values?.join('.') ?? [])
    expect(values('{{ .Values.a.b | default 1 | quote }}{{ toYaml $.Values.c }}')).toEqual(['a.b', 'c'])
    // Go sees a keyword there, too.
    expect(values('{{if.Values.a}}{{with.Values.b}}{{.c}}{{end}}{{end}}')).toEqual(['b.c'])
    expect(values('{{ with .Values.a }}{{ .b }}{{ $.Values.c }}{{ else }}{{ .Values.d }}{{ end }}')).toEqual([
      'a.b',
      'c',
      'd',
    ])
    expect(
      values('{{ with $x := .Values.a }}{{ with .b }}{{ toYaml . | indent 2 }}{{ end }}{{ end }}'),
    ).toEqual(['a.b'])
    expect(values('{{ range .Values.a }}{{ .b }}{{ end }}{{ with .Chart }}{{ .Values.d }}{{ end }}')).toEqual(
      [],
    )
    expect(
      writtenValues(
        '{{ $_ := set .Values.a.b "c" 1 }}{{ merge (index $.Values "x") . }}{{ set $x .Values.y }}',
      ),
    ).toEqual([['a', 'b', 'c'], ['x']])
    expect(values('{{ add .Values.a 1 }}{{ default .Values.a .Values.b }}{{ $x }}{{ .Chart.Name }}')).toEqual(
      [],
    )
  })
})

describe('values', () => {
  const files: Record<string, unknown> = {
    '/c/values.yaml': { a: 1, b: { c: 2, d: 3 }, sub: { x: 4 }, global: { g: 5 } },
    '/c/charts/sub/values.yaml': { x: 6, y: 7, global: { g: 8 } },
    '/prod.yaml': { b: { c: 9 }, a: null },
  }
  const sources = {
    documents: (path: string) =>
      path in files ? [{ file: { name: path, text: '' }, value: files[path] }] : [],
  } as unknown as Sources
  const find = (args: readonly string[], source: string, path: string, named: readonly string[] = []) => {
    const template = source.replace('chart', '/c')
    const found = chartValues('/c', [template], named, args, sources)(source, template, path.split('.'))
    return found && `${found.document.file.name} ${found.path.join('.')}`
  }
  const own = 'chart/templates/x.yaml'
  const sub = 'chart/charts/sub/templates/x.yaml'
  it('come from the last file that has them', () => {
    expect(find([], own, 'b.c')).toBe('/c/values.yaml b.c')
    expect(find([], own, 'b.c', ['/prod.yaml'])).toBe('/prod.yaml b.c')
    expect(find([], own, 'b.d', ['/prod.yaml'])).toBe('/c/values.yaml b.d')
    expect(find([], own, 'a', ['/prod.yaml'])).toBeUndefined()
    expect(find([], own, 'e')).toBeUndefined()
  })
  it('of a chart in the chart are in its own file, or in that of the outer one', () => {
    expect(find([], sub, 'x')).toBe('/c/values.yaml sub.x')
    expect(find([], sub, 'y')).toBe('/c/charts/sub/values.yaml y')
    expect(find([], sub, 'global.g')).toBe('/c/values.yaml global.g')
  })
  it('are unknown where an argument sets them, or may', () => {
    expect(find(['--set=z=1,b.c=1'], own, 'b.c')).toBeUndefined()
    expect(find(['--set=b=1'], own, 'b.c')).toBeUndefined()
    expect(find(['--set-string', 'b.c[0]=1'], own, 'b.c')).toBeUndefined()
    expect(find(['--set=b.d=1'], own, 'b.c')).toBe('/c/values.yaml b.c')
    expect(find(['-fx.yaml'], own, 'b.c')).toBeUndefined()
    expect(find(['--set-json={"b":1}'], own, 'b.c')).toBeUndefined()
  })
})

it('a chart is rendered a second time only where that does nothing else', () => {
  expect(isRepeatable(['--set=a=b', '--set', 'c=d', '--api-versions=x/v1', '-a', 'y/v1'])).toBe(true)
  for (const flag of ['--output-dir=x', '--post-renderer=x', '--dependency-update', '--dry-run=server'])
    expect(isRepeatable([flag])).toBe(false)
})
