import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { registrySection } from '../../../registry/config.ts'
import { compilePatterns } from '../../../registry/domain/ant-pattern.ts'
import { parseTag, type ImageName } from '../../../registry/domain/names.ts'
import { descriptionProperty, parsePropertyName, parsePropertyValue } from '../../../registry/domain/property.ts'
import { everyTag, noTag, type TagSet } from '../../../registry/domain/tag-set.ts'
import { openStorageView, type StorageView } from '../../../registry/repositories/storage-view/storage-view.ts'
import { blobDirectories } from '../../../registry/storage/blob-directories.ts'
import { filesystemBlobsBeside } from '../../../registry/storage/filesystem-blobs.ts'
import type { MetadataStore } from '../../../registry/storage/metadata-store.ts'
import { openSqliteMetadata } from '../../../registry/storage/sqlite-metadata.ts'
import { sha256 } from '../../contracts/blob-store.ts'
import { ref } from '../../contracts/metadata-store.ts'
import { eventually } from '../../helpers/eventually.ts'
import { startTestRegistry, type TestRegistry } from '../../helpers/registry.ts'
import { pushV1, v1Image } from '../../helpers/v1-client.ts'
import { descriptor, digestOfBytes, ociManifest, tinyImage, type TinyImage } from '../../helpers/tiny-image.ts'

/** A registry that runs, and what lies in it. */
interface Viewed extends AsyncDisposable {
  readonly registry: TestRegistry
  readonly metadata: MetadataStore
  view(readable?: (image: ImageName) => TagSet, key?: string): StorageView
}

async function openViewed(repositories: Readonly<Record<string, unknown>> = {}): Promise<Viewed> {
  await using opened = new AsyncDisposableStack()
  const local = { 'docker-local': { type: 'local' }, 'docker-v1': { type: 'local', apiVersion: 'v1' } }
  const section = { repositories: { ...local, ...repositories } }
  const registry = opened.use(await startTestRegistry(section))
  const metadata = opened.use(await openSqliteMetadata(join(registry.dataDirectory, 'caisson.db')))
  const blobs = opened.use(filesystemBlobsBeside(blobDirectories(join(registry.dataDirectory, 'blobs'))))
  const config = registrySection.parse(section)
  const running = opened.move()
  return {
    registry,
    metadata,
    view: (readable = () => everyTag, key = 'docker-local') =>
      openStorageView({ blobs, metadata }, config.repositories, { key, readable }) ?? assert.fail(`no view of ${key}`),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** What is in the folder, in pages of two: folders with a slash behind them. Undefined where no folder is. */
async function listed(view: StorageView, path: string): Promise<readonly string[] | undefined> {
  const item = await view.item(path)
  if (item?.kind !== 'folder') return undefined
  const names: string[] = []
  let after: string | undefined
  do {
    const { items, next } = await item.children(after, 2)
    assert.ok(items.length <= 2)
    names.push(...items.map(({ name, kind }) => (kind === 'folder' ? `${name}/` : name)))
    after = next
  } while (after !== undefined)
  return names
}

async function read(view: StorageView, path: string): Promise<Buffer> {
  const item = await view.item(path)
  assert.ok(item?.kind === 'file', `${path} is no file`)
  const { content } = item
  return content instanceof Uint8Array ? Buffer.from(content) : buffer(await content.open(undefined))
}

async function properties(view: StorageView, path: string): Promise<Readonly<Record<string, string>> | undefined> {
  const found = await view.properties(path)
  return found && Object.fromEntries(found.map(({ name, values }) => [name, values.join(',')]))
}

function named(bytes: Uint8Array): string {
  return digestOfBytes(bytes).replace(':', '__')
}

function indexOf(...entries: readonly TinyImage[]): TinyImage {
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const manifests = entries.map(({ manifest }) => descriptor(ociManifest, manifest))
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }))
  return { mediaType, manifest, digest: digestOfBytes(manifest), blobs: [] }
}

