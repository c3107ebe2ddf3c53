import { connect } from 'node:http2'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestServer, type TestServer } from './start-test-server.ts'

const path = '/ferry.v1.UseCaseService/GetUseCase'
/** A field whose wire type does not exist. */
const noMessage = Buffer.from([0xff, 2, 3])

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.close())

test("a binary body that is no message is the caller's mistake over HTTP, not an internal error", async () => {
  const answer = await fetch(`${server.url}${path}`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/proto' }, body: noMessage },
  })
  expect(answer.status).toBe(400)
  expect(await answer.json()).toMatchObject({ code: 'invalid_argument', message: expect.stringContaining('GetUseCaseRequest') })
})

test('an internal error of a handler stays one', async () => {
  const body = JSON.stringify({ name: 'namespaces/a/useCases/boom' })
  const answer = await fetch(`${server.url}${path}`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body },
  })
  expect(answer.status).toBe(500)
})

test("a request that is no message is the caller's mistake over gRPC, too", async () => {
  const session = connect(`http://127.0.0.1:${server.server.grpcPort}`)
  const head = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' }
  const stream = session.request(head)
  const status = new Promise((resolve) => {
    const read = (headers: Record<string, unknown>): void => {
      if (headers['grpc-status'] !== undefined) resolve(headers['grpc-status'])
    }
    stream.on('response', read)
    stream.on('trailers', read)
  })
  stream.resume()
  stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, noMessage.length]), noMessage]))
  expect(await status).toBe('3')
  session.close()
})
