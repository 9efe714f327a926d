import { blocksOf, layerTar, withChecksum, type TarEntry } from '../../../helpers/layer-tar.ts'

/** An archive, and the hexadecimal parts of what docker makes of it with {@link vectorJson}: version 0, version 1. */
export interface TarVector {
  readonly tar: Buffer
  readonly sums: readonly [v0: string, v1: string]
}

export const vectorJson = Buffer.from('{"id":"x"}\n')

const directory: TarEntry = { name: 'etc/', typeflag: '5', mode: 0o755 }
const file: TarEntry = { name: 'etc/motd', content: 'hello\n', uname: 'root', gname: 'root' }
const long = `${'directory/'.repeat(20)}file`

const archives: Readonly<Record<string, Buffer>> = {
  'a directory and a file': layerTar([directory, file]),
  'no entry': layerTar([]),
  'nothing at all': Buffer.alloc(0),
  'links, devices and a pipe': layerTar([
    { name: './', typeflag: '5', mode: 0o755 },
    { name: './file', content: 'x'.repeat(512) },
    { name: './hard', typeflag: '1', linkname: './file' },
    { name: './soft', typeflag: '2', linkname: '/target', mode: 0o777 },
    { name: './null', typeflag: '3', device: [1, 3], mode: 0o20666 },
    { name: './disk', typeflag: '4', device: [259, 7] },
    { name: './pipe', typeflag: '6' },
  ]),
  'types that are not usual': layerTar([
    { name: 'old', typeflag: '\0', content: 'old' },
    { name: 'old-directory/', typeflag: '\0' },
    { name: 'contiguous', typeflag: '7', content: 'c' },
    { name: 'global', typeflag: 'g', content: '19 comment=of a git\n' },
  ]),
  'numbers of a file in a device': layerTar([{ ...file, device: [8, 1] }]),
  'pax records': layerTar([
    { ...file, records: { path: long, uname: 'Zoë', uid: '3000000', mtime: '1400000001.999' } },
    { ...directory, name: 'umlaut', records: { path: 'Übung/', linkpath: 'nowhere' } },
    { ...file, name: 'sized', size: 0, content: '', records: { size: '0' } },
    { ...file, name: 'xattrs', records: { 'SCHILY.xattr.user.b': 'two', 'SCHILY.xattr.user.a': 'one', atime: '12.5' } },
  ]),
  'long names of GNU tar': layerTar([
    { name: '././@LongLink', typeflag: 'L', content: `${long}\0` },
    { name: '././@LongLink', typeflag: 'K', content: `${long}2\0` },
    { name: long, typeflag: '2', linkname: long },
  ]),
  'octets that are no UTF-8': Buffer.concat([rewritten({ name: 'n?me' }, (header) => (header[1] = 0xe9)), end()]),
  'a number in base 256, and the long path that Go wrote beside it': Buffer.concat([
    rewritten({ name: 'n'.repeat(100), content: 'x' }, (header) => {
      header.write('ustar  \0', 257)
      header.write('80000000002dc6c0', 108, 'hex')
      header.write('some/where/deep', 345)
    }),
    end(),
  ]),
  'the same name twice': layerTar([file, { ...file, content: 'again' }]),
  'a sparse file of GNU tar': Buffer.concat([
    rewritten({ name: 'sparse', typeflag: 'S', content: 'middle..' }, (header) => {
      header.write('ustar  \0', 257)
      header.write(`${octal(1000)}${octal(6)}${octal(3000)}${octal(2)}`, 386)
      header.write(octal(4096), 483)
    }),
    end(),
  ]),
  'a sparse file in pax records': layerTar([
    {
      name: 'GNUSparseFile.0/sparse',
      content: 'middle..',
      records: {
        'GNU.sparse.major': '0',
        'GNU.sparse.minor': '1',
        'GNU.sparse.name': 'sparse',
        'GNU.sparse.numblocks': '2',
        'GNU.sparse.size': '4096',
        'GNU.sparse.map': '1000,6,3000,2',
      },
    },
  ]),
  'a sparse file with its map before it': layerTar([
    {
      name: 'GNUSparseFile.0/sparse',
      content: `${'2\n1000\n6\n3000\n2\n'.padEnd(512, '\0')}middle..`,
      records: {
        'GNU.sparse.major': '1',
        'GNU.sparse.minor': '0',
        'GNU.sparse.name': 'sparse',
        'GNU.sparse.realsize': '4096',
      },
    },
  ]),
  'no padding and no end': layerTar([file]).subarray(0, 512 + 6),
  'one block of zeros as its end': layerTar([file]).subarray(0, -512),
}

/**
 * Made by docker's own package, pkg/tarsum of docker 1.9.1 with the archive/tar of Go 1.4 (as of commit 64426b0 of vbatts/tar-split), built and run over the
 * archives above. With the archive/tar of Go 1.8 (commit c6dd428) they are the same.
 */
