import { failed } from "../errors.ts";
import type { HistoryOptions } from "../history/group.ts";
import type { FileHistory } from "../history/history.ts";
import type { Pages } from "../manifest/pages.ts";
import type { Events } from "../units/events.ts";
import { textFromRaw } from "../units/rawpath.ts";
import type { OpenHistory } from "./openhistory.ts";

/** How many stored names were seen: files of the backup, and names that don't decrypt. */
export interface SeenNames {
  files: number;
  /** Entries of these files. */
  versions: number;
  foreign: number;
  /** Versions that are not ours: left alone. */
  undecodable: number;
  /** The first name that is not ours. */
  first?: string;
}

/** Before anything was seen. */
export function noNames(): SeenNames {
  return { files: 0, versions: 0, foreign: 0, undecodable: 0 };
}

/**
 * Whether so many names decrypt that the password must be right: with a wrong one, a name in some
 * hundreds seems to be one by chance.
 */
function areOurs({ files, foreign }: SeenNames): boolean {
  return files * 32 >= foreign;
}

/** Throws failed unless the names that decrypt can't be there by chance. `encrypted`: crypt is above. */
function requireOurs(place: string, encrypted: boolean, seen: SeenNames): void {
  if (areOurs(seen)) return;
  const { files, foreign } = seen;
  throw failed(
    encrypted
      ? `${place}: expected names that the password of the crypt remote decrypts, found ${files} of ${files + foreign} that it does`
      : `${place}: expected names of files, found ${files} of ${files + foreign} that are`,
    {
      hint: encrypted
        ? "wrong password? nothing was changed"
        : "is this the place of the backup? nothing was changed",
    },
  );
}

/** For a listing of histories: counts what is not ours, and tells of it on request. */
export function watchForeign(events: Events, seen: SeenNames): HistoryOptions {
  return {
    onUndecodable: (name, count, why) => {
      seen.first ??= textFromRaw(name);
      if (why === "name") seen.foreign += 1;
      seen.undecodable += count;
      events.detail(
        1,
        `left alone, since its ${why} is not one of ours: ${textFromRaw(name)} (${count})`,
      );
    },
  };
}

/** As much of an open history as the check needs. */
interface Checkable extends Pick<OpenHistory, "found"> {
  readonly store: Pick<OpenHistory["store"], "place">;
}

/**
 * The pages of a listing, counted, and none of them before so many names are decrypted that the
 * password must be right. Throws failed where it can't be.
 */
export async function* held(
  { store, found }: Checkable,
  pages: Pages<FileHistory>,
  seen: SeenNames,
): Pages<FileHistory> {
  const check = (): void => requireOurs(store.place, (found?.crypts.length ?? 0) > 0, seen);
  let waiting: (readonly FileHistory[])[] = [];
  for await (const page of pages) {
    seen.files += page.length;
    for (const { entries } of page) seen.versions += entries.length;
    waiting.push(page);
    if (areOurs(seen)) {
      yield* waiting;
      waiting = [];
    } else if (waiting.length > 100) check();
  }
  check();
  yield* waiting;
}
