/** Words that something puts another one in the place of, as the images beside them tell. */

import type { Graph } from './graph.js'
import { imageParts } from './image.js'

/**
 * The word in capitals in a name that an image of the same folder has, too: `shop-FLAVOR-db`, beside `image: registry/shop-FLAVOR-web`. No
 * registry takes capitals in a repository, so that the word is none of anybody's names: it is still to be replaced.
 */
export function blankWordIn(name: string, object: object, graph: Graph): string | undefined {
  const words = name.split(/[-._]/).filter((word) => capitals.test(word))
  if (words.length === 0) return undefined
  const found = graph.once('words in capitals in images', () => wordsOfImages(graph))
  return words.find((word) => found.get(word)?.some((one) => graph.apart(one, object) === 0))
}

const capitals = /^[A-Z][A-Z0-9]{2,}$/

/** The objects of whose images a repository has a word in capitals beside small letters, by the word. */
function wordsOfImages(graph: Graph): ReadonlyMap<string, readonly object[]> {
  const found = new Map<string, object[]>()
  for (const { containers, object } of graph.workloads)
    for (const { image } of containers) {
      if (!image || !/[A-Z]{3}/.test(image)) continue
      const { name } = imageParts(image)
      if (!/[a-z]/.test(name)) continue
      for (const word of new Set(name.split(/[-._]/).filter((one) => capitals.test(one))))
        found.set(word, [...(found.get(word) ?? []), object])
    }
  return found
}
