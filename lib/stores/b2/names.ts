import { failed } from "../../errors.ts";
import { rawFromBytes, rawFromText, textFromRaw, type RawPath } from "../../units/rawpath.ts";
import { defaultEncodings, foreignName, nameEncoding, type NameEncoding } from "../encoding.ts";

/** A stored version's name, and the id under which the store finds it again. */
interface Named {
  readonly name: RawPath;
  /** The stored bytes of the name where they differ. */
  readonly order?: RawPath;
  readonly id: string;
}

/** Names that no encoding changes: nothing in them stands for something else. */
const plainAnywhere = /^[0-9A-Za-z_/-]*$/;
/** The same where only what the default says is encoded: the backslash, controls, and the dots below. */
const plainByDefault = /^[ -[\]-~]*$/;
/** A segment that is one or two dots. */
const dots = /(?:^|\/)\.\.?(?:\/|$)/;
const ascii = /^[\0-\x7f]*$/;

/** How files below one directory of a bucket are called in the API, and back. */
export class B2Names {
  /** Beginning of every name, in the bytes of the store: empty, or ends in `/`. */
  readonly #root: RawPath;
  readonly #encoding: NameEncoding;
  readonly #plain: RegExp;

  /** `option` is the remote's own encoding, if it has one. */
  constructor(directory: RawPath, option: string | undefined) {
    const own = option !== undefined && option !== "" && option !== defaultEncodings.b2;
    const encoding = nameEncoding(own ? option : defaultEncodings.b2);
    this.#encoding = encoding;
    this.#plain = own ? plainAnywhere : plainByDefault;
    this.#root = rawFromBytes(directory === "" ? "" : `${encoding.toStore(directory)}/`);
  }

  /** The API's prefix for all below a directory, given with its `/` or empty. */
  prefix(below: RawPath): string {
    if (below !== "" && !below.endsWith("/"))
      throw new RangeError("expected a prefix that ends in a slash");
    return below === ""
      ? textFromRaw(this.#root)
      : `${this.file(rawFromBytes(below.slice(0, -1)))}/`;
  }

  /** The API's name of a file. */
  file(name: RawPath): string {
    // An empty name would address the directory itself, or the whole bucket.
    if (name === "") throw new RangeError("expected a name, found an empty one");
    return textFromRaw(rawFromBytes(this.#root + this.#encoding.toStore(name)));
  }

  /** The API's name of a file that is to get a new entry: of exactly this one, as a listing names it. */
  own(name: RawPath): string {
    const fileName = this.file(name);
    if (this.named(fileName, this.bytes(fileName), "").name === name) return fileName;
    throw failed(
      `expected the name of a file that rclone can store, found another's: ${textFromRaw(name)}`,
    );
  }

  /** The bytes below the directory by which a file of this name is in order. */
  order(name: RawPath): RawPath {
    return this.#encoding.toStore(name);
  }

  /** A name of the API in the bytes of the store, by which listings are in order. */
  bytes(fileName: string): RawPath {
    return ascii.test(fileName) ? rawFromBytes(fileName) : rawFromText(fileName);
  }

  /**
   * Name and id for a version in a listing. What rclone would not have stored under this name (it
   * was put there by other means, and rclone takes it for another file's) keeps its own name, so
   * that it is no version of the other file, and its id leads to no other.
   */
  named(fileName: string, bytes: RawPath, fileId: string): Named {
    const below = this.#root === "" ? bytes : rawFromBytes(bytes.slice(this.#root.length));
    if (this.#plain.test(below) && !(below.includes(".") && dots.test(below)))
      return { name: below, id: fileId };
    const name = this.#encoding.fromStore(below);
    if (this.#spoken(name) === fileName)
      return name === below ? { name, id: fileId } : { name, order: below, id: fileId };
    const foreign = foreignName(this.#encoding, below);
    return { name: foreign, order: below, id: `${fileId} ${fileName}` };
  }

  #spoken(name: RawPath): string | undefined {
    try {
      return this.file(name);
    } catch {
      return undefined;
    }
  }

  /** What the API calls a version that came from a listing. */
  address({ name, id }: Pick<Named, "name" | "id">): {
    readonly fileName: string;
    readonly fileId: string;
  } {
    const space = id.indexOf(" ");
    return space === -1
      ? { fileName: this.file(name), fileId: id }
      : { fileName: id.slice(space + 1), fileId: id.slice(0, space) };
  }
}
