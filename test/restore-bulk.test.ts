import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Failure } from "../lib/errors.ts";
import { copyLocally } from "../lib/restore/bulkcopies.ts";

/**
 * An rclone that copies from `waits` until it is killed, and from `full` fails once `waits` has begun. From
 * anywhere else it complains when it isn't alone.
 */
const program = `#!/bin/sh
case "$*" in
  *waits*) touch "$BEGUN"; exec sleep 600 ;;
  *full*)
    until [ -e "$BEGUN" ]; do sleep 0.05; done
    echo '{"level":"error","msg":"write: no space left on device","object":"a"}' >&2
    exit 1 ;;
  *)
    [ -e "$BEGUN" ] && echo '{"level":"error","msg":"not alone","object":"a"}' >&2
    touch "$BEGUN"; sleep 0.2; rm -f "$BEGUN" ;;
esac
`;

const tuning = { copyLinks: false, checkers: undefined, bwlimit: undefined, flags: [] } as const;
const events = { warn: () => {}, detail: () => {}, progress: () => {} };

async function world(t: TestContext, transfers?: number) {
  const directory = await mkdtemp(join(tmpdir(), "restore-bulk-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, "rclone");
  await writeFile(file, program, { mode: 0o755 });
  const env = { PATH: process.env["PATH"] ?? "", BEGUN: join(directory, "begun") };
  return {
    rclone: { program: file, env, common: [] },
    features: { version: "1.60.1", fineTimes: false },
    tuning: { ...tuning, transfers },
    signal: t.signal,
    events,
  };
}

function from(...locations: readonly string[]) {
  return locations.map((location) => ({
    ...{ source: { location, env: {} }, timed: true, fresh: true },
    list: undefined,
    destination: "somewhere",
  }));
}

const total = { files: 2, bytes: 2 };

test("places are copied from at once, and a full disk stops all of them", async (t) => {
  const work = await world(t);
  await assert.rejects(copyLocally(work, from("r:waits", "r:full", "r:waits"), total), (error) => {
    assert.ok(error instanceof Failure);
    assert.match(error.message, /the disk is full/);
    return true;
  });
});

test("where the user limits rclone, one copies after the other", async (t) => {
  const work = await world(t, 1);
  const told = await copyLocally(work, from("r:one", "r:two", "r:three"), total);
  assert.deepEqual(
    told.map((reasons) => reasons.size),
    [0, 0, 0],
  );
});
