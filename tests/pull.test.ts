/** What kubelets and container runtimes say of failed pulls, and which of it is final. */
import { describe, expect, it } from 'vitest'
import { liveState } from '../src/graph/live.js'
import { refusalOf } from '../src/graph/pull.js'

const live = liveState([], { now: 0 })

function refusal(message: string) {
  return refusalOf({ pod: {}, container: 'web', image: 'registry.example.org/web:1', message }, live)
}

describe('an answer of a registry', () => {
  it.each([
    // containerd
    [
      'absent',
      'rpc error: code = NotFound desc = failed to pull and unpack image "r/web:1": r/web:1: not found',
    ],
    [
      'denied',
      'failed to authorize: failed to fetch anonymous token: unexpected status from GET request: 401 Unauthorized',
    ],
    [
      'denied',
      'pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials',
    ],
    ['denied', 'unexpected status from HEAD request to https://r/v2/web/manifests/1: 403 Forbidden'],
    ['platform', 'rpc error: code = NotFound desc = no match for platform in manifest: not found'],
    // CRI-O
    ['absent', 'initializing source docker://r/web:1: reading manifest 1 in r/web: manifest unknown'],
    ['denied', 'reading manifest 1 in docker.io/shop/web: requested access to the resource is denied'],
    ['platform', 'no image found in image index for architecture arm64, variant "v8", OS linux'],
    // cri-dockerd
    [
      'absent',
      'Error response from daemon: manifest for web:1 not found: manifest unknown: manifest unknown',
    ],
    ['platform', 'no matching manifest for linux/arm64/v8 in the manifest list entries'],
  ])('is final: %s', (expected, message) => {
    expect(refusal(message)).toBe(expected)
  })

  it.each([
    'failed to do request: Head "https://r/v2/web/manifests/1": dial tcp: lookup r on 10.96.0.10:53: no such host',
    'failed to do request: Head "https://r/v2/web/manifests/1": dial tcp 10.0.0.9:443: i/o timeout',
    'failed to copy: httpReadSeeker: unexpected status code https://r/v2/web/blobs/1: 503 Service Unavailable',
    'toomanyrequests: You have reached your unauthenticated pull rate limit',
    'unexpected status from HEAD request to https://r/v2/web/manifests/1: 429 Too Many Requests',
    'pull QPS exceeded',
    'net/http: TLS handshake timeout',
    'Back-off pulling image "r/web:1"',
  ])('may pass: %s', (message) => {
    expect(refusal(message)).toBeUndefined()
  })
})
