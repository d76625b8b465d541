import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { test, type TestContext } from "node:test";
import { histories } from "../lib/history/group.ts";
import { plainContent, type Content } from "../lib/restore/content.ts";
import { planRestore } from "../lib/restore/plan.ts";
import { PlanSpool } from "../lib/restore/spool.ts";
import { openStaging } from "../lib/restore/staging.ts";
import { Tally } from "../lib/restore/tally.ts";
import { examineLocal, restoreToLocal } from "../lib/restore/tolocal.ts";
import type { RestoreWork } from "../lib/restore/work.ts";
import { onePage, type Pages } from "../lib/manifest/pages.ts";
import type { StoredVersion } from "../lib/stores/store.ts";
import { rawFromBytes, rawFromText } from "../lib/units/rawpath.ts";
import { startB2 } from "./helpers/b2/server.ts";
import { openOn } from "./helpers/b2store.ts";
import { MemoryStore, plainNames } from "./helpers/memorystore.ts";

const then = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

interface Bench {
  readonly store: MemoryStore;
  readonly root: string;
  restore: (
    options?: Partial<RestoreWork> & { versions?: () => Pages<StoredVersion> },
  ) => Promise<Tally>;
  tree: () => Promise<string[]>;
}

async function bench(t: TestContext): Promise<Bench> {
  const base = await realpath(await mkdtemp(path.join(tmpdir(), "restore-test-")));
  t.after(() => rm(base, { recursive: true, force: true }));
  const root = path.join(base, "target");
  await mkdir(root);
  const memory = new MemoryStore({ now: then });
  let serial = 0;
  return {
    store: memory,
    root,
    restore: async ({ versions = () => memory.versions(rawFromText("")), ...options } = {}) => {
      const scratch = path.join(base, `scratch${serial++}`);
      await mkdir(scratch);
      const plan = new PlanSpool(path.join(scratch, "plan"));
      const all = histories(versions(), plainNames);
      const choice = { asOf: undefined, allVersions: false, includeDeleted: false };
      for await (const page of planRestore(all, choice)) for (const file of page) plan.write(file);
      plan.close();
      const tally = new Tally();
      const work: RestoreWork = {
        rclone: { program: "/nonexistent", env: {}, common: [] },
        features: { version: "1.60.1", fineTimes: false },
        tuning: {
          ...{ copyLinks: false, transfers: undefined, checkers: undefined, bwlimit: undefined },
          flags: [],
        },
        ...{ content: plainContent(memory), plan, tally, scratch, overwrite: false },
        ...{ bulk: () => undefined, bulkChecks: false, whole: false },
        signal: new AbortController().signal,
        events: { warn: () => {}, detail: () => {}, progress: () => {} },
        ...options,
      };
      const todo = await examineLocal(work, root);
      const staging = await openStaging(root, "test");
      await restoreToLocal(work, todo, root, staging);
      await staging.remove(tally.failureCount > 0);
      return tally;
    },
    tree: async () => {
      const names = await readdir(root, { recursive: true });
      return names.toSorted();
    },
  };
}

test("files appear with content and time, directories with them, and nothing else stays", async (t) => {
  const { store, root, restore, tree } = await bench(t);
  store.put("a", "A", then);
  store.put("deep/er/b", "B", then + 1);
  store.put("empty", "", then);
  const tally = await restore();
  assert.deepEqual(await tree(), ["a", "deep", "deep/er", "deep/er/b", "empty"]);
  assert.equal(await readFile(path.join(root, "deep/er/b"), "utf8"), "B");
  assert.equal(Math.round((await lstat(path.join(root, "deep/er/b"))).mtimeMs), then + 1);
  assert.deepEqual([tally.restored.files, tally.restored.bytes, tally.failureCount], [3, 2, 0]);
  assert.equal(tally.unverified.files, 3);
  // Again: all is there.
  const again = await restore();
  assert.deepEqual([again.restored.files, again.already.files], [0, 3]);
});

