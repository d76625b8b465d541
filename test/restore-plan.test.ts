import assert from "node:assert/strict";
import { test } from "node:test";
import { histories } from "../lib/history/group.ts";
import { commonDirectory, compilePattern } from "../lib/history/pattern.ts";
import { whyRefused } from "../lib/restore/refusal.ts";
import { planRestore, type PlannedFile, type RestoreChoice } from "../lib/restore/plan.ts";
import { rawFromText } from "../lib/units/rawpath.ts";
import { makeSelection } from "../lib/jobs/restore/select.ts";
import { MemoryStore, plainNames } from "./helpers/memorystore.ts";

const start = Date.UTC(2026, 2, 5, 14, 0, 0, 7);
const hour = 3_600_000;

/** a.tar.gz: hours 0 and 2, deleted at 4, again at 6. b/c: hour 1. d: hour 3, deleted at 5. */
async function makeStore(): Promise<MemoryStore> {
  const store = new MemoryStore({ now: start, pageLength: 2 });
  const at = async (hours: number, act: () => unknown): Promise<void> => {
    store.clock = start + hours * hour;
    await act();
  };
  await at(0, () => store.put("a.tar.gz", "one"));
  await at(1, () => store.put("b/c", "c"));
  await at(2, () => store.put("a.tar.gz", "three"));
  await at(3, () => store.put("d", "dd"));
  await at(4, () => store.hide(rawFromText("a.tar.gz")));
  await at(5, () => store.hide(rawFromText("d")));
  await at(6, () => store.put("a.tar.gz", "six six"));
  return store;
}

async function plan(store: MemoryStore, choice: Partial<RestoreChoice>): Promise<PlannedFile[]> {
  const found: PlannedFile[] = [];
  const all = histories(store.versions(rawFromText("")), plainNames);
  const pages = planRestore(all, {
    ...{ asOf: undefined, allVersions: false, includeDeleted: false },
    ...choice,
  });
  for await (const page of pages) found.push(...page);
  return found;
}

const told = (files: readonly PlannedFile[]): string[] =>
  files.map(({ target, version }) => `${target} ${version.size}`);

test("as of a time, each file is what it was then", async () => {
  const store = await makeStore();
  const cases: readonly (readonly [number, readonly string[]])[] = [
    [-1, []],
    [0, ["a.tar.gz 3"]],
    [1.5, ["a.tar.gz 3", "b/c 1"]],
    [2, ["a.tar.gz 5", "b/c 1"]],
    [3.5, ["a.tar.gz 5", "b/c 1", "d 2"]],
    // A moment before and at the deletion.
    [4 - 1 / hour, ["a.tar.gz 5", "b/c 1", "d 2"]],
    [4, ["b/c 1", "d 2"]],
    [5, ["b/c 1"]],
    [6, ["a.tar.gz 7", "b/c 1"]],
  ];
  for (const [hours, expected] of cases)
    assert.deepEqual(
      told(await plan(store, { asOf: start + hours * hour })),
      expected,
      `${hours} h`,
    );
  assert.deepEqual(told(await plan(store, {})), ["a.tar.gz 7", "b/c 1"]);
});

test("deleted files come as they were last, if they are asked for", async () => {
  const store = await makeStore();
  const choice = { includeDeleted: true, asOf: start + 5 * hour };
  assert.deepEqual(told(await plan(store, choice)), ["a.tar.gz 5", "b/c 1", "d 2"]);
  assert.deepEqual(told(await plan(store, { includeDeleted: true })), [
    "a.tar.gz 7",
    "b/c 1",
    "d 2",
  ]);
});

test("every version has a name of its own, by the time it came", async () => {
  const store = await makeStore();
  store.put("x/.profile", "1");
  store.put("x/.profile", "22");
  assert.deepEqual(told(await plan(store, { allVersions: true })), [
    "a.tar-v2026-03-05-200000-007.gz 7",
    "a.tar-v2026-03-05-160000-007.gz 5",
    "a.tar-v2026-03-05-140000-007.gz 3",
    "b/c-v2026-03-05-150000-007 1",
    "d-v2026-03-05-170000-007 2",
    // Two of the same millisecond.
    "x/-v2026-03-05-200000-008.profile 2",
    "x/-v2026-03-05-200000-007.profile 1",
  ]);
  const early = await plan(store, { allVersions: true, asOf: start + 2 * hour });
  assert.deepEqual(told(early).length, 3);
});

