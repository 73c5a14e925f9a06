import {
  ageOf,
  type Callout,
  calloutKinds,
  calloutsOf,
  certificatesIn,
  dayOf,
  decoded,
  formatSpan,
  type Graph,
  holds,
  isKind,
  type KubernetesObject,
  lastToEnd,
  ownValue,
  rule,
  stringAt,
} from '../src/rule.js'

/** Annotations by which a controller fills the bundle in. */
const injectors = /(^|\.|\/)(inject-ca-from(-secret)?|inject-apiserver-ca|inject-cabundle)$/

export default rule({
  title: 'The CA bundle of a webhook or API service is expired, broken or missing',
  category: 'admission',
  severity: 'error',
  why: `The API server trusts the backend's certificate only through this bundle. When all of its
certificates are past, or it can't be parsed, every call fails with an x509 error: a webhook that fails closed
then refuses each matching write, an APIService disappears from the API. Without a bundle the certificate
authorities of the API server's machine count: public ones sign no \`.svc\` names, one of your own may.`,
  remedy:
    'Rotate the certificate authority, and let cert-manager or the operator keep the bundle up to date.',
  decides: `\`caBundle\` of webhooks, APIServices and the conversion webhooks of CustomResourceDefinitions. An error
when it is base64 but holds no certificate, or when the last of its certificates has expired; a warning when that
happens within \`warnDays\`. In a cluster also a warning when there is none and the backend is a Service, and an
error when it is blank (for conversion webhooks that counts as none). Where an annotation asks a controller for the
bundle, both wait until the object is ten minutes old; manifests may leave it to one.

Exempt: manifests with an annotation that has the bundle filled in (\`cert-manager.io/inject-ca-from\`,
\`service.beta.openshift.io/inject-cabundle\` and their kin), blank placeholders in manifests, and manifests whose
backend's namespace has an account that may change the object; without a bundle APIServices that are available or
have \`insecureSkipTLSVerify\`, and the Service of the API server itself. Where the rule is asked for, manifests
without a bundle and without such an annotation are told, too.`,
  falsePositives: 'A text that an operator replaces when it starts, without an annotation that says so.',
  sources: [
    'k8s.io/api/admissionregistration/v1/types.go',
    'k8s.io/apiserver/pkg/util/webhook/client.go and authentication.go',
    'k8s.io/client-go/transport/transport.go (rootCertPool)',
    'apiextensions-apiserver/pkg/apiserver/conversion/webhook_converter.go (a blank bundle is none)',
    'kube-aggregator/pkg/controllers/status/remote/remote_available_controller.go (BuildTransportConfig)',
  ],
  stories: ['dfds-kyverno-down', 'oath-101-ways', 'dfds-kiam-cert'],
  params: {
    warnDays: {
      type: 'integer',
      minimum: 0,
      default: 30,
      about: 'Days before the end that are worth a warning.',
    },
  },
  for: calloutKinds,
  check(subject, { graph, params, report, isAsked }) {
    const injection = injectionOf(subject)
    if (injection && !graph.live) return
    const { live } = graph
    const isAwaited =
      injection !== undefined && live !== undefined && ageOf(subject, live) < live.waitFor(600)
    // Webhooks of one configuration share a bundle: each fault is told once, at one that fails closed if any does.
    const told = new Set<string | undefined>()
    const callouts = [...calloutsOf(subject)].sort((a, b) => Number(b.closed) - Number(a.closed))
    for (const callout of callouts) {
      const { client, closed, webhook } = callout
      // Without rules the API server never calls it.
      if (told.has(client.caBundle) || (webhook && !webhook.spec.rules?.length)) continue
      const verdicts = verdictsOn(callout, { warnDays: params.warnDays, isAsked, isAwaited }, graph)
      if (verdicts.length > 0) told.add(client.caBundle)
      for (const { message, severity, whenOpen = 'warning', recommended = true } of verdicts)
        report(client, 'caBundle', `${whatOf(callout)} ${message}`, {
          severity: closed ? severity : whenOpen,
          recommended,
          evidence: injection ? [`annotation ${injection} asks a controller to fill it in`] : [],
        })
    }
  },
})

const resources: Readonly<Record<string, string>> = {
  CustomResourceDefinition: 'customresourcedefinitions',
  MutatingWebhookConfiguration: 'mutatingwebhookconfigurations',
  ValidatingWebhookConfiguration: 'validatingwebhookconfigurations',
}

/** Whether a role for an account in the namespace of the backend names the object, or its kind, as one to be changed: MetalLB. */
function isKeptByBackend({ client, of }: Callout, graph: Graph): boolean {
  const home = client.service?.namespace
  const resource = ownValue(resources, of.kind ?? '')
  if (home === undefined || resource === undefined) return false
  const keepers = graph
    .all('ClusterRole')
    .filter(({ rules }) =>
      rules?.some(
        (one) =>
          one.resources?.includes(resource) &&
          one.verbs?.some((verb) => verb === 'update' || verb === 'patch') &&
          (!one.resourceNames?.length || one.resourceNames.includes(of.metadata?.name ?? '')),
      ),
    )
    .map(({ metadata }) => metadata?.name)
  return graph
    .all('ClusterRoleBinding')
    .some(
      ({ roleRef, subjects }) =>
        keepers.includes(roleRef?.name) && subjects?.some(({ namespace }) => namespace === home),
    )
}

