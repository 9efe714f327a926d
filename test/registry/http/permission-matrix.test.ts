import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { hashPassword } from '../../../registry/identity/passwords.ts'
import type { PermissionTarget } from '../../../registry/domain/permission-target.ts'
import { actions } from '../../../registry/domain/permissions.ts'
import { NaiveView, naivelyMay, type Asker, type NaiveLimit, type Outcome } from '../../helpers/naive-access.ts'
import { locationOf, type Answer, type RegistryClient } from '../../helpers/registry-client.ts'
import { startTestRegistry } from '../../helpers/registry.ts'
import { descriptor, digestOfBytes, ociManifest, tinyImage, type TinyImage } from '../../helpers/tiny-image.ts'
import { accessToken, onAccess, target, userNamed } from '../../helpers/users.ts'

// Every cell is one request of one principal about one image, once with Basic credentials and once with a token of the token endpoint.
// What must come of it is worked out by test/helpers/naive-access.ts alone.

const kinds = {
  'docker-local': 'local',
  'docker-prod': 'local',
  secret: 'local',
  hub: 'remote',
  docker: 'virtual',
} as const
const locals = ['docker-local', 'docker-prod', 'secret'] as const
const images = ['app', 'team/app', 'team/web'] as const
const members = ['docker-prod', 'docker-local'] as const
const deployTo = 'docker-local'
const settings = { anonymousAccess: true, forced: ['secret'], kinds, virtual: { docker: { members, deployTo } } }

const targets: readonly PermissionTarget[] = [
  target('everybody', {
    repositories: ['docker-local', 'secret'],
    includes: ['team/**'],
    excludes: ['**/dev-*'],
    users: { anonymous: ['read'] },
  }),
  target('readers', { repositories: ['ANY'], excludes: ['team/web/**'], groups: { readers: ['read'] } }),
  target('developers', {
    repositories: ['docker-local'],
    includes: ['app/', 'team/*/dev-*'],
    groups: { developers: ['read', 'deploy'] },
  }),
  target('operators', {
    repositories: ['ANY LOCAL'],
    excludes: ['**/latest', 'team/web/**'],
    groups: { operators: ['read', 'deploy', 'delete'] },
  }),
  target('operators-web', {
    repositories: ['ANY LOCAL'],
    includes: ['team/web/'],
    groups: { operators: [...actions] },
  }),
  target('web', { includes: ['team/web/v?'], users: { web: ['read', 'deploy', 'delete'], blind: ['read'] } }),
  target('blind', { repositories: ['docker-prod'], includes: ['*/v*'], users: { blind: ['deploy'] } }),
  target('cleaners', { repositories: ['docker-local', 'docker-prod'], users: { cleaner: ['delete'] } }),
  target('robots', { repositories: ['secret', 'hub'], users: { robot: ['read', 'deploy'] } }),
]

interface Principal {
  readonly what: string
  readonly asker: Asker
  readonly client: RegistryClient
}

const registry = await startTestRegistry({
  forceAuthentication: ['secret'],
  repositories: {
    ...Object.fromEntries(locals.map((key) => [key, { type: 'local' }])),
    hub: { type: 'remote', url: 'https://hub.test' },
    docker: { type: 'virtual', members, deployTo },
  },
})
after(() => registry[Symbol.asyncDispose]())
const { admin, anonymous } = registry

const people = {
  reader: ['readers'],
  developer: ['developers'],
  operator: ['operators', 'developers'],
  web: [],
  blind: [],
  cleaner: [],
  nobody: [],
} as const
// One password for all: hashing is what takes the time.
const password = 'the same for all'
const passwordHash = await hashPassword(password)
await onAccess(registry, async (access) => {
  for (const name of ['Anything', 'Any Remote']) await access.removeTarget(name)
  for (const each of targets) await access.putTarget(each)
  for (const [name, groups] of Object.entries(people)) await access.addUser(userNamed(name, { passwordHash }), groups)
  await access.addUser(userNamed('robot', { kind: 'robot', passwordHash: undefined }), ['robots'])
})

