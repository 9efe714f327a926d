import { Command } from 'commander'
import type { RepositoryConfig } from '../registry/config.ts'
import { suggestion } from '../registry/domain/nearest.ts'
import { isRepositoryKey, parseImageName, type ImageName, type ImageRef } from '../registry/domain/names.ts'
import { descriptionProperty, parsePropertyValue } from '../registry/domain/property.ts'
import { v1ImageName } from '../registry/http/v1/resource.ts'
import { keptNames } from '../registry/repositories/remote/image-names.ts'
import { openSqliteMetadata } from '../registry/storage/sqlite-metadata.ts'
import { loadConfig, type CaissonConfig } from './config.ts'
import { existingDatabase } from './existing-database.ts'

/** Works on the database itself, beside a running registry or without one. */
export function describeCommand(): Command {
  return new Command('describe')
    .argument('<image>', 'like docker-local/hello')
    .argument('[text]', 'what docker search says of it from now on; empty: nothing')
    .description('show or set the description of an image, its property docker.description')
    .action(async (text: string, description: string | undefined, _options, command: Command) => {
      const config = await loadConfig(command.optsWithGlobals())
      const of = parseImage(text, config)
      await using store = await openSqliteMetadata(existingDatabase(config))
      const said = await store.propertiesOf(of, undefined)
      if (!said) throw new Error(`there is no image ${of.image} in the repository ${of.repository}`)
      if (description === undefined)
        console.log(said.find(({ name }) => name === descriptionProperty)?.values.join('\n') ?? '')
      else if (description === '') await store.removeProperty(of, undefined, descriptionProperty)
      else await store.setProperty(of, undefined, descriptionProperty, [parsePropertyValue(description)])
    })
}

/** Throws for what is no image, and for a repository that has none of its own. */
function parseImage(text: string, { registry: { repositories } }: CaissonConfig): ImageRef {
  const [, key = '', image = ''] = /^([^/]+)\/(.+)$/.exec(text) ?? []
  if (image === '') throw new Error(`"${text}" is no image: expected <repository>/<image>`)
  const config = isRepositoryKey(key) ? repositories[key] : undefined
  if (!config || !isRepositoryKey(key))
    throw new Error(`there is no repository ${key}${suggestion(key, Object.keys(repositories))}`)
  return { repository: key, image: keptName(parseImageName(image), key, config) }
}

function keptName(image: ImageName, key: string, config: RepositoryConfig): ImageName {
  switch (config.type) {
    case 'local':
      return config.apiVersion === 'v1' ? v1ImageName(image) : image
    case 'remote':
      return keptNames(config)(image)
    case 'virtual':
      throw new Error(`${key} is a virtual repository: describe the image in the one of its members that has it`)
  }
}
