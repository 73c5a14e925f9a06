/** Which commands are a shell's, and where their script stands. */

/** The shells of images that read scripts as POSIX has them; csh, fish and PowerShell have other words. */
const shells = ['sh', 'bash', 'dash', 'ash', 'zsh', 'ksh', 'mksh'] as const

/** A shell as a command starts it. */
export interface Shell {
  /** As the command has it: `/bin/sh`. */
  readonly written: string
  /** `ash` for the `sh` of busybox, which is no other. */
  readonly name: (typeof shells)[number]
  /** Where in the command the script of `-c` stands; undefined where the shell reads a file or what it is sent. */
  readonly scriptAt: number | undefined
}

/**
 * The shell that a command starts at once, by `env` or as an applet of busybox, too; undefined for other programs.
 * `["/usr/bin/env", "bash", "-ec", "a; b"]` → bash, with its script at 3.
 */
export function shellOf(words: readonly string[]): Shell | undefined {
  let at = 0
  // env replaces itself by what it starts.
  if (programIn(words[0]) === 'env') at = words.findIndex((word, i) => i > 0 && !/^\w+=/.test(word))
  const isApplet = programIn(words[at]) === 'busybox'
  if (isApplet) at++
  const written = words[at]
  const program = programIn(written)
  const name = shells.find((one) => one === program)
  if (written === undefined || name === undefined) return undefined
  // Images of distroless with the tag `debug` have busybox in that folder.
  const isBusybox = name === 'sh' && (isApplet || written.startsWith('/busybox/'))
  return { written, name: isBusybox ? 'ash' : name, scriptAt: scriptIn(words, at + 1) }
}

const programIn = (word = '') => /^(?:\S*\/)?([\w.-]+)$/.exec(word)?.[1]

/** The first word behind the flags, with `-c` among them. Source: POSIX, sh. */
function scriptIn(words: readonly string[], from: number): number | undefined {
  let isScript = false
  for (let i = from; i < words.length; i++) {
    const word = words[i] ?? ''
    if (/^-[a-z]*c[a-z]*$/i.test(word)) isScript = true
    const isFlag = /^[-+]/.test(word) || /^[-+][a-z]*o$/i.test(words[i - 1] ?? '')
    if (!isFlag) return isScript ? i : undefined
  }
  return undefined
}
