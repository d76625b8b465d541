import { Failure, failed } from "../errors.ts";
import { runGroup } from "../process/group.ts";
import { parentDeathPrefix } from "../state/parentdeath.ts";
import type { Events, Progress } from "../units/events.ts";

/** mariadb-backup, and what it may use. */
export interface BackupProgram {
  readonly file: string;
  /** Such as 10.11.6. */
  readonly version: string;
  /** Read in place of all others; the one place where a password may stand. */
  readonly defaultsFile: string | undefined;
}

export interface ProgramWorld {
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly events: Events;
  /** Descriptor of the lock, which children hold on to as long as they live. */
  readonly lock?: number | undefined;
}

/**
 * The program had what it needs, and yet the backup is no good: a full disk or a signal was not the
 * reason. `chain`: it, or one that it builds on, can't be prepared. `server`: the server's data are not
 * those that the chain was made of.
 */
export class UnfitBackup extends Failure {
  readonly blames: "chain" | "server";

  constructor(blames: "chain" | "server", message: string) {
    super("failed", message);
    this.blames = blames;
  }
}

/** Its names, the newer first. */
const usualNames = ["mariadb-backup", "mariabackup"];

/** So many lines of what it printed are told with an error. */
const toldLines = 10;

/** What the client library and the program read of the environment; nothing else gets through. */
const passedOn =
  /^(?:PATH|HOME|USER|LOGNAME|TMPDIR|LANG|TZ|MYSQL_PWD|MYSQL_HOME|MARIADB_HOME|MYSQL_UNIX_PORT|MYSQL_TCP_PORT|MYSQL_GROUP_SUFFIX)$/;

/** The environment of children. Messages come in English, since some are looked for. */
export function programEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const kept = Object.entries(env).flatMap(([name, value]) =>
    value !== undefined && passedOn.test(name) ? [[name, value] as const] : [],
  );
  return { PATH: "/usr/bin:/bin", ...Object.fromEntries(kept), LC_ALL: "C" };
}

/** Finds the program, the named one or one of its usual names. Throws failed where it is none or can't be run. */
export async function findBackupProgram(
  named: string | undefined,
  defaultsFile: string | undefined,
  world: ProgramWorld,
): Promise<BackupProgram> {
  const candidates = named === undefined ? usualNames : [named];
  for (const file of candidates) {
    const told: string[] = [];
    const take = (line: string): void => void (told.length < toldLines && told.push(line));
    const { env, signal } = world;
    const command = [file, "--version"];
    const ended = await runGroup({ command, env, signal, onStdout: take, onStderr: take }).catch(
      (error: unknown) => {
        if (error instanceof Failure) return undefined;
        throw error;
      },
    );
    signal.throwIfAborted();
    if (ended === undefined) continue;
    const version = /based on MariaDB server (\d+\.\d+\.\d+)/i.exec(told.join("\n"))?.[1];
    if (ended.code === 0 && version !== undefined) return { file, version, defaultsFile };
    throw failed(`${file}: expected mariadb-backup to tell its version, found: ${told.join(" ")}`);
  }
  throw failed(`expected a program ${candidates.join(" or ")}, found none that can be started`, {
    hint: "install mariadb-backup (the package is often called so), or name it with --program",
  });
}

/**
 * Backs up into a directory that doesn't exist yet; with a base, only what changed since then. Returns
 * where the server's data are, as far as the program tells it.
 */
export async function backUp(
  program: BackupProgram,
  target: string,
  base: string | undefined,
  world: ProgramWorld,
): Promise<string | undefined> {
  const on = base === undefined ? [] : [`--incremental-basedir=${base}`];
  let data: string | undefined;
  const args = ["--backup", `--target-dir=${target}`, ...on];
  const failure = await runProgram(program, args, world, (line) => {
    data ??= / cd to (\/.*)$/.exec(line)?.[1];
  });
  if (failure !== undefined)
    throw failed(`${program.file} --backup: expected it to end well, found ${failure}`);
  return data;
}

