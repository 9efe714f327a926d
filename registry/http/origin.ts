import type { Origin } from '../identity/authenticate.ts'
import { clientAddress } from './client-address.ts'
import type { Context } from './context.ts'
import { requestId } from './request-id.ts'
import type { Services } from './services.ts'

/** Where a request comes from, for those who have to answer for it. */
export function originOf(ctx: Context, { peers }: Pick<Services, 'peers'>): Origin {
  return { address: clientAddress(ctx, peers), requestId: requestId(ctx) }
}
