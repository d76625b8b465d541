import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import * as fc from "fast-check";
import { countChanges } from "../lib/guard/plan.ts";
import { changes } from "../lib/manifest/changes.ts";
import { formatEntry, parseEntry, unchanged, type Entry } from "../lib/manifest/entry.ts";
import {
  DamagedManifest,
  readManifest,
  readManifestHeader,
  writeManifest,
} from "../lib/manifest/manifest.ts";
import { cameAndWent, markCame, outcome, type FileEvent } from "../lib/manifest/outcome.ts";
import { merge, noPages, onePage, type Pages } from "../lib/manifest/pages.ts";
import { rawFromBytes, rawFromText } from "../lib/units/rawpath.ts";

// The manifest: what the destination holds, told from what rclone did, and kept on disk.

const header = {
  binding: "b",
  source: "/s",
  destination: "secret:",
  run: "000001-20260101T000000Z",
  listedAt: "2026-01-01T00:00:00.000Z",
};

const time = fc.constantFrom(
  "2024-01-01T00:00:00Z",
  "2024-01-01T00:00:00.5Z",
  "2024-01-01T00:00:01.123456789Z",
  "2025-06-01T12:00:00Z",
);
/** Bytes as they may stand in a path: anything but control characters. */
const bytes = fc
  .uint8Array({ minLength: 1, maxLength: 12 })
  .map((array) =>
    rawFromBytes(
      Buffer.from(
        array.map((byte) => (byte < 0x20 || byte === 0x7f ? byte + 0x30 : byte)),
      ).toString("latin1"),
    ),
  );
const name = fc.oneof(bytes, fc.constantFrom("#end {", "#", "a", "a/b", "ä").map(rawFromText));
const entry = fc.record(
  { path: name, size: fc.integer({ min: -1, max: 2 ** 40 }), time },
  { noNullPrototype: true },
);

/** Entries with different paths, sorted, in pages of any length. */
const entries = fc.uniqueArray(entry, { selector: ({ path: of }) => of, maxLength: 30 });

function sorted<T extends { readonly path: string }>(items: readonly T[]): T[] {
  return items.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

async function* paged<T>(items: readonly T[], size: number): Pages<T> {
  for (let at = 0; at < items.length; at += size) {
    yield items.slice(at, at + size);
    yield [];
  }
}

async function all<T>(pages: Pages<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const page of pages) items.push(...page);
  return items;
}

async function scratch(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-manifest-"));
  t.after(async () => rm(directory, { recursive: true, force: true }));
  return directory;
}

test("merge pairs what has the same path and keeps the order", async () => {
  await fc.assert(
    fc.asyncProperty(entries, entries, fc.integer({ min: 1, max: 5 }), async (a, b, size) => {
      const left = new Map(a.map((item) => [item.path, item]));
      const right = new Map(b.map((item) => [item.path, item]));
      const paths = [...new Set([...left.keys(), ...right.keys()])].toSorted();
      assert.deepEqual(
        await all(merge(paged(sorted(a), size), paged(sorted(b), 3))),
        paths.map((of) => [left.get(of), right.get(of)]),
      );
    }),
  );
});

test("merge refuses what is out of order instead of losing entries", async () => {
  const wrong = [{ path: "b" }, { path: "a" }];
  await assert.rejects(all(merge(onePage(wrong), noPages())), /out of order/);
  await assert.rejects(all(merge(noPages(), paged(wrong, 1))), /out of order/);
});

test("changes and their count are those of a naive comparison", async () => {
  await fc.assert(
    fc.asyncProperty(entries, entries, async (a, b) => {
      const held = new Map(a.map((item) => [item.path, item]));
      const now = new Map(b.map((item) => [item.path, item]));
      const adds = b.filter((item) => !held.has(item.path));
      const deletes = a.filter((item) => !now.has(item.path));
      const edits = b.filter((item) => {
        const old = held.get(item.path);
        return old !== undefined && !unchanged(old, item);
      });
      const expected = sorted([
        ...adds.map(({ path: of, size }) => ({ kind: "add", path: of, size })),
        ...deletes.map(({ path: of, size }) => ({ kind: "delete", path: of, size })),
        ...edits.map(({ path: of, size }) => ({ kind: "change", path: of, size })),
      ]);
      const both = [onePage(sorted(a)), onePage(sorted(b))] as const;
      assert.deepEqual(await all(changes(...both)), expected);
      const plan = await countChanges(onePage(sorted(a)), onePage(sorted(b)));
      for (const [count, items] of [
        [plan.adds, adds],
        [plan.deletes, deletes],
        [plan.changes, edits],
        [plan.held, a],
        [plan.source, b],
      ] as const) {
        assert.equal(count.files, items.length);
        assert.equal(
          count.bytes,
          items.reduce((sum, { size }) => sum + Math.max(size, 0), 0),
        );
      }
    }),
  );
});