test('beside the manifest of a tag lies every blob that it names, with its bytes', async () => {
  await using at = await openViewed()
  const image = tinyImage('one')
  const [config = Buffer.alloc(0), layer = Buffer.alloc(0)] = image.blobs
  await at.registry.admin.push('jfrog/ubuntu', '1.0', image)
  const view = at.view()

  assert.deepEqual(await listed(view, ''), ['jfrog/'])
  assert.deepEqual(await listed(view, 'jfrog'), ['ubuntu/'])
  assert.deepEqual(await listed(view, 'jfrog/ubuntu'), ['1.0/'])
  assert.deepEqual(await listed(view, 'jfrog/ubuntu/1.0'), ['manifest.json', ...[named(config), named(layer)].sort()])
  assert.deepEqual(await read(view, 'jfrog/ubuntu/1.0/manifest.json'), image.manifest)
  assert.deepEqual(await read(view, `jfrog/ubuntu/1.0/${named(layer)}`), layer)
  const file = await view.item(`jfrog/ubuntu/1.0/${named(layer)}`)
  assert.ok(file?.kind === 'file')
  assert.deepEqual([file.size, file.sha256], [layer.length, hash('sha256', layer)])
  assert.ok(Date.now() - file.created.getTime() < 600_000)
  const manifest = await view.item('jfrog/ubuntu/1.0/manifest.json')
  assert.ok(manifest?.kind === 'file')
  assert.deepEqual([manifest.size, manifest.sha256], [image.manifest.length, hash('sha256', image.manifest)])
})

test('nothing is where nothing was pushed, and a folder goes with the last thing in it', async () => {
  await using at = await openViewed()
  const view = at.view()
  assert.deepEqual(await listed(view, ''), [])
  const image = tinyImage('one')
  await at.registry.admin.push('team/app', 'v1', image)
  await at.registry.admin.pushBlob('team/blobs', Buffer.from('no manifest names it'))
  for (const path of [
    'team/ap',
    'team/app/v2',
    'team/app/v1/list.manifest.json',
    `team/app/v1/${named(Buffer.from('another'))}`,
    `team/app/${image.digest.replace(':', '__')}`,
    'team/app/v1/manifest.json/x',
    'team/blobs',
    'team//app',
    '/team',
    'team/',
    'Team',
  ])
    assert.equal(await view.item(path), undefined, path)
  assert.equal(await view.properties('team/ap'), undefined)

  assert.equal((await at.registry.admin.ask('DELETE', 'team/app/manifests/v1')).status, 202)
  assert.deepEqual(await listed(view, 'team/app'), [`${image.digest.replace(':', '__')}/`])
  assert.equal((await at.registry.admin.ask('DELETE', `team/app/manifests/${image.digest}`)).status, 202)
  for (const path of ['team', 'team/app', 'team/app/v1']) assert.equal(await view.item(path), undefined, path)
  assert.deepEqual(await listed(view, ''), [])
})

test('an index lies in its tag, and what it names by digest beside the tags', async () => {
  await using at = await openViewed()
  const { admin } = at.registry
  const [amd64, arm64] = [tinyImage('amd64'), tinyImage('arm64')]
  for (const image of [amd64, arm64]) for (const blob of image.blobs) await admin.pushBlob('app', blob)
  assert.equal((await admin.putManifest('app', amd64.digest, amd64)).status, 201)
  assert.equal((await admin.putManifest('app', 'for-arm', arm64)).status, 201)
  const index = indexOf(amd64, arm64)
  assert.equal((await admin.putManifest('app', 'v1', index)).status, 201)
  const view = at.view()

  const folders = [named(amd64.manifest), named(arm64.manifest)].sort().map((name) => `${name}/`)
  assert.deepEqual(await listed(view, 'app'), ['for-arm/', ...folders, 'v1/'].sort())
  assert.deepEqual(await listed(view, 'app/v1'), ['list.manifest.json'])
  assert.deepEqual(await read(view, 'app/v1/list.manifest.json'), index.manifest)
  const child = `app/${named(arm64.manifest)}`
  assert.deepEqual((await listed(view, child))?.length, 3)
  assert.deepEqual(await read(view, `${child}/manifest.json`), arm64.manifest)
  assert.deepEqual(await read(view, `app/${arm64.digest}/manifest.json`), arm64.manifest)
  assert.equal((await properties(view, `${child}/manifest.json`))?.['docker.manifest'], arm64.digest)
  assert.equal(await view.item(`app/${named(index.manifest)}`), undefined)
})

