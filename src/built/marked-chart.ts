/** A copy of a chart, for as long as Helm renders it, with marks in its templates. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { contentOf } from '../reader/content.js'
import { displayName } from '../reader/files.js'
import { statsAt } from '../values/stats.js'
import { touch } from './chart-values.js'
import { brackets, type Mark, passesOtherValues, type Template, withMarks, writtenValues } from './marks.js'
import { examinedTemplates } from './named-templates.js'

export interface MarkedChart {
  readonly folder: string
  readonly marks: readonly Mark[]
  remove(): void
}

/** Bytes of templates that are copied. */
const largest = 16 * 1024 * 1024

/**
 * Copies a chart: its templates and those of the charts in it with marks, all else as links.
 * @param inDefines whether named templates are marked, too: those that are printed, and neither compared nor cut
 * @param cwd what the names of files are relative to
 * @returns undefined where that cannot be done
 */
export function markedChart(chart: string, inDefines: boolean, cwd: string): MarkedChart | undefined {
  let folder: string | undefined
  const remove = () => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  }
  try {
    folder = mkdtempSync(join(realpathSync(tmpdir()), 'k8s-af-helm-'))
    const copy = new Copy(cwd)
    copy.chart(chart, folder)
    const marks = copy.writeTemplates(inDefines)
    breakOutput(folder)
    return { folder, marks, remove }
  } catch {
    // No room, no right to make links, a folder that holds itself: findings are shown as they were built.
    remove()
    return undefined
  }
}

/** Without the paths of values that a template may have changed before, or has passed to another one under their name. */
function withCertainValues(marks: readonly Mark[], texts: readonly string[]): readonly Mark[] {
  const written = texts.flatMap(writtenValues)
  const isPassing = texts.some(passesOtherValues)
  return marks.map((mark) => {
    const { values, ...rest } = mark
    if (values === undefined) return mark
    return (isPassing && mark.isNamed) || written.some((one) => touch(one, values)) ? rest : mark
  })
}

class Copy {
  readonly #templates: { readonly file: Template; readonly target: string }[] = []
  readonly #cwd: string
  #size = 0

  constructor(cwd: string) {
    this.#cwd = cwd
  }

  chart(from: string, to: string): void {
    for (const name of readdirSync(from).sort()) {
      const [source, target] = [join(from, name), join(to, name)]
      if (name === 'templates' && isFolder(source)) this.#folder(source, target)
      else if (name === 'charts' && isFolder(source)) this.#charts(source, target)
      else symlinkSync(source, target)
    }
  }

  #charts(from: string, to: string): void {
    mkdirSync(to)
    for (const name of readdirSync(from).sort()) {
      const [source, target] = [join(from, name), join(to, name)]
      if (isFolder(source)) {
        mkdirSync(target)
        this.chart(source, target)
      } else symlinkSync(source, target)
    }
  }

  #folder(from: string, to: string): void {
    mkdirSync(to)
    for (const name of readdirSync(from).sort()) {
      const [source, target] = [join(from, name), join(to, name)]
      if (isFolder(source)) this.#folder(source, target)
      else this.#template(source, target)
    }
  }

  #template(source: string, target: string): void {
    const content = contentOf({ path: source, name: basename(source), explicit: false, isFile: false })
    const isText = 'text' in content && !('problem' in content)
    if (!isText || basename(source) === 'NOTES.txt') return void symlinkSync(source, target)
    const { text } = content
    this.#size += text.length
    if (this.#size > largest || brackets.some((one) => text.includes(one)))
      throw new RangeError('not to be marked')
    this.#templates.push({ file: { name: displayName(source, this.#cwd), path: source, text }, target })
  }

  /** Writes the templates that were met on the way. */
  writeTemplates(inDefines: boolean): readonly Mark[] {
    const texts = this.#templates.map(({ file }) => file.text)
    const examined = inDefines ? examinedTemplates(texts) : undefined
    const marks: Mark[] = []
    for (const { file, target } of this.#templates) {
      const marked = withMarks(file, marks, (name) => examined?.has(name) === false)
      if (marked === undefined) symlinkSync(file.path, target)
      else writeFileSync(target, marked)
    }
    return withCertainValues(marks, texts)
  }
}

/**
 * Adds a template that is no YAML. Where there is one, `helm template --debug` prints all templates as they are rendered, and
 * neither reads them, nor takes them apart, nor sorts them. Source: renderResources in helm/pkg/action/action.go, 3 and 4.
 */
function breakOutput(folder: string): void {
  mkdirSync(join(folder, 'templates'), { recursive: true })
  writeFileSync(join(folder, 'templates', brokenTemplate), '[')
}

/** A name that no chart has. */
export const brokenTemplate = 'k8s-af-broken.yaml'

function isFolder(path: string): boolean {
  return statsAt(path)?.isDirectory() ?? false
}
