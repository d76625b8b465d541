// The native store beside the real rclone, of both versions: they see the same names and times.
import { test, type TestContext } from "node:test";
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { textFromRaw } from "../lib/units/rawpath.ts";
import { startB2, type B2Server } from "./helpers/b2/server.ts";
import { openOn } from "./helpers/b2store.ts";
import { rclones, type Rclone } from "./helpers/rclones.ts";
import { all, raw, read } from "./helpers/storecontract.ts";

/** Names as bytes of a local disk. */
const names = [
  "plain.txt",
  "a b",
  " leading",
  "trailing ",
  "trailing.",
  "...",
  "back\\slash",
  "wide\uFF3Cslash",
  "line\nfeed",
  "tab\tand\u007fdel",
  "per%20cent 100%",
  "plus+plus",
  "\u201b\u201bquoted",
  "picture \u240a",
  "\u00fcn\u00efc\u00f6d\u00e9",
  "\u65e5\u672c\u8a9e/\u30c7",
  "emoji \u{1F600}",
  "deep/er/file",
];
const modified = new Date("2021-02-03T04:05:06.789Z");

async function rclone(
  { path: program }: Rclone,
  server: B2Server,
  ...args: string[]
): Promise<string> {
  const { execa } = await import("execa");
  const { stdout } = await execa(program, args, {
    env: { ...server.rcloneEnv("r"), RCLONE_CONFIG: "/dev/null", RCLONE_RETRIES: "1" },
  });
  return stdout;
}

async function source(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-b2-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  for (const name of names) {
    const file = path.join(directory, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, `content of ${name}`);
    await utimes(file, modified, modified);
  }
  return directory;
}

for (const one of rclones) {
  test(`names, content and times are those that rclone ${one.version} stored`, async (t) => {
    const server = await startB2(t);
    const place = `r:${server.bucket}/a b/backup`;
    await rclone(one, server, "copy", await source(t), place);
    const store = await openOn(t, server, { path: `${server.bucket}/a b/backup` });
    const versions = await all(store);
    const listed = await rclone(one, server, "lsf", "-R", "--files-only", place);
    assert.deepEqual(
      versions.map(({ name }) => textFromRaw(name)).toSorted(),
      listed.split("\n").toSorted(),
    );
    assert.equal(versions.length, names.length);
    const contents = await Promise.all(versions.map((version) => read(store, version)));
    assert.deepEqual(contents.toSorted(), names.map((name) => `content of ${name}`).toSorted());
    for (const version of versions) assert.equal(version.modifiedAt, modified.getTime());
  });

  test(`what the store does, rclone ${one.version} sees, and the reverse`, async (t) => {
    const server = await startB2(t);
    server.clock.run();
    const place = `r:${server.bucket}/backup`;
    await rclone(one, server, "copy", await source(t), place);
    const store = await openOn(t, server, { path: `${server.bucket}/backup` });
    const versions = await all(store);
    const list = async (): Promise<string[]> =>
      (await rclone(one, server, "lsf", "-R", "--files-only", "--format", "pst", place))
        .split("\n")
        .toSorted();
    const before = await list();
    for (const { name } of versions) await store.hide(name);
    assert.deepEqual(await list(), [""]);
    for (const version of versions) await store.makeCurrent(version);
    assert.deepEqual(await list(), before);
    await rclone(one, server, "deletefile", `${place}/plain.txt`);
    const [marker, copy, hidden, original] = await store.versionsOf(raw("plain.txt"));
    assert.deepEqual(
      [marker?.kind, copy?.kind, hidden?.kind, original?.kind],
      ["marker", "file", "marker", "file"],
    );
    assert.ok(marker !== undefined);
    await store.remove([marker]);
    assert.deepEqual(await list(), before);
  });
}
