import assert from "node:assert/strict";
import { appendFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { makeBackedUp, makeBackup, manyFiles } from "./helpers/backups.ts";
import { replaceRclone } from "./helpers/fault.ts";
import { eitherRclone } from "./helpers/rclones.ts";

// A look at either end that saw less than there is must not be taken for the truth.

for (const rclone of eitherRclone(import.meta.url)) {
  const titled = (title: string): string => `${title} (${rclone.version} rclone)`;

  test(titled("a destination made anew is empty, whatever directories it has"), async (t) => {
    const backup = await makeBackup(t, rclone, {}, manyFiles(3));
    const store = path.join(backup.root, "plain");
    await mkdir(store);
    await backup.configure({ default: { destination: store } });
    await backup.expect(0);
    await rm(store, { recursive: true });
    await mkdir(path.join(store, "lost+found"), { recursive: true });
    await backup.expect(5, { stderr: /expected the 3 files that the last run left there, found/ });
    assert.deepEqual(await backup.stored(store), []);
  });

  test(titled("another password is noticed where directory names are not encrypted"), async (t) => {
    const backup = await makeBackup(t, rclone, {}, { "sub/a": "1", "sub/b": "2" });
    await appendFile(backup.rcloneConf, "directory_name_encryption = false\n");
    await backup.expect(0);
    const config = await readFile(backup.rcloneConf, "utf8");
    const obscured = await backup.runRclone(["obscure", "another password"]);
    const changed = config.replace(/^password = .*$/m, `password = ${obscured.stdout.trim()}`);
    assert.notEqual(changed, config);
    await writeFile(backup.rcloneConf, changed);
    await backup.expect(5, { stderr: /expected the 2 files that the last run left there, found/ });
  });

  test(titled("the look at the destination gets the flags of the configuration"), async (t) => {
    const backup = await makeBackup(t, rclone, { rclone: { flags: "--tpslimit 100" } }, { a: "1" });
    await backup.trace();
    await backup.expect(0);
    const remote = (await backup.calls()).filter((call) => call.includes("secret:"));
    assert.ok(remote.length >= 2);
    for (const call of remote) assert.equal(call.at(-1), "--tpslimit=100");
  });

  test(titled("a directory that vanishes while it is listed is no missing source"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, manyFiles(3));
    const once = path.join(backup.root, "once");
    // Both versions end so when a directory is gone before they come to it.
    await replaceRclone(
      backup,
      `case "$*" in
        *lsf*'${backup.source}'*)
          if [ ! -e '${once}' ]; then
            touch '${once}'; "$REAL" "$@"; echo 'directory not found' >&2; exit 3
          fi;;
      esac
      exec "$REAL" "$@"`,
    );
    await backup.remove("file2");
    await backup.expect(0);
    assert.deepEqual(await backup.stored(), ["file0", "file1"], "the second listing is whole");
  });

  test(titled("a source that never lists whole loses nothing at the destination"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, manyFiles(4));
    await replaceRclone(
      backup,
      `case "$*" in
        *lsf*'${backup.source}'*) "$REAL" "$@" | head -n 1; exit 3;;
      esac
      exec "$REAL" "$@"`,
    );
    await backup.run();
    assert.equal((await backup.stored()).length, 4);
  });
}
