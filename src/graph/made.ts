/** Which objects will exist because others make them: no manifest has them. */
import { type KubernetesObject, kindNameOf } from '../kubernetes.js'
import type { Kustomization } from '../reader/input.js'
import { push } from '../values/group.js'
import { arrayAt, objectAt, objectsAt, stringAt } from '../values/untyped.js'
import type { Resource } from './resource.js'

/** The namespaces in which objects are made, by `madeKey`; an empty one where that is left open. */
export type MadeNames = ReadonlyMap<string, readonly string[]>

/** One key for a name of a kind. */
export function madeKey(kind: string, name: string): string {
  return `${kind}\n${name}`
}

/** The names of ConfigMaps, Secrets and Services that objects and generators of the input will create. */
export function madeNames(
  resources: readonly Resource[],
  kustomizations: readonly Kustomization[],
): MadeNames {
  const made = new Map<string, string[]>()
  for (const resource of resources) {
    for (const { kind, name, namespace } of madeBy(resource))
      if (name) push(made, madeKey(kind, name), namespace)
  }
  for (const { generated, namespace, patches } of kustomizations) {
    for (const one of generated) push(made, madeKey(one.kind, one.name), one.namespace ?? namespace ?? '')
    for (const { change } of patches)
      for (const one of renamedBy(change))
        if (one.name) push(made, madeKey(one.kind, one.name), one.namespace)
  }
  return made
}

/** A patch may call an object otherwise (`allowNameChange`), and what operators make for it has the new name. */
function renamedBy(change: unknown): readonly Made[] {
  const kindName = kindNameOf(stringAt(change, 'apiVersion') ?? '', stringAt(change, 'kind') ?? '')
  const name = stringAt(change, 'metadata', 'name')
  if (name === undefined) return nothing
  const namespace = stringAt(change, 'metadata', 'namespace') ?? ''
  return [
    ...(kindName === 'Service' ? [{ kind: kindName, name, namespace } as const] : []),
    ...(suffixes.get(kindName) ?? []).map((suffix) => secretIn(namespace)(name + suffix)),
    ...servicesOf(kindName, name, namespace),
  ]
}

/** An object that another one makes. */
interface Made {
  readonly kind: 'ConfigMap' | 'Secret' | 'Service'
  readonly name: string | undefined
  readonly namespace: string
}

const nothing: readonly Made[] = []

/** Secrets of a namespace, unless said otherwise. */
const secretIn =
  (namespace: string) =>
  (name: string | undefined, within = namespace): Made => ({ kind: 'Secret', name, namespace: within })

/** The Secrets that operators make for an object of theirs: what follows its name. */
const suffixes: ReadonlyMap<string, readonly string[]> = new Map([
  ['postgresql.cnpg.io/Cluster', ['-app', '-superuser', '-ca', '-server', '-replication']],
  ['kafka.strimzi.io/Kafka', ['-cluster-ca', '-cluster-ca-cert', '-clients-ca', '-clients-ca-cert']],
  ['kafka.strimzi.io/KafkaUser', ['']],
  ['rabbitmq.com/RabbitmqCluster', ['-default-user', '-erlang-cookie']],
  [
    'elasticsearch.k8s.elastic.co/Elasticsearch',
    ['-es-elastic-user', '-es-http-certs-public', '-es-http-certs-internal', '-es-http-ca-internal'],
  ],
])

