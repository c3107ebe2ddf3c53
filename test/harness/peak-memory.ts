import { readFileSync } from 'node:fs'

/** The most memory that a process has had resident at once, in MB, as the kernel has it (VmHWM). */
export function peakMemoryMb(pid: number): number {
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  if (kib === undefined) throw new Error(`/proc/${pid}/status does not say how much memory the process has had`)
  return Number(kib) / 1024
}
