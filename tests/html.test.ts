/** The report as a page: whole, harmless whatever the input holds, and the same without its script. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { forBrowser } from '../src/docs/browser.js'
import type { Report, Story } from '../src/engine/report.js'
import type { Finding } from '../src/finding.js'
import { render } from '../src/reporters/html.js'
import { root } from './harness.js'
import { incident, look } from './report.js'

function page(report: Report, more: Partial<typeof look> = {}): string {
  return [...render(report, { ...look, ...more })].join('')
}

function pageOf(...findings: readonly Finding[]): string {
  return page({ ...incident, findings })
}

function found(name: string, more: Partial<Finding> = {}): Finding {
  const place = {
    file: `deployment/shop/${name}`,
    live: true,
    line: 3,
    column: 1,
    endLine: 3,
    endColumn: 5,
  } as const
  return {
    rule: 'pdb-missing',
    severity: 'warning',
    message: `One drain may stop ${name}.`,
    subject: { apiVersion: 'apps/v1', kind: 'Deployment', name, namespace: 'shop' },
    place: { ...place, path: '.spec' },
    related: [],
    stories: [],
    ...more,
  }
}

/** The elements of a page by the names of their tags: what a browser sees of it, as nothing here is left open. */
function tags(html: string): string[] {
  const text = html.replace(/(?<=<(style|script)>)[\s\S]*?(?=<\/\1>)/g, '')
  return [...text.matchAll(/<(\w+)/g)].map(([, name = '']) => name)
}

const articles = (html: string) => html.match(/<article [^>]*>[\s\S]*?<\/article>/g) ?? []

