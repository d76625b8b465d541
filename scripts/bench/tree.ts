import { createHash, randomFillSync } from "node:crypto";
import { rmSync, truncateSync, writeFileSync } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import path from "node:path";
import { setImmediate } from "node:timers/promises";

const mostDirectories = 1000;

/** Files of `bytes` bytes each, spread evenly over up to 1,000 directories. */
export async function makeTree(
  root: string,
  files: number,
  bytes: number,
  signal: AbortSignal,
): Promise<void> {
  const content = Buffer.alloc(bytes, "some content\n");
  for await (const [directory, names] of layout(root, files, signal)) {
    await mkdir(directory, { recursive: true });
    for (const name of names) writeFileSync(path.join(directory, name), content);
  }
}

/**
 * Gives each file of such a tree a size from 10 bytes to 10 MB, every order of magnitude as often as
 * any other. They are holes: the tree takes no space, and is for listing only.
 */
export async function stretchTree(root: string, files: number, signal: AbortSignal): Promise<void> {
  const golden = 0.618_033_988_749_894_9;
  let at = 0;
  for await (const [directory, names] of layout(root, files, signal)) {
    for (const name of names) {
      at += 1;
      truncateSync(path.join(directory, name), Math.round(10 ** (1 + 6 * ((at * golden) % 1))));
    }
  }
}

/** Changes a tenth of the files of such a tree and deletes a twentieth. */
export async function changeTree(
  root: string,
  files: number,
  bytes: number,
  signal: AbortSignal,
): Promise<void> {
  const content = Buffer.alloc(bytes, "other content\n");
  let at = 0;
  for await (const [directory, names] of layout(root, files, signal)) {
    for (const name of names) {
      at += 1;
      if (at % 10 === 0) writeFileSync(path.join(directory, name), content);
      if (at % 20 === 5) rmSync(path.join(directory, name));
    }
  }
}

/** The names of the tree, directory by directory. Lets signals in between; throws when one came. */
async function* layout(
  root: string,
  files: number,
  signal: AbortSignal,
): AsyncGenerator<[directory: string, names: string[]]> {
  const directories = Math.min(mostDirectories, Math.ceil(files / 10));
  let made = 0;
  for (let at = 0; at < directories; at += 1) {
    await setImmediate();
    signal.throwIfAborted();
    const until = Math.round((files * (at + 1)) / directories);
    const names: string[] = [];
    for (; made < until; made += 1) names.push(`a file named ${String(made).padStart(7, "0")}.dat`);
    yield [path.join(root, `directory ${String(at).padStart(4, "0")}`), names];
  }
}

const largest = 10 * 1024 * 1024;

/** Files of 10 MiB (ten files where that is more than `bytes`), no two alike. Returns their number. */
export async function makeData(root: string, bytes: number, signal: AbortSignal): Promise<number> {
  await mkdir(root, { recursive: true });
  const size = Math.min(largest, Math.ceil(bytes / 10));
  const content = randomFillSync(Buffer.alloc(size));
  let files = 0;
  for (let left = bytes; left > 0; left -= size) {
    await setImmediate();
    signal.throwIfAborted();
    randomFillSync(content, 0, Math.min(32, size));
    const file = path.join(root, `data ${String(files).padStart(6, "0")}`);
    writeFileSync(file, content.subarray(0, Math.min(size, left)));
    files += 1;
  }
  return files;
}

/** One file of random bytes, no two stretches of it alike. Returns its SHA-256. */
export async function makeFile(file: string, bytes: number, signal: AbortSignal): Promise<string> {
  await mkdir(path.dirname(file), { recursive: true });
  const content = randomFillSync(Buffer.alloc(1024 * 1024));
  const hash = createHash("sha256");
  const handle = await open(file, "w");
  try {
    for (let left = bytes; left > 0; left -= content.length) {
      signal.throwIfAborted();
      randomFillSync(content, 0, 32);
      const piece = content.subarray(0, Math.min(left, content.length));
      hash.update(piece);
      await handle.writeFile(piece);
    }
  } finally {
    await handle.close();
  }
  return hash.digest("hex");
}
