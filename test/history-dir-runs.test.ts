import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import * as fc from "fast-check";
import { parseRunId } from "../lib/units/runid.ts";
import {
  callsOf,
  lines,
  makeBackedUp,
  makeBackup,
  manyFiles,
  type Settings,
  type TestBackup,
} from "./helpers/backups.ts";
import { contentOf, openDated, versionsByPath } from "./helpers/dirstore.ts";
import { inNamespace } from "./helpers/fault.ts";
import { oldRclone, rclones } from "./helpers/rclones.ts";

/*
 * What rclone-backup keeps of old versions in dated directories, and what a reader makes of it.
 * HISTORY_RUNS is how many sequences of nights each pair of rclone and destination gets.
 */

const dated = (destination = "secret:data", more: Record<string, string> = {}): Settings => ({
  default: { destination },
  guards: { max_delete: "off" },
  history: { kind: "dir", ...more },
});

/** What the source held when a run backed it up. */
interface Snapshot {
  readonly time: number;
  readonly files: ReadonlyMap<string, string>;
}

/** Kind, content and time of each version of a path, newest first, as the snapshots say. */
function expected(snapshots: readonly Snapshot[], name: string): string[] {
  const list: string[] = [];
  let before: string | undefined;
  for (const { time, files } of snapshots) {
    const now = files.get(name);
    if (now === before) continue;
    list.push(now === undefined ? `deleted ${time}` : `${now} ${time}`);
    before = now;
  }
  return list.toReversed();
}

const names = ["a", "b b", "dir/c", "dir/ü\n", " d"];

/** An operation on the source: a new content, or none. */
const operation = fc.record({
  name: fc.constantFrom(...names),
  length: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined, freq: 3 }),
});
const night = fc.record({
  operations: fc.array(operation, { maxLength: 5 }),
  loseState: fc.boolean(),
});

for (const [at, rclone] of rclones.entries()) {
  for (const destination of at === 0 ? ["secret:data"] : ["plain:some/data"]) {
    test(`versions equal a model, also when the machine is lost (${destination}, ${rclone.version})`, async (t) => {
      await fc.assert(
        fc.asyncProperty(fc.array(night, { minLength: 5, maxLength: 7 }), async (nights) => {
          const tree = await makeBackup(t, rclone, dated(destination), { stays: "stays" });
          const files = new Map([["stays", "stays"]]);
          const snapshots: Snapshot[] = [];
          let serial = 0;
          for (const { operations, loseState } of nights) {
            for (const { name, length } of operations) {
              serial += 1;
              if (length === undefined) {
                await tree.remove(name);
                files.delete(name);
              } else {
                // Of a new length each time, so that a change is one for every store.
                const content = `${serial}`.padEnd(length + 61 * serial, "x");
                await tree.write({ [name]: content });
                files.set(name, content);
              }
            }
            if (loseState) await rm(tree.state, { recursive: true, force: true });
            const { run } = await tree.report();
            snapshots.push({ time: parseRunId(run)?.startedAt ?? -1, files: new Map(files) });
          }
          const store = await openDated(t, tree, { destination });
          const found = await versionsByPath(store);
          for (const name of [...names, "stays"]) {
            const stored = found.get(name.replace("\n", "\u240A")) ?? [];
            const told: string[] = [];
            for (const version of stored) {
              assert.notEqual(version.uncertain, true, name);
              const time = Math.floor(version.storedAt / 1000) * 1000;
              const what = version.kind === "file" ? await contentOf(store, version) : "deleted";
              told.push(`${what} ${time}`);
            }
            assert.deepEqual(told, expected(snapshots, name), name);
          }
        }),
        { numRuns: Number(process.env["HISTORY_RUNS"] ?? 1), endOnFailure: true },
      );
    });
  }

  test(`a night without changes costs and leaves nothing (${rclone.version})`, async (t) => {
    const tree = await makeBackedUp(t, rclone, dated(), { a: "a", b: "b" });
    const before = await tree.stored("secret:data.history");
    await tree.trace();
    await tree.expect(0);
    const calls = await tree.calls();
    assert.deepEqual(await tree.stored("secret:data.history"), before);
    // Beside what a run without history asks, one look at the top of the history.
    const looks = calls.filter((call) =>
      call.some((word) => word.startsWith("secret:data.history")),
    );
    assert.equal(looks.filter(([command]) => command !== "sync").length, 1, JSON.stringify(looks));
    assert.equal(looks.find(([command]) => command !== "sync")?.[0], "lsf");
  });

  test(`a lost state does no harm: numbers go on, and what is held is told (${rclone.version})`, async (t) => {
    const tree = await makeBackedUp(t, rclone, dated(), { a: "a", b: "b" });
    await tree.write({ a: "aa" });
    const second = await tree.report();
    await rm(tree.state, { recursive: true, force: true });
    await tree.write({ b: "bbb" });
    const third = await tree.report();
    assert.equal(parseRunId(second.run)?.number, 2);
    assert.equal(parseRunId(third.run)?.number, 3);
    assert.equal((await tree.record()).lastNumber, 3);
    const outcome = await manifest(tree, `${third.run}.outcome.gz`);
    assert.match(outcome, /"full":true/);
    assert.match(outcome, /^a\theld\t2\t/m);
    assert.match(outcome, /^b\tchange\t3\t/m);
  });
}

