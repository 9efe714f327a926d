import type { RealmAnswer, RealmRequest } from './bearer-tokens.ts'
import { readRetryAfter } from './rate-limit.ts'
import type { Wire } from './wire.ts'

const maxTokenBytes = 1024 * 1024

/** What a token server says. A form with an identity token goes nowhere else. */
export async function askRealm(wire: Wire, asked: RealmRequest): Promise<RealmAnswer> {
  const answer = asked.method === 'GET' ? await wire.follow(asked) : await wire.send(asked)
  const { status } = answer
  const retryAfterSeconds = readRetryAfter(answer.header('retry-after'), wire.now())
  if (status === 200) return { status, retryAfterSeconds, bytes: await wire.read(answer, maxTokenBytes) }
  await answer.discard()
  return { status, retryAfterSeconds, bytes: new Uint8Array() }
}
