// When the archive of special files is written, replaced, removed or left alone.
import assert from "node:assert/strict";
import {
  chmodSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { archiveName } from "../lib/specials/archive.ts";
import { gzipComment } from "../lib/specials/gzip.ts";
import { run } from "./helpers/command.ts";
import { day, fifo, now, place } from "./helpers/specials.ts";

test("a second run writes nothing, and a change does", async (t) => {
  const { source, archive, update, members } = await place(t);
  const link = path.join(source, "link");
  symlinkSync("one", link);
  lutimesSync(link, now, new Date(now.getTime() - day));
  assert.equal((await update()).state, "written");
  const before = statSync(archive, { bigint: true });
  assert.equal((await update()).state, "unchanged");
  const after = statSync(archive, { bigint: true });
  assert.deepEqual([after.ino, after.ctimeNs], [before.ino, before.ctimeNs]);

  lutimesSync(link, now, now);
  assert.equal((await update()).state, "written", "its time counts");
  rmSync(link);
  symlinkSync("two", link);
  lutimesSync(link, now, now);
  assert.equal((await update()).state, "written", "its target counts");
  await fifo(path.join(source, "fifo"));
  assert.equal((await update()).state, "written", "a new one counts");
  assert.equal((await update()).state, "unchanged");
  chmodSync(path.join(source, "fifo"), 0o600);
  assert.equal((await update()).state, "written", "its mode counts");
  assert.deepEqual(await members(), ["fifo", "link"]);
});

test("without special files there is no archive, and one of ours goes away", async (t) => {
  const { source, archive, update } = await place(t);
  assert.deepEqual(await update(), { state: "none", members: 0, warning: undefined });
  symlinkSync("x", path.join(source, "link"));
  await update();
  rmSync(path.join(source, "link"));
  assert.equal((await update({ dryRun: true })).state, "removed");
  assert.ok(statSync(archive).isFile());
  assert.deepEqual(await update(), { state: "removed", members: 0, warning: undefined });
  assert.deepEqual(readdirSync(source), []);
});

test("the archive has the time of its newest member that is not in the future", async (t) => {
  const { source, archive, update } = await place(t);
  const make = (name: string, time: number): void => {
    symlinkSync("x", path.join(source, name));
    lutimesSync(path.join(source, name), now, new Date(time));
  };
  make("future", now.getTime() + day);
  await update();
  assert.equal(statSync(archive).mtimeMs, now.getTime(), "all are in the future: now");
  make("old", now.getTime() - 9 * day);
  make("newer", now.getTime() - day + 5);
  await update();
  assert.equal(statSync(archive).mtimeMs, now.getTime() - day + 5);
});

test("equal special files give equal bytes", async (t) => {
  const places = [await place(t), await place(t)] as const;
  for (const [index, { source, update }] of places.entries()) {
    const names = ["b", "a", "dir"];
    for (const name of index === 0 ? names : names.toReversed()) {
      if (name === "dir") mkdirSync(path.join(source, name));
      const file = path.join(source, name === "dir" ? "dir/c" : name);
      symlinkSync("x", file);
      lutimesSync(file, new Date(index), new Date(now.getTime() - day + 7));
    }
    await update();
  }
  const [one, two] = places.map(({ archive }) => readFileSync(archive));
  assert.ok(one?.equals(two ?? Buffer.alloc(0)));
  assert.match(
    gzipComment(one ?? Buffer.alloc(0)) ?? "",
    /^rclone-backups special files 1 sha256=[0-9a-f]{64}$/,
  );
});

test("a file of the user's in the archive's place is left alone", async (t) => {
  const { source, archive, update } = await place(t);
  symlinkSync("x", path.join(source, "link"));
  const intact = async (): Promise<void> => {
    const before = lstatSync(archive, { bigint: true });
    const result = await update();
    assert.equal(result.state, "foreign");
    assert.match(result.warning ?? "", /special-files\.tar\.gz was not made by this program/);
    const after = lstatSync(archive, { bigint: true });
    assert.deepEqual([after.ino, after.ctimeNs], [before.ino, before.ctimeNs]);
    rmSync(archive, { recursive: true });
  };
  writeFileSync(archive, "no gzip");
  await intact();
  writeFileSync(archive, "");
  await intact();
  assert.equal((await run("tar", ["-czf", archive, "-C", source, "link"])).code, 0);
  await intact();
  await run("sh", [
    "-c",
    'printf x > "$0" && gzip -N "$0" && mv "$0.gz" "$1"',
    `${source}/f`,
    archive,
  ]);
  await intact();
  symlinkSync("link", archive);
  await intact();
  await fifo(archive);
  await intact();
  mkdirSync(archive);
  await intact();
  assert.equal((await update()).state, "written");
});

test("a foreign file is no trouble where there is nothing to archive", async (t) => {
  const { archive, update } = await place(t);
  writeFileSync(archive, "mine");
  assert.deepEqual(await update(), { state: "none", members: 0, warning: undefined });
  assert.equal(readFileSync(archive, "utf8"), "mine");
});

test("a dry run says what would be and writes nothing to the source", async (t) => {
  const { source, archive, update } = await place(t);
  symlinkSync("x", path.join(source, "link"));
  const stale = path.join(source, `.#${archiveName}`);
  writeFileSync(stale, "half");
  const before = statSync(source, { bigint: true });
  assert.deepEqual(await update({ dryRun: true }), {
    state: "written",
    members: 1,
    warning: undefined,
  });
  assert.equal(statSync(source, { bigint: true }).ctimeNs, before.ctimeNs);
  rmSync(stale);
  await update();
  assert.equal((await update({ dryRun: true })).state, "unchanged");
  writeFileSync(archive, "mine");
  assert.equal((await update({ dryRun: true })).state, "foreign");
});

test("what a killed run left is replaced", async (t) => {
  const { source, scratch, update, members } = await place(t, "- lost\n");
  symlinkSync("x", path.join(source, "link"));
  symlinkSync("/etc/passwd", path.join(source, `.#${archiveName}`));
  mkdirSync(path.join(scratch, "specials-shadow/dir"), { recursive: true });
  writeFileSync(path.join(scratch, "specials-shadow/dir/lost"), "");
  await update();
  assert.deepEqual(await members(), ["link"]);
  assert.deepEqual(readdirSync(source).toSorted(), ["link", archiveName]);
});
