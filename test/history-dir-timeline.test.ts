import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import * as fc from "fast-check";
import type { Entry } from "../lib/manifest/entry.ts";
import { DamagedManifest } from "../lib/manifest/gziplines.ts";
import { onePage } from "../lib/manifest/pages.ts";
import { readRunManifest, writeRunManifest, type RunLine } from "../lib/manifest/runs.ts";
import { timeline, type KnownRun, type PathFacts, type Told } from "../lib/stores/dir/timeline.ts";
import { rawFromBytes, rawFromText } from "../lib/units/rawpath.ts";
import { parseRunId, runId } from "../lib/units/runid.ts";

/* What dated directories and manifests of runs say of one path, put in order; no rclone is needed. */

const name = rawFromText("dir/file");
const at = (second: number): string => new Date(second * 1000).toISOString();
const entry = (size: number): Entry => ({ path: name, size, time: at(size) });

/** Runs at 100, 200, 300 …; those in `uncertain` nobody saw the end of. */
function runsUntil(count: number, uncertain: readonly number[] = []): KnownRun[] {
  return Array.from({ length: count }, (_, run) => ({
    id: `run${run}`,
    time: (run + 1) * 100,
    uncertain: uncertain.includes(run),
  }));
}

const told = (run: number, kind: Told["kind"], size = -1, more: Partial<Told> = {}): Told => ({
  ...{ run, kind, size, time: size < 0 ? "" : at(size) },
  ...{ uncertain: false, planned: false },
  ...more,
});

/** `size@time` or `deleted@time`, `?` where it is uncertain; newest first. */
function show(facts: Partial<PathFacts>, runs: readonly KnownRun[]): string[] {
  const all = { path: name, current: undefined, aside: [], told: [], ...facts };
  return timeline(all, runs).map(
    ({ kind, size, storedAt, uncertain }) =>
      `${kind === "file" ? size : "deleted"}@${storedAt}${uncertain === true ? "?" : ""}`,
  );
}

const step = fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined });

test("any sequence of nights is told as it was", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (states) => {
      const aside: { run: number; entry: Entry }[] = [];
      const lines: Told[] = [];
      const expected: string[] = [];
      let held: number | undefined;
      for (const [run, state] of states.entries()) {
        if (state === held) continue;
        if (held !== undefined) aside.push({ run, entry: entry(held) });
        if (state === undefined) lines.push(told(run, "delete"));
        else lines.push(told(run, held === undefined ? "add" : "change", state));
        expected.unshift(`${state ?? "deleted"}@${(run + 1) * 100}`);
        held = state;
      }
      const current = held === undefined ? undefined : entry(held);
      const facts = { current, aside: aside.toReversed(), told: lines };
      assert.deepEqual(show(facts, runsUntil(states.length)), expected);
    }),
    { numRuns: 500 },
  );
});

test("whatever is told, every stored version is listed once, newest first, and a deletion is on top of what has no current one", () => {
  const kinds = ["add", "change", "copy", "delete", "touch", "held"] as const;
  const anything = fc.record({
    current: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
    aside: fc.uniqueArray(
      fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 1, max: 4 })),
      {
        selector: ([run]) => run,
      },
    ),
    told: fc.array(
      fc.tuple(
        fc.integer({ min: 0, max: 5 }),
        fc.constantFrom(...kinds),
        fc.integer({ min: 1, max: 4 }),
        fc.boolean(),
      ),
    ),
  });
  fc.assert(
    fc.property(anything, (found) => {
      const facts: PathFacts = {
        path: name,
        current: found.current === undefined ? undefined : entry(found.current),
        aside: found.aside.map(([run, size]) => ({ run, entry: entry(size) })),
        told: found.told.map(([run, kind, size, planned]) => told(run, kind, size, { planned })),
      };
      const versions = timeline(facts, runsUntil(6));
      const files = versions.filter(({ kind }) => kind === "file").map(({ id }) => id);
      const stored = found.aside.map(([run]) => run).toSorted((a, b) => b - a);
      const ids = stored.map((run) => `run${run}`);
      assert.deepEqual(files, [...(found.current === undefined ? [] : ["current"]), ...ids]);
      const times = versions.map(({ storedAt }) => storedAt);
      assert.deepEqual(
        times,
        times.toSorted((a, b) => b - a),
      );
      if (found.current === undefined && files.length > 0)
        assert.equal(versions[0]?.kind, "marker");
    }),
    { numRuns: 2000 },
  );
});

