import { Command } from 'commander'
import { stringify } from 'yaml'
import { sourceOf } from '../gateway/config.ts'
import { loadConfig, type CaissonConfig } from './config.ts'

export function checkCommand(): Command {
  return new Command('check')
    .description('validate the configuration and print the effective one')
    .action(async (_options, command: Command) => {
      const config = await loadConfig(command.optsWithGlobals())
      console.log(`# ${config.file ?? 'no configuration file: all defaults'}; data directory ${config.dataDirectory}`)
      console.log(stringify(effective(config)).trimEnd())
    })
}

/** In the form of the configuration file, so that it can be used as one. */
export function effective({ gateway, registry }: CaissonConfig): unknown {
  const { listeners, hosts, ...rest } = gateway
  return {
    gateway: {
      ...rest,
      listeners: listeners.map(({ target, ...listener }) => ({ ...listener, ...(target && sourceOf(target)) })),
      hosts: Object.fromEntries(Object.entries(hosts).map(([host, target]) => [host, sourceOf(target)])),
    },
    registry,
  }
}