const principals: readonly Principal[] = [
  { what: 'anonymous', asker: { name: undefined, admin: false, groups: [] }, client: anonymous },
  { what: 'the admin', asker: { name: 'admin', admin: true, groups: [] }, client: admin },
  ...Object.entries(people).map(([name, groups]) => ({
    what: name,
    asker: { name, admin: false, groups },
    client: anonymous.as({ name, password }),
  })),
  await byAccessToken('the robot', 'robot', { groups: ['robots'] }),
  await byAccessToken('a token of the operator for a part', 'operator', {
    groups: people.operator,
    limits: [{ repository: 'docker-local', pattern: 'team/**', actions: ['read', 'deploy'] }],
  }),
  await byAccessToken('a token of the admin for two parts', 'admin', {
    admin: true,
    limits: [
      { repository: 'docker-prod', pattern: '**', actions: ['read'] },
      { repository: 'ANY', pattern: 'app/v*', actions: ['read', 'deploy', 'delete'] },
    ],
  }),
  await byAccessToken('a token of the admin for what a virtual repository shows', 'admin', {
    admin: true,
    limits: [
      { repository: 'docker', pattern: 'team/**', actions: ['read', 'deploy'] },
      { repository: 'docker', pattern: 'app/v*', actions: ['delete'] },
      { repository: 'docker-prod', pattern: 'app/latest', actions: ['read'] },
    ],
  }),
  await byAccessToken('a token of web for the readers', 'web', { asGroups: ['readers'] }),
]

async function byAccessToken(
  what: string,
  name: string,
  { admin = false, groups = [], limits, asGroups }: TokenKind,
): Promise<Principal> {
  const scope = asGroups ? `applied-permissions/groups:${asGroups.join(',')}` : limits?.map(scopeOf).join(' ')
  const { token } = await accessToken(registry, name, scope)
  const asker = asGroups ? { name: '', admin: false, groups: asGroups } : { name, admin, groups }
  return { what, asker: limits ? { ...asker, limits } : asker, client: anonymous.as({ name, password: token }) }
}

interface TokenKind {
  readonly admin?: boolean
  readonly groups?: readonly string[]
  readonly limits?: readonly NaiveLimit[]
  /** Good for what these may, and nothing of the user's own. */
  readonly asGroups?: readonly string[]
}

function scopeOf({ repository, pattern, actions }: NaiveLimit): string {
  const letters = actions.map((action) => ({ read: 'r', deploy: 'w', annotate: 'n', delete: 'd', manage: 'm' })[action])
  return `artifact:${repository}/${pattern}:${letters.join(',')}`
}

// What every image has: three tags of a manifest each, an index over one of them and over one without a tag, and a signature.

interface Contents {
  readonly name: string
  readonly base: Buffer
  readonly tagged: Readonly<Record<'latest' | 'v1' | 'dev-1' | 'multi', TinyImage>>
  readonly untagged: TinyImage
  readonly signature: TinyImage
  /** Its blobs are there, and nothing names them. */
  readonly spare: TinyImage
}
const ownTags = ['dev-1', 'latest', 'multi', 'v1'] as const
const newTags = ['v9', 'dev-9', 'zz'] as const
const probes = [...ownTags, ...newTags, '_', 'A.b-c']

function contentsOf(name: string): Contents {
  const base = Buffer.from(`base of ${name}`)
  const layers = [descriptor('application/vnd.oci.image.layer.v1.tar', base)]
  const [latest, v1, dev] = ['latest', 'v1', 'dev-1'].map((tag) => tinyImage(`${name}:${tag}`, { layers }))
  const untagged = tinyImage(`${name} untagged`, { layers })
  assert.ok(latest && v1 && dev)
  const subject = descriptor(ociManifest, latest.manifest)
  return {
    name,
    base,
    tagged: { latest, v1, 'dev-1': dev, multi: indexOf(v1, untagged) },
    untagged,
    signature: tinyImage(`${name} signature`, { subject, artifactType: 'application/x.signature' }),
    spare: tinyImage(`${name} spare`),
  }
}

function indexOf(...entries: readonly TinyImage[]): TinyImage {
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const manifests = entries.map(({ manifest }) => descriptor(ociManifest, manifest))
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }))
  return { mediaType, manifest, digest: digestOfBytes(manifest), blobs: [] }
}

const places = (
  [
    ['docker-local', 'app'],
    ['docker-local', 'team/app'],
    ['docker-local', 'team/web'],
    ['docker-prod', 'app'],
    ['docker-prod', 'team/web'],
    ['secret', 'team/app'],
  ] as const
).map(([repository, image]) => ({ repository, image, contents: contentsOf(`${repository}/${image}`) }))
interface Place {
  readonly repository: keyof typeof kinds
  readonly image: string
  /** What is changed there. */
  readonly contents: Contents
}
/** What a member has of an image of the virtual repository, in the order of the members. */
interface Part {
  readonly member: (typeof members)[number]
  readonly contents: Contents
}

