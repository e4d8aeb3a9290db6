import { userInfo } from 'node:os';
import { errorText, VmSyncError } from '@vm-sync/core';
import type { AuditStore } from '@vm-sync/queue';
import { complain } from './output.ts';

/** Who types: the system's user, or its number where that has no name. */
function typist(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

/** Does what a person typed, and leaves a line in the audit log: that it was done, or the sentence that refused it. */
export async function audited<T>(
  audit: AuditStore,
  { action, what = '' }: { readonly action: string; readonly what?: string },
  act: (who: string) => Promise<T>,
): Promise<T> {
  const who = typist();
  const note = (result: string) =>
    audit
      .add({ atMs: Date.now(), who, by: 'command', action, what, result })
      .catch((error: Error) =>
        complain(`this could not be noted in the audit log: ${error.message}`),
      );
  try {
    const done = await act(who);
    await note('done');
    return done;
  } catch (error) {
    if (error instanceof VmSyncError) await note(errorText(error));
    throw error;
  }
}
