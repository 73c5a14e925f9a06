/**
 * What the validation of the API server enforces and its OpenAPI documents do not say.
 *
 * Source: pkg/apis/…/validation of k8s.io/kubernetes, confirmed one by one with a kube-apiserver v1.36.3
 * (`--dry-run=server`, one field of an accepted object changed at a time). Keys are `group.Type`, for all versions of the
 * group, or `group/version.Type`; fields of a type that some version does not have are left out there.
 */
type Table = Readonly<Record<string, Readonly<Record<string, string>>>>
type Fields = Readonly<Record<string, string>>

const port = '1..65535'
const optionalPort = '0..65535'
const count = '0..'
const some = '1..'
const weight = '1..100'
const id = '0..2147483647'
const mode = '0..511'

/** Smallest and largest number. */
export const bounds: Table = {
  'admissionregistration.MutatingWebhook': { timeoutSeconds: '1..30' },
  'admissionregistration.ServiceReference': { port },
  'admissionregistration.ValidatingWebhook': { timeoutSeconds: '1..30' },
  'apiextensions.ServiceReference': { port },
  'apiregistration.APIServiceSpec': { groupPriorityMinimum: '1..20000', versionPriority: '1..1000' },
  'apps.DaemonSetSpec': { minReadySeconds: count, revisionHistoryLimit: count },
  'apps.DeploymentSpec': { minReadySeconds: count, replicas: count, revisionHistoryLimit: count },
  'apps.ReplicaSetSpec': { minReadySeconds: count, replicas: count },
  'apps.RollingUpdateDaemonSet': { maxSurge: count, maxUnavailable: count },
  'apps.RollingUpdateDeployment': { maxSurge: count, maxUnavailable: count },
  'apps.RollingUpdateStatefulSetStrategy': { maxUnavailable: count, partition: count },
  'apps.StatefulSetSpec': { minReadySeconds: count, replicas: count },
  'autoscaling.HPAScalingPolicy': { periodSeconds: '1..1800', value: some },
  'autoscaling.HPAScalingRules': { stabilizationWindowSeconds: '0..3600' },
  'autoscaling.HorizontalPodAutoscalerSpec': {
    maxReplicas: some,
    minReplicas: count,
    targetCPUUtilizationPercentage: some,
  },
  'autoscaling.MetricTarget': { averageUtilization: some },
  'batch.CronJobSpec': { failedJobsHistoryLimit: count, successfulJobsHistoryLimit: count },
  'batch.JobSpec': {
    activeDeadlineSeconds: count,
    backoffLimit: count,
    completions: count,
    parallelism: count,
    ttlSecondsAfterFinished: count,
  },
  'core.ClientIPConfig': { timeoutSeconds: '1..86400' },
  'core.ConfigMapVolumeSource': { defaultMode: mode },
  'core.ContainerPort': { containerPort: port, hostPort: optionalPort },
  'core.DownwardAPIVolumeSource': { defaultMode: mode },
  'core.EndpointPort': { port },
  'core.GRPCAction': { port },
  'core.HTTPGetAction': { port },
  'core.ISCSIVolumeSource': { lun: '0..255' },
  'core.KeyToPath': { mode },
  'core.PodSpec': { activeDeadlineSeconds: '1..2147483647' },
  'core.PodSecurityContext': { fsGroup: id, runAsGroup: id, runAsUser: id },
  'core.PreferredSchedulingTerm': { weight },
  'core.Probe': {
    failureThreshold: count,
    initialDelaySeconds: count,
    periodSeconds: count,
    successThreshold: count,
    timeoutSeconds: count,
  },
  'core.ProjectedVolumeSource': { defaultMode: mode },
  'core.ReplicationControllerSpec': { minReadySeconds: count, replicas: count },
  'core.SecretVolumeSource': { defaultMode: mode },
  'core.SecurityContext': { runAsGroup: id, runAsUser: id },
  'core.ServiceAccountTokenProjection': { expirationSeconds: '600..4294967296' },
  'core.ServicePort': { port, targetPort: optionalPort },
  'core.SleepAction': { seconds: count },
  'core.TCPSocketAction': { port },
  'core.TopologySpreadConstraint': { maxSkew: some },
  'core.WeightedPodAffinityTerm': { weight },
  'networking.NetworkPolicyPort': { endPort: port, port },
  'networking.ServiceBackendPort': { number: port },
  'policy.PodDisruptionBudgetSpec': { maxUnavailable: count, minAvailable: count },
}

