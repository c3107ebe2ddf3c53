// `npm run endpoint -- [PORT] [STATUS]`: an endpoint to try Ferry out with. Prints each request on one line, answers STATUS (204).
import { createServer } from 'node:http'

const [port = '9000', status = '204'] = process.argv.slice(2)
if (!/^\d{1,5}$/.test(port) || !/^[2-5]\d\d$/.test(status)) {
  process.stderr.write('usage: npm run endpoint -- [PORT] [STATUS]\n')
  process.exit(2)
}
const server = createServer(async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const { 'ferry-record': record, 'ferry-attempt': attempt } = request.headers
  process.stdout.write(
    `${request.method} ${request.url}  record ${record}  attempt ${attempt}  ${Buffer.concat(chunks).toString().slice(0, 200)}\n`,
  )
  response.writeHead(Number(status)).end()
})
server.on('error', (error) => {
  process.stderr.write(`cannot listen on port ${port}: ${error.message}\n`)
  process.exit(1)
})
server.listen(Number(port), '127.0.0.1', () =>
  process.stderr.write(`answers ${status} at http://localhost:${port}/  (Ctrl-C ends it)\n`),
)
