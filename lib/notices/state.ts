import * as v from "valibot";
import { readJson, writeJson } from "../state/jsonfile.ts";
import { noticeEvents } from "../units/noticeevent.ts";
import type { Told } from "./decide.ts";

const told = v.pipe(
  v.object({
    event: v.picklist(noticeEvents),
    backup: v.nullable(v.string()),
    fingerprint: v.string(),
    since: v.string(),
    toldAt: v.string(),
    subject: v.string(),
  }),
  v.transform(({ backup, ...rest }): Told => ({ ...rest, backup: backup ?? undefined })),
);

const dead = v.object({
  /** For people, without secrets: `mail of data`. */
  label: v.string(),
  since: v.string(),
  message: v.string(),
});

const schema = v.object({
  version: v.literal(1),
  channels: v.record(v.string(), v.object({ told: v.array(told), dead: v.optional(dead) })),
});

/** A channel that could not be reached the last time. */
export type Dead = v.InferOutput<typeof dead>;

/** What is remembered of a channel: what it was told, and whether that works. */
export interface ChannelState {
  readonly told: readonly Told[];
  readonly dead?: Dead | undefined;
}

/** By the id of the channel. */
export type NoticesState = ReadonlyMap<string, ChannelState>;

export interface ReadNotices {
  readonly state: NoticesState;
  /** Where a damaged file is now. */
  readonly damaged: string | undefined;
}

/**
 * Reads notices.json. A damaged file is set aside, or only told where the caller may change nothing:
 * then everything that lasts is told once more. Throws when it exists and can't be read.
 */
export async function readNotices(
  file: string,
  options: { readonly setAside: boolean },
): Promise<ReadNotices> {
  const { value, damaged } = await readJson(file, schema, options);
  return { state: new Map(Object.entries(value?.channels ?? {})), damaged };
}

/** Writes notices.json: a temporary name, synced, renamed. */
export async function writeNotices(file: string, state: NoticesState): Promise<void> {
  const channels = Object.fromEntries(
    [...state].map(([id, each]) => [
      id,
      {
        told: each.told.map((one) => ({ ...one, backup: one.backup ?? null })),
        ...(each.dead === undefined ? {} : { dead: each.dead }),
      },
    ]),
  );
  await writeJson(file, { version: 1, channels });
}
