import { runFerry } from './run-ferry.ts'
import { processTerminal } from './terminal.ts'

const args = process.argv.slice(2)
process.exitCode = await runFerry(args, processTerminal(args))
