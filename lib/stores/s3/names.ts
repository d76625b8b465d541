import { failed } from "../../errors.ts";
import {
  isUtf8,
  rawFromBytes,
  rawFromText,
  textFromRaw,
  type RawPath,
} from "../../units/rawpath.ts";
import { foreignName, type NameEncoding } from "../encoding.ts";

interface Named {
  readonly name: RawPath;
  /** The bytes of the key below the directory where they differ. */
  readonly order?: RawPath;
  readonly id: string;
}

/** Names that every encoding leaves alone: nothing in them stands for something else. */
const plain = /^[0-9A-Za-z_/-]*$/;

/** How files below one directory of a bucket are called in S3, and back. */
export class S3Names {
  /** Beginning of every key: empty, or ends in `/`. */
  readonly #root: RawPath;
  readonly #encoding: NameEncoding;

  constructor(directory: RawPath, encoding: NameEncoding) {
    this.#encoding = encoding;
    this.#root = rawFromBytes(directory === "" ? "" : `${encoding.toStore(directory)}/`);
  }

  /** The beginning of all keys below a directory, given with its `/` or empty. */
  prefix(below: RawPath): string {
    if (below !== "" && !below.endsWith("/"))
      throw new RangeError("expected a prefix that ends in a slash");
    return below === ""
      ? textFromRaw(this.#root)
      : `${this.key(rawFromBytes(below.slice(0, -1)))}/`;
  }

  /** The key of a file. */
  key(name: RawPath): string {
    // An empty name would address the directory itself, or the whole bucket.
    if (name === "") throw new RangeError("expected a name, found an empty one");
    const bytes = rawFromBytes(this.#root + this.#encoding.toStore(name));
    if (!isUtf8(bytes))
      throw failed(
        `expected a name that S3 can hold, found one that is not UTF-8: ${textFromRaw(bytes)}`,
      );
    return textFromRaw(bytes);
  }

  /** The key of a file that is to get a new entry: of exactly this one, as a listing names it. */
  own(name: RawPath): string {
    const key = this.key(name);
    if (this.named(key, this.bytes(key), "").name === name) return key;
    throw failed(
      `expected the name of a file that rclone can store, found another's: ${textFromRaw(name)}`,
    );
  }

  /** The bytes below the directory by which a file of this name is in order. */
  order(name: RawPath): RawPath {
    return this.#encoding.toStore(name);
  }

  /** The bytes of a key, by which listings are in order. */
  bytes(key: string): RawPath {
    return plain.test(key) ? rawFromBytes(key) : rawFromText(key);
  }

  /**
   * Name and id for a version in a listing. A key that rclone would not have written (it takes it for
   * another file's) keeps its own bytes as the name, so that it is no version of the other file, and
   * is in the id, so that this very version is addressed later and no other.
   */
  named(key: string, bytes: RawPath, id: string): Named {
    const below = rawFromBytes(bytes.slice(this.#root.length));
    if (plain.test(below)) return { name: below, id };
    const name = this.#encoding.fromStore(below);
    if (this.#keyed(name) === key)
      return name === below ? { name, id } : { name, order: below, id };
    const foreign = foreignName(this.#encoding, below);
    return { name: foreign, order: below, id: `${id}\n${key}` };
  }

  #keyed(name: RawPath): string | undefined {
    try {
      return this.key(name);
    } catch {
      return undefined;
    }
  }

  /** Key and version (or upload) of what came from a listing. */
  address({ name, id }: Pick<Named, "name" | "id">): { readonly key: string; readonly id: string } {
    const end = id.indexOf("\n");
    return end === -1
      ? { key: this.key(name), id }
      : { key: id.slice(end + 1), id: id.slice(0, end) };
  }
}
