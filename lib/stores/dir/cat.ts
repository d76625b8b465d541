import { rm } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { failed } from "../../errors.ts";
import { LineSpool } from "../../process/spool.ts";
import { catArgs } from "../../rclone/files.ts";
import { runRclone } from "../../rclone/run.ts";
import type { StoredVersion } from "../store.ts";
import type { DirContext } from "./context.ts";

/**
 * The content of a version as a stream, which fails when rclone does or fewer bytes come than were
 * listed: for a file that is gone, rclone writes nothing and ends with 0. Destroying the stream ends
 * rclone. `name` tells temporaries apart.
 */
export function catFile(
  { rclone, tuning, scratch, signal }: DirContext,
  location: string,
  { name: path, size }: Pick<StoredVersion, "name" | "size">,
  name: string,
  range: { readonly start: number; readonly length?: number } = { start: 0 },
): Readable {
  const expected = Math.min(Math.max(size - range.start, 0), range.length ?? Infinity);
  // rclone is not asked for nothing: some versions of it fail at an offset behind the end.
  if (expected === 0) return Readable.from([]);
  const list = new LineSpool(join(scratch, name));
  list.write(path);
  list.close();
  const content = new PassThrough();
  const left = new AbortController();
  content.once("close", () => left.abort());
  let seen = 0;
  const intent = {
    ...{ location, filesFrom: list.file },
    ...{ offset: range.start, count: range.length },
  };
  const read = async (): Promise<void> => {
    try {
      const { code, lastError } = await runRclone(rclone, {
        args: catArgs(intent, tuning),
        signal: signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]),
        takeOutput: async (output) => {
          const chunks: AsyncIterable<Uint8Array> = output;
          for await (const chunk of chunks) {
            seen += chunk.length;
            if (!content.write(chunk)) await drained(content);
          }
        },
      });
      if (code !== 0 || seen < expected)
        throw failed(
          `history: expected ${expected} bytes of a stored file, found ${seen} and rclone exit code ${code}: ${lastError ?? "no error told"}`,
        );
      content.end();
    } catch (error) {
      content.destroy(error instanceof Error ? error : new Error(String(error)));
    }
    await rm(list.file, { force: true });
  };
  void read();
  return content;
}

async function drained(stream: PassThrough): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.on("drain", done);
    stream.on("close", done);
  });
}
