import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestContext } from "node:test";
import { loadBackup } from "../lib/config/load.ts";
import { compiled, projectRoot, run, start } from "./helpers/command.ts";
import type { Live, Result } from "./helpers/command.ts";
import { makeSandbox } from "./helpers/sandbox.ts";
import { tool } from "./helpers/tools.ts";

/* The container's entry point, run as a program with a double of rclone-backups, and its Dockerfile. */

const script = path.join(projectRoot, "container/entrypoint.sh");

interface Container {
  readonly root: string;
  readonly config: string;
  readonly state: string;
  readonly env: Readonly<Record<string, string>>;
  /** Runs the entry point with arguments, to its end. */
  readonly call: (
    args: readonly string[],
    env?: Readonly<Record<string, string>>,
  ) => Promise<Result>;
  /** Starts the loop. */
  readonly loop: (env?: Readonly<Record<string, string>>) => Live;
  /** Makes rclone-backups do this when it is called; $N counts the calls. */
  readonly double: (body: string) => Promise<void>;
  readonly calls: () => Promise<string[]>;
}

async function makeContainer(t: TestContext): Promise<Container> {
  const { root, config, state, home, bin } = await makeSandbox(t);
  const log = path.join(root, "calls");
  await writeFile(log, "");
  const env = {
    PATH: `${bin}:${process.env["PATH"] ?? "/usr/bin:/bin"}`,
    HOME: home,
    TZ: "UTC",
    RCLONE_BACKUPS_DIR: config,
    RCLONE_BACKUPS_STATE: state,
    BACKUP_CHECK_EVERY: "0.02",
  };
  return {
    ...{ root, config, state, env },
    call: async (args, more) => run("sh", [script, ...args], { env: { ...env, ...more } }),
    loop: (more) => start("sh", [script], { env: { ...env, ...more } }),
    double: async (body) => {
      const file = path.join(bin, "rclone-backups");
      const head = `#!/bin/sh\nlog='${log}'\nprintf '%s\\n' "$*" >>"$log"\nN=$(wc -l <"$log")\n`;
      await writeFile(file, `${head}${body}\n`, { mode: 0o755 });
    },
    calls: async () => (await readFile(log, "utf8")).trimEnd().split("\n"),
  };
}

const ends = {
  RCLONE_BACKUPS_DEFAULT_SOURCE: "/source",
  RCLONE_BACKUPS_DEFAULT_DESTINATION: "secret:data",
};

test("it runs what is due again and again, one after another, and goes on after a failure", async (t) => {
  const { root, double, loop, calls } = await makeContainer(t);
  const here = path.join(root, "running");
  await double(
    `mkdir '${here}' || { echo overlap; exit 1; }\nsleep 0.03\nrmdir '${here}'\necho "call $N"\n[ "$N" != 2 ] || exit 1`,
  );
  const live = loop(ends);
  await live.waitFor(/call 4/);
  live.kill("SIGTERM");
  const result = await live.done;
  assert.doesNotMatch(result.stdout, /overlap/);
  assert.match(result.stderr, /entrypoint: rclone-backups run --due: exit code 1\n/);
  // Once a day those without a schedule run too.
  assert.deepEqual((await calls()).slice(0, 4), ["run", "run --due", "run --due", "run --due"]);
});

test("a restart on the same day doesn't run everything again", async (t) => {
  const { double, loop, calls, state } = await makeContainer(t);
  await double('echo "call $N"');
  for (const number of [1, 2]) {
    const live = loop(ends);
    // The first has ended when there is a second.
    await live.waitFor(/call [2-9]\d*/);
    live.kill("SIGTERM");
    await live.done;
    if (number === 1) assert.equal((await calls())[0], "run");
  }
  assert.equal((await calls()).filter((call) => call === "run").length, 1);
  await writeFile(path.join(state, "container.day"), "2001-01-01\n");
  const live = loop(ends);
  await live.waitFor(/call/);
  live.kill("SIGTERM");
  await live.done;
  assert.equal((await calls()).filter((call) => call === "run").length, 2);
});

