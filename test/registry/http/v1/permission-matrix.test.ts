import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { PermissionTarget } from '../../../../registry/domain/permission-target.ts'
import { actions } from '../../../../registry/domain/permissions.ts'
import { hashPassword } from '../../../../registry/identity/passwords.ts'
import { NaiveView, type Asker } from '../../../helpers/naive-access.ts'
import type { Answer, RegistryClient } from '../../../helpers/registry-client.ts'
import { startTestRegistry } from '../../../helpers/registry.ts'
import { onAccess, target, userNamed } from '../../../helpers/users.ts'
import { pushV1, pushV1Image, v1Image, type V1TestImage } from '../../../helpers/v1-client.ts'

// Images of the V1 API are asked for by ids, which say nothing of the image name they are in. What must come of each request is worked out by
// test/helpers/naive-access.ts from the tags that lead to an id.

const kinds = { old: 'local', forced: 'local' } as const
const repositories = Object.keys(kinds) as readonly (keyof typeof kinds)[]
const settings = { anonymousAccess: true, forced: ['forced'], kinds }
const names = ['library/app', 'team/app', 'team/web'] as const
const tags = ['latest', 'v1', 'dev-1'] as const
const probes = [...tags, 'v9', 'dev-9', 'zz', '_', 'A.b-c']

const targets: readonly PermissionTarget[] = [
  target('everybody', { includes: ['team/**'], excludes: ['**/dev-*'], users: { anonymous: ['read'] } }),
  target('readers', { repositories: ['ANY'], excludes: ['team/web/**'], users: { reader: ['read'] } }),
  target('developers', { includes: ['library/app/', 'team/*/dev-*'], users: { developer: ['read', 'deploy'] } }),
  target('operators', {
    repositories: ['ANY LOCAL'],
    excludes: ['**/latest'],
    users: { operator: ['read', 'deploy', 'delete'] },
  }),
  target('owners', { includes: ['team/web/'], users: { operator: [...actions] } }),
  target('blind', { includes: ['*/*/v*'], users: { blind: ['deploy'] } }),
  target('cleaners', { users: { cleaner: ['delete'] } }),
].map((each) => ({ ...each, repositories: each.repositories.length > 0 ? each.repositories : [...repositories] }))

const registry = await startTestRegistry({
  forceAuthentication: settings.forced,
  repositories: Object.fromEntries(repositories.map((key) => [key, { type: 'local', apiVersion: 'v1' }])),
})
after(() => registry[Symbol.asyncDispose]())
const at = (client: RegistryClient, key: string) => client.at(`/artifactory/api/docker/${key}/v1`)

const people = ['reader', 'developer', 'operator', 'blind', 'cleaner', 'nobody'] as const
const password = 'the same for all'
const passwordHash = await hashPassword(password)
await onAccess(registry, async (access) => {
  for (const name of ['Anything', 'Any Remote']) await access.removeTarget(name)
  for (const each of targets) await access.putTarget(each)
  for (const name of people) await access.addUser(userNamed(name, { passwordHash }), [])
})

interface Principal {
  readonly asker: Asker
  readonly client: RegistryClient
}
const principals: readonly Principal[] = [
  { asker: { name: undefined, admin: false, groups: [] }, client: registry.anonymous },
  { asker: { name: 'admin', admin: true, groups: [] }, client: registry.admin },
  ...people.map((name) => ({
    asker: { name, admin: false, groups: [] },
    client: registry.anonymous.as({ name, password }),
  })),
]

/** In every image name, below every tag. */
const shared = v1Image('shared')
/** Of one image name, below all of its tags. */
const middles = new Map(names.map((name) => [name, v1Image(`middle of ${name}`, shared)]))
const middleOf = (name: (typeof names)[number]): V1TestImage => middles.get(name) ?? shared
const tops: ReadonlyMap<string, V1TestImage> = new Map(
  names.flatMap((name) =>
    tags.map((tag) => [`${name}:${tag}`, v1Image(`${name}:${tag}`, middleOf(name))] as [string, V1TestImage]),
  ),
)
const topOf = (name: string, tag: string): V1TestImage => tops.get(`${name}:${tag}`) ?? shared

for (const key of repositories)
  for (const name of names)
    for (const tag of tags) await pushV1(at(registry.admin, key), name, tag, [shared, middleOf(name), topOf(name, tag)])

function viewOf({ asker }: Principal, repository: string, image: string): NaiveView {
  return new NaiveView(asker, { repository, image, tags: probes }, targets, settings)
}

