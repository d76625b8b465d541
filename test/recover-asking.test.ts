// What is carried out is what was shown: what comes to the store while the question is open stays.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { plainNames } from "../lib/crypt/plainnames.ts";
import { histories } from "../lib/history/group.ts";
import type { FileHistory } from "../lib/history/history.ts";
import type { RecoverStep, RecoverWish } from "../lib/jobs/recover/options.ts";
import { planFile } from "../lib/jobs/recover/plan.ts";
import { readSteps, spoolStep } from "../lib/jobs/recover/spool.ts";
import { onePage } from "../lib/manifest/pages.ts";
import { LineSpool } from "../lib/process/spool.ts";
import type { StoredVersion } from "../lib/stores/store.ts";
import { rawFromBytes } from "../lib/units/rawpath.ts";
import { answer } from "./helpers/asked.ts";
import { ago, commands, historyWorld, type HistoryWorld } from "./helpers/historyworld.ts";

/** What is current: content by name. */
function current({ entries, server }: HistoryWorld): Record<string, string> {
  const now = new Map<string, string>();
  for (const { path: name, action, fileId } of entries().toReversed())
    if (action === "hide") now.delete(name);
    else now.set(name, server.content(fileId).toString());
  return Object.fromEntries([...now].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

test("an undelete removes the markers that were shown, where they are still the newest", async (t) => {
  const world = await historyWorld(t, { kind: "plain" });
  const { server, stored } = world;
  for (const name of ["again", "back", "live", "rewritten", "twice"])
    server.put(stored(name), name, { at: ago(20) });
  for (const name of ["again", "back", "rewritten", "twice"])
    server.hide(stored(name), { at: ago(1) });
  world.present();
  const before = world.entries();
  const args = ["--deleted-since", new Date(ago(2)).toISOString(), "home"];
  const meanwhile = (): void => {
    server.hide(stored("live"));
    server.put(stored("new"), "new");
    server.hide(stored("new"));
    server.put(stored("rewritten"), "rewritten since");
    server.put(stored("again"), "again since");
    server.hide(stored("again"));
  };
  const { code, stdout } = await answer(world, "recover", { args, typed: "yes\n", meanwhile });
  assert.equal(code, 3, stdout);
  assert.match(stdout, /4 files to undelete/);
  for (const name of ["again", "rewritten"])
    assert.match(stdout, new RegExp(` ${name}: expected it as it was shown, found it changed`));
  const left = new Set(world.entries().map(({ fileId }) => fileId));
  assert.deepEqual(
    before
      .filter(({ fileId }) => !left.has(fileId))
      .map(({ path: name, action }) => `${name} ${action}`),
    ["back hide", "twice hide"],
  );
  assert.deepEqual(current(world), {
    ...{ back: "back", rewritten: "rewritten since", twice: "twice" },
  });
});

test("a roll-back does what was shown, and another run the rest", async (t) => {
  const world = await historyWorld(t, { kind: "plain" });
  const { server, stored } = world;
  const good = ["again", "damaged", "dir/damaged", "fine", "same size"];
  for (const name of good) server.put(stored(name), `good ${name}`, { at: ago(20) });
  for (const name of good.filter((each) => each !== "fine"))
    server.put(stored(name), `bad  ${name}`, { at: ago(1) });
  for (const name of ["ransom", "ransom again"]) server.put(stored(name), "pay", { at: ago(1) });
  world.present();
  const ids = world.entries().map(({ fileId }) => fileId);
  const args = ["--as-of", new Date(ago(10)).toISOString(), "home"];
  const meanwhile = (): void => {
    server.put(stored("again"), "written again, and longer");
    server.put(stored("fine"), "written meanwhile");
    server.put(stored("new"), "new");
    server.put(stored("ransom again"), "pay more");
    // As long as what it is to become.
    server.put(stored("same size"), "evil same size");
  };
  const { code, stdout } = await answer(world, "recover", { args, typed: "yes\n", meanwhile });
  assert.equal(code, 3, stdout);
  assert.match(stdout, /4 files to put back as they were, 2 files to mark as deleted/);
  assert.match(stdout, /done for 3 of 6 files/);
  assert.match(stdout, /3 files could not be recovered:/);
  assert.deepEqual(current(world), {
    ...{ again: "written again, and longer", fine: "written meanwhile", new: "new" },
    ...{ damaged: "good damaged", "dir/damaged": "good dir/damaged" },
    ...{ "ransom again": "pay more", "same size": "evil same size" },
  });
  await world.expect(5, "recover", ["--resume", "home"]);
  const copies = (): number => server.requests.filter(({ api }) => api === "b2_copy_file").length;
  const done = copies();
  await world.expect(0, "recover", ["--yes", ...args]);
  assert.deepEqual(current(world), Object.fromEntries(good.map((name) => [name, `good ${name}`])));
  assert.equal(copies() - done, 3);
  const left = new Set(world.entries().map(({ fileId }) => fileId));
  assert.ok(ids.every((id) => left.has(id)));
  await world.expect(0, "recover", ["--resume", "home"]);
});

test("on dated directories, too, what was not shown stays", async (t) => {
  const world = await commands(t, {
    destination: "secret:data",
    env: {},
    settings: "[history]\nkind = dir\n",
  });
  const { box, write, remove } = world;
  const put = async (name: string, input: string): Promise<void> => {
    const { code, stderr } = await box.runRclone(["rcat", `secret:data/${name}`], { input });
    assert.equal(code, 0, stderr);
  };
  const content = async (name: string): Promise<string> =>
    (await box.runRclone(["cat", `secret:data/${name}`])).stdout;
  for (const name of ["again", "damaged", "gone", "gone too"]) await write(name, `good ${name}`);
  await world.expect(0, "rclone-backup", ["home"]);
  const time = new Date(Date.now() + 1).toISOString();
  for (const name of ["again", "damaged", "ransom", "ransom again"]) await write(name, "bad");
  for (const name of ["gone", "gone too"]) await remove(name);
  await world.expect(0, "rclone-backup", ["home"]);
  const args = ["--as-of", time, "home"];
  const meanwhile = async (): Promise<void> => {
    for (const name of ["again", "gone too", "new", "ransom again"]) await put(name, "meanwhile");
  };
  const { code, stdout } = await answer(world, "recover", { args, typed: "yes\n", meanwhile });
  assert.equal(code, 3, stdout);
  assert.match(stdout, /done for 3 of 6 files/);
  const names = async (): Promise<string[]> =>
    (await world.listed()).map((line) => line.split(";")[0] ?? "").toSorted();
  assert.deepEqual(await names(), [
    ...["again", "damaged", "gone", "gone too", "new", "ransom again"],
  ]);
  for (const name of ["again", "gone too", "new", "ransom again"])
    assert.equal(await content(name), "meanwhile", name);
  await world.expect(0, "recover", ["--yes", ...args]);
  // What no run brought came after the first one, which listed all files.
  assert.deepEqual(await names(), ["again", "damaged", "gone", "gone too"]);
  for (const name of ["again", "damaged", "gone", "gone too"])
    assert.equal(await content(name), `good ${name}`);
});

const anyByte = fc.oneof(
  fc.constantFrom(..."\t\n\r\0\x7f%/0a".split("")),
  fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)),
);
const anyName = fc
  .array(anyByte, { minLength: 1, maxLength: 12 })
  .map((bytes) => rawFromBytes(`${bytes.join("")}x`));
