import { runDemo } from './demo.ts';

const usage = 'usage: ./setup.sh demo [--exit]';

const args = process.argv.slice(2);
if (args.some((arg) => arg !== '--exit')) {
  process.stderr.write(`${usage}\n`);
  process.exitCode = 2;
} else {
  process.exitCode = await runDemo({ exit: args.includes('--exit') });
}
