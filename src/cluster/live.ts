/** An object of a cluster as the document that the engine works on. */
import type { Document, Locator } from '../document.js'
import { type KindName, kindNameOf, type Untyped } from '../kubernetes.js'
import { locatorOf } from '../reader/locate.js'
import { stringAt } from '../values/untyped.js'
import { isSilent } from './slim.js'
import { type Rendered, render } from './yaml.js'

/** The document of a slim object. Its text, the YAML of `kubectl get -o yaml`, is made when somebody asks for it. */
export function liveDocument(value: Untyped): Document {
  const apiVersion = stringAt(value, 'apiVersion') ?? ''
  const kind = stringAt(value, 'kind') ?? ''
  const kindName = kindNameOf(apiVersion, kind)
  let made: Rendered | undefined
  let found: Locator | undefined
  const rendered = () => {
    made ??= render(value)
    return made
  }
  const file = {
    name: nameOf(value, kindName),
    get text() {
      return rendered().text
    },
  }
  return {
    file,
    line: 1,
    value,
    get text() {
      return rendered().text
    },
    hasDuplicates: false,
    locate: () => {
      if (!found) {
        const { text, root } = rendered()
        found = locatorOf(text, root, 1, 1)
      }
      return found
    },
    live: { isSilent: isSilent(value, kindName) },
  }
}

/** `deployment/shop/web`, `node/n1`, `service.serving.knative.dev/shop/web`. */
function nameOf(value: Untyped, kindName: KindName): string {
  const [kind = '', group] = kindName.split('/').reverse()
  const steps = [stringAt(value, 'metadata', 'namespace'), stringAt(value, 'metadata', 'name')]
  const type = group === undefined ? kind.toLowerCase() : `${kind.toLowerCase()}.${group}`
  return [type, ...steps.filter((step) => step !== undefined)].join('/')
}
