import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { type Stack, startStack } from '../deploy/local/stack.ts'

/** Addresses of the one stack that all test files of a run share. */
export interface StackAddresses {
  readonly kafkaBrokers: string[]
  readonly redisUrl: string
  readonly clickhouseUrl: string
}

declare module 'vitest' {
  interface ProvidedContext {
    /** Answers StackAddresses as JSON. The first question starts the stack: a run that needs none pays nothing. */
    sharedStackUrl: string
  }
}

let dataDir: string | undefined
let starting: Promise<Stack> | undefined
let server: Server

async function sharedAddresses(): Promise<StackAddresses> {
  dataDir ??= mkdtempSync(join(tmpdir(), `ferry-test-${process.pid}-`))
  starting ??= startStack({ dataDir, onDeath: (message) => console.error(`the shared stack is broken: ${message}`) })
  const { kafkaBrokers, redisUrl, clickhouseUrl } = await starting
  return { kafkaBrokers, redisUrl, clickhouseUrl }
}

/** Run by vitest in its main process, before the first test file. */
export async function setup(project: TestProject): Promise<void> {
  server = createServer((_request, response) => {
    sharedAddresses().then(
      (addresses) => response.end(JSON.stringify(addresses)),
      (error: Error) => response.writeHead(500).end(error.message),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  project.provide('sharedStackUrl', `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
}

export async function teardown(): Promise<void> {
  server.close()
  server.closeAllConnections()
  const stack = await starting?.catch(() => undefined)
  await stack?.stop()
  if (dataDir !== undefined) rmSync(dataDir, { recursive: true, force: true })
}
