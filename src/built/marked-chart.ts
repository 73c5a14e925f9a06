/** A copy of a chart, for as long as Helm renders it, with marks in its templates. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { contentOf } from '../reader/content.js'
import { displayName } from '../reader/files.js'
import { brackets, type Handling, handlingOf, type Mark, withMarks } from './marks.js'

export interface MarkedChart {
  /** Its folder. */
  readonly folder: string
  readonly marks: readonly Mark[]
  remove(): void
}

/** Bytes of templates that are copied. */
const largest = 16 * 1024 * 1024

/**
 * Copies a chart: its templates and those of the charts in it with marks, all else as links.
 * @param inDefines whether named templates are marked, too
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
    const copy = new Copy(inDefines, cwd)
    copy.chart(chart, folder)
    copy.breakOutput(folder)
    return { folder, marks: withCertainValues(copy.marks, copy.handling), remove }
  } catch {
    // No room, no right to make links, a folder that holds itself: findings are shown as they were built.
    remove()
    return undefined
  }
}

/** Without the paths of values that a template may have changed before, or has passed to another one under their name. */
function withCertainValues(marks: readonly Mark[], handling: Handling): readonly Mark[] {
  return marks.map((mark) => {
    const { values, ...rest } = mark
    const isCertain = handling === 'reads' || (handling === 'passes others' && !mark.isNamed)
    return values === undefined || isCertain ? mark : rest
  })
}

class Copy {
  readonly marks: Mark[] = []
  /** What the templates do to values: the most that one of them does. */
  handling: Handling = 'reads'
  #size = 0
  readonly #inDefines: boolean
  readonly #cwd: string

  constructor(inDefines: boolean, cwd: string) {
    this.#inDefines = inDefines
    this.#cwd = cwd
  }

  chart(from: string, to: string): void {
    for (const name of readdirSync(from).sort()) {
      const [source, target] = [join(from, name), join(to, name)]
      if (name === 'templates' && isFolder(source)) this.#templates(source, target)
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

  #templates(from: string, to: string): void {
    mkdirSync(to)
    for (const name of readdirSync(from).sort()) {
      const [source, target] = [join(from, name), join(to, name)]
      if (isFolder(source)) this.#templates(source, target)
      else this.#template(source, target)
    }
  }

  #template(source: string, target: string): void {
    const content = contentOf({ path: source, name: basename(source), explicit: false, isFile: false })
    const text = 'text' in content && !('problem' in content) ? content.text : undefined
    this.#size += text?.length ?? 0
    if (this.#size > largest || (text !== undefined && brackets.some((one) => text.includes(one))))
      throw new RangeError('not to be marked')
    const handling = handlingOf(text ?? '')
    if (handling === 'writes' || this.handling === 'reads') this.handling = handling
    const file = { name: displayName(source, this.#cwd), path: source, text: text ?? '' }
    const marked =
      text === undefined || basename(source) === 'NOTES.txt'
        ? undefined
        : withMarks(file, this.marks, this.#inDefines)
    if (marked === undefined) symlinkSync(source, target)
    else writeFileSync(target, marked)
  }

  /**
   * Adds a template that is no YAML. Where there is one, `helm template --debug` prints all templates as they are rendered, and
   * neither reads them, nor takes them apart, nor sorts them. Source: renderResources in helm/pkg/action/action.go, 3 and 4.
   */
  breakOutput(folder: string): void {
    mkdirSync(join(folder, 'templates'), { recursive: true })
    writeFileSync(join(folder, 'templates', brokenTemplate), '[')
  }
}

/** A name that no chart has. */
export const brokenTemplate = 'k8s-af-broken.yaml'

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
