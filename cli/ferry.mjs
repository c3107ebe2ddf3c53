#!/usr/bin/env node
// Entry of the `ferry` command, for any Node from 20 on. Plain JavaScript, since it decides by what the rest can be run:
// a package has it built to JavaScript (rolldown.config.mjs); a clone has TypeScript, which Node takes from 22.18 on, and npm's Node otherwise.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import module from 'node:module'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

const built = new URL('./dist/main.js', import.meta.url)
const source = new URL('./main.ts', import.meta.url)
const nodeOfNpm = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url))

if (existsSync(built)) await start(built)
else if (process.features.typescript) await start(source)
else if (existsSync(nodeOfNpm)) runWith(nodeOfNpm)
else {
  process.stderr.write(
    `ferry: Node ${process.versions.node} does not run TypeScript. Run npm install in the clone, or use Node 22.18 or later.\n`,
  )
  process.exitCode = 1
}

async function start(entry) {
  // What was compiled once is read from a cache in the directory for temporary files: half of the time until the first line.
  module.enableCompileCache?.()
  await import(entry.href)
}

function runWith(node) {
  // Ctrl-C reaches both; the command decides what it means.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {})
  const { status, signal } = spawnSync(node, process.argv.slice(1), { stdio: 'inherit' })
  process.exitCode = status ?? 128 + constants.signals[signal]
}
