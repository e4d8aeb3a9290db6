import { runCli } from './cli.ts';
import { endQuietlyWhenClosed } from './output.ts';

endQuietlyWhenClosed();
process.exitCode = await runCli(process.argv.slice(2));
