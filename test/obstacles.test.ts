import assert from "node:assert/strict";
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { onePage } from "../lib/manifest/pages.ts";
import { obstacles } from "../lib/manifest/obstacles.ts";
import { rawFromText, type RawPath } from "../lib/units/rawpath.ts";
import { makeBackup } from "./helpers/backups.ts";
import { newRclone, rclones } from "./helpers/rclones.ts";
import { readTree } from "./helpers/restoring.ts";

/** Paths of which none is a directory of another. */
const trees = fc
  .array(
    fc
      .array(fc.constantFrom("a", "a-", "a0", "b"), { minLength: 1, maxLength: 4 })
      .map((names) => rawFromText(names.join("/"))),
    { maxLength: 12 },
  )
  .map((paths) => [...new Set(paths.filter((one) => !paths.some((other) => isBelow(other, one))))]);

function isBelow(one: string, other: string): boolean {
  return one.startsWith(`${other}/`);
}

function said(one: RawPath, directory: RawPath | undefined): string {
  return `${one} for ${directory ?? "a directory"}`;
}

test("what is deleted and in the way of what comes is found", async () => {
  await fc.assert(
    fc.asyncProperty(trees, trees, async (before, now) => {
      const deleted = before.filter((one) => !now.includes(one));
      const added = now.filter((one) => !before.includes(one));
      const all = [
        ...deleted.map((one) => ({ path: one, kind: "delete", size: 1 }) as const),
        ...added.map((one) => ({ path: one, kind: "add", size: 1 }) as const),
      ].toSorted((a, b) => (a.path < b.path ? -1 : 1));
      const found: string[] = [];
      for await (const page of obstacles(onePage(all)))
        found.push(...page.map((each) => said(each.path, each.directory)));
      const expected = deleted.flatMap((one) => {
        const file = added.find((other) => isBelow(one, other));
        if (file !== undefined) return [said(one, file)];
        return added.some((other) => isBelow(other, one)) ? [said(one, undefined)] : [];
      });
      assert.deepEqual(found.toSorted(), expected.toSorted());
    }),
  );
});

/** A file by one name, a directory by the other. */
function files(file: string, directory: string): Record<string, string> {
  const below = { [`${directory}/b`]: "b", [`${directory}/deeper/c`]: "c" };
  return { [file]: file, ...below, same: "same" };
}

for (const rclone of rclones)
  for (const kind of ["none", "dir"] as const)
    test(`a file becomes a directory, and a directory a file (${kind}, ${rclone.version})`, async (t) => {
      const box = await makeBackup(t, rclone, {
        default: { destination: "plain:data" },
        guards: { max_delete: "off" },
        history: { kind },
      });
      const stored = path.join(box.store, "plain", "data");
      const turn = async (file: string, directory: string): Promise<void> => {
        await box.remove("one", "two");
        await box.write(files(file, directory));
        await box.expect(0);
        assert.deepEqual(await readTree(stored), await readTree(box.source));
      };
      await turn("one", "two");
      await turn("two", "one");
      const { plan, deleted } = await box.report();
      assert.deepEqual([plan?.counted_from, plan?.deleted.files, deleted], ["manifest", 0, 0]);
      // Where nobody knows what the destination holds, a dry run tells.
      await rm(path.join(await box.stateDirectory(), "manifest.gz"));
      await turn("one", "two");
      if (kind === "none") return;
      const aside = [...(await readTree(`${stored}.history`)).keys()]
        .filter((name) => !name.endsWith(".gz"))
        .map((name) => name.replace(/-[^/]*/, ""));
      assert.deepEqual(aside, [
        ...["000002/one", "000002/two/b", "000002/two/deeper/c"],
        ...["000004/one/b", "000004/one/deeper/c", "000004/two"],
      ]);
    });

test("an empty directory that a killed run left is out of the way of the next run but one", async (t) => {
  const settings = { default: { destination: "plain:data" }, guards: { max_delete: "off" } };
  const box = await makeBackup(t, newRclone, settings, { a: "a", b: "b" });
  await mkdir(path.join(box.store, "plain", "data", "a", "empty"), { recursive: true });
  await box.expect(3, { stderr: /^ {2}a: /m });
  await box.expect(0);
});
