import assert from 'node:assert/strict'
import type { Output } from './program.ts'

/** Asserts that a program has done what it was asked for. */
export function done({ exitCode, stdout, stderr }: Output): void {
  assert.equal(exitCode, 0, `${stdout}${stderr}`)
}

/** Asserts that a program has failed, saying so. */
export function refused({ exitCode, stdout, stderr }: Output, why: RegExp): void {
  assert.notEqual(exitCode, 0, `expected a refusal, and it said: ${stdout}${stderr}`)
  assert.match(stderr, why)
}
