import { LaneCondition } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { LaneId } from '../../runtime/lane-keys.ts'

interface Trouble {
  readonly condition: LaneCondition
  readonly message: string
}

/** What keeps a lane from moving, each kind apart: one that is over must not hide another. */
export class Troubles {
  /** It cannot start, or could not go on. */
  start: Trouble | undefined
  /** Redis does not take its checkpoints. */
  state: string | undefined
  /** Its partition cannot be read at present. */
  source: string | undefined
  /** Its position is outside of what Kafka has: it does not go on by itself. */
  range: string | undefined
  /** The definition that it should work by cannot be carried out; it works by an older one. */
  definition: string | undefined

  /** The one to tell. */
  get first(): Trouble {
    if (this.start !== undefined) return this.start
    if (this.state !== undefined) return { condition: LaneCondition.STATE_UNAVAILABLE, message: this.state }
    const message = this.range ?? this.source
    if (message !== undefined) return { condition: LaneCondition.SOURCE_ERROR, message }
    return { condition: LaneCondition.UNSPECIFIED, message: this.definition ?? '' }
  }
}

const wayOut = 'What waits is still delivered. To read what is there now, delete this use case and create it again'

/** Kafka has lost records that the lane has passed. */
export const describeCut = ({ topic, partition }: LaneId, position: number, end: number): string =>
  `the log of ${topic}/${partition} was cut at offset ${end}, below the lane's position ${position}: what is appended gets offsets ` +
  `again that were delivered before. ${wayOut}`

/** Another topic has the name. */
export const describeRecreated = ({ topic }: LaneId, was: string, is: string): string =>
  `topic ${topic} was deleted and created again (its id was ${was} and is ${is}): the lane's position is of the old one. ${wayOut}`
