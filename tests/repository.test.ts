/** What the folders of a repository tell: manifests that somebody completes, and clusters side by side. */
import { beforeAll, describe, expect, it } from 'vitest'
import { lint } from '../src/engine/lint.js'
import { readPaths } from '../src/reader/read.js'
import { loadStories } from '../src/registry.js'
import type { Rule } from '../src/rule.js'
import { folderWith } from './folders.js'
import { activeRule, allRules, settings } from './harness.js'

let rules: ReadonlyMap<string, Rule>
beforeAll(async () => {
  rules = await allRules()
})

const checked = [
  'lb-readiness-gate-missing',
  'ingress-backend-missing',
  'invalid-name',
  'invalid-value',
  'missing-field',
  'namespace-pod-quota-missing',
  'network-policy-blocks-service',
  'pdb-blocks-drain',
  'referenced-config-missing',
  'service-port-mismatch',
  'source-ip-lost',
  'unknown-field',
  'wrong-type',
]

/** What is found in a folder of these files: `file rule`. */
function found(files: Readonly<Record<string, string>>): string[] {
  const cwd = folderWith(files)
  const toRun = checked.map((id) => activeRule(id))
  const report = lint(readPaths(['.'], { cwd }), { settings: settings(toRun), rules, stories: loadStories })
  return report.findings.map(({ place, rule }) => `${place.file} ${rule}`)
}

const deployment = (image: string) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replica: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: ${image}}]
`
const files = {
  'assets/web/deployment.yaml': deployment('""'),
  'assets/web/pdb.yaml': `apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
