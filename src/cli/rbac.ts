/** `k8s-af rbac` */
import { scannedKinds } from '../cluster/kinds.js'
import { role } from '../cluster/role.js'
import { loadRules } from '../registry.js'
import { type SettingsFlags, settingsFor } from './settings.js'
import { write } from './streams.js'

/** Prints the role that a scan needs. */
export async function rbacCommand({ namespace, ...flags }: SettingsFlags): Promise<number> {
  const { settings } = await settingsFor(flags, process.cwd(), await loadRules())
  write(role(scannedKinds(settings.workloadKinds), namespace))
  return 0
}
