import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Names } from "../crypt/names.ts";
import { plainNames } from "../crypt/plainnames.ts";
import { usage } from "../errors.ts";
import { histories, type HistoryOptions } from "../history/group.ts";
import type { FileHistory } from "../history/history.ts";
import type { Pages } from "../manifest/pages.ts";
import { expectShortLives } from "../process/heap.ts";
import { redactLocation } from "../rclone/location.ts";
import { acquireLock } from "../state/lock.ts";
import { readRecord } from "../state/record.ts";
import type { Capability } from "../stores/b2/authorization.ts";
import type { LostFile } from "../stores/dir/lost.ts";
import type { DirStore } from "../stores/dir/open.ts";
import { findStore, prepareStore, type FoundStore } from "../stores/find.ts";
import type { Store, StoredVersion } from "../stores/store.ts";
import type { StoreWorld } from "../stores/world.ts";
import { rawFromBytes, type RawPath } from "../units/rawpath.ts";
import { readyDated } from "./dated.ts";
import { historyOf } from "./history.ts";
import type { Session } from "./session.ts";
import { lockFile, makeScratch, stateFiles, type StateFiles } from "./statefiles.ts";

/** The history of a backup, opened under its lock. */
export interface OpenHistory {
  /** Its rclone holds the lock. */
  readonly session: Session;
  readonly files: StateFiles;
  readonly scratch: string;
  readonly store: Store;
  readonly names: Names;
  /** The store below crypt and alias; undefined for dated directories, which rclone itself reads. */
  readonly found: FoundStore | undefined;
  /** Set for dated directories. */
  readonly dir: DirStore | undefined;
  /** One history per file below a plain directory, which is empty or ends in `/`. */
  histories(directory: RawPath, options?: HistoriesOptions): Pages<FileHistory>;
}

interface HistoriesOptions extends HistoryOptions {
  /** For dated directories: told, in the end, of files that are gone though no run took them away. */
  readonly onLost?: ((file: LostFile) => void) | undefined;
}

export interface HistoryRequest {
  /** `exclusive` for whatever removes or adds versions. */
  readonly mode: "exclusive" | "shared";
  /** The command, for whoever finds the lock taken. */
  readonly command: string;
  /**
   * What will be done beyond listing, so that a key which may not is told before anything is done;
   * nothing for a dry run.
   */
  readonly needs?: readonly Capability[];
}

/**
 * Opens the history of a backup's destination under its lock, lets `act` work with it and closes it.
 * Throws skipped while another run holds the lock, usage where the destination keeps no old versions
 * or can't be seen through.
 */
export async function withHistory<T>(
  session: Session,
  request: HistoryRequest,
  act: (history: OpenHistory) => Promise<T>,
): Promise<T> {
  const { world, backup, remotes, rclone } = session;
  const prepared = prepareStore(backup.destination, { remotes, env: rclone.env });
  const lock = await acquireLock(await lockFile(session), {
    mode: request.mode,
    command: `${request.command} ${session.backup.name}`,
    signal: world.signal,
    now: world.now,
  });
  let scratch: string | undefined;
  try {
    const files = await stateFiles(session);
    scratch = await makeScratch(files, request.mode === "exclusive");
    await prepared;
    const locked = { ...session, rclone: { ...session.rclone, lock: lock.fd } };
    const held = { session: locked, files, scratch };
    // A dry run needs nothing, and only tells what would be done first.
    if (request.mode === "exclusive") await readyDated(held, (request.needs ?? []).length > 0);
    return await withHistoryUnderLock(held, request, act);
  } finally {
    if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
    await lock.release();
  }
}

