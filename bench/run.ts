import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { curl, pushBlob, pushManifest } from './curl.ts'
import { startNginx, startOther, startOurs, type Contender } from './contenders.ts'
import { manifestOf, randomFile } from './fixtures.ts'
import { loginHeaders } from './logins.ts'
import { inTurn, median, type Measured } from './measure.ts'
import { peakUnderPulls } from './memory.ts'
import { wrk } from './wrk.ts'

// npm run bench: our gateway and registry against Debian's nginx in front of Debian's docker-registry, and against the same
// nginx serving a static file, on this machine, in turn. CPU-seconds of all processes of each, not wall time.
// npm run bench -- --small: an eighth of the bytes, to see that it runs.
// npm run bench -- --only manifest: what has this in its name.
// npm run bench -- --other DIR: and against another checkout of ours, with its dependencies installed.
const { small, other, only } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    other: { type: 'string' },
    only: { type: 'string', default: '' },
  },
}).values
const gibibyte = 1024 ** 3
const bigSize = small ? gibibyte / 8 : gibibyte
const rounds = small ? 1 : 5
const seconds = small ? 1 : 4
const connections = 8
const smallLayers = Array.from({ length: 10 }, (_, number) => `layer-${number}`)

interface MeasuredRow extends Row {
  readonly measured: readonly Measured[]
}

interface Row {
  readonly path: string
  readonly unit: string
  readonly target: string
  readonly measure: () => Promise<readonly Measured[]>
}

const scratch = await mkdtemp(join(tmpdir(), 'caisson-bench-'))
try {
  await using ours = await startOurs(scratch)
  const authority = join(ours.certificates, 'ca.crt')
  await using nginx = await startNginx(scratch, ours.certificates)
  await using before = other === undefined ? undefined : await startOther(scratch, other, ours.certificates)
  const contenders: readonly Contender[] = [ours, ...(before ? [before] : []), nginx]
  const idleMiB = ours.usage().residentMiB

  const big = await randomFile(scratch, 'big', bigSize)
  const blob = await randomFile(scratch, 'blob', 200 * 1024)
  const config = await randomFile(scratch, 'config', 2)
  const manifest = manifestOf([config, blob, big])
  for (const contender of contenders) {
    for (const fixture of [config, blob, big]) await pushBlob(authority, contender, fixture.file, fixture.digest)
    await pushManifest(authority, contender, '1', manifest)
  }
  await copyFile(big.file, join(nginx.files, 'big'))
  await copyFile(blob.file, join(nginx.files, 'blob'))
  const fixedFile: Contender = { ...nginx, name: 'nginx, static file' }
  const bigUrl = (contender: Contender) =>
    contender === fixedFile ? `${contender.url}/files/big` : `${contender.url}/v2/bench/blobs/${big.digest}`
  const blobUrl = (contender: Contender) =>
    contender === fixedFile ? `${contender.url}/files/blob` : `${contender.url}/v2/bench/blobs/${blob.digest}`

  for (const contender of contenders) await sameAnswers(authority, contender, manifest, blobUrl(contender), blob.digest)

  const pulls = async (contender: Contender) => {
    const size = await curl(authority, contender, ['-o', '/dev/null', '-w', '%{size_download}', bigUrl(contender)])
    if (Number(size) !== bigSize) throw new Error(`${contender.name} sent ${size} bytes of ${bigSize}`)
    return bigSize / gibibyte
  }
  let pushed = 0
  const pushes = async (contender: Contender) => {
    const fresh = await randomFile(scratch, `push-${pushed++}`, bigSize)
    await pushBlob(authority, contender, fresh.file, fresh.digest)
    await rm(fresh.file)
    return bigSize / gibibyte
  }
  const pushesSmall = async (contender: Contender) => {
    const layers = await Promise.all(smallLayers.map((layer) => randomFile(scratch, `${layer}-${pushed++}`, 20 * 1024)))
    for (const { file, digest } of [config, ...layers]) await pushBlob(authority, contender, file, digest)
    await pushManifest(authority, contender, 'small', manifestOf([config, ...layers]))
    for (const { file } of layers) await rm(file)
    return 1
  }

  const byLogin: Row[] = []
  for (const { by, header } of await loginHeaders(authority, ours)) {
    const [loggedIn, anonymous] = [`caisson, ${by}`, 'caisson, anonymous'].map((name) => ({ ...ours, name }))
    if (!loggedIn || !anonymous) continue
    const manifests = (contender: Contender) =>
      wrk(`${ours.url}/v2/bench/manifests/1`, connections, seconds, contender === loggedIn ? [header] : [])
    const measure = () => inTurn([loggedIn, anonymous], rounds, manifests)
    byLogin.push({ path: `manifest GET, ${by}`, unit: 'ms', target: '≤ 1.25 × anonymous', measure })
  }

  const rows: Row[] = [
    {
      path: 'manifest GET by tag',
      unit: 'ms',
      target: '≤ 0.20 × nginx + docker-registry',
      measure: () =>
        inTurn(contenders, rounds, (contender) => wrk(`${contender.url}/v2/bench/manifests/1`, connections, seconds)),
    },
    ...byLogin,
    {
      path: 'blob GET, 200 KiB',
      unit: 'ms',
      target: '',
      measure: () =>
        inTurn([...contenders, fixedFile], rounds, (contender) => wrk(blobUrl(contender), connections, seconds)),
    },
    {
      path: 'pull, 1 GiB',
      unit: 's',
      target: '≤ 1.1 × static file',
      measure: () => inTurn([...contenders, fixedFile], rounds, pulls),
    },
    {
      path: 'push, 1 GiB',
      unit: 's',
      target: '≤ 0.50 × nginx + docker-registry',
      measure: () => inTurn(contenders, Math.min(rounds, 3), pushes),
    },
    {
      path: 'push, ten layers of 20 KiB',
      unit: 'ms',
      target: '',
      measure: () => inTurn(contenders, rounds, pushesSmall),
    },
  ]

  console.log(
    `\nNode ${process.version}, ${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown processor'}; CPU of all processes, median (smallest–largest)\n`,
  )
  const measured: MeasuredRow[] = []
  for (const row of rows.filter(({ path }) => path.includes(only)))
    measured.push({ ...row, measured: await row.measure() })
  console.log(table(measured))
  if (only === '') {
    const peakMiB = await peakUnderPulls(ours, bigUrl(ours), 64)
    console.log(
      `\nmemory, 64 parallel pulls of ${small ? '128 MiB' : '1 GiB'}: ${idleMiB.toFixed(0)} MiB right after the start, at most ${peakMiB.toFixed(0)} MiB, so ${(peakMiB - idleMiB).toFixed(0)} MiB more (target ≤ 200)`,
    )
  }
} finally {
  await rm(scratch, { recursive: true, force: true })
}

