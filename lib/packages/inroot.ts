import { readlinkSync } from "node:fs";
import { systemCode } from "../errors.ts";

/** More links than this on one way are a circle, as for the system. */
const mostLinks = 40;
/** Directories remembered at a time. */
const mostKept = 100_000;

/**
 * Where a path below a root really is, when links on the way are followed as a system that runs in
 * that root follows them: rclone walks through real directories only, and so /bin/ls may be
 * /usr/bin/ls to it. The last name is not followed. Paths have no leading slash; one byte a character.
 */
export class InRoot {
  readonly #root: string;
  readonly #kept = new Map<string, string | undefined>();

  /** The root is a real path, as bytes in a Latin-1 string. */
  constructor(root: string) {
    this.#root = root;
  }

  /** Undefined where a link on the way leads in a circle or a name is strange. Throws the system's errors. */
  resolve(path: string): string | undefined {
    const names = path.split("/");
    const last = names.pop() ?? "";
    if ([...names, last].some((name) => name === "" || name === "." || name === ".."))
      return undefined;
    const directory = this.#directory(names.join("/"));
    return directory === undefined ? undefined : directory === "" ? last : `${directory}/${last}`;
  }

  /** The bytes of the whole path of what `resolve` gave. */
  whole(path: string): Buffer {
    return Buffer.from(this.#root === "/" ? `/${path}` : `${this.#root}/${path}`, "latin1");
  }

  #directory(path: string): string | undefined {
    if (this.#kept.has(path)) return this.#kept.get(path);
    const real = this.#follow(path);
    if (this.#kept.size >= mostKept) this.#kept.clear();
    this.#kept.set(path, real);
    return real;
  }

  #follow(path: string): string | undefined {
    const done: string[] = [];
    const left = path.split("/").toReversed();
    let links = 0;
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        done.pop();
        continue;
      }
      const target = this.#linkAt([...done, name].join("/"));
      if (target === undefined) {
        done.push(name);
        continue;
      }
      links += 1;
      if (links > mostLinks) return undefined;
      if (target.startsWith("/")) done.length = 0;
      left.push(...target.split("/").toReversed());
    }
    return done.join("/");
  }

  #linkAt(path: string): string | undefined {
    try {
      return readlinkSync(this.whole(path), "latin1");
    } catch (error) {
      // EINVAL: it is no link. What is not there at all is found missing later.
      if (["EINVAL", "ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return undefined;
      throw error;
    }
  }
}
