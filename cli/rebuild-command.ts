import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { placesOf } from '../registry/config.ts'
import { isRepositoryKey, parseImageName, type ImageRef } from '../registry/domain/names.ts'
import { formatSize } from '../registry/domain/size.ts'
import { rebuild, type Rebuilt, type Traces } from '../registry/jobs/rebuild.ts'
import { refuseUnfinishedRestore } from '../registry/jobs/unfinished-restore.ts'
import { lockPlaces } from '../registry/storage/process-lock.ts'
import { loadConfig, type CaissonConfig } from './config.ts'

/** Of what people write into images, what tells one from another. */
const tellingLabels = ['title', 'ref.name', 'version', 'revision', 'source'].map(
  (name) => `org.opencontainers.image.${name}`,
)

export function rebuildCommand(): Command {
  return new Command('rebuild')
    .description('the database is lost and there is no backup: make images of what the blobs alone tell')
    .option(
      '--into <repository/image>',
      'where they go, each with a tag of its own (default: <a local repository>/rebuilt)',
    )
    .option('--json', 'as one JSON object', false)
    .action(async (options: { into?: string; json: boolean }, command: Command) => {
      const config = await loadConfig(command.optsWithGlobals())
      const into = targetOf(config, options.into)
      const places = placesOf(config.dataDirectory, config.registry)
      if (!existsSync(places.blobs))
        throw new Error(`${places.blobs} does not exist: name the directory that has the blobs with --data`)
      using _alone = await lockPlaces(places)
      refuseUnfinishedRestore(places.dataDirectory)
      const rebuilt = await rebuild(places, into)
      console.log(options.json ? JSON.stringify({ into, ...rebuilt }) : describe(rebuilt, into))
    })
}

function targetOf({ registry: { repositories } }: CaissonConfig, named: string | undefined): ImageRef {
  const locals = Object.entries(repositories)
    .filter(([, repository]) => repository.type === 'local' && repository.apiVersion === 'v2')
    .map(([key]) => key)
  const [key = '', ...image] = (named ?? `${locals[0] ?? ''}/rebuilt`).split('/')
  if (isRepositoryKey(key) && locals.includes(key)) return { repository: key, image: parseImageName(image.join('/')) }
  throw new Error(
    `"${key}" is no local repository of the configuration: expected --into <repository>/<image>, where the repository is ` +
      (locals.length > 0 ? locals.join(' or ') : 'configured with type local'),
  )
}

function describe(
  { images, incomplete, wrong, unused, blobs, bytes }: Rebuilt,
  { repository, image }: ImageRef,
): string {
  const name = `${repository}/${image}`
  return [
    ...images.map((rebuilt) => `${name}:${rebuilt.tag}  ${describeTraces(rebuilt)}`),
    ...incomplete.map(
      (lacking) =>
        `not rebuilt: the image with the id ${lacking.config}, ${describeTraces(lacking)}: no layer here has the contents ${lacking.missing.join(', ')}`,
    ),
    ...wrong.map((digest) => `blob ${digest}: wrong bytes, and not used`),
    `${blobs} blobs of ${formatSize(bytes)} read: ${images.length} images rebuilt, ${incomplete.length} lack layers; ` +
      `${unused.length} blobs belong to none of them and stay where they are`,
    '',
    'What blobs do not tell, and is gone:',
    '  the names, tags and repositories of the images; the tags above are the ids that docker images shows',
    '  which of them were the platforms of one image, their annotations, signatures and other artifacts',
    '  manifests as they were: these are made anew, and their digests may be others than before',
    '  users and their passwords: the next start makes the first admin again',
    `Whoever may read ${name} may read all of them. One gets its name again with`,
    `  skopeo copy docker://<registry>/${name}:<id> docker://<registry>/${repository}/<image>:<tag>`,
  ].join('\n')
}

function describeTraces({ platform, created, labels }: Traces): string {
  const telling = tellingLabels.flatMap((name) => (labels[name] ? [labels[name]] : []))
  return [platform, ...(created === undefined ? [] : [`created ${created}`]), ...telling].join(', ')
}
