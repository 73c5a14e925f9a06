/**
 * The version of an IP address, 4 or 6; 0 for any other text. What `node:net` says, which is loaded by the first question: with it
 * comes a good part of Node's library.
 */
export function isIP(text: string): number {
  return process.getBuiltinModule('node:net').isIP(text)
}
