import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createGunzip } from "node:zlib";
import { failed, systemCode } from "../errors.ts";
import { streamLines } from "./lines.ts";
import { belowRoot, type OwnedFile, type Packages } from "./owned.ts";

/*
 * pacman keeps a directory for each package below /var/lib/pacman/local, with what the package holds in
 * `mtree`, compressed: mtree(5) as bsdtar writes it.
 */

/** The files of all packages. Throws failed where the database can't be read. */
export async function* pacmanFiles(root: string): Packages {
  const directory = join(root, "var/lib/pacman/local");
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
    throw unreadable(directory, error);
  });
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  for (const name of names.toSorted()) {
    const file = join(directory, name, "mtree");
    try {
      const files = await readMtree(file);
      yield { manager: "pacman", package: name.replace(/-[^-]+-[^-]+$/, ""), files };
    } catch (error) {
      // Packages without one are rare, but there are some.
      if (systemCode(error) !== "ENOENT") throw unreadable(file, error);
    }
  }
}

async function readMtree(file: string): Promise<OwnedFile[]> {
  const input = createReadStream(file);
  const gunzip = createGunzip();
  // pipe() hands no errors on.
  input.once("error", (error) => gunzip.destroy(error));
  const files: OwnedFile[] = [];
  let defaults = new Map<string, string>();
  for await (const line of streamLines(input.pipe(gunzip))) {
    const [first = "", ...words] = line.trim().split(/ +/);
    if (first === "/set") defaults = new Map([...defaults, ...keywords(words)]);
    else if (first === "/unset") for (const word of words) defaults.delete(word);
    else if (first.startsWith("./")) {
      const about = new Map([...defaults, ...keywords(words)]);
      const path = belowRoot(unescapePath(first));
      const digest = about.get("sha256digest") ?? about.get("sha256") ?? about.get("md5digest");
      // What the package says about itself stands at the top and is not installed.
      if (about.get("type") !== "file" || digest === undefined || /^\.[A-Z]+$/.test(path)) continue;
      files.push({ path, digest, size: Number(about.get("size") ?? NaN) });
    }
  }
  return files;
}

function keywords(words: readonly string[]): [string, string][] {
  return words.map((word) => {
    const [name = ""] = word.split("=", 1);
    return [name, word.slice(name.length + 1)];
  });
}

/** Bytes are written as a backslash and three octal digits (vis(3)). */
function unescapePath(text: string): string {
  return text.replaceAll(/\\([0-3][0-7]{2})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

function unreadable(file: string, cause: unknown): Error {
  return failed(
    `${file}: expected pacman's database, found that it can't be read: ${systemCode(cause) ?? String(cause)}`,
    { cause },
  );
}
