import { LaneCondition } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { TokenSource } from './token-source.ts'

// What must be there before a use case may send at all: an address that may be dialled, a token. While something is missing nothing is sent,
// so that no delivery pays for what is wrong with its use case; it is looked for again and again, by nobody's request.
//
// state    event                            next     does
// OPEN     an attempt met the egress guard  CLOSED   the condition says why
// CLOSED   may a request start? after wait  CLOSED   looks again, beside
// CLOSED   nothing is missing any more      OPEN
// any      an answer pauses the use case    PAUSED   for good: what is resumed is another revision

/** Between two looks at what is missing. */
const LOOK_AGAIN_MS = 2000

export interface Trouble {
  readonly condition: LaneCondition
  readonly message: string
}

/** Whether one revision of a use case may send. */
export class Access {
  #blocked: Trouble | undefined
  readonly #token: TokenSource | undefined
  readonly #look: () => Promise<Trouble | undefined>
  #isLooking = false
  #lookAt = 0

  /** look: what is missing now; it has a deadline of its own, and never rejects. blocked: what is known to be missing already. */
  constructor(look: () => Promise<Trouble | undefined>, blocked: Trouble | undefined, token: TokenSource | undefined) {
    this.#look = look
    this.#blocked = blocked
    this.#token = token
  }

  /** Why nothing is sent; undefined while nothing is known to be wrong. */
  get trouble(): Trouble | undefined {
    return this.#blocked ?? this.#token?.trouble
  }

  get #isPaused(): boolean {
    return this.#blocked?.condition === LaneCondition.PAUSED_BY_ANSWER
  }

  mayStart(now: number): boolean {
    if (this.#blocked === undefined) return this.#token === undefined || this.#token.ready(now)
    if (now >= this.#lookAt && !this.#isLooking && !this.#isPaused) void this.#lookAgain()
    return false
  }

  /** The egress guard has refused a connection. */
  block(message: string, now: number): void {
    if (this.#isPaused) return
    if (this.#blocked === undefined) this.#lookAt = now + LOOK_AGAIN_MS
    this.#blocked = { condition: LaneCondition.ENDPOINT_BLOCKED, message }
  }

  /** An answer says that the use case is to be paused: nothing more is sent by this revision. What is resumed is another one. */
  pause(message: string): void {
    this.#blocked = { condition: LaneCondition.PAUSED_BY_ANSWER, message }
  }

  async #lookAgain(): Promise<void> {
    this.#isLooking = true
    try {
      const missing = await this.#look()
      if (!this.#isPaused) this.#blocked = missing
    } finally {
      this.#isLooking = false
      this.#lookAt = performance.now() + LOOK_AGAIN_MS
    }
  }
}
