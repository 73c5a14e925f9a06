const ipv4 = /^(?:(?:25[0-5]|(?:2[0-4]|1\d|[1-9])?\d)\.){3}(?:25[0-5]|(?:2[0-4]|1\d|[1-9])?\d)$/

/**
 * The version of an IP address, 4 or 6; 0 for any other text, also for one with a zone (`fe80::1%eth0`), which Go's net.ParseIP takes for
 * none. What `node:net` says otherwise, which is loaded when it may be 6: with it comes a good part of Node's library.
 */
export function isIP(text: string): number {
  if (ipv4.test(text)) return 4
  return text.includes(':') && !text.includes('%') ? process.getBuiltinModule('node:net').isIP(text) : 0
}
