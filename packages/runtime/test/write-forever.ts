import { EMPTY_STATE } from '@vm-sync/core';
import { readStateFile, writeStateFile } from '../src/state-file.ts';

/** Run as a process of its own, to be killed in the middle of a write: each one is larger than a page. */
const path = process.argv[2] ?? '';
const reasons = Array.from({ length: 2_000 }, (_, at) => `reason number ${at}`);
for (let at = (await readStateFile(path))?.samplesSynced ?? 0; ; at++) {
  await writeStateFile(path, { ...EMPTY_STATE, samplesSynced: at, reasons });
}
