/** `k8s-af version` */
import { version } from '../../package.json'
import { newestMinor, oldestMinor } from '../schema/definitions.js'
import { write } from './streams.js'

/** Prints the versions of the program, of Kubernetes and of Node.js. */
export function versionCommand(): number {
  write(
    `k8s-af ${version}\nKubernetes 1.${oldestMinor} to 1.${newestMinor}\nNode.js ${process.versions.node}\n`,
  )
  return 0
}
