import { createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fromJsonString } from '@bufbuild/protobuf'
import { type Certificate, GetVerificationResponseSchema } from '../../proto/gen/ferry/v1/verification_service_pb.ts'
import { usageError } from '../cli-error.ts'
import { ExitCode } from '../exit-code.ts'
import type { Session } from '../session.ts'

/** Whether an archived certificate is what Ferry has written: by a public key from a file, or by those of the control plane. */
export async function checkCertificate(session: Session, file: string, { publicKey }: { publicKey?: string }): Promise<ExitCode> {
  const certificate = readCertificate(file)
  const { terminal, paint, format } = session
  const key = publicKey === undefined ? await keyOf(session, certificate) : read(publicKey, '--public-key')
  const holds = certificate.signature.length > 0 && isSignedWith(certificate, key)
  if (format === 'table') terminal.out(`${holds ? paint.good('the signature holds') : paint.bad('NOT SIGNED WITH THIS KEY')}\n`)
  else terminal.out(`${JSON.stringify({ holds, key_id: certificate.keyId })}\n`)
  return holds ? ExitCode.done : ExitCode.notGood
}

function readCertificate(file: string): Certificate {
  try {
    const { verification } = fromJsonString(GetVerificationResponseSchema, read(file, 'the certificate'), {
      ignoreUnknownFields: true,
    })
    if (verification?.certificate !== undefined) return verification.certificate
  } catch (error) {
    throw usageError(`${file} is no certificate: ${(error as Error).message}`)
  }
  throw usageError(
    `${file} is no certificate`,
    'it is what ferry verify --certificate FILE writes, or GetVerification answers as JSON',
  )
}

async function keyOf({ ferry }: Session, { keyId }: Certificate): Promise<string> {
  const { keys } = await ferry.verifications.listCertificateKeys({})
  const found = keys.find((each) => each.keyId === keyId)
  if (found === undefined)
    throw usageError(`this Ferry has no key "${keyId}"`, 'give the public key that was archived: --public-key FILE')
  return found.publicKey
}

function isSignedWith({ document, signature }: Certificate, pem: string): boolean {
  try {
    return verify(null, Buffer.from(document), createPublicKey(pem), signature)
  } catch (error) {
    throw usageError(`the public key cannot be read: ${(error as Error).message}`)
  }
}

function read(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw usageError(`cannot read ${path} (${what}): ${(error as Error).message}`)
  }
}
