/** Limits of time. */

/** A signal that ends with another one, or when its time is over. */
export interface Limit {
  readonly signal: AbortSignal
  /** Ends the wait for either: what was to be limited is done. */
  release(): void
}

/** The longest time that timers take. */
const longest = 2 ** 31 - 1

/**
 * Ends with the signal, for the same reason, or after a time with a TimeoutError. `AbortSignal.any` forgets that time when garbage is
 * collected meanwhile (nodejs/node#57736), as it does in every long scan.
 */
export function limited(milliseconds: number, signal: AbortSignal): Limit {
  const controller = new AbortController()
  const follow = () => controller.abort(signal.reason)
  const timer = setTimeout(
    () => controller.abort(new DOMException('The time is over.', 'TimeoutError')),
    Math.min(longest, milliseconds),
  ).unref()
  if (signal.aborted) follow()
  else signal.addEventListener('abort', follow, { once: true })
  return {
    signal: controller.signal,
    release: () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', follow)
    },
  }
}
