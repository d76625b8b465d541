import { constants } from "node:fs";
import { access, mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import { failed, refused, systemCode, usage } from "../../errors.ts";
import { lookAt, type Backup } from "../../physical/look.ts";
import { isBackupName, manifestName, workName } from "../../physical/names.ts";
import { incrementOf, type Step } from "../../physical/prepare.ts";
import { acquireLock, type Lock } from "../../state/lock.ts";
import { realpathOfMissing } from "../../state/realpath.ts";
import type { Events } from "../../units/events.ts";

/** What a rotation may use of the process. */
export interface RotateWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly events: Events;
}

/** The directory of backups, and where things are in it. */
export class Place {
  readonly directory: string;
  readonly #work: string;

  constructor(directory: string) {
    this.directory = directory;
    this.#work = path.join(directory, workName);
  }

  /** The directory of a backup. */
  of(name: string): string {
    return path.join(this.directory, name);
  }

  get lock(): string {
    return path.join(this.#work, "lock");
  }

  /** A backup that is being made. */
  get made(): string {
    return path.join(this.#work, "new");
  }

  /** A copy that is being prepared. */
  get test(): string {
    return path.join(this.#work, "test");
  }

  /** A backup that is being removed. */
  goneOf(name: string): string {
    return path.join(this.#work, `gone-${name}`);
  }

  /** Makes what isn't there, for this user alone. The parent must be there: a disk may not be mounted. */
  async make(): Promise<void> {
    for (const each of [this.directory, this.#work]) {
      try {
        await mkdir(each, { mode: 0o700 });
      } catch (cause) {
        const code = systemCode(cause);
        if (code === "EEXIST") continue;
        throw code === "ENOENT"
          ? usage(`expected ${path.dirname(each)} to be there, found that it isn't`, { cause })
          : failed(`cannot make the directory ${each} (${code ?? String(cause)})`, { cause });
      }
    }
  }

  /** Removes what a killed run left; the caller has the lock. Throws refused for anything else there. */
  async clean(): Promise<void> {
    const ours = [this.lock, this.made, this.test, incrementOf(this.test)];
    const names = await readdir(this.#work);
    const isOurs = (name: string): boolean =>
      ours.includes(path.join(this.#work, name)) ||
      (name.startsWith("gone-") && isBackupName(name.slice("gone-".length)));
    assertNoForeign(
      this.directory,
      names.filter((name) => !isOurs(name)).map((name) => path.join(workName, name)),
    );
    for (const name of names.map((each) => path.join(this.#work, each)))
      if (name !== this.lock) await rm(name, { recursive: true, force: true });
  }
}

/**
 * The directory that is named, if it may hold backups; nothing is written. Throws refused where it holds
 * anything else, usage where it lies in the data of a server.
 */
export async function findPlace(named: string, cwd: string): Promise<Place> {
  const directory = realpathOfMissing(path.resolve(cwd, named));
  for (let above = directory; ; above = path.dirname(above)) {
    if (await exists(path.join(above, "ibdata1")))
      throw usage(
        `expected a directory outside of a server's data, found ${directory} in ${above}`,
      );
    if (above === path.dirname(above)) break;
  }
  const names = await readdir(directory).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return [];
    throw failed(`expected a directory at ${directory} (${systemCode(error) ?? String(error)})`, {
      cause: error,
    });
  });
  assertNoForeign(
    directory,
    names.filter((name) => name !== workName && !isBackupName(name)),
  );
  return new Place(directory);
}

/**
 * The absolute path of an option file. Throws usage where it can't be read, and warns where it holds a
 * password for everybody to read.
 */
export async function optionFile(
  named: string | undefined,
  { cwd, events }: RotateWorld,
): Promise<string | undefined> {
  if (named === undefined) return undefined;
  const file = path.resolve(cwd, named);
  try {
    const [{ mode }, text] = await Promise.all([stat(file), readFile(file, "utf8")]);
    if ((mode & 0o004) !== 0 && /^\s*password\s*=/m.test(text))
      events.warn(`${file} holds a password, and everybody can read it: chmod 600 it`);
  } catch (cause) {
    const code = systemCode(cause) ?? String(cause);
    throw usage(`--defaults-file: expected a file that can be read, found ${file}: ${code}`, {
      cause,
    });
  }
  return file;
}

/** Takes the directory's lock: for itself alone, or together with other readers where it was ever taken. */
export async function lockPlace(
  place: Place,
  mode: "exclusive" | "shared",
  world: RotateWorld,
): Promise<Lock | undefined> {
  // A medium that can't be written to is not changed by anybody.
  if (mode === "shared" && !(await exists(place.lock, "writable"))) return undefined;
  const { signal, now } = world;
  return acquireLock(place.lock, { mode, command: "mariadb-rotate", signal, now });
}

/** The backups, in their order. Throws refused where anything else is there, as in a wrong directory. */
export async function backupsOf(
  { directory }: Place,
  signal: AbortSignal,
): Promise<readonly Backup[]> {
  const { backups, foreign } = await lookAt(directory, signal);
  assertNoForeign(directory, foreign);
  return backups;
}

/** A backup as a step of its chain. */
export function stepOf(place: Place, { name, to_lsn: toLsn, files }: Backup): Step {
  return { directory: place.of(name), toLsn, files };
}

function assertNoForeign(directory: string, foreign: readonly string[]): void {
  if (foreign.length === 0) return;
  const named = foreign.slice(0, 5).join(", ");
  const unknown = foreign.find(isBackupName);
  const more = foreign.length > 5 ? ` and ${foreign.length - 5} more` : "";
  throw refused(
    `expected ${directory} to hold nothing but backups of mariadb-rotate, found ${named}${more}`,
    {
      hint:
        unknown === undefined
          ? "nothing was changed; is it the right directory? move away what is not a backup, or name an empty directory"
          : `nothing was changed; ${unknown} is named as a backup is, but its ${manifestName} is gone or damaged: bring that file back, since without it neither this backup can be restored nor those that build on it`,
    },
  );
}

async function exists(file: string, how: "there" | "writable" = "there"): Promise<boolean> {
  try {
    await access(file, how === "writable" ? constants.W_OK : constants.F_OK);
    return true;
  } catch {
    return false;
  }
}
