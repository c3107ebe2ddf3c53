/** A listener did not get its address. The process cannot go on. */
export class ListenError extends Error {
  readonly code = 'LISTEN_FAILED'

  constructor(kind: 'gRPC' | 'HTTP', host: string, port: number, cause: Error) {
    super(`cannot listen for ${kind} on ${host}:${port} (${cause.message}): give another port, or stop the process that has it`, {
      cause,
    })
    this.name = 'ListenError'
  }
}
