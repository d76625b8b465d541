import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { judge, type Finding } from "../lib/guard/findings.ts";
import { planOfDryRun, withoutDeletes, type SyncPlan } from "../lib/guard/plan.ts";
import { notCovered, PlanDigest, type AskedPlan } from "../lib/guard/refusal.ts";
import { formatChange, type Change } from "../lib/manifest/changes.ts";
import { onePage } from "../lib/manifest/pages.ts";
import { parseLimit } from "../lib/units/limit.ts";
import { rawFromText } from "../lib/units/rawpath.ts";

// The guards' judgement of a plan, and the allowance of one that was refused.

const none = { files: 0, bytes: 0 };
const plan: SyncPlan = {
  from: "manifest",
  source: { files: 100, bytes: 1000 },
  ownFiles: 100,
  held: { files: 100, bytes: 1000 },
  ownHeld: 100,
  adds: none,
  changes: none,
  deletes: none,
  complete: true,
};

function kinds(changed: Partial<SyncPlan>, maxDelete = "50%", maxChange = "off"): string[] {
  const limits = { maxDelete: parseLimit(maxDelete), maxChange: parseLimit(maxChange) };
  return judge({ ...plan, ...changed }, limits, "files", 100).findings.map(({ kind }) => kind);
}

const deletes = (files: number, bytes = files * 10): Partial<SyncPlan> => ({
  deletes: { files, bytes },
});

test("limits count files, bytes and percent, and are exact", () => {
  for (const [limit, within, beyond] of [
    ["50%", deletes(50), deletes(51)],
    ["0.5%", deletes(0), deletes(1)],
    ["0%", deletes(0), deletes(1)],
    ["7", deletes(7), deletes(8)],
    ["1K", deletes(90, 1024), deletes(1, 1025)],
    ["off", deletes(99), undefined],
    ["100%", deletes(100), undefined],
  ] as const) {
    assert.deepEqual(kinds(within, limit), [], limit);
    if (beyond !== undefined) assert.deepEqual(kinds(beyond, limit), ["max-delete"], limit);
  }
  assert.deepEqual(kinds({ changes: { files: 31, bytes: 1 } }, "50%", "30%"), ["max-change"]);
  assert.deepEqual(kinds({ changes: { files: 30, bytes: 1 } }, "50%", "30%"), []);
});

test("an empty source is found whatever the limits are; an unreadable one is not empty", () => {
  const empty = { ownFiles: 0, deletes: { files: 100, bytes: 1000 } };
  assert.deepEqual(kinds(empty, "off"), ["source-empty"]);
  assert.deepEqual(kinds(empty, "100%"), ["source-empty"]);
  assert.deepEqual(kinds({ ownFiles: 0, ownHeld: 0, held: { files: 1, bytes: 1 } }), []);
  const limits = { maxDelete: parseLimit("50%"), maxChange: parseLimit("off") };
  assert.deepEqual(judge(withoutDeletes({ ...plan, ...empty }), limits, "files", 100).findings, []);
});

test("a destination that lost its files is found", () => {
  const limits = { maxDelete: parseLimit("off"), maxChange: parseLimit("off") };
  for (const top of ["missing", "empty"] as const) {
    assert.deepEqual(
      judge(plan, limits, top, 3).findings.map(({ kind }) => kind),
      ["destination-empty"],
    );
    assert.deepEqual(judge(plan, limits, top, 0).findings, [], "nothing was there before");
  }
});

const warnings = (files: number, max: string): number =>
  judge(
    { ...plan, changes: { files, bytes: 1 } },
    { maxDelete: parseLimit("50%"), maxChange: parseLimit(max) },
    "files",
    100,
  ).warnings.length;

test("more than half overwritten is a warning, and none beside max_change's refusal", () => {
  assert.deepEqual([warnings(50, "off"), warnings(51, "off"), warnings(51, "40%")], [0, 1, 0]);
});

test("a dry run's count adds up: held is paired or deleted, the rest is new", () => {
  fc.assert(
    fc.property(fc.nat(50), fc.nat(50), fc.nat(50), fc.nat(50), (same, changed, added, gone) => {
      const counted = planOfDryRun({ files: same + changed + added, bytes: 0 }, 0, {
        checks: same + changed + gone,
        copies: { files: changed + added, bytes: 0 },
        deletes: { files: gone, bytes: 0 },
        archive: false,
      });
      assert.deepEqual(
        [counted.held.files, counted.adds.files, counted.changes.files, counted.deletes.files],
        [same + changed + gone, added, changed, gone],
      );
    }),
  );
});

