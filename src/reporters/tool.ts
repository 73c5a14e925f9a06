/** Who made a report. */
import { version } from '../../package.json'

export const tool = { name: 'k8s-af', version } as const
