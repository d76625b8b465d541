import { open, readdir, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { decryptContent } from "../../crypt/content.ts";
import { cryptKeys } from "../../crypt/keys.ts";
import { decryptedSize, encryptsContent } from "../../crypt/sizes.ts";
import { systemCode } from "../../errors.ts";
import { rawFromText, textFromRaw } from "../../units/rawpath.ts";
import { runsOf, type HistoryRun } from "./runs.ts";
import type { StoredPlace } from "./stored.ts";

/**
 * The runs of which a stored directory of old versions holds anything, as listRuns tells them, without a start of rclone.
 * Undefined where it can't be read: rclone says why.
 */
export async function listStoredRuns({
  location,
  names,
}: StoredPlace): Promise<readonly HistoryRun[] | undefined> {
  try {
    const entries = (await readdir(location, { withFileTypes: true })).filter(
      (entry) => entry.isFile() || entry.isDirectory(),
    );
    const plain = names.decode(entries.map(({ name }) => rawFromText(name)));
    return runsOf(
      entries.map((entry, at) => `${plain[at] ?? ""}${entry.isDirectory() ? "/" : ""}`),
    );
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

/**
 * Decrypts files of a stored directory into one of this machine; those that are not there are passed over. Returns false where
 * anything goes wrong: rclone says what. Throws the signal's reason.
 */
export async function fetchStored(
  place: StoredPlace,
  names: readonly string[],
  directory: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    for (const name of names) {
      signal?.throwIfAborted();
      await decryptFile(place, name, path.join(directory, name));
    }
    return true;
  } catch {
    signal?.throwIfAborted();
    return false;
  }
}

const pieceLength = 262_144;

async function decryptFile(
  { location, names, crypts }: StoredPlace,
  name: string,
  target: string,
): Promise<void> {
  const file = path.join(location, textFromRaw(names.encode(rawFromText(name), "file")));
  const stored = await openIfThere(file);
  if (stored === undefined) return;
  try {
    let storedSize = (await stored.stat()).size;
    let content: AsyncIterable<Uint8Array> = piecesOf(stored);
    for (const crypt of crypts.filter(encryptsContent).toReversed()) {
      content = decryptContent(content, cryptKeys(crypt), { storedSize });
      storedSize = decryptedSize(storedSize) ?? 0;
    }
    const written = await open(target, "w", 0o600);
    try {
      for await (const piece of content) await written.writeFile(piece);
    } finally {
      await written.close();
    }
  } finally {
    await stored.close();
  }
}

async function openIfThere(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function* piecesOf(file: FileHandle): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(pieceLength), 0, pieceLength);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}
