import { create } from '@bufbuild/protobuf'
import type { ServiceImpl } from '@connectrpc/connect'
import { TokenSchema, type TokenService } from '../../proto/gen/ferry/v1/token_service_pb.ts'
import type { Tokens } from '../access/tokens.ts'
import { answer, callerOf } from './answer.ts'

/** The contract's TokenService on the domain. */
export function tokenService(tokens: Tokens): ServiceImpl<typeof TokenService> {
  return {
    createToken: ({ tokenId, token }, context) =>
      answer(() => tokens.create(tokenId, token ?? create(TokenSchema), callerOf(context))),
    listTokens: ({ pageSize, pageToken, showEnded }, context) =>
      answer(async () => {
        const page = await tokens.list(callerOf(context).identity, pageSize, pageToken, showEnded)
        return { tokens: [...page.tokens], nextPageToken: page.nextPageToken }
      }),
    revokeToken: ({ name, reason }, context) =>
      answer(async () => ({ token: await tokens.revoke(name, reason, callerOf(context)) })),
  }
}