test("names come out as rclone's local backend writes them", async (t) => {
  const { store, root, restore } = await bench(t);
  store.put("new␊line/␛", "x");
  store.put("Grüße", "x");
  store.add(rawFromBytes("not \xff utf8"), {
    kind: "file",
    size: 0,
    storedAt: then,
    modifiedAt: then,
  });
  await restore();
  const names = await readdir(root, { encoding: "buffer" });
  const expected = [
    Buffer.from("new\nline"),
    Buffer.from("Grüße"),
    Buffer.from("not \xff utf8", "latin1"),
  ];
  assert.deepEqual(
    names.map((name) => name.toString("latin1")).toSorted(),
    expected.map((name) => name.toString("latin1")).toSorted(),
  );
  assert.deepEqual(await readdir(path.join(root, "new\nline")), ["\u001B"]);
});

test("what is in the way stays, unless it may be replaced", async (t) => {
  const { store, root, restore } = await bench(t);
  store.put("same", "same", then);
  store.put("other", "stored", then);
  store.put("new/file", "new", then);
  store.put("isdir", "x", then);
  await writeFile(path.join(root, "same"), "same");
  await utimes(path.join(root, "same"), then / 1000, then / 1000);
  await writeFile(path.join(root, "other"), "mine");
  await writeFile(path.join(root, "unrelated"), "mine too");
  await mkdir(path.join(root, "isdir"));
  const tally = await restore();
  assert.deepEqual([tally.restored.files, tally.already.files], [1, 1]);
  assert.deepEqual(
    tally.failures.map(({ path: name, reason }) => `${name}: ${reason}`).toSorted(),
    [
      "isdir: expected a file or nothing there, found a directory",
      "other: expected nothing there, found another file",
    ],
  );
  assert.equal(await readFile(path.join(root, "other"), "utf8"), "mine");
  const second = await restore({ overwrite: true });
  assert.equal(await readFile(path.join(root, "other"), "utf8"), "stored");
  assert.equal(await readFile(path.join(root, "unrelated"), "utf8"), "mine too");
  assert.deepEqual(
    second.failures.map(({ path: name }) => String(name)),
    ["isdir"],
  );
});

test("nothing is written outside of the target", async (t) => {
  const { store, root, restore } = await bench(t);
  const outside = path.join(path.dirname(root), "outside");
  await mkdir(outside);
  await symlink(outside, path.join(root, "link"));
  await symlink(path.join(outside, "gone"), path.join(root, "dangling"));
  await mkdir(path.join(root, "inside"));
  await symlink("inside", path.join(root, "within"));
  await symlink(path.join(outside, "planted"), path.join(root, "file"));
  const names = [
    "link/x",
    "dangling/x",
    "file",
    "../y",
    "/z",
    "a/../../w",
    "within/ok",
    "link/deep/er",
  ];
  for (const name of names) store.put(name, name);
  const tally = await restore();
  assert.deepEqual(await readdir(outside), []);
  assert.deepEqual(
    (await readdir(path.dirname(root))).filter((name) => /^[wyz]$/.test(name)),
    [],
  );
  assert.equal(await readFile(path.join(root, "inside/ok"), "utf8"), "within/ok");
  assert.deepEqual(
    tally.failures.map(({ path: name }) => String(name)).toSorted(),
    names.filter((name) => name !== "within/ok").toSorted(),
  );
  // A link may be replaced, but is never written through.
  await restore({ overwrite: true });
  assert.deepEqual(await readdir(outside), []);
  assert.ok((await lstat(path.join(root, "file"))).isFile());
});

test("a file whose parent is a file fails alone", async (t) => {
  const { store, restore, tree } = await bench(t);
  for (const name of ["a", "a/b", "c"]) store.put(name, name);
  const tally = await restore();
  assert.deepEqual(await tree().then((names) => names.filter((name) => name === "c")), ["c"]);
  assert.equal(tally.restored.files, 2);
  assert.equal(tally.failureCount, 1);
});