const virtualPlaces = images.map((image) => {
  const parts = members.flatMap((member) =>
    places
      .filter((place) => place.repository === member && place.image === image)
      .map((place): Part => ({ member, contents: place.contents })),
  )
  const changed = parts.find(({ member }) => member === deployTo)
  assert.ok(changed)
  return { repository: 'docker', image, parts, contents: changed.contents } as const
})

/** Names begin with the repository's key. */
const owner = admin.at('/v2')
for (const { contents } of places) {
  const { name, base, untagged, signature, spare, tagged } = contents
  await owner.pushBlob(name, base)
  await owner.push(name, untagged.digest, untagged)
  for (const tag of ['latest', 'v1', 'dev-1', 'multi'] as const) await owner.push(name, tag, tagged[tag])
  await owner.push(name, signature.digest, signature)
  for (const blob of spare.blobs) await owner.pushBlob(name, blob)
}

type Way = 'Basic' | 'a token'

/** One principal that asks in one way. */
interface Session extends Principal {
  readonly way: Way
  /** Below `/v2`, or with names as the V2 API below the repository has them. */
  readonly ask: (place: Place, method: string, path: string, body?: TinyImage) => Promise<Answer>
  readonly rest: RegistryClient
  readonly catalog: (key: string | undefined) => Promise<Answer>
}

async function sessionOf(principal: Principal, way: Way): Promise<Session> {
  if (way === 'Basic') {
    const at = (key: string) => principal.client.at(`/artifactory/api/docker/${key}/v2`)
    return {
      ...principal,
      way,
      ask: ({ repository, image }, method, path, body) => send(at(repository), method, `${image}/${path}`, body),
      rest: principal.client.at('/artifactory'),
      catalog: (key) => (key === undefined ? principal.client.at('/v2') : at(key)).ask('GET', '_catalog'),
    }
  }
  const scopes = Object.keys(kinds).flatMap((key) =>
    [...images, 'scratch'].map((image) => `repository:${key}/${image}:*`),
  )
  const client = anonymous.withToken(await principal.client.at('/v2').token(...scopes, 'registry:catalog:*'))
  return {
    ...principal,
    way,
    ask: ({ repository, image }, method, path, body) =>
      send(client.at('/v2'), method, `${repository}/${image}/${path}`, body),
    rest: client.at('/artifactory'),
    catalog: (key) => client.at(key === undefined ? '/v2' : `/artifactory/api/docker/${key}/v2`).ask('GET', '_catalog'),
  }
}

function send(client: RegistryClient, method: string, path: string, body?: TinyImage): Promise<Answer> {
  return client.ask(method, path, body && { headers: { 'content-type': body.mediaType }, body: body.manifest })
}

/** One question and what must come of it. */
interface Cell {
  readonly what: string
  readonly expected: unknown
  readonly ask: () => Promise<unknown>
}

const viewOf = ({ asker }: Principal, { repository, image }: Place): NaiveView =>
  new NaiveView(asker, { repository, image, tags: probes }, targets, settings)

/** `done`: what success is answered with. */
function statusOf(outcome: Outcome, done: number, session: Session, of: 'V2' | 'REST' = 'V2'): number {
  switch (outcome) {
    case 'done':
      return done
    case 'unknown':
      return 404
    case 'refused':
      // Another login could help whoever has none; and the REST API takes a token of docker's for none.
      return session.asker.name === undefined || (of === 'REST' && session.way === 'a token') ? 401 : 403
  }
}

function* readingCells(session: Session, place: Place): Generator<Cell> {
  const { contents } = place
  const view = viewOf(session, place)
  const cell = (method: string, path: string, outcome: Outcome): Cell => ({
    what: `${method} ${path}`,
    expected: statusOf(outcome, 200, session),
    ask: async () => (await session.ask(place, method, path)).status,
  })
  const byTag = (tag: string, ...anyOf: readonly ('read' | 'deploy')[]): Outcome =>
    anyOf.some((action) => view.may(tag, action)) ? 'done' : 'refused'

  for (const tag of ownTags) {
    yield cell('GET', `manifests/${tag}`, byTag(tag, 'read'))
    yield cell('HEAD', `manifests/${tag}`, byTag(tag, 'read', 'deploy'))
  }
  for (const [path, holders] of heldIn(contents)) {
    yield cell('GET', path, view.byDigest(holders, 'read'))
    yield cell('HEAD', path, view.byDigest(holders, 'read', 'deploy'))
  }
  yield {
    what: 'GET tags/list',
    expected: listAnswer(view.listed(ownTags), session),
    ask: async () => listed(await session.ask(place, 'GET', 'tags/list'), 'tags'),
  }
  const referrers = view.byDigest(['latest'], 'read')
  yield {
    what: 'GET referrers',
    expected:
      referrers === 'refused'
        ? statusOf(referrers, 200, session)
        : referrers === 'done'
          ? [contents.signature.digest]
          : [],
    ask: async () => referrersIn(await session.ask(place, 'GET', `referrers/${contents.tagged.latest.digest}`)),
  }
}

