import { errorText } from '@vm-sync/core';
import { type Config, envToConfig, readEnv, secretsOf, withoutSecrets } from '@vm-sync/runtime';
import { Command, CommanderError } from 'commander';
import { accept } from './commands/accept.ts';
import { backfill, changeBackfill, listBackfills, watchBackfill } from './commands/backfill.ts';
import { certificate } from './commands/certificate.ts';
import { check, plan } from './commands/check.ts';
import { doctor } from './commands/doctor.ts';
import { printPasswordHash } from './commands/hash-password.ts';
import { notify } from './commands/notify.ts';
import { pause, resume } from './commands/pause.ts';
import { pin, unpin } from './commands/pin.ts';
import { reconcile, stopReconcile } from './commands/reconcile.ts';
import { listRuns } from './commands/runs.ts';
import { serve } from './commands/serve.ts';
import { ready, status } from './commands/status.ts';
import { explain } from './help.ts';
import { EXIT, type ExitCode, fail, type Json, printJson } from './output.ts';

type Action<O> = (config: Config, options: O, args: readonly string[]) => Promise<ExitCode>;

/** Runs a command line; answers with the exit code. */
export async function runCli(args: readonly string[]): Promise<number> {
  let code: number = EXIT.fine;
  const program = new Command('vm-sync')
    .description('keeps two VictoriaMetrics alike, and says when it is safe to fail back')
    .option('--env-file <file>', 'read settings from this file (default: .env when it exists)')
    .option('--no-color', 'no colours, also on a terminal; NO_COLOR and FORCE_COLOR are respected')
    .on('option:no-color', withoutColours)
    .exitOverride()
    .showHelpAfterError('(vm-sync --help lists the commands)');
  explain(program, '');
  const commandOf = <O extends Json>(
    parent: Command,
    name: string,
    description: string,
    action: Action<O>,
    options?: { isDefault: boolean },
  ): Command =>
    explain(parent.command(name, options ?? {}), [...pathOf(parent), name].join(' '))
      .description(description)
      .action(async (...passed: unknown[]) => {
        // commander passes a command's arguments, its options, and the command itself.
        const own = passed.at(-1) as Command;
        const { envFile } = program.opts<{ envFile?: string }>();
        code = await withConfig(envFile, own.opts() as O, (config, options) =>
          action(config, options, own.args),
        );
      });
  const command = <O extends Json>(name: string, description: string, action: Action<O>): Command =>
    commandOf(program, name, description, action);

  command(
    'up',
    'scheduler, worker and dashboard in one process',
    serve(['scheduler', 'worker', 'dashboard']),
  );
  command('scheduler', 'checks every CHECK_INTERVAL, beginning at once', serve(['scheduler']));
  command('worker', 'repairs chunks; start as many as you like', serve(['worker']));
  command('dashboard', 'status page, Bull Board, metrics', serve(['dashboard']));
  command('check', 'compare both sites now; writes nothing', check).option('--json', 'as JSON');
  command('plan', 'what a repair would copy; writes nothing', plan).option('--json', 'as JSON');
  command('status', 'what the last check saw', status)
    .option('--watch', 'until Ctrl-C; where it is no terminal, the lines that are new')
    .option('--every <duration>', 'how often --watch looks', '2s')
    .option('--json', 'as JSON');
  command('ready', 'exit 0 only when parity is proven', ready)
    .option('--site <site>', 'primary or dr: is this site proven complete?')
    .option('--json', 'as JSON');
  command('runs', 'the last repairs', listRuns).option('--json', 'as JSON');
  command(
    'certificate',
    'the parity certificate; exit 0 only when it is valid',
    certificate,
  ).option('--json', 'as JSON');
  const backfills = program
    .command('backfill')
    .usage('--from <time> --to <time> [options] | list | watch|pause|resume|cancel <id>')
    .description('prove and repair a range of time; list, watch, pause, resume, cancel')
    .hook('preSubcommand', refuseUnknown);
  explain(backfills, 'backfill');
  commandOf(backfills, 'start', 'begin one (also without this word)', backfill, { isDefault: true })
    .requiredOption('--from <time>', 'begin: 2026-11-01T00:00:00Z, or how long ago: 72h, 30d')
    .requiredOption('--to <time>', 'end, in the same way')
    .option('--match <selector>', 'only these series; may be repeated', collect, [])
    .option('--dry-run', 'only say what would be copied; needs no Redis')
    .option('--watch', 'wait until it has ended, and show how far it is')
    .option('--json', 'as JSON');
  commandOf(backfills, 'list', 'the backfills, and how far they are', listBackfills).option(
    '--json',
    'as JSON',
  );
  commandOf(backfills, 'watch', 'wait until it has ended, and show how far it is', watchBackfill)
    .argument('<id>')
    .option('--json', 'as JSON');
  for (const change of ['pause', 'resume', 'cancel'] as const) {
    commandOf(backfills, change, `${change} a backfill`, changeBackfill(change))
      .argument('<id>')
      .option('--json', 'as JSON');
  }
  const reconciles = program
    .command('reconcile')
    .usage('[options] | cancel')
    .description('recover once what only the passive site has; cancel')
    .hook('preSubcommand', refuseUnknown);
  explain(reconciles, 'reconcile');
  commandOf(reconciles, 'start', 'begin it (also without this word)', reconcile, {
    isDefault: true,
  })
    .option('--dry-run', 'only say what would be copied; needs no Redis')
    .option('--json', 'as JSON');
  commandOf(reconciles, 'cancel', 'stop it; what was copied stays', stopReconcile).option(
    '--json',
    'as JSON',
  );
  command('pause', 'stop repairing; checks go on', pause).option('--json', 'as JSON');
  command('resume', 'go on repairing', resume).option('--json', 'as JSON');
  command('pin', 'take a site for the active one, whatever DNS says', pin)
    .argument('<site>', 'primary or dr')
    .requiredOption('--for <duration>', 'for how long: 30m, 2h, 1d; a week at the most')
    .option('--json', 'as JSON');
  command('unpin', 'follow DNS or ACTIVE_SITE again', unpin).option('--json', 'as JSON');
  command('accept', "confirm that the VM at a site's URL is the right one", accept)
    .requiredOption('--site <site>', 'primary or dr')
    .option('--json', 'as JSON');
  command('notify', 'send a test message to every NOTIFY_WEBHOOK', notify)
    .requiredOption('--test', 'say that it is a test; there is nothing else to send by hand')
    .option('--json', 'as JSON');
  command('doctor', 'check both databases, Redis, DNS and their settings', doctor).option(
    '--json',
    'as JSON',
  );
  program
    .command('hash-password')
    .description(
      'reads a password from standard input, prints its hash for DASHBOARD_PASSWORD_HASH',
    )
    .action(async () => {
      code = await printPasswordHash(process.stdin);
    });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    const json = args.includes('--json');
    if (!(error instanceof CommanderError)) return fail(error, { json });
    if (error.exitCode === 0) return EXIT.fine;
    // commander has told it on standard error.
    if (json) printJson({ error: error.message.replace(/^error: /, '') });
    return EXIT.unknown;
  }
}

