/** Which images get their tag or digest from a tool, whatever the manifest says. */
import type { Kustomization } from '../reader/input.js'
import { lazy } from '../values/lazy.js'
import { objectsAt, stringAt } from '../values/untyped.js'
import { imageParts, isImageAlias } from './image.js'
import type { Objects } from './objects.js'

/**
 * Tells whether a tool sets the tag or digest of an image: a kustomization or its transformer, skaffold and ko, which build it, or
 * whatever fills in a bare name.
 */
export function taggedElsewhere(
  objects: Objects,
  kustomizations: readonly Kustomization[],
): (image: string) => boolean {
  const built = lazy(() => builtImages(objects))
  const pinned = lazy(() => pinnedRepositories(objects, kustomizations))
  return (image) =>
    image.startsWith('ko://') ||
    // What kubebuilder writes: the Makefile beside it sets the image that is applied (IMG).
    image === 'controller:latest' ||
    isImageAlias(image) ||
    built().has(image) ||
    pinned().has(repositoryOf(image))
}

/** The images that a skaffold.yaml of the input builds and tags. */
function builtImages({ all }: Objects): ReadonlySet<string | undefined> {
  const artifacts = all('skaffold/Config').flatMap((one) => objectsAt(one, 'build', 'artifacts'))
  return new Set(artifacts.map((artifact) => stringAt(artifact, 'image')))
}

/**
 * The images for which a kustomization sets a tag or digest, by itself or by a transformer in a file of its own.
 * Source: sigs.k8s.io/kustomize/plugin/builtin/imagetagtransformer.
 */
function pinnedRepositories({ all }: Objects, kustomizations: readonly Kustomization[]): ReadonlySet<string> {
  const listed = kustomizations.flatMap((one) => one.images).filter((one) => one.pinned)
  const transformed = all('/ImageTagTransformer').flatMap((one) => {
    const name = stringAt(one, 'imageTag', 'name')
    const set = stringAt(one, 'imageTag', 'newTag') ?? stringAt(one, 'imageTag', 'digest')
    return name !== undefined && set ? [{ name }] : []
  })
  return new Set([...listed, ...transformed].map(({ name }) => repositoryOf(name)))
}

function repositoryOf(image: string): string {
  const { registry, repository } = imageParts(image)
  return `${registry}/${repository}`
}
