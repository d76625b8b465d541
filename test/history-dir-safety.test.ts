import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { readTold, type ToldLine } from "../lib/stores/dir/told.ts";
import { rawFromBytes, rawFromText } from "../lib/units/rawpath.ts";
import { runId } from "../lib/units/runid.ts";
import {
  makeBackedUp,
  makeBackup,
  manyFiles,
  type Settings,
  type TestBackup,
} from "./helpers/backups.ts";
import { compiled, run, type Result } from "./helpers/command.ts";
import { contentOf, openDated, versionsByPath } from "./helpers/dirstore.ts";
import { eitherRclone, oldRclone, quickStart } from "./helpers/rclones.ts";
import { restoreJson } from "./helpers/restoring.ts";

/* What lies in dated directories goes only when it is known not to be the last of its kind. */

const settings: Settings = {
  default: { destination: "secret:data" },
  guards: { max_delete: "off" },
  history: { kind: "dir" },
  retention: { "**": "none" },
};

async function command(tree: TestBackup, name: string, args: readonly string[]): Promise<Result> {
  const options = { cwd: tree.root, env: { ...tree.env } };
  return run(process.execPath, [compiled(name), ...args], options);
}

async function expectCode(
  tree: TestBackup,
  code: number,
  name: string,
  ...args: readonly string[]
): Promise<string> {
  const result = await command(tree, name, args);
  assert.equal(result.code, code, `${name} ${args.join(" ")}: ${result.stderr}${result.stdout}`);
  return result.stderr;
}

async function rcloneDoes(tree: TestBackup, ...args: readonly string[]): Promise<void> {
  const { code, stderr } = await tree.runRclone(args);
  assert.equal(code, 0, stderr);
}

/** What a run leaves that is killed when it has moved `name` away, and uploads what replaces it. */
async function killBetween(tree: TestBackup, name: string): Promise<string> {
  await tree.trace(`case "$1 $*" in sync*--backup-dir*) kill -9 $PPID; exit 1;; esac`);
  const { signal } = await tree.run();
  assert.equal(signal, "SIGKILL");
  await tree.trace();
  const intents = (await tree.stored("secret:data.history")).filter((one) =>
    one.endsWith(".intent.gz"),
  );
  const id = intents.at(-1)?.replace(".intent.gz", "") ?? "";
  await rcloneDoes(tree, "moveto", `secret:data/${name}`, `secret:data.history/${id}/${name}`);
  return id;
}

/** A run that was killed with the only copy of `big` moved away, and `gone` deleted as planned. */
async function cutOff(tree: TestBackup): Promise<string> {
  await tree.expect(0);
  await tree.write({ big: "another content" });
  await tree.remove("gone");
  const id = await killBetween(tree, "big");
  await rcloneDoes(tree, "moveto", "secret:data/gone", `secret:data.history/${id}/gone`);
  return id;
}

const files = { big: "before", gone: "gone", ...manyFiles(3) };

for (const rclone of eitherRclone(import.meta.url)) {
  test(`after a kill, whatever removes closes the run first (${rclone.version})`, async (t) => {
    for (const [name, ...args] of [
      ["cleanup", "--yes", "home", "big", "gone"],
      ["recover", "--yes", "--deleted-since", "1 hour ago", "home"],
    ] as const) {
      const tree = await makeBackup(t, rclone, settings, files);
      const id = await cutOff(tree);
      const held = await tree.stored();
      const told = await expectCode(tree, 0, name, "-n", ...args);
      assert.match(told, new RegExp(`run ${id} was cut off`), name);
      assert.deepEqual(await tree.stored(), held);
      assert.match(await expectCode(tree, 0, name, ...args), /1 file that it had.*moved back: big/);
      assert.equal(await tree.content("data/big"), "before", `${name} ${args.join(" ")}`);
      assert.equal((await tree.stored("secret:data")).includes("gone"), name === "recover");
      assert.equal((await tree.record()).trusted, false);
      await tree.expect(0);
      assert.equal(await tree.content("data/big"), "another content");
    }
  });
}

test("after a kill, readers see the file as there and uncertain", async (t) => {
  const tree = await makeBackup(t, oldRclone, settings, files);
  await cutOff(tree);
  const found = await versionsByPath(await openDated(t, tree));
  const shown = (name: string): unknown =>
    found
      .get(name)
      ?.map(({ kind, uncertain, endedAt }) => [kind, uncertain, endedAt === undefined]);
  assert.deepEqual(shown("big"), [["file", true, true]]);
  assert.deepEqual(
    found.get("gone")?.map(({ kind }) => kind),
    ["marker", "file"],
  );
  const target = path.join(tree.root, "target");
  await restoreJson(tree, ["home", "--to", target]);
  assert.deepEqual((await readdir(target)).toSorted(), ["big", "file0", "file1", "file2"]);
});

