import { addMark } from "../crypt/versionmark.ts";
import type { FileHistory, FileVersion } from "../history/history.ts";
import type { Pages } from "../manifest/pages.ts";
import { rawFromBytes, type RawPath } from "../units/rawpath.ts";
import { SizeTree } from "./tree.ts";

export interface HistoriesOptions {
  /** Keeps every file, and every old version of one, in the tree too. */
  readonly files: boolean;
  /** `plain` bytes, or those that are `stored`: what a provider bills. */
  readonly sizes: "plain" | "stored";
  /** Each version counts as at least so many bytes. */
  readonly minimum: number;
  /** Called after every page, with what was counted so far. */
  readonly onProgress?: ((versions: number, bytes: number) => void) | undefined;
}

/**
 * Adds up all versions of all files: the current one of each, and the superseded and deleted ones.
 * Together they are all that is stored. Throws what the listing throws.
 */
export async function treeOfHistories(
  histories: Pages<FileHistory>,
  options: HistoriesOptions,
): Promise<SizeTree> {
  const tree = new SizeTree({ files: options.files, names: "standard" });
  let [count, bytes] = [0, 0];
  for await (const page of histories) {
    for (const { path, versions } of page) {
      for (const version of versions) {
        const own = options.sizes === "stored" ? version.stored.size : version.size;
        const size = Math.max(own, options.minimum);
        const isCurrent = version.end === "current";
        const name = options.files && !isCurrent ? versionPath(path, version) : path;
        tree.add(name, size, isCurrent ? "current" : "old");
        count += 1;
        bytes += size;
      }
    }
    options.onProgress?.(count, bytes);
  }
  return tree.total();
}

/** The path by which rclone shows an old version: `name-v2024-01-02-030405-678.ext`, in UTC. */
function versionPath(path: RawPath, { stored }: FileVersion): RawPath {
  const [, date = "", hour = "", minute = "", second = "", millisecond = ""] =
    /^(.+)T(\d\d):(\d\d):(\d\d)\.(\d{3})Z$/.exec(new Date(stored.storedAt).toISOString()) ?? [];
  const mark = `-v${date}-${hour}${minute}${second}-${millisecond}`;
  const slash = path.lastIndexOf("/") + 1;
  return rawFromBytes(path.slice(0, slash) + addMark(path.slice(slash), mark));
}
