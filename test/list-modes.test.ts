import assert from "node:assert/strict";
import { chmodSync, existsSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import * as v from "valibot";
import { compiled, run } from "./helpers/command.ts";
import { eitherRclone, newRclone, oldRclone, rclones } from "./helpers/rclones.ts";
import { makeBacked, writeOld } from "./helpers/verification.ts";
import type { Backed } from "./helpers/verification.ts";

const files = {
  "a b": "12345",
  "b~": "editor's copy",
  "cache/x": "x",
  "isos/big": "big",
  "log/one": "1",
};
const filters = "[filters]\n- /cache/**\n+ /log/one\n[test-filters]\n- /isos/**\n+ /cache/x\n";

/** Runs a command line on a terminal of its own. */
async function onTerminal(backed: Backed, args: readonly string[]): Promise<string> {
  const words = [process.execPath, compiled("rclone-backup"), ...args];
  const line = words.map((word) => `'${word}'`).join(" ");
  const { stdout } = await run("script", ["-qec", line, "/dev/null"], { env: backed.env });
  return stdout;
}

for (const rclone of rclones) {
  test(`--ls prints the source as rclone ls does, filtered (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files, more: filters, backUp: false });
    const { code, stdout, stderr } = await backed.backup(["--ls", "b"]);
    assert.deepEqual([code, stderr], [0, ""]);
    const rules = ["--filter=- *~", "--filter=- /cache/**"];
    const real = await backed.runRclone(["ls", ...rules, backed.source]);
    assert.deepEqual(stdout.split("\n").toSorted(), real.stdout.split("\n").toSorted());
    assert.equal(stdout, "        5 a b\n        3 isos/big\n        1 log/one\n");

    const tested = await backed.backup(["--ls", "--test-filters", "b"]);
    assert.equal(tested.stdout, "        5 a b\n        1 cache/x\n        1 log/one\n");

    const json = await backed.backup(["--ls", "--json", "b"]);
    const lines = json.stdout.trimEnd().split("\n");
    assert.deepEqual(
      lines.map((line) => Object.keys(v.parse(v.looseObject({}), JSON.parse(line)))),
      lines.map(() => ["path", "size", "modified"]),
    );
    assert.match(lines[0] ?? "", /^\{"path":"a b","size":5,"modified":"20\d\d-.*Z"\}$/);
  });

  test(`--newest prints the newest file that is not from the future (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files, more: filters, backUp: false });
    const at = (seconds: number, name: string): void =>
      utimesSync(path.join(backed.source, name), seconds, seconds);
    at(1_000_000_000, "a b");
    at(936_835_200, "log/one");
    at(1_700_000_000, "cache/x");
    at(Date.now() / 1000 + 3600, "isos/big");
    const line = async (args: readonly string[], env = {}): Promise<string> =>
      (await backed.backup([...args, "b"], { env })).stdout;
    assert.equal(await line(["--newest"]), "Sun Sep  9 01:46:40 2001 (@1000000000) a b\n");
    assert.equal(
      await line(["--newest"], { TZ: "America/New_York" }),
      "Sat Sep  8 21:46:40 2001 (@1000000000) a b\n",
    );
    assert.equal(
      await line(["--newest", "--test-filters"]),
      "Tue Nov 14 22:13:20 2023 (@1700000000) cache/x\n",
    );
    assert.equal(
      await line(["--newest", "--json"]),
      '{"version":1,"kind":"newest","path":"a b","size":5,"modified":"2001-09-09T01:46:40Z"}\n',
    );
    at(1_000_000_000, "log/one");
    assert.match(await line(["--newest"]), / a b\n$/, "of equally new ones the first by name");
  });

  test(`what can't be read is a failure, after all that can be was listed (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files, backUp: false });
    chmodSync(path.join(backed.source, "log"), 0o000);
    const { code, stdout, stderr } = await backed.backup(["--ls", "b"], { unprivileged: true });
    assert.equal(code, 1);
    assert.equal(stdout, "        5 a b\n        1 cache/x\n        3 isos/big\n");
    assert.match(stderr, /found 1 place that is not: log: .*permission denied/);
  });

  // What follows is decided here, whatever the version of rclone is.
  if (!eitherRclone(import.meta.url).includes(rclone)) continue;

  test(`--newest says so when there is nothing (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files: { "a~": "a" }, backUp: false });
    const none = await backed.backup(["--newest", "b"]);
    assert.deepEqual([none.code, none.stdout], [1, ""]);
    assert.match(none.stderr, /expected a file that is not from the future, found none/);
    await writeOld(path.join(backed.source, "f"), "f", new Date(Date.now() + 3_600_000));
    assert.equal((await backed.backup(["--newest", "b"])).code, 1);
  });
}

