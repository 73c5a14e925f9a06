/** `k8s-af completion`: scripts for shells, made from the program's own commands and flags. */
import type { Argument, Command, Option } from 'commander'
import { selectors } from '../config/resolve.js'
import { quoted } from '../engine/patch.js'
import { loadRules, loadStories } from '../registry.js'
import { formatNames } from '../reporters/reporter.js'
import { newestMinor, oldestMinor } from '../schema/definitions.js'
import { write } from './streams.js'

/**
 * What may stand in the place of a value: a file, a folder, a context, words, words with commas between them, a format with a file behind
 * `=`, or nothing that we know.
 */
export type Values =
  | { readonly kind: 'files' | 'folders' | 'free' | 'contexts' }
  | { readonly kind: 'words' | 'list' | 'reports'; readonly words: readonly string[] }

interface Flag {
  /** `-o`, `--output` */
  readonly names: readonly string[]
  readonly about: string
  /** Undefined for a flag without a value. */
  readonly takes: Values | undefined
}

export interface Place {
  /** The words that lead here: `lint`, `config print`. */
  readonly words: readonly string[]
  readonly about: string
  readonly flags: readonly Flag[]
  /** What stands after the words: subcommands, too. */
  readonly arguments: Values
}

/** Prints the script of a shell. */
export async function completionCommand(shell: 'bash' | 'zsh' | 'fish', program: Command): Promise<number> {
  const places = await allPlaces(program)
  write({ bash, zsh, fish }[shell](places))
  return 0
}

/** All commands of the program, itself first, with what may stand behind them. */
export async function allPlaces(program: Command): Promise<Place[]> {
  const rules = await loadRules()
  const stories = [...loadStories().keys()]
  const names: Names = {
    commands: program.commands.map((command) => command.name()),
    rules: [...rules.keys()],
    selectors: selectors(rules),
    stories,
    formats: formatNames,
    versions: knownVersions(),
  }
  return placesOf(program, [], names)
}

interface Names {
  readonly commands: readonly string[]
  readonly rules: readonly string[]
  readonly selectors: readonly string[]
  readonly stories: readonly string[]
  readonly formats: readonly string[]
  readonly versions: readonly string[]
}

/** The versions of Kubernetes that `--k8s-version` takes, the newest first. */
function knownVersions(): readonly string[] {
  return Array.from({ length: newestMinor - oldestMinor + 1 }, (_, i) => `1.${newestMinor - i}`)
}

function placesOf(command: Command, words: readonly string[], names: Names): Place[] {
  // The command that shows help, too.
  const below = command.commands.length > 0 ? command.createHelp().visibleCommands(command) : []
  const [argument] = command.registeredArguments
  const own: Place = {
    words,
    about: command.description(),
    flags: command
      .createHelp()
      .visibleOptions(command)
      .map((option) => flagOf(option, names)),
    arguments:
      below.length > 0
        ? { kind: 'words', words: below.map((one) => one.name()) }
        : argument
          ? valuesOf(argument, argument.name(), names)
          : { kind: 'words', words: [] },
  }
  return [own, ...below.flatMap((one) => placesOf(one, [...words, one.name()], names))]
}

