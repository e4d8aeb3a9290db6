import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes minutes begins first: at the end, alone, it would leave the processors idle. */
const LONG = [
  'chaos',
  'fidelity',
  'scenario-vmauth',
  'cli-sites',
  'robust-memory',
  'loss-transfers',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification): boolean =>
      LONG.some((name) => moduleId.endsWith(`/${name}.test.ts`));
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: { projects: ['packages/*', 'apps/*'], sequence: { sequencer: LongestFirst } },
});