/** The only values of a text. */
export const values: Table = {
  'admissionregistration.ParamRef': { parameterNotFoundAction: 'Allow|Deny' },
  'admissionregistration.MutatingWebhook': { sideEffects: 'None|NoneOnDryRun' },
  'admissionregistration.ValidatingWebhook': { sideEffects: 'None|NoneOnDryRun' },
  'apiextensions.CustomResourceConversion': { strategy: 'None|Webhook' },
  'apiextensions.CustomResourceColumnDefinition': { type: 'boolean|date|integer|number|string' },
  'apiextensions.CustomResourceDefinitionSpec': { scope: 'Cluster|Namespaced' },
  'apiextensions.JSONSchemaProps': {
    type: 'array|boolean|integer|number|object|string',
    'x-kubernetes-list-type': 'atomic|map|set',
    'x-kubernetes-map-type': 'atomic|granular',
  },
  'autoscaling.HPAScalingPolicy': { type: 'Percent|Pods' },
  'autoscaling.HPAScalingRules': { selectPolicy: 'Disabled|Max|Min' },
  'autoscaling.MetricSpec': { type: 'ContainerResource|External|Object|Pods|Resource' },
  'autoscaling.MetricTarget': { type: 'AverageValue|Utilization|Value' },
  'core.AzureDiskVolumeSource': { kind: 'Dedicated|Managed|Shared' },
  'core.ServiceSpec': { ipFamilies: 'IPv4|IPv6' },
  'discovery.EndpointSlice': { addressType: 'FQDN|IPv4|IPv6' },
  'meta.LabelSelectorRequirement': { operator: 'DoesNotExist|Exists|In|NotIn' },
  'rbac.RoleRef': { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole|Role' },
  'rbac.Subject': { kind: 'Group|ServiceAccount|User' },
  'scheduling.PriorityClass': { preemptionPolicy: 'Never|PreemptLowerPriority' },
  'storage.StorageClass': {
    reclaimPolicy: 'Delete|Retain',
    volumeBindingMode: 'Immediate|WaitForFirstConsumer',
  },
}

/** Fields with such values in which empty text is none of them; in others it stands for the default. */
export const never: Fields = {
  'admissionregistration.MutatingAdmissionPolicySpec': 'failurePolicy',
  'admissionregistration.MutatingWebhook': 'failurePolicy matchPolicy',
  'admissionregistration.ParamRef': 'parameterNotFoundAction',
  'admissionregistration.RuleWithOperations': 'scope',
  'admissionregistration.ValidatingAdmissionPolicySpec': 'failurePolicy',
  'admissionregistration.ValidatingWebhook': 'failurePolicy matchPolicy',
  'apiextensions.JSONSchemaProps': 'x-kubernetes-list-type x-kubernetes-map-type',
  'autoscaling.HPAScalingRules': 'selectPolicy',
  'batch.JobSpec': 'completionMode',
  'core.PersistentVolumeClaimSpec': 'volumeMode',
  'core.PersistentVolumeSpec': 'volumeMode',
  'core.ServiceSpec': 'ipFamilyPolicy',
  'core.VolumeMount': 'mountPropagation',
  'networking.NetworkPolicyPort': 'protocol',
  'policy.PodDisruptionBudgetSpec': 'unhealthyPodEvictionPolicy',
  'scheduling.PriorityClass': 'preemptionPolicy',
  'storage.StorageClass': 'volumeBindingMode',
}

/** Fields that the API server wants although its document calls them optional. */
export const required: Fields = {
  'admissionregistration.MutatingAdmissionPolicyBindingSpec': 'policyName',
  'admissionregistration.MutatingAdmissionPolicySpec': 'matchConstraints mutations reinvocationPolicy',
  'admissionregistration.NamedRuleWithOperations': 'apiGroups apiVersions operations resources',
  'admissionregistration.MutatingAdmissionPolicy': 'spec',
  'admissionregistration.MutatingAdmissionPolicyBinding': 'spec',
  'admissionregistration.ParamKind': 'apiVersion kind',
  'admissionregistration.RuleWithOperations': 'apiGroups apiVersions operations resources',
  'admissionregistration.ValidatingAdmissionPolicy': 'spec',
  'admissionregistration.ValidatingAdmissionPolicyBinding': 'spec',
  'admissionregistration.ValidatingAdmissionPolicyBindingSpec': 'policyName validationActions',
  'admissionregistration.ValidatingAdmissionPolicySpec': 'matchConstraints',
  'apiextensions/v1.CustomResourceDefinitionVersion': 'schema',
  'apiextensions/v1.CustomResourceValidation': 'openAPIV3Schema',
  'apiregistration.APIService': 'spec',
  'apiregistration.APIServiceSpec': 'group version',
  'apiregistration.ServiceReference': 'name namespace',
  'batch.Job': 'spec',
  'batch.JobTemplateSpec': 'spec',
  'core.ConfigMapEnvSource': 'name',
  'core.ConfigMapKeySelector': 'name',
  'core.ConfigMapProjection': 'name',
  'core.ConfigMapVolumeSource': 'name',
  'core.Container': 'image',
  'core.EphemeralVolumeSource': 'volumeClaimTemplate',
  'core.ExecAction': 'command',
  'core.PersistentVolume': 'spec',
  'core.PersistentVolumeClaim': 'spec',
  'core.PersistentVolumeClaimSpec': 'accessModes resources',
  'core.PersistentVolumeSpec': 'accessModes capacity',
  'core.Pod': 'spec',
  'core.PodDNSConfigOption': 'name',
  'core.PodTemplateSpec': 'spec',
  'core.ReplicationController': 'spec',
  'core.ReplicationControllerSpec': 'template',
  'core.SecretEnvSource': 'name',
  'core.SecretKeySelector': 'name',
  'core.SecretProjection': 'name',
  'core.SecretVolumeSource': 'secretName',
  'core.Service': 'spec',
  'core.VolumeNodeAffinity': 'required',
  'core.VolumeResourceRequirements': 'requests',
  'networking.Ingress': 'spec',
  'networking.IngressClass': 'spec',
  'networking.IngressClassSpec': 'controller',
  'networking.IngressServiceBackend': 'port',
}

/** Fields that the document calls required and the API server does without. */
export const optional: Fields = {
  'apiextensions.CustomResourceDefinitionVersion': 'served storage',
  'apiextensions.CustomResourceDefinitionStatus': 'acceptedNames conditions storedVersions',
  'batch.PodFailurePolicy': 'rules',
  'core.Event': 'involvedObject',
  'core.HTTPHeader': 'value',
  'core.ISCSIVolumeSource': 'lun',
  'core.ISCSIPersistentVolumeSource': 'lun',
  'core.LimitRangeSpec': 'limits',
  'core.PreferredSchedulingTerm': 'preference',
  'core.SleepAction': 'seconds',
  'core.Sysctl': 'value',
  'core.TypedLocalObjectReference': 'kind',
  'discovery.EndpointSlice': 'endpoints',
  'discovery.ForZone': 'name',
  'resource.DeviceCapacity': 'value',
  'resource.ResourcePool': 'generation',
  'scheduling.PriorityClass': 'value',
  'storage.CSIDriver': 'spec',
  'storage.CSINode': 'spec',
  'storage.CSINodeSpec': 'drivers',
}

/** Required lists that may not be empty either. */
export const filled: Fields = {
  'admissionregistration.MutatingAdmissionPolicySpec': 'mutations',
  'admissionregistration.MutatingWebhook': 'admissionReviewVersions',
  'admissionregistration.NamedRuleWithOperations': 'apiGroups apiVersions operations resources',
  'admissionregistration.RuleWithOperations': 'apiGroups apiVersions operations resources',
  'admissionregistration.ValidatingAdmissionPolicyBindingSpec': 'validationActions',
  'admissionregistration.ValidatingWebhook': 'admissionReviewVersions',
  'apiextensions.CustomResourceDefinitionSpec': 'versions',
  'apiextensions.WebhookConversion': 'conversionReviewVersions',
  'core.ExecAction': 'command',
  'core.NodeSelector': 'nodeSelectorTerms',
  'core.PersistentVolumeClaimSpec': 'accessModes',
  'core.PersistentVolumeSpec': 'accessModes',
  'core.PodSpec': 'containers',
  'networking.HTTPIngressRuleValue': 'paths',
  'rbac.PolicyRule': 'verbs',
}

/**
 * What tells the entries of a list apart: `!` before keys that may not repeat, alternatives separated by `|`. Other lists
 * have the keys of the document, and the server lets them repeat.
 */
export const unique: Table = {
  'admissionregistration.MutatingAdmissionPolicySpec': { matchConditions: '!name' },
  'admissionregistration.MutatingWebhook': { admissionReviewVersions: '!=', matchConditions: '!name' },
  'admissionregistration.MutatingWebhookConfiguration': { webhooks: '!name' },
  'admissionregistration.ValidatingAdmissionPolicyBindingSpec': { validationActions: '!=' },
  'admissionregistration.ValidatingAdmissionPolicySpec': { matchConditions: '!name' },
  'admissionregistration.ValidatingWebhook': { admissionReviewVersions: '!=', matchConditions: '!name' },
  'admissionregistration.ValidatingWebhookConfiguration': { webhooks: '!name' },
  'apiextensions.CustomResourceDefinitionSpec': { versions: '!name' },
  'core.Container': {
    ports: 'containerPort,protocol|!name',
    volumeDevices: '!devicePath',
    volumeMounts: '!mountPath',
  },
  'core.LimitRangeSpec': { limits: '!type' },
  'core.PodSpec': {
    containers: '!name',
    initContainers: '!name',
    resourceClaims: '!name',
    topologySpreadConstraints: '!topologyKey,whenUnsatisfiable',
    volumes: '!name',
  },
  'core.ServiceSpec': { ipFamilies: '!=', ports: '!port,protocol|!name' },
}

/** Fields of type IntOrString whose text is a percentage; that of all others is the name of a port. */
export const percentages: Fields = {
  'apps.RollingUpdateDaemonSet': 'maxSurge maxUnavailable',
  'apps.RollingUpdateDeployment': 'maxSurge maxUnavailable',
  'apps.RollingUpdateStatefulSetStrategy': 'maxUnavailable',
  'policy.PodDisruptionBudgetSpec': 'maxUnavailable minAvailable',
}
