/** What the API server refuses although every field by itself is right: contradictions between fields, and names. */
import { admission } from './validation/admission.js'
import { autoscaling } from './validation/autoscaling.js'
import { containers } from './validation/containers.js'
import { contents } from './validation/contents.js'
import { definitionsOfKinds } from './validation/definitions-of-kinds.js'
import { endpoints } from './validation/endpoints.js'
import { events } from './validation/events.js'
import { flowControl } from './validation/flow-control.js'
import { jobs } from './validation/jobs.js'
import { metadata } from './validation/metadata.js'
import { nodes } from './validation/nodes.js'
import { pods } from './validation/pods.js'
import { quotas } from './validation/quotas.js'
import { rbac } from './validation/rbac.js'
import { type Checks, merged } from './validation/say.js'
import { scheduling } from './validation/scheduling.js'
import { security } from './validation/security.js'
import { services } from './validation/services.js'
import { volumes } from './validation/volumes.js'
import { workloads } from './validation/workloads.js'

export const checks: Checks = merged(
  admission,
  autoscaling,
  containers,
  contents,
  definitionsOfKinds,
  endpoints,
  events,
  flowControl,
  jobs,
  metadata,
  nodes,
  pods,
  quotas,
  rbac,
  scheduling,
  security,
  services,
  volumes,
  workloads,
)