/** The annotation by which a controller fills the bundle in, `cert-manager.io/inject-ca-from: shop/serving-cert`. */
function injectionOf({ metadata }: KubernetesObject): string | undefined {
  const found = Object.entries(metadata?.annotations ?? {}).find(([key]) => injectors.test(key))
  return found?.join(': ')
}

interface Verdict {
  readonly message: string
  readonly severity: 'error' | 'warning'
  /** The severity for a webhook that fails open, and only delays: a warning unless it says otherwise. */
  readonly whenOpen?: 'info'
  readonly recommended?: false
}

interface Asked {
  readonly warnDays: number
  /** Somebody has asked for the rule. */
  readonly isAsked: boolean
  /** A controller may be about to fill the bundle in. */
  readonly isAwaited: boolean
}

/** What is to be said of the bundle of a callout. */
function verdictsOn(
  callout: Callout,
  { warnDays, isAsked, isAwaited }: Asked,
  graph: Graph,
): readonly Verdict[] {
  const { live } = graph
  const { client, of } = callout
  const isNone = live !== undefined && isEmpty(client.caBundle, of)
  if (isNone && isAwaited) return []
  const verdicts = [
    isAsked && !live ? verdictOnUnsaid(callout) : undefined,
    isNone ? verdictOnNone(callout) : verdictOn(client.caBundle, live?.now ?? Date.now(), warnDays, graph),
  ].filter((one) => one !== undefined)
  return verdicts.length > 0 && !live && isKeptByBackend(callout, graph) ? [] : verdicts
}

/** What it means in a manifest that there is no bundle for a Service with a certificate that nobody else signs. */
function verdictOnUnsaid({ client, of }: Callout): Verdict | undefined {
  const { service, caBundle, insecureSkipTLSVerify } = client
  if (!service || insecureSkipTLSVerify || !isEmpty(caBundle, of)) return undefined
  return {
    message: 'fail unless something fills in the caBundle: it is empty, and no annotation says who does.',
    severity: 'warning',
    whenOpen: 'info',
    recommended: false,
  }
}

/** Whether the API server takes the bundle for none. */
function isEmpty(bundle: string | undefined, subject: KubernetesObject): boolean {
  return !bundle || (subject.kind === 'CustomResourceDefinition' && decoded(bundle)?.trim() === '')
}

/**
 * What it means in a cluster that there is no bundle: the certificate authorities of the API server's machine count.
 */
function verdictOnNone({ client, of }: Callout): Verdict | undefined {
  const { service, insecureSkipTLSVerify } = client
  if (!service?.name || !service.namespace || insecureSkipTLSVerify) return undefined
  const name = `${service.name}.${service.namespace}.svc`
  // The API server knows its own certificate.
  if (name === 'kubernetes.default.svc') return undefined
  if (holds(of, 'Available')) return undefined
  return {
    message: `fail unless the API server's machine trusts the certificate of ${name}: there is no caBundle.`,
    severity: 'warning',
  }
}

function verdictOn(
  bundle: string | undefined,
  now: number,
  warnDays: number,
  graph: Graph,
): Verdict | undefined {
  const text = decoded(bundle ?? '')
  if (text === undefined) return undefined
  if (text.trim() === '')
    return (
      graph.live && { message: 'fail: the caBundle is blank, and no certificate in PEM.', severity: 'error' }
    )
  const certificates = certificatesIn(text)
  if (!certificates) return { message: 'fail: the caBundle holds a broken certificate.', severity: 'error' }
  const last = lastToEnd(certificates)
  if (!last) return { message: 'fail: the caBundle is not a certificate in PEM.', severity: 'error' }
  const left = (last.notAfter - now) / 1000
  const day = dayOf(last.notAfter)
  const which =
    certificates.length > 1 ? `the last of ${certificates.length} certificates` : `its CA ${last.name}`
  if (left < 0) return { message: `fail with an x509 error: ${which} expired on ${day}.`, severity: 'error' }
  return left < warnDays * 86_400
    ? {
        message: `will fail with an x509 error in ${formatSpan(left)}: ${which} expires on ${day}.`,
        severity: 'warning',
      }
    : undefined
}

/** What fails, for the message. */
function whatOf({ of, webhook }: Callout): string {
  if (webhook) return `Calls to ${webhook.name || 'the webhook'}`
  return isKind(of, 'APIService')
    ? `Requests for ${of.spec?.version}.${of.spec?.group}`
    : `Conversions of ${stringAt(of, 'spec', 'names', 'plural') ?? 'its objects'}`
}
