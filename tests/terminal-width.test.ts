/** Lists and helps at terminals of all widths: nothing is wider, and nothing is squeezed into a few columns. */
import { describe, expect, it, vi } from 'vitest'
import { rulesCommand, storiesCommand } from '../src/cli/list.js'
import { programWith } from '../src/cli/program.js'
import { columns } from '../src/reporters/text.js'

/** A terminal of that width; without one, a pipe. */
const standard = vi.hoisted(() => ({ width: undefined as number | undefined, text: '' }))
vi.mock('../src/cli/streams.js', () => ({
  write: (text: string) => {
    standard.text += text
  },
  terminalOf: () => (standard.width === undefined ? {} : { isTTY: true, columns: standard.width }),
}))

/** What is written there. */
async function written(width: number | undefined, work: () => unknown): Promise<string> {
  Object.assign(standard, { width, text: '' })
  await work()
  return standard.text
}

const rules = (width?: number) => written(width, () => rulesCommand({ output: 'table' }))
const stories = (width?: number) => written(width, () => storiesCommand({ output: 'table' }))
/** Names are not broken. */
const tooWide = (text: string, width: number) =>
  text.split('\n').filter((line) => columns(line) > width && line.trim().includes(' '))

describe('lists', () => {
  it.each([40, 60, 80, 100, 120, 200])('fit a terminal of %i columns', async (width) => {
    expect(tooWide(await rules(width), width)).toEqual([])
    expect(tooWide(await stories(width), width)).toEqual([])
  })

  it('have titles below the names where there is little room beside them', async () => {
    expect(await rules(80)).toContain(
      '  webhook-timeout-long  warning\n    A webhook may hold up writes for many seconds\n',
    )
    expect(await rules(40)).toContain('  internal-traffic-local-without-daemonset\n    error\n    ')
    expect(await rules(120)).toMatch(/^ {2}webhook-timeout-long +warning +A webhook may hold up writes/m)
    expect(await stories(40)).toContain('openai-telemetry  2024\n  OpenAI: API, ChatGPT')
  })

  it('have a line for each in a pipe', async () => {
    const lines = (await rules()).split('\n')
    expect(lines.find((line) => line.includes('hpa-metric-without-request'))).toMatch(
      /error .*The autoscaler/,
    )
  })
})

describe('the help', () => {
  const help = (width: number, name: string) =>
    written(width, () =>
      programWith(() => {})
        .commands.find((command) => command.name() === name)
        ?.outputHelp(),
    )

  it.each([40, 60, 80, 120])('has its options within %i columns', async (width) => {
    const options = (await help(width, 'lint')).split('Options:\n')[1]?.split('\n\n')[0] ?? ''
    expect(options).toContain('--write-baseline')
    expect(tooWide(options, width)).toEqual([])
  })

  it('has descriptions below the options where there is little room beside them', async () => {
    expect(await help(60, 'lint')).toContain(
      '  --fix\n      make the safe changes that findings propose, and\n',
    )
    expect(await help(80, 'lint')).toContain('  --fix                         make the safe changes')
  })
})
