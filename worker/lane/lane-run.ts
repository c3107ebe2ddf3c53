import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { readGroupMetadata } from '../../runtime/lane-keys.ts'
import type { Plan } from '../deliver/plan.ts'
import { compileRoute } from '../deliver/route.ts'
import { carriedBy, LaneDriver, type Reply, type World } from './lane-driver.ts'
import { type WorldKafka, WorldLog, WorldRedis } from './lane-world.ts'
import { sampleMeans, sampleRegistryRoute, sampleUseCase } from './sample-route.ts'
import type { WorldSchemas } from './world-schemas.ts'

export interface Step {
  /** Which of the actions that can do something now. */
  readonly pick: number
  readonly n: number
  readonly reply: Reply
  readonly isRetryFirst: boolean
  readonly logIsAway: boolean
  /** Of the inserts on their way in a crash: bit 0 says whether the first arrives. */
  readonly arrives: number
}

/** Three records and no more, and only two that are as long as the model's are. */
const twoOrThree = { maxRecords: 3, maxBytes: 24, maxWait: durationFromMs(0) }

function same(is: unknown, should: unknown, what: string): void {
  if (is !== should) throw new Error(`${what}: ${is}, not ${should}`)
}

/** For tests: a lane, one owner after the other, under a schedule. Throws an Error as soon as something is wrong. */
export class LaneRun {
  readonly #world: World
  readonly #ordering: Plan['ordering']
  #driver: LaneDriver
  #epoch = 1
  /** Offsets that have ended for good: nothing excuses sending them again. */
  readonly #ended = new Set<number>()
  /** Whether there are crashes and moves. */
  readonly #mayBreak: boolean
  /** The last group commit. */
  #committed = { floor: 0, metadata: '' }
  /** Where schemas come from, when values need them. */
  readonly #schemas: WorldSchemas | undefined
  #earlier = new WorldRedis()
  #hasLost = false
  /** Sent once more before Redis lost something, by an owner that died before its row was durable: nobody can know of it. */
  readonly #unknownKeys = new Set<string | undefined>()

