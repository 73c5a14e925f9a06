/** Why rules say nothing, by default, of some objects that have their failure now: what was found where some of each were read. */
export const silence: Readonly<Record<string, string>> = {
  'unknown-field':
    'custom objects more than three folders away from their definition; names with underscores that are too far from any field get no proposal',
  'missing-field':
    'resources that a patch or a kustomization elsewhere may complete: bases, components, overlays',
  'wrong-type': 'kustomize quotes annotations; text that holds a placeholder is told as such',
  'conflicting-fields': 'as missing-field',
  'invalid-name': 'a kustomization sets names and namespaces',
  'unfilled-placeholder': 'beside a kustomization; objects without a name have findings under another one',
  'removed-node-label-selector': 'objects of OpenShift beside it, whose nodes have the label',
  'job-retries-despite-never': 'the Job is suspended, as Kueue wants it',
  'job-sidecar-never-completes': 'the work ends its helper (`killall`)',
  'batch-beside-serving': 'Kueue admits the Job',
  'cronjob-schedule-stampede': 'told at another CronJob of the same minute',
  'readiness-probe-missing': 'Services for metrics, exporters',
  'liveness-same-as-readiness':
    'only a scraper asks, or no Service leads to that port; asked for, these are told',
  'drain-delay-missing': 'one pod at least, by the autoscaler: single-replica-service tells',
  'single-replica-service':
    'pods with a claim or Recreate, which cannot run twice: told where asked for; an autoscaler with more pods',
  'rollout-drops-all-replicas':
    'Services for metrics, headless ones, pods with a claim (rwo-volume-rolling-update tells), an autoscaler with more pods',
  'daemonset-update-unpaced':
    'pods that only pause; rollout-drops-all-replicas tells of those behind a Service',
  'crashloop-restart-storm': 'an autoscaler with few pods at least; readiness-probe-missing tells besides',
  'replicas-not-spread':
    'Services for metrics or for one pod; volumes of one node (rwo-volume-rolling-update tells)',
  'surge-pod-does-not-fit': 'an autoscaler with one pod at least',
  'autoscaler-eviction-blocked': 'an autoscaler with one pod at least',
  'critical-addon-priority-missing': 'no add-on that is known',
  'pdb-blocks-drain': 'the budget guards the pods of two workloads',
  'pdb-missing': 'partial input: the budget may be elsewhere; told with --complete',
  'pdb-protects-unhealthy-pods': 'StatefulSets with claims of their own',
  'hpa-replicas-conflict': 'a kustomization patches the workload',
  'hpa-at-limit': 'hpa-metric-without-request tells: it does not scale at all',
  'autoscaler-target-missing': 'the reference has no apiVersion, and means no kind that is known',
  'hpa-vpa-conflict': 'no percentage is measured, or the workload is not in the input',
  'service-selects-nothing':
    'partial input, and the workload is called otherwise or has another Service: the pods may be elsewhere; told where asked for',
  'service-port-mismatch': 'another Service leads to these ports, or the list is of metrics alone',
  'local-traffic-drain-blackhole': 'pods in the network of their node; an autoscaler with one pod at least',
  'persistent-connections-pinned': 'an autoscaler with one pod at least',
  'route-parent-missing': 'the Gateway says no namespace, the route does; since mended where neither does',
  'ingress-route-conflict': 'two Ingresses of the input have the path already',
  'ingress-host-overbroad': 'the Ingresses beside it say no namespace',
  'ingress-tls-secret-invalid': 'tls-acme asks for the Secret',
  'certificate-not-requested': 'another Ingress of the repository has the host in its tls',
  'ingress-upstream-service-vip': 'Ingresses of Google, where the annotation means nothing; a mesh is there',
  'network-policy-blocks-service': 'told at another Service of the same pods',
  'source-ip-lost':
    'told where the folder is linted alone: other workloads of the repository have the labels',
  'resource-requests-missing': 'telemetry-agent-unbounded tells',
  'mutable-image-tag': 'a kustomization, or skaffold, of the repository sets the tag',
  'public-registry-image': 'kube-system is exempt',
  'registry-in-own-cluster': 'the host is still to be filled in',
  'webhook-cabundle-invalid':
    'an account of the namespace may change the object: it writes the bundle itself',
  'role-binding-account-missing':
    'a kustomization may set the namespace, or accounts of two namespaces have that name',
  'role-binding-role-missing': 'a kustomization renames the role',
  'unpinned-deployment-source': 'overlays set the version by a patch',
  'database-data-ephemeral': 'a kustomization patches the workload',
  'volume-reclaim-delete': 'the StorageClass keeps its volumes (Retain)',
  'service-monitor-selects-nothing': 'a kustomization stands beside the Service, and may give it labels',
  'leader-lease-stale': 'an autoscaler with one pod at least',
  'etcd-data-ephemeral': 'a kustomization patches the workload',
  'setting-ignored': 'a component of kustomize puts other annotations there',
}
