import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { cryptNames } from "../lib/crypt/cryptnames.ts";
import { cryptKeys } from "../lib/crypt/keys.ts";
import { plainNames, stackNames } from "../lib/crypt/plainnames.ts";
import { encryptedSize } from "../lib/crypt/sizes.ts";
import { rawFromSystem } from "../lib/units/encoding.ts";
import { rawFromText } from "../lib/units/rawpath.ts";
import { listRawFiles, writeRawFiles } from "./helpers/rawfiles.ts";
import { eitherRclone } from "./helpers/rclones.ts";
import { makeSandbox, obscuredPassword } from "./helpers/sandbox.ts";

/* Encryption over encryption, and none at all. */

for (const rclone of eitherRclone(import.meta.url)) {
  test(`names under two crypt remotes, one over the other (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    const password = obscuredPassword;
    const outer = { type: "crypt", password, filename_encoding: "base64" };
    const inner = { type: "crypt", password, password2: password };
    const store = path.join(sandbox.root, "crypt");
    const env = Object.fromEntries(
      [
        ...Object.entries({ ...outer, remote: "INNER:" }).map(([key, value]) => [
          "OUTER",
          key,
          value,
        ]),
        ...Object.entries({ ...inner, remote: store }).map(([key, value]) => ["INNER", key, value]),
      ].map(([name = "", key = "", value = ""]) => [
        `RCLONE_CONFIG_${name}_${key.toUpperCase()}`,
        value,
      ]),
    );
    const files = ["a", "dir/b.txt", "dir/deeper/new\nline", "foo-v2024-01-02-030405-678.txt"];
    await writeRawFiles(sandbox.source, files, "content");
    const copy = await sandbox.runRclone(["copy", sandbox.source, "OUTER:"], { env });
    assert.equal(copy.code, 0, copy.stderr);

    const names = stackNames(
      [outer, inner].map((options) => cryptNames(new Map(Object.entries(options)))),
    );
    const stored = (await listRawFiles(store)).map(rawFromSystem).toSorted();
    const plain = files.map(rawFromSystem);
    assert.deepEqual(plain.map((name) => names.encode(name, "file")).toSorted(), stored);
    const mixed = [rawFromText("foreign"), ...stored, rawFromText("")];
    const decoded = names.decode(mixed);
    assert.deepEqual([decoded[0], decoded.at(-1)], [undefined, undefined]);
    assert.deepEqual(decoded.slice(1, -1).map(String).toSorted(), plain.toSorted());
    assert.equal(names.plainSize(encryptedSize(encryptedSize(7))), 7);
    assert.equal(names.plainSize(encryptedSize(7)), undefined);
    assert.equal(names.plainSize(5), undefined);
    const directory = names.encode(rawFromText("dir"), "directory");
    assert.equal(stored.filter((name) => name.startsWith(`${directory}/`)).length, 2);
  });
}

test("without encryption names and sizes are what they are, but none leads out of its directory", () => {
  const names = stackNames([]);
  assert.equal(names, plainNames);
  const good = ["a", "a/b.c", "...", "a b/..c", "-v2024-01-02-030405-678"].map(rawFromText);
  assert.deepEqual(names.decode(good), good);
  const bad = ["", ".", "..", "/a", "a/", "a//b", "a/../b", "./a", "a/.", "a\nb", "\0"].map(
    rawFromText,
  );
  assert.deepEqual(
    names.decode(bad),
    bad.map(() => undefined),
  );
  for (const name of bad)
    assert.throws(() => names.encode(name, "file"), /expected a relative path/);
  assert.equal(names.encode(rawFromText(""), "directory"), "");
  assert.equal(names.encode(rawFromText("a/b"), "directory"), "a/b");
  assert.equal(names.plainSize(12), 12);
});

test("where a crypt remote encrypts names only, sizes are what they are", () => {
  for (const no of ["true", "True", "1"]) {
    const options = new Map(Object.entries({ filename_encryption: "off", no_data_encryption: no }));
    const names = cryptNames(options, cryptKeys(new Map()));
    for (const size of [0, 7, 48, 65_600]) assert.equal(names.plainSize(size), size);
  }
});
