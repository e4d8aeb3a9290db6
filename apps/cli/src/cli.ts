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
import { backfill } from './commands/backfill.ts';
import { check, plan } from './commands/check.ts';
import { doctor } from './commands/doctor.ts';
import { pause, resume } from './commands/pause.ts';
import { serve } from './commands/serve.ts';
import { ready, status } from './commands/status.ts';
import { complain, EXIT, type ExitCode } from './output.ts';

type Action<O> = (config: Config, options: O) => Promise<ExitCode>;

/** Runs a command line; answers with the exit code. */
export async function runCli(args: readonly string[]): Promise<number> {
  let code: number = EXIT.fine;
  const program = new Command('vm-sync')
    .description('keeps two VictoriaMetrics alike, and says when it is safe to fail back')
    .option('--env-file <file>', 'read settings from this file (default: .env when it exists)')
    .exitOverride()
    .showHelpAfterError('(vm-sync --help lists the commands)');
  const command = <O>(name: string, description: string, action: Action<O>): Command =>
    program
      .command(name)
      .description(description)
      // commander passes the command's options before itself.
      .action(async (options: O) => {
        code = await withConfig(program.opts<{ envFile?: string }>().envFile, options, action);
      });

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
  command('backfill', 'prove and repair a range of time', backfill)
    .requiredOption('--from <time>', 'begin, such as 2026-11-01T00:00:00Z')
    .requiredOption('--to <time>', 'end')
    .option('--dry-run', 'only say what would be copied');
  command('pause', 'stop repairing; checks go on', pause);
  command('resume', 'go on repairing', resume);
  command('doctor', 'check both databases, Redis, DNS and their settings', doctor).option(
    '--json',
    'as JSON',
  );
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.fine : EXIT.unknown;
    complain(errorText(error));
    return EXIT.unknown;
  }
}

/** A wrong setting ends a command before it does anything. */
async function withConfig<O>(
  envFile: string | undefined,
  options: O,
  action: Action<O>,
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
