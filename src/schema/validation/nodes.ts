/** Nodes, their devices and runtimes. */
import { enumerate } from '../../values/enumerate.js'
import { quantity } from '../../values/quantity.js'
import { isPlaceholder } from '../format.js'
import { addresses, choices, names } from './forms.js'
import { type Checks, merged, on, oneOf } from './say.js'

interface DeviceClaim {
  readonly requests?: readonly { readonly name?: string }[]
  readonly constraints?: readonly { readonly requests?: readonly string[] }[]
  readonly config?: readonly { readonly requests?: readonly string[] }[]
}

interface ResourceSlice {
  readonly perDeviceNodeSelection?: boolean
  readonly devices?: readonly object[]
  readonly sharedCounters?: readonly unknown[]
}

interface Device {
  readonly bindingConditions?: readonly string[]
  readonly bindingFailureConditions?: readonly string[]
}

/** The values of an attribute; a server may drop lists of them. */
const single = ['bool', 'int', 'string', 'version']

const places = ['nodeName', 'nodeSelector', 'allNodes']

const sliceSpec = on<ResourceSlice>((spec, say) => {
  const { perDeviceNodeSelection, devices = [], sharedCounters = [] } = spec
  if (devices.length > 0 && sharedCounters.length > 0)
    say.conflict(['sharedCounters'], 'cannot stand beside devices')
  for (const [i, device] of perDeviceNodeSelection ? [] : devices.entries()) {
    const [place] = oneOf(device, places)
    if (place) say.conflict(['devices', i, place], 'goes with perDeviceNodeSelection only')
  }
})

export const nodes: Checks = merged(
  {
    'resource/v1.DeviceClaim': [
      on<DeviceClaim>(({ requests = [], constraints = [], config = [] }, say) => {
        const known = requests.map(({ name }) => name)
        for (const [field, all] of Object.entries({ constraints, config }))
          for (const [i, one] of all.entries())
            for (const [j, request] of (one.requests ?? []).entries())
              if (!known.includes(request.split('/')[0]) && ![request, ...known].some(isPlaceholder))
                say.conflict([field, i, 'requests', j], `names no request: ${JSON.stringify(request)}`)
      }),
    ],
    'resource/v1.ExactDeviceRequest': [
      on<{ readonly allocationMode?: string; readonly count?: number }>(({ allocationMode, count }, say) => {
        if (allocationMode === 'All' && count)
          say.conflict(['count'], 'cannot stand beside allocationMode All')
      }),
    ],
    'resource/v1.ResourceSliceSpec': [sliceSpec],
    'resource/v1.Device': [
      on<Device>(({ bindingConditions = [], bindingFailureConditions = [] }, say) => {
        if (bindingConditions.length > 0 && bindingFailureConditions.length === 0)
          say.lacks(['bindingFailureConditions'], 'and bindingConditions are there')
        if (bindingConditions.length === 0 && bindingFailureConditions.length > 0)
          say.lacks(['bindingConditions'], 'and bindingFailureConditions are there')
      }),
    ],
    'resource/v1.DeviceAttribute': [
      on<object>((attribute, say) => {
        const found = Object.keys(attribute)
        const [first, second] = found.filter((field) => single.includes(field))
        if (found.length === 0) say.conflict([], `needs one of ${enumerate(single, 'or')}`)
        else if (second !== undefined) say.conflict([second], `cannot stand beside ${first}`)
      }),
    ],
    'resource/v1.DeviceConstraint': [
      on<object>((constraint, say) => {
        const fields = ['matchAttribute', 'distinctAttribute']
        if (oneOf(constraint, fields).length === 0)
          say.conflict([], `needs one of ${enumerate(fields, 'or')}`)
      }),
    ],
    'node.Overhead': [
      on<{ readonly podFixed?: Readonly<Record<string, string>> }>(({ podFixed }, say) => {
        for (const [resource, amount] of Object.entries(podFixed ?? {}))
          if ((quantity(amount) ?? 0) < 0)
            say.conflict(['podFixed', resource], `is ${amount}, and has to be at least 0`)
      }),
    ],
  },
  choices({
    'resource/v1.DeviceRequest': [1, 'exactly', 'firstAvailable'],
    'resource/v1.ResourceSliceSpec': [1, 'nodeName', 'nodeSelector', 'allNodes', 'perDeviceNodeSelection'],
    'resource/v1beta2.DeviceRequest': [1, 'exactly', 'firstAvailable'],
  }),
  names({
    'node.RuntimeClass': { handler: 'label' },
    'resource.Device': { name: 'label' },
    'resource.DeviceRequest': { name: 'label' },
    'resource.ExactDeviceRequest': { deviceClassName: 'subdomain' },
  }),
  addresses({
    // Not podCIDRs: the server reads podCIDR in its place when both are there. Source: core/v1/conversion.go.
    'core.NodeSpec': { podCIDR: 'CIDR' },
  }),
)