function flagOf(option: Option, names: Names): Flag {
  const [, placeholder] = /[<[]([^\]>=[]+)/.exec(option.flags) ?? []
  return {
    names: [option.short, option.long].filter((name) => name !== undefined && name !== null),
    about: option.description,
    takes: option.required ? valuesOf(option, placeholder ?? '', names) : undefined,
  }
}

/** The placeholder of a flag or argument says what it takes. */
function valuesOf({ argChoices }: Option | Argument, placeholder: string, names: Names): Values {
  if (argChoices) return { kind: 'words', words: argChoices }
  switch (placeholder) {
    case 'path':
    case 'file':
      return { kind: 'files' }
    case 'folder':
      return { kind: 'folders' }
    case 'context':
      return { kind: 'contexts' }
    case 'rules':
      return { kind: 'list', words: names.selectors }
    case 'command':
      return { kind: 'words', words: names.commands }
    case 'rule|story':
      return { kind: 'words', words: [...names.rules, ...names.stories] }
    case 'format':
      return { kind: 'reports', words: names.formats }
    case 'version':
      return { kind: 'words', words: names.versions }
    default:
      return { kind: 'free' }
  }
}

/** The commands right below a place. */
export function placesBelow({ words }: Place, places: readonly Place[]): readonly Place[] {
  return places.filter(
    (one) => one.words.length === words.length + 1 && words.every((word, i) => word === one.words[i]),
  )
}

/** The branches of a shell's `case` on `command:flag` that fill in the values of flags: `lint:-o|lint:--output) …`. */
function valueBranches(places: readonly Place[], fill: (values: Values) => string): string {
  return places
    .flatMap(({ words, flags }) =>
      flags.flatMap(({ names, takes }) => {
        const keys = names.map((name) => quoted(`${words.join(' ')}:${name}`)).join('|')
        return takes ? [`    ${keys}) ${fill(takes)}; return ;;`] : []
      }),
    )
    .join('\n')
}

const where = (place: Place): string => quoted(place.words.join(' '))

/** The names of contexts, as kubectl knows them. bash expands what it is given: names that could hold a command are left out. */
const contexts = "kubectl config get-contexts -o name 2>/dev/null | grep -E '^[A-Za-z0-9_.:/@+-]+$'"

function bash(places: readonly Place[]): string {
  const fill = (values: Values) => {
    switch (values.kind) {
      case 'words':
      case 'reports':
        return `COMPREPLY=($(compgen -W ${quoted(values.words.join(' '))} -- "$cur"))`
      case 'list':
        return `COMPREPLY=($(compgen -P "$list" -W ${quoted(values.words.join(' '))} -- "\${cur##*,}"))`
      case 'folders':
        return `local IFS=$'\\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur"))`
      case 'contexts':
        return `COMPREPLY=($(compgen -W "$(${contexts})" -- "$cur"))`
      case 'files':
        return 'compopt -o default 2>/dev/null'
      case 'free':
        return ':'
    }
  }
  return `# bash completion for k8s-af: source <(k8s-af completion bash)
_k8s_af() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command= list=
  COMPREPLY=()
  # --flag=value arrives as three words, and so does the file of a report.
  if [[ $cur == = || $prev == = ]]; then
    if [[ $cur == = ]]; then cur=; else prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
    [[ $prev == -* ]] || return
  fi
  (( COMP_CWORD > 1 )) && command=\${COMP_WORDS[1]}
  [[ $command == config ]] && (( COMP_CWORD > 2 )) && command="config \${COMP_WORDS[2]}"
  [[ $cur == *,* ]] && list=\${cur%,*},
  # readline completes files where nothing is filled in: where no file may stand that is switched off, as far as this bash can.
  compopt +o default 2>/dev/null
  case "$command:$prev" in
${valueBranches(places, fill)}
  esac
  if [[ $cur == -* ]]; then
    case $command in
${places.map((place) => `      ${where(place)}) COMPREPLY=($(compgen -W ${quoted(place.flags.flatMap(({ names }) => names).join(' '))} -- "$cur")) ;;`).join('\n')}
    esac
    return
  fi
  case $command in
${places.map((place) => `    ${where(place)}) ${fill(place.arguments)} ;;`).join('\n')}
  esac
}
complete -o default -F _k8s_af k8s-af
`
}

