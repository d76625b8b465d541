import assert from "node:assert/strict";
import { readFileSync, truncateSync } from "node:fs";
import { appendFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { eitherRclone, rclones } from "./helpers/rclones.ts";
import { serveWebdav } from "./helpers/webdav.ts";
import { bytes, makeBacked, paths, writeOld } from "./helpers/verification.ts";
import type { Backed, BackedOptions } from "./helpers/verification.ts";

const size = 100_000;
const files = { flipped: bytes(size, 1), good: bytes(size, 2), cut: bytes(size, 3) };

/** Writes the first argument of every call of rclone into a file. */
async function logged(backed: Backed): Promise<() => string[]> {
  const calls = path.join(backed.root, "calls");
  await backed.double(`echo "$*" >>"${calls}"\nexec "$REAL" "$@"\n`);
  return () => {
    const lines = readFileSync(calls, "utf8").trimEnd().split("\n");
    truncateSync(calls);
    return lines;
  };
}

/** A backup to a WebDAV server, which keeps no checksums. */
async function onWebdav(t: TestContext, options: BackedOptions): Promise<Backed> {
  const backed = await makeBacked(t, { ...options, backUp: false });
  await serveWebdav(backed);
  await backed.backUp();
  return backed;
}

for (const rclone of rclones) {
  test(`hash finds damage through cryptcheck, nothing is downloaded (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    const calls = await logged(backed);
    const before = await backed.verify(["hash"]);
    assert.equal(before.code, 0, before.stderr);
    assert.deepEqual(before.doc.verified, { files: 3, bytes: 3 * size });
    calls();

    await backed.rot("flipped");
    await writeOld(backed.stored("cut"), bytes(8 + 24 + 65_552, 4));
    const { code, doc } = await backed.verify(["hash"]);
    assert.equal(code, 4);
    assert.deepEqual(paths(doc.differences), ["cut", "flipped"]);
    assert.equal(doc.verified.files, 1);
    const made = calls();
    assert.equal(made.filter((line) => line.startsWith("cryptcheck ")).length, 2);
    assert.ok(
      made.every((line) => !line.includes("--download")),
      made.join("\n"),
    );
  });

  test(`hash without crypt compares plain checksums, also through an alias (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files, destination: "plain:data" });
    const calls = await logged(backed);
    assert.equal((await backed.verify(["hash"])).code, 0);
    await writeOld(path.join(backed.store, "plain/data/flipped"), bytes(size, 9));
    const { code, doc } = await backed.verify(["hash"]);
    assert.equal(code, 4);
    assert.deepEqual(paths(doc.differences), ["flipped"]);
    const checks = calls().filter((line) => /^\S*check /.test(line));
    assert.ok(checks.length === 3 && checks.every((line) => line.startsWith("check ")));
    assert.ok(checks.every((line) => !line.includes("--download")));
  });

  for (const destination of ["davcrypt:", "dav:p"]) {
    test(`hash on ${destination}, a store without checksums, is refused and says why (${rclone.version} rclone)`, async (t) => {
      const backed = await onWebdav(t, { rclone, files, destination });
      const { code, stdout, stderr } = await backed.backup(["--verify", "hash", "b"]);
      assert.equal(code, 2, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, /expected checksums that source and destination both keep, found none/);
      assert.match(stderr, /hint: leave out hash/);
      assert.equal((await backed.verify(["all"])).doc.verified.files, 3);
    });
  }

  test(`a file of which the store has no checksum is not called verified (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    // As rclone logs it for a large object that was uploaded in parts; its answer is = all the same.
    const record = `{"level":"debug","msg":"OK - could not check hash","object":"flipped"}`;
    await backed.rot("flipped");
    await backed.double(`case $1 in cryptcheck) ;; *) exec "$REAL" "$@";; esac
echo '${record}' >&2
for arg; do
  case $last in --combined) answers=$arg;; esac
  last=$arg
done
"$REAL" "$@" 2>/dev/null
sed -i 's/^[*] flipped$/= flipped/' "$answers"
`);
    const { code, doc, stderr } = await backed.verify(["hash"]);
    assert.equal(code, 3);
    assert.deepEqual(
      doc.errors.map(({ path: name, problem }) => [name, problem]),
      [["flipped", "unhashed"]],
    );
    assert.equal(doc.verified.files, 2);
    assert.match(stderr, /flipped: could not be compared, the destination has no checksum of it/);
  });

  // What follows is decided here, whatever the version of rclone is.
  if (!eitherRclone(import.meta.url).includes(rclone)) continue;

  test(`hash goes with the other conditions (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    const { code, doc } = await backed.verify(["hash", "files=2"]);
    assert.deepEqual([code, doc.verified.files], [0, 2]);
  });

  test(`hash sees crypt behind an alias (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files, destination: "nick:", backUp: false });
    await appendFile(backed.rcloneConf, "\n[nick]\ntype = alias\nremote = secret:data\n");
    await backed.backUp();
    const calls = await logged(backed);
    const { code, doc, stderr } = await backed.verify(["hash"]);
    assert.equal(code, 0, stderr);
    assert.equal(doc.verified.files, 3);
    assert.equal(calls().filter((line) => line.startsWith("cryptcheck ")).length, 1);
  });
}

test("rclone is asked for what it could not check", async (t) => {
  // The words that the test above imitates are those of both real versions.
  for (const rclone of rclones) {
    const backed = await onWebdav(t, { rclone, files: { a: "a" }, destination: "dav:p" });
    await writeFile(path.join(backed.root, "list"), "a\n");
    const { stderr } = await backed.runRclone([
      ...["check", "-vv", "--use-json-log", "--one-way"],
      ...[backed.source, "dav:p"],
    ]);
    assert.match(stderr, /"msg":"OK - could not check hash","object":"a"/);
  }
});
