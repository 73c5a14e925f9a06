/** Roles and their bindings. */
import type { Role, RoleBinding } from '../../kubernetes.js'
import { isPlaceholder } from '../format.js'
import { type Checks, type Item, on } from './say.js'

export const rbac: Checks = {
  'rbac.PolicyRule': [
    on<Item<Role['rules']>>(({ apiGroups, resources, resourceNames, nonResourceURLs }, say) => {
      if ((nonResourceURLs ?? []).length > 0) {
        const [first] = [apiGroups, resources, resourceNames].filter((found) => (found ?? []).length > 0)
        if (first)
          say.conflict(['nonResourceURLs'], 'cannot stand beside resources: they need a rule of their own')
        return
      }
      if ((apiGroups ?? []).length === 0) say.lacks(['apiGroups'])
      if ((resources ?? []).length === 0) say.lacks(['resources'])
    }),
  ],
  'rbac.Role': [
    on<Role>(({ rules }, say) => {
      for (const [i, { nonResourceURLs }] of (rules ?? []).entries())
        if ((nonResourceURLs ?? []).length > 0)
          say.conflict(['rules', i, 'nonResourceURLs'], 'goes with a ClusterRole only')
    }),
  ],
  'rbac.ClusterRoleBinding': [
    on<RoleBinding>(({ roleRef, subjects }, say) => {
      if (roleRef?.kind === 'Role') say.conflict(['roleRef', 'kind'], 'has to be ClusterRole')
      for (const [i, { kind, namespace }] of (subjects ?? []).entries())
        if (kind === 'ServiceAccount' && !namespace)
          say.lacks(['subjects', i, 'namespace'], 'and kind is ServiceAccount')
    }),
  ],
  'rbac.Subject': [
    on<Item<RoleBinding['subjects']>>(({ kind, name, apiGroup }, say) => {
      if (kind === 'ServiceAccount') say.name(['name'], 'subdomain', name)
      const group = kind === 'ServiceAccount' ? '' : 'rbac.authorization.k8s.io'
      if (apiGroup && apiGroup !== group && !isPlaceholder(apiGroup))
        say.conflict(['apiGroup'], `has to be ${JSON.stringify(group)}, and kind is ${kind}`)
    }),
  ],
}
