import { type Logger, pino } from 'pino'

export type { Logger } from 'pino'

/** One line of JSON per event on standard error; standard output belongs to commands. */
export function createLog(process: 'control-plane' | 'worker' | 'demo', level: string): Logger {
  return pino(
    { level, base: { process }, timestamp: pino.stdTimeFunctions.isoTime, messageKey: 'message' },
    pino.destination({ fd: 2, sync: true }),
  )
}