test("content is held against length and checksum; what is wrong never appears", async (t) => {
  const { store, restore, tree } = await bench(t);
  const good = Buffer.from("the content");
  const hash = { kind: "sha1", hex: createHash("sha1").update(good).digest("hex") } as const;
  for (const name of ["good", "changed", "cut", "long"]) store.put(name, good);
  const altered = new Map([
    ["changed", Buffer.from("the c0ntent")],
    ["cut", good.subarray(0, 5)],
    ["long", Buffer.concat([good, good])],
  ]);
  const content: Content = plainContent({
    open: async ({ name }) => Readable.from([altered.get(name) ?? good]),
  });
  const versions = async function* (): Pages<StoredVersion> {
    for await (const page of store.versions(rawFromText("")))
      yield page.map((version) => ({ ...version, hash }));
  };
  const tally = await restore({ content, versions });
  assert.deepEqual(await tree(), ["good"]);
  assert.deepEqual([tally.verified.files, tally.unverified.files, tally.failureCount], [1, 0, 3]);
  const reasons = new Map(tally.failures.map(({ path: name, reason }) => [String(name), reason]));
  assert.match(reasons.get("changed") ?? "", /another checksum/);
  assert.match(reasons.get("cut") ?? "", /found 5 of its 11 bytes/);
  assert.match(reasons.get("long") ?? "", /more than its 11 bytes/);
});

test("a large file goes on from what was surely on disk", async (t) => {
  const { store, root, restore } = await bench(t);
  const mib = 1024 * 1024;
  const big = Buffer.alloc(150 * mib, 7);
  for (let at = 0; at < big.length; at += 4096) big.writeUInt32LE(at, at);
  store.put("big", big, then);
  const starts: number[] = [];
  const reader = (fail: boolean): Content => ({
    step: 65_536,
    modifiedAt: async () => then,
    async *read(_version, start) {
      starts.push(start);
      for (let at = start; at < big.length; at += mib) {
        if (fail && at >= 100 * mib) throw new Error("connection reset");
        yield big.subarray(at, Math.min(at + mib, big.length));
      }
    },
  });
  const broken = await restore({ content: reader(true) });
  assert.equal(broken.failureCount, 1);
  assert.match(broken.failures[0]?.reason ?? "", /connection reset/);
  const tally = await restore({ content: reader(false) });
  assert.deepEqual(starts, [0, 64 * mib]);
  assert.equal(tally.restored.files, 1);
  assert.ok((await readFile(path.join(root, "big"))).equals(big));
  assert.deepEqual(await readdir(root), ["big"]);
});

test("a part is gone on with only for the version it was fetched of, whatever its id", async (t) => {
  const mib = 1024 * 1024;
  const cases = [
    { id: "current", first: then, second: then + 1000, starts: [0, 0] },
    { id: "current", first: then, second: then, starts: [0, 64 * mib] },
    { id: "null", first: undefined, second: undefined, starts: [0, 0] },
  ] as const;
  for (const { id, first, second, starts } of cases) {
    const { root, restore } = await bench(t);
    const stored = { name: rawFromText("big"), id, kind: "file", size: 70 * mib } as const;
    const seen: number[] = [];
    const attempt = async (modifiedAt: number | undefined, fill: number): Promise<Tally> =>
      restore({
        versions: () => onePage([{ ...stored, storedAt: then, modifiedAt }]),
        content: {
          step: 65_536,
          modifiedAt: async () => then,
          async *read(_version, start) {
            seen.push(start);
            for (let at = start; at < stored.size; at += mib) {
              if (fill === 1 && at >= 66 * mib) throw new Error("connection reset");
              yield Buffer.alloc(mib, fill);
            }
          },
        },
      });
    assert.equal((await attempt(first, 1)).failureCount, 1);
    assert.equal((await attempt(second, 2)).restored.files, 1);
    assert.deepEqual(seen, starts, id);
    const content = await readFile(path.join(root, "big"));
    const expected = Buffer.alloc(stored.size, 2).fill(1, 0, starts[1]);
    assert.ok(content.equals(expected), id);
  }
});

