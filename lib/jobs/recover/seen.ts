import { failed, refused } from "../../errors.ts";
import { at, isOutdated, perhapsAt } from "../../history/at.ts";
import type { FileHistory } from "../../history/history.ts";
import { earlyText, noTimes, seeTimes, timesAreLost, type TimesSeen } from "../../history/times.ts";
import { formatFiles } from "../../units/format.ts";
import type { OpenHistory } from "../openhistory.ts";
import { noNames, type SeenNames } from "../ours.ts";
import { Outdated } from "../outdated.ts";
import type { RecoverWish } from "./options.ts";

/** What a plan was made of. */
export interface Seen extends SeenNames {
  /** Files that were there at the time of a roll-back. */
  there: number;
  /** When the newest of what is current came, milliseconds since 1970. */
  newest: number;
  /** Files of which the store can't say when they were deleted. */
  perhaps: number;
  /** Files of which the store can't say for sure that this was the version of that time. */
  uncertain: number;
  /** Files whose version of that time is no longer stored. */
  readonly outdated: Outdated;
  readonly times: TimesSeen;
}

export function nothingSeen(): Seen {
  return {
    ...{ ...noNames(), there: 0, newest: 0, perhaps: 0, uncertain: 0 },
    outdated: new Outdated(),
    times: noTimes(),
  };
}

/** Counts what matters for a wish. */
export function see(seen: Seen, file: FileHistory, wish: RecoverWish): void {
  seen.newest = Math.max(seen.newest, file.current?.from ?? 0);
  if (wish.kind === "as-of") {
    const wanted = at(file, wish.time);
    if (wanted !== undefined && isOutdated(wanted, wish.time)) seen.outdated.add(file.path);
    if (wanted !== undefined) seen.there += 1;
    else if (perhapsAt(file, wish.time) !== undefined) seen.perhaps += 1;
    if (wanted?.doubtful === true || wanted?.stored.uncertain === true) seen.uncertain += 1;
    seeTimes(seen.times, file, wish.time);
  } else if (wish.kind === "deleted-since") {
    const { deletedAt, versions } = file;
    const isEarlier = deletedAt !== undefined && deletedAt < wish.since;
    if (isEarlier && versions[0]?.doubtful === true) seen.perhaps += 1;
  }
}

/** Tells what is uncertain. Throws where a roll-back could not be one. */
export function judgeSeen({ store, session }: OpenHistory, wish: RecoverWish, seen: Seen): void {
  const { events } = session.world;
  if (wish.kind === "as-of") {
    const asOf = new Date(wish.time).toISOString();
    if (timesAreLost(seen.times))
      throw refused(
        `${store.place}: expected to learn when old versions came, found ${seen.times.momentary} of ${seen.times.superseded} with the time at which they were replaced`,
        {
          hint: "nothing was changed: such a store can't be rolled back by time; rclone-restore --list shows the versions, --all-versions restores them",
        },
      );
    if (seen.files > 0 && seen.there === 0)
      throw failed(`${store.place}: expected files that were stored by ${asOf}, found none`, {
        hint: "nothing was changed: a roll-back to a time before the first backup would empty it",
      });
    const early = earlyText(seen.times, wish.time);
    if (early !== undefined) events.warn(early);
  }
  if (seen.uncertain > 0)
    events.warn(
      `${formatFiles(seen.uncertain)}: the store can't say for sure that this was the version of that time; rclone-restore --list shows the versions`,
    );
  seen.outdated.tell(events, "rclone-restore --list shows the versions");
  if (seen.perhaps === 0) return;
  const taken = wish.kind === "as-of" ? "deleted by then" : "deleted before that";
  events.warn(
    `${formatFiles(seen.perhaps)}: the store can't say when they were deleted, and they are taken for ${taken}`,
  );
}
