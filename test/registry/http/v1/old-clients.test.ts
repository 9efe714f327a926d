import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ask } from '../../../helpers/https-client.ts'
import { openOldDockerSite, type OldDockerSite } from '../../../helpers/old-docker-site.ts'
import { basic, BrokenOff } from '../../../helpers/old-docker-session.ts'
import { oldImage, oldImages, type OldImage } from '../../../helpers/old-image.ts'
import type { OldDocker, PulledImage } from '../../../helpers/old-docker.ts'

const versions = ['1.5', '1.9'] as const
/** Docker 1.9 takes the V2 API where there are both; 1.5 cannot. */
const docks = { '1.5': ['host', 'port', 'split port'], '1.9': ['host', 'port'] } as const

describe('docker of before the V2 API', () => {
  let site: OldDockerSite

  before(async () => {
    site = await openOldDockerSite()
  })
  after(async () => site[Symbol.asyncDispose]())

  for (const version of versions) {
    for (const dock of docks[version]) {
      test(`docker ${version} logs in, pushes and pulls by ${dock}, in the calls it is known for`, async () => {
        const docker = site.docker(version, dock)
        assert.equal(await docker.login({ ...site.admin, password: 'wrong' }), 'Wrong login/password, please try again')
        assert.equal(await docker.login(site.admin), 'Login Succeeded')
        const image = `acme/${version}-${dock.replace(' ', '-')}`
        const [base, child] = oldImages(`base of ${image}`, 'child') as [OldImage, OldImage]

        await docker.push(image, [base, child], { '1.0': child.id })
        assert.deepEqual(withoutProbes(docker), [
          `200 PUT /v1/repositories/${image}/`,
          `404 GET /v1/images/${base.id}/json`,
          `404 GET /v1/images/${child.id}/json`,
          ...[base, child].flatMap(({ id }) =>
            ['json', 'layer', 'checksum'].map((part) => `200 PUT /v1/images/${id}/${part}`),
          ),
          `200 PUT /v1/repositories/${image}/tags/1.0`,
          `204 PUT /v1/repositories/${image}/images`,
        ])
        assertSame(await docker.pull(image, '1.0'), [base, child])
        assert.deepEqual(withoutProbes(docker).slice(0, 3), [
          `200 GET /v1/repositories/${image}/images`,
          `200 GET /v1/repositories/${image}/tags${version === '1.9' ? '/1.0' : ''}`,
          `200 GET /v1/images/${child.id}/ancestry`,
        ])
      })
    }

    test(`docker ${version} is told of the V1 API alone where there is no other`, async () => {
      const docker = site.docker(version, 'port', site.admin)
      await assert.rejects(docker.pull('acme/absent', 'latest'), { status: 404 })
      const probes = docker.traffic.filter(({ call }) => isProbe(call))
      for (const { call, status } of probes) assert.equal(status, call === 'GET /v2/' ? 404 : 200, call)
    })

    test(`docker ${version} goes on where a layer broke off, also at its last byte`, async () => {
      const docker = site.docker(version, 'port', site.admin)
      const images = oldImages(`long ${version} ${'0123456789'.repeat(9000)}`, 'short')
      await docker.push('acme/resumed', images, { [version]: last(images).id })
      assertSame(await docker.pull('acme/resumed', version, { breakLayersAfter: 100 }), images)
      assert.equal(docker.traffic.filter(({ status }) => status === 206).length, 2)
      const whole = last(images).layer.length
      const has = images.slice(0, -1).map(({ id }) => id)
      assertSame(await docker.pull('acme/resumed', version, { breakLayersAfter: whole, has }), images.slice(-1))
      assert.equal(docker.traffic.at(-1)?.status, 416)
    })

    test(`docker ${version} repeats a push that was broken off in the middle of a layer`, async () => {
      const docker = site.docker(version, 'port', site.admin)
      const images = oldImages(`first ${version}`, 'second', 'third')
      const [, second] = images as [OldImage, OldImage]
      const image = `acme/interrupted-${version}`
      const breakOff = { image: second.id, after: 50 }
      await assert.rejects(docker.push(image, images, { latest: last(images).id }, { breakOff }), BrokenOff)
      await assert.rejects(docker.pull(image, 'latest'), notFound)

      await docker.push(image, images, { latest: last(images).id })
      const sent = docker.traffic.filter(({ call }) => call.startsWith('PUT') && call.endsWith('/layer'))
      assert.equal(sent.length, 2, 'the first image was there')
      assertSame(await docker.pull(image, 'latest'), images)
    })

    for (const sum of ['payload', 'tarsum'] as const) {
      test(`a layer without the ${sum} that docker ${version} says is refused, and can be sent again`, async () => {
        const docker = site.docker(version, 'port', site.admin)
        const image = oldImage(`${sum} of ${version}`)
        const other = oldImage('another')
        const tag = `${version}-${sum}`
        const checksums = { ...image.checksums, [sum]: other.checksums[sum] }
        const pushed = docker.push('acme/sums', [image], { [tag]: image.id }, { checksums })
        await assert.rejects(pushed, { status: 400, message: /Checksum mismatch/ })
        await assert.rejects(docker.pull('acme/sums', tag), notFound)
        await docker.push('acme/sums', [image], { [tag]: image.id })
        assertSame(await docker.pull('acme/sums', tag), [image])
      })
    }

    test(`docker ${version} finds an image name without a slash, which it then calls library/…`, async () => {
      const docker = site.docker(version, 'port', site.admin)
      const images = oldImages(`one ${version}`)
      const name = `one-${version}`
      await docker.push(name, images, { latest: last(images).id })
      for (const spelled of [name, `library/${name}`]) assertSame(await docker.pull(spelled, 'latest'), images)
      const more = oldImages(`two ${version}`)
      await docker.push(`library/${name}`, more, { more: last(more).id })
      assertSame(await docker.pull(name, 'more'), more)
      assertSame(await docker.pull(name, 'latest'), images)
    })

    test(`docker ${version} is given an image name of three parts`, async () => {
      const docker = site.docker(version, 'host', site.admin)
      const images = oldImages(`three parts ${version}`)
      await docker.push(`acme/team/images-${version}`, images, { tags: last(images).id })
      assertSame(await docker.pull(`acme/team/images-${version}`, 'tags'), images)
    })

    test(`docker ${version} pushes a second tag without sending anything again`, async () => {
      const docker = site.docker(version, 'port', site.admin)
      const images = oldImages(`tagged ${version}`, 'child')
      const [base] = images as [OldImage]
      const image = `acme/tagged-${version}`
      await docker.push(image, images, { one: last(images).id })
      await docker.push(image, images, { one: last(images).id, two: base.id })
      assert.deepEqual(
        docker.traffic.filter(({ call }) => /^PUT .*\/(?:json|layer|checksum)$/.test(call)),
        [],
      )
      assertSame(await docker.pull(image, 'two'), [base])
    })

    test(`docker ${version} finds by a search what it has pushed`, async () => {
      const docker = site.docker(version, 'port', site.admin)
      const images = oldImages(`to be found by ${version}`)
      await docker.push(`acme/found-${version}`, images, { latest: last(images).id })
      assert.deepEqual(
        (await docker.search(`found-${version}`)).map(({ name }) => name),
        [`acme/found-${version}`],
      )
    })

    test(`without a login docker ${version} pulls and may not push`, async () => {
      const images = oldImages(`for everybody ${version}`)
      const image = `acme/open-${version}`
      await site.docker(version, 'port', site.admin).push(image, images, { latest: last(images).id })
      const stranger = site.docker(version, 'port')
      assertSame(await stranger.pull(image, 'latest'), images)
      assert.equal(stranger.traffic.at(-1)?.authorization, basic({ name: '', password: '' }))
      await assert.rejects(stranger.push(image, oldImages('of a stranger'), {}), { status: 401 })
    })
  }

  test('docker 1.9 pulls what only the V1 API has where there are both', async () => {
    const images = oldImages('of both APIs')
    await site.docker('1.9', 'port', site.admin).push('acme/both', images, { latest: last(images).id })
    assertSame(await site.docker('1.9', 'split port', site.admin).pull('acme/both', 'latest'), images)
  })

  test('an id of 16 digits, as of the first images of docker, is as good as one of 64', async () => {
    const docker = site.docker('1.5', 'port', site.admin)
    const base = oldImage('from 2013', { id: '8dbd9e392a964056' })
    const child = oldImage('and newer', { parent: base })
    await docker.push('acme/early', [base, child], { old: base.id, new: child.id })
    assertSame(await docker.pull('acme/early', 'new'), [base, child])
    assertSame(await docker.pull('acme/early', 'old'), [base])
  })

  test('a tag, and then the image name, are deleted by curl', async () => {
    const docker = site.docker('1.9', 'port', site.admin)
    const images = oldImages('to be deleted', 'child')
    await docker.push('acme/deleted', images, { a: last(images).id, b: last(images).id })
    assert.equal(await curl('DELETE', 'repositories/acme/deleted/tags/a'), 200)
    await assert.rejects(docker.pull('acme/deleted', 'a'), { status: 404 })
    assertSame(await docker.pull('acme/deleted', 'b'), images)
    assert.equal(await curl('DELETE', 'repositories/acme/deleted'), 200)
    await assert.rejects(docker.pull('acme/deleted', 'b'), { status: 404 })
    assert.equal(await curl('DELETE', 'repositories/acme/deleted/'), 404)
    await docker.push('acme/deleted', images, { a: last(images).id })
    assertSame(await docker.pull('acme/deleted', 'a'), images)
  })

  async function curl(method: string, path: string): Promise<number> {
    const login = `${site.admin.name}:${site.admin.password}`
    return (await ask(site.authority, `https://${site.docks.port}/v1/${path}`, { method, login })).status
  }
})