/** Which tags of which image names lead to the image. */
function holdersOf(image: V1TestImage): readonly (readonly [name: string, tags: readonly string[]])[] {
  if (image === shared) return names.map((name) => [name, tags])
  const name = names.find((each) => middleOf(each) === image)
  if (name !== undefined) return [[name, tags]]
  return [...tops].flatMap(([at, top]) => {
    const [name = '', tag = ''] = at.split(':')
    return top === image ? [[name, [tag]] as const] : []
  })
}

const all = [shared, ...middles.values(), ...tops.values()]
let cells = 0
const wrong: string[] = []

async function cell(what: string, expected: number | string, asked: Promise<Answer>, undo?: () => Promise<unknown>) {
  cells += 1
  const answer = await asked
  const said =
    typeof expected === 'number' ? answer.status : answer.status === 200 ? answer.body.toString() : answer.status
  if (said !== expected) wrong.push(`${what}: ${said}, expected ${expected}`)
  if (answer.status < 300) await undo?.()
}

for (const principal of principals)
  for (const key of repositories)
    test(`${principal.asker.name ?? 'anonymous'} is answered by the V1 API of ${key} as the permission targets say`, async () => {
      wrong.length = 0
      const client = at(principal.client, key)
      const owner = at(registry.admin, key)
      const refused = principal.asker.name === undefined ? 401 : 403
      const mayComeTo = (image: V1TestImage): boolean =>
        holdersOf(image).some(([name, holders]) => viewOf(principal, key, name).byDigest(holders, 'read') === 'done')
      const unknown = principal.asker.name === undefined && settings.forced.includes(key) ? 401 : 404

      for (const image of all)
        for (const part of ['json', 'layer', 'ancestry'])
          await cell(
            `GET images/…/${part}`,
            mayComeTo(image) ? 200 : unknown,
            client.ask('GET', `images/${image.id}/${part}`),
          )

      for (const name of names) {
        const view = viewOf(principal, key, name)
        const readable = tags.filter((tag) => view.may(tag, 'read'))
        const list = (whole: () => string): number | string =>
          view.some('read') ? (readable.length > 0 ? whole() : 404) : refused
        const byTag = Object.fromEntries([...readable].sort().map((tag) => [tag, topOf(name, tag).id]))
        await cell(
          `GET ${name}/tags`,
          list(() => JSON.stringify(byTag)),
          client.ask('GET', `repositories/${name}/tags`),
        )
        await cell(
          `GET ${name}/images`,
          view.some('read') ? (readable.length > 0 ? 200 : 404) : refused,
          client.ask('GET', `repositories/${name}/images`),
        )
        for (const tag of tags)
          await cell(
            `GET ${name}/tags/${tag}`,
            view.may(tag, 'read') ? 200 : refused,
            client.ask('GET', `repositories/${name}/tags/${tag}`),
          )

        const pushes = view.some('deploy')
        await cell(`PUT ${name}/`, pushes ? 200 : refused, client.ask('PUT', `repositories/${name}/`, { body: '[]' }))
        for (const tag of ['v9', 'dev-9', 'zz'])
          for (const image of [shared, topOf('team/web', 'latest'), topOf(name, 'v1')]) {
            // Of the image name itself, who may read nothing there comes to nothing by it; of another one, only what may be read.
            const isOwn = holdersOf(image).some(([holder]) => holder === name)
            const usable = mayComeToIn(view, image, name) || (isOwn && !view.some('read')) || mayComeTo(image)
            await cell(
              `PUT ${name}/tags/${tag}`,
              view.may(tag, 'deploy') ? (usable ? 200 : 404) : refused,
              client.ask('PUT', `repositories/${name}/tags/${tag}`, { body: JSON.stringify(image.id) }),
              () => owner.ask('DELETE', `repositories/${name}/tags/${tag}`),
            )
          }
        for (const tag of tags)
          await cell(
            `moving ${name}:${tag}`,
            view.may(tag, 'deploy')
              ? mayComeToIn(view, shared, name) || !view.some('read') || mayComeTo(shared)
                ? view.may(tag, 'delete')
                  ? 200
                  : 403
                : 404
              : refused,
            client.ask('PUT', `repositories/${name}/tags/${tag}`, { body: JSON.stringify(shared.id) }),
            () => owner.ask('PUT', `repositories/${name}/tags/${tag}`, { body: JSON.stringify(topOf(name, tag).id) }),
          )
        for (const tag of tags)
          await cell(
            `DELETE ${name}/tags/${tag}`,
            view.may(tag, 'delete') ? 200 : refused,
            client.ask('DELETE', `repositories/${name}/tags/${tag}`),
            () => owner.ask('PUT', `repositories/${name}/tags/${tag}`, { body: JSON.stringify(topOf(name, tag).id) }),
          )
      }
      assert.deepEqual(wrong, [])
    })