/** The text of a run's manifest. */
async function manifest(tree: TestBackup, name: string): Promise<string> {
  const file = path.join(tree.root, name);
  const { code, stderr } = await tree.runRclone(["copyto", `secret:data.history/${name}`, file]);
  assert.equal(code, 0, stderr);
  return gunzipSync(await readFile(file)).toString();
}

test("a run that another program followed counts at the destination", async (t) => {
  const tree = await makeBackedUp(t, oldRclone, dated(), { a: "a", b: "b" });
  const store = await openDated(t, tree);
  await tree.write({ a: "aaa" });
  await tree.report();
  const [, old] = (await versionsByPath(store)).get("a") ?? [];
  assert.ok(old !== undefined);
  await store.makeCurrent(old);
  // The record believes that a is as the source has it; the history knows of another run.
  const { plan } = await tree.report();
  assert.equal(plan?.counted_from, "dry run");
  const { stdout } = await tree.runRclone(["cat", "secret:data/a"]);
  assert.equal(stdout, "aaa");
});

test("without the section nothing is different", async (t) => {
  const tree = await makeBackedUp(
    t,
    oldRclone,
    { default: { destination: "secret:data" } },
    manyFiles(4),
  );
  await tree.write({ file0: "another" });
  await tree.trace();
  await tree.expect(0);
  const calls = await tree.calls();
  const [sync = []] = callsOf(calls, "sync");
  assert.equal(sync.includes("--backup-dir"), false);
  assert.deepEqual(
    calls.filter((call) => call.some((word) => word.includes(".history"))),
    [],
  );
  const all = await tree.runRclone(["lsf", "secret:"]);
  assert.deepEqual(lines(all.stdout), ["data/"]);
});

test("what is replaced goes to a directory of the run", async (t) => {
  const tree = await makeBackedUp(t, oldRclone, dated(), { a: "a" });
  await tree.write({ a: "aa" });
  await tree.trace();
  const { run } = await tree.report();
  const [sync = []] = callsOf(await tree.calls(), "sync");
  const at = sync.indexOf("--backup-dir");
  assert.equal(sync[at + 1], `secret:data.history/${run}`);
});

test("places that can't be are refused", async (t) => {
  const tree = await makeBackup(t, oldRclone, dated("secret:"), { a: "a" });
  await tree.expect(2, { stderr: /root of a remote.*secret:data/s });
  await tree.configure(dated("secret:data", { dir: "secret:data/old" }));
  await tree.expect(2, { stderr: /outside the destination/ });
  await tree.configure(dated("secret:data", { dir: "secret:" }));
  await tree.expect(2, { stderr: /outside the destination/ });
  await tree.configure(dated("secret:data", { dir: "plain:old" }));
  await tree.expect(2, {
    stderr: /history\.dir: expected a place on the remote of the destination/,
  });
  await tree.configure(dated(`${tree.source}/backup`));
  await tree.expect(2, { stderr: /destination: expected a place outside the source/ });
  await tree.configure({ ...dated(), rclone: { flags: "--track-renames" } });
  await tree.expect(2, { stderr: /--track-renames/ });
  // Old versions in the source would be backed up with it.
  await tree.configure(dated(`${tree.root}/elsewhere`, { dir: `${tree.source}/old` }));
  await tree.expect(2, { stderr: /history: expected a place outside the source/ });
  await tree.configure(dated("secret:data", { dir: "secret:old/versions" }));
  await tree.expect(0);
  assert.equal((await tree.stored("secret:old/versions")).length, 2);
});

test("another backup's destination is no place for old versions", async (t) => {
  const tree = await makeBackup(t, oldRclone, dated(), { a: "a" });
  await mkdir(path.join(tree.root, "other"));
  await tree.writeConfig(
    "other",
    `[default]\nsource = ${tree.root}/other\ndestination = secret:data.history\n`,
  );
  await tree.expect(2, { stderr: /history: expected a place of its own.*other\.conf/s });
});

