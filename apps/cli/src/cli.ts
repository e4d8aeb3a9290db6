import { errorText } from '@vm-sync/core';
import {
  type Config,
  ConfigError,
  envToConfig,
  readEnv,
  secretsOf,
  withoutSecrets,
} from '@vm-sync/runtime';
import { Command, CommanderError } from 'commander';
import { accept } from './commands/accept.ts';
import { backfill, changeBackfill, listBackfills } from './commands/backfill.ts';
import { check, plan } from './commands/check.ts';
import { doctor } from './commands/doctor.ts';
import { printPasswordHash } from './commands/hash-password.ts';
import { pause, resume } from './commands/pause.ts';
import { pin, unpin } from './commands/pin.ts';
import { reconcile, stopReconcile } from './commands/reconcile.ts';
import { serve } from './commands/serve.ts';
import { ready, status } from './commands/status.ts';
import { complain, EXIT, type ExitCode } from './output.ts';

type Action<O> = (config: Config, options: O, args: readonly string[]) => Promise<ExitCode>;

/** Runs a command line; answers with the exit code. */
export async function runCli(args: readonly string[]): Promise<number> {
  let code: number = EXIT.fine;
  const program = new Command('vm-sync')
    .description('keeps two VictoriaMetrics alike, and says when it is safe to fail back')
    .option('--env-file <file>', 'read settings from this file (default: .env when it exists)')
    .exitOverride()
    .showHelpAfterError('(vm-sync --help lists the commands)');
  const commandOf = <O>(
    parent: Command,
    name: string,
    description: string,
    action: Action<O>,
    options?: { isDefault: boolean },
  ): Command =>
    parent
      .command(name, options ?? {})
      .description(description)
      .action(async (...passed: unknown[]) => {
        // commander passes a command's arguments, its options, and the command itself.
        const own = passed.at(-1) as Command;
        const { envFile } = program.opts<{ envFile?: string }>();
        code = await withConfig(envFile, own.opts() as O, (config, options) =>
          action(config, options, own.args),
        );
      });
  const command = <O>(name: string, description: string, action: Action<O>): Command =>
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
  command('status', 'what the last check saw', status).option('--json', 'as JSON');
  command('ready', 'exit 0 only when parity is proven', ready).option(
    '--site <site>',
    'primary or dr: is this site proven complete?',
  );
  const backfills = program
    .command('backfill')
    .usage('--from <time> --to <time> [options] | list | pause|resume|cancel <id>')
    .description('prove and repair a range of time; list, pause, resume, cancel');
  commandOf(backfills, 'start', 'begin one (also without this word)', backfill, { isDefault: true })
    .requiredOption('--from <time>', 'begin: 2026-11-01T00:00:00Z, or how long ago: 72h, 30d')
    .requiredOption('--to <time>', 'end, in the same way')
    .option('--match <selector>', 'only these series; may be repeated', collect, [])
    .option('--dry-run', 'only say what would be copied; needs no Redis')
    .option('--json', 'as JSON');
  commandOf(backfills, 'list', 'the backfills, and how far they are', listBackfills).option(
    '--json',
    'as JSON',
  );
  for (const change of ['pause', 'resume', 'cancel'] as const) {
    commandOf(backfills, change, `${change} a backfill`, changeBackfill(change)).argument('<id>');
  }
  const reconciles = program
    .command('reconcile')
    .usage('[options] | cancel')
    .description('recover once what only the passive site has; cancel');
  commandOf(reconciles, 'start', 'begin it (also without this word)', reconcile, {
    isDefault: true,
  })
    .option('--dry-run', 'only say what would be copied; needs no Redis')
    .option('--json', 'as JSON');
  commandOf(reconciles, 'cancel', 'stop it; what was copied stays', stopReconcile);
  command('pause', 'stop repairing; checks go on', pause);
  command('resume', 'go on repairing', resume);
  command('pin', 'take a site for the active one, whatever DNS says', pin)
    .argument('<site>', 'primary or dr')
    .requiredOption('--for <duration>', 'for how long: 30m, 2h, 1d; a week at the most');
  command('unpin', 'follow DNS or ACTIVE_SITE again', unpin);
  command('accept', "confirm that the VM at a site's URL is the right one", accept).requiredOption(
    '--site <site>',
    'primary or dr',
  );
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
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.fine : EXIT.unknown;
    complain(errorText(error));
    return EXIT.unknown;
  }
}

const collect = (text: string, before: readonly string[]): readonly string[] => [...before, text];

/** A wrong setting ends a command before it does anything. */
async function withConfig<O>(
  envFile: string | undefined,
  options: O,
  action: (config: Config, options: O) => Promise<ExitCode>,
): Promise<ExitCode> {
  let config: Config;
  try {
    config = envToConfig(readEnv(process.env, envFile));
  } catch (error) {
    complain(error instanceof ConfigError ? error.message : errorText(error));
    return EXIT.unknown;
  }
  try {
    return await action(config, options);
  } catch (error) {
    complain(withoutSecrets(errorText(error), secretsOf(config)));
    return EXIT.unknown;
  }
}
