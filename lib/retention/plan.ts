import type { FileHistory, FileVersion } from "../history/history.ts";
import type { StoredVersion } from "../stores/store.ts";
import type { Policy, Step } from "../units/policy.ts";
import { endOf, type Ends } from "./ends.ts";
import { day, windowOf } from "./windows.ts";

/** What becomes of one version or marker, and why. */
export interface Decision {
  readonly version: StoredVersion;
  readonly action: "keep" | "remove";
  /** For people: lower case, no full stop. */
  readonly reason: string;
}

/**
 * Decides for every version and marker of one file, oldest first, which is the order to remove them
 * in: as long as anything is left, the newest entry is, so that a deleted file never comes back.
 * `now` is in milliseconds since 1970; `ends` are those that the store no longer tells. Pure; the
 * current version is always kept, and everything where a version's content can't be ours.
 */
export function plan(
  history: FileHistory,
  policy: Policy,
  now: number,
  ends?: Ends,
): readonly Decision[] {
  const [only] = history.entries;
  // Most files are this simple, and there may be millions of them.
  if (history.entries.length === 1 && only?.kind === "file")
    return [{ version: only, action: "keep", reason: current }];
  if (history.foreign > 0) return leaveAlone(history);
  const verdicts =
    policy.keeps === "all" ? everything(policy) : windows(history, policy, now, ends);
  let version = history.versions.length;
  let kept = false;
  return oldestFirst(history, (stored) => {
    if (stored.kind === "marker")
      return kept
        ? { version: stored, action: "keep", reason: "it hides an older version" }
        : { version: stored, action: "remove", reason: "no older version is left to hide" };
    version -= 1;
    const judged = history.versions[version];
    // Each content has its FileVersion; one without is left alone.
    const [action, reason] = judged === undefined ? unknown : verdicts(judged, version);
    kept ||= action === "keep";
    return { version: stored, action, reason };
  });
}

/**
 * Decides to remove every version but the current one, whatever the policy; with `all` the current
 * one too, after all others. In the order to remove them in. Keeps everything where plan() does so.
 */
export function purge(history: FileHistory, what: "old" | "all"): readonly Decision[] {
  const [newest] = history.entries;
  if (history.foreign > 0) return leaveAlone(history);
  return oldestFirst(history, (version) =>
    what === "old" && version === newest && version.kind === "file"
      ? { version, action: "keep", reason: current }
      : { version, action: "remove", reason: "everything goes" },
  );
}

function leaveAlone(history: FileHistory): Decision[] {
  const reason = "a version of the file has a size that none of ours can have";
  return oldestFirst(history, (version) => ({ version, action: "keep", reason }));
}

const current = "it is the current version";
const unknown: Verdict = ["keep", "its time is not known"];

type Verdict = readonly [action: Decision["action"], reason: string];

function oldestFirst(
  { entries }: FileHistory,
  decide: (version: StoredVersion) => Decision,
): Decision[] {
  const decisions: Decision[] = [];
  for (let index = entries.length - 1; index >= 0; index -= 1) {
    const entry = entries[index];
    if (entry !== undefined) decisions.push(decide(entry));
  }
  return decisions;
}

type Verdicts = (version: FileVersion, index: number) => Verdict;

function everything({ name }: Policy): Verdicts {
  return ({ until }) => ["keep", until === undefined ? current : `${name} keeps every version`];
}

/** A window and which of the versions in it end last and first. */
interface Filled {
  /** For the reasons. */
  readonly span: string;
  newest: number;
  oldest: number;
}

function windows(
  history: FileHistory,
  policy: Policy,
  now: number,
  remembered: Ends | undefined,
): Verdicts {
  const { versions } = history;
  const gone = deletionAge(history, now);
  const holds = (step: Step): boolean => gone === undefined || gone < step.days * day;
  const filled = new Map<number, Filled>();
  const ends = versions.map((version) => endOf(version, remembered));
  const of = versions.map(({ doubtful }, index) => {
    const end = ends[index];
    if (end === undefined || doubtful) return undefined;
    const window = windowOf(age(end, now), policy, holds);
    if (window === undefined) return undefined;
    const known = filled.get(window.from);
    if (known === undefined) {
      const span = `from ${window.from} to ${window.to} days old`;
      const made = { span, newest: index, oldest: index };
      filled.set(window.from, made);
      return made;
    }
    // Of those that end together, the store's order tells which is newer.
    if (end > (ends[known.newest] ?? 0)) known.newest = index;
    if (end <= (ends[known.oldest] ?? 0)) known.oldest = index;
    return known;
  });
  return (version, index) => {
    if (version.until === undefined) return ["keep", current];
    if (policy.steps.length === 0) return ["remove", `${policy.name} keeps no old version`];
    if (version.doubtful) return ["keep", "the store doesn't tell when it was deleted"];
    const place = of[index];
    if (place === undefined) return ["remove", tooOld(policy, gone)];
    const { span } = place;
    if (index === place.newest)
      return ["keep", index === place.oldest ? `the only one ${span}` : `the newest ${span}`];
    if (index === place.oldest) return ["keep", `the oldest ${span}`];
    return ["remove", `neither the newest nor the oldest ${span}`];
  };
}

/**
 * How long ago the file was deleted; undefined while it exists. A store that can't be believed
 * about it may have deleted it just now.
 */
function deletionAge({ deletedAt, versions }: FileHistory, now: number): number | undefined {
  return deletedAt === undefined || versions[0]?.doubtful === true
    ? undefined
    : age(deletedAt, now);
}

/** A time in the future is one of a clock that is ahead. */
function age(since: number, now: number): number {
  return Math.max(0, now - since);
}

function tooOld({ steps }: Policy, gone: number | undefined): string {
  const last = steps.at(-1);
  const reason = `more than ${last?.days ?? 0} days old`;
  return last?.repeat === "exists" && gone !== undefined
    ? `${reason}, and the file was deleted ${Math.floor(gone / day)} days ago`
    : reason;
}