test('manifests and blobs have the properties that Artifactory gives them', async () => {
  await using at = await openViewed()
  const { admin } = at.registry
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Labels: { maintainer: 'me@company.com', 'com.company/team': 'a' } },
      rootfs: { type: 'layers', diff_ids: [] },
    }),
  )
  const plain = tinyImage('labelled')
  const labelled = tinyImage('labelled', { config: descriptor('application/vnd.oci.image.config.v1+json', config) })
  await admin.push('jfrog/app', 'v1', { ...labelled, blobs: [config, ...plain.blobs] })
  const view = at.view()

  assert.deepEqual(await properties(view, 'jfrog/app/v1/manifest.json'), {
    'docker.label.com.company/team': 'a',
    'docker.label.maintainer': 'me@company.com',
    'docker.manifest': 'v1',
    'docker.manifest.digest': labelled.digest,
    'docker.manifest.type': ociManifest,
    'docker.repoName': 'jfrog/app',
    sha256: hash('sha256', labelled.manifest),
  })
  assert.deepEqual(await properties(view, `jfrog/app/v1/${named(config)}`), { sha256: hash('sha256', config) })
  assert.deepEqual(await properties(view, 'jfrog/app/v1'), {})
  assert.deepEqual(await properties(view, 'jfrog'), {})
})

test('what people say is on the folder of the image, or of the tag and its manifest', async () => {
  await using at = await openViewed()
  await at.registry.admin.push('app', 'v1', tinyImage('one'))
  const app = ref('docker-local', 'app')
  const set = async (tag: string | undefined, name: string, value: string) =>
    at.metadata.setProperty(app, tag === undefined ? undefined : parseTag(tag), parsePropertyName(name), [
      parsePropertyValue(value),
    ])
  await set(undefined, 'docker.description', 'An application')
  await set('v1', 'qa', 'passed')
  const view = at.view()

  assert.deepEqual(await properties(view, 'app'), { 'docker.description': 'An application' })
  assert.deepEqual(await properties(view, 'app/v1'), { qa: 'passed' })
  assert.equal((await properties(view, 'app/v1/manifest.json'))?.qa, 'passed')
  await at.registry.admin.push('app', 'v1', tinyImage('two'))
  assert.deepEqual(await properties(view, 'app/v1'), {})
  assert.deepEqual(await properties(view, 'app'), { 'docker.description': 'An application' })
})

test('folders of images are listed in the order of their names, each once, whatever their images are called', async () => {
  await using at = await openViewed()
  const images = ['a-b/x', 'a-b-c/x', 'a/x', 'a/y', 'a.b', 'a/x/deep/er', 'ab', 'b', 'a_b', 'a/x-1', 'b/b/b', 'a--b/x']
  for (const image of images) await at.registry.admin.push(image, 'v1', tinyImage('one'))
  const view = at.view()

  const folders = ['a--b/', 'a-b-c/', 'a-b/', 'a.b/', 'a/', 'a_b/', 'ab/', 'b/']
  const byName = (one: string, other: string) => (one.slice(0, -1) < other.slice(0, -1) ? -1 : 1)
  assert.deepEqual(await listed(view, ''), folders.toSorted(byName))
  assert.deepEqual(await listed(view, 'a'), ['x/', 'x-1/', 'y/'])
  assert.deepEqual(await listed(view, 'a/x'), ['deep/', 'v1/'])
  assert.deepEqual(await listed(view, 'b'), ['b/', 'v1/'])
})