for (const rclone of rclones) {
  test(`what changes again between two attempts leaves the version of the last run (${rclone.version})`, async (t) => {
    const files = { state: "yesterday", late: "old", gone: "g", same: "s" };
    const tree = await makeBackedUp(t, rclone, dated(), files);
    await tree.write({ state: "tonight" });
    await tree.remove("gone");
    const once = path.join(tree.root, "once");
    const failing = `if [ "$1" = sync ] && [ ! -e '${once}' ]; then : >'${once}'; '${rclone.path}' "$@"; printf 'and again' >'${tree.source}/state'; printf changed >'${tree.source}/late'; exit 1; fi`;
    await tree.trace(failing);
    const { run } = await tree.report();
    assert.equal(callsOf(await tree.calls(), "sync").length, 2);
    assert.deepEqual(
      (await tree.stored("secret:data.history")).toSorted(),
      [
        ...["gone", "late", "state"].map((name) => `${run}/${name}`),
        ...(await tree.stored("secret:data.history")).filter((name) => name.endsWith(".gz")),
      ].toSorted(),
    );
    assert.equal(await tree.content("data/state"), "and again");
    assert.equal(await tree.content(`data.history/${run}/state`), "yesterday");
    assert.equal(await tree.content(`data.history/${run}/late`), "old");
    await tree.report();

    // Killed before what the second attempt set aside is where it belongs.
    await tree.write({ state: "the day after" });
    await rm(once);
    await tree.trace(
      `${failing}; case "$1 $*" in move*--ignore-existing*) kill -9 $PPID; exit 1;; esac`,
    );
    assert.equal((await tree.run()).signal, "SIGKILL");
    await tree.trace();
    await tree.report();
    const stored = await tree.stored("secret:data.history");
    const states = stored.filter((name) => name.endsWith("/state"));
    const contents = await Promise.all(
      states.map(async (name) => tree.content(`data.history/${name}`)),
    );
    for (const content of ["yesterday", "and again", "the day after"])
      assert.ok(contents.includes(content), content);
    assert.equal(await tree.content("data/state"), "and again");
  });
}

test("a clock before the newest run is refused until it is allowed", async (t) => {
  const tree = await makeBackedUp(t, oldRclone, dated(), { a: "a" });
  const empty = path.join(tree.root, "empty");
  await writeFile(empty, "");
  const future = "000007-20990101T000000Z";
  await tree.runRclone(["copyto", empty, `secret:data.history/${future}.outcome.gz`]);
  await tree.write({ a: "aa" });
  await tree.expect(5, {
    stderr: /clock: expected a time after the newest run.*2099.*--allow-clock/s,
  });
  assert.equal(await tree.content("data/a"), "a");
  const { run } = await tree.report(["--allow-clock"]);
  // The refused run had a number too.
  assert.equal(parseRunId(run)?.number, 9);
  assert.equal(await tree.content("data/a"), "aa");
  // Said once, that goes for the nights to come.
  await tree.write({ a: "aaa" });
  await tree.report();
  assert.equal(await tree.content("data/a"), "aaa");
});

test("a clock that was allowed in a run without changes is so from then on", async (t) => {
  const tree = await makeBackedUp(t, oldRclone, dated(), { a: "a" });
  const empty = path.join(tree.root, "empty");
  await writeFile(empty, "");
  const future = "000007-20990101T000000Z";
  await tree.runRclone(["copyto", empty, `secret:data.history/${future}.outcome.gz`]);
  await tree.expect(5, { stderr: /clock: expected a time after the newest run/ });
  await tree.report(["--allow-clock"]);
  await tree.expect(0);
  await tree.write({ a: "aa" });
  await tree.report();
  assert.equal(await tree.content("data/a"), "aa");
});

test("a history that can't be listed is not an empty one", async (t) => {
  const tree = await makeBackedUp(t, oldRclone, dated(), { a: "a" });
  await tree.trace(
    `case "$1 $*" in lsf*.history*) echo 'Failed to lsf: no route to host' >&2; exit 1;; esac`,
  );
  await tree.expect(1, { stderr: /history: expected a listing of the old versions/ });
});

test("switched on later, the first run tells what is there already", async (t) => {
  const without = { default: { destination: "secret:data" } };
  const tree = await makeBackedUp(t, oldRclone, without, { a: "a", "dir/b": "bb" });
  await tree.configure(dated());
  const { run, plan } = await tree.report();
  assert.equal(plan?.counted_from, "manifest");
  const outcome = await manifest(tree, `${run}.outcome.gz`);
  assert.match(
    outcome,
    /"full":true.*\na\theld\t1\t.*\ndir\/b\theld\t2\t.*\n#end \{"files":2\}\n$/s,
  );
  await tree.write({ a: "aaa" });
  await tree.run();
  const versions = (await versionsByPath(await openDated(t, tree))).get("a") ?? [];
  assert.deepEqual(
    versions.map(({ size, storedAt }) => [size, storedAt === 0]),
    [
      [3, false],
      [1, true],
    ],
  );
});

test("the root of a mount has nothing beside it", async (t) => {
  const tree = await makeBackup(t, oldRclone, dated(), { a: "a" });
  const place = path.join(tree.store, "disk");
  await mkdir(place);
  await tree.configure(dated(place));
  const [refused, inside] = await inNamespace(
    tree,
    `mount -t tmpfs none "$STORE/disk"
backup home
backup --set default.destination="$STORE/disk/data" home`,
  );
  assert.equal(refused?.code, 2);
  assert.match(refused?.stderr ?? "", /a mount: .*disk.*disk\/data\.history/s);
  assert.equal(inside?.code, 0, inside?.stderr);
});
