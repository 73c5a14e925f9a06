/**
 * The hard cases that our reader and kubectl's must agree on.
 *
 * In the case files `␉` stands for a tab, `␍` for a carriage return, `⟦00A0⟧` for a code point, `⟦k*20⟧` for twenty
 * times `k`, and `∎` at the end for a text without a final line break.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Case {
  readonly name: string
  readonly text: string
}

const folder = join(__dirname, 'cases')

function decoded(text: string): string {
  return text
    .replaceAll('␉', '\t')
    .replaceAll('␍', '\r')
    .replace(/⟦([0-9A-F]{4,6})⟧/g, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)))
    .replace(/⟦(.)\*(\d+)⟧/g, (_, char: string, count: string) => char.repeat(Number(count)))
    .replace(/∎\n?$/, '')
}

function blocks(file: string): Case[] {
  const parts = readFileSync(join(folder, file), 'utf8')
    .split(/^=== (.*)\n/m)
    .slice(1)
  return parts.flatMap((name, i) => (i % 2 === 0 ? [{ name, text: decoded(parts[i + 1] ?? '') }] : []))
}

/** Each scalar as a value, as a key and in a flow sequence. */
function scalars(): Case[] {
  const lines = readFileSync(join(folder, 'scalars.txt'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
  return lines.flatMap((line) => [
    { name: `value ${line}`, text: decoded(`v: ${line}\n`) },
    { name: `key ${line}`, text: decoded(`${line}: v\n`) },
    { name: `flow ${line}`, text: decoded(`[${line}]\n`) },
  ])
}

/** All cases, each the text of a file. */
export function cases(): Case[] {
  return [
    ...scalars(),
    ...blocks('documents.txt'),
    ...blocks('streams.txt').map(({ name, text }) => ({ name: `stream: ${name}`, text })),
  ]
}
