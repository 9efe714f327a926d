import { Command } from 'commander'
import type { Listener } from '../gateway/config.ts'
import { explainRoute, type Explanation } from '../gateway/explain.ts'
import { BadRequestTarget } from '../wire/request-target.ts'
import { loadConfig, type CaissonConfig } from './config.ts'
import { servesItself } from './config-checks.ts'
import { explainRepository } from './explain-repository.ts'

export function explainCommand(): Command {
  return new Command('explain')
    .description('say which route a URL takes, to which repository, and what the upstream is asked for')
    .argument('<url>', 'such as https://docker-local.company.com/v2/hello/manifests/1')
    .action(async (url: string, _options, command: Command) => {
      if (!/^https?:\/\/[^/]+/i.test(url) || !URL.canParse(url)) {
        command.error(`error: "${url}" is not a URL that starts with https:// or http://`)
      }
      const config = await loadConfig(command.optsWithGlobals())
      const { lines, found } = explanation(config, url)
      console.log(lines.join('\n'))
      if (!found) process.exitCode = 1
    })
}

interface Told {
  readonly lines: readonly string[]
  /** Whether such a request reaches the upstream. */
  readonly found: boolean
}

/** A line for each step on the way, the last one being where it ends. */
export function explanation({ gateway, registry }: CaissonConfig, url: string): Told {
  try {
    const route = explainRoute(gateway, url)
    const told = tell(gateway, route)
    if (!servesItself({ gateway, registry }) || route.match?.kind !== 'repository') return told
    const { key, upstreamPath, upstreamPrefix } = route.match
    const behind = key === undefined ? [] : explainRepository(registry, key, upstreamPath.slice(upstreamPrefix.length))
    return { ...told, lines: [...told.lines, ...behind] }
  } catch (error) {
    if (error instanceof BadRequestTarget) return { lines: [`answer    400: ${error.message}`], found: false }
    throw error
  }
}

function tell(gateway: CaissonConfig['gateway'], { listener, rule, match, upstreamTarget }: Explanation): Told {
  if (!listener || !match) {
    const ports = gateway.listeners.map(({ port, tls }) => `${port} (${tls ? 'https' : 'http'})`).join(', ')
    return { lines: [`answer    none: nothing listens there; the ports are ${ports}`], found: false }
  }
  const way = [`listener  ${listenerText(listener)}`, ...(rule ? [`route     ${rule}`] : [])]
  if (listener.redirect) return { lines: [...way, `answer    308: redirect to ${listener.redirect}`], found: true }
  switch (match.kind) {
    case 'repository':
      return {
        lines: [
          ...way,
          `key       ${match.key ?? 'none: it concerns every repository'}`,
          `upstream  ${gateway.upstream}`,
          `path      ${upstreamTarget ?? match.upstreamPath}`,
        ],
        found: true,
      }
    case 'through':
      return {
        lines: [...way, `upstream  ${gateway.upstream}`, `path      ${match.upstreamPath}, as it is`],
        found: true,
      }
    case 'unknownHost':
      return {
        lines: [
          ...way,
          `answer    404: no route for the host ${match.host}; the hosts are ${Object.keys(gateway.hosts).join(', ')}`,
        ],
        found: false,
      }
    case 'nothingHere':
      return { lines: [...way, `answer    404: ${match.reason}`], found: false }
  }
}

function listenerText({ port, tls, address }: Listener): string {
  return `port ${port}${address ? ` on ${address}` : ''}, ${tls ? 'TLS' : 'without TLS'}`
}
