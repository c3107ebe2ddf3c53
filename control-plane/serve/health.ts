import { setTimeout as wait } from 'node:timers/promises'
import type { DescService, MessageInitShape } from '@bufbuild/protobuf'
import { Code, type ServiceImpl } from '@connectrpc/connect'
import {
  type Health,
  type HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
} from '../../proto/gen/grpc/health/v1/health_pb.ts'
import { ferryError } from './errors.ts'

export type HealthOptions = {
  readonly services: readonly DescService[]
  /** Why calls cannot be served now; none when they can. Asked often, so it must not wait for anything. */
  readonly ready: () => readonly string[]
  readonly stopping: AbortSignal
  /** How often a watcher's status is looked at again. */
  readonly pollMs: number
}

/**
 * grpc.health.v1. All services share the process's readiness, which is also the overall status (service "").
 * A watcher is told that the server stops, then its stream ends.
 */
export function createHealth({ services, ready, stopping, pollMs }: HealthOptions): ServiceImpl<typeof Health> {
  const names = ['', ...services.map((service) => service.typeName)]
  const current = (): Status => (!stopping.aborted && ready().length === 0 ? Status.SERVING : Status.NOT_SERVING)
  const refuseUnknown = (service: string): void => {
    if (names.includes(service)) return
    throw ferryError(Code.NotFound, 'SERVICE_NOT_FOUND', `no service ${JSON.stringify(service.slice(0, 100))} is served here`)
  }
  return {
    check({ service }) {
      refuseUnknown(service)
      return { status: current() }
    },
    list() {
      return { statuses: Object.fromEntries(names.map((name) => [name, { status: current() }])) }
    },
    async *watch({ service }, { signal }) {
      const ended = AbortSignal.any([signal, stopping])
      const status = (): Status => (names.includes(service) ? current() : Status.SERVICE_UNKNOWN)
      let last: Status | undefined
      while (!signal.aborted) {
        const now = status()
        if (now !== last) yield { status: now } satisfies MessageInitShape<typeof HealthCheckResponseSchema>
        last = now
        if (stopping.aborted) return
        await wait(pollMs, undefined, { signal: ended, ref: false }).catch(() => {})
      }
    },
  }
}