function mayComeToIn(view: NaiveView, image: V1TestImage, name: string): boolean {
  return holdersOf(image).some(([holder, tags]) => holder === name && view.byDigest(tags, 'read') === 'done')
}

test('the matrix is as large as it is meant to be', () => {
  assert.ok(cells > 1500, `${cells} cells`)
})

test('who may push a part of an image name comes to nothing that others keep there', async () => {
  const developer = at(registry.anonymous.as({ name: 'developer', password }), 'old')
  const hidden = topOf('team/web', 'latest')
  const child = v1Image('built on what is hidden', hidden)
  assert.equal((await developer.ask('GET', `images/${hidden.id}/json`)).status, 200, 'anonymous reads it, so may they')

  const blind = at(registry.anonymous.as({ name: 'reader', password }), 'old')
  const secret = topOf('team/web', 'dev-1')
  assert.equal((await blind.ask('GET', `images/${secret.id}/json`)).status, 404)
  const own = v1Image('own', secret)
  assert.equal((await blind.ask('PUT', `images/${own.id}/json`, { body: own.json })).status, 400)
  assert.equal((await developer.ask('PUT', `images/${child.id}/json`, { body: child.json })).status, 400)
})

test('a token that is good for a push alone leads to nothing that its owner may not read', async () => {
  const operator = registry.anonymous.as({ name: 'operator', password })
  const hidden = topOf('library/app', 'latest')
  assert.equal((await at(operator, 'old').ask('GET', `images/${hidden.id}/json`)).status, 404)
  const token = await operator.at('/v2').token('repository:old/library/app:push')
  const pusher = at(registry.anonymous.withToken(token), 'old')
  const tagged = await pusher.ask('PUT', 'repositories/library/app/tags/mine', { body: JSON.stringify(hidden.id) })
  assert.equal(tagged.status, 404)
  const known = JSON.stringify(topOf('library/app', 'v1').id)
  assert.equal((await pusher.ask('PUT', 'repositories/library/app/tags/mine', { body: known })).status, 200)
  await at(operator, 'old').ask('DELETE', 'repositories/library/app/tags/mine')
})

test('who may read nothing pushes on top of what is there, and what it sends again is no other content', async () => {
  const blind = at(registry.anonymous.as({ name: 'blind', password }), 'old')
  const top = topOf('library/app', 'v1')
  const child = v1Image('child of v1', top)
  const announced = JSON.stringify([{ id: top.id }, { id: child.id, Tag: 'v9' }])
  assert.equal((await blind.ask('PUT', 'repositories/library/app/', { body: announced })).status, 200)
  assert.equal((await blind.ask('GET', `images/${top.id}/json`)).status, 404)
  assert.equal((await blind.ask('PUT', `images/${top.id}/json`, { body: top.json })).status, 409)
  await pushV1Image(blind, child)
  assert.equal(
    (await blind.ask('PUT', 'repositories/library/app/tags/v9', { body: JSON.stringify(child.id) })).status,
    200,
  )
  assert.equal((await blind.ask('GET', `images/${child.id}/json`)).status, 404)
})

test('who has sent the layer of an image under another JSON does not come to the image', async () => {
  const operator = at(registry.anonymous.as({ name: 'operator', password }), 'old')
  const image = v1Image('foreseen', undefined, { config: { Env: ['PASSWORD=secret'] } })
  const guessed = JSON.stringify({ id: image.id })
  await operator.ask('PUT', 'repositories/library/app/', { body: JSON.stringify([{ id: image.id }]) })
  assert.equal((await operator.ask('PUT', `images/${image.id}/json`, { body: guessed })).status, 200)
  assert.equal((await operator.ask('PUT', `images/${image.id}/layer`, { body: image.layer })).status, 200)
  await pushV1(at(registry.admin, 'old'), 'library/app', 'latest', [image])
  const tagged = await operator.ask('PUT', 'repositories/library/app/tags/mine', { body: JSON.stringify(image.id) })
  assert.equal(tagged.status, 404)
  assert.equal((await operator.ask('GET', `images/${image.id}/json`)).status, 404)
})