`,
}
const all = [
  'assets/web/deployment.yaml unknown-field',
  'assets/web/deployment.yaml missing-field',
  'assets/web/pdb.yaml pdb-blocks-drain',
]

describe('a program', () => {
  it('completes what it embeds', () => {
    const source = 'package assets\n\n//go:embed */*.yaml\nvar files embed.FS\n'
    expect(found({ ...files, 'assets/assets.go': source })).toEqual([all[0]])
    const folders = '//go:embed "all:assets/web" other\n'
    expect(found({ ...files, 'main.go': folders })).toEqual([all[0]])
  })
  it('completes the definitions that controller-gen leaves without a type', () => {
    const crd =
      'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: letters.example.com}\nspec:\n' +
      '  group: example.com\n  scope: Namespaced\n  names: {kind: Letter, plural: letters}\n' +
      '  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {id: {}}}}}]\n'
    const letter = 'apiVersion: example.com/v1\nkind: Letter\nmetadata: {name: a}\n'
    const both = { 'api/crds.yaml': crd, 'api/letter.yaml': letter }
    expect(found(both)).toEqual(['api/crds.yaml invalid-value'])
    expect(found({ ...both, 'api/api.go': '//go:embed crds.yaml\n' })).toEqual([])
  })
  it('puts values in the place of words in capitals in what it embeds', () => {
    const service =
      'apiVersion: v1\nkind: Service\nmetadata: {name: IDENTITY_EXPORT}\nspec: {ports: [{port: 80}]}\n'
    const one = { 'config/service.yaml': service }
    expect(found(one)).toEqual(['config/service.yaml invalid-name'])
    expect(found({ ...one, 'config/config.go': '//go:embed *.yaml\n' })).toEqual([])
  })
  it('such as JKube makes objects of fragments', () => {
    const fragment = deployment('web:1').replace(/ {2}(?:selector|replica:).*\n/g, '')
    expect(found({ 'web/src/main/jkube/deployment.yml': fragment })).toEqual([])
    expect(found({ 'web/deployment.yml': fragment })).toEqual(['web/deployment.yml missing-field'])
  })
  it('such as Spark, Flink and Airflow names pods and sets their image', () => {
    const pod = (name: string) =>
      `apiVersion: v1\nkind: Pod\nspec:\n  containers: [{name: ${name}, volumeMount: []}]\n`
    const wrong = (file: string) => [`${file} unknown-field`]
    const lacks = (file: string) => [
      `${file} missing-field`,
      `${file} unknown-field`,
      `${file} missing-field`,
    ]
    for (const file of ['pod_template.yaml', 'k8s/pod-templates/gpu.yaml', 'spark/executor-template.yaml'])
      expect(found({ [file]: pod('base') })).toEqual(wrong(file))
    for (const name of ['spark-kubernetes-driver', 'flink-main-container', 'jnlp'])
      expect(found({ 'k8s/web.yaml': pod(name) })).toEqual(wrong('k8s/web.yaml'))
    const dask = `kind: Pod\nmetadata: {labels: {app: dask}}\nspec: {containers: [{name: dask, image: dask:1, args: [dask-worker]}]}\n`
    expect(found({ 'worker-spec.yml': dask })).toEqual([])
    expect(found({ 'worker-spec.yml': dask.replace('dask-worker', 'sh') })).toEqual([
      'worker-spec.yml missing-field',
    ])
    expect(found({ 'k8s/worker.yaml': pod('base') }).sort()).toEqual(lacks('k8s/worker.yaml').sort())
  })
  it('such as Jenkins names the pods of its pipelines', () => {
    const pod = (container: string) => `apiVersion: v1\nkind: Pod\nspec: {containers: [${container}]}\n`
    const build = { 'ci/build.yaml': pod('{name: maven, image: maven:3}') }
    const lacks = ['ci/build.yaml missing-field']
    expect(found(build)).toEqual(lacks)
    const pipeline = (step: string) => `pipeline { agent { kubernetes { ${step} } } }\n`
    expect(found({ ...build, Jenkinsfile: pipeline(`yamlFile 'ci/build.yaml'`) })).toEqual([])
    expect(found({ ...build, 'ci/release.groovy': pipeline('yamlFile: "ci/build.yaml"') })).toEqual([])
    expect(found({ ...build, Jenkinsfile: pipeline(`yamlFile 'ci/other.yaml'`) })).toEqual(lacks)
    expect(found({ ...build, 'web/Jenkinsfile': pipeline(`yamlFile 'ci/build.yaml'`) })).toEqual(lacks)
    for (const waits of [
      'command: [cat], tty: true',
      'command: [sleep], args: [99d]',
      "command: [sh, -c, 'cat'], tty: true",
    ])
      expect(found({ 'ci/build.yaml': pod(`{name: maven, image: maven:3, ${waits}}`) })).toEqual([])
    for (const runs of ['command: [cat]', 'command: [sleep, "5"]', 'tty: true'])
      expect(found({ 'ci/build.yaml': pod(`{name: maven, image: maven:3, ${runs}}`) })).toEqual(lacks)
  })
  it('such as Quarkus writes anew what it reads from its folder', () => {
    const config = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {port: 80}\n'
    const folder = 'rest/src/main/kubernetes'
    expect(found({ [`${folder}/kubernetes.yml`]: config })).toEqual([])
    expect(found({ [`${folder}/web.yml`]: config })).toEqual([`${folder}/web.yml wrong-type`])
    expect(found({ 'deploy/kubernetes.yml': config })).toEqual(['deploy/kubernetes.yml wrong-type'])
  })
  it('makes text of numbers where it fills in a name', () => {
    const config = (name: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {port: 80}\n`
    const named = { 'config/web.yaml': config('<Release>-web') }
    expect(found({ ...named, 'go.mod': 'module x\n' })).toEqual([])
    expect(found(named)).toEqual(['config/web.yaml wrong-type'])
    expect(found({ 'config/web.yaml': config('web'), 'go.mod': 'module x\n' })).toEqual([
      'config/web.yaml wrong-type',
    ])
  })
  it('leaves alone what it does not embed', () => {
    expect(found(files)).toEqual(all)
    expect(found({ ...files, 'assets/assets.go': '//go:embed *.yaml web/config.yaml\n' })).toEqual(all)
    expect(found({ ...files, 'assets/web/other/main.go': '//go:embed *\n' })).toEqual(all)
  })
  it('in Java names what it reads as a resource', () => {
    const folder = 'web/src/main/resources/io/example'
    const service = (name: string) =>
      `apiVersion: v1\nkind: Service\nmetadata: ${name}\nspec: {ports: [{}]}\n`
    for (const name of ['{name: ""}', '{labels: {app: web}}'])
      expect(found({ [`${folder}/service.yaml`]: service(name) })).toEqual([])
    const file = `${folder}/service.yaml`
    expect(found({ [file]: service('{name: web}') })).toEqual([`${file} missing-field`])
    expect(found({ 'web/service.yaml': service('{name: ""}') })).toEqual([
      'web/service.yaml missing-field',
      'web/service.yaml missing-field',
    ])
  })
  it('or an upgrade of OpenShift deletes what has no more than a name', () => {
    const job = (value: string) =>
      `apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: clean, annotations: {release.openshift.io/delete: "${value}"}}\n`
    expect(found({ 'install/0000_90_clean.yaml': job('true') })).toEqual([])
    expect(found({ 'install/0000_90_clean.yaml': job('false') })).toEqual([
      'install/0000_90_clean.yaml missing-field',
    ])
  })
  it('or Flux merges what is a part', () => {
    const part = deployment('web:1').replace(
      '{name: web}',
      '{name: web, annotations: {kustomize.toolkit.fluxcd.io/ssa: Merge}}',
    )
    expect(found({ 'web.yaml': part.replace(/ {2}selector.*\n/, '') })).toEqual(['web.yaml unknown-field'])
  })
  it('or a script beside it puts in the image', () => {
    const script = (text: string) => ({ ...files, 'assets/web/deploy.sh': text })
    const jq = "jq '.spec.template.spec.containers[0].image = env.IMAGE'"
    expect(found(script(`kubectl create -f deployment.yaml -o json --dry-run=client |\n  ${jq}`))).toEqual([
      all[0],
      all[2],
    ])
    expect(found(script('kubectl apply -f deployment.yaml\n'))).toEqual(all)
    expect(found(script(`kubectl get -o json deploy other | ${jq}\n`))).toEqual(all)
  })
  it('fills in the images of its module that are empty', () => {
    expect(found({ ...files, 'go.mod': 'module example.com/web\n' })).toEqual([all[0], all[2]])
  })
})

