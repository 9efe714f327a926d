import type { ImageRef, Tag } from '../domain/names.ts'
import type { Property, PropertyName, PropertyValue } from '../domain/property.ts'

/**
 * What people have said of images and their tags. It goes with the image; what was said of a tag goes with that, and when the tag moves
 * to another manifest, which it was not said of. Each method is one transaction.
 */
export interface Properties {
  /** `values`, at least one, take the place of those it had. False when there is no such image or tag. */
  setProperty(
    of: ImageRef,
    tag: Tag | undefined,
    name: PropertyName,
    values: readonly PropertyValue[],
  ): Promise<boolean>
  /** False when it was not set. */
  removeProperty(of: ImageRef, tag: Tag | undefined, name: PropertyName): Promise<boolean>
  /** In the order of their names. Undefined when there is no such image or tag. */
  propertiesOf(of: ImageRef, tag: Tag | undefined): Promise<readonly Property[] | undefined>
}
