import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { DiskReserve } from '../../../registry/storage/disk-reserve.ts'
import { noTinyFilesystem, tinyFilesystem } from '../../helpers/tiny-filesystem.ts'

const mebibyte = 1024 * 1024

test('what would leave less than the reserve is refused, with the numbers', { skip: noTinyFilesystem }, async () => {
  await using disk = await tinyFilesystem(8)
  const reserve = new DiskReserve(disk.path, 4 * mebibyte)
  await reserve.admit(0)
  await reserve.admit(4 * mebibyte)
  await assert.rejects(reserve.admit(4 * mebibyte + 1), {
    code: 'STORAGE_FULL',
    message: /^the registry's disk has 8 MiB left, of which 4 MiB are kept free, and 4 MiB more would be needed: /,
    detail: { free: 8 * mebibyte, keptFree: 4 * mebibyte, size: 4 * mebibyte + 1 },
  })
})

test('what is taken is known at once, what others write a second later', { skip: noTinyFilesystem }, async () => {
  await using disk = await tinyFilesystem(8)
  let now = 0
  const reserve = new DiskReserve(disk.path, 4 * mebibyte, () => now)
  await reserve.take(2 * mebibyte)
  await writeFile(join(disk.path, 'taken'), Buffer.alloc(2 * mebibyte))
  await assert.rejects(reserve.admit(3 * mebibyte), {
    detail: { free: 6 * mebibyte, keptFree: 4 * mebibyte, size: 3 * mebibyte },
  })

  await writeFile(join(disk.path, 'of another program'), Buffer.alloc(3 * mebibyte))
  await reserve.admit(mebibyte)
  now = 1000
  await assert.rejects(reserve.admit(mebibyte), { code: 'STORAGE_FULL' })
})

test('nobody is refused for what has been deleted meanwhile', { skip: noTinyFilesystem }, async () => {
  await using disk = await tinyFilesystem(8)
  const reserve = new DiskReserve(disk.path, 4 * mebibyte, () => 0)
  await writeFile(join(disk.path, 'large'), Buffer.alloc(5 * mebibyte))
  await assert.rejects(reserve.admit(0), { code: 'STORAGE_FULL' })
  await rm(join(disk.path, 'large'))
  await reserve.admit(4 * mebibyte)
})

test('no reserve refuses nothing, also where nothing is free', { skip: noTinyFilesystem }, async () => {
  await using disk = await tinyFilesystem(1)
  await new DiskReserve(disk.path, 0).take(2 * mebibyte)
})
