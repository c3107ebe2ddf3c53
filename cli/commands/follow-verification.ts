import { writeFileSync } from 'node:fs'
import { create, toJsonString } from '@bufbuild/protobuf'
import {
  GetVerificationResponseSchema,
  type Verification,
  VerificationSchema,
  VerificationState,
} from '../../proto/gen/ferry/v1/verification_service_pb.ts'
import { CliError } from '../cli-error.ts'
import { ExitCode } from '../exit-code.ts'
import { shortChildName } from '../names.ts'
import type { Session } from '../session.ts'
import { certificateText } from './certificate-text.ts'
import { follow } from './follow.ts'
import { exitCodeOf } from './verify.ts'

/** Shows how far it has counted, then what; with `file`, the certificate goes there. Ctrl-C ends only the watching. */
export async function followVerification(session: Session, name: string, file: string | undefined): Promise<ExitCode> {
  const short = shortChildName(name)
  const verification = await follow<Verification>(session, {
    read: async () => (await session.ferry.verifications.getVerification({ name })).verification!,
    hasEnded: ({ state }) => state !== VerificationState.PENDING && state !== VerificationState.RUNNING,
    progressOf: ({ offsetsDone, offsetsTotal, state }) => ({
      done: Number(offsetsDone),
      total: Number(offsetsTotal),
      notes: state === VerificationState.PENDING ? ['waits for its turn'] : ['offsets'],
    }),
    goesOn: `it is counted on. Follow it: ferry verifications watch ${short}   Stop it: ferry verifications cancel ${short}`,
  })
  if (verification === undefined) return ExitCode.interrupted
  if (verification.state === VerificationState.FAILED) throw new CliError(`${short} could not be counted: ${verification.error}`)
  if (verification.state !== VerificationState.DONE) throw new CliError(`${short} is cancelled`, [], ExitCode.notGood)
  await session.show(VerificationSchema, verification, () => certificateText(session, verification.useCase, verification.result!))
  if (file !== undefined) writeCertificate(session, verification, file)
  return exitCodeOf(verification.result!)
}

/** As GetVerification answers it over HTTP: docs/verify.md says how to check it. */
function writeCertificate({ terminal }: Session, verification: Verification, file: string): void {
  const answer = create(GetVerificationResponseSchema, { verification })
  try {
    writeFileSync(file, `${toJsonString(GetVerificationResponseSchema, answer, { prettySpaces: 2 })}\n`)
  } catch (error) {
    throw new CliError(`cannot write the certificate to ${file}: ${(error as Error).message}`, [
      `it is kept for a while: ferry verifications watch ${shortChildName(verification.name)} --certificate FILE`,
    ])
  }
  const signed = verification.certificate?.keyId
    ? `signed with key ${verification.certificate.keyId}`
    : 'not signed: this Ferry has no key (docs/verify.md)'
  terminal.err(`the certificate is in ${file}, ${signed}\n`)
}
