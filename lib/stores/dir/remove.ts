import { join } from "node:path";
import { failed } from "../../errors.ts";
import { LineSpool } from "../../process/spool.ts";
import { deleteExactArgs } from "../../rclone/files.ts";
import { runRclone } from "../../rclone/run.ts";
import { asGoWrites, isUtf8, type RawPath } from "../../units/rawpath.ts";
import type { Removal, StoredVersion } from "../store.ts";
import { below, type DirContext } from "./context.ts";
import { listExactly } from "./listplace.ts";
import { currentId } from "./timeline.ts";

/** rclone's exit code when the directory itself does not exist. */
const notFound = 3;

/**
 * Deletes versions for good, with one call of rclone for each directory that they lie in. Markers are
 * no files: they go when the versions below them do. `places` says where each version lies now; what it
 * lacks is gone. `name` tells temporaries apart.
 * Throws when rclone fails without a word about any file, and when nobody can tell what became of one.
 */
export async function removeVersions(
  context: DirContext,
  versions: readonly StoredVersion[],
  places: ReadonlyMap<StoredVersion, StoredVersion>,
  name: string,
): Promise<readonly Removal[]> {
  const results = new Map<StoredVersion, Removal>();
  const directories = new Map<string, StoredVersion[]>();
  for (const version of versions) {
    if (version.kind === "marker") results.set(version, { version, result: "removed" });
    else {
      const id = places.get(version)?.id;
      if (id === undefined) continue;
      const members = directories.get(id) ?? [];
      members.push(version);
      directories.set(id, members);
    }
  }
  for (const [id, members] of directories) {
    const place = id === currentId ? context.destination : below(context.history, id);
    for (const removal of await removeFrom(context, place, members, `${name}-${id}`))
      results.set(removal.version, removal);
  }
  return versions.map((version) => results.get(version) ?? { version, result: "gone" });
}

async function removeFrom(
  context: DirContext,
  location: string,
  versions: readonly StoredVersion[],
  name: string,
): Promise<readonly Removal[]> {
  const list = new LineSpool(join(context.scratch, name));
  for (const version of versions) list.write(version.name);
  list.close();
  const removed = new Set<string>();
  const errors = new Map<string, string>();
  const { code, lastError } = await runRclone(context.rclone, {
    args: deleteExactArgs(location, list.file, context.tuning),
    signal: context.signal,
    onLog: ({ level, object, message }) => {
      if (object === undefined || object === "") return;
      if (level === "error") errors.set(object, message);
      else if (message === "Deleted") removed.add(object);
    },
  });
  if (code !== 0 && code !== notFound && errors.size === 0)
    throw failed(
      `history: expected to delete ${versions.length} old versions, found rclone exit code ${code}: ${lastError ?? "no message"}`,
    );
  // Its log writes names that are not UTF-8 all alike, and its silence may mean anything.
  const unclear = new Set(
    versions.filter(({ name: path }) => {
      const told = asGoWrites(path);
      return !isUtf8(path) || !(removed.has(told) || errors.has(told));
    }),
  );
  const left = await stillThere(context, location, [...unclear], `${name}-left`);
  return versions.map((version): Removal => {
    const told = asGoWrites(version.name);
    const reason = errors.get(told) ?? "expected rclone to delete it, found it still there";
    const isLeft = unclear.has(version) ? left.has(version.name) : errors.has(told);
    if (isLeft) return { version, result: "failed", error: failed(reason) };
    return { version, result: removed.has(told) ? "removed" : "gone" };
  });
}

async function stillThere(
  context: DirContext,
  location: string,
  versions: readonly StoredVersion[],
  name: string,
): Promise<ReadonlyMap<RawPath, unknown>> {
  if (versions.length === 0) return new Map();
  const names = versions.map((version) => version.name);
  return listExactly(context, name, location, names);
}