/** Prepares a full backup where it is, or adds an incremental one to it. Throws UnfitBackup. */
export async function prepare(
  program: BackupProgram,
  target: string,
  increment: string | undefined,
  world: ProgramWorld,
): Promise<void> {
  const from = increment === undefined ? [] : [`--incremental-dir=${increment}`];
  const failure = await runProgram(
    program,
    ["--prepare", `--target-dir=${target}`, ...from],
    world,
  );
  if (failure !== undefined)
    throw new UnfitBackup(
      "chain",
      `${program.file} --prepare: expected it to end well, found ${failure}`,
    );
}

/** What went wrong, with the last lines. Throws failed on a full disk or where something ended it. */
async function runProgram(
  { file, defaultsFile }: BackupProgram,
  args: readonly string[],
  world: ProgramWorld,
  onLine?: (line: string) => void,
): Promise<string | undefined> {
  // It has to be the first argument.
  const defaults = defaultsFile === undefined ? [] : [`--defaults-file=${defaultsFile}`];
  const command = [file, ...defaults, ...args];
  const stage = args[0] === "--prepare" ? "preparing" : "copying";
  const { lines, code, signal } = await runQuietly(stage, command, world, onLine);
  // It ends with 0 in some cases of failure too, so this line is what counts.
  if (code === 0 && lines.some((line) => /completed OK!\s*$/.test(line))) return undefined;
  const end = signal === undefined ? `exit code ${code ?? "none"}` : signal;
  const text = `${end}; it printed last:\n${lines.map((line) => `  ${line}`).join("\n")}`;
  if (lines.some(isFullDisk))
    throw failed(`${file} ${args[0] ?? ""}: the disk is full: ${text}`, { hint: roomHint });
  if (signal !== undefined && !crashes.has(signal))
    throw failed(`${file} ${args[0] ?? ""}: expected it to end well, found ${text}`);
  return text;
}

/** A program ends itself so, when what it reads makes no sense to it; other signals come from outside. */
const crashes = new Set(["SIGABRT", "SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE"]);

const roomHint = "make room there and run it again; no backup was removed";

function isFullDisk(line: string): boolean {
  return /No space left on device|Disk quota exceeded|\b(?:errno|error|Errcode|OS error)(?: number)?\W{0,3}(?:28|122)\b/i.test(
    line,
  );
}

/** Copies a tree with all that it holds, sharing blocks where the file system can. Throws failed. */
export async function copyTree(from: string, to: string, world: ProgramWorld): Promise<void> {
  // GNU's shares blocks by itself since 9.0.
  const { lines, code } = await runQuietly("copying", ["cp", "-a", "--", from, to], world);
  if (code === 0) return;
  const isFull = lines.some(isFullDisk);
  throw failed(
    `expected a copy of ${from} at ${to}, found ${isFull ? "that the disk is full" : `exit code ${code ?? "none"}`}: ${lines.join("; ")}`,
    isFull ? { hint: roomHint } : {},
  );
}

async function runQuietly(
  stage: Progress["stage"],
  command: readonly string[],
  { env, signal, lock, events }: ProgramWorld,
  onLine?: (line: string) => void,
): Promise<{
  readonly lines: readonly string[];
  readonly code: number | undefined;
  readonly signal: string | undefined;
}> {
  const lines: string[] = [];
  const nothing = { totalFiles: undefined, totalBytes: undefined, rate: undefined };
  // How far it is, it doesn't tell; that it is at work shows.
  const tell = (): void =>
    events.progress({ stage, doneFiles: 0, doneBytes: 0, etaSeconds: undefined, ...nothing });
  tell();
  const take = (line: string): void => {
    tell();
    if (line === "") return;
    if (lines.push(line) > toldLines) lines.shift();
    onLine?.(line);
    events.detail(2, line);
  };
  const result = await runGroup({
    command: [...(await parentDeathPrefix()), ...command],
    env,
    signal,
    inherit: lock,
    onStdout: take,
    onStderr: take,
  });
  signal.throwIfAborted();
  return { lines, ...result };
}
