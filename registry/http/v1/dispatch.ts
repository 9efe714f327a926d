import { RegistryError } from '../../domain/errors.ts'
import type { Context } from '../context.ts'
import { endpointFor, tableOf } from '../endpoint-table.ts'
import type { Services } from '../services.ts'
import type { V1Address } from './address.ts'
import { endpoints, type Endpoint } from './endpoints.ts'
import { nameV1 } from './ping.ts'
import { parseV1Resource, type V1Kind } from './resource.ts'

const table = tableOf<V1Kind, Endpoint>(endpoints)

/** Answers a request to the V1 API, or throws what it is to be answered with. */
export async function answerV1(ctx: Context, services: Services, address: V1Address): Promise<void> {
  ctx.state.api = 'v1'
  nameV1(ctx, services)
  const resource = parseV1Resource(address.rest)
  if (!resource)
    throw new RegistryError('NAME_UNKNOWN', { message: `the V1 API has nothing at ${ctx.state.target.path}` })
  await endpointFor(ctx, table, resource.kind).answer(ctx, { services, address, resource })
}
