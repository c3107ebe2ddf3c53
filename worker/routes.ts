import type { UseCase } from '../proto/gen/ferry/v1/use_case_pb.ts'
import type { Logger } from '../runtime/log.ts'
import type { DecodeLimits } from './decode/decode-limits.ts'
import { compileRoute, type Route } from './deliver/route.ts'

/** Definitions as this worker has compiled them, the newest revision of each use case. */
export class Routes {
  readonly #routes = new Map<string, Route>()
  readonly #failed = new Map<string, number>()
  readonly #load: (uids: readonly string[]) => Promise<readonly UseCase[]>
  readonly #limits: DecodeLimits
  readonly #log: Logger

  constructor(load: (uids: readonly string[]) => Promise<readonly UseCase[]>, limits: DecodeLimits, log: Logger) {
    this.#load = load
    this.#limits = limits
    this.#log = log
  }

  get(uid: string): Route | undefined {
    return this.#routes.get(uid)
  }

  /** Brings in what is asked for and not here yet; tries until the control plane answers. */
  async fetch(wanted: readonly { readonly uid: string; readonly revision: number }[]): Promise<void> {
    const absent = [...new Set(wanted.filter((each) => this.#isAbsent(each)).map((each) => each.uid))]
    for (let failures = 0; absent.length > 0; failures++) {
      try {
        for (const useCase of await this.#load(absent)) this.#compile(useCase)
        return
      } catch (error) {
        if (failures === 0)
          this.#log.warn({ error: String(error) }, 'routes: the control plane does not give definitions, trying again')
        await new Promise((resolve) => setTimeout(resolve, Math.min(100 * 2 ** failures, 2000)))
      }
    }
  }

  #isAbsent({ uid, revision }: { readonly uid: string; readonly revision: number }): boolean {
    const known = this.#routes.get(uid)?.plan.revision ?? -1
    return known < revision && this.#failed.get(uid) !== revision
  }

  #compile(useCase: UseCase): void {
    try {
      this.#routes.set(useCase.uid, compileRoute(useCase, this.#limits))
    } catch (error) {
      this.#failed.set(useCase.uid, Number(useCase.revision))
      this.#log.error(
        { useCase: useCase.name, revision: String(useCase.revision), error: String(error) },
        'routes: this worker cannot carry out the use case; its lanes are not started',
      )
    }
  }
}