  constructor(
    kafka: WorldKafka,
    ordering: Plan['ordering'],
    lane: World['limits'],
    mayBreak: boolean,
    batches: boolean,
    schemas?: WorldSchemas,
  ) {
    this.#schemas = schemas
    kafka.hasSchemas = schemas !== undefined
    const useCase = sampleUseCase(ordering, undefined, undefined, 'value != 1000000000', batches ? twoOrThree : undefined)
    this.#mayBreak = mayBreak
    const [redis, log] = [new WorldRedis(), new WorldLog()]
    this.#ordering = ordering
    this.#world = {
      kafka,
      redis,
      log,
      route: schemas === undefined ? compileRoute(useCase, sampleMeans) : sampleRegistryRoute(useCase, schemas),
      limits: lane,
      arrivals: [],
      nowMs: 1_000_000,
    }
    this.#driver = new LaneDriver(this.#world, this.#epoch, 0)
  }

  async start(): Promise<void> {
    await this.#driver.checkpoint()
  }

  async take(each: Step): Promise<void> {
    const possible = this.#possible(each)
    await possible[each.pick % possible.length]!()
  }

  /** What can do something now, the likelier the oftener. */
  #possible({ n, reply, isRetryFirst, logIsAway, arrives }: Step): (() => unknown)[] {
    const { log, redis } = this.#world
    const driver = this.#driver
    const times = (count: number, isPossible: boolean, action: () => unknown): (() => unknown)[] =>
      isPossible ? Array<() => unknown>(count).fill(action) : []
    return [
      ...times(3, driver.flights.length < 4, () => this.#send(isRetryFirst)),
      ...times(4, driver.flights.length > 0, () => this.#answer(n, reply)),
      ...times(2, driver.mayRead, () => driver.read(n + 1)),
      // As the log does: two inserts at once.
      ...times(3, log.hasOpenRows && log.inserting < 2, () => log.freeze()),
      ...times(3, log.inserting > 0, () => log.land(n % 2)),
      ...times(1, log.hasRanges, () => log.landRanges()),
      ...times(3, this.#schemas?.isAsked === true, () => this.#schemas!.answer(n % 2 === 0)),
      ...times(3, driver.lane.parking.nextDueMs() < Number.POSITIVE_INFINITY, () => this.#retry()),
      ...times(2, true, () => this.#checkpoint(n)),
      ...times(
        1,
        driver.flights.some((load) => driver.holdsUp(load)),
        () => driver.letPass(),
      ),
      ...times(n % 4 === 0 ? 1 : 0, this.#mayBreak, () => this.#crash(arrives, logIsAway)),
      ...times(n % 4 === 1 ? 1 : 0, this.#mayBreak, () => this.#move()),
      // Redis loses something once at most: order across two of its losses is not promised.
      ...times(n === 3 ? 1 : 0, this.#mayBreak && !this.#hasLost, () => this.#flush()),
      ...times(n === 7 ? 1 : 0, this.#mayBreak && !this.#hasLost, () => this.#rollBack()),
      ...times(1, true, () => {
        this.#committed = driver.groupPosition()
      }),
      ...times(n % 4 === 2 ? 1 : 0, redis.version > 0, () => {
        driver.losesReply = true
      }),
    ]
  }

  async #checkpoint(n: number): Promise<void> {
    await this.#driver.checkpoint()
    if (n === 0) this.#earlier = this.#world.redis.copy()
  }

  /** The next parked delivery is due, and its bytes are read. */
  #retry(): Promise<void> {
    this.#world.nowMs = Math.max(this.#world.nowMs, this.#driver.lane.parking.nextDueMs())
    return this.#driver.prepareRetries()
  }

  #send(retryFirst: boolean): boolean {
    const before = this.#world.arrivals.length
    if (!this.#driver.send(retryFirst)) return false
    for (const { offset, round } of this.#world.arrivals.slice(before)) {
      if (this.#ended.has(offset)) throw new Error(`${offset} is sent again although its end was known`)
      if (round === 0) this.#checkTurn(offset)
    }
    return true
  }

  /** Nothing earlier of its key waits. */
  #checkTurn(offset: number): void {
    const key = this.#keyOf(offset)
    if (key === undefined) return
    for (const { ended, sending, ...earlier } of this.#driver.lane.parking.entries())
      if (!ended && !sending && earlier.offset < offset && this.#keyOf(earlier.offset) === key)
        throw new Error(`${offset} overtakes ${earlier.offset} of its key`)
  }

  #answer(index: number, reply: Reply): void {
    for (const offset of this.#driver.reply(index, reply)) this.#ended.add(offset)
  }

  /** The owner dies; another one takes over. */
  async #crash(arrives: number, logIsAway: boolean): Promise<void> {
    const { log, redis } = this.#world
    let bits = arrives << 1
    log.crash(() => {
      bits >>= 1
      return (bits & 1) === 1
    })
    // Known is what the saved state passes; unordered also what the log has.
    for (const offset of this.#ended) {
      const isPassed = offset < redis.cursor && !redis.parked.has(offset)
      if (!isPassed && (this.#ordering !== 'UNORDERED' || logIsAway || !log.hasEnd(offset))) this.#ended.delete(offset)
    }
    this.#driver = new LaneDriver(this.#world, ++this.#epoch, 0, logIsAway)
    await this.#driver.checkpoint()
  }

  /** Redis loses the lane under a living owner; another one goes on from the group's offset. */
  async #flush(): Promise<void> {
    this.#landAll()
    this.#world.redis = Object.assign(new WorldRedis(), { cursor: this.#committed.floor })
    this.#ended.clear()
    this.#driver = new LaneDriver(this.#world, ++this.#epoch, 0, false, this.#committed)
    await this.#driver.checkpoint()
  }

  /** Redis is again what it was some time ago, under a living owner: its next checkpoint is refused, and another one takes over. */
  async #rollBack(): Promise<void> {
    this.#landAll()
    this.#world.redis = this.#earlier.copy()
    await this.#crash(0, false)
  }

  /** An owner that lives inserts its rows, also those of a lane that it has lost. */
  #landAll(): void {
    const { log, arrivals } = this.#world
    this.#hasLost = true
    log.freeze()
    log.crash(() => true)
    for (const { offset } of arrivals) {
      const sent = arrivals.filter((each) => each.offset === offset).length
      const logged = log.rows.filter((row) => row.offset === offset).length
      if (sent > logged && log.hasEnd(offset)) this.#unknownKeys.add(this.#keyOf(offset))
    }
  }

  /** Drain, release, and START at another owner. */
  async #move(): Promise<void> {
    this.#driver.drain()
    const { log } = this.#world
    for (let rounds = 0; ; rounds++) {
      same(rounds < 50, true, 'the lane is released')
      while (this.#driver.flights.length > 0) this.#answer(0, rounds % 2 === 0 ? 'ABORTED' : 'OK')
      log.freeze()
      while (log.inserting > 0) log.land(0)
      log.landRanges()
      if (await this.#driver.checkpoint()) break
    }
    this.#driver = new LaneDriver(this.#world, ++this.#epoch, this.#driver.version)
    await this.#driver.checkpoint()
  }

  check(): void {
    const { redis, log } = this.#world
    const isSafe = (offset: number): boolean => redis.parked.has(offset) || log.hasEnd(offset)
    for (let offset = 0; offset < redis.cursor; offset++)
      if (!isSafe(offset)) throw new Error(`${offset} is lost below the cursor`)
    for (const run of redis.ended)
      for (let offset = run.first; offset <= run.last; offset++)
        if (!log.hasEnd(offset)) throw new Error(`${offset} is lost in ended`)
    const { floor, metadata } = this.#driver.groupPosition()
    const { cursor, open } = readGroupMetadata(metadata)!
    for (let offset = 0; offset < Math.max(floor, cursor); offset++) {
      const isOpen = offset >= floor && open.some((run) => run.first <= offset && offset <= run.last)
      if (!isOpen && !log.hasEnd(offset)) throw new Error(`${offset} is lost in the group commit`)
    }
    this.#checkKeys()
    this.#checkBooks()
  }

  /** What the record must not overtake or be overtaken by others of. */
  #keyOf(offset: number): string | undefined {
    if (this.#ordering === 'PARTITION') return 'all'
    return this.#ordering === 'KEY' ? this.#world.kafka.record(offset)?.key?.toString() : undefined
  }

  #checkKeys(): void {
    const isPartition = this.#ordering === 'PARTITION'
    const keys = this.#driver.flights.flatMap((load) => {
      const ofLoad = carriedBy(load).flatMap(({ row }) => this.#keyOf(row.offset) ?? [])
      return isPartition ? ofLoad.slice(0, 1) : ofLoad
    })
    same(new Set(keys).size, keys.length, `two of a key on their way: ${keys}`)
  }

  #checkBooks(): void {
    const { lane, flights } = this.#driver
    const sums = { redis: 0, unstored: 0, exhausted: 0 }
    for (const entry of lane.parking.entries()) {
      if (entry.where === 'R') sums.redis += entry.bytes
      if (entry.state === 'X' && !entry.ended) sums.exhausted++
      if (entry.where === 'K' || entry.stored) continue
      sums.unstored += entry.bytes
      same(entry.packed === undefined, false, 'bytes that only this process has are gone')
    }
    const { redisBytes, unstoredBytes, exhausted } = lane.parking
    same(lane.inFlight, flights.flatMap(carriedBy).length, 'deliveries on the way')
    same(redisBytes, sums.redis, 'bytes for Redis')
    same(unstoredBytes, sums.unstored, 'bytes that Redis does not have')
    same(exhausted, sums.exhausted, 'exhausted deliveries')
  }

  /** The endpoint takes everything from now on; answers how often each offset was sent. */
  async finish(): Promise<Map<number, number>> {
    const { redis, log, kafka } = this.#world
    for (let rounds = 0; ; rounds++) {
      if (rounds === 400) throw new Error(`stuck at ${redis.cursor} of ${kafka.end}, parked ${[...redis.parked.values()]}`)
      this.#world.nowMs += 2000
      this.#driver.read(8)
      await this.#driver.prepareRetries()
      while (this.#driver.flights.length < 4 && this.#send(rounds % 2 === 0));
      while (this.#driver.flights.length > 0) this.#answer(0, 'OK')
      this.#schemas?.answer(true)
      log.freeze()
      while (log.inserting > 0) log.land(log.inserting - 1)
      log.landRanges()
      await this.#driver.checkpoint()
      this.check()
      if (redis.cursor === kafka.end && redis.parked.size === 0 && !log.busy) break
    }
    const { lane } = this.#driver
    const left = [
      lane.parking.size,
      lane.parking.redisBytes,
      lane.parking.unstoredBytes,
      lane.parking.exhausted,
      redis.bytes.size,
    ]
    same(
      [...left, lane.inFlight, lane.rowsOut, lane.bufferedBytes, lane.loaded.length].join(),
      '0,0,0,0,0,0,0,0,0',
      'what is left',
    )
    for (let offset = 0; offset < kafka.end; offset++) same(log.hasEnd(offset), true, `offset ${offset} has ended`)
    this.#checkLastWords()
    const times = new Map<number, number>()
    for (const { offset } of this.#world.arrivals) times.set(offset, (times.get(offset) ?? 0) + 1)
    return times
  }

  #checkLastWords(): void {
    const { arrivals } = this.#world
    for (const key of ['a', 'b', 'c', 'all']) {
      if (this.#unknownKeys.has(key)) continue
      const words = arrivals.filter(({ offset }) => this.#keyOf(offset) === key).map(({ offset }) => offset)
      same(words.at(-1), words.length === 0 ? undefined : Math.max(...words), `last word of ${key} among ${words}`)
    }
  }
}
