import type { CacheState } from '../../repositories/repository.ts'
import type { Context } from '../context.ts'

/** How a remote repository came to have it, for whoever wonders; what is stale is said as RFC 7234 §5.5.2 has it. */
export function showCache(ctx: Context, cache: CacheState): void {
  ctx.set('X-Cache', cache.kind.toUpperCase())
  if (cache.kind === 'stale') ctx.set('Warning', `111 caisson "${quotable(cache.because)}"`)
}

function quotable(text: string): string {
  return text.replaceAll(/[^ !#-[\]-~]/g, ' ').slice(0, 500)
}
