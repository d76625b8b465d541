import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { openNotifier } from "../lib/service/notify.ts";
import { start } from "./helpers/command.ts";
import { makeSandbox } from "./helpers/sandbox.ts";

test("without a service manager nothing is started and nothing fails", async () => {
  for (const env of [{}, { NOTIFY_SOCKET: "" }]) {
    const notifier = openNotifier({ PATH: "/nowhere", ...env });
    await notifier.ready("a");
    notifier.status("b");
    await notifier.close();
  }
});

test("a systemd-notify that is missing, fails or is told a lot never stops a run", async (t) => {
  const { bin, root } = await makeSandbox(t);
  const env = { NOTIFY_SOCKET: path.join(root, "socket"), PATH: "/nowhere" };
  const missing = openNotifier(env);
  await missing.ready("a");
  missing.status("b");
  await missing.close();
  const gate = path.join(root, "gate");
  const log = path.join(root, "log");
  await writeFile(
    path.join(bin, "systemd-notify"),
    `#!/bin/sh\nprintf '%s|' "$@" >>'${log}'\necho >>'${log}'\nwhile [ -d '${gate}' ]; do /bin/sleep 0.01; done\nexit 1\n`,
    { mode: 0o755 },
  );
  const notifier = openNotifier({ ...env, PATH: bin });
  await notifier.ready("starting\nMAINPID=1");
  await mkdir(gate);
  notifier.status("first");
  for (let at = 0; at < 1000; at += 1) notifier.status(`step ${at}`);
  await rm(gate, { recursive: true });
  await notifier.close();
  notifier.status("later");
  await notifier.close();
  const lines = (await readFile(log, "utf8")).trimEnd().split("\n");
  assert.equal(lines[0], "--ready|--status=starting MAINPID=1|");
  // Of those that came while one was being told, only the last is.
  assert.ok(lines.length <= 4, lines.join("\n"));
  assert.deepEqual(lines.slice(-2), ["--status=step 999|", "--status=later|"]);
});

/** Prints what comes in, and lets go of the descriptors by which a sender waits for us. */
const listener = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("listening", flush=True)
while True:
    data, extra, _, _ = s.recvmsg(4096, 1024)
    for _, _, fds in extra:
        for at in range(0, len(fds), 4):
            os.close(int.from_bytes(fds[at:at + 4], sys.byteorder))
    print("got", data.decode().split("\\n"), flush=True)
`;

test("systemd's own program takes ready and status", async (t) => {
  const { root } = await makeSandbox(t);
  const socket = path.join(root, "socket");
  const live = start("python3", ["-c", listener, socket]);
  try {
    await live.waitFor(/listening/);
    const notifier = openNotifier({ PATH: process.env["PATH"], NOTIFY_SOCKET: socket });
    await notifier.ready("begins");
    await live.waitFor(/'READY=1'/);
    notifier.status("2 of 3 backups done");
    await notifier.close();
    await live.waitFor(/'STATUS=2 of 3 backups done'/);
  } finally {
    live.killGroup("SIGKILL");
    await live.done;
  }
});
