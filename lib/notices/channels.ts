import pMap from "p-map";
import type { NotifySettings } from "../config/backup.ts";
import { failed, type Failure } from "../errors.ts";
import type { BoundOptions } from "./bounded.ts";
import { bounded, usualTimeout } from "./bounded.ts";
import type { Channel, NoticeWorld } from "./channel.ts";
import { commandChannel } from "./command.ts";
import { mailChannel } from "./mail.ts";
import type { Notice } from "./notice.ts";
import { combined } from "./notice.ts";
import { ntfyChannel } from "./ntfy.ts";
import { webhookChannel } from "./webhook.ts";

/** The channels that are set, in a fixed order. Nothing is opened yet. */
export function channelsOf(notify: NotifySettings, world: NoticeWorld): Channel[] {
  const { mail, mailFrom, smtp, webhook, webhookTemplate, ntfy, command } = notify;
  return [
    ...(mail.length === 0 ? [] : [mailChannel({ to: mail, from: mailFrom, smtp }, world)]),
    ...(webhook === undefined ? [] : [webhookChannel(webhook, webhookTemplate, world)]),
    ...(ntfy === undefined ? [] : [ntfyChannel(ntfy, world)]),
    ...(command === undefined ? [] : [commandChannel(command, world)]),
  ];
}

/** What a channel gets. */
export interface Delivery {
  readonly channel: Channel;
  readonly notices: readonly Notice[];
}

export interface Delivered {
  /** Those that arrived, as far as anybody can tell. */
  readonly sent: readonly Notice[];
  /** Why the others didn't. */
  readonly failure: Failure | undefined;
}

/** A channel that works, but slowly, is given up after so many times the time for one notice. */
const patience = 6;

/** So many channels are used at once: with hundreds of backups there may be hundreds. */
const atOnce = 8;

/**
 * Sends to all channels, several at once; what comes of each, in the same order. A channel gets its notices one
 * by one, or as one where people read it, and nothing more after one that failed: what is dead costs
 * one timeout. Never throws.
 */
export async function sendAll(
  deliveries: readonly Delivery[],
  bounds: BoundOptions = {},
): Promise<Delivered[]> {
  return pMap(deliveries, async (delivery) => deliver(delivery, bounds), { concurrency: atOnce });
}

async function deliver({ channel, notices }: Delivery, bounds: BoundOptions): Promise<Delivered> {
  const attempt = async (notice: Notice): Promise<Failure | undefined> =>
    bounded(channel.kind, async (options) => channel.send(notice, options), bounds);
  if (notices.length === 0) return { sent: [], failure: undefined };
  if (channel.combines) {
    const failure = await attempt(combined(notices));
    return { sent: failure === undefined ? notices : [], failure };
  }
  const limit = patience * (bounds.timeoutMs ?? usualTimeout);
  const started = performance.now();
  const sent: Notice[] = [];
  for (const notice of notices) {
    const failure =
      performance.now() - started > limit ? slow(channel, sent) : await attempt(notice);
    if (failure !== undefined) return { sent, failure };
    sent.push(notice);
  }
  return { sent, failure: undefined };
}

function slow({ kind }: Channel, sent: readonly Notice[]): Failure {
  return failed(`${kind}: expected all notices to be sent by now, found only ${sent.length} sent`, {
    hint: "the others are sent after the next run",
  });
}