/** What has a digest, and the tags that lead to it. */
function heldIn(contents: Contents): readonly (readonly [path: string, holders: readonly string[]])[] {
  return [
    ...(['latest', 'dev-1', 'multi'] as const).map(
      (tag) => [`manifests/${contents.tagged[tag].digest}`, [tag]] as const,
    ),
    [`manifests/${contents.tagged.v1.digest}`, ['v1', 'multi']],
    [`manifests/${contents.untagged.digest}`, ['multi']],
    [`manifests/${contents.signature.digest}`, ['latest']],
    [`blobs/${digestOfBytes(contents.base)}`, ['latest', 'v1', 'dev-1', 'multi']],
    [`blobs/${configOf(contents.tagged['dev-1'])}`, ['dev-1']],
    [`blobs/${configOf(contents.signature)}`, ['latest']],
    [`blobs/${configOf(contents.spare)}`, []],
  ]
}

/** What the virtual repository shows of one of its members. */
function viewOfMember({ asker }: Principal, image: string, member: (typeof members)[number]): NaiveView {
  const virtual = { docker: { members: [member], deployTo } }
  return new NaiveView(asker, { repository: 'docker', image, tags: probes }, targets, { ...settings, virtual })
}

/** Each member answers by itself, and what one may not read in one is not had by what one may read in another. */
function* virtualReadingCells(session: Session, place: (typeof virtualPlaces)[number]): Generator<Cell> {
  const { image, parts } = place
  const views = members.map((member) => viewOfMember(session, image, member))
  const seen = parts.map((part) => ({ ...part, view: viewOfMember(session, image, part.member) }))
  const reads = views.some((view) => view.some('read'))
  const pushes = viewOf(session, place).some('deploy')
  const refused = statusOf('refused', 200, session)

  for (const method of ['GET', 'HEAD'])
    for (const tag of ownTags) {
      const mayDeploy = method === 'HEAD' && viewOf(session, place).may(tag, 'deploy')
      const first = seen.find(({ view, member }) => view.may(tag, 'read') || (member === deployTo && mayDeploy))
      const mayAsk = mayDeploy || views.some((view) => view.may(tag, 'read'))
      yield {
        what: `${method} manifests/${tag} of all`,
        expected: first ? first.contents.tagged[tag].digest : mayAsk ? 404 : refused,
        ask: async () => {
          const { status, headers } = await session.ask(place, method, `manifests/${tag}`)
          return status === 200 ? headers['docker-content-digest'] : status
        },
      }
    }
  for (const { view, member, contents } of seen)
    for (const [path, holders] of heldIn(contents))
      for (const method of ['GET', 'HEAD']) {
        const byPush = method === 'HEAD' && !reads && pushes
        const isSeen = byPush
          ? member === deployTo && viewOf(session, place).byDigest(holders, 'deploy') === 'done'
          : view.byDigest(holders, 'read') === 'done'
        yield {
          what: `${method} ${path} of ${member}`,
          expected: isSeen ? 200 : reads || byPush ? 404 : refused,
          ask: async () => (await session.ask(place, method, path)).status,
        }
      }
  const tags = ownTags.filter((tag) => seen.some(({ view }) => view.may(tag, 'read')))
  yield {
    what: 'GET tags/list of all',
    expected: listAnswer(tags.length > 0 ? tags : reads ? 'unknown' : 'refused', session),
    ask: async () => listed(await session.ask(place, 'GET', 'tags/list'), 'tags'),
  }
  for (const { view, member, contents } of seen) {
    const isSeen = view.byDigest(['latest'], 'read') === 'done'
    yield {
      what: `GET referrers of ${member}`,
      expected: reads ? (isSeen ? [contents.signature.digest] : []) : refused,
      ask: async () => referrersIn(await session.ask(place, 'GET', `referrers/${contents.tagged.latest.digest}`)),
    }
  }
}

