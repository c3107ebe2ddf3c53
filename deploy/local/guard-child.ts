import { spawn } from 'node:child_process'

/**
 * Makes sure that a process dies with this one, however this one ends: a shell waits on a pipe whose other end only we hold.
 * The pipe closes when we are gone, also by SIGKILL, and the shell kills the process. Call the answer when the process has
 * ended by itself, so that the shell goes without killing whoever got its pid next.
 */
export function guardChild(pid: number): () => void {
  // Detached: what ends our whole process group must not end the guard before its work.
  const shell = spawn('/bin/sh', ['-c', 'read -r line || kill -KILL "$0"', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  shell.on('error', (error) => {
    throw new Error(`cannot start the guard of process ${pid}: ${error.message}`)
  })
  shell.stdin.on('error', () => {})
  shell.unref()
  return () => shell.stdin.end('ended\n')
}