test("times are compared as finely as rclone tells them", async (t) => {
  const backed = await makeBacked(t, { rclone: newRclone, files: { a: "", b: "" }, backUp: false });
  const touch = async (name: string, time: string): Promise<void> => {
    const { code } = await run("touch", ["-d", time, path.join(backed.source, name)]);
    assert.equal(code, 0);
  };
  await touch("a", "2020-01-01T00:00:00.5Z");
  await touch("b", "2020-01-01T00:00:00.5001Z");
  assert.match((await backed.backup(["--newest", "b"])).stdout, / b\n$/);
  await touch("a", "2020-01-01T00:00:00.5002Z");
  assert.match((await backed.backup(["--newest", "b"])).stdout, / a\n$/);
});

test("--filters and --test-filters print the rules in their order", async (t) => {
  const backed = await makeBacked(t, {
    rclone: oldRclone,
    files,
    more: filters,
    backUp: false,
  });
  const own = "- /cache/**\n+ /log/one\n";
  const print = async (...args: string[]): Promise<string> =>
    (await backed.backup([...args, "b"])).stdout;
  assert.equal(await print("--filters"), `- *~\n- .#*\n${own}`);
  assert.equal(await print("--test-filters"), `- *~\n- .#*\n- /isos/**\n+ /cache/x\n${own}`);
  writeFileSync(path.join(backed.source, "special-files.tar.gz"), "");
  assert.equal(
    await print("--test-filters"),
    `- *~\n- .#*\n+ /special-files.tar.gz\n- /isos/**\n+ /cache/x\n${own}`,
  );
  assert.equal(
    await print("--filters", "--json"),
    '{"version":1,"kind":"filters","rules":["- *~","- .#*","+ /special-files.tar.gz","- /cache/**","+ /log/one"]}\n',
  );
});

test("the list modes run no hook and leave nothing behind", async (t) => {
  const backed = await makeBacked(t, {
    rclone: oldRclone,
    files,
    more: "pre_command = touch ran; exit 1\n",
    backUp: false,
  });
  for (const mode of ["--ls", "--newest", "--filters", "--test-filters"]) {
    const { code, stderr } = await backed.backup([mode, "b"]);
    assert.equal(code, 0, `${mode}: ${stderr}`);
  }
  assert.ok(!existsSync(path.join(backed.root, "ran")));
  assert.ok(!existsSync(path.join(backed.state, "backups")));
});

test("names are escaped on a terminal, and raw in a pipe", async (t) => {
  const backed = await makeBacked(t, {
    rclone: oldRclone,
    files: { "x\u202Ey\u009Bz": "12345" },
    backUp: false,
  });
  const raw = await backed.backup(["--ls", "b"]);
  assert.equal(raw.stdout, "        5 x\u202Ey\u009Bz\n");
  assert.equal(await onTerminal(backed, ["--ls", "b"]), "        5 x\\u202ey\\x9bz\r\n");
  assert.match(await onTerminal(backed, ["--newest", "b"]), / x\\u202ey\\x9bz\r\n$/);
});

test("a name with a newline is one line, and bytes that are not UTF-8 stay", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files: { "a\nb": "" }, backUp: false });
  const name = Buffer.from([0x66, 0xff]);
  writeFileSync(Buffer.concat([Buffer.from(`${backed.source}/`), name]), "1");
  const { stdoutBytes } = await backed.backup(["--ls", "b"]);
  assert.deepEqual(
    stdoutBytes,
    Buffer.concat([Buffer.from("        0 a\u240Ab\n        1 "), name, Buffer.from("\n")]),
  );
  const json = await backed.backup(["--ls", "--json", "b"]);
  assert.match(json.stdout, /"path":"f\uFFFD","path_base64":"Zv8="/);
});

test("one mode at a time", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files, backUp: false });
  for (const modes of [
    ["--ls", "--newest"],
    ["--ls", "--filters"],
    ["--newest", "--verify", "all"],
  ]) {
    const { code, stderr } = await backed.backup([...modes, "b"]);
    assert.equal(code, 2, modes.join(" "));
    assert.match(stderr, /expected one of --verify, --verify-next, --ls, --newest, --filters/);
  }
});
