import { PinRefusedError, readPinWish } from '@vm-sync/core';
import { askForPin, askForUnpin, PinRequest } from '@vm-sync/queue';
import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';

/** Asks the scheduler to take a site for the active one, for a time, whatever DNS says. */
export const pinDirection =
  ({ queues }: Context): Handler =>
  async ({ body }) => {
    const wish = PinRequest.safeParse(body ?? {});
    if (!wish.success) {
      const error = 'expected site and for, such as {"site": "dr", "for": "2h"}, as JSON or a form';
      return { status: 400, body: { error } };
    }
    try {
      const pin = readPinWish(wish.data, Date.now());
      await askForPin(queues.checks, pin);
      return { status: 202, body: { pin } };
    } catch (error) {
      if (!(error instanceof PinRefusedError)) throw error;
      return { status: 400, body: { error: error.message } };
    }
  };

export const unpinDirection =
  ({ queues }: Context): Handler =>
  async () => {
    await askForUnpin(queues.checks);
    return { status: 202, body: { pin: null } };
  };
