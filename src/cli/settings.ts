/** From flags to settings: the configuration file is looked for, read if there is one, and combined with the flags. */
import type { Config } from '../config/config.js'
import { type Flags, findConfig, resolveSettings } from '../config/resolve.js'
import type { Settings } from '../config/settings.js'
import { UsageError } from '../config/usage.js'
import type { Rule } from '../rule.js'

export interface SettingsFlags extends Flags {
  readonly config?: string | undefined
  readonly isolated?: boolean | undefined
}

/** The configuration in force, if there is one. Its parser and validator are loaded only then. */
async function configFor(
  flags: SettingsFlags,
  cwd: string,
  rules: ReadonlyMap<string, Rule>,
): Promise<Config | undefined> {
  if (flags.isolated) {
    if (flags.config !== undefined)
      throw new UsageError('--config and --isolated contradict each other. Keep one.')
    return undefined
  }
  const file = flags.config ?? findConfig(cwd)
  if (file === undefined) return undefined
  const { loadConfig } = await import('../config/load.js')
  return loadConfig(file, cwd, rules)
}

/** The settings of a run, and the configuration that is a part of them. */
export async function settingsFor(
  flags: SettingsFlags,
  cwd: string,
  rules: ReadonlyMap<string, Rule>,
): Promise<{ settings: Settings; config: Config | undefined }> {
  const config = await configFor(flags, cwd, rules)
  return { settings: resolveSettings(config, flags, rules), config }
}