function zsh(places: readonly Place[]): string {
  const fill = (values: Values) => {
    switch (values.kind) {
      case 'files':
        return '_files'
      case 'folders':
        return '_files -/'
      case 'free':
        return '_message value'
      case 'contexts':
        return `compadd -- \${(f)"$(${contexts})"}`
      case 'list':
        return `compset -P '*,'; compadd -- ${values.words.join(' ')}`
      case 'words':
        return `compadd -- ${values.words.join(' ')}`
      case 'reports':
        return `if compset -P 1 '*='; then _files; else compadd -- ${values.words.join(' ')}; fi`
    }
  }
  const described = (name: string, about: string) => quoted(`${name}:${about}`)
  return `#compdef k8s-af
# zsh completion for k8s-af: source <(k8s-af completion zsh)
_k8s_af() {
  local command= prev=\${words[CURRENT-1]}
  local -a choices
  (( CURRENT > 2 )) && command=\${words[2]}
  [[ $command == config ]] && (( CURRENT > 3 )) && command="config \${words[3]}"
  if compset -P 1 '--*='; then prev=\${words[CURRENT]%%=*}; fi
  case "$command:$prev" in
${valueBranches(places, fill)}
  esac
  if [[ $PREFIX == -* ]]; then
    case $command in
${places
  .map(
    (place) =>
      `      ${where(place)}) choices=(${place.flags.flatMap(({ names, about }) => names.map((name) => described(name, about))).join(' ')}) ;;`,
  )
  .join('\n')}
    esac
    _describe flag choices
    return
  fi
  case $command in
${places
  .map((place) => {
    const below = placesBelow(place, places)
    return below.length > 0
      ? `    ${where(place)}) choices=(${below.map((one) => described(one.words.at(-1) ?? '', one.about)).join(' ')}); _describe command choices ;;`
      : `    ${where(place)}) ${fill(place.arguments)} ;;`
  })
  .join('\n')}
  esac
}
compdef _k8s_af k8s-af
`
}

function fish(places: readonly Place[]): string {
  const escaped = (text: string) => `'${text.replace(/['\\]/g, '\\$&')}'`
  const fill = (values: Values) => {
    switch (values.kind) {
      case 'files':
        return '-r -F'
      case 'folders':
        return `-x -a ${escaped('(__fish_complete_directories)')}`
      case 'free':
        return '-x'
      case 'contexts':
        return `-x -a ${escaped(`(${contexts})`)}`
      case 'list':
        return `-x -a ${escaped(`(__fish_complete_list , "printf '%s\\t\\n' ${values.words.join(' ')}")`)}`
      case 'words':
      case 'reports':
        // Without a text of its own each value would get that of the flag.
        return `-x -a ${escaped(values.words.map((word) => `${word}\\t''`).join(' '))}`
    }
  }
  const lines = places.flatMap((place) => {
    const below = placesBelow(place, places)
    const names = below.map(({ words }) => words.at(-1)).join(' ')
    const seen = place.words.map((word) => `__fish_seen_subcommand_from ${word}`)
    const here = place.words.length === 0 ? '__fish_use_subcommand' : seen.join('; and ')
    const condition =
      below.length > 0 && place.words.length > 0
        ? `${here}; and not __fish_seen_subcommand_from ${names}`
        : here
    const start = `complete -c k8s-af -n ${escaped(condition)}`
    return [
      ...below.map((one) => `${start} -a ${one.words.at(-1)} -d ${escaped(one.about)}`),
      ...(below.length > 0
        ? []
        : place.arguments.kind === 'files'
          ? [`${start} -F`]
          : place.arguments.kind === 'words' && place.arguments.words.length > 0
            ? [`${start} -a ${escaped(place.arguments.words.join(' '))}`]
            : []),
      ...place.flags.flatMap((flag) => {
        const spelt = flag.names.map((name) =>
          name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
        )
        const written = [...spelt, ...(flag.takes ? [fill(flag.takes)] : [])].join(' ')
        const own = `${start} ${written} -d ${escaped(flag.about)}`
        if (flag.takes?.kind !== 'reports') return [own]
        const isNamed = `${condition}; and __k8s_af_names_file`
        return [own, `complete -c k8s-af -n ${escaped(isNamed)} ${spelt.join(' ')} -r -F`]
      }),
    ]
  })
  return `# fish completion for k8s-af: k8s-af completion fish | source
# Whether the file of a report is being written: sarif=FILE, --output=sarif=FILE.
function __k8s_af_names_file
  string match -qr -- '^(--[^=]+=)?[^-=][^=]*=' (commandline -ct)
end
complete -c k8s-af -f
${lines.join('\n')}
`
}
