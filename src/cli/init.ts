/** `k8s-af init` */
import { existsSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { findConfig, schemaName } from '../config/resolve.js'
import { configSchema } from '../config/schema.js'
import { UsageError } from '../config/usage.js'
import { loadRules } from '../registry.js'
import { newestMinor } from '../schema/definitions.js'
import { attempt } from './output.js'
import { tell } from './streams.js'

const name = '.k8s-af.yaml'
/** Where the schema lies when the package is a dependency of the project. */
const installed = 'node_modules/k8s-af/dist/config.schema.json'

/** Writes a configuration into the working directory. Never overwrites one. */
export async function initCommand(): Promise<number> {
  const cwd = process.cwd()
  const present = findConfig(cwd)
  if (present !== undefined && dirname(present) === cwd)
    throw new UsageError(`${basename(present)} is here already; it stays as it is.`)
  if (present !== undefined) tell(`${present} holds no longer here and below, unless the new file extends it`)
  const hasPackage = existsSync(join(cwd, installed))
  attempt(name, () =>
    writeFileSync(join(cwd, name), template(hasPackage ? installed : schemaName), { flag: 'wx' }),
  )
  tell(`wrote ${name}`)
  if (!hasPackage) {
    const schema = `${JSON.stringify(configSchema(await loadRules()))}\n`
    attempt(schemaName, () => writeFileSync(join(cwd, schemaName), schema))
    tell(`wrote ${schemaName}, which tells editors what may stand in it`)
  }
  return 0
}

function template(schema: string): string {
  return `# yaml-language-server: $schema=${schema}
# k8s-af reads this file when it runs in this folder or below. Everything is optional; k8s-af config print shows what holds.

# The version of your clusters, in quotes. The newest known one when absent.
# kubernetesVersion: "1.${newestMinor}"

# True when what you lint is the whole of its namespaces. Then what is not there does not exist, and rules that look for
# what is missing (a budget, a Secret, the backend of a Service) can speak.
# complete: true

# The rules to start from: recommended, those that nearly everybody should act on, or all.
# preset: recommended

# Single rules: off, error, warning, info, or a mapping. k8s-af rules lists them, k8s-af explain <rule> tells their parameters.
# rules:
#   mutable-image-tag: off
#   drain-delay-missing:
#     severity: error
#     params:
#       minSleepSeconds: 10

# What exists although no manifest here holds it. * stands for any characters.
# externals:
#   - kind: Secret
#     name: "*-tls"

# Custom kinds that make pods.
# workloadKinds:
#   - kind: example.com/Fleet
#     template: spec.template
#     replicas: spec.replicas

# The CustomResourceDefinitions of your custom objects, where they are not linted along with them.
# crds:
#   - vendor/cert-manager.crds.yaml

# Findings that are accepted. A comment at the place itself is better: # k8s-af-ignore <rule> -- <reason>
# suppressions:
#   - rules: [job-without-deadline]
#     name: import-*
#     until: 2030-12-31
#     reason: The import has its own watchdog.

# Files that are not read, as in .gitignore.
# ignore:
#   - vendor/

# The exit code is 1 at or above it: error, warning, info or never.
# failOn: error
`
}
