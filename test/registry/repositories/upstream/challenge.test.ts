import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseChallenges } from '../../../../registry/repositories/upstream/challenge.ts'

const table: readonly (readonly [header: string | undefined, ...challenges: readonly (readonly [string, object])[]])[] =
  [
    [undefined],
    [''],
    ['Basic realm="a"', ['basic', { realm: 'a' }]],
    ['BASIC REALM=a', ['basic', { realm: 'a' }]],
    ['Negotiate', ['negotiate', {}]],
    ['Negotiate YWJj==', ['negotiate', {}]],
    ['Negotiate YWJj==, Basic realm="a"', ['negotiate', {}], ['basic', { realm: 'a' }]],
    ['Negotiate, Basic realm="a"', ['negotiate', {}], ['basic', { realm: 'a' }]],
    [
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull,push"',
      [
        'bearer',
        {
          realm: 'https://auth.docker.io/token',
          service: 'registry.docker.io',
          scope: 'repository:library/nginx:pull,push',
        },
      ],
    ],
    [
      'Basic realm="a, Bearer realm=b" , Bearer realm = "say \\"c\\\\\\"",service=d',
      ['basic', { realm: 'a, Bearer realm=b' }],
      ['bearer', { realm: 'say "c\\"', service: 'd' }],
    ],
    // Not in quotes, as RFC 9110 wants it, and understood by all clients.
    [
      'Bearer realm=https://auth.example/token,service=x',
      ['bearer', { realm: 'https://auth.example/token', service: 'x' }],
    ],
    [', ,Basic realm="a",,', ['basic', { realm: 'a' }]],
    ['Negotiate YWJj, Basic realm="a"', ['negotiate', {}], ['basic', { realm: 'a' }]],
    ['Basic realm="a', ['basic', {}]],
    ['"'],
    ['Basic realm="a" ???', ['basic', { realm: 'a' }]],
  ]

for (const [header, ...challenges] of table) {
  test(`${header} offers ${challenges.map(([scheme]) => scheme).join(' and ') || 'nothing'}`, () => {
    const parsed = parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])
    assert.deepEqual(parsed, challenges)
  })
}
