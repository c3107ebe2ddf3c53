import type { Command } from 'commander'
import type { ApplyOptions } from '../commands/apply.ts'
import type { PauseOptions } from '../commands/pause.ts'
import type { PreviewOptions } from '../commands/preview.ts'
import type { TestOptions } from '../commands/test.ts'
import type { Actions } from './act.ts'
import { again, positive } from './parse-flags.ts'

/** Commands that register, look at, try and stop use cases. */
export function declareUseCases(program: Command, { act }: Actions): void {
  program
    .command('apply')
    .description('register and change use cases as files say; shows the differences and asks')
    .requiredOption('-f, --file <path>', 'YAML or JSON, a folder of them, or - for standard input; may be given again', again)
    .option('--dry-run', 'show what would change, and change nothing')
    .option('--prune', 'delete what the namespace has and no file')
    .option('-y, --yes', 'do not ask')
    .action(act<ApplyOptions>(async (session, _, options) => (await import('../commands/apply.ts')).apply(session, options)))
  program
    .command('get')
    .description('list use cases, or show some')
    .argument('[use-case...]')
    .option('-A, --all-namespaces', 'also where --namespace or FERRY_NAMESPACE says one')
    .action(
      act<{ allNamespaces?: boolean }>(async (session, [names], options) =>
        (await import('../commands/get.ts')).get(session, names, options),
      ),
    )
  program
    .command('describe')
    .description('all of one use case: spec, state, lanes, what holds it up and what to do')
    .argument('<use-case>')
    .action(act(async (session, [name]) => (await import('../commands/describe.ts')).describe(session, name)))
  program
    .command('pause')
    .description('drain the lanes of a use case and hold them; nothing is lost')
    .argument('<use-case>')
    .requiredOption('--reason <text>', 'why: everybody who wonders sees it')
    .option('--until <time>', 'go on by itself then: 2h from now, or a time')
    .action(
      act<PauseOptions>(async (session, [name], options) => (await import('../commands/pause.ts')).pause(session, name, options)),
    )
  program
    .command('resume')
    .description('let a paused use case go on')
    .argument('<use-case>')
    .action(act(async (session, [name]) => (await import('../commands/pause.ts')).resume(session, name)))
  program
    .command('delete')
    .description('drain and delete a use case')
    .argument('<use-case>')
    .option('--force', 'also when deliveries wait: they end SKIPPED')
    .option('-y, --yes', 'do not ask')
    .action(
      act<{ force?: boolean; yes?: boolean }>(async (session, [name], options) =>
        (await import('../commands/delete.ts')).deleteUseCase(session, name, options),
      ),
    )
  program
    .command('preview')
    .description('say what would become of real records; sends nothing')
    .argument('[use-case]')
    .option('-f, --file <path>', 'a definition to try, registered or not')
    .option('--at <partition/offset>', 'from this record on (the newest)')
    .option('--since <time>', 'from this time on, in each partition')
    .option('--limit <n>', 'records, at most 100 (10)', positive)
    .action(
      act<PreviewOptions>(async (session, [name], options) =>
        (await import('../commands/preview.ts')).preview(session, name, options),
      ),
    )
  program
    .command('test')
    .description('send one record, or a sample, to the endpoint now; it counts as no attempt')
    .argument('[use-case]')
    .option('-f, --file <path>', 'a definition to try, registered or not')
    .option('--at <partition/offset>', 'a record of the topic')
    .option('--value <text>', 'a sample: its value as it would be in Kafka')
    .option('--value-file <file>', 'a sample: its value from a file')
    .option('--tombstone', 'a sample without a value')
    .option('--key <text>', 'key of the sample')
    .option('--header <name=value>', 'Kafka header of the sample; may be given again', again)
    .action(
      act<TestOptions>(async (session, [name], options) => (await import('../commands/test.ts')).test(session, name, options)),
    )
}