describe('the page', () => {
  const html = page(incident)

  it('allows no script and no style but its own, and nothing from elsewhere', () => {
    const [, policy = ''] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html) ?? []
    const own = (tag: string) => {
      const [, text = ''] = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(html) ?? []
      expect(text).not.toMatch(/<\/|<!--/)
      return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
    }
    expect(policy.split('; ')).toEqual([
      "default-src 'none'",
      `style-src ${own('style')}`,
      `script-src ${own('script')}`,
      "base-uri 'none'",
      "form-action 'none'",
    ])
    expect(html).not.toMatch(/ (src|srcset|style|on\w+)=|url\(|@import/)
  })
  it('has an article for each group, with an anchor that stays when lines move', () => {
    const ids = (of: string) => [...of.matchAll(/<article id="(f-[0-9a-f]{12})"/g)].map(([, id]) => id)
    expect(new Set(ids(html)).size).toBe(articles(html).length)
    const moved = incident.findings.map((one) => ({
      ...one,
      place: { ...one.place, line: one.place.line + 7 },
    }))
    expect(ids(pageOf(...moved))).toEqual(ids(html))
  })
  it('leaves out no level of headings', () => {
    const levels = tags(html).flatMap((tag) => /^h(\d)$/.exec(tag)?.[1] ?? [])
    expect(levels).toEqual(expect.arrayContaining(['1', '2', '3']))
    expect(levels.filter((level, i) => Number(level) > Number(levels[i - 1] ?? 0) + 1)).toEqual([])
  })
  it('shows the consequence, the lines with the place marked, the fix, the story and the rule', () => {
    const [first = ''] = articles(
      pageOf(...incident.findings.filter(({ rule }) => rule === 'misplaced-spec-field')),
    )
    expect(first).toContain('<b>error</b> <h3>misplaced-spec-field</h3> <span>CronJob reports/foobar</span>')
    expect(first).toContain('<p class="message">kubectl apply refuses concurrencyPolicy here')
    expect(first).toContain('<span>13</span><code>        <mark>concurrencyPolicy</mark>: Forbid')
    expect(first).toContain('<p class="note">did you mean .spec.concurrencyPolicy?</p>')
    expect(first).toContain('<b>Fix</b> move concurrencyPolicy to .spec <code>--fix</code>')
    expect(first).toMatch(
      /<p class="story">Zalando, 2018: [^<]* <a href="https:[^"]*" rel="noopener noreferrer">/,
    )
    expect(first).toContain('<a href="#rule-misplaced-spec-field">')
    expect(html).toContain('<div id="rule-misplaced-spec-field">')
    expect(html).toContain('How it is decided')
    expect(html).toContain('k8s-af.dev/ignore: &#34;misplaced-spec-field -- ')
  })
  it('begins with what was found, what was read and what was not', () => {
    const top = /<header class="top">[\s\S]*?<\/header>/.exec(html)?.[0] ?? ''
    expect(top).toContain('<b>5</b> errors')
    expect(top).toContain('<li>11 objects in 4 files</li>')
    expect(top).toContain(`<li>${incident.summary.notEvaluated.length} need the cluster</li>`)
    expect(top).not.toContain('Not read')
    const skipped = { ...incident, summary: { ...incident.summary, skipped: { 'Helm chart': 2 } } }
    expect(page(skipped)).toContain('<li>left out: 2 files (files of Helm charts)</li>')
  })
  it('is whole when nothing was found', () => {
    expect(pageOf()).toContain('<p>No findings.</p>')
    expect(pageOf()).not.toContain('<search')
  })
  it('leaves suppressed findings out unless asked', () => {
    const one = found('web', { suppressed: { reason: 'known <b>' } })
    const report = { ...incident, findings: [one] }
    expect(articles(page(report))).toEqual([])
    expect(articles(page(report, { showSuppressed: true }))[0]).toContain('Suppressed: known &#60;b&#62;')
  })
  it('leads to the lines where the run knows them', () => {
    const linkTo = (file: string, line: number) => `https://git.example/${file}#L${line}`
    const place = { file: 'a&b.yaml', line: 3, column: 1, endLine: 3, endColumn: 5, path: '.spec' }
    const html = [...render({ ...incident, findings: [found('web', { place })] }, { ...look, linkTo })].join(
      '',
    )
    expect(html).toContain(
      '<p class="place"><a href="https://git.example/a&#38;b.yaml#L3" rel="noopener noreferrer">a&#38;b.yaml:3:1</a></p>',
    )
  })
  it('names a file once in an article', () => {
    const place = (line: number) => ({
      file: 'a.yaml',
      line,
      column: 1,
      endLine: line,
      endColumn: 5,
      path: '',
    })
    const elsewhere = { ...place(7), file: 'b.yaml', object: 'Service shop/gate' }
    const related = [{ ...place(5), note: 'here, too' }, elsewhere]
    const html = pageOf(
      found('web', { place: place(3), related }),
      found('api', { place: place(30), related, message: 'One drain may stop api.' }),
      found('job', { place: { ...place(4), file: 'c.yaml' }, related: [] }),
    )
    const [first = ''] = articles(html)
    expect(first).toContain('<p class="place">a.yaml:3:1</p>')
    expect(first).toContain('<p class="place">line 5</p>')
    expect(first).toContain('<p class="place">b.yaml:7:1 <span>Service shop/gate</span></p>')
    expect(first).toMatch(/<li id="[^"]*">line 30 <span>Deployment shop\/api<\/span><\/li>/)
    expect(articles(html)[1]).toContain('<p class="place">c.yaml:4:1</p>')
    expect(html).toContain('<p role="status">2 entries, 3 findings</p>')
    expect(pageOf(found('web'))).toContain('<p role="status">1 entry</p>')
  })
  it('comes in pieces', () => {
    const pieces = [
      ...render(
        { ...incident, findings: ['a', 'b', 'c'].map((name, i) => found(name, { message: `${i}.` })) },
        look,
      ),
    ]
    expect(pieces.length).toBeGreaterThan(6)
  })
})