const sums: Readonly<Record<string, readonly [v0: string, v1: string]>> = {
  'a directory and a file': [
    'e355c47390f23d38e4e50755408c3943fc82e599123ce0b908561caffa6cb640',
    '3309ab7fd1970433854b6a43117dcfc4723237461e67dd2c6aa745f0ed9620b7',
  ],
  'no entry': [
    '551dd78288bd82f529e1697be1f74b91d5ae2278319f014218a93b2a997ca0f7',
    '551dd78288bd82f529e1697be1f74b91d5ae2278319f014218a93b2a997ca0f7',
  ],
  'nothing at all': [
    '551dd78288bd82f529e1697be1f74b91d5ae2278319f014218a93b2a997ca0f7',
    '551dd78288bd82f529e1697be1f74b91d5ae2278319f014218a93b2a997ca0f7',
  ],
  'links, devices and a pipe': [
    'dab6f5bc9f29c63d2f3c21648d7580d3ed904b7103286e60594649eaca417031',
    'f0b10d473eeacb9d620f5d131437c32c4abd715be24887ceda5b779d6f92f091',
  ],
  'types that are not usual': [
    'd846b47ae17b24efda5b7451c9e743ebb3edaa5dcf523cb93c4d2cd4ad9ef116',
    '85d5ac55959614b71ab27b11a73560e307f0b1b4ee6c46cffb6c82131bce3df9',
  ],
  'numbers of a file in a device': [
    '316a5601539c85376bae42390cde27cbb4f04fd11b83ac17869a750873cd6a4d',
    '23f0a39f98e72a8a572ab6b8e819d7a2719bc0a3d2499324ed71891628643f36',
  ],
  'pax records': [
    'a12a88b5ddbe5b3d91edd3e7b0d53c1ea5a313643ce61d0063432e8b7307781f',
    'fad03a53c7982158ae662cfec13f1a5c8e214430d3f49c6d9a6f6ff1bfdbc1c4',
  ],
  'long names of GNU tar': [
    '230672e51996a2ea874b7cfb487941f831486e91cb1d3f702138c3d166d20fb8',
    '6d2c85fd6cc4933a8e5afe93c3d9821afa18999926cc36376137e5e0c1e3e9c1',
  ],
  'octets that are no UTF-8': [
    '97e735660c1a899dc21f866eb8ad553e49720ced3f3aac62aa56b093135240d6',
    '0e2e22e953e557e74e6c84a92983ca32fb4842e6dd08f8fba76386f14da3965c',
  ],
  'a number in base 256, and the long path that Go wrote beside it': [
    '925f2d9cb23c0e1c7dc26a30bfde2fc9695902b913efe5e2b16bb32f35ad4b31',
    '396ad7fd61e2bcf2a5aa22bcf67510d0f4179cd6715a290869c6f0763ce84a97',
  ],
  'the same name twice': [
    '9a001d8360e122a597cec51f4a902e07959d29bb71ca40c6c27de844fdf57cef',
    'a47902428b4e1175d3d87081d168c048402ac9264d7a4e19723caeb0b11df793',
  ],
  'a sparse file of GNU tar': [
    '8b2413b5beb17614add91c1db19d8a350ce0b91af413e3602b05acad7c7a5234',
    '6d4d422489144bbe3bdfd4fe77831108b5aad4c64d452a1d0dc8c9a95152f11f',
  ],
  'a sparse file in pax records': [
    '641788dc46d1ccd6d1a03eecfb61269f0be912c531536f33f5724814e433a80f',
    'c38bf5dded9cd182aa97fd9b0e6c5105fdb12828f9c2a2764e64f64f649e3204',
  ],
  'a sparse file with its map before it': [
    '641788dc46d1ccd6d1a03eecfb61269f0be912c531536f33f5724814e433a80f',
    'c38bf5dded9cd182aa97fd9b0e6c5105fdb12828f9c2a2764e64f64f649e3204',
  ],
  'no padding and no end': [
    '316a5601539c85376bae42390cde27cbb4f04fd11b83ac17869a750873cd6a4d',
    '23f0a39f98e72a8a572ab6b8e819d7a2719bc0a3d2499324ed71891628643f36',
  ],
  'one block of zeros as its end': [
    '316a5601539c85376bae42390cde27cbb4f04fd11b83ac17869a750873cd6a4d',
    '23f0a39f98e72a8a572ab6b8e819d7a2719bc0a3d2499324ed71891628643f36',
  ],
}

export const tarVectors: readonly (TarVector & { readonly name: string })[] = Object.entries(archives).map(
  ([name, tar]) => ({
    name,
    tar,
    sums: sums[name] ?? ['', ''],
  }),
)

/** The blocks of an entry with another header. */
function rewritten(entry: TarEntry, change: (header: Buffer) => unknown): Buffer {
  const [header = Buffer.alloc(0), ...rest] = blocksOf(entry)
  change(header)
  return Buffer.concat([withChecksum(header), ...rest])
}

function end(): Buffer {
  return Buffer.alloc(1024)
}

function octal(value: number): string {
  return `${value.toString(8).padStart(11, '0')}\0`
}
