/** The report for comments and summaries: a table that stays one, within the limits of those who show it. */
import { describe, expect, it } from 'vitest'
import type { Report } from '../src/engine/report.js'
import type { Finding } from '../src/finding.js'
import { lookOf } from '../src/reporters/look.js'
import { render } from '../src/reporters/markdown.js'
import type { Look } from '../src/reporters/reporter.js'
import { root } from './harness.js'
import { incident, look } from './report.js'

function markdown(report: Partial<Report>, more: Partial<Look> = {}): string {
  return [...render({ ...incident, ...report }, { ...look, ...more })].join('')
}

function found(name: string, more: Partial<Finding> = {}): Finding {
  return {
    rule: 'pdb-missing',
    severity: 'warning',
    message: `One drain may stop ${name}.`,
    subject: { apiVersion: 'apps/v1', kind: 'Deployment', name, namespace: 'shop' },
    place: { file: `${name}.yaml`, line: 3, column: 1, endLine: 3, endColumn: 5, path: '.spec' },
    related: [],
    stories: [],
    ...more,
  }
}

/** The cells of the table, without its head. */
function rowsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2)
    .map((line) => line.slice(2, -2).split(' | '))
}

describe('the table', () => {
  it('has errors first, and equal findings once', () => {
    const findings = [
      found('api', { severity: 'info', message: 'It is slow.' }),
      found('job'),
      found('web'),
      found('db', { severity: 'error', message: 'It is lost.' }),
    ]
    expect(rowsOf(markdown({ findings }))).toEqual([
      ['error', 'db.yaml:3', 'Deployment shop/db', 'It is lost. `pdb-missing`'],
      ['warning', 'job.yaml:3 and 1 more', 'Deployment shop/job', 'One drain may stop job. `pdb-missing`'],
      ['info', 'api.yaml:3', 'Deployment shop/api', 'It is slow. `pdb-missing`'],
    ])
  })
  it('names fields of live objects, others that have the same, and clusters', () => {
    const live = (name: string, cluster: string) => {
      const { place } = found(name)
      return found(name, { cluster, place: { ...place, file: `deployment/shop/${name}`, live: true } })
    }
    const findings = ['eu', 'us'].flatMap((cluster) => [live('api', cluster), live('web', cluster)])
    expect(rowsOf(markdown({ findings }))[0]?.slice(1, 3)).toEqual([
      '.spec',
      'Deployment shop/api and 1 more in eu, us',
    ])
  })
  it('is followed by the details as a terminal shows them, and by what was not read', () => {
    const { summary } = incident
    const text = markdown({ summary: { ...summary, skipped: { 'Helm chart': 2 } } })
    expect(text).toMatch(/^### k8s-af: 5 errors, /)
    expect(text).toContain('\n\n<details><summary>Details</summary>\n\n```text\nfixtures/stories/')
    expect(text).toContain('\n  error  misplaced-spec-field ')
    expect(text).toContain(
      '<details><summary>Not read or not decided (1)</summary>\n\n- left out: 2 files (files of Helm charts)',
    )
    expect(text.match(/<details>/g)?.length).toBe(text.match(/<\/details>/g)?.length)
  })
  it('is absent when there is nothing to say', () => {
    const text = markdown({ findings: [found('web', { suppressed: { reason: 'known' } })] })
    expect(text).toMatch(/^### k8s-af: No findings\n\n/)
    expect(text).not.toContain('| severity |')
  })
})

describe('links', () => {
  const github = {
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_REPOSITORY: 'example/shop',
    GITHUB_SHA: '0123abcd',
    GITHUB_WORKSPACE: root,
  }
  const gitlab = {
    CI_PROJECT_URL: 'https://gitlab.com/example/shop',
    CI_COMMIT_SHA: '0123abcd',
    CI_PROJECT_DIR: root,
  }
  const place = (file: string, env: Readonly<Record<string, string>>) =>
    rowsOf(
      markdown({ findings: [found('web', { place: { ...found('web').place, file } })] }, lookOf({}, env)),
    )[0]?.[1]

  it('lead to the line where the run knows the repository', () => {
    expect(place(`${root}/a b/(c)#.yaml`, github)).toMatch(
      /\(https:\/\/github\.com\/example\/shop\/blob\/0123abcd\/a%20b\/%28c%29%23\.yaml#L3\)$/,
    )
    expect(place(`${root}/web.yaml`, gitlab)).toMatch(
      /\(https:\/\/gitlab\.com\/example\/shop\/-\/blob\/0123abcd\/web\.yaml#L3\)$/,
    )
  })
  it('do not lead elsewhere', () => {
    for (const file of [`${root}/../web.yaml`, '<stdin>']) expect(place(file, github)).not.toContain('](')
    expect(place('web.yaml', {})).toBe('web.yaml:3')
  })
})

describe('whatever the input holds', () => {
  const evil =
    'a | b\r\n\n| c `d` ``` *e* _f_ <img src=x onerror=alert(1)> </details> [g](javascript:alert(1)) @octocat #1 !2 https://h.example www.i.example &lt; \\| $x$ \u202e'
  const hostile = found(evil, {
    message: evil,
    label: evil,
    evidence: [evil],
    subject: { apiVersion: evil, kind: evil, name: evil, namespace: evil },
    place: { file: evil, line: 1, column: 1, endLine: 1, endColumn: 9, path: evil },
    related: [
      { file: evil, line: 1, column: 1, endLine: 1, endColumn: 2, path: '', object: evil, note: evil },
    ],
    fix: { title: evil, safe: true, edits: [] },
  })
  const text = markdown({
    findings: [hostile],
    lines: { line: () => evil },
    summary: { ...incident.summary, skipped: { [evil]: 1 } },
  })
  /** What stands outside the block of code. */
  const prose = text.replace(/\n(`{3,})text\n[\s\S]*?\n\1\n/, '')

  it('is text in the table and around it', () => {
    expect(rowsOf(text).map((cells) => cells.length)).toEqual([4])
    expect(prose).not.toContain('onerror=alert(1)>')
    expect(prose.match(/<[^>]*>/g)?.sort()).toEqual(
      ['details', 'summary', '/summary', '/details', 'details', 'summary', '/summary', '/details']
        .map((tag) => `<${tag}>`)
        .sort(),
    )
    expect(prose).not.toMatch(/[\\*~$[\]\u202e]|_f_|:\/\/|www\.|(?<!&)[@#!]\w/)
    expect(prose.replaceAll('`pdb-missing`', '')).not.toContain('`')
  })
  it('does not leave its block of code', () => {
    const [, fence = '', code = ''] = /\n(`{3,})text\n([\s\S]*?)\n\1\n/.exec(text) ?? []
    expect(fence).toBe('````')
    expect(code.split('\n').filter((line) => /^ {0,3}`{4}/.test(line))).toEqual([])
    expect(code).toContain('</details>')
  })
  it('fits where it is shown', () => {
    const long = 'ä'.repeat(100_000)
    const many = Array.from({ length: 3000 }, (_, i) => found(`web-${i}`, { message: `${evil} ${i}.` }))
    const cluster = { context: long, unread: [], error: long }
    const findings = [found('web', { message: long, label: long }), ...many]
    const all = markdown({ findings, summary: { ...incident.summary, clusters: Array(500).fill(cluster) } })
    expect(Buffer.byteLength(all)).toBeLessThan(65_536)
    const [, left] = /\nand (\d+,?\d*) more: other formats list them all\.\n/.exec(all) ?? []
    expect(Number(left?.replace(',', ''))).toBe(3001 - rowsOf(all).length)
  })
})