/** The Services that operators make for an object of theirs: what follows its name. */
const serviceSuffixes: ReadonlyMap<string, readonly string[]> = new Map([
  ['acid.zalan.do/postgresql', ['', '-repl', '-pooler', '-pooler-repl']],
  ['dragonflydb.io/Dragonfly', ['']],
  ['elasticsearch.k8s.elastic.co/Elasticsearch', ['-es-http', '-es-internal-http', '-es-transport']],
  ['grafana.integreatly.org/Grafana', ['-service']],
  ['jaegertracing.io/Jaeger', ['-query', '-collector', '-collector-headless', '-agent']],
  ['k8s.keycloak.org/Keycloak', ['-service']],
  ['k8s.mariadb.com/MariaDB', ['', '-internal', '-primary', '-secondary']],
  ['kafka.strimzi.io/Kafka', ['-kafka-bootstrap', '-kafka-brokers']],
  ['kafka.strimzi.io/KafkaBridge', ['-bridge-service']],
  ['kafka.strimzi.io/KafkaConnect', ['-connect-api']],
  ['kibana.k8s.elastic.co/Kibana', ['-kb-http']],
  ['opentelemetry.io/OpenTelemetryCollector', ['-collector', '-collector-headless', '-collector-monitoring']],
  [
    'postgres-operator.crunchydata.com/PostgresCluster',
    ['-ha', '-primary', '-replicas', '-pods', '-pgbouncer'],
  ],
  ['postgresql.cnpg.io/Cluster', ['-rw', '-ro', '-r']],
  ['postgresql.cnpg.io/Pooler', ['']],
  ['rabbitmq.com/RabbitmqCluster', ['', '-nodes']],
  ['ray.io/RayCluster', ['-head-svc']],
  ['ray.io/RayService', ['-head-svc', '-serve-svc']],
  ['serving.knative.dev/Service', ['']],
  ['serving.kserve.io/InferenceService', ['', '-predictor', '-transformer', '-explainer']],
])

/** Files that show what a Secret looks like: the real one is not in the repository. */
const example = /(^|[-_./])(examples?|samples?|templates?|dist|dummy)[-_.][^/]*$/i

/** The annotations of a Service by which OpenShift puts a certificate for it into a Secret. */
const servingCertificate = [
  'service.beta.openshift.io/serving-cert-secret-name',
  'service.alpha.openshift.io/serving-cert-secret-name',
]

/**
 * What an object makes. Sources: the reference documents of external-secrets, sealed-secrets, cert-manager, the Secrets
 * Store CSI driver, CloudNativePG, Crunchy's PGO, Rook, Strimzi, the operators of RabbitMQ, Elastic, MariaDB, Keycloak, Grafana,
 * Jaeger and OpenTelemetry, Zalando's postgres-operator, KubeRay, Knative, KServe, Flagger, Crossplane and OpenShift.
 */
function madeBy(resource: Resource): readonly Made[] {
  const { document, kindName, value, name, namespace } = resource
  const secret = secretIn(namespace)
  switch (kindName) {
    case 'external-secrets.io/ExternalSecret':
    case 'kubernetes-client.io/ExternalSecret':
      return [secret(stringAt(value, 'spec', 'target', 'name') ?? name)]
    case 'external-secrets.io/ClusterExternalSecret': {
      const own = stringAt(value, 'spec', 'externalSecretName')
      return [secret(own ?? stringAt(value, 'spec', 'externalSecretSpec', 'target', 'name') ?? name, '')]
    }
    case 'bitnami.com/SealedSecret':
      return [secret(stringAt(value, 'spec', 'template', 'metadata', 'name') ?? name)]
    case 'cert-manager.io/Certificate':
      return [secret(stringAt(value, 'spec', 'secretName'))]
    case 'cert-manager.io/Issuer':
    case 'cert-manager.io/ClusterIssuer':
      return [secret(stringAt(value, 'spec', 'acme', 'privateKeySecretRef', 'name'), '')]
    case 'secrets-store.csi.x-k8s.io/SecretProviderClass':
      return objectsAt(value, 'spec', 'secretObjects').map((one) => secret(stringAt(one, 'secretName')))
    case 'zalando.org/PlatformCredentialsSet':
    case 'secrets.hashicorp.com/VaultStaticSecret':
    case 'secrets.hashicorp.com/VaultDynamicSecret':
    case 'secrets.hashicorp.com/VaultPKISecret':
      return [secret(stringAt(value, 'spec', 'destination', 'name') ?? name)]
    case 'onepassword.com/OnePasswordItem':
    case 'isindir.github.com/SopsSecret':
      return [secret(name)]
    case 'trust.cert-manager.io/Bundle':
      return [{ kind: 'ConfigMap', name, namespace: '' }]
    case 'Ingress':
      return isShimmed(value)
        ? objectsAt(value, 'spec', 'tls').map((tls) => secret(stringAt(tls, 'secretName')))
        : nothing
    case 'gateway.networking.k8s.io/Gateway':
      return isShimmed(value)
        ? objectsAt(value, 'spec', 'listeners')
            .flatMap((listener) => objectsAt(listener, 'tls', 'certificateRefs'))
            .map((one) => secret(stringAt(one, 'name'), stringAt(one, 'namespace')))
        : nothing
    default:
      return document.live ? nothing : madeUnseen(resource)
  }
}