const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n'
const ingress = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop, annotations: {alb.ingress.kubernetes.io/target-type: ip}}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
`
const job = `apiVersion: batch/v1
kind: CronJob
metadata: {name: report, namespace: shop}
spec:
  schedule: '*/5 * * * *'
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: report, image: a:1}]}}}}
`
const secret = 'apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {a: b}\n'
const user = `apiVersion: v1
kind: Pod
metadata: {name: user}
spec:
  containers:
    - {name: user, image: a:1, env: [{name: KEY, valueFrom: {secretKeyRef: {name: keys, key: other}}}]}
`

describe('clusters side by side', () => {
  it('have their own namespaces', () => {
    const clusters = { 'aws/namespace.yaml': namespace, 'gcp/namespace.yaml': namespace }
    expect(found({ ...clusters, 'aws/ingress.yaml': ingress, 'gcp/job.yaml': job })).toEqual([
      'aws/namespace.yaml lb-readiness-gate-missing',
      'gcp/namespace.yaml namespace-pod-quota-missing',
    ])
  })
  it('have Secrets that a script makes with more keys', () => {
    const files = { 'k8s/keys.yaml': secret, 'k8s/user.yaml': user }
    const create =
      'kubectl create secret generic keys \\\n  --from-literal=a="$A" \\\n  --from-literal=other="$B"\n'
    expect(found({ ...files, 'k8s/deploy.sh': create })).toEqual([])
    expect(found({ ...files, 'deploy.sh': create })).toEqual([])
    expect(found({ ...files, 'k8s/deploy.sh': create.replace('other', 'another') })).toHaveLength(1)
    expect(found({ ...files, 'k8s/deploy.sh': create.replace(' keys', ' keys-of-web') })).toHaveLength(1)
  })
  it('have Secrets that Terraform makes with more keys, before anything is applied', () => {
    const files = { 'k8s/keys.yaml': secret, 'k8s/user.yaml': user }
    const resource = (key: string) =>
      `resource "null_resource" "a" {\n  provisioner "local-exec" {\n    command = "kubectl -n a create secret generic keys --from-literal=${key}=\${var.b}"\n  }\n}\n`
    expect(found({ ...files, 'terraform/aws/main.tf': resource('other') })).toEqual([])
    expect(found({ ...files, 'terraform/aws/main.tf': resource('another') })).toHaveLength(1)
  })
  it('have Secrets of one name, some of them outside of Git', () => {
    expect(found({ 'one/keys.yaml': secret, 'three/user.yaml': user })).toHaveLength(1)
    expect(found({ 'one/keys.yaml': secret, 'two/keys.yaml': secret, 'three/user.yaml': user })).toEqual([])
    expect(found({ 'one/keys.yaml': secret, 'two/keys.yaml': secret, 'one/user.yaml': user })).toHaveLength(1)
  })
})

const web = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: a:1, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
`
const policy = (name: string, selector: string, from: string) => `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: ${name}}
spec: {podSelector: ${selector}, ingress: [${from}]}
`

describe('applications side by side', () => {
  const blocked = ['web/web.yaml network-policy-blocks-service']
  const own = {
    'web/web.yaml': web,
    'web/policy.yaml': policy('own', '{matchLabels: {app: web}}', '{from: [{podSelector: {}}]}'),
  }
  it("are not closed by each other's policies for all pods", () => {
    const closed = policy('all', '{}', '{ports: [{port: 9090}]}')
    expect(found({ 'web/web.yaml': web, 'web/policy.yaml': closed })).toEqual(blocked)
    expect(found({ 'web/web.yaml': web, 'blog/policy.yaml': closed })).toEqual([])
  })
  it('may be opened by them', () => {
    expect(found(own)).toEqual(blocked)
    expect(
      found({ ...own, 'base/policy.yaml': policy('all', '{}', '{from: [{namespaceSelector: {}}]}') }),
    ).toEqual([])
  })
})

