import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createGunzip, createGzip } from "node:zlib";
import { systemCode } from "../errors.ts";
import { atomicStream } from "../state/atomic.ts";
import type { Pages } from "./pages.ts";
import { linePages } from "./textpages.ts";

/**
 * The form that all our lists of files have: gzip of a first line that names format and version, a
 * line `#{…}` of JSON, the lines (Latin-1, as raw paths are), and a last line `#end {…}` with
 * totals, so that a cut file is never taken for a short one.
 */

/** Thrown for a list that is damaged. */
export class DamagedManifest extends Error {
  override readonly name = "DamagedManifest";
}

/** Writes a list: a temporary name, synced, renamed. `end` is asked for the totals after the last line. */
export async function writeGzipLines(
  file: string,
  magic: string,
  header: unknown,
  lines: Pages<string>,
  end: () => unknown,
): Promise<void> {
  async function* text(): AsyncGenerator<Buffer> {
    yield Buffer.from(`${magic}\n#${JSON.stringify(header)}\n`, "utf8");
    for await (const page of lines)
      if (page.length > 0) yield Buffer.from(`${page.join("\n")}\n`, "latin1");
    yield Buffer.from(`#end ${JSON.stringify(end())}\n`, "utf8");
  }
  const target = await atomicStream(file, 0o600);
  try {
    await pipeline(
      Readable.from(text()),
      createGzip({ level: constants.Z_BEST_SPEED }),
      target.stream,
    );
    await target.commit();
  } catch (error) {
    await target.abandon();
    throw error;
  }
}

/** A line of a list, and where it stands. */
export interface Line {
  readonly text: string;
  readonly number: number;
}

/**
 * Reads a list page by page. `onHeader` gets the second line's JSON before the first page; `end` says,
 * when all lines were taken, which totals the last line must have.
 * Throws DamagedManifest when it is cut or not one, at the latest when its end is reached, so a
 * caller must read to the end before it acts on what it read.
 */
export async function* readGzipLines(
  file: string,
  magic: string,
  onHeader: (header: unknown) => void,
  end: () => unknown,
): Pages<Line> {
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  const source = createReadStream(file);
  source.on("error", (error) => gunzip.destroy(error));
  let number = 0;
  let last: string | undefined;
  try {
    for await (const lines of linePages(source.pipe(gunzip))) {
      const page: Line[] = [];
      for (const text of lines) {
        number += 1;
        if (last !== undefined)
          throw new DamagedManifest(`${file}: expected nothing after the last line, found more`);
        if (number === 1) checkMagic(file, magic, text);
        else if (number === 2) onHeader(parseHeader(file, text));
        else if (text.startsWith("#end {") && !text.includes("\t")) last = text;
        else page.push({ text, number });
      }
      if (page.length > 0) yield page;
    }
  } catch (error) {
    if (error instanceof DamagedManifest || systemCode(error)?.startsWith("E") === true)
      throw error;
    throw new DamagedManifest(`${file}: expected a whole gzip file, found a damaged one`, {
      cause: error,
    });
  } finally {
    source.destroy();
  }
  if (last !== `#end ${JSON.stringify(end())}`)
    throw new DamagedManifest(
      `${file}: expected a last line with the number of files, found ${last === undefined ? "none" : "another number"}`,
    );
}

function checkMagic(file: string, magic: string, text: string): void {
  if (text !== magic)
    throw new DamagedManifest(`${file}: expected “${magic}”, found another first line`);
}

function parseHeader(file: string, text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text.slice(1), "latin1").toString("utf8"));
  } catch (error) {
    throw new DamagedManifest(`${file}:2: expected JSON, found something else`, { cause: error });
  }
}
