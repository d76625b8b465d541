import { access, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { systemCode, usage } from "../errors.ts";
import { dpkgFiles } from "../packages/dpkg.ts";
import { InRoot } from "../packages/inroot.ts";
import { managers, type Manager, type OwnedFile, type Packages } from "../packages/owned.ts";
import { pacmanFiles } from "../packages/pacman.ts";
import { rpmFiles } from "../packages/rpm.ts";
import { namedByRule, ruleFor } from "../packages/rules.ts";
import { judge, type Verdict } from "../packages/unchanged.ts";
import type { Events } from "../units/events.ts";
import type { RawPath } from "../units/rawpath.ts";

export interface PackageFilterOptions {
  /** Every database that is there unless one is named. */
  readonly manager: Manager | undefined;
  /** Where the system is mounted whose packages are meant. */
  readonly root: string;
  /** Of the backup: rules are relative to it. The root unless it is given. */
  readonly source: string | undefined;
  /** Only files below these; all of them where there are none. */
  readonly directories: readonly string[];
}

export interface PackageFilterWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly events: Events;
}

/** A file that needs no backup. */
export interface Unchanged {
  readonly manager: Manager;
  readonly package: string;
  /** Relative to the source. */
  readonly path: RawPath;
  readonly size: number;
  readonly rule: string;
}

/** How many files of packages were found how; the bytes of those that are unchanged. */
export interface PackageFilterCounts {
  unchanged: number;
  bytes: number;
  changed: number;
  missing: number;
  other: number;
  unreadable: number;
  /** Unchanged, but no rule can name them. */
  unnamed: number;
}

/** So many files that can't be read, or named, are told one by one. */
const mostTold = 10;

/**
 * Hands on the files that packages own, that are as their package shipped them, and that lie in the
 * source, a page at a time. What can't be told for certain is left out of the pages, and so in the
 * backup. Throws usage for a wrong place, failed where a database can't be read.
 */