test("what a store can't be sure of is told", async () => {
  const store = new MemoryStore({ now: start, markerTime: (_, covered) => covered?.storedAt ?? 0 });
  store.put("f", "f");
  store.clock += hour;
  await store.hide(rawFromText("f"));
  const perhaps: string[] = [];
  const choice = { asOf: start + hour / 2, onPerhaps: (path: string) => void perhaps.push(path) };
  assert.deepEqual(await plan(store, choice), []);
  assert.deepEqual(perhaps, ["f"]);
  const [file] = await plan(store, { ...choice, includeDeleted: true });
  assert.equal(file?.uncertain, true);
});

test("stored names that would lead elsewhere are refused", () => {
  const bad = [
    "../x",
    "a/../../x",
    "/etc/passwd",
    "a//b",
    "a/./b",
    "..",
    "",
    ".rclone-restore-x/files/y",
  ];
  for (const name of bad) assert.notEqual(whyRefused(rawFromText(name)), undefined, name);
  assert.notEqual(whyRefused(rawFromText(`a/${"x".repeat(256)}`)), undefined);
  for (const name of ["a/b", "..a", "...", "a/.rclone-restore-x", "．．/x", "CON", " "])
    assert.equal(whyRefused(rawFromText(name)), undefined, name);
});

test("patterns: a path means all below it, a glob the whole paths it matches", async () => {
  const cases: readonly (readonly [string, readonly string[], readonly string[], string])[] = [
    ["docs", ["docs", "docs/a", "docs/.x/y"], ["docsx", "a/docs"], ""],
    ["/docs/", ["docs/a", "docs/b/c"], ["docs", "docsx/a"], "docs/"],
    ["docs/a", ["docs/a", "docs/a/b"], ["docs/ab", "docs"], "docs/"],
    ["docs/*", ["docs/a", "docs/.a"], ["docs/a/b", "docs"], "docs/"],
    ["docs/**", ["docs/a", "docs/.h/f"], ["doc/a"], "docs/"],
    ["**/.git/", [".git/x", "a/b/.git/c/d"], ["git/x"], ""],
    ["#a", ["#a"], ["a"], ""],
    ["!x", ["!x"], ["a"], ""],
    ["a/b/{c,d}.txt", ["a/b/c.txt", "a/b/d.txt"], ["a/b/e.txt"], "a/b/"],
    ["", ["x", "y/z"], [], ""],
    ["Grüße/*", ["Grüße/a"], ["Grusse/a"], "Grüße/"],
  ];
  for (const [text, yes, no, directory] of cases) {
    const pattern = await compilePattern(text);
    for (const path of yes) assert.ok(pattern.matches(rawFromText(path)), `${text} and ${path}`);
    for (const path of no) assert.ok(!pattern.matches(rawFromText(path)), `${text} not ${path}`);
    assert.equal(pattern.directory, rawFromText(directory), text);
    // What matches lies in the directory that is listed for it.
    for (const path of yes) assert.ok(rawFromText(path).startsWith(pattern.directory));
  }
  const patterns = await Promise.all(["a/b/c", "a/b/d/e", "a/bc/x"].map(compilePattern));
  assert.equal(commonDirectory(patterns.slice(0, 2)), "a/b/");
  assert.equal(commonDirectory(patterns), "a/");
});

test("a pattern that matches nothing is named", async () => {
  const store = await makeStore();
  const run = async (texts: readonly string[]): Promise<string[]> => {
    const selection = await makeSelection(texts);
    const found: string[] = [];
    const all = histories(store.versions(selection.directory), plainNames);
    for await (const page of selection.select(all)) found.push(...page.map(({ path }) => path));
    selection.demand("here");
    return found;
  };
  assert.deepEqual(await run([]), ["a.tar.gz", "b/c", "d"]);
  assert.deepEqual(await run(["b", "*.gz", "b/c"]), ["a.tar.gz", "b/c"]);
  await assert.rejects(run(["b", "nope", "*.txt"]), {
    message: "here: expected files that nope, *.txt matches, found none",
    outcome: "failed",
  });
});
