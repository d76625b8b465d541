import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { runShell } from "../lib/config/command.ts";
import { makeConfigDir, minimal } from "./helpers/config-dir.ts";

const withPassword = (text: string): string => `${minimal}[rclone]\npassword = ${text}\n`;
const env = { PATH: process.env["PATH"], X: "from the environment" };

const never = async () => assert.fail("expected no command to run");

/** A command that didn't end in time. */
const hanging = async () => ({ code: undefined, stdout: "hunter2", timedOut: true });

test("a secret is literal, or the first line of a file or of what a command prints", async (t) => {
  const { write, load } = await makeConfigDir(t);
  const file = await write({
    "sub/x.conf": "",
    "sub/pw": " a b \r\nsecond\n",
    "sub/bare": "no newline",
  });
  const password = async (text: string) => {
    await write({ "sub/x.conf": withPassword(text) });
    return (await load(file, { env })).backup.rclone.password;
  };
  assert.equal(await password("hunter2"), "hunter2");
  assert.equal(await password('" padded ; "'), " padded ; ");
  assert.equal(await password("pre${X}"), "prefrom the environment");
  assert.equal(await password("file:pw"), " a b ");
  assert.equal(await password("file:bare"), "no newline");
  assert.equal(await password("command:printf 'one\\ntwo'; echo noise >&2"), "one");
  assert.equal(
    await password('command:echo "$X ${X}"'),
    "from the environment from the environment",
  );
  assert.equal(await password(""), undefined);
  assert.equal(
    (await load(file, { env, set: ["rclone.password=command:echo s"] })).backup.rclone.password,
    "s",
  );
});

test("a secret that can't be had is an error without it", async (t) => {
  const { write, fail, dir } = await makeConfigDir(t);
  await write({ empty: "\nsecond" });
  const message = async (text: string) => (await fail(withPassword(text), { env })).message;
  const at = "DIR/x.conf:5:12:";
  assert.equal(
    await message("file:none"),
    `${at} expected a file with the secret, found "DIR/none" unreadable (ENOENT)`,
  );
  assert.equal(
    await message(`file:${dir}`),
    `${at} expected a file with the secret, found "DIR" unreadable (EISDIR)`,
  );
  assert.equal(
    await message("file:empty"),
    `${at} expected a secret in the first line of "DIR/empty", found it empty`,
  );
  assert.equal(
    await message("command:true"),
    `${at} expected a secret in the first line that the command printed, found it empty`,
  );
  assert.equal(
    await message("command:echo hunter2; echo hunter2 >&2; exit 3"),
    `${at} expected the command for the secret to succeed, found exit code 3`,
  );
  assert.equal(
    await message("command:kill -9 $$"),
    `${at} expected the command for the secret to succeed, found it killed`,
  );
  assert.equal(
    (await fail(withPassword("command:sleep 60"), { runCommand: hanging })).message,
    `${at} expected a secret from the command within 30 s, found it still running`,
  );
});

test("secrets of notices wait until they are used: none of them can keep a backup from loading", async (t) => {
  const { write, load, dir } = await makeConfigDir(t);
  const file = await write({
    "sub/x.conf": `${minimal}[notify]\nwebhook = file:gone\nntfy = command:echo \${X} hunter2\nping = https://\${HOST}/hunter2\n`,
  });
  const loaded = await load(file, { env: { HOST: "ping.example" }, runCommand: never });
  const { webhook, ntfy, ping, smtp } = loaded.backup.notify;
  assert.deepEqual(
    [webhook, ntfy, ping, smtp],
    [
      `file:${dir}/sub/gone`,
      "command:echo ${X} hunter2",
      "https://ping.example/hunter2",
      undefined,
    ],
  );
  const shown = loaded
    .provenance()
    .filter(({ section, origin }) => section === "notify" && origin !== "default");
  assert.deepEqual(
    shown.map(({ key, value }) => [key, value]),
    [
      ["webhook", "file:gone"],
      ["ntfy", "command:********"],
      ["ping", "********"],
    ],
  );
});

test("a command that hangs is ended with all its children", async () => {
  const started = Date.now();
  // The second child keeps the pipe open in a session of its own.
  const command = "sleep 300 & setsid sleep 30 & echo $$ $!; sleep 300";
  const result = await runShell(command, { env, timeoutMs: 300 });
  assert.equal(result.timedOut, true);
  assert.equal(result.code, undefined);
  assert.ok(Date.now() - started < 20_000, "it waited for the one that holds the pipe");
  const [group = 0, escaped = 0] = result.stdout.trim().split(" ").map(Number);
  assert.ok(group > 0 && escaped > 0, result.stdout);
  process.kill(escaped);
  // A process that was killed may still be busy dying.
  for (let tries = 0; tries < 500 && running(group).length > 0; tries += 1) continue;
  assert.deepEqual(running(group), []);
});

test("a command that prints without end doesn't fill the memory", async () => {
  const endless = await runShell("head -c 20000000 /dev/zero", { env, timeoutMs: 20_000 });
  assert.equal(endless.code, 0);
  assert.ok(endless.stdout.length < 3_000_000);
});

/** States of a group's processes, without those that are dead and not yet buried. */
function running(group: number): string[] {
  const list = execFileSync("ps", ["-A", "-o", "pgid=", "-o", "stat="], { encoding: "utf8" });
  const rows = list.split("\n").map((line) => line.trim().split(/\s+/));
  return rows.flatMap(([id, state = "Z"]) =>
    Number(id) === group && !state.startsWith("Z") ? [state] : [],
  );
}