const change = fc.record({
  path: fc
    .string({ minLength: 1, maxLength: 3 })
    .map((text) => rawFromText(text.replaceAll(/[^a-c]/g, "b"))),
  size: fc.nat(9),
  kind: fc.constantFrom("delete" as const, "change" as const),
});
const changeSet = fc
  .uniqueArray(change, { selector: ({ path }) => path, maxLength: 12 })
  .map((list) => list.toSorted((a, b) => (a.path < b.path ? -1 : 1)));
const findings: readonly Finding[] = [
  { kind: "max-delete", text: "d" },
  { kind: "max-change", text: "c" },
];

function idOf(changes: readonly Change[], of: readonly Finding[] = findings): string {
  const digest = new PlanDigest();
  for (const each of changes) digest.add(formatChange(each));
  return digest.id(of);
}

function asked(
  changes: readonly Change[],
  from: SyncPlan["from"] = "manifest",
  files = changes.filter(({ kind }) => kind === "change").length,
): AskedPlan {
  return { counted: { from, changes: { files, bytes: 0 } }, changes: onePage(changes) };
}

test("an allowance covers every part of the refused plan and nothing else", async () => {
  await fc.assert(
    fc.asyncProperty(changeSet, changeSet, async (refused, now) => {
      const refusal = { id: "x", at: "", findings };
      const ask = async (
        of: readonly Finding[],
        wanted: readonly Change[],
      ): Promise<string | undefined> => notCovered(refusal, of, onePage(refused), asked(wanted));
      const answer = await ask(findings, now);
      const known = new Map(refused.map(({ path, kind }) => [path, kind]));
      // A file that was to be deleted may be overwritten instead.
      const covered = now.every(({ path, kind }) =>
        kind === "delete" ? known.get(path) === kind : known.has(path),
      );
      assert.equal(answer === undefined, covered, answer);
      // A part of it is always covered.
      const part = refused.filter((_, at) => at % 2 === 0);
      assert.equal(await ask(findings, part), undefined);
      // Whatever the finding was.
      for (const finding of findings) assert.equal(await ask([finding], now), answer);
    }),
  );
});

test("an allowance covers no other kind of finding, and of mounts only the same", async () => {
  const refusal = { id: "x", at: "", findings: [{ kind: "mount", text: "disk is gone" } as const] };
  const ask = async (kind: Finding["kind"], text: string): Promise<string | undefined> =>
    notCovered(refusal, [{ kind, text }], onePage([]), asked([]));
  assert.equal(await ask("mount", "disk is gone"), undefined);
  assert.match((await ask("mount", "another is gone")) ?? "", /did not hold this: another is gone/);
  assert.match((await ask("max-delete", "too many")) ?? "", /did not hold this: too many/);
});

function item(path: string, kind: Change["kind"]): Change {
  return { path: rawFromText(path), size: 1, kind };
}

test("an allowance for a lost mount covers no other loss", async () => {
  const mount: readonly Finding[] = [{ kind: "mount", text: "disk is gone" }];
  const refused = [item("a", "delete"), item("b", "change")];
  const ask = async (...more: Change[]): Promise<string | undefined> =>
    notCovered(
      { id: "x", at: "", findings: mount },
      mount,
      onePage(refused),
      asked([...refused, ...more]),
    );
  assert.equal(await ask(item("c", "add")), undefined);
  assert.match((await ask(item("c", "delete"))) ?? "", /did not delete c$/);
  assert.match((await ask(item("c", "change"))) ?? "", /did not overwrite c$/);
});

test("of a plan that a dry run counted, the number tells new files from overwritten ones", async () => {
  const deleted: readonly Finding[] = [{ kind: "max-delete", text: "d" }];
  const copies = ["a", "b", "c"].map((path) => item(path, "change"));
  const ask = async (overwritten: number, of = deleted): Promise<string | undefined> =>
    notCovered(
      { id: "x", at: "", findings: of },
      of,
      onePage(copies.slice(0, 1)),
      asked(copies, "dry run", overwritten),
    );
  assert.equal(await ask(1), undefined, "two of the three are new");
  assert.match((await ask(2)) ?? "", /did not overwrite 1 file of this one/);
  assert.match((await ask(0, [{ kind: "max-change", text: "c" }])) ?? "", /did not overwrite b/);
});

test("the same plan has the same id, another one another", () => {
  fc.assert(
    fc.property(changeSet, changeSet, (a, b) => {
      const same = a.map(formatChange).join() === b.map(formatChange).join();
      assert.equal(idOf(a) === idOf(b), same);
      assert.match(idOf(a), /^[0-9a-f]{12}$/);
      assert.notEqual(idOf(a), idOf(a, findings.slice(1)));
    }),
  );
});
