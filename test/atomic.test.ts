import assert from "node:assert/strict";
import {
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { Failure } from "../lib/errors.ts";
import { atomicStream, writeAtomically } from "../lib/state/atomic.ts";
import { privateDirectory, stateRoot } from "../lib/state/directory.ts";
import { run, start } from "./helpers/command.ts";

async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-atomic-"));
  t.after(async () => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** The pid of a process that has ended. */
async function deadPid(): Promise<number> {
  const live = start("true", []);
  await live.done;
  return live.pid;
}

test("a file is replaced as a whole, with its mode, and nothing else is left", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = path.join(directory, "record.json");
  await writeAtomically(file, "old and longer");
  await writeAtomically(file, Buffer.from("new"), 0o640);
  assert.equal(await readFile(file, "utf8"), "new");
  assert.equal((await stat(file)).mode & 0o777, 0o640);
  assert.deepEqual(await readdir(directory), ["record.json"]);
});

test("a stream appears under its name at commit, not before", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = path.join(directory, "manifest");
  const target = await atomicStream(file);
  const stream = target.stream;
  for (let line = 0; line < 100_000; line++) stream.write(`${line}\n`);
  await assert.rejects(stat(file), { code: "ENOENT" });
  await target.commit();
  await target.abandon();
  const text = await readFile(file, "utf8");
  assert.ok(text.endsWith("99998\n99999\n"));
  assert.equal(text.split("\n").length, 100_001);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
});

test("a pipeline may end the stream before commit", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = path.join(directory, "f");
  const target = await atomicStream(file);
  await pipeline(Readable.from([Buffer.from("a"), Buffer.from("b")]), target.stream);
  await target.commit();
  assert.equal(await readFile(file, "utf8"), "ab");
});

test("an abandoned stream leaves the old file and no temporary one", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = path.join(directory, "manifest");
  await writeAtomically(file, "old");
  const target = await atomicStream(file);
  target.stream.write("half");
  await target.abandon();
  assert.equal(await readFile(file, "utf8"), "old");
  assert.deepEqual(await readdir(directory), ["manifest"]);
});

test("two writers of the same file at once don't mix", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = path.join(directory, "f");
  const texts = Array.from({ length: 8 }, (_, number) => String(number).repeat(100_000));
  await Promise.all(texts.map(async (text) => writeAtomically(file, text)));
  assert.ok(texts.includes(await readFile(file, "utf8")));
  assert.deepEqual(await readdir(directory), ["f"]);
});

test("old leftovers of dead writers go, all others stay", async (t) => {
  const directory = await temporaryDirectory(t);
  const dead = await deadPid();
  const old = new Date(Date.now() - 2 * 3_600_000);
  const leave = async (name: string, time?: Date): Promise<void> => {
    const file = path.join(directory, name);
    await writeFile(file, "half");
    if (time !== undefined) await utimes(file, time, time);
  };
  await leave(`.f.${dead}-0.tmp`, old);
  await leave(`.f.${process.pid}-999999.tmp`, old);
  await leave(`.f.${dead}-1.tmp`);
  await leave(`.f.${process.ppid}-0.tmp`, old);
  await leave(`.other.${dead}-0.tmp`, old);
  await leave(".f.mine.tmp", old);
  await writeAtomically(path.join(directory, "f"), "new");
  assert.deepEqual(
    new Set(await readdir(directory)),
    new Set([
      ".f.mine.tmp",
      `.f.${process.ppid}-0.tmp`,
      `.f.${dead}-1.tmp`,
      `.other.${dead}-0.tmp`,
      "f",
    ]),
  );
});

test("a writer killed with kill -9 leaves the old file, and the next write succeeds", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = path.join(directory, "f");
  await writeAtomically(file, "old");
  const script = `
    const { atomicStream } = await import(${JSON.stringify(import.meta.resolve("../lib/state/atomic.ts"))});
    const target = await atomicStream(${JSON.stringify(file)});
    await target.handle.writeFile("half");
    console.log("written");
    setInterval(() => {}, 1000);`;
  const writer = start(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script]);
  await writer.waitFor(/written/);
  writer.killGroup("SIGKILL");
  await writer.done;
  assert.equal((await readdir(directory)).length, 2);
  assert.equal(await readFile(file, "utf8"), "old");
  await writeAtomically(file, "new");
  assert.equal(await readFile(file, "utf8"), "new");
});

