import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../deploy/local/free-port.ts'
import { LocalProcess } from '../deploy/local/local-process.ts'

const readyMsMax = 10_000
const probeMsMax = 1_000

/** An nginx that answers 204 to every request: an endpoint that costs as little as can be. */
export interface NginxSink {
  /** Takes requests, whatever comes behind the slash. */
  readonly url: string
  readonly process: LocalProcess
  /** Requests that it has begun to answer since its start. */
  countRequests(): Promise<number>
}

/** Starts it on a free port and resolves when it answers. What it needs and writes is in `{dataDir}/nginx`. */
export async function startNginx(dataDir: string): Promise<NginxSink> {
  const dir = join(dataDir, 'nginx')
  mkdirSync(dir, { recursive: true })
  const port = await freePort()
  const config = readFileSync(join(import.meta.dirname, 'nginx.conf'), 'utf8')
  writeFileSync(join(dir, 'nginx.conf'), config.replaceAll('@PORT@', String(port)))
  const url = `http://127.0.0.1:${port}/`
  const countRequests = requestCounter(`${url}status`)
  const process = new LocalProcess({
    name: 'nginx',
    command: 'nginx',
    // The error log is named here too: before it reads its configuration nginx would open the system's own.
    args: ['-p', dir, '-c', 'nginx.conf', '-e', 'stderr'],
    dataDir: dir,
    isReady: () =>
      countRequests().then(
        () => true,
        () => false,
      ),
  })
  await process.waitReady(readyMsMax)
  return { url, process, countRequests }
}

/** nginx counts the questions for its count too: they are taken off again. */
function requestCounter(statusUrl: string): () => Promise<number> {
  let asked = 0
  return async () => {
    const answer = await fetch(statusUrl, { signal: AbortSignal.timeout(probeMsMax) })
    const text = await answer.text()
    // "server accepts handled requests\n 5 5 812"
    const match = /requests\s+\d+\s+\d+\s+(\d+)/.exec(text)
    if (match === null) throw new Error(`nginx has no status page at ${statusUrl}: ${text}`)
    return Number(match[1]) - ++asked
  }
}