/** Nothing is timed before the answers are known to be right. */
async function sameAnswers(
  authority: string,
  contender: Contender,
  manifest: string,
  blobUrl: string,
  digest: string,
): Promise<void> {
  const served = await curl(authority, contender, [
    '-H',
    'Accept: application/vnd.oci.image.manifest.v1+json',
    `${contender.url}/v2/bench/manifests/1`,
  ])
  if (served !== manifest) throw new Error(`${contender.name} serves another manifest:\n${served}`)
  const headers = await curl(authority, contender, ['-I', blobUrl])
  if (!headers.includes(digest)) throw new Error(`${contender.name} names another digest:\n${headers}`)
}

function table(rows: readonly MeasuredRow[]): string {
  const lines = rows.flatMap(({ path, unit, target, measured }) => {
    const ours = measured[0]?.cpuSeconds ?? []
    return measured.map(({ contender, cpuSeconds }, index) => {
      const scale = unit === 'ms' ? 1000 : 1
      const figure = (seconds: number) => (seconds * scale).toFixed(unit === 'ms' ? 3 : 2)
      const spread = `${figure(median(cpuSeconds))} ${unit} (${figure(Math.min(...cpuSeconds))}–${figure(Math.max(...cpuSeconds))})`
      const ratio =
        index === 0 ? '' : median(ours.map((seconds, round) => seconds / (cpuSeconds[round] ?? seconds))).toFixed(2)
      return `| ${index === 0 ? path : ''} | ${contender} | ${spread} | ${ratio} | ${index === 0 ? target : ''} |`
    })
  })
  return [
    '| path | who | CPU per request or GiB | caisson ÷ it | target |',
    '| --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n')
}
