import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import type { Actions } from './act.ts'
import { declareBatches } from './batches.ts'
import { declareDeliveries } from './deliveries.ts'
import { declareFleet } from './fleet.ts'
import { declareReplays } from './replays.ts'
import { declareShell } from './shell.ts'
import { declareTokens } from './tokens.ts'
import { declareUseCases } from './use-cases.ts'
import { declareVerifications } from './verifications.ts'

const helpWidthMax = 120

/** The whole command line: what can be said, not how it is done. That is loaded by the command that needs it. */
export function buildProgram(actions: Actions): Command {
  const { terminal } = actions
  const program = new Command('ferry')
    .description('Looks at deliveries, proves that nothing is missing, sends again what failed, and registers use cases.')
    .version(versionOfPackage(), '--version')
    .option('-n, --namespace <name>', 'namespace of short names, as FERRY_NAMESPACE')
    .option('-o, --output <format>', 'table, json or yaml')
    .option('--address <host:port>', 'control plane, gRPC; https://host:port for TLS; as FERRY_ADDRESS (localhost:7070)')
    .option('--token <token>', 'bearer token; better FERRY_TOKEN or a file: others on this machine see command lines')
    .option('--token-file <file>', 'file with the token, as FERRY_TOKEN_FILE')
    .option('--ca <file>', 'PEM file of the CA of its certificate, as FERRY_CA')
    .option('--client-cert <file>', 'PEM file of a client certificate, as FERRY_CLIENT_CERT')
    .option('--client-key <file>', 'PEM file of its private key, as FERRY_CLIENT_KEY')
    .option('--timeout <duration>', 'a call that takes longer has failed (60s)')
    .option('--context <name>', 'a context of the config file, as FERRY_CONTEXT')
    .option('--config <file>', 'config file, as FERRY_CONFIG (~/.config/ferry/config.yaml)')
    .option('--no-color', 'no colours, as NO_COLOR')
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: false, helpWidth: Math.min(terminal.width ?? helpWidthMax, helpWidthMax) })
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.err(text) })
    .addHelpText('after', afterHelp)
  program.commandsGroup('Use cases:')
  declareUseCases(program, actions)
  program.commandsGroup('Deliveries:')
  declareDeliveries(program, actions)
  declareVerifications(program, actions)
  program.commandsGroup('Send again:')
  declareBatches(program, actions)
  declareReplays(program, actions)
  program.commandsGroup('Fleet:')
  declareFleet(program, actions)
  program.commandsGroup('Access:')
  declareTokens(program, actions)
  program.commandsGroup('This command:')
  declareShell(program, actions)
  return program
}

const afterHelp = `
Names are NAMESPACE/ID, or ID with --namespace or FERRY_NAMESPACE. Records are PARTITION/OFFSET.
Exit codes: 0 done, 1 failed, 2 usage, 3 records are missing, 4 the result is not the good one, 5 not reachable now,
6 not allowed, 7 not found, 130 Ctrl-C.`

function versionOfPackage(): string {
  // cli/program/ in a clone, cli/dist/ in a package: both are two below.
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  return version
}
