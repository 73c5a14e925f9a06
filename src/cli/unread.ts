/** What people are told about what could not be read. */
import type { Unread } from '../reader/input.js'

/** A line for each reason. */
export function unreadNotes(unread: readonly Unread[]): string[] {
  const forbidden = unread.filter(({ reason }) => reason === 'forbidden').map(({ resource }) => resource)
  const failed = new Map<string, string[]>()
  for (const { reason, resource, message } of unread)
    if (reason === 'failed') failed.set(message, [...(failed.get(message) ?? []), resource])
  return [
    ...(forbidden.length > 0
      ? [
          // The role for a scan leaves Secrets out, too.
          `not read, forbidden: ${some(forbidden)}${forbidden.join() === 'secrets' ? '' : '. k8s-af rbac prints the role that allows it'}`,
        ]
      : []),
    ...[...failed].map(([message, resources]) => `not read: ${some(resources)}: ${message}`),
  ]
}

/** The names, the first of them when they are many. */
export function some(names: readonly string[]): string {
  const most = 8
  return names.length > most + 1
    ? `${names.slice(0, most).join(', ')} and ${names.length - most} more`
    : names.join(', ')
}
