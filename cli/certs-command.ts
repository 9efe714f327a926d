import { join } from 'node:path'
import { Command } from 'commander'
import { authorityFiles } from '../certs/authority.ts'
import { certificateFiles } from '../certs/certificate-source.ts'
import { describeCertificate, describePair, type CertificateDescription } from '../certs/description.ts'
import { issueOneOffPair } from '../certs/one-off-pair.ts'
import { registryAddresses } from '../certs/registry-addresses.ts'
import { reissueSelfSigned, serverFiles } from '../certs/self-signed.ts'
import { trustInstructions } from '../certs/trust-instructions.ts'
import { checkedHostPort, dockerDirectory, writeDockerTrust } from '../certs/trust.ts'
import { parseCertificates, readIfThere } from '../certs/pem-file.ts'
import { certificateHosts } from './certificate-hosts.ts'
import { loadConfig, type CaissonConfig } from './config.ts'

export function certsCommand(): Command {
  const certs = new Command('certs').description('the certificates: show them, issue them, have clients trust them')
  certs
    .command('show')
    .description('what is served, and the authority it comes from')
    .option('--json', 'as one JSON object', false)
    .action(async (options: { json: boolean }, command: Command) => {
      await show(await loadConfig(command.optsWithGlobals()), options.json ? toJson : toText)
    })
  certs
    .command('issue')
    .description('make key and certificate of the server anew now, or (--host, --out) a pair for another machine')
    .option('--host <name...>', 'names or addresses of the other machine')
    .option('--out <directory>', 'where its pair goes')
    .action(async (options: { host?: string[]; out?: string }, command: Command) => {
      const [first, ...others] = options.host ?? []
      if ((first === undefined) !== (options.out === undefined)) command.error('error: --host and --out go together')
      const config = await loadConfig(command.optsWithGlobals())
      if (first !== undefined && options.out !== undefined) await issueFor([first, ...others], options.out, config)
      else await issue(config)
    })
  certs
    .command('trust')
    .description('print how clients learn to trust the authority, or (--docker) have Docker on this machine trust it')
    .argument('[address...]', 'registries as host:port (default: the configured hosts on the TLS ports)')
    .option(
      '--docker [address...]',
      `write ca.crt below ${dockerDirectory} for these addresses, or for the default ones`,
    )
    .option('--directory <directory>', 'write it below this directory instead; needs --docker')
    .action(async (addresses: string[], options: TrustOptions, command: Command) => {
      if (options.directory && !options.docker) command.error('error: --directory needs --docker')
      await trust(addresses, options, await loadConfig(command.optsWithGlobals()))
    })
  return certs
}

type Shown = Readonly<{ served: readonly CertificateDescription[]; authority: CertificateDescription | undefined }>

async function show(config: CaissonConfig, format: (shown: Shown) => string): Promise<void> {
  const files = await certificateFiles({ certificates: config.gateway.certificates, directory: directoryOf(config) })
  const now = new Date()
  const served = await Promise.all(files.pairs.map((pair) => describePair(pair, now)))
  const authority = files.authority === undefined ? undefined : await describeCertificate(files.authority)
  console.log(format({ served, authority }))
}

function toJson(shown: Shown): string {
  return JSON.stringify(shown, undefined, 2)
}

function toText({ served, authority }: Shown): string {
  const sections = served.map((certificate) => describe('Served', certificate))
  return [...sections, ...(authority ? [describe('Authority', authority)] : [])].join('\n\n')
}

function describe(role: string, { file, names, problem, ...certificate }: CertificateDescription): string {
  const lines = [
    `${role}: ${file}`,
    `  subject      ${certificate.subject}`,
    `  issuer       ${certificate.issuer}`,
    `  valid        ${certificate.validFrom} to ${certificate.validTo}`,
    `  serial       ${certificate.serialNumber}`,
    `  sha256       ${certificate.fingerprint}`,
  ]
  if (names.length > 0) lines.push(`  names        ${names.join(', ')}`)
  if (problem) lines.push(`  NOT SERVED   ${problem}`)
  return lines.join('\n')
}

async function issue(config: CaissonConfig): Promise<void> {
  if (config.gateway.certificates !== 'selfSigned') {
    throw new Error('gateway.certificates names certificates of your own, which whoever issued them renews')
  }
  const directory = directoryOf(config)
  const { names, validTo } = await reissueSelfSigned({ directory, hosts: certificateHosts(config) })
  console.log(
    `issued ${serverFiles(directory).cert}, valid to ${validTo.toISOString()}; a running gateway takes it at once`,
  )
  console.log(`for ${[...names.dns, ...names.addresses].join(', ')}`)
}

async function issueFor(hosts: [string, ...string[]], outDirectory: string, config: CaissonConfig): Promise<void> {
  const { cert, key } = await issueOneOffPair({ directory: directoryOf(config), hosts, outDirectory })
  console.log(`issued ${cert} and ${key}; nobody renews them, so issue them again before they run out`)
}

interface TrustOptions {
  /** True when given without addresses. */
  readonly docker?: true | readonly string[]
  readonly directory?: string
}

async function trust(named: readonly string[], options: TrustOptions, config: CaissonConfig): Promise<void> {
  const { file, pem, fingerprint } = await authorityOf(config)
  const wanted = [...named, ...(Array.isArray(options.docker) ? options.docker : [])].map(checkedHostPort)
  const [first, ...others] = wanted.length > 0 ? wanted : registryAddresses(config.gateway)
  if (first === undefined) throw new Error('no listener has TLS, so there is no certificate to trust')
  if (!options.docker) {
    console.log(trustInstructions({ hostPorts: [first, ...others], authorityFile: file, fingerprint }))
  } else {
    for (const hostPort of [first, ...others]) {
      console.log(`wrote ${await writeDockerTrust({ certsDirectory: options.directory, hostPort, authorityPem: pem })}`)
    }
  }
  if (wanted.length === 0) explainPatterns(config)
}

/** Clients look trust up by the very name, so the patterns cannot be among the default addresses. */
function explainPatterns({ gateway }: CaissonConfig): void {
  const patterns = Object.keys(gateway.hosts).filter((host) => host.includes('*'))
  if (patterns.length === 0) return
  console.error(`${patterns.join(' and ')}: name the hosts meant by hand, since certs.d knows no patterns`)
}

async function authorityOf(config: CaissonConfig): Promise<{ file: string; pem: string; fingerprint: string }> {
  if (config.gateway.certificates !== 'selfSigned') {
    throw new Error('gateway.certificates names certificates of your own: have clients trust whoever issued them')
  }
  const file = authorityFiles(directoryOf(config)).cert
  const pem = await readIfThere(file)
  if (pem !== undefined) return { file, pem, fingerprint: parseCertificates(file, pem)[0].fingerprint256 }
  throw new Error(`${file} does not exist yet: start caisson once, or run "caisson certs issue"`)
}

function directoryOf({ dataDirectory }: CaissonConfig): string {
  return join(dataDirectory, 'certs')
}
