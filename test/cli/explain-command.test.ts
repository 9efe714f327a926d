import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfig } from '../../cli/config.ts'
import { explanation } from '../../cli/explain-command.ts'

const config = {
  dataDirectory: '/nowhere',
  file: undefined,
  ...parseConfig(
    `
gateway:
  hosts:
    hub.company.com: docker-hub
    docker.company.com: docker
    mirror.company.com: ghcr
registry:
  repositories:
    docker-local: { type: local }
    docker-hub: { type: remote, url: https://registry-1.docker.io }
    ghcr: { type: remote, url: https://ghcr.io, imagePaths: [{ from: '', to: acme }] }
    docker: { type: virtual, members: [docker-local, docker-hub], deployTo: docker-local }
`,
    'caisson.yaml',
  ),
}

for (const [url, behind] of [
  [
    'https://hub.company.com:8443/v2/nginx/manifests/1.27',
    'caches    https://registry-1.docker.io/v2/library/nginx/manifests/1.27',
  ],
  ['https://hub.company.com:8443/v2/', 'caches    https://registry-1.docker.io/v2/'],
  ['https://mirror.company.com:8443/v2/tool/tags/list', 'caches    https://ghcr.io/v2/acme/tool/tags/list'],
  ['https://docker.company.com:8443/v2/', 'members   docker-local, docker-hub; pushes go to docker-local'],
  ['https://localhost:5001/v2/app/tags/list', 'path      /artifactory/api/docker/docker-local/v2/app/tags/list'],
] as const)
  test(`what is behind ${url} is told`, () => {
    const { lines, found } = explanation(config, url)
    assert.equal(lines.at(-1), behind)
    assert.ok(found)
  })
