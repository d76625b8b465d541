import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  statSync,
  unlinkSync,
  type Stats,
} from "node:fs";
import { systemCode } from "../errors.ts";
import { writeFailure } from "../process/writefailure.ts";
import { moveAcross, renameFile } from "./across.ts";

/*
 * Paths here are those of the system, one byte a character in a Latin-1 string. The calls are
 * synchronous: they are short and there may be millions, and each way through Node's thread pool takes
 * several times as long as the call itself.
 */

/** The bytes of a path, as the system wants them. */
export function bytesOf(path: string): Buffer {
  return Buffer.from(path, "latin1");
}

/** A path of ours, such as one of the command line, as the other functions here take it. */
export function systemPath(path: string): string {
  return Buffer.from(path, "utf8").toString("latin1");
}

/** What is under a name; undefined for nothing. Throws the system's error for all else. */
export function look(path: string): Stats | undefined {
  try {
    return lstatSync(bytesOf(path), { throwIfNoEntry: false });
  } catch (error) {
    // A file stands where the path wants a directory, or no file can have that name: nothing is there.
    const code = systemCode(error) ?? "";
    if (code === "ENOTDIR" || code === "ELOOP" || isImpossibleName(code)) return undefined;
    throw error;
  }
}

const impossibleNames: ReadonlySet<string> = new Set(["ENAMETOOLONG", "EILSEQ", "EINVAL"]);

/** Whether an error of the system says that the file system can't hold such a name. */
export function isImpossibleName(code: string | undefined): boolean {
  return impossibleNames.has(code ?? "");
}

/** What the next file would meet too. */
const finalCodes: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EROFS", "EIO"]);

/** Whether an error of the system ends a restore: the next file would fail for the same reason. */
export function isFinalCode(code: string | undefined): boolean {
  return finalCodes.has(code ?? "");
}

/** Why one path can't be looked at or written. Throws what would meet the next one, too, as a Failure. */
export function pathProblem(path: string, error: unknown): string {
  const code = systemCode(error);
  if (code === undefined || isFinalCode(code)) throw writeFailure(path, error);
  if (code === "ENAMETOOLONG")
    return "expected a name that the file system can hold, found a longer one";
  if (isImpossibleName(code))
    return `expected a name that the file system can hold, found one that it refuses (${code})`;
  if (code === "EACCES" || code === "EPERM")
    return `expected a place that may be looked at and written to, found one that may not (${code})`;
  return `cannot be written (${code})`;
}

const remembered = 20_000;

/** A directory into which files are put, and never beside it. */
export class LocalTarget {
  readonly #root: string;
  /** What is known of directories below: undefined where all is well, else why nothing goes there. */
  readonly #known = new Map<string, string | undefined>();

  /** `root`: an existing directory without symbolic links in its path. */
  constructor(root: string) {
    this.#root = root;
  }

  /** The absolute path of something below. */
  at(relative: string): string {
    return relative === "" ? this.#root : `${this.#root === "/" ? "" : this.#root}/${relative}`;
  }

  /**
   * Why a file can't be put here; undefined where it can. Directories that are missing are made
   * when `make` is set, and otherwise taken for good. Throws when the disk is full, broken or read-only.
   */
  whyNot(relative: string, make: boolean): string | undefined {
    return this.#directory(parentOf(relative), make);
  }

  /**
   * Moves a finished file into place, also to another file system that is mounted below. Without
   * `overwrite` it never replaces anything, whatever appears there meanwhile. Returns why not, where that
   * concerns this file; throws when the disk is full, broken or read-only.
   */
  put(from: string, relative: string, overwrite: boolean): string | undefined {
    const refused = this.whyNot(relative, true);
    if (refused !== undefined) return refused;
    const to = this.at(relative);
    try {
      const move = overwrite ? renameFile : putNew;
      try {
        move(from, to);
      } catch (error) {
        if (systemCode(error) !== "EXDEV") throw error;
        moveAcross(from, to, (beside) => {
          move(beside, to);
        });
      }
      return undefined;
    } catch (error) {
      const code = systemCode(error) ?? "";
      if (code === "EEXIST") return alreadyThere;
      if (code === "EISDIR" || code === "ENOTEMPTY")
        return "expected a file or nothing there, found a directory";
      return pathProblem(to, error);
    }
  }

