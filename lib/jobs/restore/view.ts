import { failed } from "../../errors.ts";
import type { FileHistory } from "../../history/history.ts";
import type { Pages } from "../../manifest/pages.ts";
import { configVariable, parseLocation } from "../../rclone/location.ts";
import type { BulkSource } from "../../restore/bulk.ts";
import { cryptContent, plainContent, type Content } from "../../restore/content.ts";
import type { PlannedFile } from "../../restore/plan.ts";
import { below } from "../../stores/dir/context.ts";
import type { LostFile } from "../../stores/dir/lost.ts";
import { currentId } from "../../stores/dir/timeline.ts";
import { findStore } from "../../stores/find.ts";
import type { RawPath } from "../../units/rawpath.ts";
import { withEnds } from "../ended.ts";
import { historyOf } from "../history.ts";
import type { OpenHistory } from "../openhistory.ts";
import { againstManifest } from "./manifested.ts";
import type { VersionChoice } from "./options.ts";

/** The history of a backup as a restore sees it. */
export interface HistoryView {
  /** For messages, without secrets. */
  readonly place: string;
  /**
   * `onLost` is told, after the last page, of files below the directory that backups left at the
   * destination and that the store has lost; without dated directories only where it is asked for what is there now.
   */
  histories(directory: RawPath, onLost?: (file: LostFile) => void): Pages<FileHistory>;
  readonly content: Content;
  /** Where rclone can copy a version from; undefined for one that has to be fetched by its id. */
  readonly bulk: (planned: PlannedFile) => BulkSource | undefined;
  /** Whether a bulk copy holds the stored bytes against the provider's checksum. */
  readonly bulkChecks: boolean;
  /** Whether one copy of all that a bulk source shows is what the choice means. */
  readonly whole: boolean;
  /** Tells what can't be read, once all was listed. Throws failed() where that is everything. */
  report(): void;
}

/** Sees a history by what a restore asks of it. `target`: where rclone will write, if it will. */
export async function viewHistory(
  history: OpenHistory,
  choice: VersionChoice,
  target: string | undefined,
): Promise<HistoryView> {
  const { store, session, found } = history;
  let [read, undecodable] = [0, 0];
  const inTime = !choice.allVersions && !choice.includeDeleted;
  const bulk =
    history.dir === undefined ? showsTimes(history, choice, target) : await inDirectories(history);
  return {
    place: store.place,
    async *histories(directory, onLost) {
      const all = history.histories(directory, {
        ...{ onUndecodable: (_, count) => void (undecodable += count), onLost },
      });
      const known = withEnds(history, all);
      const pages =
        onLost === undefined || history.dir !== undefined || choice.asOf !== undefined
          ? known
          : againstManifest(history, known, directory, (path) =>
              onLost({ path, since: undefined }),
            );
      for await (const page of pages) {
        read += page.length;
        yield page;
      }
    },
    content:
      found === undefined || found.crypts.length === 0
        ? plainContent(store)
        : cryptContent(store, found.crypts),
    bulk,
    // rclone's b2 backend does so as it reads, its other backends don't.
    bulkChecks: store.kind === "b2",
    // A dated directory also holds what its run deleted.
    whole: inTime && history.dir === undefined,
    report() {
      if (undecodable === 0) return;
      const many = `${undecodable} stored versions`;
      if (read === 0 && (found?.crypts.length ?? 0) > 0)
        throw failed(
          `${store.place}: expected names that this remote's password decrypts, found none among ${many}`,
          { hint: "wrong password, or another remote's files? see rclone config" },
        );
      session.world.events.warn(
        `${many} left out: their names or sizes are not those of a file of this backup`,
      );
    },
  };
}

/** Versions that rclone shows by itself: those of a time, or those that are current. */
function showsTimes(
  { session, found }: OpenHistory,
  { asOf, allVersions, includeDeleted }: VersionChoice,
  target: string | undefined,
): HistoryView["bulk"] {
  const current: BulkSource = { location: session.destination, env: {} };
  // A remote can't be looked at as of a time and written to at once.
  const remote = found?.remote ?? onTheFly(session.destination, found?.crypts.length ?? 0);
  const readable = remote !== undefined && (target === undefined || !isOn(remote, target));
  const timed: BulkSource | undefined =
    asOf === undefined || remote === undefined || !readable
      ? undefined
      : {
          location: session.destination,
          env: { [configVariable(remote, "version_at")]: asOf.toISOString() },
        };
  return ({ version, deleted }) => {
    if (asOf === undefined || allVersions) return version.end === "current" ? current : undefined;
    return includeDeleted && deleted ? undefined : timed;
  };

  function isOn(name: string, location: string): boolean {
    try {
      const there = findStore(location, { remotes: session.remotes, env: session.rclone.env });
      return there.remote === name;
    } catch {
      return true;
    }
  }
}

/** The name that a connection string's remote has in rclone's environment. */
function onTheFly(destination: string, crypts: number): string | undefined {
  const location = parseLocation(destination);
  return crypts === 0 && location.kind === "remote" ? location.name : undefined;
}

/** Versions in dated directories, of which each is a place of its own. */
async function inDirectories({ session }: OpenHistory): Promise<HistoryView["bulk"]> {
  const place = await historyOf(session);
  const sources = new Map<string, BulkSource>();
  return ({ version: { stored } }) => {
    const known = sources.get(stored.id);
    if (known !== undefined || place === undefined) return known;
    const location =
      stored.id === currentId ? session.destination : below(place.location, stored.id);
    const source = { location, env: {} };
    sources.set(stored.id, source);
    return source;
  };
}
