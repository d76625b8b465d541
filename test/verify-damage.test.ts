import assert from "node:assert/strict";
import { readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { eitherRclone, rclones } from "./helpers/rclones.ts";
import { bytes, makeBacked, paths, writeOld } from "./helpers/verification.ts";
import type { Backed } from "./helpers/verification.ts";

const size = 150_000;
const names = [
  "cut",
  "deleted",
  "emptied",
  "flipped",
  "good",
  "header",
  "stray",
  "sub/good too",
  "swapped 1",
  "swapped 2",
];

/** 8 bytes of magic, 24 of nonce, then blocks of 64 KiB and 16 bytes. */
const firstBlockEnd = 8 + 24 + 64 * 1024 + 16;

async function damage(backed: Backed): Promise<void> {
  await backed.rot("flipped");
  const header = backed.stored("header");
  const content = await readFile(header);
  content.write("NOTRCLON");
  await writeFile(header, content);
  await truncate(backed.stored("cut"), firstBlockEnd);
  await truncate(backed.stored("emptied"), 0);
  await rm(backed.stored("deleted"));
  const stray = backed.stored("stray");
  await rename(stray, path.join(path.dirname(stray), "not a name of ours"));
  const [one, two] = [backed.stored("swapped 1"), backed.stored("swapped 2")];
  await rename(one, `${one}.tmp`);
  await rename(two, one);
  await rename(`${one}.tmp`, two);
}

const kinds = {
  cut: "differs",
  deleted: "missing",
  emptied: "differs",
  flipped: "damaged",
  header: "damaged",
  stray: "missing",
  "swapped 1": "differs",
  "swapped 2": "differs",
};

for (const rclone of rclones) {
  const files = Object.fromEntries(names.map((name, at) => [name, bytes(size, at)]));

  test(`every kind of damage is found and named, and nothing else (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    const before = await backed.verify(["all"]);
    assert.equal(before.code, 0, before.stderr);
    assert.deepEqual(before.doc.verified, { files: names.length, bytes: names.length * size });

    await damage(backed);
    const { code, doc, stderr } = await backed.verify(["all"]);
    assert.equal(code, 4);
    assert.deepEqual(
      Object.fromEntries(doc.differences.map((one) => [one.path, one.problem])),
      kinds,
    );
    assert.deepEqual([doc.errors, doc.changed], [[], []]);
    assert.deepEqual(doc.verified, { files: 2, bytes: 2 * size });
    for (const name of Object.keys(kinds)) assert.match(stderr, new RegExp(`^  ${name}: `, "m"));
    assert.doesNotMatch(stderr, /good/);
  });

  test(`a lost destination is a difference of every file (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await rm(backed.store, { recursive: true });
    const { code, doc } = await backed.verify(["all"]);
    assert.equal(code, 4);
    assert.deepEqual(paths(doc.differences), names);
    assert.ok(doc.differences.every(({ problem }) => problem === "missing"));
  });

  // What follows is decided here, whatever the version of rclone is.
  if (!eitherRclone(import.meta.url).includes(rclone)) continue;

  test(`damage is found without a manifest too (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await damage(backed);
    await rm(backed.state, { recursive: true });
    const { code, doc } = await backed.verify(["all"]);
    assert.equal(code, 4);
    assert.deepEqual(paths(doc.differences), Object.keys(kinds));
  });

  test(`a damaged manifest does not keep damage from being found (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await damage(backed);
    const state = path.join(backed.state, "backups");
    const found = await backed.runRclone([
      "lsf",
      "-R",
      "--files-only",
      "--include",
      "manifest.gz",
      state,
    ]);
    const manifest = path.join(state, found.stdout.trim());
    await truncate(manifest, (await readFile(manifest)).length - 20);
    const { code, doc } = await backed.verify(["all"]);
    assert.equal(code, 4);
    assert.deepEqual(paths(doc.differences), Object.keys(kinds));
  });

  test(`without crypt content is compared too (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files, destination: "plain:data" });
    await writeOld(path.join(backed.store, "plain/data/flipped"), bytes(size, 99));
    const { code, doc } = await backed.verify(["all"]);
    assert.equal(code, 4);
    assert.deepEqual(paths(doc.differences), ["flipped"]);
  });
}