/** What operators and programs make besides. In a cluster there is no need to guess: it has these Secrets itself. */
function madeUnseen({ document, kindName, value, name, namespace }: Resource): readonly Made[] {
  const secret = secretIn(namespace)
  switch (kindName) {
    case 'postgres-operator.crunchydata.com/PostgresCluster': {
      const users = objectsAt(value, 'spec', 'users').map((one) => stringAt(one, 'name'))
      return [
        secret(`${name}-cluster-cert`),
        ...(users.length > 0 ? users : [name]).map((user) => secret(`${name}-pguser-${user}`)),
        ...servicesOf(kindName, name, namespace),
      ]
    }
    case 'flagger.app/Canary': {
      const own = stringAt(value, 'spec', 'service', 'name') ?? stringAt(value, 'spec', 'targetRef', 'name')
      const names = own === undefined ? [] : ['', '-primary', '-canary'].map((suffix) => own + suffix)
      return names.map((one) => ({ kind: 'Service', name: one, namespace }))
    }
    case 'ceph.rook.io/CephCluster':
      return [secret('rook-ceph-mon'), { kind: 'ConfigMap', name: 'rook-ceph-mon-endpoints', namespace }]
    case 'Secret':
      return example.test(document.file.name) ? [secret(name)] : nothing
    case 'Service':
      return servingCertificate.flatMap((key) => {
        const own = value.metadata?.annotations?.[key]
        return own === undefined ? [] : [secret(own)]
      })
    case 'Deployment':
    case 'StatefulSet':
      // Argo CD: argocd admin redis-initial-password.
      return objectsAt(value, 'spec', 'template', 'spec', 'initContainers').some((one) =>
        [...arrayAt(one, 'command'), ...arrayAt(one, 'args')].includes('redis-initial-password'),
      )
        ? [secret('argocd-redis')]
        : nothing
    default: {
      if (!kindName.includes('/')) return nothing
      const connection = objectAt(value, 'spec', 'writeConnectionSecretToRef')
      return [
        ...(suffixes.get(kindName) ?? []).map((suffix) => secret(name + suffix)),
        ...servicesOf(kindName, name, namespace),
        ...(connection ? [secret(stringAt(connection, 'name'), stringAt(connection, 'namespace'))] : []),
      ]
    }
  }
}

function servicesOf(kindName: string, name: string, namespace: string): Made[] {
  return (serviceSuffixes.get(kindName) ?? []).map((suffix) => ({
    kind: 'Service',
    name: name + suffix,
    namespace,
  }))
}

/** Whether cert-manager makes the Secrets that the `tls` of an Ingress names, or those of a Gateway's listeners. */
function isShimmed({ metadata }: KubernetesObject): boolean {
  return Object.keys(metadata?.annotations ?? {}).some((key) =>
    /^(cert-manager\.io|certmanager\.k8s\.io|acme\.cert-manager\.io)\/|^kubernetes\.io\/tls-acme$/.test(key),
  )
}
