/** The environment variables of containers. */
import type { ConfigMap, ContainerSpec } from '../kubernetes.js'
import { memo } from '../values/lazy.js'
import { ownValue } from '../values/untyped.js'
import type { Graph } from './graph.js'
import type { Workload } from './workload.js'

/** A variable whose value a ConfigMap of the input has. */
export interface TakenVariable {
  /** As the container sees it, with the prefix of its `envFrom`. */
  readonly name: string
  readonly value: string
  readonly config: ConfigMap
  readonly key: string
  /** The reference in the container. */
  readonly reference: object
}

/**
 * The variables that a container takes from ConfigMaps of the input, one by one or all of one. A variable that it names itself
 * counts before those of whole ConfigMaps. Source: kubernetes/pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables).
 */
export function takenVariables(
  { env = [], envFrom = [] }: ContainerSpec,
  workload: Workload,
  graph: Graph,
): readonly TakenVariable[] {
  const configOf = memo((name: string | undefined) => graph.find('ConfigMap', name, workload.object))
  const single = env.flatMap(({ name = '', valueFrom }): readonly TakenVariable[] => {
    const reference = valueFrom?.configMapKeyRef
    const config = reference && configOf(reference.name)
    const value = ownValue(config?.data, reference?.key ?? '')
    return reference?.key !== undefined && config && value !== undefined
      ? [{ name, value, config, key: reference.key, reference }]
      : []
  })
  const whole = envFrom.flatMap(({ configMapRef: reference, prefix = '' }): readonly TakenVariable[] => {
    const config = reference && configOf(reference.name)
    return reference && config
      ? Object.entries(config.data ?? {})
          .filter(([key]) => !env.some(({ name }) => name === prefix + key))
          .map(([key, value]) => ({ name: prefix + key, value, config, key, reference }))
      : []
  })
  return [...single, ...whole]
}

/** The names that stand in `$(…)` in a value or a command, each once; `$$` stands for a dollar. Nothing but text has any. */
export function variablesNamedIn(text: unknown): readonly string[] {
  if (typeof text !== 'string' || !text.includes('$(')) return []
  const names = [...text.matchAll(/\$\$|\$\(([^()\s]+)\)/g)].flatMap(([, name]) => name ?? [])
  return [...new Set(names)]
}