const seconds = ({ path: of, size, time: at }: Entry): unknown => [of, size, at.slice(0, 19)];

test("after any sync, the outcome is what the destination holds", async () => {
  const fate = fc.constantFrom("done", "failed", "not reached");
  await fc.assert(
    fc.asyncProperty(
      entries,
      entries,
      fc.infiniteStream(fate),
      fc.boolean(),
      async (before, now, fates, clean) => {
        const destination = new Map(before.map((item) => [item.path, item]));
        const listed = new Map(now.map((item) => [item.path, item]));
        const events: FileEvent[] = [];
        for (const of of new Set([...destination.keys(), ...listed.keys()])) {
          const target = listed.get(of);
          const old = destination.get(of);
          if (target !== undefined && old !== undefined && unchanged(old, target)) continue;
          const [how = "done"] = clean ? ["done"] : [...fates.take(1)];
          if (how === "failed") events.push({ path: of, kind: "failed" });
          if (how !== "done") continue;
          if (target === undefined) {
            events.push({ path: of, kind: "deleted" });
            destination.delete(of);
          } else {
            // Old versions do not tell how much they copied.
            events.push({
              path: of,
              kind: "copied",
              ...(target.size % 2 === 0 ? { size: target.size } : {}),
            });
            destination.set(of, target);
          }
        }
        const told = await all(
          outcome(onePage(sorted(before)), onePage(sorted(now)), onePage(sorted(events)), clean),
        );
        assert.deepEqual(told.map(seconds), sorted([...destination.values()]).map(seconds));
        assert.ok(told.every(({ uncertain }) => uncertain !== true));
      },
    ),
  );
});

test("what changed under way is in doubt, and so counts as changed the next night", async () => {
  const listed = { path: rawFromText("a"), size: 5, time: "2024-01-01T00:00:00Z" };
  const copied = { path: listed.path, kind: "copied", size: 7 } as const;
  const [grown] = await all(outcome(noPages(), onePage([listed]), onePage([copied]), true));
  assert.deepEqual(grown, { ...listed, size: 7, uncertain: true });
  const [late] = await all(outcome(noPages(), noPages(), onePage([copied]), true));
  assert.deepEqual([late?.size, late?.uncertain], [7, true]);
  assert.ok(late !== undefined && !unchanged(late, { ...listed, size: 7 }));
});

test("of a file that an attempt stored anew and a later one could not store again, what came first is kept", async () => {
  const now = { path: rawFromText("log"), size: 5, time: "2024-01-01T00:00:00Z" };
  const failed = { path: now.path, kind: "failed", aside: true } as const;
  const old = { path: rawFromText("old"), size: 1, time: now.time };
  const changed = { path: old.path, kind: "copied", aside: true } as const;
  const came = await all(cameAndWent(onePage([old]), onePage<FileEvent>([failed, changed])));
  assert.deepEqual(came, [now.path]);
  const events = markCame(onePage<FileEvent>([failed]), new Set(came));
  assert.deepEqual(await all(outcome(noPages(), onePage([now]), events, false)), [
    { ...now, uncertain: true },
  ]);
  const unmarked = onePage<FileEvent>([failed]);
  assert.deepEqual(await all(outcome(noPages(), onePage([now]), unmarked, false)), []);
});

test("a clean sync leaves no entry of a file that vanished unseen", async () => {
  const gone = { path: rawFromText("gone"), size: 1, time: "2024-01-01T00:00:00Z" };
  assert.deepEqual(await all(outcome(onePage([gone]), noPages(), noPages(), true)), []);
  assert.deepEqual(await all(outcome(onePage([gone]), noPages(), noPages(), false)), [gone]);
});

