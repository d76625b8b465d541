import assert from "node:assert/strict";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { readCoverage } from "../lib/verify/coverage.ts";
import { eitherRclone } from "./helpers/rclones.ts";
import { bytes, makeBacked, type Backed } from "./helpers/verification.ts";

// What a verification chooses from is in the source. What is missing there is told, and never taken for verified.

const files = {
  one: bytes(1000, 1),
  two: bytes(2000, 2),
  "disk/three": bytes(3000, 3),
  "disk/four": bytes(4000, 4),
  "disk/five": bytes(5000, 5),
};

async function hashesComparedAt(backed: Backed): Promise<string | undefined> {
  const [directory = ""] = await readdir(path.join(backed.state, "backups"));
  const coverage = await readCoverage(
    path.join(backed.state, "backups", directory, "coverage.json"),
  );
  return coverage?.hash?.at;
}

for (const rclone of eitherRclone(import.meta.url)) {
  test("an unmounted source verifies nothing, and that is no success", async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await rename(backed.source, `${backed.source}.away`);
    await mkdir(backed.source);
    for (const condition of ["all", "data=1G", "files=3", "hash"]) {
      const { code, stdout, stderr } = await backed.backup(["-q", "--verify", condition, "b"]);
      assert.deepEqual([code, stdout], [3, ""], condition);
      assert.match(stderr, /source: expected the 5 files that the backup holds, found none/);
      assert.match(stderr, /hint: is its disk mounted\?/);
    }
    assert.equal(await hashesComparedAt(backed), undefined);
    const { code, doc } = await backed.verify(["all"]);
    assert.deepEqual([code, doc.outcome, doc.gone], [3, "partial", { files: 5, bytes: 15_000 }]);

    await rm(backed.source, { recursive: true });
    await rename(`${backed.source}.away`, backed.source);
    await rename(path.join(backed.source, "disk"), path.join(backed.root, "disk"));
    const most = await backed.backup(["--verify", "all", "b"]);
    assert.equal(most.code, 3, "three of five are more than half");
    assert.match(most.stdout, /^verified 2 of 2 files/);
    assert.match(most.stderr, /found 3 of them missing: nothing is known of these/);
  });

  test("a few deleted files are told, and not all checksums were compared then", async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await rm(path.join(backed.source, "one"));
    const { code, stdout, stderr } = await backed.backup(["--verify", "all", "b"]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^1 of the backup is not in the source any more/m);
    assert.equal((await backed.verify(["hash"])).code, 0);
    assert.equal(await hashesComparedAt(backed), undefined);
    assert.equal((await backed.verify(["age=9d"])).doc.gone, null);

    await backed.backUp();
    const { doc } = await backed.verify(["hash"]);
    assert.deepEqual(doc.gone, { files: 0, bytes: 0 });
    assert.notEqual(await hashesComparedAt(backed), undefined);
  });
}
