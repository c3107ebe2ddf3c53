import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { DemoResult } from './run-demo.ts'

const ownGrpcurl = '.local/bin/grpcurl'

/** Lines to paste into a shell while everything still runs, each group under what it shows. */
export function readyLines({ findings, ferry, newService, clickhouseUrl }: DemoResult, database: string): string[] {
  const isThere = existsSync(join(import.meta.dirname, '../../..', ownGrpcurl))
  const name = findings.useCase
  const call = (method: string, body: Record<string, unknown>): string =>
    `${isThere ? ownGrpcurl : 'grpcurl'} -plaintext -d '${JSON.stringify({ useCase: name, ...body })}' ${ferry.controlPlane.grpcAddress} ferry.v1.${method}`
  const post = (method: string): string =>
    `curl -s -H 'content-type: application/json' -d '${JSON.stringify({ useCase: name })}' ${ferry.controlPlane.httpUrl}/ferry.v1.${method}`
  const sql = (query: string): string => `curl -s '${clickhouseUrl}/?database=${database}' -d "${query} FORMAT PrettyCompact"`
  const byOutcome = `SELECT outcome, reason, status, count() AS attempts FROM attempts_live GROUP BY ALL ORDER BY attempts DESC`
  const byHand = `SELECT partition, offset, round, attempt, outcome, status, response_body FROM attempts_live WHERE key IN (SELECT key FROM attempts_live WHERE status = 422 LIMIT 1) ORDER BY attempt_time`
  return [
    '# the API by gRPC: the certificate, what was refused, the life of one record, who holds what',
    call('DeliveryService/VerifyRange', {}),
    call('DeliveryService/ListAttempts', { filter: { statuses: [422] }, pageSize: 3 }),
    call('DeliveryService/GetDelivery', { partition: 0, offset: 0 }),
    call('FleetService/ListLanes', {}),
    ...(isThere ? [] : ['# (grpcurl: go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest)']),
    '# the same as JSON over HTTP, the metrics, and what the new service counts',
    post('DeliveryService/GetLag'),
    `curl -s ${ferry.controlPlane.httpUrl}/metrics`,
    `curl -s ${newService.controlUrl}/stats`,
    '# the log by SQL: all attempts by what came of them, and those of a row that was refused at first',
    sql(byOutcome),
    sql(byHand),
  ]
}
