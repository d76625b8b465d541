import { constants } from "node:fs";
import { open, stat, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { Failure, refused, systemCode } from "../errors.ts";
import type { HashBytes } from "./hash.ts";
import { journalIsOpen } from "./journal.ts";
import type { Manifest, SetFile } from "./manifest.ts";
import { foreign, listSet, type SetPlace } from "./place.ts";
import { readManifest, unreadable } from "./set.ts";

/**
 * The manifest of a set whose files are all there, with their sizes, and no others. Throws refused()
 * for what is no set, or one that a run was cut off from committing; a difference where files are
 * missing, of another size, or too many.
 */
export async function wholeSet(place: SetPlace, hash: HashBytes): Promise<Manifest> {
  const { directory } = place;
  const names = await listSet(place);
  if (names === undefined) throw refused(`expected a split dump in ${directory}, found nothing`);
  if (await journalIsOpen(place))
    throw refused(
      `expected a whole dump in ${directory}, found one that a run was cut off from committing`,
      { hint: "split a dump into it again: that completes it first" },
    );
  const { manifest, text } = await readManifest(place, hash);
  if (manifest === undefined)
    throw refused(
      `expected a manifest that says what is in ${directory}, found ${text === undefined ? "none" : "a damaged one"}`,
      {
        hint: `restore ${place.manifest} from the backup; cat ${directory}/* is the dump, unverified`,
      },
    );
  const known = new Set(manifest.files.map(({ name }) => name));
  const stranger = names.find((name) => !known.has(name));
  if (stranger !== undefined) throw foreign(directory, stranger);
  const there = new Set(names);
  for (const { name, bytes } of manifest.files) {
    const file = path.join(directory, name);
    if (!there.has(name)) throw differs(file, "the file that the manifest names", "none");
    const { size } = await stat(file).catch((error: unknown) => {
      throw unreadable(file, error);
    });
    if (size !== bytes) throw differs(file, `${bytes} bytes`, `${size}`);
  }
  return manifest;
}

/**
 * The bytes of files one after another, each compared with its hash before it is handed on. They stay
 * until the next but one is asked for. Throws a difference that names the file.
 */
export async function* readChunks(
  { directory }: SetPlace,
  files: readonly SetFile[],
  hash: HashBytes,
): AsyncGenerator<Buffer> {
  let [buffer, other] = [Buffer.alloc(0), Buffer.alloc(0)];
  for (const { name, bytes, hash: expected } of files) {
    const file = path.join(directory, name);
    if (buffer.length < bytes) buffer = Buffer.allocUnsafeSlow(bytes);
    const own = buffer.subarray(0, bytes);
    if (!(await fill(file, own))) throw differs(file, `${bytes} bytes`, "fewer");
    const found = hash(own);
    if (found !== expected) throw differs(file, `the hash ${expected}`, found);
    yield own;
    [buffer, other] = [other, buffer];
  }
}

async function fill(file: string, into: Buffer): Promise<boolean> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
    for (let at = 0; at < into.length;) {
      const { bytesRead } = await handle.read(into, at, into.length - at, at);
      if (bytesRead === 0) return false;
      at += bytesRead;
    }
    return true;
  } catch (error) {
    // A disk that can't read the file back is a difference too.
    if (systemCode(error) === "EIO") throw differs(file, "a file that can be read", "EIO");
    throw unreadable(file, error);
  } finally {
    await handle?.close();
  }
}

function differs(file: string, expected: string, found: string): Failure {
  return new Failure("difference", `${file}: expected ${expected}, found ${found}`, {
    hint: "restore the file from the backup, or split a new dump: that mends the set",
  });
}