test('what an image and a tag of another have as the same path is one folder', async () => {
  await using at = await openViewed()
  const image = tinyImage('one')
  await at.registry.admin.push('a', 'b', image)
  await at.registry.admin.push('a/b', 'c', image)
  const view = at.view()
  assert.deepEqual(await listed(view, 'a'), ['b/'])
  assert.deepEqual(await listed(view, 'a/b'), ['c/', 'manifest.json', ...image.blobs.map(named).sort()])
})

test('who may read some tags finds what these lead to, and nothing that shows that there is more', async () => {
  await using at = await openViewed()
  const { admin } = at.registry
  const [shown, hidden, child] = [tinyImage('shown'), tinyImage('hidden'), tinyImage('child')]
  await admin.push('app', 'dev-1', shown)
  await admin.push('app', 'prod-1', hidden)
  for (const blob of child.blobs) await admin.pushBlob('app', blob)
  await admin.putManifest('app', child.digest, child)
  await admin.putManifest('app', 'dev-all', indexOf(child))
  await admin.push('app', 'gone', tinyImage('untagged'))
  await admin.ask('DELETE', 'app/manifests/gone')
  await admin.push('team/secret', 'prod-1', hidden)
  await admin.push('vault/secret', 'dev-1', hidden)
  const patterns = compilePatterns(['**/dev-*'], ['vault/**'])
  const view = at.view(patterns.tagsOf)

  assert.deepEqual(await listed(view, ''), ['app/'])
  assert.deepEqual(await listed(view, 'app'), ['dev-1/', 'dev-all/', `${named(child.manifest)}/`])
  assert.equal((await listed(view, `app/${named(child.manifest)}`))?.length, 3)
  for (const path of [
    'team',
    'team/secret',
    'vault',
    'vault/secret/dev-1',
    'app/prod-1',
    'app/prod-1/manifest.json',
    `app/${named(tinyImage('untagged').manifest)}/manifest.json`,
  ])
    assert.equal(await view.item(path), undefined, path)
  assert.deepEqual(
    await listed(
      at.view(() => noTag),
      '',
    ),
    [],
  )
})

test('of a remote repository there is what has been fetched, by its own key and by that of its cache', async () => {
  await using origin = await startTestRegistry()
  const image = tinyImage('one')
  await origin.admin.push('library/app', 'v1', image)
  await origin.admin.push('library/excluded', 'v1', image)
  const remote = {
    type: 'remote',
    url: `http://127.0.0.1:${origin.port}`,
    addLibrary: true,
    imagePaths: [{ from: '', to: 'docker-local' }],
  }
  await using at = await openViewed({ hub: { ...remote, excludesPattern: 'library/excluded/**' } })
  const hub = at.registry.admin.at('/artifactory/api/docker/hub/v2')
  // A client that knows no such manifest would be given another one, made from the configuration, which is fetched for it.
  const accept = { accept: ociManifest }
  assert.equal((await hub.ask('GET', 'app/manifests/v1', { headers: accept })).status, 200)

  for (const key of ['hub', 'hub-cache']) {
    const view = at.view(undefined, key)
    assert.deepEqual(await listed(view, 'library'), ['app/'])
    assert.deepEqual(await listed(view, 'library/app/v1'), ['manifest.json'])
    assert.equal((await properties(view, 'library/app/v1/manifest.json'))?.['docker.repoName'], 'library/app')
  }
  const [, layer = Buffer.alloc(0)] = image.blobs
  assert.equal((await hub.ask('GET', `app/blobs/${digestOfBytes(layer)}`)).status, 200)
  const view = at.view(undefined, 'hub')
  await eventually('the layer is kept', async () => (await view.item(`library/app/v1/${named(layer)}`)) !== undefined)
  assert.deepEqual(await listed(view, 'library/app/v1'), ['manifest.json', named(layer)])
})