describe('articles', () => {
  it('are one for equal findings, with every place', () => {
    const names = ['web', 'api', 'job', 'mail', 'db', 'cart', 'dns']
    const [few = ''] = articles(pageOf(...names.slice(0, 3).map((name) => found(name))))
    expect(few).toContain('<li>Deployment shop/api</li><li>Deployment shop/job</li>')
    const [many = '', ...more] = articles(pageOf(...names.map((name) => found(name))))
    expect(many).toContain('<summary>The same in 6 other places</summary>')
    expect(more).toEqual([])
  })
  it('carry what they are filtered by', () => {
    const html = pageOf(
      ...['eu', 'us'].map((cluster) => found('web', { cluster, evidence: ['2 pods'] })),
      found('coredns', {
        cluster: 'us',
        message: 'It is alone.',
        subject: { apiVersion: 'v1', kind: 'Node', name: 'n', namespace: '' },
      }),
    )
    expect(html).toContain(
      '<select name="namespace"><option value="">all</option><option value="(none)">(none) (1)</option><option value="shop">shop (1)</option>',
    )
    expect(html).toContain(
      '<select name="cluster"><option value="">all</option><option value="eu">eu (1)</option><option value="us">us (2)</option>',
    )
    const [web = '', node = ''] = articles(html)
    expect(web).toContain('data-rule="pdb-missing" data-namespaces="2" data-clusters="1 2"')
    expect(web).toContain('<span>Deployment shop/web in eu, us</span>')
    expect(web).toContain('<li>in eu: 2 pods</li>')
    expect(node).toContain('data-namespaces="1" data-clusters="2"')
  })
  it('have the command that makes the change, or who has to make it', () => {
    const fix = { title: 'minReplicas: 4', safe: true, edits: [], command: "kubectl patch hpa/web -p '{}'" }
    const subject = { apiVersion: 'v1', kind: 'Service', name: 'web', namespace: 'shop' }
    expect(pageOf(found('web', { fix }))).toContain(
      '<code>kubectl patch hpa/web -p &#39;{}&#39;</code></pre><button',
    )
    const kept = pageOf(found('web', { fix, subject: { ...subject, keeper: 'Helm release shop/web' } }))
    expect(kept).toContain('<p>in Helm release shop/web, which undoes changes by hand</p>')
    expect(kept).not.toContain('kubectl patch')
  })
  it('never show a line of a Secret', () => {
    const subject = { apiVersion: 'v1', kind: 'Secret', name: 'web', namespace: 'shop' }
    const html = page({
      ...incident,
      findings: [found('web', { subject })],
      lines: { line: () => undefined },
    })
    expect(articles(html)[0]).toContain('<p>not shown: Secret</p>')
  })
})

