import { readFileSync } from 'node:fs'

/** Whether a process runs, on Linux. One that has ended and waits for init to take note (a zombie) does not; signal 0 would reach it. */
export function isAlive(pid: number): boolean {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return false
  }
  return !/^[ZX]$/.test(stat.charAt(stat.lastIndexOf(')') + 2))
}
