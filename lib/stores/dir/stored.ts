import type { Names } from "../../crypt/names.ts";
import { Failure } from "../../errors.ts";
import { linePages } from "../../manifest/textpages.ts";
import type { ResolveContext } from "../../rclone/resolve.ts";
import { rawFromBytes, textFromRaw } from "../../units/rawpath.ts";
import { findStore } from "../find.ts";

/** Where the files of a crypt remote lie on this machine, under names that are decrypted here. */
export interface StoredPlace {
  readonly location: string;
  readonly names: Names;
  /** Options of each crypt on the way, outermost first. */
  readonly crypts: readonly ReadonlyMap<string, string>[];
  /** Whether names are encrypted, of files and of directories, so that what is none of ours does not decrypt. */
  readonly opaque: boolean;
}

/** Options of crypt that leave what is listed as our own decryption tells it. */
const understood = new Set([
  ...["type", "remote", "password", "password2", "description", "filename_encryption"],
  ...["directory_name_encryption", "filename_encoding", "no_data_encryption"],
  ...["server_side_across_configs", "show_mapping", "pass_bad_blocks"],
]);

/**
 * The directory below a location that is crypt over a directory of this machine; undefined for
 * anything else, which rclone has to list by itself. rclone decrypts a name each time it looks at it, so a
 * listing through crypt takes it five times as long as one of what is stored.
 */
export function storedBelow(
  location: string,
  context: Pick<ResolveContext, "remotes" | "env">,
): StoredPlace | undefined {
  try {
    const { type, options, path, names, crypts } = findStore(location, context);
    const plain = type === "local" && [...options.keys()].every((key) => key === "type");
    const known = crypts.every((crypt) => [...crypt.keys()].every((key) => understood.has(key)));
    if (!plain || !known || crypts.length === 0 || !path.startsWith("/")) return undefined;
    return { location: textFromRaw(path), names, crypts, opaque: crypts.every(hidesNames) };
  } catch (error) {
    // What can't be seen through, rclone may still list.
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

function hidesNames(crypt: ReadonlyMap<string, string>): boolean {
  const encoding = crypt.get("filename_encoding") ?? "base32";
  return (
    (crypt.get("filename_encryption") ?? "standard") === "standard" &&
    (crypt.get("directory_name_encryption") ?? "true") === "true" &&
    encoding === "base32"
  );
}

/** rclone's lines come in small pieces, and each time that names are decrypted costs as much as some of them. */
const decodedAtOnce = 1024;

/**
 * What a listing (`path TAB size TAB time`) of a stored place says of the plain files. What is not ours is
 * left out, as rclone does. `told`: the time that stands there, as rclone tells it.
 */
export async function* plainListing(
  names: Names,
  output: AsyncIterable<Uint8Array>,
  told?: (time: string) => string,
): AsyncGenerator<Uint8Array> {
  let held: string[] = [];
  for await (const lines of linePages(output)) {
    held.push(...lines);
    if (held.length < decodedAtOnce) continue;
    yield plainLines(names, held, told);
    held = [];
  }
  if (held.length > 0) yield plainLines(names, held, told);
}

function plainLines(
  names: Names,
  lines: readonly string[],
  told: ((time: string) => string) | undefined,
): Buffer {
  const paths = names.decode(lines.map((line) => rawFromBytes(line.slice(0, line.indexOf("\t")))));
  let text = "";
  for (const [at, line] of lines.entries()) {
    const path = paths[at];
    if (path === undefined || path === "") continue;
    const first = line.indexOf("\t");
    const second = line.indexOf("\t", first + 1);
    const size = names.plainSize(Number(line.slice(first + 1, second))) ?? 0;
    const time = line.slice(second + 1);
    text += `${path}\t${size}\t${told === undefined ? time : told(time)}\n`;
  }
  return Buffer.from(text, "latin1");
}
