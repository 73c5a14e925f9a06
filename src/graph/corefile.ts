/**
 * CoreDNS's configuration. Its format is that of Caddy 1: server blocks with plugins, which may
 * have a block of options.
 */

/** A plugin in a server block of a Corefile. */
export interface CorefilePlugin {
  readonly name: string
  readonly args: readonly string[]
  /** The lines of its block. */
  readonly options: readonly { readonly name: string; readonly args: readonly string[] }[]
}

/** A server block of a Corefile: zones, and the plugins that answer for them. */
export interface ServerBlock {
  /** The zones with their ports: `.:53`, `example.org`; of a snippet its name in parentheses. */
  readonly keys: readonly string[]
  readonly plugins: readonly CorefilePlugin[]
}

/**
 * Reads a Corefile; what is not in its format is passed over. Imported files are not known.
 * Source: coredns/caddy/caddyfile (lexer.go: a brace opens at the end of a line and closes on a line of its own).
 */
export function corefile(text: string): readonly ServerBlock[] {
  const blocks: {
    keys: string[]
    plugins: { name: string; args: string[]; options: { name: string; args: string[] }[] }[]
  }[] = []
  let keys: string[] = []
  let depth = 0
  for (const line of text.split(/\r?\n/)) {
    const words = wordsOf(line)
    const opens = words.at(-1) === '{'
    const [name, ...args] = opens ? words.slice(0, -1) : words
    if (name === '}') {
      depth = Math.max(0, depth - 1)
      continue
    }
    const block = blocks.at(-1)
    if (name !== undefined) {
      if (depth === 0) keys.push(...[name, ...args].map((key) => key.replace(/,$/, '')))
      else if (depth === 1) block?.plugins.push({ name, args, options: [] })
      else if (depth === 2) block?.plugins.at(-1)?.options.push({ name, args })
    }
    if (!opens) continue
    if (depth === 0) {
      blocks.push({ keys, plugins: [] })
      keys = []
    }
    depth++
  }
  return blocks
}

function wordsOf(line: string): string[] {
  const words = [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(
    ([, quoted, bare]) => quoted ?? bare ?? '',
  )
  const comment = words.findIndex((word) => word.startsWith('#'))
  return comment < 0 ? words : words.slice(0, comment)
}
