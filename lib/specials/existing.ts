import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { systemCode } from "../errors.ts";
import { commentWithin, gzipComment } from "./gzip.ts";

/** The name of the archive at the source's root. */
export const archiveName = "special-files.tar.gz";

/** What it is called while it is written: every backup leaves `.#*` out, so half of it is never stored. */
export const temporaryName = `.#${archiveName}`;

const mark = "rclone-backups special files ";
const version = "1";

/** What stands at the archive's place. "ours" is told by the comment in its gzip header. */
export type Existing =
  | { readonly kind: "absent" | "foreign" }
  | { readonly kind: "ours"; readonly digest: string | undefined };

/** The comment of an archive of members with this digest (see Members). */
export function commentFor(digest: string): string {
  return `${mark}${version} sha256=${digest}`;
}

/** Looks at a file without following a link and without waiting for a fifo's writer. Never throws. */
export async function inspectArchive(file: string): Promise<Existing> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let handle;
  try {
    handle = await open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!(await handle.stat()).isFile()) return { kind: "foreign" };
    const { buffer, bytesRead } = await handle.read(
      Buffer.alloc(commentWithin),
      0,
      commentWithin,
      0,
    );
    const comment = gzipComment(buffer.subarray(0, bytesRead));
    if (comment?.startsWith(mark) !== true) return { kind: "foreign" };
    const digest = new RegExp(`^${mark}${version} sha256=([0-9a-f]{64})$`).exec(comment)?.[1];
    return { kind: "ours", digest };
  } catch (error) {
    return { kind: systemCode(error) === "ENOENT" ? "absent" : "foreign" };
  } finally {
    await handle?.close();
  }
}
