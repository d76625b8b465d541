import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import path from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startMoto } from "./helpers/moto.ts";
import { eitherRclone } from "./helpers/rclones.ts";
import { readTree, restoreJson, writeAt, type Tree } from "./helpers/restoring.ts";
import { makeBucket } from "./helpers/s3server.ts";
import { bucketName } from "./helpers/s3store.ts";
import { makeSandbox, obscuredPassword, type Sandbox } from "./helpers/sandbox.ts";

const scope = { after: (action: () => unknown) => after(async () => void (await action())) };
const moto = startMoto(scope);

for (const rclone of eitherRclone(import.meta.url)) {
  test(`S3: times, versions and what is there already (${rclone.version})`, async (t) => {
    const server = await moto;
    const bucket = bucketName();
    await makeBucket(server, bucket, "Enabled");
    const bare = await makeSandbox(t, rclone);
    const remote: Record<string, string> = {};
    for (const [key, value] of server.options)
      remote[`RCLONE_CONFIG_CLOUD_${key.toUpperCase()}`] = value;
    const env: Record<string, string> = {
      ...bare.env,
      ...remote,
      RCLONE_CONFIG_HIDDEN_TYPE: "crypt",
      RCLONE_CONFIG_HIDDEN_REMOTE: `cloud:${bucket}/x`,
      RCLONE_CONFIG_HIDDEN_PASSWORD: obscuredPassword,
    };
    const box: Sandbox = { ...bare, env };
    await box.writeConfig("b", `[default]\nsource = ${box.source}\ndestination = hidden:data\n`);
    const past: { time: number; tree: Tree }[] = [];
    for (const step of [1, 2, 3]) {
      await writeAt(box.source, "dir/changes.txt", "x".repeat(step), 1_000_000_000_123 + step);
      await writeAt(box.source, `only ${step}`, "same size", 1_000_000_000_000);
      if (step > 1) await rm(path.join(box.source, `only ${step - 1}`));
      const synced = await box.runRclone(["sync", box.source, "hidden:data"], { env });
      assert.equal(synced.code, 0, synced.stderr);
      // The server's clock can't be moved, and it may tell whole seconds only.
      await sleep(1100);
      past.push({ time: Date.now(), tree: await readTree(box.source) });
      await sleep(1100);
    }
    for (const [step, { time, tree }] of past.entries()) {
      const out = path.join(box.root, `out${step}`);
      const asOf = new Date(time).toISOString();
      await restoreJson(box, ["b", "--as-of", asOf, "--to", out]);
      assert.deepEqual(await readTree(out), tree, `step ${step}`);
      // Run again: the listing has no times, and yet what is there is known.
      const again = await restoreJson(box, ["b", "--as-of", asOf, "--to", out]);
      assert.deepEqual([again.restored.files, again.already_there.files], [0, 2]);
    }
    // One of the same size and another time is something else.
    const out = path.join(box.root, "out0");
    await writeAt(out, "only 1", "not  this", 1_000_000_005_000);
    const asOf = new Date(past[0]?.time ?? 0).toISOString();
    const other = await restoreJson(box, ["b", "--as-of", asOf, "--to", out], { code: 3 });
    assert.deepEqual(
      other.failures.map((failure) => failure.path),
      ["only 1"],
    );
    const all = path.join(box.root, "all");
    const every = await restoreJson(box, ["b", "--all-versions", "--to", all]);
    assert.deepEqual([every.restored.files, every.failure_count], [6, 0]);
    const times = [...(await readTree(all))].map(([, file]) => file.time).toSorted((a, b) => a - b);
    const expected = [0, 0, 0, 124, 125, 126].map((more) => 1_000_000_000_000 + more);
    assert.deepEqual(times, expected);
  });
}
