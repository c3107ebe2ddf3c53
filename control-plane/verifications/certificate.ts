import type { Asked } from '../attempts/resolve-ranges.ts'
import type { Counts, Verification } from '../attempts/verify-range.ts'
import { canonicalJson, type Json } from './canonical-json.ts'
import type { CertificateKeys } from './certificate-keys.ts'

/** What a certificate is about. */
export interface Certified {
  /** Name of the verification that counted. */
  readonly verification: string
  readonly useCase: { readonly name: string; readonly uid: string; readonly revision: bigint }
  readonly cluster: string
  readonly topic: string
  readonly asked: Asked
  readonly verified: Verification
  readonly ferryVersion: string
}

/** The contract's Certificate. */
export interface SignedDocument {
  readonly document: string
  readonly signature: Buffer
  readonly keyId: string
}

/** Writes down and signs what was counted. docs/verify.md describes the document: a field may be added, none may change its meaning. */
export function certify(certified: Certified, keys: CertificateKeys): SignedDocument {
  const keyId = keys.signingId
  const document = canonicalJson(documentOf(certified, keyId))
  return { document, signature: keys.sign(document), keyId: keyId ?? '' }
}

function documentOf({ verification, useCase, cluster, topic, asked, verified, ferryVersion }: Certified, keyId?: string): Json {
  const { complete, incompleteReasons, warnings, spooledInserts, topicId, total, partitions, asOfMs } = verified
  return {
    ...{ format: 'ferry.certificate.v1', ferryVersion, verification, keyId: keyId ?? null },
    useCase: { name: useCase.name, uid: useCase.uid, revision: Number(useCase.revision) },
    ...{ cluster, topic, topicId },
    asked: {
      ranges: asked.ranges.map(({ partition, from, to }) => ({ partition, fromOffset: from, toOffset: to })),
      ...{ fromTime: isoOf(asked.fromMs), toTime: isoOf(asked.toMs) },
    },
    ...{ verifyTime: isoOf(asOfMs), complete, incompleteReasons, warnings, spooledInserts, total: countsOf(total) },
    partitions: partitions.map(({ partition, from, to, floor, counts, missing }) => ({
      ...{ partition, fromOffset: from, toOffset: to, floor, counts: countsOf(counts) },
      missing: missing.map(({ first, last }) => ({ firstOffset: first, lastOffset: last })),
    })),
  }
}

const isoOf = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : new Date(ms).toISOString())

function countsOf({ outcomeCounts, holeCounts, ...numbers }: Counts): Json {
  const outcomes = [...outcomeCounts].sort(([a], [b]) => (a < b ? -1 : 1))
  const holes = [...holeCounts].sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    ...numbers,
    outcomeCounts: outcomes.map(([name, count]) => {
      const [outcome, reason] = name.split(' ')
      return { outcome: outcome!, ...(reason === 'UNSPECIFIED' ? {} : { reason: reason! }), count }
    }),
    holeCounts: holes.map(([kind, count]) => ({ kind, count })),
  }
}
