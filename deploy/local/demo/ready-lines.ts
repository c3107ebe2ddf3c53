import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { DemoResult } from './run-demo.ts'

const ownGrpcurl = '.local/bin/grpcurl'

/** Lines to paste into a shell while everything still runs, each group under what it shows. */
export function readyLines({ findings, ferry, newService, clickhouseUrl, refused }: DemoResult, database: string): string[] {
  const isThere = existsSync(join(import.meta.dirname, '../../..', ownGrpcurl))
  const name = findings.useCase
  const call = (method: string, body: Record<string, unknown>): string =>
    `${isThere ? ownGrpcurl : 'grpcurl'} -plaintext -d '${JSON.stringify({ useCase: name, ...body })}' ${ferry.controlPlane.grpcAddress} ferry.v1.${method}`
  const post = (method: string): string =>
    `curl -s -H 'content-type: application/json' -d '${JSON.stringify({ useCase: name })}' ${ferry.controlPlane.httpUrl}/ferry.v1.${method}`
  const sql = (query: string): string => `curl -s '${clickhouseUrl}/?database=${database}' -d "${query} FORMAT PrettyCompact"`
  const byOutcome = `SELECT outcome, reason, status, count() AS attempts FROM attempts_live GROUP BY ALL ORDER BY attempts DESC`
  const ofRefused = `SELECT round, attempt, trigger, outcome, status, response_body, attempt_time FROM attempts_live WHERE partition = ${refused.partition} AND offset = ${refused.offset} ORDER BY ALL`
  return [
    '# the API by gRPC: the certificate; what was refused; the life of one refused record; who holds what',
    call('DeliveryService/VerifyRange', {}),
    call('DeliveryService/ListAttempts', { filter: { statuses: [422] }, pageSize: 3 }),
    call('DeliveryService/GetDelivery', refused),
    call('FleetService/ListLanes', {}),
    ...(isThere ? [] : ['# (grpcurl: go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest)']),
    '# the same as JSON over HTTP, the metrics, and what the new service counts',
    post('DeliveryService/GetLag'),
    `curl -s ${ferry.controlPlane.httpUrl}/metrics`,
    `curl -s ${newService.controlUrl}/stats`,
    '# the log by SQL: all attempts by what came of them, and those of a record that was refused at first',
    sql(byOutcome),
    sql(ofRefused),
  ]
}
