import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Contender } from './contenders.ts'

const execute = promisify(execFile)

/** Runs curl against a contender, trusting the bench's authority; resolves with what it wrote. Fails on a 4xx or 5xx. */
export async function curl(authority: string, contender: Contender, args: readonly string[]): Promise<string> {
  const login = contender.login === undefined ? [] : ['--user', contender.login]
  const { stdout } = await execute(
    'curl',
    ['--silent', '--show-error', '--fail-with-body', '--cacert', authority, ...login, ...args],
    {
      maxBuffer: 64 * 1024 * 1024,
    },
  )
  return stdout
}

/** POST, PATCH with the file as one stream, PUT: as docker pushes a layer. */
export async function pushBlob(authority: string, contender: Contender, file: string, digest: string): Promise<void> {
  const started = await curl(authority, contender, [
    '-i',
    '-X',
    'POST',
    '-H',
    'Content-Length: 0',
    `${contender.url}/v2/bench/blobs/uploads/`,
  ])
  const patched = await curl(authority, contender, [
    '-i',
    '-X',
    'PATCH',
    '-H',
    'Content-Type: application/octet-stream',
    '-H',
    'Transfer-Encoding: chunked',
    '-H',
    'Expect:',
    '-T',
    file,
    location(started),
  ])
  const url = location(patched)
  const separator = url.includes('?') ? '&' : '?'
  await curl(authority, contender, ['-X', 'PUT', '-H', 'Content-Length: 0', `${url}${separator}digest=${digest}`])
}

export async function pushManifest(
  authority: string,
  contender: Contender,
  tag: string,
  manifest: string,
): Promise<void> {
  const type = 'Content-Type: application/vnd.oci.image.manifest.v1+json'
  await curl(authority, contender, [
    '-X',
    'PUT',
    '-H',
    type,
    '--data-binary',
    manifest,
    `${contender.url}/v2/bench/manifests/${tag}`,
  ])
}

function location(answer: string): string {
  const url = /^location:\s*(\S+)/im.exec(answer)?.[1]
  if (url === undefined) throw new Error(`no Location in:\n${answer}`)
  return url
}
