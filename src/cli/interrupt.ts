/** Ctrl-C ends the reading and not the run. */
import { constants } from 'node:os'

/**
 * Runs `work` with a signal that is aborted when the user or the system asks the process to end (SIGINT, SIGTERM); the next such request
 * ends it at once. Whatever follows, an interrupted process exits with 128 and the number of the signal, as shells expect.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const asked = (signal: NodeJS.Signals) => {
    ignore()
    process.once('exit', () => {
      process.exitCode = 128 + constants.signals[signal]
    })
    controller.abort()
  }
  const ignore = () => process.off('SIGINT', asked).off('SIGTERM', asked)
  process.on('SIGINT', asked).on('SIGTERM', asked)
  try {
    return await work(controller.signal)
  } finally {
    ignore()
  }
}
