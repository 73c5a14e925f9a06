/** What kubectl offers behind `kubectl af`: it asks the executable `kubectl_complete-af`, which runs this. */
import { spawnSync } from 'node:child_process'
import type { Command } from 'commander'
import { allPlaces, type Place, placesBelow, type Values } from './completion.js'
import { write } from './streams.js'

/**
 * Prints what may stand in the place of the last word, a line each, with a tab before what it means; and in the last line
 * whether the shell offers files or folders besides. Sources: kubectl/pkg/cmd/plugin/plugin_completion.go, and cobra/completions.go
 * (ShellCompDirective).
 * @param words those behind `kubectl af`; the last one is being typed and may be empty
 */
export async function kubectlCompletionCommand(words: readonly string[], program: Command): Promise<number> {
  const offered = offers(await allPlaces(program), words)
  const directive = { files: ':0', folders: ':16', nothing: ':4' }[offered.besides]
  write(`${[...offered.lines, directive].join('\n')}\n`)
  return 0
}

interface Offers {
  readonly lines: readonly string[]
  /** What else may stand there: the shell knows it. */
  readonly besides: 'files' | 'folders' | 'nothing'
}

function offers(places: readonly Place[], words: readonly string[]): Offers {
  const typed = words.at(-1) ?? ''
  const [first = '', second = ''] = words.slice(0, -1)
  const named = (name: string) => places.find((place) => place.words.join(' ') === name)
  const place = named(`${first} ${second}`) ?? named(first)
  if (!place) return { lines: [], besides: 'nothing' }
  // Of --flag=value kubectl wants the value alone.
  const [, name = words.at(-2) ?? '', value = typed] = /^(--[\w-]+)=(.*)$/s.exec(typed) ?? []
  const flag = place.flags.find(({ names, takes }) => takes && names.includes(name))
  if (flag?.takes) return filled(flag.takes, value)
  if (!typed.startsWith('-')) return filled(place.arguments, typed, placesBelow(place, places))
  const flags = place.flags.flatMap(({ names, about }) => names.map((one) => `${one}\t${about}`))
  return { lines: flags.filter((line) => line.startsWith(typed)), besides: 'nothing' }
}

/** What values begin as the typed one does. */
function filled(values: Values, typed: string, commands: readonly Place[] = []): Offers {
  switch (values.kind) {
    case 'files':
    case 'folders':
      return { lines: [], besides: values.kind }
    case 'free':
      return { lines: [], besides: 'nothing' }
    case 'contexts':
      return { lines: contexts().filter((name) => name.startsWith(typed)), besides: 'nothing' }
    case 'list': {
      const start = typed.slice(0, typed.lastIndexOf(',') + 1)
      const words = values.words.map((word) => `${start}${word}`)
      return { lines: words.filter((word) => word.startsWith(typed)), besides: 'nothing' }
    }
    case 'words':
    case 'reports': {
      const lines = values.words
        .filter((word) => word.startsWith(typed))
        .map((word) => {
          const command = commands.find(({ words }) => words.at(-1) === word)
          return command ? `${word}\t${command.about}` : word
        })
      return { lines, besides: 'nothing' }
    }
  }
}

/** The contexts that kubectl knows. Shells expand what they are given: names that could hold a command are left out. */
function contexts(): string[] {
  const { stdout } = spawnSync('kubectl', ['config', 'get-contexts', '-o', 'name'], { encoding: 'utf8' })
  return (stdout ?? '').split('\n').filter((name) => /^[\w.:/@+-]+$/.test(name))
}
