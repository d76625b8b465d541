/**
 * The quickstart behind scripts/quickstart.sh: `quickstart.ts PLACE [DIR]`, both absolute. It writes
 * configurations and calls the real commands; what it prints after `$` can be typed as it stands.
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import path from "node:path";
import { exitCodes } from "../lib/errors.ts";
import { differences, digestFiles } from "./quickstart/compare.ts";
import { clean, quote } from "./quickstart/environment.ts";
import { preparePlace, Refusal } from "./quickstart/place.ts";
import type { Place } from "./quickstart/place.ts";
import { ensureRemote } from "./quickstart/remote.ts";
import { changeSample, ensureSample } from "./quickstart/sample.ts";
import { checkRoom, ensureBackup } from "./quickstart/source.ts";

const commands = path.resolve(import.meta.dirname, "../dist/bin");

function say(text = ""): void {
  console.log(text);
}

/** Stops the quickstart with the exit code of a command that failed. */
class Stop extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`stopped with exit code ${code}`);
    this.code = code;
  }
}

function rcloneBackup(place: Place, args: readonly string[]): void {
  command(place, "rclone-backup", args);
}

function command(place: Place, program: string, args: readonly string[]): void {
  say(`$ ${typed(program, args)}`);
  const env = {
    ...clean(process.env),
    RCLONE_BACKUPS_DIR: place.config,
    RCLONE_BACKUPS_STATE: place.state,
  };
  const { status, signal, error } = spawnSync(process.execPath, [fileOf(program), ...args], {
    stdio: "inherit",
    env,
  });
  if (error !== undefined) throw error;
  const code = signal === null ? (status ?? exitCodes.failed) : exitCodes.interrupted;
  if (code === exitCodes.done) return;
  console.error(`quickstart: the command above ended with exit code ${code}`);
  throw new Stop(code);
}

function fileOf(program: string): string {
  return path.join(commands, `${program}.js`);
}

function typed(program: string, args: readonly string[]): string {
  return ["node", fileOf(program), ...args].map(quote).join(" ");
}

function main(directory: string | undefined, source: string | undefined): number {
  if (directory === undefined) throw new Refusal("quickstart.ts is called by quickstart.sh");
  const place = preparePlace(directory, source);
  const files = source === undefined ? 0 : checkRoom(place, source, say);
  ensureRemote(place);

  say();
  say("These commands work from any directory once this was typed:");
  say(
    `$ export RCLONE_BACKUPS_DIR=${quote(place.config)} RCLONE_BACKUPS_STATE=${quote(place.state)}`,
  );

  if (source !== undefined) backUpOwn(place, source, files <= 100 ? ["-v"] : []);
  ensureSample(place.sample);
  const sample = ensureBackup(place, place.sample, true);
  backUpSample(place, sample, source === undefined);
  sayWhatIsWhere(place, source === undefined ? sample : ensureBackup(place, source, false));
  return exitCodes.done;
}

/** `verbose` names every file, which many files would make too long to read. */
function backUpOwn(place: Place, source: string, verbose: readonly string[]): void {
  const name = ensureBackup(place, source, false);
  say(`\nBacking up ${source}, encrypted, into ${place.store}:`);
  rcloneBackup(place, [...verbose, name]);
  say("\nReading all of it back and comparing it with the source:");
  rcloneBackup(place, ["-v", "--verify", "all", name]);
  say("\nOnce more; only what changed since then is copied:");
  rcloneBackup(place, [...verbose, name]);
  say(`\nNothing in ${source} was changed. To show a change, a sample tree does:`);
}

function backUpSample(place: Place, name: string, alone: boolean): void {
  if (alone) say(`\nBacking up a sample tree, ${place.sample}, encrypted, into ${place.store}:`);
  rcloneBackup(place, ["-v", name]);
  say("\nReading all of it back and comparing it with the source:");
  rcloneBackup(place, ["-v", "--verify", "all", name]);
  const before = { time: new Date(), files: digestFiles(place.sample) };
  awaitNextSecond(before.time);
  say(`\n${changeSample(place.sample, new Date())} Backing up again:`);
  rcloneBackup(place, ["-v", name]);
  restoreSample(place, name, before);
}

/** The times of runs are whole seconds: the next one must not seem to be of the same. */
function awaitNextSecond(time: Date): void {
  const rest = 1000 - (time.getTime() % 1000);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, rest);
}

/** Brings the sample back as it was before the change, and compares it with what was there. */
function restoreSample(
  place: Place,
  name: string,
  before: { readonly time: Date; readonly files: ReadonlyMap<string, string> },
): void {
  say("\nRestoring it as it was before that change:");
  rmSync(place.restored, { recursive: true, force: true });
  command(place, "restore", [name, "--as-of", before.time.toISOString(), "--to", place.restored]);
  const wrong = differences(before.files, digestFiles(place.restored));
  if (wrong.length > 0)
    throw new Error(`what was restored differs from what was there: ${wrong.join(", ")}`);
  say(`All ${before.files.size} files are as they were, the deleted one too.`);
}

function sayWhatIsWhere(place: Place, name: string): void {
  say(`
Done: an encrypted backup; what the first run stored was read back and compared, byte by byte, and
came back as it was at that time.

${place.root}
  config/${name}.conf  what is backed up and where to: edit it
  rclone.conf  the encrypted remote "quickstart"
  password.txt  its password: without it nothing can be read, so keep a copy elsewhere
  store/  the encrypted files; beside each backup its old versions, in NAME.history
  restored/  the sample as it was before the change
  state/  what the last runs left behind

Three commands to try next, in this shell after the export above:
  ${typed("rclone-backup", ["--show-config", name])}
  ${typed("restore", [name, "--list"])}
  ${typed("prune", ["-n", name])}`);
}

// ^C reaches the command too: it ends in its own way, and its exit code is told.
process.on("SIGINT", () => {});
try {
  process.exitCode = main(process.argv[2], process.argv[3]);
} catch (error) {
  if (error instanceof Stop) process.exitCode = error.code;
  else if (error instanceof Refusal) {
    console.error(`quickstart: ${error.message}`);
    process.exitCode = exitCodes.usage;
  } else {
    console.error(`quickstart: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = exitCodes.failed;
  }
}
