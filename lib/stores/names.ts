import { failed } from "../errors.ts";
import { isUtf8, rawFromBytes, rawFromText, textFromRaw, type RawPath } from "../units/rawpath.ts";
import { foreignName, type NameEncoding } from "./encoding.ts";

/** A stored version's name, and the id under which the store finds it again. */
interface Named {
  readonly name: RawPath;
  /** The stored bytes of the name where they differ. */
  readonly order?: RawPath;
  readonly id: string;
}

/** What a service calls a version (or an upload): its key in the bucket, and the id it gave. */
interface Address {
  readonly key: string;
  readonly id: string;
}

/** Names that no encoding changes: nothing in them stands for something else. */
const plainAnywhere = /^[0-9A-Za-z_/-]*$/;
/** A segment that is one or two dots. */
const dots = /(?:^|\/)\.\.?(?:\/|$)/;
const ascii = /^[\0-\x7f]*$/;
/** Between id and key of what rclone would not have stored. No service has it in an id. */
const separator = "\n";

/** As the API has it. Throws failed() where it has no words for it: as text it would be another's name. */
function spoken(bytes: RawPath): string {
  if (isUtf8(bytes)) return textFromRaw(bytes);
  throw failed(
    `expected a name that the store can hold, found one that is not UTF-8: ${textFromRaw(bytes)}`,
  );
}

/** How files below one directory of a bucket are called in the service's API, and back. */
export class StoreNames {
  /** Beginning of every key, in the bytes of the store: empty, or ends in `/`. */
  readonly #root: RawPath;
  readonly #encoding: NameEncoding;
  readonly #plain: RegExp;

  /** `plain` matches names that the encoding leaves alone, segments of dots aside: only to be quicker. */
  constructor(directory: RawPath, encoding: NameEncoding, plain = plainAnywhere) {
    this.#encoding = encoding;
    this.#plain = plain;
    this.#root = rawFromBytes(directory === "" ? "" : `${encoding.toStore(directory)}/`);
  }

  /** The beginning of all keys below a directory, given with its `/` or empty. */
  prefix(below: RawPath): string {
    if (below !== "" && !below.endsWith("/"))
      throw new RangeError("expected a prefix that ends in a slash");
    return below === "" ? spoken(this.#root) : `${this.key(rawFromBytes(below.slice(0, -1)))}/`;
  }

  /** The key of a file. Throws failed() for a name that the service can't have. */
  key(name: RawPath): string {
    // An empty name would address the directory itself, or the whole bucket.
    if (name === "") throw new RangeError("expected a name, found an empty one");
    return spoken(rawFromBytes(this.#root + this.#encoding.toStore(name)));
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

  /** A key in the bytes of the store, by which listings are in order. */
  bytes(key: string): RawPath {
    return ascii.test(key) ? rawFromBytes(key) : rawFromText(key);
  }

  /**
   * Name and id for a version in a listing. What rclone would not have stored under this key (it
   * was put there by other means, and rclone takes it for another file's) keeps its own bytes as the
   * name, so that it is no version of the other file, and is in the id, so that this very version is
   * addressed later and no other.
   */
  named(key: string, bytes: RawPath, id: string): Named {
    const below = this.#root === "" ? bytes : rawFromBytes(bytes.slice(this.#root.length));
    if (this.#plain.test(below) && !(below.includes(".") && dots.test(below)))
      return { name: below, id };
    const name = this.#encoding.fromStore(below);
    if (this.#keyed(name) === key)
      return name === below ? { name, id } : { name, order: below, id };
    const foreign = foreignName(this.#encoding, below);
    return { name: foreign, order: below, id: `${id}${separator}${key}` };
  }

  #keyed(name: RawPath): string | undefined {
    try {
      return this.key(name);
    } catch {
      return undefined;
    }
  }

  /** What the API calls a version, or an upload, that came from a listing. */
  address({ name, id }: Pick<Named, "name" | "id">): Address {
    const end = id.indexOf(separator);
    return end === -1
      ? { key: this.key(name), id }
      : { key: id.slice(end + 1), id: id.slice(0, end) };
  }
}
