import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, realpathSync } from "node:fs";
import { chmod, chown, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { run, start, type Live, type Result } from "./command.ts";
import { cacheDirectory } from "./rclones.ts";
import { freePort, type Scope } from "./s3server.ts";

/** What every database server of the tests has in common. */
export interface DatabaseServer {
  /** What the server says it is, such as "10.11.19-MariaDB" or "18.1". */
  readonly version: string;
  /** On 127.0.0.1. */
  readonly port: number;
  /** A directory for the server and for the test; it goes with the server. */
  readonly directory: string;
  /** The process id of the server. */
  readonly pid: number;
  /** Ends the server in an orderly way, its files complete; its directory stays until the test ends. */
  readonly stop: () => Promise<void>;
  /** Ends it at once, as a power failure would. */
  readonly kill: () => Promise<void>;
}

/** Root may not run these servers: nobody does, with root's right to look into the cache below /root. */
const asRoot = process.getuid?.() === 0;
const nobody = 65_534;
const dropped = [
  `--reuid=${nobody}`,
  `--regid=${nobody}`,
  "--clear-groups",
  // Else access(2), by which programs look whether a file is there, would not know that right.
  "--securebits=+no_setuid_fixup",
  "--inh-caps=-all,+dac_override",
  "--ambient-caps=-all,+dac_override",
  "--bounding-set=-all,+dac_override",
];

/** Hands files to the user that servers run as. */
export async function giveToServer(file: string): Promise<void> {
  if (!asRoot) return;
  await expectSuccess("chown", ["-R", `${nobody}:${nobody}`, file]);
}

/** A new directory below the system's temporary one (sockets need short paths), removed by the caller. */
export async function serverDirectory(name: string): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), `rclone-backups-${name}-`));
  await chmod(directory, 0o755);
  if (asRoot) await chown(directory, nobody, nobody);
  return directory;
}

/** Runs a program to its end as the user of the servers; throws unless it succeeds. */
export async function runAsServer(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Result> {
  return asRoot
    ? expectSuccess("setpriv", [...dropped, "--", file, ...args], { env })
    : expectSuccess(file, args, { env });
}

/** Runs a program to its end; throws with its output unless it succeeds. */
export async function expectSuccess(
  file: string,
  args: readonly string[],
  options: Parameters<typeof run>[2] = {},
): Promise<Result> {
  const result = await run(file, args, options);
  if (result.code !== 0) {
    throw new Error(
      `${[file, ...args].join(" ")}: ${result.code ?? result.signal}\n${result.stdout}${result.stderr}`,
    );
  }
  return result;
}

interface Launch {
  readonly file: string;
  readonly args: (port: number) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What it prints when it takes connections. */
  readonly ready: RegExp;
  /** What it gets when the tests' own process dies. */
  readonly orphaned: "KILL" | "QUIT";
}

/** A started server; `end` may be called more than once. */
export interface Launched {
  readonly port: number;
  readonly pid: number;
  /** Sends the signal, and SIGKILL to all of it where that has not helped after 30 seconds. */
  readonly end: (signal: NodeJS.Signals) => Promise<void>;
}

/** Starts a server on a free port and waits until it says that it is ready; it ends with this process. */
export async function launch(what: Launch): Promise<Launched> {
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    const live = start(
      "setpriv",
      [
        ...(asRoot ? dropped : []),
        `--pdeathsig=${what.orphaned}`,
        "--",
        what.file,
        ...what.args(port),
      ],
      { env: what.env ?? {}, timeout: 3_600_000 },
    );
    // Whoever awaits `end` hears of it; nobody else has to.
    live.done.catch(() => {});
    const limit = setTimeout(() => live.killGroup("SIGKILL"), 120_000);
    try {
      await live.waitFor(what.ready);
      return { port, pid: live.pid, end: async (signal) => end(live, signal) };
    } catch (error) {
      await end(live, "SIGKILL");
      // Between the look for a free port and the start somebody else may have taken it.
      if (tries === 5 || !/address already in use/i.test(String(error))) throw error;
    } finally {
      clearTimeout(limit);
    }
  }
}

