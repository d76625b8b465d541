import { opendir } from "node:fs/promises";
import { rawFromSystem } from "../../units/encoding.ts";
import { textFromRaw, type RawPath } from "../../units/rawpath.ts";
import { isTooLong, nameLimitOf } from "../backup/toolong.ts";
import type { Session } from "../session.ts";
import { warning, type Finding } from "./finding.ts";

/** So many names of the source are looked at, for so many milliseconds. */
const most = 50_000;
const patience = 5000;

/**
 * Names in a sample of the source that are too long for the destination once they are encrypted. The
 * filters are not asked, so it is no more than a warning; a run leaves such files out and says so.
 */
export async function checkNames({
  localSource,
  destinationPlace,
  world: { signal },
}: Session): Promise<Finding[]> {
  if (localSource === undefined) return [];
  const limit = await nameLimitOf(destinationPlace, signal);
  if (limit === undefined) return [];
  const found: RawPath[] = [];
  for await (const path of sample(localSource, signal))
    if (isTooLong(path, limit)) found.push(path);
  const [first] = found;
  if (first === undefined) return [];
  return [
    warning(
      "names",
      `names: expected names of at most ${limit.fits} bytes, which fit when they are encrypted, found ${found.length} longer ones, such as ${textFromRaw(first)}`,
      "rename them, or encode names shorter in a new remote (filename_encoding = base64 where the store minds upper and lower case)",
    ),
  ];
}

/** Paths of files and directories, directories by directories; what can't be read is passed over. */
async function* sample(root: string, signal: AbortSignal): AsyncGenerator<RawPath> {
  const until = performance.now() + patience;
  const waiting = [""];
  let seen = 0;
  for (let below = waiting.shift(); below !== undefined; below = waiting.shift()) {
    const path = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(below, "latin1")]);
    const directory = await opendir(path, { encoding: "latin1" }).catch(() => undefined);
    if (directory === undefined) continue;
    for await (const entry of directory) {
      signal.throwIfAborted();
      const inside = below === "" ? entry.name : `${below}/${entry.name}`;
      yield rawFromSystem(inside);
      if (entry.isDirectory()) waiting.push(inside);
      seen += 1;
      if (seen >= most || performance.now() > until) return;
    }
  }
}