function configOf({ blobs: [config] }: TinyImage): string {
  assert.ok(config)
  return digestOfBytes(config)
}

function listAnswer(answer: readonly string[] | Outcome, session: Session): unknown {
  return typeof answer === 'string' ? statusOf(answer, 200, session) : answer
}

function listed(answer: Answer, field: string): unknown {
  return answer.status === 200 ? (answer.json() as Readonly<Record<string, unknown>>)[field] : answer.status
}

function referrersIn(answer: Answer): unknown {
  if (answer.status !== 200) return answer.status
  const { manifests } = answer.json() as { readonly manifests: readonly { readonly digest: string }[] }
  return manifests.map(({ digest }) => digest)
}

/** Each leaves everything as it was. */
function* changingCells(session: Session, place: Place): Generator<Cell> {
  const { repository, image, contents } = place
  const { name, spare, tagged } = contents
  const address = `${repository}/${image}`
  const view = viewOf(session, place)
  const source = repository === 'docker' ? viewOfMember(session, image, deployTo) : view
  const scratch: Place = { ...place, image: 'scratch' }
  const inScratch = viewOf(session, scratch)
  const pushes = view.some('deploy')
  const may = (allowed: boolean): Outcome => (allowed ? 'done' : 'refused')

  for (const blob of spare.blobs)
    yield {
      what: 'POST blobs/uploads/?digest=',
      expected: statusOf(may(pushes), 201, session),
      ask: async () => {
        const path = `blobs/uploads/?digest=${digestOfBytes(blob)}`
        return (await session.ask(place, 'POST', path, { ...spare, manifest: blob })).status
      },
    }

  const put = (reference: string, outcome: Outcome, restore: () => Promise<void>): Cell => ({
    what: `PUT manifests/${reference.slice(0, 12)}`,
    expected: statusOf(outcome, 201, session),
    ask: () => undone(session.ask(place, 'PUT', `manifests/${reference}`, spare), restore),
  })
  const unspare = async (): Promise<void> => done(owner.ask('DELETE', `${name}/manifests/${spare.digest}`))
  const again = (tag: keyof Contents['tagged']) => async (): Promise<void> =>
    done(owner.putManifest(name, tag, tagged[tag]))

  for (const tag of newTags) yield put(tag, may(view.may(tag, 'deploy')), unspare)
  for (const tag of ownTags)
    yield put(tag, may(view.may(tag, 'deploy', 'delete')), async () => {
      await again(tag)()
      await unspare()
    })
  yield put(spare.digest, may(pushes), unspare)
  yield {
    what: 'PUT manifests/<digest>?tag=v9&tag=dev-9',
    expected: statusOf(may(view.may('v9', 'deploy') && view.may('dev-9', 'deploy')), 201, session),
    ask: () => undone(session.ask(place, 'PUT', `manifests/${spare.digest}?tag=v9&tag=dev-9`, spare), unspare),
  }

  for (const tag of ['latest', 'v1', 'dev-1'] as const) {
    const outcome = may(view.may(tag, 'delete'))
    yield {
      what: `DELETE manifests/${tag}`,
      expected: statusOf(outcome, 202, session),
      ask: () => undone(session.ask(place, 'DELETE', `manifests/${tag}`), again(tag)),
    }
    yield {
      what: `REST DELETE ${tag}`,
      expected: statusOf(outcome, 204, session, 'REST'),
      ask: () => undone(session.rest.ask('DELETE', `${address}/${tag}`), again(tag)),
    }
  }
  const byDigest = view.byDigest(['dev-1'], 'delete')
  const { digest } = tagged['dev-1']
  yield {
    what: 'DELETE manifests/<digest>',
    expected: statusOf(byDigest, 202, session),
    ask: () => undone(session.ask(place, 'DELETE', `manifests/${digest}`), again('dev-1')),
  }
  yield {
    what: 'REST DELETE <digest>',
    expected: statusOf(may(byDigest === 'done'), 204, session, 'REST'),
    ask: () => undone(session.rest.ask('DELETE', `${address}/${digest}`), again('dev-1')),
  }
  // Of an image that is not there: who may delete all of one is told so.
  yield {
    what: 'REST DELETE of an image',
    expected: statusOf(inScratch.all('delete') ? 'unknown' : 'refused', 204, session, 'REST'),
    ask: async () => (await session.rest.ask('DELETE', `${repository}/scratch`)).status,
  }

  yield {
    what: 'POST blobs/uploads/',
    expected: statusOf(may(pushes), 202, session),
    ask: async () => {
      const begun = await session.ask(place, 'POST', 'blobs/uploads/')
      if (begun.status === 202) await done(session.client.ask('DELETE', locationOf(begun)))
      return begun.status
    },
  }
  for (const [blob, holders] of [
    [digestOfBytes(contents.base), ownTags],
    [configOf(tagged['dev-1']), ['dev-1']],
  ] as const)
    yield {
      what: `mount from ${image}`,
      expected: inScratch.some('deploy')
        ? source.byDigest(holders, 'read') === 'done'
          ? 201
          : 202
        : statusOf('refused', 201, session),
      ask: async () => {
        const from = session.way === 'Basic' ? image : address
        const mounted = await session.ask(scratch, 'POST', `blobs/uploads/?mount=${blob}&from=${from}`)
        if (mounted.status === 202) await done(session.client.ask('DELETE', locationOf(mounted)))
        if (mounted.status === 201) await done(owner.ask('DELETE', `${repository}/scratch/blobs/${blob}`))
        return mounted.status
      },
    }
}

