import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parentDeathPrefix } from "../lib/state/parentdeath.ts";
import { isAlive, processStart } from "../lib/state/process.ts";
import { run, start } from "./helpers/command.ts";

const prefixModule = import.meta.resolve("../lib/state/parentdeath.ts");

for (const detached of [false, true]) {
  test(`a child dies with its parent, ${detached ? "detached too" : "after kill -9"}`, async () => {
    const script = `
      const { execa } = await import("execa");
      const { parentDeathPrefix } = await import(${JSON.stringify(prefixModule)});
      const [program, ...args] = [...(await parentDeathPrefix()), "sleep", "300"];
      const child = execa(program, args, { detached: ${detached}, stdio: "ignore" });
      child.once("spawn", () => console.log("child", child.pid));
      setInterval(() => {}, 1000);`;
    const parent = start(process.execPath, [
      ...["--import", "tsx", "--input-type=module", "-e", script],
    ]);
    const pid = Number((await parent.waitFor(/child (\d+)/))[1]);
    // Until setpriv has become sleep, the child has not asked for its parent's death yet.
    await until(async () => (await readFile(`/proc/${pid}/comm`, "utf8")) === "sleep\n");
    const begun = processStart(pid);
    parent.kill("SIGKILL");
    await parent.done;
    await until(async () => !isAlive(pid, begun));
  });
}

test("the prefix is empty where setpriv can't do it", async () => {
  const script = `
    const { parentDeathPrefix } = await import(${JSON.stringify(prefixModule)});
    console.log(JSON.stringify(await parentDeathPrefix()));`;
  const result = await run(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "-e", script],
    { env: { PATH: "/nonexistent" } },
  );
  assert.equal(result.stdout, "[]\n", result.stderr);
  assert.deepEqual(await parentDeathPrefix(), ["setpriv", "--pdeathsig", "TERM", "--"]);
});

test("a process is told from another one with the same pid, and from a zombie", async () => {
  const own = processStart(process.pid);
  assert.match(own ?? "", /^\d+$/);
  assert.equal(isAlive(process.pid, own), true);
  assert.equal(isAlive(process.pid, "1"), false);
  // A shell reaps what has ended between two commands: the child waits until the shell is sleep.
  const shellIsSleep = 'read -r name </proc/$$/comm; [ "$name" = sleep ]';
  const child = start("sh", [
    "-c",
    `(until ${shellIsSleep}; do sleep 0.01; done) & echo pid $!; exec sleep 300`,
  ]);
  const zombie = Number((await child.waitFor(/pid (\d+)/))[1]);
  await until(async () => /^\d+ \(.*\) Z/s.test(await readFile(`/proc/${zombie}/stat`, "utf8")));
  assert.equal(processStart(zombie), undefined);
  assert.equal(isAlive(zombie, "1"), false);
  child.killGroup("SIGKILL");
  await child.done;
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await holds().catch(() => false))) {
    assert.ok(Date.now() < deadline, "it did not happen within 20 s");
    await sleep(10);
  }
}