test("a run that was killed with neither list is closed too", async (t) => {
  const tree = await makeBackedUp(t, oldRclone, settings, files);
  const id = runId(2, new Date());
  await rcloneDoes(tree, "moveto", "secret:data/big", `secret:data.history/${id}/big`);
  await tree.expect(0, { stderr: /000002-\w+ was cut off: 1 file.*moved back: big/ });
  assert.equal(await tree.content("data/big"), "before");
  const manifests = await tree.stored("secret:data.history");
  assert.ok(manifests.includes(`${id}.outcome.gz`), manifests.join());
});

test("a cut file that a killed run left at a new name was not there before that run", async (t) => {
  const tree = await makeBackedUp(t, oldRclone, settings, manyFiles(3));
  await tree.write({ new: "all of the new file" });
  await tree.trace(`case "$1 $*" in sync*--backup-dir*) kill -9 $PPID; exit 1;; esac`);
  assert.equal((await tree.run()).signal, "SIGKILL");
  await tree.trace();
  const cut = path.join(tree.root, "cut");
  await writeFile(cut, "all of");
  await rcloneDoes(tree, "copyto", cut, "secret:data/new");
  await tree.expect(0);
  const [now, before, ...more] = (await versionsByPath(await openDated(t, tree))).get("new") ?? [];
  assert.deepEqual([now?.size, before?.size, more.length], [19, 6, 0]);
  assert.ok(before !== undefined && before.storedAt > 0);
  assert.equal(before.uncertain, true);
});

/** Makes run 1 add `a`, run 2 replace it, as so many days ago; only run 2's directory holds it now. */
async function replacedLongAgo(tree: TestBackup, days: number): Promise<void> {
  await tree.expect(0);
  await tree.write({ a: "the second one" });
  await tree.expect(0);
  const top = await tree.stored("secret:data.history");
  for (const name of top.filter((one) => /^00000[12]-/.test(one))) {
    const [, number = "", rest = ""] = /^0*(\d+)-\w+?Z(.*)$/.exec(name) ?? [];
    const date = new Date(Date.now() - (days + 1 - Number(number)) * 86_400_000);
    await rcloneDoes(
      tree,
      ...["moveto", `secret:data.history/${name}`],
      `secret:data.history/${runId(Number(number), date)}${rest}`,
    );
  }
}

test("the last old version of a file that vanished outside any run is kept", async (t) => {
  const weekly: Settings = { ...settings, retention: { "**": "one_week" } };
  const tree = await makeBackup(t, oldRclone, weekly, { a: "the first", ...manyFiles(3) });
  await replacedLongAgo(tree, 400);
  await rcloneDoes(tree, "deletefile", "secret:data/a");
  const [marker, first] = (await versionsByPath(await openDated(t, tree))).get("a") ?? [];
  assert.deepEqual([marker?.kind, marker?.doubtful, first?.kind], ["marker", true, "file"]);
  await expectCode(tree, 0, "prune", "home");
  const left = (await versionsByPath(await openDated(t, tree))).get("a");
  assert.deepEqual(
    left?.map(({ kind }) => kind),
    ["marker", "file"],
  );
});

test("a destination that is not there is no reason to remove what it held", async (t) => {
  const tree = await makeBackedUp(t, oldRclone, settings, { a: "the first", ...manyFiles(3) });
  await tree.write({ a: "the second one" });
  await tree.expect(0);
  const before = await tree.stored("secret:data.history");
  await rcloneDoes(tree, "move", "secret:data", "secret:elsewhere");
  for (const missing of [true, false]) {
    if (!missing) await rcloneDoes(tree, "mkdir", "secret:data");
    for (const [name, ...args] of [
      ["prune", "home"],
      ["recover", "--yes", "--deleted-since", "1 day ago", "home"],
    ] as const) {
      const told = await expectCode(tree, 5, name, ...args);
      assert.match(told, /destination: expected 4 files as the last run left, found n/);
    }
  }
  assert.deepEqual(await tree.stored("secret:data.history"), before);
});

test("prune refuses a directory of old versions that is another configuration's too", async (t) => {
  const tree = await makeBackedUp(t, oldRclone, settings, { a: "the first", ...manyFiles(3) });
  await tree.write({ a: "the second one" });
  await tree.expect(0);
  const before = await tree.stored();
  await tree.writeConfig(
    "other",
    `[default]\nsource = /srv\ndestination = secret:other\n[history]\nkind = dir\ndir = secret:data.history\n`,
  );
  for (const args of [["-n", "home"], ["home"]])
    assert.match(
      await expectCode(tree, 2, "prune", ...args),
      /history: expected a place of its own/,
    );
  assert.deepEqual(await tree.stored(), before);
});

test("what rclone doesn't name is looked for before it counts as gone", async (t) => {
  const tree = await makeBackedUp(t, oldRclone, settings, { a: "a", b: "b", ...manyFiles(3) });
  await tree.write({ a: "another", b: "yet another" });
  await tree.expect(0);
  await tree.trace(`[ "$1" != delete ] || exit 0`);
  const rclone = { ...tree.rclone, path: path.join(tree.bin, "rclone") };
  const store = await openDated(t, { ...tree, rclone });
  const found = await versionsByPath(store);
  const old = ["a", "b"].map((name) => {
    const version = found.get(name)?.at(-1);
    assert.ok(version !== undefined);
    return version;
  });
  await rcloneDoes(tree, "deletefile", `secret:data.history/${old[1]?.id}/b`);
  const results = await store.remove(old);
  assert.deepEqual(
    results.map(({ result }) => result),
    ["failed", "gone"],
  );
  const [left] = results;
  assert.match(left?.result === "failed" ? left.error.message : "", /found it still there/);
});

