import type { DescService } from '@bufbuild/protobuf'
import type { CallOptions, Client } from '@connectrpc/connect'
import type { Fleet } from '../fleet/fleet.ts'
import type { LeaderClient, Taken } from '../fleet/leader-client.ts'
import { answerFleet } from './fleet-errors.ts'

/** Who does what only the leader can do. */
export interface Leading {
  readonly fleet: Pick<Fleet, 'lead'>
  readonly leader: LeaderClient
}

/** Does the work on the replica that leads; another one hands the call to it, as the same method. */
export const onLeader = <S extends DescService, A, B>(
  { fleet, leader }: Leading,
  service: S,
  taken: Taken,
  handOn: (client: Client<S>, options: CallOptions) => Promise<A>,
  work: () => Promise<B>,
): Promise<A | B> => answerFleet<A | B>(() => (fleet.lead() === undefined ? leader.call(service, taken, handOn) : work()))