/** The same for whoever holds the lock already: the session's rclone has its descriptor. */
export async function withHistoryUnderLock<T>(
  held: Pick<OpenHistory, "session" | "files" | "scratch">,
  request: Pick<HistoryRequest, "needs">,
  act: (history: OpenHistory) => Promise<T>,
): Promise<T> {
  const { session, files, scratch } = held;
  const opened = await openStore(session, request, files, scratch);
  const names = opened.found?.names ?? plainNames;
  try {
    return await act({
      ...{ ...held, names, ...opened },
      histories: (directory, options) => {
        expectShortLives();
        return histories(
          versionsIn(opened, storedDirectory(names, directory), session.world.signal, options),
          names,
          options,
        );
      },
    });
  } finally {
    await opened.store.close();
  }
}

function storedDirectory(names: Names, directory: RawPath): RawPath {
  if (directory === "") return directory;
  const plain = rawFromBytes(directory.replace(/\/$/, ""));
  return rawFromBytes(`${names.encode(plain, "directory")}/`);
}

function versionsIn(
  { store, dir }: Opened,
  prefix: RawPath,
  signal: AbortSignal,
  { onLost }: HistoriesOptions = {},
): Pages<StoredVersion> {
  return dir === undefined ? store.versions(prefix, signal) : dir.versions(prefix, signal, onLost);
}

type Opened = Pick<OpenHistory, "store" | "found" | "dir">;

async function openStore(
  session: Session,
  request: Pick<HistoryRequest, "needs">,
  files: StateFiles,
  scratch: string,
): Promise<Opened> {
  const { backup } = session;
  const { kind } = backup.history;
  const shown = redactLocation(backup.destination);
  if (kind === "none")
    throw usage(`${shown}: expected a backup with history, found [history] kind = none`, {
      hint: `set kind = auto or dir in ${backup.file}`,
    });
  if (kind === "dir") return openDated(session, files, scratch, shown);
  const found = findStore(backup.destination, {
    remotes: session.remotes,
    env: session.rclone.env,
  });
  if (kind !== "auto" && kind !== found.type)
    throw usage(`history.kind: expected the kind of the store, ${found.type}, found ${kind}`, {
      hint: "leave it out: it is found by itself",
    });
  const { options, path, type } = found;
  const given = { options, path, world: storeWorld(session) };
  if (type === "b2") {
    const { openB2 } = await import("../stores/b2/open.ts");
    const store = await openB2({ ...given, needs: request.needs ?? [] });
    return { store, found, dir: undefined };
  }
  if (type === "s3") {
    const { openS3 } = await import("../stores/s3/open.ts");
    const onNote = (text: string): void => session.world.events.detail(1, text);
    return { store: await openS3({ ...given, onNote }), found, dir: undefined };
  }
  throw usage(
    `${shown}: expected a store that keeps old versions, found ${type}, which keeps none by itself`,
    {
      hint: `with [history] kind = dir in ${backup.file}, every backup from then on keeps what it replaces and deletes`,
    },
  );
}

async function openDated(
  session: Session,
  files: StateFiles,
  scratch: string,
  place: string,
): Promise<Opened> {
  const [{ openDir }, { storedBelow }] = await Promise.all([
    import("../stores/dir/open.ts"),
    import("../stores/dir/stored.ts"),
  ]);
  const history = await historyOf(session);
  if (history === undefined) throw new TypeError("expected a place of old versions");
  const { record } = await readRecord(files.record, { setAside: false });
  const { rclone, features, tuning, destination, world } = session;
  const context = { remotes: session.remotes, env: rclone.env };
  const dir = openDir({
    // The user's flags may be about crypt.
    ...(tuning.flags.length > 0
      ? {}
      : { stored: (location: string) => storedBelow(location, context) }),
    ...{ rclone, features, tuning, destination, history: history.location, scratch, place },
    ...{ now: world.now, lastNumber: record?.lastNumber ?? 0 },
  });
  return { store: dir, found: undefined, dir };
}

/** What a store may use of the world of a session. */
export function storeWorld({ world }: Pick<Session, "world">): StoreWorld {
  return {
    env: world.env,
    now: world.now,
    random: Math.random,
    sleep: async (ms, signal) => sleep(ms, undefined, signal === undefined ? {} : { signal }),
  };
}
