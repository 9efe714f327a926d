import { pipeline } from 'node:stream'
import type { Answer } from './answer.ts'
import { ClientGone, type Extent } from './file-bytes.ts'
import type { GrowingFile } from './growing-file.ts'
import { Progress } from './progress.ts'

/**
 * Lets `send` answer with what there is of a growing file. Rejects with what went wrong, unless that was the client. When the
 * progress breaks off, so does the answer, whatever it waits for; when the answer is given or gone, the upstream need tell no more.
 */
export async function followGrowth(
  answer: Answer,
  growing: GrowingFile,
  send: (extent: Extent) => Promise<void>,
): Promise<void> {
  const progress = new Progress(growing.size)
  const leave = () => progress.destroy(new ClientGone())
  answer.followsGrowth = true
  answer.once('close', leave)
  pipeline(growing.progress, progress, (error) => {
    if (error && !progress.isWhole && answer.headersSent && !answer.writableEnded) answer.destroy()
  })
  try {
    await send(progress)
  } catch (error) {
    const cause = progress.errored ?? error
    if (!(cause instanceof ClientGone)) throw cause
  } finally {
    // Else it ends by itself, and its connection can be used again.
    if (!progress.isWhole) leave()
  }
}
