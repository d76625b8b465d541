import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import * as v from "valibot";
import { readState } from "./helpers/fault.ts";
import { eitherRclone } from "./helpers/rclones.ts";
import { bytes, makeBacked, paths } from "./helpers/verification.ts";
import type { Backed } from "./helpers/verification.ts";

const size = 100_000;
const files = { one: bytes(size, 1), two: bytes(size, 2), "sub/t h r e e": bytes(size, 3) };
const result = v.object({
  result: v.string(),
  mended: v.number(),
  warnings: v.array(v.string()),
  transferred: v.object({ files: v.number() }),
});

async function backUp(backed: Backed): Promise<v.InferOutput<typeof result>> {
  const { stdout } = await backed.backUp(0, ["--json"]);
  return v.parse(result, JSON.parse(stdout));
}

function listed(backed: Backed): boolean {
  const [directory = ""] = readdirSync(path.join(backed.state, "backups"));
  return existsSync(path.join(backed.state, "backups", directory, "mend.list"));
}

/** Logs each call of rclone, and does `extra` before it. */
async function logged(backed: Backed, extra = ""): Promise<string> {
  const calls = path.join(backed.root, "calls");
  await writeFile(calls, "");
  await backed.double(`echo "$*" >>"${calls}"\n${extra}exec "$REAL" "$@"\n`);
  return calls;
}

for (const rclone of eitherRclone(import.meta.url)) {
  test(`what a verification found different is uploaded again and verified (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await backed.rot("one");
    await backed.rot("sub/t h r e e");
    assert.deepEqual((await backUp(backed)).mended, 0, "a sync alone does not see it");
    const found = await backed.verify(["all"]);
    assert.equal(found.code, 4);
    assert.match(found.stderr, /hint: the next backup uploads these files again/);
    assert.ok(listed(backed));

    const mended = await backUp(backed);
    assert.deepEqual([mended.result, mended.mended, mended.warnings], ["success", 2, []]);
    assert.ok(!listed(backed));
    assert.equal((await backed.verify(["all"])).code, 0);
    assert.equal((await backUp(backed)).mended, 0, "once is enough");
  });

  test(`a file that was lost at the destination comes back (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await rm(backed.stored("one"));
    assert.deepEqual(paths((await backed.verify(["all"])).doc.differences), ["one"]);
    await backUp(backed);
    assert.equal((await backed.verify(["all"])).code, 0);
  });

  test(`with mend = no the damage is told in every run and kept (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files, more: "[verify]\nmend = no\n" });
    await backed.rot("one");
    await backed.rot("two");
    await backed.verify(["all"]);
    // One of them is edited, so that the sync brings it anew.
    await writeFile(path.join(backed.source, "two"), "edited");
    for (let run = 0; run < 2; run += 1) {
      const { result: outcome, mended, warnings } = await backUp(backed);
      assert.deepEqual([outcome, mended], ["warning", 0]);
      assert.deepEqual(warnings, [
        "1 file damaged at the destination, and [verify] mend is off: one",
      ]);
      assert.ok(listed(backed));
    }
    assert.deepEqual(paths((await backed.verify(["all"])).doc.differences), ["one"]);
    const { stdout } = await backed.backUp(0, ["--json", "--set", "verify.mend=yes"]);
    assert.equal(v.parse(result, JSON.parse(stdout)).mended, 1);
    assert.equal((await backed.verify(["all"])).code, 0);
  });

  test(`a file that changed since is uploaded by the sync alone (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await backed.rot("one");
    await backed.verify(["all"]);
    await writeFile(path.join(backed.source, "one"), "edited");
    const calls = await logged(backed);
    const { mended, transferred } = await backUp(backed);
    assert.deepEqual([mended, transferred.files], [0, 1]);
    const { stdout } = await backed.runRclone(["cat", calls]);
    assert.doesNotMatch(stdout, /^copy /m);
    assert.ok(!listed(backed));
    assert.equal((await backed.verify(["all"])).code, 0);
  });

  test(`a file that is gone from the source is not mended (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await backed.rot("one");
    await backed.verify(["all"]);
    await rm(path.join(backed.source, "one"));
    assert.equal((await backUp(backed)).mended, 0);
    assert.ok(!listed(backed));
  });

  test(`a later verification that proves a file takes it off the list (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await backed.rot("one");
    await backed.verify(["all"]);
    await backed.rot("one"); // the same bit: it is whole again
    assert.equal((await backed.verify(["all"])).code, 0);
    assert.ok(!listed(backed));
  });

  test(`killed while it mends, the next run mends (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await backed.rot("one");
    await backed.verify(["all"]);
    for (const step of ["copy", "check"]) {
      // rclone's parent is the run itself, or setpriv that became rclone.
      await logged(backed, `[ "$1" != ${step} ] || { kill -9 $PPID; exit 9; }\n`);
      const { signal } = await backed.backup(["b"]);
      assert.equal(signal, "SIGKILL", step);
      assert.ok(listed(backed), step);
    }
    await logged(backed);
    assert.equal((await backUp(backed)).mended, 1);
    assert.ok(!listed(backed));
    assert.equal((await backed.verify(["all"])).code, 0);
  });

  test(`a run that is stopped while it mends is no good run (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await backed.rot("one");
    await backed.verify(["all"]);
    await logged(backed, `[ "$1" != copy ] || { kill -TERM $PPID; exec sleep 60; }\n`);
    assert.equal((await backed.backup(["b"])).code, 130);
    const stopped = await readState(backed);
    assert.deepEqual([stopped?.trusted, stopped?.last, stopped?.held], [false, "failure", 3]);
    assert.ok(listed(backed));
    await logged(backed);
    assert.equal((await backUp(backed)).mended, 1);
    assert.equal((await readState(backed))?.trusted, true);
  });

  test(`what can't be mended is told and tried again (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await backed.rot("one");
    await backed.verify(["all"]);
    await logged(backed, '[ "$1" != copy ] || exit 1\n');
    const failed = await backUp(backed);
    assert.deepEqual([failed.result, failed.mended], ["warning", 0]);
    assert.match(failed.warnings.join(), /1 file damaged and not mended.*: one/);
    assert.ok(listed(backed));
    await logged(backed);
    assert.equal((await backUp(backed)).mended, 1);
  });
}
