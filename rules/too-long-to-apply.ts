import { advise, type Graph, type KubernetesObject, lastApplied, rule } from '../src/rule.js'

export default rule({
  title: 'An object is too long for kubectl apply',
  category: 'api-schema',
  severity: 'info',
  recommended: false,
  why: `\`kubectl apply\` keeps a copy of what it applies in an annotation of the object, and the API server takes
256 KiB of annotations. A longer object, mostly a CustomResourceDefinition with a pod template in it, is refused:
"metadata.annotations: Too long". Everything else in the file is applied, and the operator starts without its kind.
A definition that grew from one release to the next fails at the upgrade.`,
  remedy:
    'Apply it with `kubectl apply --server-side`, which keeps no copy (Argo CD: `ServerSideApply=true`).',
  decides: `The length of the object as JSON, as kubectl writes it, together with its other annotations, is over
\`bytes\`.

Exempt: what Helm has rendered (it keeps no copy), and input with a Kustomization of Flux or with
\`ServerSideApply=true\`, in an annotation of the object or anywhere in an Application of Argo CD: these apply on
the server's side. Off by default: long definitions are read in part otherwise, and reading all of them takes its
time.`,
  falsePositives:
    'Manifests that are always applied with `--server-side`, or made with `kubectl create` and `replace`.',
  sources: [
    'k8s.io/apimachinery/pkg/api/validation/objectmeta.go (TotalAnnotationSizeLimitB)',
    'k8s.io/kubectl/pkg/util/apply.go (GetModifiedConfiguration)',
  ],
  stories: [],
  params: {
    bytes: {
      type: 'integer',
      minimum: 1,
      default: 262_144,
      about: 'What the annotations of an object may have.',
    },
  },
  for: 'Object',
  check(object, { graph, params, report }) {
    // JSON is longer than YAML where every character needs a backslash.
    if (graph.textLength(object) * 2 < params.bytes) return
    const size = annotated(object)
    if (size <= params.bytes || graph.mentions(object, '# Source: ') || isServerSide(object, graph)) return
    report(
      object.metadata ?? object,
      'name',
      `kubectl apply is refused: the copy that it keeps takes ${kib(size)} KiB of annotations, of ${kib(params.bytes)} at most.`,
      { fix: advise('kubectl apply --server-side') },
    )
  },
})

/** The bytes of all annotations when kubectl has added its copy. */
function annotated({ metadata, ...rest }: KubernetesObject): number {
  const { [lastApplied]: _, ...annotations } = metadata?.annotations ?? {}
  const copy = JSON.stringify({ ...rest, metadata: { ...metadata, annotations } })
  // Go escapes what HTML would read: encoding/json.
  const escapes = copy.match(/[<>&]/g)?.length ?? 0
  const pairs = Object.entries({ ...annotations, [lastApplied]: copy })
  return pairs.reduce((sum, pair) => sum + Buffer.byteLength(pair.join('')), 5 * escapes + 1)
}

function isServerSide({ metadata }: KubernetesObject, graph: Graph): boolean {
  const option = 'ServerSideApply=true'
  const isOf = (text: string | undefined) => text?.includes(option) ?? false
  return (
    isOf(metadata?.annotations?.['argocd.argoproj.io/sync-options']) ||
    graph.once('server-side apply', () =>
      graph.objects.some(
        ({ apiVersion = '', kind = '', ...rest }) =>
          (kind === 'Kustomization' && apiVersion.startsWith('kustomize.toolkit.fluxcd.io/')) ||
          (kind.startsWith('Application') &&
            apiVersion.startsWith('argoproj.io/') &&
            isOf(JSON.stringify(rest))),
      ),
    )
  )
}

function kib(bytes: number): string {
  return (bytes / 1024).toFixed(bytes % 1024 === 0 ? 0 : 1)
}
