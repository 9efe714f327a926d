import { Command } from 'commander'
import { stringify } from 'yaml'
import { loadPair } from '../certs/certificate-pair.ts'
import { findPairs } from '../certs/own-certificates.ts'
import { sourceOf } from '../gateway/config.ts'
import { loadConfig, type CaissonConfig } from './config.ts'

export function checkCommand(): Command {
  return new Command('check')
    .description('validate the configuration and the certificates it names, and print the effective one')
    .action(async (_options, command: Command) => {
      const config = await loadConfig(command.optsWithGlobals())
      await checkCertificates(config)
      console.log(`# ${config.file ?? 'no configuration file: all defaults'}; data directory ${config.dataDirectory}`)
      console.log(stringify(effective(config)).trimEnd())
    })
}

/** Throws CertificateError for one that is missing, has run out or does not match its key. The self-signed one is made at the start. */
async function checkCertificates({ gateway: { certificates } }: CaissonConfig): Promise<void> {
  if (certificates === 'selfSigned') return
  const pairs = Array.isArray(certificates) ? certificates : await findPairs(certificates.directory)
  const now = new Date()
  for (const pair of pairs) await loadPair(pair, now)
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
