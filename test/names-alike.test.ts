import assert from "node:assert/strict";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseRunId } from "../lib/units/runid.ts";
import { rawFromBytes, rawFromText, type RawPath } from "../lib/units/rawpath.ts";
import { makeBackup, type Settings, type TestBackup } from "./helpers/backups.ts";
import { contentOf, openDated } from "./helpers/dirstore.ts";
import { newRclone, oldRclone, rclones } from "./helpers/rclones.ts";

/*
 * Names that are not UTF-8 and look alike in rclone's log, which has U+FFFD for each of their bytes. NAMES_RUNS is how
 * many sequences of nights each rclone gets.
 */

const dated = (destination: string): Settings => ({
  default: { destination },
  guards: { max_delete: "off" },
  history: { kind: "dir" },
});

/** Of one shape each; the last of the first group spells U+FFFD itself. */
const alike = [
  ...["\xCD\xC1.txt", "\xD0\xC1.txt", "\xD0\xD2.txt"].map(rawFromBytes),
  rawFromText("\uFFFD\uFFFD.txt"),
  ...["m\xFCller/x", "m\xF6ller/x"].map(rawFromBytes),
];

function fileOf(tree: TestBackup, name: RawPath): Buffer {
  return Buffer.concat([Buffer.from(`${tree.source}/`), Buffer.from(name, "latin1")]);
}

async function put(tree: TestBackup, name: RawPath, content: string): Promise<void> {
  const file = fileOf(tree, name);
  await mkdir(file.subarray(0, file.lastIndexOf("/")), { recursive: true });
  await writeFile(file, content);
}

async function drop(tree: TestBackup, name: RawPath): Promise<void> {
  await rm(fileOf(tree, name), { force: true });
}

const night = fc.record({
  operations: fc.array(
    fc.record({ name: fc.constantFrom(...alike), isKept: fc.boolean(), length: fc.nat(40) }),
    { maxLength: 6 },
  ),
  loseState: fc.boolean(),
});

for (const rclone of rclones)
  test(`what happens to one name is told of no other that looks like it (${rclone.version})`, async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.array(night, { minLength: 4, maxLength: 5 }), async (nights) => {
        const tree = await makeBackup(t, rclone, dated("secret:data"), { stays: "stays" });
        const files = new Map<RawPath, string>();
        const wanted = new Map<RawPath, string[]>(alike.map((name) => [name, []]));
        let serial = 0;
        for (const { operations, loseState } of nights) {
          const before = new Map(files);
          for (const { name, isKept, length } of operations) {
            serial += 1;
            const content = `${serial}`.padEnd(length + 61 * serial, "x");
            if (isKept) await put(tree, name, content);
            else await drop(tree, name);
            if (isKept) files.set(name, content);
            else files.delete(name);
          }
          if (loseState) await rm(tree.state, { recursive: true, force: true });
          const { run } = await tree.report();
          const time = parseRunId(run)?.startedAt ?? -1;
          for (const name of alike) {
            const now = files.get(name);
            if (now === before.get(name)) continue;
            wanted.get(name)?.unshift(`${now ?? "deleted"} ${time}`);
          }
        }
        const store = await openDated(t, tree);
        for (const name of alike) {
          const told: string[] = [];
          for (const version of await store.versionsOf(name)) {
            assert.notEqual(version.uncertain, true);
            const what = version.kind === "file" ? await contentOf(store, version) : "deleted";
            told.push(`${what} ${Math.floor(version.storedAt / 1000) * 1000}`);
          }
          assert.deepEqual(told, wanted.get(name), Buffer.from(name, "latin1").toString("latin1"));
        }
      }),
      {
        numRuns: Number(process.env["NAMES_RUNS"] ?? 1),
        endOnFailure: true,
        includeErrorInReport: true,
      },
    );
  });

test("the deletion of a name leaves another that looks like it in the manifest", async (t) => {
  const tree = await makeBackup(
    t,
    oldRclone,
    { guards: { max_delete: "off" } },
    { stays: "stays" },
  );
  const [gone, kept] = [rawFromBytes("a\xE4"), rawFromBytes("a\xE5")];
  for (const name of [gone, kept]) await put(tree, name, "content");
  await tree.expect(0);
  await drop(tree, gone);
  const report = await tree.report();
  assert.equal(report.deleted, 1);
  const next = await tree.report();
  assert.equal(next.plan?.held.files, 2);
  assert.equal(next.plan?.added.files, 0);
});

