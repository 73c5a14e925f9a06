/** Nodes, their devices and runtimes. */
import { addresses, choices, names } from './forms.js'
import { type Checks, merged } from './say.js'

export const nodes: Checks = merged(
  choices({
    'resource/v1.DeviceRequest': [1, 'exactly', 'firstAvailable'],
    'resource/v1beta2.DeviceRequest': [1, 'exactly', 'firstAvailable'],
  }),
  names({
    'node.RuntimeClass': { handler: 'label' },
    'resource.Device': { name: 'label' },
    'resource.DeviceRequest': { name: 'label' },
    'resource.ExactDeviceRequest': { deviceClassName: 'subdomain' },
  }),
  addresses({
    'core.NodeSpec': { podCIDR: 'CIDR', podCIDRs: 'CIDR' },
  }),
)
