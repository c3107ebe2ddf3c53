import { spawn } from 'node:child_process'
import { constants } from 'node:os'

const passed = ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * Runs the command with our standard streams and resolves with its exit code (128 + number when a signal ended it).
 * It is detached from our process group, so that Ctrl-C, which a terminal sends to the whole group, reaches it exactly once: from us.
 */
export function runEntry(node, args, env) {
  const child = spawn(node, args, { env, stdio: 'inherit', detached: true })
  for (const signal of passed) process.on(signal, () => child.kill(signal))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    if (child.pid === undefined) return
    // When we are gone without a word (SIGKILL), this pipe closes and the shell ends the command.
    const guard = spawn('/bin/sh', ['-c', 'read -r line || kill -TERM "$0"', String(child.pid)], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    })
    guard.stdin.on('error', () => {})
    child.once('exit', (code, signal) => {
      guard.stdin.end('ended\n')
      resolve(code ?? 128 + constants.signals[signal])
    })
  })
}
