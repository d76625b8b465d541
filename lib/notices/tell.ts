import type { NotifySettings } from "../config/backup.ts";
import type { Failure } from "../errors.ts";
import type { NoticeEvent } from "../units/noticeevent.ts";
import type { BoundOptions } from "./bounded.ts";
import type { Channel, NoticeWorld } from "./channel.ts";
import { channelsOf, sendAll, type Delivered } from "./channels.ts";
import type { Decision, Judged, Told } from "./decide.ts";
import { decideNotices, toldWithout } from "./decide.ts";
import type { Raised } from "./notice.ts";
import { makeNotice } from "./notice.ts";
import type { ChannelState, Dead, NoticesState } from "./state.ts";

/** Somebody who wants to hear of one backup, or of all. */
export interface Audience {
  /** The same from run to run: `all`, or the path of the configuration. */
  readonly id: string;
  /** The backup that it hears of; undefined: of every one, and of the whole. */
  readonly backup: string | undefined;
  readonly notify: NotifySettings;
}

export interface TellOptions extends BoundOptions {
  readonly world: NoticeWorld;
  readonly now: Date;
  /** See DecideOptions. A warning of the whole is about channels, and judged here. */
  readonly judged?: Judged | undefined;
}

/** A channel that did not take what it was sent. */
export interface ChannelFailure {
  /** `notices of data`, `notices of all backups`. */
  readonly label: string;
  readonly failure: Failure;
}

export interface TellResult {
  /** To be kept for the next run. */
  readonly state: NoticesState;
  readonly failures: readonly ChannelFailure[];
  /** How many notices were taken, by all channels together. */
  readonly sent: number;
}

/** A channel with what is known of it. */
interface Line {
  readonly id: string;
  readonly label: string;
  readonly audience: Audience;
  readonly channel: Channel;
}

/** Nobody asked for what was told so long ago and never again, in milliseconds. */
const forgetAfter = 100 * 86_400_000;

/** The event by which a dead channel is told to the others. */
const deadEvent: NoticeEvent = "warning";

/**
 * Tells each audience what it has not heard: decides for every channel by itself, sends to all at once,
 * and remembers of each what it took. What a dead channel missed it gets when it is back, if it lasts
 * still. Then the other channels are told which ones don't work. Never throws.
 */
export async function tell(
  audiences: readonly Audience[],
  raised: readonly Raised[],
  before: NoticesState,
  options: TellOptions,
): Promise<TellResult> {
  const lines = audiences.flatMap((audience) => linesOf(audience, options.world));
  const state = new Map(kept(before, audiences, lines, options.now));
  const judged: Judged = (event, backup) =>
    !isOfChannels(event, backup) && (options.judged?.(event, backup) ?? true);
  const first = await round(lines, state, { ...options, judged }, (line) =>
    heardBy(line.audience, raised),
  );
  const others = lines.filter(({ id }) => !first.failed.has(id));
  const second = await round(others, state, { ...options, judged: isOfChannels }, (line) =>
    deadFor(line, lines, state, options),
  );
  return {
    state,
    failures: [...first.failures, ...second.failures],
    sent: first.sent + second.sent,
  };
}

function linesOf(audience: Audience, world: NoticeWorld): Line[] {
  const label = `notices of ${audience.backup ?? "all backups"}`;
  return channelsOf(audience.notify, world).map((channel) => ({
    id: `${audience.id}:${channel.kind}`,
    label,
    audience,
    channel,
  }));
}

/** Without channels that are set no longer, and those that nobody has heard of for long. */
function kept(
  before: NoticesState,
  audiences: readonly Audience[],
  lines: readonly Line[],
  now: Date,
): (readonly [string, ChannelState])[] {
  const set = new Set(lines.map(({ id }) => id));
  const ours = new Set(audiences.map(({ id }) => id));
  return [...before].filter(([id, { told, dead }]) => {
    if (set.has(id)) return true;
    if (ours.has(id.slice(0, id.lastIndexOf(":")))) return false;
    const times = [
      ...told.map(({ toldAt }) => toldAt),
      ...(dead === undefined ? [] : [dead.since]),
    ];
    return times.some((time) => now.getTime() - Date.parse(time) < forgetAfter);
  });
}

