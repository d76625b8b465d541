import type { NoticeEvent } from "../units/noticeevent.ts";
import type { Notice, Raised } from "./notice.ts";
import { overNotice, reminderOf } from "./notice.ts";

/** An event that a channel was told of and that is not over yet. */
export interface Told {
  readonly event: NoticeEvent;
  readonly backup: string | undefined;
  readonly fingerprint: string;
  /** When it was told first, and last. RFC 3339. */
  readonly since: string;
  readonly toldAt: string;
  readonly subject: string;
}

/** Which events of which backup (undefined: of the whole) the caller has looked at. */
export type Judged = (event: NoticeEvent, backup: string | undefined) => boolean;

export interface DecideOptions {
  readonly now: Date;
  readonly host: string;
  readonly remindSeconds: number;
  /** What was not judged goes on as it was. Everything is, unless this says otherwise. */
  readonly judged?: Judged | undefined;
}

export interface Decision {
  readonly send: readonly Notice[];
  /** What one who was sent these has been told. */
  readonly told: readonly Told[];
}

/** Runs are not on time to the second: a reminder that is due this much later is due, in seconds. */
const slack = 3600;
const day = 86_400;

/**
 * What to tell one who has been told `told`, when `raised` is what is so now: what is new, what has
 * lasted for the time of a reminder, and what is over. Each success is told, and none is remembered.
 * Of something new of a backup, nothing that is over is told beside it.
 */
export function decideNotices(
  told: readonly Told[],
  raised: readonly Raised[],
  { now, host, remindSeconds, judged = () => true }: DecideOptions,
): Decision {
  const send: Notice[] = [];
  const after: Told[] = [];
  const at = now.toISOString();
  const lasting = new Map<string, Raised>();
  for (const each of raised) {
    if (each.notice.event === "success") send.push(each.notice);
    else lasting.set(keyOf(each.notice), each);
  }
  const before = new Map(told.map((each) => [keyOf(each), each]));
  const fresh = new Set<string | undefined>();
  for (const [key, { notice, fingerprint }] of lasting) {
    const known = before.get(key);
    const { event, backup, subject } = notice;
    if (known === undefined || known.fingerprint !== fingerprint) {
      send.push(notice);
      fresh.add(backup);
      after.push({ event, backup, fingerprint, since: at, toldAt: at, subject });
    } else if (isDue(known, now, remindSeconds)) {
      send.push(reminderOf(notice, known.since));
      after.push({ ...known, toldAt: at });
    } else {
      after.push(known);
    }
  }
  for (const [key, known] of before) {
    if (lasting.has(key)) continue;
    const { event, backup } = known;
    if (!judged(event, backup)) {
      after.push(known);
    } else if (!fresh.has(backup)) {
      const still = [...lasting.values(), ...unjudged(before, lasting, judged)]
        .map((each) => ("notice" in each ? each.notice : each))
        .filter((each) => each.backup === backup)
        .map((each) => each.event);
      send.push(overNotice({ host, at: now, backup }, known, still));
    }
  }
  return { send, told: after };
}

/**
 * What one has been told when `missed` of the notices of a decision did not arrive: of these, what was
 * so before, so that the next decision is to send them again.
 */
export function toldWithout(
  before: readonly Told[],
  after: readonly Told[],
  missed: readonly Notice[],
): readonly Told[] {
  if (missed.length === 0) return after;
  const lost = new Set(missed.map(keyOf));
  const stays = after.filter((each) => !lost.has(keyOf(each)));
  const known = new Set(after.map(keyOf));
  // Beside something new, what is over was not told at all: it is told with it, or later.
  const fresh = new Set(missed.filter(({ phase }) => phase === "new").map(({ backup }) => backup));
  const back = before.filter((each) => {
    const key = keyOf(each);
    return lost.has(key) || (!known.has(key) && fresh.has(each.backup));
  });
  return [...stays, ...back];
}

function keyOf({
  event,
  backup,
}: {
  readonly event: NoticeEvent;
  readonly backup?: string | undefined;
}): string {
  return JSON.stringify([event, backup ?? null]);
}

function unjudged(
  before: ReadonlyMap<string, Told>,
  lasting: ReadonlyMap<string, Raised>,
  judged: Judged,
): Told[] {
  return [...before]
    .filter(([key, { event, backup }]) => !lasting.has(key) && !judged(event, backup))
    .map(([, known]) => known);
}

/** A time that lies ahead by more than a day is of a clock that was wrong: it says nothing. */
function isDue({ toldAt }: Told, now: Date, remindSeconds: number): boolean {
  const elapsed = (now.getTime() - Date.parse(toldAt)) / 1000;
  const wanted = remindSeconds > day / 2 ? remindSeconds - slack : remindSeconds;
  return !(elapsed < wanted) || elapsed < -day;
}