const anyEntry: fc.Arbitrary<Pick<StoredVersion, "id" | "kind" | "size" | "modifiedAt">> =
  fc.record({
    id: fc.string({ unit: "binary" }),
    kind: fc.constantFrom("file", "marker"),
    size: fc.nat(),
    modifiedAt: fc.option(fc.integer(), { nil: undefined }),
  });
/** All versions of one file, newest first. */
const anyVersions = fc
  .tuple(anyName, fc.array(anyEntry, { minLength: 1, maxLength: 5 }))
  .map(([name, entries]) =>
    entries.map((entry, at): StoredVersion => ({
      ...entry,
      name,
      storedAt: 10 * (entries.length - at),
    })),
  );

async function historyOf(versions: readonly StoredVersion[]): Promise<FileHistory | undefined> {
  for await (const [file] of histories(onePage(versions), plainNames)) return file;
  return undefined;
}

test("steps are read as they were written, whatever names and ids hold", async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-steps-"));
  t.after(async () => rm(directory, { recursive: true, force: true }));
  const wishes: readonly RecoverWish[] = [
    { kind: "deleted-since", since: 0 },
    { kind: "as-of", time: 15 },
    { kind: "as-of", time: 5 },
  ];
  await fc.assert(
    fc.asyncProperty(fc.array(anyVersions), fc.constantFrom(...wishes), async (files, wish) => {
      const steps: RecoverStep[] = [];
      for (const each of files) {
        const file = await historyOf(each);
        const step = file && planFile(file, wish, undefined);
        if (step !== undefined) steps.push(step);
      }
      const spool = new LineSpool(path.join(directory, "steps"));
      for (const step of steps) spoolStep(spool, step);
      spool.close();
      const found = [];
      for await (const page of readSteps(spool.file, 3)) {
        assert.ok(page.length <= 3);
        found.push(...page);
      }
      assert.deepEqual(
        found,
        steps.map((step) => {
          const { file, action } = step;
          const { path: plain, name, entries } = file;
          const content = entries.findIndex(({ kind }) => kind === "file");
          const top = entries.slice(0, action === "undelete" ? content + 1 : 1);
          const what = { path: plain, name, action, top };
          return action === "hide" ? what : { ...what, version: step.version.stored };
        }),
      );
    }),
  );
});
