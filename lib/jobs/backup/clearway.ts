import { createReadStream } from "node:fs";
import { join } from "node:path";
import type { Obstacle } from "../../manifest/obstacles.ts";
import type { Pages } from "../../manifest/pages.ts";
import { linePages } from "../../manifest/textpages.ts";
import { LineSpool } from "../../process/spool.ts";
import { deleteExactArgs, moveBackArgs } from "../../rclone/files.ts";
import { remoteFeatures } from "../../rclone/remotefeatures.ts";
import { runRclone } from "../../rclone/run.ts";
import { removeEmpty } from "../../stores/dir/transfer.ts";
import { rawFromBytes, type RawPath } from "../../units/rawpath.ts";
import type { FileFailure } from "../result.ts";
import type { Run } from "./run.ts";

/**
 * Takes files out of the way at the destination before the sync: where a file became a directory, or
 * the reverse, rclone would try to upload before it deletes, fail, and delete nothing for that, every night.
 * Every one of them was planned to be deleted, and the guards have judged that. With `backupDir` they are
 * moved there. `tell` gets each that is gone, as rclone spells it. What could not be moved, the sync tells. Where
 * there is none, nothing is asked of anybody. Returns how many are gone.
 */
export async function clearTheWay(
  run: Run,
  obstacles: Pages<Obstacle>,
  backupDir: string | undefined,
  tell: (object: string, size: number | undefined) => void,
): Promise<number> {
  const { rclone, destination, tuning, world } = run.session;
  const files = new LineSpool(join(run.scratch, "in-the-way"));
  const directories = new LineSpool(join(run.scratch, "directories-in-the-way"));
  let any = false;
  let last: RawPath | undefined;
  for await (const page of obstacles)
    for (const { path, directory } of page) {
      any = true;
      files.write(path);
      if (directory !== undefined && directory !== last) directories.write(directory);
      last = directory;
    }
  files.close();
  directories.close();
  if (!any) return 0;
  const told = await remoteFeatures(rclone, destination, tuning, world.signal);
  // In a bucket a file and a directory may have one name, and nothing is in the way.
  if (typeof told !== "string" && told.can["BucketBased"] === true) return 0;
  let gone = 0;
  const ends = { from: destination, to: backupDir ?? "", filesFrom: files.file };
  await runRclone(rclone, {
    args:
      backupDir === undefined
        ? deleteExactArgs(destination, files.file, tuning)
        : moveBackArgs(ends, tuning),
    signal: world.signal,
    onLog: ({ level, message, object, size }) => {
      if (object === undefined || level !== "info" || !/^(Moved|Deleted$)/.test(message)) return;
      gone += 1;
      tell(object, size);
      world.events.detail(1, `${object}: ${message}, since it is in the way`);
    },
  });
  for await (const page of linePages(createReadStream(directories.file)))
    for (const line of page)
      await removeEmpty(
        { rclone, destination, tuning, scratch: run.scratch, signal: world.signal },
        rawFromBytes(line),
      );
  return gone;
}

/** Each takes a start of rclone. */
const mostLooked = 20;
const meansDirectory = /is a directory|not a directory|incompatible remotes/;

/**
 * After a sync that failed: removes directories without files that stood where a file was to come, such as a run
 * that was killed leaves, so that the next run can store it.
 */
export async function clearEmpty(
  { scratch, session: { rclone, destination, tuning, world } }: Run,
  failures: readonly FileFailure[],
): Promise<void> {
  const blocked = failures.filter(({ reason }) => meansDirectory.test(reason));
  for (const { path } of blocked.slice(0, mostLooked))
    await removeEmpty({ rclone, destination, tuning, scratch, signal: world.signal }, path);
}
