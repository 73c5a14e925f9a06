/** The Kubernetes versions that the program knows. */
import { newestMinor, oldestMinor } from '../schema/definitions.js'
import { UsageError } from './usage.js'

/** The minor version that is assumed when nobody names one. */
export const defaultMinor = newestMinor

/** The known minor version nearest to that of a server, `v1.33.4-eks-1`; undefined when the text names none. */
export function nearestMinor(text: string): number | undefined {
  const minor = Number(/^v?1\.(\d{1,3})/.exec(text)?.[1])
  return Number.isNaN(minor) ? undefined : Math.min(newestMinor, Math.max(oldestMinor, minor))
}

/**
 * The minor version that a text names: `1.33`, `v1.33` and `1.33.4` are 33.
 * @param from how the user gave it, for the message: `--k8s-version`
 */
export function minorOf(text: string, from: string): number {
  const match = /^v?1\.(\d{1,3})(\.\d+)?([-+].*)?$/.exec(text.trim())
  const minor = Number(match?.[1])
  if (!match)
    throw new UsageError(
      `${from}: ${JSON.stringify(text)} is no Kubernetes version. Write it like 1.${newestMinor}.`,
    )
  if (minor < oldestMinor || minor > newestMinor)
    throw new UsageError(
      `${from}: Kubernetes 1.${minor} is not known here; 1.${oldestMinor} to 1.${newestMinor} are.`,
    )
  return minor
}
