import type { ServiceImpl } from '@connectrpc/connect'
import type { VerificationService } from '../../proto/gen/ferry/v1/verification_service_pb.ts'
import type { CertificateKeys } from '../verifications/certificate-keys.ts'
import { reconciliationMessage } from '../verifications/reconciliation-message.ts'
import type { Reconciliations } from '../verifications/reconciliations.ts'
import type { Verifications } from '../verifications/verifications.ts'
import { answer, callerOf } from './answer.ts'

/** The contract's VerificationService on the domain. */
export function verificationService(
  verifications: Verifications,
  reconciliations: Reconciliations,
  keys: CertificateKeys,
): ServiceImpl<typeof VerificationService> {
  return {
    createVerification: (request, context) =>
      answer(async () => ({ verification: await verifications.create(request, callerOf(context).actor) })),
    getVerification: ({ name }) => answer(async () => ({ verification: await verifications.get(name) })),
    listVerifications: ({ useCase, pageSize, pageToken }) =>
      answer(async () => {
        const { verifications: listed, nextPageToken } = await verifications.list(useCase, pageSize, pageToken)
        return { verifications: [...listed], nextPageToken }
      }),
    cancelVerification: ({ name }) => answer(async () => ({ verification: await verifications.cancel(name) })),
    reportExpectedRecords: (request, context) =>
      answer(async () => ({ windows: await reconciliations.report(request, callerOf(context).actor) })),
    reconcileRecords: ({ useCase, windowIds, pageSize, pageToken }) =>
      answer(async () => {
        const { reconciled, nextPageToken } = await reconciliations.reconcile(useCase, windowIds, pageSize, pageToken)
        return { reconciliations: reconciled.map(reconciliationMessage), nextPageToken }
      }),
    listCertificateKeys: async () => ({ keys: keys.list.map(({ id, publicKey }) => ({ keyId: id, publicKey })) }),
  }
}