describe('whatever the input holds', () => {
  const evil = `"'><script>alert(1)</script></style></title><!-- \u202e\u001b[31m\u0000\r\n\ud800 javascript:alert(1) &quot; <a href=//x>`
  const hostile: Finding = {
    cluster: evil,
    rule: 'service-selects-nothing',
    severity: 'error',
    message: evil,
    label: evil,
    evidence: [evil],
    subject: { apiVersion: evil, kind: evil, name: evil, namespace: evil },
    place: { file: evil, line: 1, column: 3, endLine: 1, endColumn: 9, path: evil },
    related: [
      { file: evil, line: 1, column: 1, endLine: 1, endColumn: 2, path: evil, object: evil, note: evil },
    ],
    stories: ['s'],
    fix: { title: evil, safe: true, edits: [], command: evil },
  }
  const live: Finding = { ...hostile, place: { ...hostile.place, live: true } }
  const cluster = { context: evil, unread: [{ resource: evil, reason: 'failed', message: evil } as const] }
  const report: Report = {
    ...incident,
    findings: [
      hostile,
      { ...hostile, place: { ...hostile.place, line: 2 } },
      live,
      { ...live, cluster: `${evil}2` },
    ],
    lines: { line: () => evil },
    summary: { ...incident.summary, clusters: [cluster, { ...cluster, error: evil }] },
  }

  it('is text', () => {
    const html = page(report)
    const plain = page({
      ...report,
      ...(JSON.parse(
        JSON.stringify({ findings: report.findings, summary: report.summary }).replaceAll(
          JSON.stringify(evil).slice(1, -1),
          'x',
        ),
      ) as Pick<Report, 'findings' | 'summary'>),
      lines: { line: () => 'x'.repeat(9) },
    })
    expect(tags(html)).toEqual(tags(plain))
    expect(html).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e\ud800]|<a href=\/\/|<!--/)
  })
  it('leads nowhere but to pages', () => {
    const story: Story = {
      id: 's',
      org: evil,
      year: 2020,
      title: evil,
      brief: evil,
      happened: '',
      symptoms: [],
      cause: '',
      impact: '',
      lesson: '',
      url: 'javascript:alert(1)',
      evidence: 'full',
      core: false,
    }
    const html = page({ ...report, story: () => story })
    const targets = [...html.matchAll(/ href="([^"]*)"/g)].map(([, target]) => target)
    expect(targets).not.toEqual([])
    expect(targets.filter((one) => !/^(#|https?:\/\/)/.test(one ?? ''))).toEqual([])
    expect(articles(html)[0]).toContain('<p class="story">')
  })
  it('is cut where nobody would read it', () => {
    const long = 'x'.repeat(100_000)
    const html = page({
      ...report,
      findings: [
        {
          ...hostile,
          message: long,
          label: long,
          evidence: [long],
          place: { ...hostile.place, file: long },
          fix: { title: long, safe: true, edits: [] },
        },
      ],
      lines: { line: () => long },
    })
    expect(articles(html)[0]).toContain('x'.repeat(100))
    expect(html.length).toBeLessThan(page(report).length + 20_000)
  })
})

describe('our own pages', () => {
  it('are HTML in a browser', () => {
    const markdown =
      '# A `<b>`\n\nOne\ntwo **bold `x`** <https://a.example/?b&c>.\n\n- a\n- b\n  c\n\n> said\n\n```yaml\na: <1>\n\n# b\n```\n'
    expect(forBrowser(markdown).split('\n')).toEqual([
      '<h3>A <code>&#60;b&#62;</code></h3>',
      '<p>One two <b>bold <code>x</code></b> <a href="https://a.example/?b&#38;c" rel="noopener noreferrer">https://a.example/?b&#38;c</a>.</p>',
      '<ul><li>a</li><li>b c</li></ul>',
      '<blockquote>said</blockquote>',
      '<div class="copyable"><pre><code>a: &#60;1&#62;',
      '',
      '# b</code></pre><button type="button" class="copy">Copy</button></div>',
    ])
  })
})

describe('colours', () => {
  /** The contrast of WCAG 2.2: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio */
  const luminance = (color: string) => {
    const [r = 0, g = 0, b = 0] = [1, 3, 5]
      .map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const contrast = (a: string, b: string) => {
    const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x)
    return (light + 0.05) / (dark + 0.05)
  }
  const css = readFileSync(join(root, 'src/reporters/page.css'), 'utf8')
  const palettes = [...css.matchAll(/:root \{([^}]*--page[^}]*)\}/g)].map(([, text = '']) =>
    Object.fromEntries([...text.matchAll(/--(\w+): (#\w{6});/g)].map(([, name, color]) => [name, color])),
  )
  it.each(palettes)('can be read: %o', (palette) => {
    for (const text of ['text', 'quiet', 'link', 'error', 'warning', 'info'])
      for (const ground of ['page', 'panel'])
        expect(contrast(palette[text], palette[ground]), `${text} on ${ground}`).toBeGreaterThan(4.5)
    expect(contrast(palette.text, palette.mark)).toBeGreaterThan(4.5)
  })
})