test('a virtual repository keeps nothing by itself, and one that does not exist has nothing', async () => {
  const config = registrySection.parse({})
  const storage = { blobs: assert.fail, metadata: assert.fail } as never
  for (const key of ['docker', 'no-such', 'no-such-cache', 'Not A Key'])
    assert.equal(openStorageView(storage, config.repositories, { key, readable: () => everyTag }), undefined)
})

test('an image with many thousand tags is listed from anywhere in pages of any size', async () => {
  await using at = await openViewed()
  const nothing = { blobs: [], entries: [], subject: undefined, artifactType: undefined }
  const tags = Array.from({ length: 5000 }, (_, index) => parseTag(`v${String(index).padStart(4, '0')}`))
  const manifest = { digest: sha256('one'), mediaType: 'a/b', bytes: Buffer.from('one') }
  await at.metadata.putManifest(ref('docker-local', 'app'), manifest, nothing, tags)
  const folder = await at.view().item('app')
  assert.ok(folder?.kind === 'folder')

  const page = await folder.children('v2499', 3)
  assert.deepEqual(
    page.items.map(({ name }) => name),
    ['v2500', 'v2501', 'v2502'],
  )
  assert.equal(page.next, 'v2502')
  assert.deepEqual(await folder.children('v4998', 3), { items: [{ name: 'v4999', kind: 'folder' }], next: undefined })
  const all = await folder.children(undefined, 10_000)
  assert.deepEqual(
    all.items.map(({ name }) => name),
    tags,
  )
})

test('of the V1 API there is each image once by its id, and each tag of an image name', async () => {
  await using at = await openViewed()
  const base = v1Image('base')
  const top = v1Image('top', base)
  const client = at.registry.admin.at('/artifactory/api/docker/docker-v1/v1')
  await pushV1(client, 'ubuntu', '12.04', [base, top])
  await pushV1(client, 'jfrog/ubuntu', 'latest', [base])
  const view = at.view(undefined, 'docker-v1')
  const folderOf = (id: string) => `.images/${id.slice(0, 2)}/${id}`

  assert.deepEqual(await listed(view, ''), ['.images/', 'repositories/'])
  const starts = [base, top].map(({ id }) => `${id.slice(0, 2)}/`).sort()
  assert.deepEqual(await listed(view, '.images'), starts)
  assert.deepEqual(await listed(view, `.images/${top.id.slice(0, 2)}`), [`${top.id}/`])
  assert.deepEqual(await listed(view, folderOf(top.id)), ['_checksum.json', 'ancestry.json', 'json.json', 'layer.tar'])
  assert.equal((await read(view, `${folderOf(top.id)}/json.json`)).toString(), top.json)
  assert.deepEqual(await read(view, `${folderOf(top.id)}/layer.tar`), top.layer)
  assert.deepEqual(JSON.parse((await read(view, `${folderOf(top.id)}/ancestry.json`)).toString()), [top.id, base.id])
  const sums = JSON.parse((await read(view, `${folderOf(top.id)}/_checksum.json`)).toString()) as readonly string[]
  assert.equal(sums[0], top.payload)
  assert.match(sums[1] ?? '', /^tarsum\+sha256:[0-9a-f]{64}$/)

  assert.deepEqual(await listed(view, 'repositories'), ['jfrog/', 'library/'])
  assert.deepEqual(await listed(view, 'repositories/library'), ['ubuntu/'])
  assert.deepEqual(await listed(view, 'repositories/library/ubuntu'), ['12.04/'])
  assert.deepEqual(await listed(view, 'repositories/library/ubuntu/12.04'), ['tag.json'])
  assert.deepEqual(JSON.parse((await read(view, 'repositories/library/ubuntu/12.04/tag.json')).toString()), top.id)
  for (const path of [
    'library',
    '.images/x',
    `.images/${top.id.slice(0, 1)}`,
    `.images/${top.id}`,
    `.images/xx/${top.id}`,
    `${folderOf(top.id)}/json`,
    folderOf(v1Image('another').id),
    'repositories/ubuntu',
    'repositories/library/ubuntu/latest/tag.json',
    'repositories/library/ubuntu/tag.json',
  ])
    assert.equal(await view.item(path), undefined, path)
})