export async function findUnchanged(
  options: PackageFilterOptions,
  world: PackageFilterWorld,
  onPage: (page: readonly Unchanged[]) => Promise<void>,
): Promise<PackageFilterCounts> {
  const root = await realPlace("--root", options.root);
  const source = options.source === undefined ? root : await realPlace("--source", options.source);
  const directories = await Promise.all(
    options.directories.map(async (directory) => realPlace("directory", directory)),
  );
  const scratch = await mkdtemp(join(tmpdir(), "rclone-backups-"));
  try {
    const search = new Search(root, source, directories, world);
    for (const packages of await databases(options, scratch, world)) {
      for await (const { files, ...from } of packages) {
        const page: Unchanged[] = [];
        for (const file of files) {
          const found = await search.look(file);
          if (found !== undefined) page.push({ ...from, ...found });
        }
        if (page.length > 0) await onPage(page);
        // So that signals are heard.
        await setImmediate();
        world.signal.throwIfAborted();
      }
    }
    return search.end();
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function realPlace(what: string, place: string): Promise<string> {
  try {
    // A name that is not a directory fails here too.
    return await realpath(`${place}/.`);
  } catch (error) {
    throw usage(
      `${what}: expected a directory, found ${place}: ${systemCode(error) ?? String(error)}`,
      { cause: error },
    );
  }
}

const places: Readonly<Record<Manager, readonly string[]>> = {
  dpkg: ["var/lib/dpkg/status"],
  rpm: ["usr/lib/sysimage/rpm", "var/lib/rpm"],
  pacman: ["var/lib/pacman/local"],
};

async function databases(
  { manager, root }: PackageFilterOptions,
  scratch: string,
  { env, signal }: PackageFilterWorld,
): Promise<Packages[]> {
  const open = (each: Manager): Packages => {
    if (each === "dpkg") return dpkgFiles(root);
    if (each === "pacman") return pacmanFiles(root);
    const { PATH = "/usr/bin:/bin", HOME = "/" } = env;
    return rpmFiles(root, { env: { PATH, HOME }, scratch, signal });
  };
  if (manager !== undefined) return [open(manager)];
  const found: Packages[] = [];
  for (const each of managers) {
    const there = await Promise.all(
      places[each].map(async (place) =>
        access(join(root, place)).then(
          () => true,
          () => false,
        ),
      ),
    );
    if (there.includes(true)) found.push(open(each));
  }
  if (found.length > 0) return found;
  throw usage(`expected a database of ${managers.join(", ")} below ${root}, found none`, {
    hint: "--root names where the system is mounted",
  });
}

/** Looks at one file after another, counts, and tells. */
class Search {
  readonly #counts: PackageFilterCounts = {
    unchanged: 0,
    bytes: 0,
    changed: 0,
    missing: 0,
    other: 0,
    unreadable: 0,
    unnamed: 0,
  };
  readonly #inRoot: InRoot;
  readonly #root: string;
  readonly #source: string;
  readonly #directories: readonly string[];
  readonly #world: PackageFilterWorld;

  constructor(
    root: string,
    source: string,
    directories: readonly string[],
    world: PackageFilterWorld,
  ) {
    this.#root = latin(root);
    this.#inRoot = new InRoot(this.#root);
    this.#source = latin(source);
    this.#directories = directories.map(latin);
    this.#world = world;
  }

  async look(file: OwnedFile): Promise<Pick<Unchanged, "path" | "size" | "rule"> | undefined> {
    const real = this.#resolve(file);
    if (real === undefined) return undefined;
    const place = this.#inRoot.whole(real).toString("latin1");
    const path = below(this.#source, place);
    const isWanted =
      this.#directories.length === 0 ||
      this.#directories.some((directory) => below(directory, place) !== undefined);
    if (path === undefined || !isWanted) return undefined;
    const verdict = await judge(this.#inRoot.whole(real), file, this.#world.signal);
    this.#count(verdict, place);
    if (verdict.is !== "unchanged") return undefined;
    const named = namedByRule(path);
    if (named === undefined) {
      this.#counts.unnamed += 1;
      this.#tell(this.#counts.unnamed, place, "no rule can name it");
      return undefined;
    }
    this.#counts.unchanged += 1;
    this.#counts.bytes += verdict.size;
    return { path: named, size: verdict.size, rule: ruleFor(named) };
  }

  end(): PackageFilterCounts {
    for (const [count, reason] of [
      [this.#counts.unreadable, "can't be read"],
      [this.#counts.unnamed, "no rule can name"],
    ] as const)
      if (count > mostTold)
        this.#world.events.warn(
          `${count - mostTold} more files of packages stay in the backup, which ${reason}`,
        );
    return this.#counts;
  }

  #resolve(file: OwnedFile): string | undefined {
    try {
      return this.#inRoot.resolve(file.path);
    } catch (error) {
      const reason = systemCode(error) ?? String(error);
      this.#count({ is: "unreadable", reason }, `${this.#root}/${file.path}`);
      return undefined;
    }
  }

  #count(verdict: Verdict, place: string): void {
    if (verdict.is === "unchanged") return;
    this.#counts[verdict.is] += 1;
    if (verdict.is === "unreadable") this.#tell(this.#counts.unreadable, place, verdict.reason);
    if (verdict.is === "changed") this.#world.events.detail(2, `changed: ${text(place)}`);
  }

  #tell(count: number, place: string, reason: string): void {
    if (count <= mostTold)
      this.#world.events.warn(`${text(place)}: stays in the backup: ${reason}`);
  }
}

/** The part of a path below a directory; undefined where it isn't. Both are real. */
function below(directory: string, path: string): string | undefined {
  const prefix = directory === "/" ? "/" : `${directory}/`;
  return path.startsWith(prefix) ? path.slice(prefix.length) : undefined;
}

function latin(path: string): string {
  return Buffer.from(path).toString("latin1");
}

function text(latin1: string): string {
  return Buffer.from(latin1, "latin1").toString("utf8");
}
