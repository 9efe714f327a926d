import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { z } from 'zod'
import { attempt } from '../helpers/program.ts'

/** The conformance suite of the OCI distribution specification, as of this commit on its main branch. */
export const module = 'github.com/opencontainers/distribution-spec/conformance'
export const moduleVersion = 'v0.0.0-20260831232431-97274622c111'

/** Here the suite is built, and here its results stay. */
export const suiteDirectory = fileURLToPath(
  new URL(`../../node_modules/.cache/oci-conformance/${moduleVersion}`, import.meta.url),
)
export const suiteProgram = join(suiteDirectory, 'conformance')

/** For the `skip` option of a test. In CI it throws instead, so that no green run hides that nothing was tried. */
export function withoutSuite(): string | false {
  if (existsSync(suiteProgram)) return false
  const reason = 'the OCI conformance suite has not been built: node test/conformance/build.ts'
  if (process.env.CI === 'true') throw new Error(reason)
  return reason
}

export interface SuiteRun {
  readonly name: string
  readonly version: '1.0' | '1.1' | 'dev'
  /** `host:port` */
  readonly registry: string
  /** What stands before the names of images. */
  readonly prefix: string
  readonly authorityFile: string
  readonly login: { readonly name: string; readonly password: string }
}

export interface SuiteResult {
  /** `<what>: <status>` for whatever the suite did not see to pass: single tests, endpoints, kinds of content. */
  readonly notPassed: readonly string[]
  /** How many tests ended how, as the suite prints it. */
  readonly summary: string
  /** All that it printed. */
  readonly output: string
}

/** What each version leaves out by itself; here all of them are asked everything, except what is refused on purpose. */
const switches = {
  OCI_API_REFERRER: 'true',
  OCI_API_BLOBS_DIGEST_HEADER: 'true',
  OCI_API_BLOBS_MOUNT_ANONYMOUS: 'true',
  OCI_API_BLOBS_UPLOAD_CANCEL: 'true',
  OCI_API_MANIFESTS_DIGEST_HEADER: 'true',
  OCI_API_MANIFESTS_TAG_PARAM: 'true',
  OCI_DATA_SPARSE: 'false',
}

/** The suite's own files stay below {@link suiteDirectory} in `results/<name>`. */
export async function runSuite({
  name,
  version,
  registry,
  prefix,
  authorityFile,
  login,
}: SuiteRun): Promise<SuiteResult> {
  const results = join(suiteDirectory, 'results', name)
  await rm(results, { recursive: true, force: true })
  const { stdout, stderr } = await attempt(suiteProgram, [], {
    env: {
      ...switches,
      OCI_VERSION: version,
      OCI_REGISTRY: registry,
      OCI_TLS: 'enabled',
      OCI_REPO1: `${prefix}conformance/${name}/one`,
      OCI_REPO2: `${prefix}conformance/${name}/two`,
      OCI_USERNAME: login.name,
      OCI_PASSWORD: login.password,
      OCI_RESULTS_DIR: results,
      SSL_CERT_FILE: authorityFile,
    },
    directory: suiteDirectory,
  })
  const output = stdout + stderr
  const notPassed = [
    ...testsNotPassed(stdout),
    ...partsNotPassed(await readFile(join(results, 'results.yaml'), 'utf8')),
  ]
  await writeFile(join(results, 'output.txt'), output)
  return { notPassed, summary: summaryOf(stdout), output }
}

const resultsForm = z.object({ apis: z.record(z.string(), z.string()), data: z.record(z.string(), z.string()) })

function partsNotPassed(results: string): readonly string[] {
  const { apis, data } = resultsForm.parse(parse(results))
  return Object.entries({ ...apis, ...data })
    .filter(([, status]) => status !== 'Pass')
    .map(([part, status]) => `${part}: ${status}`)
}

function testsNotPassed(output: string): readonly string[] {
  return [...output.matchAll(/^ *OCI Conformance Test\/(.+: (?!Pass$)\w+)$/gm)].map(([, test = '']) => test)
}

function summaryOf(output: string): string {
  return /^OCI Conformance Result: .*\n(?: {2}\w+\.+: +\d+\n)+/m.exec(output)?.[0].trimEnd() ?? ''
}
