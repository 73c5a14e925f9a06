/** The JSON Schema of the configuration file, made from what the rules say about themselves. */
import { severities } from '../finding.js'
import { categories, type Param, type Rule } from '../rule.js'
import { namespacePattern, presets } from './config.js'
import { allRules } from './settings.js'

export type Schema = Readonly<Record<string, unknown>>

const severity = { enum: severities }
const text = { type: 'string', minLength: 1 }
const texts = { type: 'array', items: text }
/** Field names with dots between them. A pod template is the parent of the pod's spec, not that spec. */
const fieldPath = {
  type: 'string',
  pattern: '^(?!(.*\\.)?template\\.spec$)[A-Za-z][\\w-]*(\\.[A-Za-z][\\w-]*)*$',
}
/** A custom kind. Its group has a dot: apiextensions-apiserver, validation.go; one word is a version, or a group of Kubernetes. */
const customKind = {
  type: 'string',
  pattern: '^[a-z0-9-]+(\\.[a-z0-9-]+)+/[A-Za-z][A-Za-z0-9-]*$',
  examples: ['example.com/Fleet'],
}
const day = { type: 'string', pattern: '^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])$' }

function mapping(properties: Record<string, Schema>, required: readonly string[] = []): Schema {
  return { type: 'object', properties, additionalProperties: false, ...(required.length > 0 && { required }) }
}

function describe(schema: Schema, description: string): Schema {
  return { ...schema, description }
}

/**
 * The schema of a whole configuration file.
 * @param used the rules to describe; others are accepted as they are, which makes a schema for one file small
 */
export function configSchema(
  rules: ReadonlyMap<string, Rule>,
  used: (id: string) => boolean = () => true,
): Schema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'k8s-af configuration',
    ...mapping({
      extends: describe(
        { anyOf: [text, texts] },
        'Configuration files that this one builds on, relative to this file. Later ones win, this one wins over all.',
      ),
      kubernetesVersion: describe(
        { type: 'string', pattern: '^v?1\\.\\d+(\\.\\d+)?$' },
        'The version of the clusters, in quotes: "1.33". The newest known one when absent.',
      ),
      complete: describe(
        { type: 'boolean', default: false },
        'True: what is linted is the whole of its namespaces, so what is not there does not exist.',
      ),
      namespace: describe(
        { type: 'string', pattern: namespacePattern },
        'The namespace of objects that name none, as with kubectl -n.',
      ),
      preset: describe(
        { enum: presets, default: 'recommended' },
        'The rules to start from: those worth acting on for nearly everybody, or all of them.',
      ),
      rules: describe(
        mapping(
          Object.fromEntries([
            ...[...rules].map(([id, rule]) => [id, used(id) ? choiceSchema(rule) : {}]),
            ...categories.map((name) => [name, describe({ enum: ['off'] }, 'All rules of a category.')]),
          ]),
        ),
        'What to do with single rules, and which categories are off.',
      ),
      externals: describe(
        { type: 'array', items: mapping({ kind: text, name: text, namespace: text }, ['kind', 'name']) },
        'Objects that exist although no manifest here holds them. `*` stands for any characters.',
      ),
      workloadKinds: describe(
        {
          type: 'array',
          items: mapping(
            {
              kind: describe(customKind, 'group/Kind, without a version.'),
              template: describe(
                { ...fieldPath, examples: ['spec.template'] },
                'Where the pod template stands, with its metadata and spec: spec.template',
              ),
              replicas: describe(
                { ...fieldPath, examples: ['spec.replicas'] },
                'Where the number of replicas stands: spec.replicas',
              ),
            },
            ['kind', 'template'],
          ),
        },
        'Custom kinds that make pods.',
      ),
      crds: describe(
        texts,
        'Files, folders and patterns with the CustomResourceDefinitions of your objects, relative to this file. They are not linted.',
      ),
      suppressions: describe(
        {
          type: 'array',
          items: mapping(
            {
              rules: describe(
                { type: 'array', items: { enum: [...rules.keys(), ...categories, allRules] }, minItems: 1 },
                'What is accepted: rules, categories, or * for all.',
              ),
              files: describe(texts, 'Only in these files: gitignore patterns, relative to this file.'),
              kind: text,
              name: text,
              namespace: text,
              container: text,
              until: describe(day, 'The last day on which it holds: YYYY-MM-DD'),
              reason: describe({ type: 'string', pattern: '\\S' }, 'Why this is right here.'),
            },
            ['rules', 'reason'],
          ),
        },
        'Findings that are accepted. `*` in kind, name and namespace stands for any characters.',
      ),
      ignore: describe(texts, 'Files that are not read: gitignore patterns, relative to this file.'),
      failOn: describe({ enum: [...severities, 'never'], default: 'error' }, 'Exit code 1 at or above it.'),
      minSeverity: describe({ ...severity, default: 'info' }, 'Findings below it are left out.'),
      output: describe(
        { anyOf: [text, { ...texts, minItems: 1 }] },
        'Reports as FORMAT or FORMAT=FILE. Files are relative to the working directory.',
      ),
    }),
  }
}

/** `off`, a severity, or a mapping. */
function choiceSchema(rule: Rule): Schema {
  return {
    description: rule.title,
    anyOf: [
      { enum: ['off', ...severities] },
      mapping({
        enabled: { type: 'boolean' },
        severity: { ...severity, default: rule.severity },
        params: mapping(
          Object.fromEntries(Object.entries(rule.params).map(([name, param]) => [name, paramSchema(param)])),
        ),
      }),
    ],
  }
}

function paramSchema(param: Param): Schema {
  const { about, ...schema } = param
  if (schema.type === 'boolean') return { type: 'boolean', default: schema.default, description: about }
  if (schema.type !== 'integer' && schema.type !== 'number') return { ...schema, description: about }
  const { diagnosed: _, ...bounds } = schema
  return { ...bounds, description: about }
}
