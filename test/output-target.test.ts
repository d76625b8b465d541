import assert from "node:assert/strict";
import { lstat, readdir, readFile, readlink, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { run, start, compiled, type Result } from "./helpers/command.ts";
import { damage, exporter, makeSplitting, mysqlDump, someRows } from "./helpers/splitting.ts";

/* What is written where the user names a file: files are replaced, pipes and devices are written to. */

const dump = mysqlDump([{ name: "orders", rows: someRows(3000) }]);

test("mysql-join -o writes into a named pipe, for which it waits, and leaves it there", async (t) => {
  const { to, root, splitText, join } = await makeSplitting(t);
  await splitText(dump);
  const pipe = path.join(root, "pipe");
  await run("mkfifo", [pipe]);
  const joining = join(["-o", pipe]);
  const [got, joined] = await Promise.all([readFile(pipe, "utf8"), joining]);
  assert.deepEqual([joined.code, joined.stderr, got === dump], [0, "", true]);
  assert.ok((await lstat(pipe)).isFIFO());
  // Only what was verified gets there.
  const [chunk = ""] = (await readdir(to)).filter((name) => name.includes("orders.data")).slice(-1);
  await damage(path.join(to, chunk));
  const again = join(["-o", pipe]);
  const [nothing, damaged] = await Promise.all([readFile(pipe, "utf8"), again]);
  assert.deepEqual([damaged.code, nothing], [4, ""]);
});

test("a run that waits for the reader of a pipe can be interrupted", async (t) => {
  const { to, root, splitText } = await makeSplitting(t);
  await splitText(dump);
  const pipe = path.join(root, "pipe");
  await run("mkfifo", [pipe]);
  const joining = start(process.execPath, [exporter("mysql-join"), "-o", pipe, to]);
  // It takes SIGHUP last of the signals that end a run in order.
  const takesSignals = async (): Promise<boolean> => {
    const status = await readFile(`/proc/${joining.pid}/status`, "utf8");
    return (BigInt(`0x${/^SigCgt:\s*(\w+)$/m.exec(status)?.[1] ?? "0"}`) & 1n) === 1n;
  };
  while (!(await takesSignals())) await setTimeout(20);
  joining.kill("SIGINT");
  const { code } = await joining.done;
  assert.equal(code, 130);
});

const rootOnly = { skip: process.getuid?.() !== 0 && "only root makes devices" };

test("mysql-join -o writes to a device", rootOnly, async (t) => {
  const { root, splitText, join } = await makeSplitting(t);
  await splitText(dump);
  const device = path.join(root, "null");
  const made = await run("mknod", [device, "c", "1", "3"]);
  const works =
    made.code === 0 &&
    (await writeFile(device, "").then(
      () => true,
      () => false,
    ));
  if (!works) return t.diagnostic("no devices can be made here");
  const joined = await join(["-o", device, "--json"]);
  assert.equal(joined.code, 0, joined.stderr);
  assert.ok((await lstat(device)).isCharacterDevice());
});

test("mysql-join -o replaces what a link leads to, and writes to /dev/stdout", async (t) => {
  const { to, root, splitText, join } = await makeSplitting(t);
  await splitText(dump);
  const [file, link] = [path.join(root, "dump.sql"), path.join(root, "link")];
  await symlink("dump.sql", link);
  const joins = async (): Promise<void> => {
    const joined = await join(["-o", link]);
    assert.equal(joined.code, 0, joined.stderr);
    assert.equal(await readlink(link), "dump.sql");
    assert.equal(await readFile(file, "utf8"), dump);
    assert.ok((await lstat(file)).isFile());
  };
  // Where there is none yet, too.
  await joins();
  const { ino } = await stat(file);
  await joins();
  assert.notEqual((await stat(file)).ino, ino, "it appears whole");
  const standard = path.join(root, "stdout");
  await symlink("/proc/self/fd/1", standard);
  const piped: Result = await run("sh", [
    "-c",
    '"$@" | cat',
    "-",
    process.execPath,
    exporter("mysql-join"),
    "-o",
    standard,
    to,
  ]);
  assert.deepEqual([piped.stderr, piped.stdout === dump], ["", true]);
  assert.equal(await readlink(standard), "/proc/self/fd/1");
  const inside = path.join(root, "inside");
  await symlink(path.join(to, "out.sql"), inside);
  const refused = await join(["-o", inside]);
  assert.equal(refused.code, 2, refused.stderr);
  const full = await join(["-o", root]);
  assert.deepEqual(
    [full.code, full.stderr],
    [1, `mysql-join: error: cannot write ${root} (EISDIR)\n`],
  );
});

test("pages are written into named pipes", async (t) => {
  const { root } = await makeSplitting(t);
  const pipe = path.join(root, "pipe");
  await run("mkfifo", [pipe]);
  const writing = run(compiled("du"), ["-", `--html=${pipe}`], { input: "" });
  const [page, { code, stderr }] = await Promise.all([readFile(pipe, "utf8"), writing]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(page, /<!doctype html>/i);
});
