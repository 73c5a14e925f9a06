/** Changes in the text of documents: what is asked for, and nothing else. */
import { describe, expect, it } from 'vitest'
import type { Edit } from '../src/finding.js'
import { spliced } from '../src/fix/splice.js'

const set = (path: string, value: unknown): Edit => ({ op: 'set', path: steps(path), value })
const remove = (path: string): Edit => ({ op: 'remove', path: steps(path) })
const move = (path: string, to: string): Edit => ({ op: 'move', path: steps(path), to: steps(to) })
const steps = (path: string) => path.split('.').map((step) => (/^\d+$/.test(step) ? Number(step) : step))

/** The text without the indentation of the test. */
function yaml([text = '']: readonly string[]): string {
  const lines = text.replace(/^\n/, '').replace(/\n *$/, '\n').split('\n')
  const indent = Math.min(...lines.filter((line) => line.trim() !== '').map((line) => line.search(/\S/)))
  return lines.map((line) => line.slice(indent)).join('\n')
}

const cases: Record<
  string,
  readonly [before: string, edit: Edit | readonly Edit[], after: string | undefined]
> = {
  'a value': ['a: 1 # why\nb: 2\n', set('a', 3), 'a: 3 # why\nb: 2\n'],
  'a value in double quotes keeps them': ['a: "x"\n', set('a', 'y'), 'a: "y"\n'],
  'a value in single quotes keeps them': ["a: 'x'\n", set('a', "it's"), "a: 'it''s'\n"],
  'a text that would be a number gets quotes': ['a: 1\n', set('a', '1'), 'a: "1"\n'],
  'a text that YAML 1.1 takes for a boolean gets quotes': ['a: b\n', set('a', 'yes'), 'a: "yes"\n'],
  'a value that is not there': ['a:\nb: 2\n', set('a', 1), 'a: 1\nb: 2\n'],
  'a value that is not there, with a comment': ['a: # why\nb: 2\n', set('a', 1), 'a: 1 # why\nb: 2\n'],
  'the last line has no end': ['a: 1', set('b', 2), 'a: 1\nb: 2'],
  'a new field stands behind the short ones': [
    yaml`
      spec:
        schedule: '* * * * *' # always
        # the template
        template:
          spec: {}
    `,
    set('spec.deadline', 900),
    yaml`
      spec:
        schedule: '* * * * *' # always
        deadline: 900
        # the template
        template:
          spec: {}
    `,
  ],
  'a new field stands before a long one and what is said of it': [
    yaml`
      spec:
        # what runs
        template:
          spec: {}
    `,
    set('spec.deadline', 900),
    yaml`
      spec:
        deadline: 900
        # what runs
        template:
          spec: {}
    `,
  ],
  'a new field of an object': [
    'apiVersion: v1\nmetadata:\n  name: a\n# end\n',
    set('immutable', true),
    'apiVersion: v1\nmetadata:\n  name: a\nimmutable: true\n# end\n',
  ],
  'a new field of a list item': [
    yaml`
      containers:
      - name: a
        ports:
        - 1
      - ports:
        - 2
    `,
    [set('containers.0.image', 'x:1'), set('containers.1.image', 'y:1')],
    yaml`
      containers:
      - name: a
        image: x:1
        ports:
        - 1
      - ports:
        - 2
        image: y:1
    `,
  ],
  'the only field goes deeper': [
    yaml`
      selector: # of the pods
        # its name
        app: web # always
      next: 1
    `,
    move('selector.app', 'selector.matchLabels.app'),
    yaml`
      selector: # of the pods
        matchLabels:
          # its name
          app: web # always
      next: 1
    `,
  ],
  'the only field goes deeper at the end': [
    'a:\n  b: 1',
    move('a.b', 'a.c.d.b'),
    'a:\n  c:\n    d:\n      b: 1',
  ],
  'the only field goes deeper on its line': [
    'selector: { app: "web" } # x\n',
    move('selector.app', 'selector.matchLabels.app'),
    'selector: { matchLabels: { app: "web" } } # x\n',
  ],
  'what is missing on the way': [
    yaml`
      spec:
        containers:
          - name: a
    `,
    set('spec.containers.0.lifecycle.preStop', { exec: { command: ['sleep', '5'] } }),
    yaml`
      spec:
        containers:
          - name: a
            lifecycle:
              preStop:
                exec:
                  command:
                    - sleep
                    - '5'
    `,
  ],
  'an empty mapping': [
    yaml`
      a:
        resources: {}
    `,
    set('a.resources.limits.memory', '1Gi'),
    yaml`
      a:
        resources:
          limits:
            memory: 1Gi
    `,
  ],
  'a mapping in braces': ['a: { b: 1 } # why\n', set('a.c', 2), 'a: { b: 1, c: 2 } # why\n'],
  'a list in brackets': ['a: [b]\n', set('a.1', { c: 'd' }), 'a: [b, {c: d}]\n'],
  'an item behind a list': [
    'a:\n- b: 1\n# end\n',
    set('a.1', { b: 2, c: 3 }),
    'a:\n- b: 1\n- b: 2\n  c: 3\n# end\n',
  ],
  'JSON on one line': ['{"a": {"b": 1}}', set('a.c', 'x'), '{"a": {"b": 1, "c": "x"}}'],
  'JSON on many lines': [
    '{\n  "a": {\n    "b": 1\n  }\n}\n',
    [set('a.c', ['x']), set('a.b', 2)],
    '{\n  "a": {\n    "b": 2,\n    "c": ["x"]\n  }\n}\n',
  ],
  'a block scalar': ['a: |\n  x\n\nb: 1\n', set('a', 'z'), 'a: z\n\nb: 1\n'],
  'lines of a literal': [
    'a: | # why\n  x {\n    y\n  }\n\n  z\n# end\nb: 1\n',
    set('a', 'x {\n}\n\nz\n'),
    'a: | # why\n  x {\n  }\n\n  z\n# end\nb: 1\n',
  ],
  'a field goes': ['a: 1\n# of b\nb: 2\nc: 3\n', remove('b'), 'a: 1\n# of b\nc: 3\n'],
  'a field goes with all that is in it': ['a:\n  b: |\n    x\n\n    y\nc: 3\n', remove('a'), 'c: 3\n'],
  'the first field of an item goes': ['- a: 1\n  b: 2\n', remove('0.a'), '- b: 2\n'],
  'the only field goes': ['x:\n  a: 1\nz: 2\n', remove('x.a'), 'x: {}\nz: 2\n'],
  'the only item goes': ['x:\n- a\nz: 2\n', remove('x.0'), 'x: []\nz: 2\n'],
  'an item goes': ['x:\n- a: 1\n  b: 2\n- c\n', remove('x.0'), 'x:\n- c\n'],
  'a part of braces goes': [
    'x: {a: 1, b: 2}\nz: [1, 2]\n',
    [remove('x.a'), remove('z.1')],
    'x: {b: 2}\nz: [1]\n',
  ],
  'a field moves up, and what is said of it': [
    yaml`
      spec:
        schedule: x
        jobTemplate:
          spec:
            # never two at a time
            concurrencyPolicy: Forbid # really
            template: {}
    `,
    move('spec.jobTemplate.spec.concurrencyPolicy', 'spec.concurrencyPolicy'),
    yaml`
      spec:
        schedule: x
        # never two at a time
        concurrencyPolicy: Forbid # really
        jobTemplate:
          spec:
            template: {}
    `,
  ],
  'a block moves down': [
    yaml`
      spec:
        volumes:
        - name: a
          text: |
            1
              2
        template:
          spec:
            containers: []
    `,
    move('spec.volumes', 'spec.template.spec.volumes'),
    yaml`
      spec:
        template:
          spec:
            containers: []
            volumes:
            - name: a
              text: |
                1
                  2
    `,
  ],
  'a field moves to where nothing is': [
    'a:\n  x: 1\n  z: 2\n',
    move('a.x', 'b.c.x'),
    'b:\n  c:\n    x: 1\na:\n  z: 2\n',
  ],
  'a field moves to where nothing is, and what is said of it': [
    'a:\n  # of x\n  x: # why\n    p: 1\n  z: 2\n',
    move('a.x', 'a.b.c'),
    'a:\n  z: 2\n  b:\n    # of x\n    c: # why\n      p: 1\n',
  ],
  'a field gets another name': [
    'a: {x: 1}\nb:\n  x: 1 # why\n',
    [move('a.x', 'a.z'), move('b.x', 'b.z')],
    'a: {z: 1}\nb:\n  z: 1 # why\n',
  ],
  'a mapping changes in one field': [
    yaml`
      a:
        b: 1 # why
        c: {d: [1, 2], e: 3} # other
        f: 4
    `,
    set('a', { b: 2, c: { d: [1, 2, 5], e: 3 }, g: 6 }),
    yaml`
      a:
        b: 2 # why
        c: {d: [1, 2, 5], e: 3} # other
        g: 6
    `,
  ],
  'a field moves and gets another name': ['a: 1 # why\nb: 2\n', move('a', 'c'), 'c: 1 # why\nb: 2\n'],
  'aliases stand for it': ['a: &x {b: 1}\nc: *x\n', set('a.b', 2), undefined],
  'it is an alias': ['a: &x {b: 1}\nc: *x\n', set('c.b', 2), undefined],
  'it is merged': ['a: &x {b: 1}\nc:\n  <<: *x\n', set('c.b', 2), undefined],
  'an anchor that nobody uses': ['a: &x\n  b: 1\n', set('a.b', 2), 'a: &x\n  b: 2\n'],
  'a tag': ['a: !!str 1\n', set('a', 'b'), 'a: !!str b\n'],
  'a repeated key': ['a: 1\na: 2\n', set('a', 3), undefined],
  'a comment would be lost': ['a:\n  - 1 # one\n  - 2\n', set('a', [3]), undefined],
  'a comment behind the key stays': [
    'a: # why\n  - 1\nb:\n',
    [set('a', [3]), set('b', { c: 1 })],
    'a: # why\n  - 3\nb:\n  c: 1\n',
  ],
  'something stands where it would move': ['a: 1\nb: 2\n', move('a', 'b'), undefined],
  'nothing to remove': ['a: 1\n', remove('b'), undefined],
  'a plain value stands in the way': ['a: 1\n', set('a.b', 1), undefined],
  'no YAML': ['a: [\n', set('a', 1), undefined],
}

describe('a change', () => {
  for (const [name, [before, edit, after]] of Object.entries(cases))
    it(name, () => {
      expect(spliced(before, Array.isArray(edit) ? edit : [edit as Edit])).toBe(after)
    })
})