test('images and tags of the V1 API have the properties that Artifactory gives them', async () => {
  await using at = await openViewed()
  const base = v1Image('base')
  const client = at.registry.admin.at('/artifactory/api/docker/docker-v1/v1')
  await pushV1(client, 'ubuntu', '12.04', [base])
  const of = ref('docker-v1', 'library/ubuntu')
  await at.metadata.setProperty(of, undefined, descriptionProperty, [parsePropertyValue('A system')])
  const view = at.view(undefined, 'docker-v1')

  const image = { 'docker.imageId': base.id, 'docker.size': String(base.layer.length) }
  const folder = `.images/${base.id.slice(0, 2)}/${base.id}`
  assert.deepEqual(await properties(view, folder), image)
  assert.deepEqual(await properties(view, `${folder}/json.json`), { ...image, sha256: hash('sha256', base.json) })
  const tag = {
    'docker.description': 'A system',
    'docker.repoName': 'library/ubuntu',
    'docker.tag.content': base.id,
    'docker.tag.name': '12.04',
  }
  assert.deepEqual(await properties(view, 'repositories/library/ubuntu/12.04'), tag)
  const sha256OfTag = hash('sha256', JSON.stringify(base.id))
  assert.deepEqual(await properties(view, 'repositories/library/ubuntu/12.04/tag.json'), {
    ...tag,
    sha256: sha256OfTag,
  })
  assert.deepEqual(await properties(view, 'repositories/library/ubuntu'), { 'docker.description': 'A system' })
  await at.metadata.setProperty(of, parseTag('12.04'), descriptionProperty, [parsePropertyValue('Precise')])
  assert.equal((await properties(view, 'repositories/library/ubuntu/12.04'))?.['docker.description'], 'Precise')
})

test('an image of the V1 API is there for whoever may read a tag that leads to it, and goes with the last one', async () => {
  await using at = await openViewed()
  const [base, shown, hidden] = [v1Image('base'), v1Image('shown', v1Image('base')), v1Image('hidden', v1Image('base'))]
  const client = at.registry.admin.at('/artifactory/api/docker/docker-v1/v1')
  await pushV1(client, 'team/app', 'dev-1', [base, shown])
  await pushV1(client, 'team/app', 'prod-1', [base, hidden])
  await pushV1(client, 'team/secret', 'prod-1', [base, hidden])
  const view = at.view(compilePatterns(['**/dev-*']).tagsOf, 'docker-v1')

  const starts = [base, shown].map(({ id }) => `${id.slice(0, 2)}/`).sort()
  assert.deepEqual(await listed(view, '.images'), starts)
  assert.deepEqual(await listed(view, 'repositories/team'), ['app/'])
  assert.deepEqual(await listed(view, 'repositories/team/app'), ['dev-1/'])
  assert.equal(await view.item(`.images/${hidden.id.slice(0, 2)}/${hidden.id}/json.json`), undefined)
  assert.ok(await view.item(`.images/${base.id.slice(0, 2)}/${base.id}/layer.tar`))

  assert.equal((await client.ask('DELETE', 'repositories/team/app/tags/dev-1')).status, 200)
  for (const path of ['.images', 'repositories', 'repositories/team'])
    assert.equal(await view.item(path), undefined, path)
  assert.deepEqual(await listed(view, ''), [])
})