for (const section of [{ anonymousAccess: false }, { forceAuthentication: true }]) {
  test(`docker is refused until it has logged in: ${JSON.stringify(section)}`, async () => {
    await using site = await openOldDockerSite(section)
    for (const version of versions) {
      const images = oldImages(`for the people with ${version}`)
      const docker = site.docker(version, 'port')
      await assert.rejects(docker.push('acme/app', images, { [version]: last(images).id }), { status: 401 })
      assert.equal(await docker.login(site.admin), 'Login Succeeded')
      await docker.push('acme/app', images, { [version]: last(images).id })
      assertSame(await docker.pull('acme/app', version), images)
      await assert.rejects(site.docker(version, 'port').pull('acme/app', version), { status: 401 })
    }
  })
}

function withoutProbes({ traffic }: OldDocker): readonly string[] {
  return traffic.filter(({ call }) => !isProbe(call)).map(({ call, status }) => `${status} ${call}`)
}

/** Docker 1.5 asks for all tags and looks by itself. */
const notFound = /not found/i

function isProbe(call: string): boolean {
  return call === 'GET /v2/' || call === 'GET /v1/_ping'
}

function assertSame(pulled: readonly PulledImage[], pushed: readonly OldImage[]): void {
  const parts = (images: readonly PulledImage[]) =>
    images.map(({ id, json, layer }) => ({ id, json: json.toString(), layer: layer.toString('base64') }))
  assert.deepEqual(parts(pulled), parts(pushed))
}

function last(images: readonly OldImage[]): OldImage {
  const image = images.at(-1)
  assert.ok(image)
  return image
}
