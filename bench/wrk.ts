import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** GETs `url` over kept-alive connections for some seconds; resolves with the number of answers. Fails when one was no success. */
export async function wrk(
  url: string,
  connections: number,
  seconds: number,
  headers: readonly string[] = [],
): Promise<number> {
  const { stdout } = await execute('wrk', [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '-H',
    'Accept: application/vnd.oci.image.manifest.v1+json, */*',
    ...headers.flatMap((header) => ['-H', header]),
    url,
  ])
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1])
  if (!requests || /Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk ${url}:\n${stdout}`)
  return requests
}