test("what was there before any manifest has the time 0", () => {
  const runs = runsUntil(3);
  assert.deepEqual(show({ current: entry(1), told: [told(0, "held", 1)] }, runs), ["1@0"]);
  const facts = {
    current: entry(2),
    aside: [{ run: 1, entry: entry(1) }],
    told: [told(0, "held", 1), told(1, "change", 2)],
  };
  assert.deepEqual(show(facts, runs), ["2@200", "1@0"]);
});

test("a new time alone is no new version", () => {
  const facts = { current: entry(1), told: [told(0, "add", 1), told(2, "touch", 1)] };
  assert.deepEqual(show(facts, runsUntil(3)), ["1@100"]);
});

test("a deletion that was undone is as if it had never been", () => {
  const lines = [told(0, "add", 1), told(1, "delete"), told(2, "back", 1)];
  assert.deepEqual(show({ current: entry(1), told: lines }, runsUntil(3)), ["1@100"]);
  // Nobody said that it came back: it came from elsewhere, at some time after.
  assert.deepEqual(show({ current: entry(1), told: lines.slice(0, 2) }, runsUntil(3)), ["1@200?"]);
});

test("a run that was cut off counts as far as what it planned is there", () => {
  const runs = runsUntil(2, [1]);
  const planned = { planned: true, uncertain: true };
  // It came, or it did not.
  const add = [told(1, "add", 2, planned)];
  assert.deepEqual(show({ current: entry(2), told: add }, runs), ["2@200?"]);
  // Replaced, for the old one lies aside; or not replaced, and what is there is the old one.
  const change = [told(0, "add", 1), told(1, "change", 2, planned)];
  const aside = [{ run: 1, entry: entry(1) }];
  assert.deepEqual(show({ current: entry(2), aside, told: change }, runs), ["2@200?", "1@100"]);
  assert.deepEqual(show({ current: entry(1), told: change }, runs), ["1@100"]);
  // Neither intent nor outcome: only the directory tells.
  assert.deepEqual(show({ current: entry(2), aside, told: [told(0, "add", 1)] }, runs), [
    "2@200?",
    "1@100",
  ]);
  assert.deepEqual(show({ aside, told: [told(0, "add", 1)] }, runs), ["deleted@200?", "1@100"]);
});

test("what a cut run set aside and put nothing in the place of is there, unless it was to go", () => {
  const runs = runsUntil(2, [1]).map((run, index) => ({ ...run, cut: index === 1 }));
  const aside = [{ run: 1, entry: entry(1) }];
  const planned = { planned: true, uncertain: true };
  const add = told(0, "add", 1);
  for (const line of [told(1, "change", 2, planned), told(1, "copy", 2, planned)])
    assert.deepEqual(show({ aside, told: [add, line] }, runs), ["1@100?"]);
  assert.deepEqual(show({ aside, told: [add] }, runs), ["1@100?"]);
  const gone = [add, told(1, "delete", -1, planned)];
  assert.deepEqual(show({ aside, told: gone }, runs), ["deleted@200?", "1@100"]);
  const replaced = { current: entry(2), aside, told: [add] };
  assert.deepEqual(show(replaced, runs), ["2@200?", "1@100"]);
});