test("of names that look alike, the one that failed is told, and the other is backed up", async (t) => {
  for (const history of [dated("plain:data"), { default: { destination: "plain:data" } }]) {
    const tree = await makeBackup(t, newRclone, history, { stays: "stays" });
    const [good, bad] = [rawFromBytes("a\xE4"), rawFromBytes("a\xE5")];
    for (const name of [good, bad]) await put(tree, name, "content");
    await tree.expect(0);
    for (const name of [good, bad]) await put(tree, name, "more content");
    // What is in it belongs to nobody, and nothing is deleted where files fail.
    const inTheWay = Buffer.from(`${tree.store}/plain/data/${bad}`, "latin1");
    await rm(inTheWay);
    await mkdir(Buffer.concat([inTheWay, Buffer.from("/sub")]), { recursive: true });
    await writeFile(Buffer.concat([inTheWay, Buffer.from("/sub/x")]), "x");
    const { code, stdout } = await tree.run(["--json"]);
    assert.equal(code, 3, stdout);
    const bytes = Buffer.from(bad, "latin1").toString("base64");
    assert.match(stdout, new RegExp(`"path_base64": *"${bytes}"`));
    assert.match(stdout, /"failure_count": *1\b/);
    await rm(inTheWay, { recursive: true });
    const { plan, transferred } = await tree.report();
    assert.equal(plan?.added.files, 1);
    assert.equal(transferred.files, 1);
  }
});

for (const rclone of rclones)
  for (const loseState of [false, true])
    test(`a directory whose name is not UTF-8 becomes a file, and the reverse (${rclone.version}${loseState ? ", state lost" : ""})`, async (t) => {
      const tree = await makeBackup(t, rclone, { guards: { max_delete: "off" } }, { stays: "s" });
      const name = rawFromBytes("x/caf\xE9");
      const other = rawFromBytes("x/caf\xE8/kept");
      await put(tree, other, "kept");
      await put(tree, rawFromBytes(`${name}/sub/a`), "a");
      await put(tree, rawFromBytes(`${name}/b`), "b");
      await tree.expect(0);
      const turn = async (): Promise<void> => {
        await rm(fileOf(tree, name), { recursive: true });
        if (loseState) await rm(tree.state, { recursive: true });
      };
      await turn();
      await put(tree, name, "a file now");
      await tree.expect(0);
      assert.deepEqual(await tree.stored(), ["stays", "x/caf\uFFFD", "x/caf\uFFFD/kept"]);
      await turn();
      await put(tree, rawFromBytes(`${name}/sub/a`), "a");
      await tree.expect(0);
      assert.deepEqual(await tree.stored(), ["stays", "x/caf\uFFFD/kept", "x/caf\uFFFD/sub/a"]);
    });

test("names that a destination can't tell apart are failures until they are renamed", async (t) => {
  for (const rclone of rclones) {
    const files = { README: "one", readme: "another", "Dir/a": "a", "dir/a": "b", "dir/b": "b" };
    const tree = await makeBackup(t, rclone, {}, { ...files, stays: "stays" });
    const folding = path.join(tree.root, "folding");
    await tree.configure({
      default: { destination: `:local,case_insensitive=true:${folding}` },
      guards: { max_delete: "off" },
    });
    for (const loseState of [false, true]) {
      if (loseState) await rm(tree.state, { recursive: true });
      const { failures, message } = await tree.report([], { code: 3 });
      const left = failures.map((one) => one.path);
      // Which one is up to the file system: rclone takes the one that it lists first.
      assert.equal(left.filter((name) => /^readme$/i.test(name)).length, 1, left.join());
      assert.ok(
        left.some((name) => /^dir\//i.test(name)),
        `expected a directory to be left out: ${left.join()}`,
      );
      assert.match(message ?? "", /upper from lower case/);
      const held = await tree.manifest();
      assert.deepEqual(held.toSorted(), (await tree.stored(folding)).toSorted());
      assert.equal(held.length + left.length, Object.keys(files).length + 1);
    }
    await tree.remove("readme", "dir");
    await tree.expect(0);
    assert.deepEqual(await tree.manifest(), ["Dir/a", "README", "stays"]);
    // Renamed in case alone: rclone finds it there, whatever the case.
    await rename(path.join(tree.source, "README"), path.join(tree.source, "ReadMe"));
    await tree.expect(0);
    await tree.expect(0);
  }
});
