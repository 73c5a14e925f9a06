/** The completion scripts, sourced by the shells that are installed. */
import { spawnSync } from 'node:child_process'
import { chmodSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { folderWith } from './folders.js'
import { builtProgram } from './program.js'

const program = builtProgram()

const has = (shell: string) => spawnSync(shell, ['--version']).status === 0

/** What may be completed at the end of a command line, by the shell's own means. */
const completions: Readonly<Record<string, (words: readonly string[]) => string[]>> = {
  bash: (words) => {
    // readline takes `=` for a word of its own.
    const split = words.flatMap((word) => (word.startsWith('--') ? word.split(/(=)/) : [word]))
    const array = split.map((word) => `'${word}'`).join(' ')
    return lines(
      'bash',
      `source <(k8s-af completion bash); COMP_WORDS=(${array}); COMP_CWORD=${split.length - 1}; _k8s_af; printf '%s\\n' "\${COMPREPLY[@]}"`,
    )
  },
  zsh: (words) =>
    lines(
      'zsh',
      // compadd, _describe and compset work inside a completion only: stand-ins that print what they are given.
      `compdef() { }
      compadd() { shift; for word in "$@"; do [[ $word == $PREFIX* ]] && print -r -- $word; done }
      _describe() { for word in "\${(@P)2}"; do word=\${word%%:*}; [[ $word == $PREFIX* ]] && print -r -- $word; done }
      # -P takes the longest match, -P 1 the shortest.
      compset() { local rest; if [[ $2 == 1 ]]; then rest=\${PREFIX#\${~3}}; else rest=\${PREFIX##\${~2}}; fi; [[ $rest != $PREFIX ]] && PREFIX=$rest }
      _files() { print FILES $1 }
      _message() { }
      source <(k8s-af completion zsh)
      words=(${words.map((word) => `'${word}'`).join(' ')}); CURRENT=${words.length}; PREFIX='${words.at(-1)}'
      _k8s_af`,
    ),
  fish: (words) =>
    lines('fish', `k8s-af completion fish | source; complete -C '${words.join(' ')}'`).map(
      (line) => line.split('\t')[0] ?? '',
    ),
}

const kubectl = folderWith({
  kubectl: `#!/bin/sh\nprintf '%s\\n' prod-eu prod-us 'prod-$(touch x)' staging\n`,
})
chmodSync(join(kubectl, 'kubectl'), 0o755)
const folders = folderWith({ 'over lays/a': '', 'over.yaml': '' })

function lines(shell: string, script: string): string[] {
  const path = [join(program.folder, 'bin'), kubectl, process.env.PATH].join(':')
  const { out, err } = program.shell(script, { shell, env: { PATH: path } })
  expect(err).toBe('')
  return out.split('\n').filter((line) => line !== '')
}

for (const [shell, complete] of Object.entries(completions)) {
  describe.skipIf(!has(shell))(shell, () => {
    it('completes commands', () => {
      expect(complete(['k8s-af', 'l'])).toEqual(['lint'])
      expect(complete(['k8s-af', ''])).toContain('explain')
      expect(complete(['k8s-af', 'config', ''])).toEqual(
        expect.arrayContaining(['print', 'schema', 'validate']),
      )
      expect(complete(['k8s-af', 'completion', 'z'])).toEqual(['zsh'])
      expect(complete(['k8s-af', 'help', 'expl'])).toEqual(['explain'])
    })
    it('completes flags', () => {
      expect(complete(['k8s-af', 'lint', '--min'])).toEqual(['--min-severity'])
      expect(complete(['k8s-af', 'config', 'print', '--k8s'])).toEqual(['--k8s-version'])
    })
    it('completes values', () => {
      expect(complete(['k8s-af', 'lint', '--fail-on', 'w'])).toEqual(['warning'])
      expect(complete(['k8s-af', 'lint', '-o', 'sa'])).toEqual(['sarif'])
      expect(complete(['k8s-af', 'lint', 'a.yaml', '--preset', 'a'])).toEqual(['all'])
    })
    it('completes values behind =', () => {
      const [found = ''] = complete(['k8s-af', 'lint', '--fail-on=w'])
      expect(found.replace(/^--fail-on=/, '')).toBe('warning')
    })
    it('completes the versions of Kubernetes', () => {
      expect(complete(['k8s-af', 'lint', '--k8s-version', '1.3']).sort()).toEqual(
        expect.arrayContaining(['1.30', '1.37']),
      )
      expect(complete(['k8s-af', 'lint', '--k8s-version', '1.2'])).toHaveLength(8)
    })
    it('completes rules and stories', () => {
      expect(complete(['k8s-af', 'explain', 'job-without'])).toEqual(['job-without-deadline'])
      expect(complete(['k8s-af', 'explain', 'zalando-cronjob-api'])).toEqual(['zalando-cronjob-apiserver'])
      expect(complete(['k8s-af', 'lint', '--only', 'job-without'])).toEqual(['job-without-deadline'])
    })
    it('completes lists of rules', () => {
      const [found = ''] = complete(['k8s-af', 'lint', '--only', 'a,job-without'])
      expect(found.replace(/^a,/, '')).toBe('job-without-deadline')
    })
    it('completes the contexts that kubectl knows', () => {
      expect(complete(['k8s-af', 'scan', '--context', 'prod'])).toEqual(['prod-eu', 'prod-us'])
    })
    it('completes folders', () => {
      const start = join(folders, 'over')
      const expected = shell === 'zsh' ? 'FILES -' : `${start} lays`
      expect(complete(['k8s-af', 'lint', '-k', start]).map((one) => one.replace(/\/$/, ''))).toEqual([
        expected,
      ])
    })
    it('leaves files to the shell', () => {
      const found = complete(['k8s-af', 'lint', ''])
      expect(found.filter((word) => word !== 'FILES')).toEqual([])
    })
  })
}

describe.skipIf(!has('bash'))('bash', () => {
  /** Whether readline offers files where the script fills nothing in. */
  const offersFiles = (...words: string[]) =>
    lines(
      'bash',
      `source <(k8s-af completion bash); compopt() { [[ $2 == default ]] && last=$1; }; last=-o
      COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _k8s_af; printf '%s\n' "$last"`,
    ).join() === '-o'
  it('offers files where a file may stand', () => {
    expect(offersFiles('k8s-af', 'lint', '')).toBe(true)
    expect(offersFiles('k8s-af', 'lint', '--baseline', '')).toBe(true)
    expect(offersFiles('k8s-af', 'scan', '-o', 'sarif', '=')).toBe(true)
    expect(offersFiles('k8s-af', 'scan', '-o', 'sarif', '=', 'rep')).toBe(true)
  })
  it('offers none elsewhere', () => {
    expect(offersFiles('k8s-af', 'scan', '')).toBe(false)
    expect(offersFiles('k8s-af', 'scan', '-n', '')).toBe(false)
    expect(offersFiles('k8s-af', 'diagnose', '')).toBe(false)
    expect(offersFiles('k8s-af', 'lint', '--fail-on', '=', 'x')).toBe(false)
  })
})

it.skipIf(!has('zsh'))('zsh completes the file of a report', () => {
  const complete = completions.zsh ?? (() => [])
  expect(complete(['k8s-af', 'lint', '-o', 'sarif=rep'])).toEqual(['FILES'])
  expect(complete(['k8s-af', 'lint', '--output=sarif=rep'])).toEqual(['FILES'])
})

it.skipIf(!has('fish'))(
  'fish says what a flag is for beside the flag, and not beside each of its values',
  () => {
    const shown = (line: string) => lines('fish', `k8s-af completion fish | source; complete -C '${line}'`)
    expect(shown('k8s-af lint --fail-o')).toEqual([expect.stringMatching(/^--fail-on\texit code 1/)])
    expect(shown('k8s-af lint --fail-on w')).toEqual(['warning'])
    expect(shown('k8s-af lint --only a,job-without')).toEqual(['a,job-without-deadline'])
  },
)

it.skipIf(!has('fish'))('fish completes the file of a report', () => {
  const shown = (line: string) =>
    lines('fish', `k8s-af completion fish | source; cd '${folders}'; complete -C 'k8s-af ${line}'`)
  expect(shown('lint -o sarif=over.')).toEqual(['sarif=over.yaml'])
  expect(shown('lint -o pretty --output json=over.')).toEqual(['json=over.yaml'])
  expect(shown('scan --output=sarif=over.')).toEqual(['--output=sarif=over.yaml'])
  expect(shown('lint --output=sar')).toEqual(['--output=sarif'])
  expect(shown('lint -o over.')).toEqual([])
})

describe('kubectl', () => {
  /** What the executable that kubectl asks says of the words behind `kubectl af`. */
  const complete = (...words: string[]) =>
    lines('bash', `kubectl_complete-af ${words.map((word) => `'${word}'`).join(' ')}`)

  it('gets commands and flags with what they mean', () => {
    expect(complete('li')).toEqual([expect.stringMatching(/^lint\tlint manifests/), ':4'])
    expect(complete('help', 'li')).toEqual(['lint', ':4'])
    expect(complete('config', '')).toContainEqual(expect.stringMatching(/^schema\t/))
    expect(complete('config', 'print', '--k8s')).toEqual([expect.stringMatching(/^--k8s-version\t/), ':4'])
  })
  it('gets values, alone behind =, and behind others of a list', () => {
    expect(complete('lint', '--fail-on', 'w')).toEqual(['warning', ':4'])
    expect(complete('lint', '--fail-on=w')).toEqual(['warning', ':4'])
    expect(complete('lint', '--only', 'a,job-without')).toEqual(['a,job-without-deadline', ':4'])
    expect(complete('explain', 'zalando-cronjob-api')).toEqual(['zalando-cronjob-apiserver', ':4'])
    expect(complete('scan', '--context', 'prod')).toEqual(['prod-eu', 'prod-us', ':4'])
  })
  it('offers files and folders where they may stand, and nothing behind what is no command', () => {
    expect(complete('lint', '')).toEqual([':0'])
    expect(complete('scan', '--save-snapshot', '')).toEqual([':0'])
    expect(complete('lint', '-k', '')).toEqual([':16'])
    expect(complete('nonsense', '')).toEqual([':4'])
  })
  it.skipIf(spawnSync('kubectl', ['version', '--client']).status !== 0)('itself understands that', () => {
    const bin = join(program.folder, 'bin')
    symlinkSync(program.bin, join(bin, 'kubectl-af'))
    const { out } = program.shell('kubectl __complete af lint --fail-on w; kubectl __complete af lint ""')
    expect(out).toBe('warning\n:4\n:0\n')
  })
})
