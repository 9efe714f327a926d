import { developer, type Contender } from './contenders.ts'
import { curl } from './curl.ts'

/** Ways to say who one is, as the header of a request. */
export interface LoginHeader {
  readonly by: string
  readonly header: string
}

/** As docker, older clients and robots log in. */
export async function loginHeaders(authority: string, ours: Contender): Promise<readonly LoginHeader[]> {
  const as = { ...ours, login: `${developer.name}:${developer.password}` }
  const answer = await curl(authority, as, [`${ours.url}/v2/token?service=bench&scope=repository:bench:pull`])
  const { token } = JSON.parse(answer) as { readonly token: string }
  const config = JSON.parse(await curl(authority, as, [`${ours.url}/v2/auth?format=dockercfg`])) as Record<
    string,
    { readonly auth: string }
  >
  const [entry] = Object.values(config)
  return [
    { by: "docker's token", header: `Authorization: Bearer ${token}` },
    { by: 'password', header: `Authorization: Basic ${Buffer.from(as.login).toString('base64')}` },
    { by: 'access token', header: `Authorization: Basic ${entry?.auth ?? ''}` },
  ]
}
