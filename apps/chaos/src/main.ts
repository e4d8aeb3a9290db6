import { type ChaosResult, ChaosViolation, runChaos } from '@vm-sync/fault-bench';
import { type Options, parseOptions, UsageError } from './options.ts';
import { runText, totalText } from './report.ts';

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Every seed, some at a time; resolves to the exit code when all have ended. */
async function runAll({ seeds, lengthMs, parallel, verbose }: Options): Promise<number> {
  const left = [...seeds];
  const results: ChaosResult[] = [];
  let violated = 0;
  const runSome = async (): Promise<void> => {
    for (let seed = left.shift(); seed !== undefined; seed = left.shift()) {
      const onLine = verbose ? (line: string) => say(`[${seed}] ${line}`) : () => {};
      try {
        const result = await runChaos({ seed, lengthMs, onLine });
        results.push(result);
        say(runText(result));
      } catch (error) {
        if (!(error instanceof ChaosViolation)) throw error;
        violated += 1;
        say(error.message);
      }
    }
  };
  await Promise.all(Array.from({ length: parallel }, runSome));
  if (results.length > 0) say(totalText(results));
  if (violated > 0) say(`${violated} of ${seeds.length} runs with a violation`);
  return violated > 0 ? 1 : 0;
}

try {
  process.exit(await runAll(parseOptions(process.argv.slice(2))));
} catch (error) {
  const badUsage = error instanceof UsageError;
  process.stderr.write(`chaos: ${badUsage ? error.message : (error as Error).stack}\n`);
  process.exit(2); // whatever is still running must not keep this alive: it ends with it
}
