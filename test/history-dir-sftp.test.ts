import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { makeBackup } from "./helpers/backups.ts";
import { contentOf, openDated, versionsByPath } from "./helpers/dirstore.ts";
import { rclones } from "./helpers/rclones.ts";
import { emptyPassword } from "./helpers/sandbox.ts";
import { startSshd } from "./helpers/sshd.ts";

/* Dated directories on a real sftp server, which knows times in seconds only. */

for (const rclone of rclones) {
  test(`old versions are kept and found through sftp and crypt (${rclone.version})`, async (t) => {
    const { options } = await startSshd(t);
    const tree = await makeBackup(t, rclone, {
      default: { destination: "away:data" },
      guards: { max_delete: "off" },
      history: { kind: "dir" },
    });
    const password = emptyPassword;
    const server = [...options].map(([key, value]) => `${key} = ${value}\n`).join("");
    const place = path.join(tree.store, "away");
    await appendFile(
      tree.rcloneConf,
      `\n[server]\n${server}\n[away]\ntype = crypt\nremote = server:${place}\npassword = ${password}\n`,
    );
    await tree.write({ a: "one", "dir/b": "b", stays: "stays" });
    await tree.expect(0);
    await tree.write({ a: "two!" });
    await tree.remove("dir/b");
    await tree.expect(0);
    await tree.write({ "dir/b": "again" });
    await tree.expect(0);
    const store = await openDated(t, tree, { destination: "away:data" });
    const found = await versionsByPath(store);
    const told = [...found].map(([name, versions]) => [
      name,
      ...versions.map(
        ({ kind, size, uncertain }) => `${kind} ${size}${uncertain === true ? "?" : ""}`,
      ),
    ]);
    assert.deepEqual(told, [
      ["a", "file 4", "file 3"],
      ["dir/b", "file 5", "marker 0", "file 1"],
      ["stays", "file 5"],
    ]);
    const [, old] = found.get("a") ?? [];
    assert.ok(old !== undefined);
    assert.equal(await contentOf(store, old, { start: 1 }), "ne");
    await store.makeCurrent(old);
    const { stdout } = await tree.runRclone(["cat", "away:data/a"]);
    assert.equal(stdout, "one");
  });
}
