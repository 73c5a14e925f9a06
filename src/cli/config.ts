/** `k8s-af config print|validate|schema` */
import { type Dirent, readdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import ignore from 'ignore'
import { dump } from 'js-yaml'
import type { Config } from '../config/config.js'
import { findConfig } from '../config/resolve.js'
import { configSchema } from '../config/schema.js'
import type { ConfigSuppression, Settings } from '../config/settings.js'
import { UsageError } from '../config/usage.js'
import { loadRules } from '../registry.js'
import type { Rule } from '../rule.js'
import { outputsFor } from './output.js'
import { type SettingsFlags, settingsFor } from './settings.js'
import { note, tell, write } from './streams.js'

/** Prints settings as a configuration file that would make them again. */
export async function configPrintCommand(flags: SettingsFlags): Promise<number> {
  const rules = await loadRules()
  const { settings, config } = await settingsFor(flags, process.cwd(), rules)
  const { config: _, isolated: __, ...told } = flags
  const isTold = Object.values(told).some((value) => value !== undefined)
  const from = settings.configFile ?? (isTold ? 'the defaults' : 'no file: these are the defaults')
  const value = { ...asConfig(settings, rules), output: config?.output ?? ['pretty'] }
  write(`# from ${from}${isTold ? ', and the flags' : ''}\n${dump(value, { lineWidth: 110, noRefs: true })}`)
  return 0
}

function asConfig(settings: Settings, rules: ReadonlyMap<string, Rule>): Record<string, unknown> {
  const active = new Map(settings.active.map((one) => [one.id, one]))
  return {
    kubernetesVersion: `1.${settings.minor}`,
    complete: settings.complete,
    ...(settings.namespace !== undefined && { namespace: settings.namespace }),
    failOn: settings.failOn,
    minSeverity: settings.minSeverity,
    ignore: settings.ignore,
    externals: settings.externals,
    workloadKinds: settings.workloadKinds,
    crds: settings.crds,
    suppressions: settings.suppressions.map(({ place: _, ...one }) => one),
    rules: Object.fromEntries(
      [...rules.keys()].map((id) => {
        const one = active.get(id)
        if (!one) return [id, 'off']
        const params = Object.keys(one.params).length > 0 && { params: one.params }
        // A severity in a configuration holds for all findings of the rule: it is left out where the rule decides itself.
        return [
          id,
          {
            ...(one.isAsked && { enabled: true }),
            ...(one.severity && { severity: one.severity }),
            ...params,
          },
        ]
      }),
    ),
  }
}

/** Says whether a configuration is sound. */
export async function configValidateCommand(file: string | undefined): Promise<number> {
  const cwd = process.cwd()
  const found = file ?? findConfig(cwd)
  if (found === undefined)
    throw new UsageError('there is no .k8s-af.yaml here or above. k8s-af init writes one.')
  const { loadConfig } = await import('../config/load.js')
  const config = loadConfig(found, cwd, await loadRules())
  outputsFor({}, config)
  const aimless = aimlessSuppressions(config, cwd)
  for (const { place } of aimless)
    note(
      `${config.file}:${place?.line}:${place?.column}: no file below this folder is one of the files of this suppression.`,
    )
  tell(`${config.file}: no mistakes${aimless.length > 0 ? ', but what is said above' : ''}`)
  return 0
}

/** The suppressions of a configuration whose `files` are nowhere: such a one hides nothing, and a run of a part of the folder can't tell. */
function aimlessSuppressions({ file, suppressions }: Config, cwd: string): readonly ConfigSuppression[] {
  let left = suppressions.flatMap((one) =>
    // Those of a file that is built upon may be for other folders.
    one.files && one.place?.file === file ? [{ one, files: ignore().add([...one.files]) }] : [],
  )
  if (left.length === 0) return []
  for (const path of filesBelow(dirname(resolve(cwd, file)))) {
    left = left.filter(({ files }) => !files.ignores(path))
    if (left.length === 0) break
  }
  return left.map(({ one }) => one)
}

/** The paths of all files in a folder, relative to it with `/`; links are not followed, and what cannot be read is empty. */
function* filesBelow(folder: string, start = ''): Iterable<string> {
  let entries: Dirent[] = []
  try {
    entries = readdirSync(join(folder, start), { withFileTypes: true })
  } catch {
    return
  }
  for (const entry of entries) {
    const path = start === '' ? entry.name : `${start}/${entry.name}`
    if (!entry.isDirectory()) yield path
    else if (entry.name !== '.git' && entry.name !== 'node_modules') yield* filesBelow(folder, path)
  }
}

/** Prints the JSON Schema of the configuration file. */
export async function configSchemaCommand(): Promise<number> {
  write(`${JSON.stringify(configSchema(await loadRules()), undefined, 2)}\n`)
  return 0
}
