import { runBench } from './bench.ts';
import { parseOptions, UsageError } from './options.ts';

try {
  await runBench(parseOptions(process.argv.slice(2)));
} catch (error) {
  const badUsage = error instanceof UsageError;
  process.stderr.write(`bench: ${badUsage ? error.message : (error as Error).stack}\n`);
  process.exit(badUsage ? 2 : 1); // whatever is still running must not keep this alive: it ends with it
}
