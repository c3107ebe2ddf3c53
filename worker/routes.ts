import { LaneCondition } from '../proto/gen/ferry/v1/lane_pb.ts'
import type { UseCase } from '../proto/gen/ferry/v1/use_case_pb.ts'
import type { Logger } from '../runtime/log.ts'
import { SecretError } from '../runtime/secret-keys.ts'
import type { Trouble } from './deliver/access.ts'
import { compileRoute, type Route, type RouteMeans } from './deliver/route.ts'

/** A revision of a use case. */
export interface Wanted {
  readonly uid: string
  readonly revision: number
}

interface Failure {
  readonly revision: number
  readonly trouble: Trouble
  readonly atMs: number
}

/** Not everything that fails once fails always: a replica may not have had the descriptor set yet. */
const COMPILE_AGAIN_MS = 30_000

/** Definitions as this worker has compiled them, the newest revision of each use case. */
export class Routes {
  readonly #routes = new Map<string, Route>()
  readonly #failures = new Map<string, Failure>()
  readonly #load: (uids: readonly string[]) => Promise<readonly UseCase[]>
  readonly #means: RouteMeans
  readonly #log: Logger

  constructor(load: (uids: readonly string[]) => Promise<readonly UseCase[]>, means: RouteMeans, log: Logger) {
    this.#load = load
    this.#means = means
    this.#log = log
  }

  get(uid: string): Route | undefined {
    return this.#routes.get(uid)
  }

  /** Whether the revision, or a newer one, is here. */
  has({ uid, revision }: Wanted): boolean {
    return (this.#routes.get(uid)?.plan.revision ?? -1) >= revision
  }

  /** Why this worker cannot carry the revision out; undefined while that is not known. */
  problemOf({ uid, revision }: Wanted): Trouble | undefined {
    const failure = this.#failures.get(uid)
    return failure !== undefined && failure.revision >= revision ? failure.trouble : undefined
  }

  /** Asks for what is not here yet. Rejects when the control plane does not answer; what it does not have yet stays absent. */
  async fetch(wanted: readonly Wanted[]): Promise<void> {
    const nowMs = performance.now()
    const absent = wanted.filter((each) => {
      const failure = this.#failures.get(each.uid)
      const isToTry = failure === undefined || failure.revision < each.revision || nowMs - failure.atMs > COMPILE_AGAIN_MS
      return !this.has(each) && isToTry
    })
    const uids = [...new Set(absent.map((each) => each.uid))]
    if (uids.length > 0) for (const useCase of await this.#load(uids)) this.#compile(useCase, nowMs)
  }

  /** Only these are held. */
  keep(uids: ReadonlySet<string>): void {
    for (const uid of this.#routes.keys()) if (!uids.has(uid)) this.#routes.delete(uid)
    for (const uid of this.#failures.keys()) if (!uids.has(uid)) this.#failures.delete(uid)
  }

  #compile(useCase: UseCase, nowMs: number): void {
    const { uid } = useCase
    const revision = Number(useCase.revision)
    if (this.has({ uid, revision })) return
    try {
      this.#routes.set(uid, compileRoute(useCase, this.#means))
      this.#failures.delete(uid)
    } catch (error) {
      const message = `revision ${revision} cannot be carried out by this worker: ${error instanceof Error ? error.message : String(error)}`
      if (this.#failures.get(uid)?.revision !== revision)
        this.#log.error(
          { useCase: useCase.name, revision, error: String(error) },
          'routes: this worker cannot carry out the use case',
        )
      const condition = error instanceof SecretError ? LaneCondition.CREDENTIALS_UNAVAILABLE : LaneCondition.NOT_SUPPORTED
      this.#failures.set(uid, { revision, trouble: { condition, message }, atMs: nowMs })
    }
  }
}