test("a run that was skipped, stopped or killed is not the day's: it comes again after a while, and at a restart", async (t) => {
  const { root, state, double, loop, calls } = await makeContainer(t);
  // Ten minutes go by with each call, and the day begins at three.
  const clock = path.join(root, "clock");
  const begin = Date.parse("2026-01-31T03:00:30Z") / 1000;
  await writeFile(clock, String(begin));
  await writeFile(
    path.join(root, "bin/date"),
    `#!/bin/sh\nnow=$(cat '${clock}')\nPATH=/usr/bin:/bin\n[ "$1" != -d ] || exec date -d "@$((now - 10800))" "$3"\necho "$now"\n`,
    { mode: 0o755 },
  );
  const count = path.join(root, "count");
  await double(`echo $(($(cat '${clock}') + 600)) >'${clock}'
echo "call $N"
[ "$*" = run ] || exit 0
echo x >>'${count}'
case $(wc -l <'${count}') in 1) exit 75 ;; 2) kill -9 $$ ;; 3) exit 130 ;; *) exit 1 ;; esac`);
  const first = loop(ends);
  // An hour after the end of the first, and two after that of the second.
  await first.waitFor(/call 24\n/);
  first.kill("SIGTERM");
  await first.done;
  const made = await calls();
  assert.deepEqual(
    made.flatMap((call, at) => (call === "run" ? [at] : [])),
    [0, 7, 20],
  );
  await assert.rejects(stat(path.join(state, "container.day")));
  const restarted = loop(ends);
  await restarted.waitFor(new RegExp(`call ${made.length + 3}\n`));
  restarted.kill("SIGTERM");
  await restarted.done;
  // One that failed is told, and the day is over.
  assert.deepEqual((await calls()).slice(made.length, made.length + 3), [
    "run",
    "run --due",
    "run --due",
  ]);
  assert.equal(await readFile(path.join(state, "container.day"), "utf8"), "2026-01-31\n");
});

test("a signal reaches the run, whose end is waited for and whose exit code is the container's", async (t) => {
  const { double, loop } = await makeContainer(t);
  await double(
    `trap 'echo stopping; sleep 0.2; echo stopped; exit 130' TERM\necho begun\nwhile :; do sleep 0.01; done`,
  );
  const live = loop(ends);
  await live.waitFor(/begun/);
  live.kill("SIGTERM");
  // An impatient second one changes nothing.
  await live.waitFor(/stopping/);
  live.kill("SIGTERM");
  const result = await live.done;
  assert.equal(result.code, 130);
  assert.match(result.stdout, /stopping\n(?:stopping\n)*[^]*stopped\n/);
});

test("between two runs a signal ends it at once", async (t) => {
  const { double, loop } = await makeContainer(t);
  await double('echo "call $N"');
  const live = loop({ ...ends, BACKUP_CHECK_EVERY: "3600" });
  await live.waitFor(/call 1\n/);
  // The run has ended when the next thing is waited for.
  while (!(await childrenOf(live.pid)).includes("sleep\n")) await sleep(20);
  live.kill("SIGTERM");
  assert.equal((await live.done).code, 0);
});

/** What the children of a process are called. */
async function childrenOf(pid: number): Promise<string[]> {
  const list = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  const pids = list.split(" ").filter((one) => one !== "");
  return Promise.all(
    pids.map(async (one) => readFile(`/proc/${one}/comm`, "utf8").catch(() => "")),
  );
}