test("a deletion is doubtful where no run tells of it", () => {
  const aside = [{ run: 1, entry: entry(1) }];
  const doubt = (lines: readonly Told[]): unknown => {
    const facts = { path: name, current: undefined, aside, told: [told(0, "add", 1), ...lines] };
    const [marker] = timeline(facts, runsUntil(5));
    return [marker?.kind, marker?.storedAt, marker?.doubtful];
  };
  assert.deepEqual(doubt([told(1, "delete")]), ["marker", 200, undefined]);
  // What replaced it is gone, and no run did that.
  for (const kind of ["add", "change", "copy"] as const)
    assert.deepEqual(doubt([told(1, kind, 2)]), ["marker", 200, true]);
  assert.deepEqual(doubt([told(1, "delete"), told(2, "add", 3)]), ["marker", 200, true]);
  assert.deepEqual(doubt([told(1, "change", 2), told(3, "held", 2)]), ["marker", 200, true]);
  assert.deepEqual(doubt([]), ["marker", 200, true]);
  // What replaced it was deleted by a run, and is no longer kept.
  const lines = [told(1, "change", 2), told(2, "touch", 2), told(3, "delete")];
  assert.deepEqual(doubt(lines), ["marker", 400, undefined]);
  // What was only planned may never have been.
  const planned = { planned: true, uncertain: true };
  const other = [told(1, "delete"), told(3, "add", 2, planned)];
  assert.deepEqual(doubt(other), ["marker", 200, undefined]);
});

test("a version that was removed from the middle makes no deletion", () => {
  const lines = [told(0, "add", 1), told(1, "change", 2), told(2, "change", 3)];
  const facts = { current: entry(3), aside: [{ run: 1, entry: entry(1) }], told: lines };
  assert.deepEqual(show(facts, runsUntil(3)), ["3@300", "1@100"]);
});

test("each old version has its own end, which outlives what came next", () => {
  const lines = [told(0, "add", 1), told(1, "change", 2), told(2, "change", 3), told(4, "delete")];
  const aside = [1, 2, 4].map((run, index) => ({ run, entry: entry(index + 1) }));
  const endsOf = (kept: typeof aside): (string | undefined)[] =>
    timeline({ path: name, current: undefined, aside: kept, told: lines }, runsUntil(5)).map(
      ({ kind, size, endedAt }) => `${kind === "file" ? size : "deleted"} ${endedAt ?? "-"}`,
    );
  assert.deepEqual(endsOf(aside), ["deleted -", "3 500", "2 300", "1 200"]);
  assert.deepEqual(endsOf(aside.filter(({ run }) => run !== 2)), ["deleted -", "3 500", "1 200"]);
  const facts = {
    path: name,
    current: entry(3),
    aside: aside.slice(0, 1),
    told: lines.slice(0, 3),
  };
  const [current, old] = timeline(facts, runsUntil(3));
  assert.deepEqual([current?.endedAt, old?.endedAt], [undefined, 200]);
});

test("what came from elsewhere is told by the next list of all files", () => {
  const lines = [told(0, "add", 1), told(2, "held", 2)];
  assert.deepEqual(show({ current: entry(2), told: lines }, runsUntil(3)), ["2@300?"]);
});

test("what no run tells of came after the last list of all files that lacks it", () => {
  const runs = runsUntil(5).map((run, index) => ({ ...run, full: index === 0 || index === 2 }));
  assert.deepEqual(show({ current: entry(5) }, runs), ["5@400?"]);
  assert.deepEqual(show({ aside: [{ run: 4, entry: entry(5) }] }, runs)[1], "5@400?");
  assert.deepEqual(show({ current: entry(5), told: [told(3, "touch", 5)] }, runs), ["5@400?"]);
  assert.deepEqual(show({ current: entry(5), told: [told(2, "held", 5)] }, runs), ["5@200?"]);
  assert.deepEqual(show({ current: entry(5), told: [told(0, "held", 5)] }, runs), ["5@0"]);
  // Of one whose end nobody saw, the list may lack anything.
  const unseen = runs.map((run, index) => ({ ...run, uncertain: index === 2 }));
  assert.deepEqual(show({ current: entry(5) }, unseen), ["5@200?"]);
  assert.deepEqual(show({ current: entry(5) }, runsUntil(2)), ["5@0"]);
});

