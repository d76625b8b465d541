import type { NoticeEvent } from "../units/noticeevent.ts";
import { escapeLines, escapeText } from "../units/escape.ts";

/** `new`: it has just been seen; `reminder`: it still lasts; `over`: it lasts no longer. */
export type Phase = "new" | "reminder" | "over";

export type Facts = Readonly<Record<string, string | number | null>>;

/** What somebody is told. Its texts are fit for a terminal: what names hold of controls is escaped. */
export interface Notice {
  readonly event: NoticeEvent;
  readonly phase: Phase;
  /** The backup's name; undefined for what concerns the whole. */
  readonly backup: string | undefined;
  readonly host: string;
  /** RFC 3339. */
  readonly at: string;
  /** One line. */
  readonly subject: string;
  readonly text: string;
  /** For programs. */
  readonly facts: Facts;
}

/** An event as it is seen now, whoever has heard of it already. */
export interface Raised {
  readonly notice: Notice;
  /** What tells this occurrence from another of the same event of the same backup. */
  readonly fingerprint: string;
}

/** Where and when something is noticed. */
export interface Scene {
  readonly host: string;
  readonly at: Date;
  /** Undefined for what concerns the whole. */
  readonly backup: string | undefined;
}

/** A new notice. `what` goes behind host and backup in the subject; empty paragraphs are left out. */
export function makeNotice(
  scene: Scene,
  event: NoticeEvent,
  what: string,
  paragraphs: readonly (string | undefined)[],
  facts: Facts = {},
): Notice {
  const { host, at, backup } = scene;
  const text = paragraphs.filter((part) => part !== undefined && part !== "").join("\n\n");
  return {
    event,
    phase: "new",
    backup,
    host,
    at: at.toISOString(),
    subject: subjectOf(host, backup, what),
    text: `${escapeLines(text)}\n`,
    facts,
  };
}

/** The same notice once more, while what it tells of lasts. */
export function reminderOf(notice: Notice, since: string): Notice {
  return {
    ...notice,
    phase: "reminder",
    subject: `${notice.subject} (still)`,
    text: `It has been so since ${shownTime(since)}. This is a reminder.\n\n${notice.text}`,
  };
}

/** That something is over, for those who heard of it. `still`: other events of the backup that last. */
export function overNotice(
  scene: Scene,
  told: { readonly event: NoticeEvent; readonly since: string; readonly subject: string },
  still: readonly NoticeEvent[],
): Notice {
  const rest = still.join(", ");
  const notice = makeNotice(
    scene,
    told.event,
    still.length === 0
      ? `good again (was: ${told.event})`
      : `no more ${told.event} (still: ${rest})`,
    [
      `This is over: ${told.subject}`,
      `It was so from ${shownTime(told.since)} to ${shownTime(scene.at.toISOString())}.`,
      still.length === 0 ? undefined : `But there still is: ${rest}.`,
    ],
    { since: told.since },
  );
  return { ...notice, phase: "over" };
}

/** Several notices as one, for channels that people read. Throws a RangeError if there are none. */
export function combined(notices: readonly Notice[]): Notice {
  const [first] = notices;
  if (first === undefined) throw new RangeError("no notices");
  if (notices.length === 1) return first;
  const bad = notices.filter(({ phase, event }) => phase !== "over" && event !== "success");
  const counts = new Map<string, number>();
  for (const { event, phase } of notices) {
    const kind = phase === "over" ? "over" : event;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const summary = [...counts].map(([kind, count]) => `${count} ${kind}`).join(", ");
  const what = `${notices.length} notices: ${summary}`;
  return {
    ...(bad[0] ?? first),
    backup: undefined,
    subject: subjectOf(first.host, undefined, what),
    text: notices.map(({ subject, text }) => `== ${subject}\n\n${text}`).join("\n\n"),
    facts: {},
  };
}

/** A time for people: 2026-01-31 03:00:12 UTC. */
export function shownTime(time: string): string {
  return time.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/, "$1 $2 UTC");
}

/** Longer subjects are cut by some who show them, and headers must end somewhere. */
const longestSubject = 200;

function subjectOf(host: string, backup: string | undefined, what: string): string {
  const parts = [host, ...(backup === undefined ? [] : [backup]), what];
  const shown = Array.from(escapeText(parts.join(": ")));
  return shown.length <= longestSubject
    ? shown.join("")
    : `${shown.slice(0, longestSubject - 1).join("")}…`;
}