test("a configuration is made from the environment, and means what that says", async (t) => {
  const { config, env, call } = await makeContainer(t);
  const own = {
    ...ends,
    BACKUP_NAME: "data",
    BACKUP_FILTERS: "- /cache/**\n+ /a b;c#d=${e}\n- *.tmp",
    BACKUP_RETENTION: "/photos/ = forever",
    RCLONE_BACKUPS_SCHEDULE_CRON: "30 2 * * *",
    RCLONE_BACKUPS_GUARDS_REQUIRE_FILE: ".mounted",
  };
  const result = await call(["sh", "-c", "echo $RCLONE_BACKUPS_GUARDS_REQUIRE_FILE"], own);
  assert.deepEqual([result.code, result.stdout, result.stderr], [0, ".mounted\n", ""]);
  assert.deepEqual(await readdir(config), ["data.conf"]);
  const { backup } = await loadBackup("data", {
    configDir: config,
    set: [],
    env: { ...env, ...own },
  }).catch((error: unknown) => assert.fail(String(error)));
  assert.equal(backup.source, "/source");
  assert.equal(backup.destination, "secret:data");
  assert.deepEqual(backup.filters, ["- /cache/**", "+ /a b;c#d=${e}", "- *.tmp"]);
  assert.deepEqual(
    backup.retention.map(({ pattern, policy }) => [pattern, policy]),
    [["/photos/", "forever"]],
  );
  assert.equal(backup.schedule.cron, "30 2 * * *");

  // Another name at the next start takes its place, and so do configurations of the user's.
  await call(["true"], { ...own, BACKUP_NAME: "other" });
  assert.deepEqual(await readdir(config), ["other.conf"]);
  await writeFile(path.join(config, "mine.conf"), "[default]\n");
  await call(["true"]);
  assert.deepEqual(await readdir(config), ["mine.conf"]);
  assert.equal(await readFile(path.join(config, "mine.conf"), "utf8"), "[default]\n");
});

test("an environment that can't work stops it with 2 and says what is missing", async (t) => {
  const { config, call, root } = await makeContainer(t);
  const secret = path.join(root, "secret");
  await writeFile(secret, "s3cret\n");
  const empty = path.join(root, "empty");
  await writeFile(empty, "");
  const cases: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
    [{}, /expected a NAME\.conf in .*found neither/],
    [{ ...ends, BACKUP_NAME: "../x" }, /BACKUP_NAME: expected letters.*found \.\.\/x/],
    [{ ...ends, BACKUP_CHECK_EVERY: "1h" }, /BACKUP_CHECK_EVERY: expected a number.*found 1h/],
    [{ ...ends, CANARY_FILE: "/nowhere" }, /CANARY_FILE: expected a file that can be read/],
    [{ ...ends, CANARY: "x", CANARY_FILE: secret }, /expected CANARY or CANARY_FILE, found both/],
    [{ ...ends, RCLONE_CONFIG_X_PASS_FILE: empty }, /expected a secret in .*, found it empty/],
  ];
  for (const [env, message] of cases) {
    const result = await call([], env);
    assert.equal(result.code, 2, result.stderr);
    assert.match(result.stderr, message);
    assert.doesNotMatch(result.stderr, /s3cret/);
  }
  await chmod(config, 0o500);
  const closed = await run("sh", [script], {
    env: { PATH: process.env["PATH"] ?? "", RCLONE_BACKUPS_DIR: config, ...ends },
    unprivileged: true,
  });
  assert.equal(closed.code, 2);
  assert.match(closed.stderr, /expected .* to be writable/);
});

test("secrets come from files, and stay in them where the suite reads them itself", async (t) => {
  const { call, root } = await makeContainer(t);
  const file = path.join(root, "my secret");
  await writeFile(file, "pass'word \"$x\nsecond line\n");
  const result = await call(["env"], {
    ...ends,
    RCLONE_BACKUPS_RCLONE_PASSWORD_FILE: file,
    RCLONE_BACKUPS_NOTIFY_WEBHOOK_FILE: file,
    CANARY_FILE: file,
    NOTIFY_NTFY_FILE: file,
    RCLONE_CONFIG_SECRET_PASSWORD_FILE: file,
    // Options that name files are what they are.
    RCLONE_CONFIG_NAS_KEY_FILE: "/keys/id",
    RCLONE_CONFIG_G_SERVICE_ACCOUNT_FILE: "/keys/g",
    RCLONE_BACKUPS_GUARDS_REQUIRE_FILE: ".mounted",
  });
  assert.equal(result.code, 0, result.stderr);
  const lines = result.stdout.split("\n").filter((line) => /^(?:RCLONE|CANARY|NOTIFY)/.test(line));
  assert.deepEqual(
    lines.filter((line) => !/_(?:SOURCE|DESTINATION|DIR|STATE)=/.test(line)).toSorted(),
    [
      `CANARY=file:${file}`,
      `NOTIFY_NTFY=file:${file}`,
      "RCLONE_BACKUPS_GUARDS_REQUIRE_FILE=.mounted",
      `RCLONE_BACKUPS_NOTIFY_WEBHOOK=file:${file}`,
      `RCLONE_BACKUPS_RCLONE_PASSWORD=file:${file}`,
      "RCLONE_CONFIG_G_SERVICE_ACCOUNT_FILE=/keys/g",
      "RCLONE_CONFIG_NAS_KEY_FILE=/keys/id",
      `RCLONE_CONFIG_SECRET_PASSWORD=pass'word "$x`,
    ],
  );
});