describe('a Service of another folder', () => {
  const service = (namespace: string) =>
    `apiVersion: v1\nkind: Service\nmetadata: {name: web${namespace}}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n`
  const route = (namespace: string) =>
    `apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web${namespace}}\nspec:\n  defaultBackend: {service: {name: web, port: {number: 8080}}}\n`
  const tree = (namespace = '') => ({
    'web/service.yaml': service(namespace),
    'route.yaml': route(namespace),
  })
  const missing = ['route.yaml ingress-backend-missing']
  it('may be of another example, unless a namespace or kustomizations say otherwise', () => {
    expect(found(tree())).toEqual([])
    expect(found({ 'route.yaml': route(''), 'service.yaml': service('') })).toEqual(missing)
    expect(found(tree(', namespace: web'))).toEqual(missing)
    const listed = 'resources: [web, route.yaml]\n'
    const listing = 'resources: [service.yaml]\n'
    expect(found({ ...tree(), 'kustomization.yaml': listed, 'web/kustomization.yaml': listing })).toEqual(
      missing,
    )
  })
})

describe('a policy of another folder', () => {
  const service =
    'apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}\n'
  const policy =
    'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: web}\nspec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]}\n'
  it('may be of another test', () => {
    expect(found({ 'a/web.yaml': service, 'b/policy.yaml': policy })).toEqual([])
    expect(found({ 'a/web.yaml': service, 'a/policy.yaml': policy })).toEqual(['a/web.yaml source-ip-lost'])
  })
})

describe('a Service that its kustomization has in a comment', () => {
  const service =
    'apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80, targetPort: https}]}\n'
  const tree = (listing: string) => ({
    'rbac/kustomization.yaml': `resources:\n- web.yaml\n${listing}\n`,
    'rbac/web.yaml': deployment('web:1').replace(
      'image: web:1',
      'image: web:1, ports: [{containerPort: 80}]',
    ),
    'rbac/service.yaml': service,
  })
  it('is not applied with the others', () => {
    const mismatch = 'rbac/service.yaml service-port-mismatch'
    expect(found(tree('- service.yaml'))).toContain(mismatch)
    expect(found(tree('#- service.yaml'))).not.toContain(mismatch)
    expect(found(tree('#- service.yaml\n- service.yaml'))).toContain(mismatch)
  })
})

describe('a policy in a folder that a kustomization has in a comment', () => {
  const service =
    'apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 443, targetPort: 9443}]}\n'
  const policy =
    'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: web}\nspec: {podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 443}]}]}\n'
  const tree = (line: string) => ({
    'config/default/kustomization.yaml': `resources:\n- web.yaml\n${line}\n`,
    'config/default/web.yaml': `${deployment('web:1')}---\n${service}`,
    'config/network-policy/kustomization.yaml': 'resources: [web.yaml]\n',
    'config/network-policy/web.yaml': policy,
  })
  it('is not applied with the others', () => {
    const blocked = 'config/default/web.yaml network-policy-blocks-service'
    expect(found(tree('- ../network-policy'))).toContain(blocked)
    expect(found(tree('#- ../network-policy'))).not.toContain(blocked)
  })
  it('is not applied with what a kustomization lists beside it, either', () => {
    const blocked = 'config/manager/web.yaml network-policy-blocks-service'
    const { 'config/default/web.yaml': web = '', ...rest } = tree('- ../manager\n- ../rbac')
    const beside = { ...rest, 'config/manager/web.yaml': web, 'config/rbac/role.yaml': '' }
    const listing = (...folders: string[]) => `resources:\n${folders.map((one) => `- ../${one}\n`).join('')}`
    const withList = (list: string) => found({ ...beside, 'config/default/kustomization.yaml': list })
    expect(withList(listing('manager', 'rbac'))).not.toContain(blocked)
    expect(withList(listing('manager', 'rbac', 'network-policy'))).toContain(blocked)
    // One alone may be an overlay of it.
    expect(withList(listing('manager'))).toContain(blocked)
    // And another build may have both.
    const other = { 'config/all/kustomization.yaml': listing('manager', 'network-policy') }
    expect(
      found({ ...beside, ...other, 'config/default/kustomization.yaml': listing('manager', 'rbac') }),
    ).toContain(blocked)
  })
})

describe('an object of a kind that has no namespace', () => {
  it('gets none from -n, in a version that no longer knows it either', () => {
    const cwd = folderWith({
      'limits.yaml': `apiVersion: flowcontrol.apiserver.k8s.io/v1beta3
kind: FlowSchema
metadata: {name: limits}
spec: {priorityLevelConfiguration: {name: workload-low}}
`,
    })
    const { findings } = lint(readPaths(['.'], { cwd }), {
      settings: { ...settings([activeRule('removed-api-version')]), namespace: 'shop' },
      rules,
      stories: loadStories,
    })
    expect(findings.map(({ subject }) => subject)).toMatchObject([{ kind: 'FlowSchema', namespace: '' }])
  })
})
