import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';

/** What a person needs to mend a chunk that failed for good; its log on the board says the same. */
export const showRepairKit =
  ({ kits }: Context): Handler =>
  async ({ params }) => {
    const kit = await kits.load(params['id'] ?? '');
    if (kit) return { status: 200, body: kit };
    const error =
      'this job has no repair kit: only a chunk that failed for good has one, until it succeeds';
    return { status: 404, body: { error } };
  };