test("an entry's line gives the entry back", () => {
  fc.assert(
    fc.property(entry, fc.boolean(), (item, uncertain) => {
      const whole = uncertain ? { ...item, uncertain } : item;
      assert.deepEqual(parseEntry(formatEntry(whole)), whole);
    }),
  );
  for (const line of ["", "a", "a\t1", "\t1\t2024-01-01T00:00:00Z", "a\tx\t2024-01-01T00:00:00Z"])
    assert.equal(parseEntry(line), undefined, line);
  const old = parseEntry("a\t1\t2024-01-01 10:00:00");
  assert.equal(old?.time, "2024-01-01T10:00:00Z", "as rclone before 1.66 lists it");
});

const modified = (when: string): Entry => ({ path: rawFromText("a"), size: 1, time: when });

const same = (a: string, b: string): boolean => unchanged(modified(a), modified(b));

test("times are equal as far as both are known", () => {
  assert.ok(same("2024-01-01T00:00:00.5Z", "2024-01-01T00:00:00Z"));
  assert.ok(same("2024-01-01T00:00:00Z", "2024-01-01T00:00:00.999999999Z"));
  assert.ok(!same("2024-01-01T00:00:00.5Z", "2024-01-01T00:00:00.6Z"));
  assert.ok(!same("2024-01-01T00:00:01Z", "2024-01-01T00:00:00.9Z"));
});

test("what was written is read back, header and all", async (t) => {
  const file = path.join(await scratch(t), "manifest.gz");
  await fc.assert(
    fc.asyncProperty(entries, fc.integer({ min: 1, max: 7 }), async (items, size) => {
      const count = await writeManifest(file, header, paged(sorted(items), size));
      assert.equal(count.files, items.length);
      assert.deepEqual(await all(readManifest(file)), sorted(items));
      assert.deepEqual(await readManifestHeader(file), header);
    }),
    { numRuns: 30 },
  );
});

test("a manifest that is cut or damaged anywhere is never taken for a whole one", async (t) => {
  const file = path.join(await scratch(t), "manifest.gz");
  const items = Array.from({ length: 200 }, (_, at) => ({
    path: rawFromText(`file${String(at).padStart(4, "0")}`),
    size: at,
    time: "2024-01-01T00:00:00Z",
  }));
  await writeManifest(file, header, onePage(items));
  const good = await readFile(file);
  const position = fc.integer({ min: 0, max: good.length - 1 });
  await fc.assert(
    fc.asyncProperty(position, fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      await writeFile(file, good.subarray(0, at));
      await assert.rejects(all(readManifest(file)), DamagedManifest);
      const bad = Buffer.from(good);
      bad[at] = (bad[at] ?? 0) ^ flip;
      await writeFile(file, bad);
      // A few bytes of gzip's own header mean nothing.
      await all(readManifest(file)).then(
        (read) => assert.deepEqual(read, items),
        (error: unknown) => assert.ok(error instanceof DamagedManifest, String(error)),
      );
    }),
    { numRuns: 150 },
  );
});

async function* breaking(): Pages<Entry> {
  yield [{ path: rawFromText("b"), size: 1, time: "x" }];
  throw new Error("the disk is gone");
}

test("a writer that fails half way leaves the old manifest and nothing else", async (t) => {
  const directory = await scratch(t);
  const file = path.join(directory, "manifest.gz");
  await writeManifest(file, header, onePage([{ path: rawFromText("a"), size: 1, time: "x" }]));
  await assert.rejects(writeManifest(file, header, breaking()), /the disk is gone/);
  assert.deepEqual(
    (await all(readManifest(file))).map(({ path: of }) => of),
    ["a"],
  );
  assert.deepEqual(await readdir(directory), ["manifest.gz"]);
});

test("the format is the documented one", async (t) => {
  const file = path.join(await scratch(t), "manifest.gz");
  const item = { path: rawFromText("dir/ü"), size: 3, time: "2024-01-01T00:00:00Z" };
  await writeManifest(
    file,
    header,
    onePage([item, { ...item, path: rawFromText("e"), uncertain: true }]),
  );
  assert.equal(
    gunzipSync(await readFile(file)).toString(),
    `#rclone-backups manifest 1\n#${JSON.stringify(header)}\ndir/ü\t3\t2024-01-01T00:00:00Z\ne\t3\t2024-01-01T00:00:00Z\t?\n#end {"files":2,"bytes":6}\n`,
  );
  assert.equal(await readManifestHeader(path.join(path.dirname(file), "none.gz")), undefined);
});