test("of names that are not UTF-8, the one that is left is told from the one that went", async (t) => {
  const tree = await makeBackup(t, oldRclone, settings, manyFiles(3));
  const names = ["bad \xfe", "bad \xff"];
  const write = async (content: string): Promise<void> => {
    for (const name of names)
      await writeFile(Buffer.from(`${tree.source}/${name}`, "latin1"), content);
  };
  await write("old");
  await tree.expect(0);
  await write("newer");
  await tree.run();
  // rclone gets a list without the first of them.
  await tree.trace(
    `[ "$1" != delete ] || { LC_ALL=C grep -av "$(printf '\\376')" "$3" >"$3.x"; mv "$3.x" "$3"; }`,
  );
  const rclone = { ...tree.rclone, path: path.join(tree.bin, "rclone") };
  const store = await openDated(t, { ...tree, rclone });
  const old = [];
  for (const name of names) {
    const [, version] = await store.versionsOf(rawFromBytes(name));
    assert.ok(version !== undefined);
    old.push(version);
  }
  assert.deepEqual(
    (await store.remove(old)).map(({ result }) => result),
    ["failed", "removed"],
  );
});

/** What readTold is given. */
async function toldContext(tree: TestBackup): Promise<Parameters<typeof readTold>[0]> {
  const scratch = path.join(tree.root, "scratch");
  await mkdir(scratch);
  return {
    rclone: { program: tree.rclone.path, env: { ...quickStart, ...tree.env }, common: [] },
    features: { version: "", fineTimes: true },
    tuning: {
      ...{ copyLinks: false, transfers: undefined, checkers: undefined, bwlimit: undefined },
      flags: [],
    },
    ...{ destination: "secret:data", history: "secret:data.history", scratch },
  };
}

async function linesOf({ lines }: Awaited<ReturnType<typeof readTold>>): Promise<ToldLine[]> {
  const all: ToldLine[] = [];
  for await (const page of lines()) all.push(...page);
  return all;
}

test("what the runs told stays readable when they are read again", async (t) => {
  const tree = await makeBackedUp(t, oldRclone, settings, { a: "a", ...manyFiles(3) });
  const context = await toldContext(tree);
  const first = await readTold(context, "first");
  const before = await linesOf(first);
  assert.equal(before.length, 4);
  await rm(path.join(tree.store, "secret"), { recursive: true });
  assert.deepEqual(await linesOf(await readTold(context, "second")), []);
  assert.deepEqual(await linesOf(first), before);
});

/** An outcome of many lines without the last one, which alone tells that it is damaged. */
function withoutEnd(outcome: Buffer): Buffer {
  const lines = gunzipSync(outcome).toString("latin1").trimEnd().split("\n");
  assert.ok(lines.length > 1000 && lines.at(-1)?.startsWith("#end"), lines.at(-1));
  return gzipSync(Buffer.from(`${lines.slice(0, -1).join("\n")}\n`, "latin1"));
}

for (const [damage, damaged] of [
  ["an empty file", () => Buffer.alloc(0)],
  ["one that lacks its end", withoutEnd],
] as const)
  test(`a damaged outcome leaves the word to the intent: ${damage}`, async (t) => {
    const tree = await makeBackedUp(t, oldRclone, settings, { a: "a", ...manyFiles(3) });
    const more = manyFiles(1200, "with a name that is ".repeat(4));
    await tree.write({ a: "another", new: "new", ...more });
    await tree.expect(0);
    const outcome = (await tree.stored("secret:data.history")).find((name) =>
      /^000002.*outcome/.test(name),
    );
    const [whole, cut] = ["whole", "cut"].map((name) => path.join(tree.root, name));
    assert.ok(whole !== undefined && cut !== undefined);
    await rcloneDoes(tree, "copyto", `secret:data.history/${outcome}`, whole);
    await writeFile(cut, damaged(await readFile(whole)));
    await rcloneDoes(tree, "copyto", "--ignore-times", cut, `secret:data.history/${outcome}`);
    // Nothing that the damaged one says is taken, neither is that of other runs lost.
    const told = await linesOf(await readTold(await toldContext(tree), "told"));
    assert.deepEqual(
      new Set(told.map(({ run: by, planned }) => `${by} ${planned}`)),
      new Set(["0 false", "1 true"]),
    );
    assert.equal(told.length, 4 + 1202);
    const store = await openDated(t, tree);
    const [now, another] = await store.versionsOf(rawFromText("new"));
    const [replacing, old] = await store.versionsOf(rawFromText("a"));
    assert.ok(now !== undefined && now.storedAt > 0 && old !== undefined);
    assert.deepEqual(
      [now.storedAt, now.uncertain, another],
      [replacing?.storedAt, true, undefined],
    );
    assert.equal(await contentOf(store, old), "a");
  });