async function end(live: Live, signal: NodeJS.Signals): Promise<void> {
  if (live.child.exitCode !== null || live.child.signalCode !== null) return;
  if (signal === "SIGKILL") live.killGroup(signal);
  else live.kill(signal);
  const ended = new AbortController();
  const late = sleep(30_000, undefined, { signal: ended.signal }).then(
    () => live.killGroup("SIGKILL"),
    () => {},
  );
  await live.done.catch(() => {});
  ended.abort();
  await late;
}

/** Ends a server and removes its directory when the scope ends, in this order. */
export function endWith(
  scope: Scope,
  directory: string,
  servers: readonly (() => Promise<void>)[],
): void {
  scope.after(async () => {
    for (const stop of servers) await stop();
    await rm(directory, { recursive: true, force: true });
  });
}

/**
 * A directory of the cache that is made once, for all tests; the name changes with the server's program and with
 * what else it is made by. `make` gets a directory of the servers' user and leaves `data` in it. Several processes may ask at once: the first one
 * that is done wins.
 */
export async function template(
  name: string,
  server: string,
  madeBy: readonly string[],
  make: (directory: string) => Promise<void>,
): Promise<string> {
  const { size, mtimeMs } = await stat(server);
  const all = [server, String(size), String(mtimeMs), ...madeBy];
  const digest = createHash("sha256").update(all.join("\0")).digest("hex").slice(0, 12);
  const place = path.join(cacheDirectory(), `${name}-${digest}`);
  if (existsSync(place)) return place;
  const workshop = await serverDirectory(name);
  const own = await mkdtemp(`${place}.tmp-`);
  try {
    await make(workshop);
    await copyDirectory(path.join(workshop, "data"), own);
    await rename(own, place);
  } catch (error) {
    if (!existsSync(place)) throw error;
  } finally {
    for (const folder of [workshop, own]) await rm(folder, { recursive: true, force: true });
  }
  return place;
}

/** Copies a directory with owners, times and holes; blocks are shared where the file system can. */
export async function copyDirectory(from: string, to: string): Promise<void> {
  await expectSuccess("cp", ["-a", "--reflink=auto", `${from}/.`, to]);
}

interface Wanted {
  /** As it stands in the cache. */
  readonly name: string;
  /** Names another one; wins. */
  readonly variable: string;
  /** Names on the PATH or absolute paths, which win over the cache. */
  readonly candidates: readonly string[];
  /** Other programs that have to be there, beside it or in the neighbouring bin or on the PATH. */
  readonly companions: readonly string[];
  /** Which answer to --version is not meant. */
  readonly not?: RegExp;
}

/** The absolute path of a server program that scripts/setup.sh --tests left; throws where it is missing. */
export function serverProgram(wanted: Wanted): string {
  const named = process.env[wanted.variable];
  const places = pathFolders();
  const files = named
    ? [path.resolve(named)]
    : [
        ...wanted.candidates
          .flatMap((one) =>
            path.isAbsolute(one) ? [one] : places.map((place) => path.resolve(place, one)),
          )
          .filter((file) => runs(file) && isMeant(file, wanted)),
        path.join(cacheDirectory(), wanted.name),
      ];
  const file = files.find(runs);
  if (file === undefined) {
    const origin = named ? `${wanted.variable} names ${named}` : `${wanted.variable} is not set`;
    throw new Error(`no ${wanted.name} for the tests (${origin}): run sh scripts/setup.sh --tests`);
  }
  return realpathSync(file);
}

function isMeant(file: string, { companions, not }: Wanted): boolean {
  if (companions.some((name) => findCompanion(file, name) === undefined)) return false;
  return not === undefined || !not.test(execFileSync(file, ["--version"], { encoding: "utf8" }));
}

/** A program that belongs to a server program; throws where it is missing. */
export function companion(server: string, name: string): string {
  const found = findCompanion(server, name);
  if (found === undefined) throw new Error(`no ${name} beside ${server}`);
  return found;
}

function findCompanion(server: string, name: string): string | undefined {
  const folder = path.dirname(realpathSync(server));
  return [folder, path.join(folder, "../bin"), ...pathFolders()]
    .map((place) => path.join(place, name))
    .find(runs);
}

function pathFolders(): string[] {
  return (process.env["PATH"] ?? "").split(":").filter((folder) => folder !== "");
}

function runs(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
