import { failed, usage } from "../errors.ts";
import { rawFromBytes, type RawPath } from "../units/rawpath.ts";
import { base32768 } from "./base32768.ts";
import { cryptKeys, type CryptKeys } from "./keys.ts";
import { nameEncryption, type NameEncryption } from "./namelength.ts";
import type { Names } from "./names.ts";
import { obfuscatedSegments } from "./obfuscate.ts";
import { assertSafe, isSafe } from "./plainnames.ts";
import { segmentCache } from "./segmentcache.ts";
import { standardSegments, type Segments } from "./segments.ts";
import { decryptedSize, encryptsContent } from "./sizes.ts";
import { base32, base64 } from "./textencoding.ts";
import { addMark, splitMark } from "./versionmark.ts";

/**
 * Names and sizes as a crypt remote with these options stores them; passwords are obscured in them,
 * as `rclone config dump` shows them.
 * Throws a usage failure for a mode or an encoding that is not known.
 */
export function cryptNames(
  options: ReadonlyMap<string, string>,
  keys: CryptKeys = cryptKeys(options),
): Names {
  const names = nameEncryption(options);
  if (names === undefined)
    throw usage(
      "crypt: expected filename_encryption standard, obfuscate or off and filename_encoding base32, " +
        `base64 or base32768, found ${options.get("filename_encryption") ?? "standard"} and ` +
        (options.get("filename_encoding") ?? "base32"),
    );
  const paths =
    names.mode === "off" ? suffixed(names.suffix) : encrypted(names, segmentsOf(names, keys));
  return {
    decode: paths.decode,
    encode(plain, kind) {
      if (plain === "" && kind === "directory") return plain;
      assertSafe(plain);
      const stored = paths.encode(plain, kind);
      // Some names collide with the marks of versions: rclone itself would list another one.
      if (kind === "file" && paths.decode([stored])[0] !== plain)
        throw failed("expected a name that crypt can give back, found one that it can't", {
          hint: "a name that begins with the mark of a version (-v2006-01-02-150405-000) is one",
        });
      return stored;
    },
    plainSize: encryptsContent(options) ? decryptedSize : (storedSize) => storedSize,
  };
}

type Paths = Pick<Names, "decode" | "encode">;

function segmentsOf(names: NameEncryption, keys: CryptKeys): Segments {
  if (names.mode === "obfuscate") return obfuscatedSegments(keys);
  return standardSegments(keys, { base32, base64, base32768 }[names.encoding]);
}

/** Readable names: only files get a suffix. */
function suffixed(suffix: string): Paths {
  const plainOf = (stored: RawPath): RawPath | undefined => {
    if (!stored.endsWith(suffix)) return undefined;
    const plain = stored.slice(0, stored.length - suffix.length);
    // Nor does rclone take a mark alone for a name.
    return isSafe(plain) && splitMark(plain)?.rest !== "" ? rawFromBytes(plain) : undefined;
  };
  return {
    decode: (stored) => stored.map(plainOf),
    encode: (plain, kind) => (kind === "file" ? rawFromBytes(plain + suffix) : plain),
  };
}

function encrypted(names: NameEncryption, segments: Segments): Paths {
  const decodeDirectories = names.directories ? directoryDecoder(segments) : readable;
  return {
    decode(stored) {
      const { directories, owners, leaves } = cut(stored);
      const plainDirectories = decodeDirectories(directories);
      const plainLeaves = decodeFiles(leaves, segments);
      return plainLeaves.map((leaf, at) => {
        const owner = owners[at] ?? -1;
        if (leaf === undefined || owner < 0) return leaf === undefined ? leaf : rawFromBytes(leaf);
        const directory = plainDirectories[owner];
        return directory === undefined ? undefined : rawFromBytes(`${directory}/${leaf}`);
      });
    },
    encode(plain, kind) {
      const parts = plain.split("/");
      const leaf = kind === "file" ? (parts.pop() ?? "") : undefined;
      const stored = names.directories ? parts.map((part) => segments.encode(part)) : parts;
      if (leaf !== undefined) stored.push(encodeFile(leaf, segments));
      return rawFromBytes(stored.join("/"));
    },
  };
}

interface Cut {
  /** Without those that come twice. */
  readonly directories: readonly string[];
  /** Which directory each leaf lies in; -1 at the top. */
  readonly owners: Int32Array;
  readonly leaves: readonly string[];
}

/** Cuts paths before their last segment. In a sorted listing neighbours mostly share a directory. */
function cut(paths: readonly string[]): Cut {
  const directories: string[] = [];
  const known = new Map<string, number>();
  const owners = new Int32Array(paths.length).fill(-1);
  let last = "";
  let owner = 0;
  const leaves = paths.map((path, i) => {
    const at = path.lastIndexOf("/");
    if (at < 0) return path;
    if (directories.length === 0 || last.length !== at || !path.startsWith(last)) {
      last = path.slice(0, at);
      owner = known.get(last) ?? directories.push(last) - 1;
      known.set(last, owner);
    }
    owners[i] = owner;
    return path.slice(at + 1);
  });
  return { directories, owners, leaves };
}

/** The mark of a version stays readable behind the rest, and goes back to its place. */
function decodeFiles(
  stored: readonly string[],
  segments: Segments,
): readonly (string | undefined)[] {
  const marked = stored.map(splitMark);
  const plain = segments.decode(stored.map((name, at) => marked[at]?.rest ?? name));
  return plain.map((rest, at) => {
    const mark = marked[at];
    if (mark === undefined) return rest;
    // A name that is nothing but a mark is not encrypted at all.
    if (mark.rest === "") return mark.mark;
    return rest === undefined ? undefined : addMark(rest, mark.mark);
  });
}

function encodeFile(plain: string, segments: Segments): string {
  const marked = splitMark(plain);
  if (marked === undefined) return segments.encode(plain);
  return marked.rest === "" ? marked.mark : addMark(segments.encode(marked.rest), marked.mark);
}

type Directories = (stored: readonly string[]) => readonly (string | undefined)[];

const readable: Directories = (stored) => stored.map((path) => (isSafe(path) ? path : undefined));

function directoryDecoder(segments: Segments): Directories {
  const cache = segmentCache(segments);
  return (stored) => {
    const split = stored.map((path) => path.split("/"));
    cache.learn(split.flat());
    return split.map((parts) => {
      const plain = parts.map((part) => cache.get(part));
      return plain.includes(undefined) ? undefined : plain.join("/");
    });
  };
}