/** Node reads the environment whenever something is coloured. */
function withoutColours(): void {
  delete process.env['FORCE_COLOR'];
  process.env['NO_COLOR'] = '1';
}

/** The names of a command and of those above it, below the program's own. */
const pathOf = (command: Command): string[] =>
  command.parent ? [...pathOf(command.parent), command.name()] : [];

/** A word that is no subcommand would go to the one that needs none, and be refused there in strange words. */
function refuseUnknown(group: Command): void {
  const [word = ''] = group.args;
  const names = group.commands.map((one) => one.name());
  if (word === '' || word.startsWith('-') || names.includes(word) || word === 'help') return;
  group.error(`error: unknown command '${word}' (vm-sync ${group.name()} has ${names.join(', ')})`);
}

const collect = (text: string, before: readonly string[]): readonly string[] => [...before, text];

/** A wrong setting ends a command before it does anything. */
async function withConfig<O extends Json>(
  envFile: string | undefined,
  options: O,
  action: (config: Config, options: O) => Promise<ExitCode>,
): Promise<ExitCode> {
  let config: Config;
  try {
    config = envToConfig(readEnv(process.env, envFile));
  } catch (error) {
    return fail(error, options);
  }
  try {
    return await action(config, options);
  } catch (error) {
    return fail(withoutSecrets(errorText(error), secretsOf(config)), options);
  }
}