test("a backup that is configured by the environment alone runs", async (t) => {
  const sandbox = await makeSandbox(t);
  await writeFile(path.join(sandbox.source, "a.txt"), "a");
  await mkdir(path.join(sandbox.source, "cache"));
  await writeFile(path.join(sandbox.source, "cache/b"), "b");
  const result = await run("sh", [script, process.execPath, compiled("rclone-backup"), "backup"], {
    env: {
      ...sandbox.env,
      RCLONE_BACKUPS_DEFAULT_SOURCE: sandbox.source,
      RCLONE_BACKUPS_DEFAULT_DESTINATION: "secret:data",
      BACKUP_FILTERS: "- /cache/**",
    },
  });
  assert.deepEqual([result.code, result.stderr], [0, ""]);
  assert.equal((await sandbox.runRclone(["lsf", "-R", "secret:data"])).stdout, "a.txt\n");
});

test("the Dockerfile passes its linter and keeps to our own rules", async () => {
  const file = path.join(projectRoot, "container/Dockerfile");
  const linted = await run(tool("hadolint"), ["--no-color", file]);
  assert.deepEqual([linted.code, linted.stdout], [0, ""]);
  const text = await readFile(file, "utf8");
  const instructions = text.split("\n").filter((line) => /^[A-Z]+ /.test(line));
  const last = (name: string): string | undefined =>
    instructions.findLast((line) => line.startsWith(`${name} `));
  // A number, or Kubernetes can't tell that it isn't root.
  assert.match(last("USER") ?? "", /^USER [1-9]\d*:[1-9]\d*$/);
  assert.equal(last("ENTRYPOINT"), 'ENTRYPOINT ["entrypoint"]');
  assert.ok(last("HEALTHCHECK") !== undefined);
  // What can't be seen from inside has no place in an image.
  assert.doesNotMatch(text, /^(?:ARG|ENV).*(?:PASS|SECRET|TOKEN)/m);
  for (const line of instructions.filter((one) => one.startsWith("FROM ")))
    assert.doesNotMatch(line, /:latest| \S+\/[^:$]+(?: |$)/, line);
  assert.equal((await stat(script)).mode & 0o111, 0o111);
  assert.equal((await run("sh", ["-n", script])).code, 0);
});

test("what the image is built from exists and is let in", async () => {
  const ignored = await readFile(
    path.join(projectRoot, "container/Dockerfile.dockerignore"),
    "utf8",
  );
  const allowed = ignored
    .split("\n")
    .flatMap((line) => (line.startsWith("!") ? [line.slice(1)] : []));
  for (const name of allowed) await stat(path.join(projectRoot, name));
  // All that npm run build and npm pack read.
  const manifest = await readFile(path.join(projectRoot, "package.json"), "utf8");
  const files = /"files": \[([^\]]*)\]/.exec(manifest)?.[1]?.match(/[\w.-]+/g) ?? [];
  assert.ok(files.length >= 5);
  for (const name of files.filter((one) => one !== "dist")) assert.ok(allowed.includes(name), name);
});
