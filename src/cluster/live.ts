/** An object of a cluster as the document that the engine works on. */
import { dump } from 'js-yaml'
import type { Document, Locator } from '../document.js'
import { stringAt } from '../graph/untyped.js'
import type { Untyped } from '../kubernetes.js'
import { locator } from '../reader/locate.js'
import type { Resource } from './discover.js'
import { isOwn } from './slim.js'

/** The document of a slim object. Its text, the YAML of `kubectl get -o yaml`, is made when somebody asks for it. */
export function liveDocument(value: Untyped, resource: Resource): Document {
  let text: string | undefined
  let found: Locator | undefined
  const rendered = () => {
    text ??= dump(value, {
      sortKeys: true,
      noArrayIndent: true,
      lineWidth: -1,
      noRefs: true,
      skipInvalid: true,
    })
    return text
  }
  const file = {
    name: nameOf(value, resource),
    get text() {
      return rendered()
    },
  }
  return {
    file,
    line: 1,
    value,
    get text() {
      return rendered()
    },
    hasDuplicates: false,
    locate: () => {
      found ??= locator(rendered(), 1, 1)
      return found
    },
    live: { isOwn: isOwn(value, resource) },
  }
}

/** `deployment/shop/web`, `node/n1`, `service.serving.knative.dev/shop/web`. */
function nameOf(value: Untyped, { kindName, kind, apiVersion }: Resource): string {
  const group = kindName.includes('/') ? `.${apiVersion.slice(0, apiVersion.indexOf('/'))}` : ''
  const steps = [stringAt(value, 'metadata', 'namespace'), stringAt(value, 'metadata', 'name')]
  return [`${kind.toLowerCase()}${group}`, ...steps.filter((step) => step !== undefined)].join('/')
}
