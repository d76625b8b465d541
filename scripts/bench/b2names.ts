import { cryptNames } from "../../lib/crypt/cryptnames.ts";
import { cryptKeys } from "../../lib/crypt/keys.ts";
import { standardSegments } from "../../lib/crypt/segments.ts";
import { base32 } from "../../lib/crypt/textencoding.ts";
import { rawFromBytes } from "../../lib/units/rawpath.ts";

/** Versions of each file, hide markers among them. */
export const perFile = 4;
const perDirectory = 100;

const extensions = ["dat", "jpg", "txt", "log", "tmp"] as const;

/**
 * The stored names of so many files below a directory, ascending: what crypt with this password makes
 * of them. Those of a directory are encrypted when the first is asked for, and held until the next is.
 */
export function encryptedTree(
  obscured: string,
  top: string,
  files: number,
): (file: number) => string {
  const options = new Map([["password", obscured]]);
  const names = cryptNames(options);
  const segments = standardSegments(cryptKeys(options), base32);
  const directories = Array.from({ length: Math.ceil(files / perDirectory) }, (_, at) => ({
    at,
    stored: names.encode(rawFromBytes(`${top}/user ${at % 10}/directory ${at}`), "directory"),
  })).toSorted((a, b) => (a.stored < b.stored ? -1 : 1));
  let held: readonly string[] = [];
  let which = -1;
  return (file) => {
    const wanted = Math.floor(file / perDirectory);
    if (wanted !== which) {
      const directory = directories[wanted];
      if (directory === undefined) throw new RangeError(`no file ${file}`);
      held = Array.from({ length: perDirectory }, (_, at) => {
        const number = String(directory.at * perDirectory + at).padStart(8, "0");
        const plain = `a file named ${number}.${extensions[at % extensions.length]}`;
        return `${directory.stored}/${segments.encode(plain)}`;
      }).toSorted();
      which = wanted;
    }
    return held[file % perDirectory] ?? "";
  };
}