test("names that the file system can't hold fail alone, however many there are", async (t) => {
  const { store, root, restore } = await bench(t);
  // Each segment is short enough, the whole is longer than a path can be.
  const deep = Array.from({ length: 20 }, () => "d".repeat(250)).join("/");
  for (let at = 0; at < 25; at += 1) store.put(`${deep}/f${at}`, "x");
  store.put("other", "x");
  for (const expected of [
    [1, 0],
    [0, 1],
  ]) {
    const tally = await restore();
    assert.deepEqual([tally.restored.files, tally.already.files], expected);
    assert.equal(tally.failureCount, 25);
    assert.match(tally.failures[0]?.reason ?? "", /ENAMETOOLONG|longer one/);
  }
  assert.ok((await readdir(root)).includes("other"));
});

test("a file and a directory of one name: one of them fails, however many there are", async (t) => {
  const { store, root, restore } = await bench(t);
  for (let at = 0; at < 30; at += 1) {
    store.put(`d${at}`, "file");
    store.put(`d${at}/below`, "below");
  }
  store.put("other", "x");
  const tally = await restore();
  assert.deepEqual([tally.restored.files, tally.failureCount], [31, 30]);
  for (const { reason } of tally.failures) assert.match(reason, /found (a file|some) /);
  assert.deepEqual(
    (await readdir(root)).filter((name) => name.startsWith(".")),
    [],
  );
});

test("a store that is gone ends the restore, a target that can't be written too", async (t) => {
  const { store, root, restore } = await bench(t);
  for (let at = 0; at < 60; at += 1) store.put(`f${at}`, "x");
  store.faults = { open: () => new Error("no route to host") };
  await assert.rejects(restore(), /no route to host/);
  store.faults = {};
  if (process.getuid?.() !== 0) {
    await chmod(root, 0o555);
    await assert.rejects(restore(), /cannot write/);
    await chmod(root, 0o755);
  }
  const tally = await restore();
  assert.equal(tally.restored.files, 60);
});

test("the network goes in the middle of the downloads: each file is named, none is half, a rerun completes", async (t) => {
  const { root, restore } = await bench(t);
  const server = await startB2(t);
  const contents = new Map<string, string>();
  for (let at = 0; at < 16; at += 1) contents.set(`f${at}`, `${at % 10}`.repeat(50_000));
  for (const [name, content] of contents) server.put(name, content, { modifiedAt: then });
  const remote = await openOn(t, server);
  const api = "b2_download_file_by_id";
  server.faults.plan([
    { api, from: 6, times: 3, deed: { kind: "truncate", bytes: 20_000 } },
    { api, from: 6, times: Infinity, deed: { kind: "reset" } },
  ]);
  const request = {
    content: plainContent(remote),
    versions: () => remote.versions(rawFromText("")),
  };
  const there = async (): Promise<string[]> =>
    (await readdir(root)).filter((name) => !name.startsWith("."));
  const tally = await restore(request);
  const whole = await there();
  assert.equal(whole.length, tally.restored.files);
  assert.ok(tally.failureCount >= 8, `${tally.failureCount} failures`);
  assert.deepEqual(
    [...whole, ...tally.failures.map(({ path: name }) => String(name))].toSorted(),
    [...contents.keys()].toSorted(),
  );
  for (const name of whole)
    assert.equal(await readFile(path.join(root, name), "utf8"), contents.get(name));
  server.faults.clear();
  const again = await restore(request);
  assert.deepEqual([again.failureCount, again.already.files], [0, whole.length]);
  for (const [name, content] of contents)
    assert.equal(await readFile(path.join(root, name), "utf8"), content);
  assert.deepEqual((await readdir(root)).length, contents.size);
});
