import { readFile, rename } from "node:fs/promises";
import * as v from "valibot";
import { systemCode } from "../errors.ts";
import { writeAtomically } from "../state/atomic.ts";
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
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return { state: new Map(), damaged: undefined };
    throw error;
  }
  try {
    const parsed = v.safeParse(schema, JSON.parse(text));
    if (parsed.success)
      return { state: new Map(Object.entries(parsed.output.channels)), damaged: undefined };
  } catch {
    // Not JSON: set aside like JSON of another shape.
  }
  if (!options.setAside) return { state: new Map(), damaged: file };
  const damaged = `${file}.damaged`;
  await rename(file, damaged);
  return { state: new Map(), damaged };
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
  await writeAtomically(file, `${JSON.stringify({ version: 1, channels }, undefined, 2)}\n`);
}