test("what can't be written says which file and why", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = path.join(directory, "missing", "f");
  await assert.rejects(writeAtomically(file, "x"), (error) => {
    assert.ok(error instanceof Failure);
    assert.equal(error.outcome, "failed");
    assert.match(error.message, /cannot write .*missing\/f \(ENOENT\)/);
    return true;
  });
  const occupied = path.join(directory, "d");
  await mkdir(path.join(occupied, "x"), { recursive: true });
  await assert.rejects(writeAtomically(occupied, "x"), Failure);
  assert.deepEqual(await readdir(directory), ["d"]);
});

test("a full disk is told and leaves nothing", async (t) => {
  const directory = await temporaryDirectory(t);
  const script = `
    const { writeAtomically } = await import(${JSON.stringify(import.meta.resolve("../lib/state/atomic.ts"))});
    try { await writeAtomically(process.argv[1] + "/f", Buffer.alloc(3_000_000)); }
    catch (error) { console.log(error.outcome, error.message); }`;
  const result = await run("unshare", [
    "-mr",
    "sh",
    "-c",
    'mount -t tmpfs -o size=1m none "$1" && "$2" --import tsx --input-type=module -e "$3" "$1" && ls -A "$1"',
    "sh",
    directory,
    process.execPath,
    script,
  ]);
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stdout, /^failed cannot write .*\/f: the disk is full \(ENOSPC\)\n$/);
});

function root(env: Readonly<Record<string, string>>, isRoot = false): string {
  return stateRoot(env, isRoot, "/home/u");
}

test("the state directory follows the environment", () => {
  assert.equal(root({ RCLONE_BACKUPS_STATE: "/s", XDG_STATE_HOME: "/x" }, true), "/s");
  assert.equal(root({ XDG_STATE_HOME: "/x" }, true), "/var/lib/rclone-backups");
  assert.equal(root({ XDG_STATE_HOME: "/x" }), "/x/rclone-backups");
  assert.equal(root({ XDG_STATE_HOME: "x" }), "/home/u/.local/state/rclone-backups");
  assert.equal(
    root({ RCLONE_BACKUPS_STATE: "", XDG_STATE_HOME: "" }),
    "/home/u/.local/state/rclone-backups",
  );
  assert.throws(() => root({ RCLONE_BACKUPS_STATE: "s" }), { outcome: "usage" });
});

test("a private directory is made for us alone, and files and foreign links are refused", async (t) => {
  const directory = await temporaryDirectory(t);
  const made = path.join(directory, "a/b/c");
  await privateDirectory(made);
  await privateDirectory(made);
  assert.equal((await stat(made)).mode & 0o777, 0o700);

  const file = path.join(directory, "file");
  await writeFile(file, "");
  await assert.rejects(privateDirectory(file), /expected a directory at .*file, found a file/);
  await assert.rejects(privateDirectory(path.join(file, "x")), /found a file/);

  const open = path.join(directory, "open");
  await mkdir(open);
  await chmod(open, 0o777);
  await assert.rejects(privateDirectory(open), /everybody can write to it/);

  const link = path.join(directory, "link");
  await symlink(made, link);
  await privateDirectory(link);
});

test("a state directory that can't be made says so", async (t) => {
  const directory = await temporaryDirectory(t);
  const closed = path.join(directory, "closed");
  await mkdir(closed, { mode: 0o500 });
  const script = `
    const { privateDirectory } = await import(${JSON.stringify(import.meta.resolve("../lib/state/directory.ts"))});
    try { await privateDirectory(process.argv[1]); }
    catch (error) { console.log(error.outcome, error.message); }`;
  const result = await run(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "-e", script, path.join(closed, "state")],
    { unprivileged: true },
  );
  assert.match(result.stdout, /^failed cannot make the directory .*\/state \(EACCES\)\n$/);
});
