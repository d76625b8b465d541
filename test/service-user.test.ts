import assert from "node:assert/strict";
import { chmod, chown, copyFile, realpath, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { compiled, run } from "./helpers/command.ts";
import { makeSandbox } from "./helpers/sandbox.ts";

/** What `units --user` gives a service: another user, and the right to read every file. */
const asReader = [
  ...["--reuid=65534", "--clear-groups", "--no-new-privs"],
  ...["--bounding-set=-all,+dac_read_search", "--inh-caps=-all,+dac_read_search"],
  "--ambient-caps=-all,+dac_read_search",
];

test(
  "a service of another user reads what is closed to it, and says what it can't write",
  { skip: process.getuid?.() !== 0 && "only root can give the right to read all files" },
  async (t) => {
    const sandbox = await makeSandbox(t);
    const { source, store, state, home, rcloneConf } = sandbox;
    // Where it lies, the other user may not come.
    const program = path.join(sandbox.bin, "rclone");
    const real = await realpath(program);
    await rm(program);
    await copyFile(real, program);
    await writeFile(path.join(source, "a"), "a", { mode: 0o600 });
    assert.equal((await run("mkfifo", [path.join(source, "fifo")])).code, 0);
    await chmod(source, 0o700);
    for (const own of [store, state, home, rcloneConf]) await chown(own, 65534, 65534);
    await sandbox.writeConfig("x", `[default]\nsource = ${source}\ndestination = plain:x\n`);
    const args = [...asReader, process.execPath, compiled("rclone-backup"), "x"];
    const result = await run("setpriv", args, { env: sandbox.env });
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stderr, /may not be written to; 1 special file is not in the backup/);
    assert.equal((await sandbox.runRclone(["lsf", "plain:x"])).stdout, "a\n");
  },
);
