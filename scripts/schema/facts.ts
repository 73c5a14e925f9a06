/**
 * What the API server's validation enforces and its OpenAPI document does not say.
 *
 * Source: pkg/apis/…/validation of k8s.io/kubernetes v1.36.3 and v1.37.0.
 */
export interface Fact {
  readonly minimum?: number
  readonly maximum?: number
  readonly values?: readonly string[]
}

export const facts: Readonly<Record<string, Readonly<Record<string, Fact>>>> = {}
