import { workerData } from 'node:worker_threads'

const LOOK_MS = 1000

/** Ends the process whose parent is gone. */
setInterval(() => {
  if (process.ppid !== workerData) process.kill(process.pid, 'SIGKILL')
}, LOOK_MS)
