import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type Reconciliation, ReconciliationFinding, ReconciliationSchema } from '../../proto/gen/ferry/v1/reconciliation_pb.ts'
import { IncompleteReason } from '../../proto/gen/ferry/v1/verification_pb.ts'
import { expectedMessage } from './expected-window.ts'
import type { Reconciled } from './reconcile.ts'
import { countsMessage } from './verified-message.ts'

/** As the contract has it. */
export const reconciliationMessage = ({
  expected,
  verified,
  findings,
  matches,
  keysKnown,
  keyChecksum,
}: Reconciled): Reconciliation =>
  create(ReconciliationSchema, {
    ...{ expected: expectedMessage(expected), reportTime: timestampFromMs(expected.reportMs), reporter: expected.reporter },
    ...{ matches, findings: findings.map((name) => ReconciliationFinding[name]) },
    incompleteReasons: verified.incompleteReasons.map((name) => IncompleteReason[name]),
    ...{ counts: countsMessage(verified.total), keysKnown: BigInt(keysKnown) },
    ...(keyChecksum === undefined ? {} : { keyChecksum }),
  })