test("what a run set aside of a file that is new with it was never there between two runs", () => {
  const runs = runsUntil(3);
  const facts = {
    current: entry(6),
    aside: [{ run: 1, entry: entry(5) }],
    told: [told(1, "add", 6)],
  };
  assert.deepEqual(show(facts, runs), ["6@200", "5@200?"]);
  const old = { ...facts, told: [told(1, "change", 6)] };
  assert.deepEqual(show(old, runs), ["6@200", "5@0"]);
});

test("ids of runs are read as they are written", () => {
  const date = new Date("2026-01-31T03:00:00.123Z");
  assert.equal(runId(7, date), "000007-20260131T030000Z");
  assert.deepEqual(parseRunId(runId(1_234_567, date)), {
    ...{ id: "1234567-20260131T030000Z", number: 1_234_567 },
    startedAt: Date.parse("2026-01-31T03:00:00Z"),
  });
  for (const other of ["7-20260131T030000Z", "000007-20260131", "x000007-20260131T030000Z", ""])
    assert.equal(parseRunId(other), undefined);
});

test("a run's manifest is read as it was written, and a cut one never taken for a short one", async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-runs-"));
  t.after(async () => rm(directory, { recursive: true, force: true }));
  const file = path.join(directory, "outcome.gz");
  const lines: RunLine[] = [
    { path: rawFromBytes("#end {"), kind: "add", size: 3, time: at(1) },
    { path: rawFromBytes("a\xff"), kind: "delete", size: -1, time: "" },
    { path: rawFromText("b b"), kind: "change", size: 0, time: at(2), uncertain: true },
    { path: rawFromText("c"), kind: "held", size: 7, time: at(3) },
  ];
  const header = { run: "000001-20260131T030000Z", startedAt: at(0), full: true, uncertain: false };
  assert.equal(await writeRunManifest(file, "outcome", header, onePage(lines)), 4);
  const readAll = async (kind: "intent" | "outcome"): Promise<RunLine[]> => {
    const found: RunLine[] = [];
    for await (const page of readRunManifest(file, kind, (read) => assert.deepEqual(read, header)))
      found.push(...page);
    return found;
  };
  assert.deepEqual(await readAll("outcome"), lines);
  await assert.rejects(readAll("intent"), DamagedManifest);
  assert.match(gunzipSync(await readFile(file)).toString("latin1"), /#end \{"files":4\}\n$/);
  const whole = await readFile(file);
  for (const length of [0, 10, whole.length - 1, whole.length - 9]) {
    await writeFile(file, whole);
    await truncate(file, length);
    await assert.rejects(readAll("outcome"), DamagedManifest, `${length} bytes`);
  }
});

test("a current file that a cut off run may have left half is told with the size it was to get", () => {
  const runs = runsUntil(2).map((run, index) => ({ ...run, cut: index === 1 }));
  const planned = (kind: Told["kind"]): Told => told(1, kind, 5, { planned: true });
  const meant = (facts: Partial<PathFacts>): number | undefined => {
    const all = { path: name, current: entry(3), aside: [], told: [], ...facts };
    return timeline(all, runs)[0]?.meant;
  };
  const aside = [{ run: 1, entry: entry(2) }];
  assert.equal(meant({ told: [planned("add")] }), 5);
  assert.equal(meant({ told: [planned("change")], aside }), 5);
  assert.equal(meant({ told: [planned("copy")], aside }), 5);
  // What was there is there still, or all of it has come.
  assert.equal(meant({ told: [planned("change")] }), undefined);
  assert.equal(meant({ told: [planned("copy")] }), undefined);
  assert.equal(meant({ told: [planned("add")], current: entry(5) }), undefined);
  assert.equal(meant({ told: [told(1, "add", 5)] }), undefined);
});