  /**
   * Moves a whole tree of finished files into place. Directories that the target lacks are moved as they
   * are, with all that is in them: one call instead of one for each file. `onRefused` is told of
   * every file that stays behind.
   */
  putTree(
    from: string,
    relative: string,
    overwrite: boolean,
    onRefused: (relative: string, why: string) => void,
  ): void {
    for (const entry of readdirSync(bytesOf(from), { withFileTypes: true, encoding: "buffer" })) {
      const name = Buffer.from(entry.name).toString("latin1");
      const below = relative === "" ? name : `${relative}/${name}`;
      const source = `${from}/${name}`;
      if (!entry.isDirectory()) {
        const why = this.put(source, below, overwrite);
        if (why !== undefined) onRefused(below, why);
      } else if (!this.#putDirectory(source, below)) {
        this.putTree(source, below, overwrite, onRefused);
      }
    }
  }

  /** Moves a directory where there is nothing yet; false where its files have to be moved one by one. */
  #putDirectory(from: string, relative: string): boolean {
    if (this.whyNot(relative, true) !== undefined) return false;
    const to = this.at(relative);
    try {
      if (look(to) !== undefined) return false;
      renameFile(from, to);
      return true;
    } catch (error) {
      // What is against it, such as another file system, concerns this one or is told of each file.
      pathProblem(to, error);
      return false;
    }
  }

  #directory(relative: string, make: boolean): string | undefined {
    if (relative === "") return undefined;
    if (this.#known.has(relative)) return this.#known.get(relative);
    const why = this.#directory(parentOf(relative), make) ?? this.#tryLook(relative, make);
    // A directory that was only looked for may have to be made later.
    if (make || why !== undefined) {
      if (this.#known.size >= remembered) this.#known.clear();
      this.#known.set(relative, why);
    }
    return why;
  }

  #tryLook(relative: string, make: boolean): string | undefined {
    try {
      return this.#look(relative, make);
    } catch (error) {
      return pathProblem(this.at(relative), error);
    }
  }

  #look(relative: string, make: boolean): string | undefined {
    const directory = this.at(relative);
    const found = look(directory);
    if (found === undefined) {
      if (!make) return undefined;
      try {
        mkdirSync(bytesOf(directory));
        return undefined;
      } catch (error) {
        if (systemCode(error) !== "EEXIST") throw error;
        return this.#look(relative, make);
      }
    }
    if (found.isDirectory()) return undefined;
    if (!found.isSymbolicLink()) return "expected a directory on the way to it, found a file";
    return this.#leadsInside(directory)
      ? undefined
      : "expected a directory on the way to it, found a symbolic link that leads out of the target";
  }

  #leadsInside(link: string): boolean {
    try {
      const real = realpathSync(bytesOf(link), "buffer").toString("latin1");
      const inside = this.#root === "/" || real === this.#root || real.startsWith(`${this.#root}/`);
      return inside && statSync(bytesOf(real)).isDirectory();
    } catch {
      // It leads nowhere, and nothing may be made where it points.
      return false;
    }
  }
}

export const alreadyThere = "expected nothing there, found another file";

/**
 * Why a file can't be put below a directory in which others have been collected: a file and a directory
 * can't have one name. Undefined where it can.
 */
export function clashAt(directory: string, relative: string): string | undefined {
  const collected = new LocalTarget(directory);
  if (collected.whyNot(relative, false) !== undefined) return clashAbove;
  return look(collected.at(relative))?.isDirectory() === true ? clashBelow : undefined;
}

const clashAbove =
  "expected a directory on the way to it, found a file that is restored too; restore one of them to another place, by its path";
const clashBelow =
  "expected no files below it, found some that are restored too; restore one of them to another place, by its path";

/** link() fails where something is, rename() would replace it. */
function putNew(from: string, to: string): void {
  try {
    linkSync(bytesOf(from), bytesOf(to));
  } catch (error) {
    const code = systemCode(error) ?? "";
    if (!["EPERM", "ENOTSUP", "ENOSYS", "EOPNOTSUPP", "EMLINK"].includes(code)) throw error;
    // A file system without hard links.
    if (look(to) !== undefined) throw Object.assign(new Error(to), { code: "EEXIST" });
    renameFile(from, to);
    return;
  }
  unlinkSync(bytesOf(from));
}

function parentOf(relative: string): string {
  const slash = relative.lastIndexOf("/");
  return slash < 0 ? "" : relative.slice(0, slash);
}