function heardBy({ backup, notify }: Audience, raised: readonly Raised[]): Raised[] {
  return raised.filter(
    ({ notice }) =>
      (backup === undefined || notice.backup === backup) && notify.on.includes(notice.event),
  );
}

/** Of the whole, warnings are about channels. */
function isOfChannels(event: NoticeEvent, backup: string | undefined): boolean {
  return event === deadEvent && backup === undefined;
}

interface Round {
  readonly failures: ChannelFailure[];
  /** Ids of the channels that did not take all. */
  readonly failed: ReadonlySet<string>;
  readonly sent: number;
}

/** Decides for each line, sends, and writes into `state` what came of it. */
async function round(
  lines: readonly Line[],
  state: Map<string, ChannelState>,
  options: TellOptions,
  raisedFor: (line: Line) => readonly Raised[],
): Promise<Round> {
  const { now, world } = options;
  const decided = lines.map((line) => {
    const told = stillWanted(line, state.get(line.id)?.told ?? []);
    const decision = decideNotices(told, raisedFor(line), {
      now,
      host: world.hostname,
      remindSeconds: line.audience.notify.remindSeconds,
      judged: options.judged,
    });
    return { line, told, decision };
  });
  const delivered = await sendAll(
    decided.map(({ line, decision }) => ({ channel: line.channel, notices: decision.send })),
    options,
  );
  const failures: ChannelFailure[] = [];
  const dead = new Set<string>();
  let sent = 0;
  for (const [index, { line, told, decision }] of decided.entries()) {
    const result = delivered[index] ?? { sent: [], failure: undefined };
    sent += result.sent.length;
    if (result.failure !== undefined) {
      failures.push({ label: line.label, failure: result.failure });
      dead.add(line.id);
    }
    state.set(line.id, {
      told: afterwards(told, decision, result.sent),
      dead: deadAfter(state.get(line.id)?.dead, line, result, now),
    });
  }
  return { failures, failed: dead, sent };
}

/** Events that are no longer asked for are forgotten, not told to be over. */
function stillWanted({ audience }: Line, told: readonly Told[]): Told[] {
  return told.filter(
    ({ event, backup }) => isOfChannels(event, backup) || audience.notify.on.includes(event),
  );
}

function afterwards(
  told: readonly Told[],
  { send, told: after }: Decision,
  sent: readonly unknown[],
): readonly Told[] {
  return toldWithout(
    told,
    after,
    send.filter((notice) => !sent.includes(notice)),
  );
}

function deadAfter(
  before: Dead | undefined,
  { label, channel }: Line,
  { sent, failure }: Delivered,
  now: Date,
): Dead | undefined {
  if (failure === undefined) return sent.length > 0 ? undefined : before;
  // Stopped with the run, which says nothing of the channel.
  if (failure.outcome === "interrupted") return before;
  const since = before?.since ?? now.toISOString();
  return { label: `${channel.kind}, ${label}`, since, message: failure.message };
}

/** The dead channels that the audience of a line should know of, as one event. */
function deadFor(
  line: Line,
  lines: readonly Line[],
  state: NoticesState,
  { now, world }: TellOptions,
): Raised[] {
  const { audience } = line;
  if (audience.notify.on.length === 0) return [];
  const own = (id: string): boolean =>
    lines.some((each) => each.id === id && each.audience.id === audience.id);
  const dead = [...state].flatMap(([id, each]) =>
    each.dead === undefined || (audience.backup !== undefined && !own(id))
      ? []
      : [{ id, ...each.dead }],
  );
  if (dead.length === 0) return [];
  const notice = makeNotice(
    { host: world.hostname, at: now, backup: undefined },
    deadEvent,
    dead.length === 1 ? "a notice channel is dead" : `${dead.length} notice channels are dead`,
    [
      "What should have been told there has not arrived:",
      dead
        .map(({ label, message }) => `  ${label}\n    ${message.replaceAll("\n", "\n    ")}`)
        .join("\n"),
      "The backups themselves are not concerned. What lasts is told there as soon as it can be.",
    ],
    { channels: dead.map(({ id }) => id).join(", ") },
  );
  return [
    {
      notice,
      fingerprint: dead
        .map(({ id }) => id)
        .toSorted()
        .join("\n"),
    },
  ];
}