async function undone(asked: Promise<Answer>, undo: () => Promise<void>): Promise<number> {
  const { status } = await asked
  if (status < 300) await undo()
  return status
}

async function done(asked: Promise<Answer>): Promise<void> {
  const answer = await asked
  assert.ok(answer.status < 300, answer.body.toString())
}

function* listCells(session: Session): Generator<Cell> {
  const readable = places.filter((place) => typeof viewOf(session, place).listed(ownTags) !== 'string')
  const namesIn = (key: string) => readable.filter(({ repository }) => repository === key).map(({ image }) => image)
  for (const key of locals)
    yield {
      what: `_catalog of ${key}`,
      // Where a login is forced, whoever has none is asked for it.
      expected:
        session.asker.name === undefined && settings.forced.includes(key) && session.way === 'Basic'
          ? 401
          : namesIn(key),
      ask: async () => listed(await session.catalog(key), 'repositories'),
    }
  const shown = virtualPlaces.filter(({ image, parts }) =>
    parts.some(({ member }) => typeof viewOfMember(session, image, member).listed(ownTags) !== 'string'),
  )
  yield {
    what: '_catalog of docker',
    expected: shown.map(({ image }) => image),
    ask: async () => listed(await session.catalog('docker'), 'repositories'),
  }
  yield {
    what: '_catalog',
    expected: readable.map(({ contents }) => contents.name),
    ask: async () => listed(await session.catalog(undefined), 'repositories'),
  }
  const asked = [...images, 'scratch'].flatMap((image) => probes.map((tag) => `${image}/${tag}`))
  const keys = Object.keys(kinds).filter((key) =>
    asked.some((path) => naivelyMay(session.asker, 'read', key, path, targets, settings)),
  )
  yield {
    what: 'GET api/repositories',
    expected: keys,
    ask: async () => {
      const answer = await session.rest.ask('GET', 'api/repositories')
      return (answer.json() as readonly { readonly key: string }[]).map(({ key }) => key)
    },
  }
}

let cells = 0

/** Those that came out otherwise. */
async function check(asked: Iterable<Cell>, where: string): Promise<readonly string[]> {
  const wrong: string[] = []
  for (const { what, expected, ask } of asked) {
    cells += 1
    const [said, wanted] = [JSON.stringify(await ask()), JSON.stringify(expected)]
    if (said !== wanted) wrong.push(`${what} ${where}: ${said}, expected ${wanted}`)
  }
  return wrong
}

for (const principal of principals)
  for (const way of ['Basic', 'a token'] as const)
    test(`${principal.what} with ${way} is answered as the permission targets say`, async () => {
      const session = await sessionOf(principal, way)
      const reading = places.map((place) => check(readingCells(session, place), `of ${place.contents.name}`))
      const virtually = virtualPlaces.map((place) =>
        check(virtualReadingCells(session, place), `of docker/${place.image}`),
      )
      const wrong = [
        ...(await check(listCells(session), 'of all')),
        ...(await Promise.all([...reading, ...virtually])).flat(),
      ]
      for (const [index, place] of [...places, ...virtualPlaces].entries()) {
        // What changes something takes longest: each in one of the two ways.
        if ((index % 2 === 0) !== (way === 'Basic')) continue
        wrong.push(...(await check(changingCells(session, place), `of ${place.repository}/${place.image}`)))
      }
      assert.deepEqual(wrong, [])
    })

test('the matrix is as large as it is meant to be', () => {
  assert.ok(cells > 8000, `${cells} cells`)
})
