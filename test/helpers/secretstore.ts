import { readFile } from "node:fs/promises";
import path from "node:path";
import { decryptContent } from "../../lib/crypt/content.ts";
import { cryptNames } from "../../lib/crypt/cryptnames.ts";
import { cryptKeys } from "../../lib/crypt/keys.ts";
import { rawFromBytes, rawFromText, textFromRaw } from "../../lib/units/rawpath.ts";
import { listRawFiles } from "./rawfiles.ts";
import { emptyPassword, type Sandbox } from "./sandbox.ts";

// What a sandbox's `secret:` holds, without a start of rclone for each look. That names and contents
// are read here as rclone reads them, crypt-names.test.ts and crypt-content.test.ts show.

const options: ReadonlyMap<string, string> = new Map([["password", emptyPassword]]);
const names = cryptNames(options);

/** Where `secret:NAME` is on disk. */
export function secretPath({ store }: Sandbox, name: string, kind: "file" | "directory"): string {
  return path.join(store, "secret", textFromRaw(names.encode(rawFromText(name), kind)));
}

/** The files below `secret:DIRECTORY`, sorted. Throws where the directory is missing. */
export async function secretFiles(box: Sandbox, directory = ""): Promise<string[]> {
  const stored = await listRawFiles(secretPath(box, directory, "directory"));
  return names
    .decode(stored.map((file) => rawFromBytes(file)))
    .flatMap((name) => (name === undefined ? [] : [textFromRaw(name)]))
    .toSorted();
}

/** The content of `secret:NAME`; throws where a byte of it is damaged. */
export async function secretContent(box: Sandbox, name: string): Promise<Buffer> {
  const stored = await readFile(secretPath(box, name, "file"));
  const pieces: Uint8Array[] = [];
  const source = (async function* () {
    yield stored;
  })();
  for await (const piece of decryptContent(source, cryptKeys(options), {
    storedSize: stored.length,
  }))
    pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces);
}
