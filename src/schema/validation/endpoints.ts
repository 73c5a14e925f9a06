/** Endpoints and EndpointSlices, and the addresses that are none of theirs. */
import { isIP } from '../../values/ip.js'
import { isPlaceholder } from '../format.js'
import { addresses, filled, names } from './forms.js'
import { type Check, type Checks, merged, on } from './say.js'

/** Addresses that lead nowhere else: ValidateEndpointIP, ValidateNonSpecialIP of pkg/apis/core/validation. */
const specials: readonly (readonly [RegExp, string])[] = [
  [/^(?:0\.0\.0\.0|[0:]+)$/, 'stands for no address'],
  [/^127\.|^(?:0*:)+0*1$/, 'is a loopback address'],
  [/^169\.254\.|^fe[89ab][0-9a-f]:/i, 'is a link-local address'],
  [/^224\.0\.0\.|^ff02:/i, 'is a link-local multicast address'],
]

/** Why an address cannot be one of an endpoint. */
function oddity(address: string): string | undefined {
  return isIP(address) === 0 ? undefined : specials.find(([pattern]) => pattern.test(address))?.[1]
}

/** The same for a field that holds addresses. */
export function special(field: string): Check {
  return on<Readonly<Record<string, string | readonly string[] | undefined>>>((value, say) => {
    const found = value[field]
    const isOne = typeof found === 'string'
    for (const [i, one] of (isOne ? [found] : (found ?? [])).entries()) {
      const fault = oddity(one)
      if (fault) say.conflict(isOne ? [field] : [field, i], `${fault}: ${JSON.stringify(one)}`, one)
    }
  })
}

interface EndpointSlice {
  readonly addressType?: string
  readonly endpoints?: readonly { readonly addresses?: readonly string[] }[]
  readonly ports?: readonly { readonly name?: string }[]
}

const slice = on<EndpointSlice>(({ addressType, endpoints = [], ports = [] }, say) => {
  const version = addressType === 'IPv4' ? 4 : addressType === 'IPv6' ? 6 : undefined
  if (version !== undefined)
    for (const [i, { addresses = [] }] of endpoints.entries())
      for (const [j, address] of addresses.entries()) {
        if (isPlaceholder(address)) continue
        const fault = isIP(address) === version ? oddity(address) : `is no ${addressType} address`
        if (fault)
          say.conflict(['endpoints', i, 'addresses', j], `${fault}: ${JSON.stringify(address)}`, address)
      }
  const [, second] = ports.flatMap(({ name }, i) => (name ? [] : [i]))
  if (second !== undefined) say.lacks(['ports', second, 'name'], 'and another one has none either')
  if (endpoints.length > mostEndpoints)
    say.conflict(['endpoints'], `has ${endpoints.length} entries, and takes ${mostEndpoints} at most`)
})

// pkg/apis/discovery/validation: maxEndpoints.
const mostEndpoints = 1000

export const endpoints: Checks = merged(
  {
    'core.EndpointAddress': [special('ip')],
    'core.EndpointSubset': [
      on<{ readonly ports?: readonly { readonly name?: string }[] }>(({ ports = [] }, say) => {
        if (ports.length > 1)
          for (const [i, { name }] of ports.entries())
            if (!name) say.lacks(['ports', i, 'name'], 'and there is more than one port')
      }),
      on<{ readonly addresses?: readonly unknown[]; readonly notReadyAddresses?: readonly unknown[] }>(
        ({ addresses = [], notReadyAddresses = [] }, say) => {
          if (addresses.length + notReadyAddresses.length === 0)
            say.conflict([], 'needs addresses or notReadyAddresses')
        },
      ),
    ],
    'discovery.EndpointSlice': [slice],
  },
  filled({
    'discovery.Endpoint': ['hostname', 'nodeName'],
    'discovery.EndpointPort': ['appProtocol'],
  }),
  names({
    'core.EndpointAddress': { nodeName: 'subdomain' },
    'core.EndpointPort': { appProtocol: 'label key' },
    'discovery.Endpoint': { hostname: 'label', nodeName: 'subdomain' },
    'discovery.EndpointPort': { appProtocol: 'label key', name: 'label' },
    'discovery.ForZone': { name: 'label value' },
  }),
  addresses({ 'core.EndpointAddress': { ip: 'address' } }),
)
