import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import * as v from "valibot";
import { makeUnits } from "../lib/jobs/units.ts";
import { compiled, run } from "./helpers/command.ts";
import type { Result } from "./helpers/command.ts";
import { newRclone } from "./helpers/rclones.ts";
import { makeSandbox } from "./helpers/sandbox.ts";
import type { Sandbox } from "./helpers/sandbox.ts";
import { tool } from "./helpers/tools.ts";

/* rclone-backups units: what it writes for the configurations that are there. */

interface World {
  readonly sandbox: Sandbox;
  readonly to: string;
  /** Calls units for the machine, whoever runs the tests. */
  readonly units: (...args: readonly string[]) => Promise<Result>;
  readonly read: (file: string) => Promise<string>;
}

const service = "etc/systemd/system/rclone-backups.service";

async function makeWorld(t: TestContext): Promise<World> {
  const sandbox = await makeSandbox(t);
  const to = path.join(sandbox.root, "machine");
  await symlink(compiled("rclone-backups"), path.join(sandbox.bin, "rclone-backups"));
  return {
    sandbox,
    to,
    units: async (...args) =>
      run(
        process.execPath,
        [compiled("rclone-backups"), "units", "--to", to, "--user", "root", ...args],
        { env: sandbox.env, cwd: sandbox.root },
      ),
    read: async (file) => readFile(path.join(to, file), "utf8"),
  };
}

async function addBackup({ sandbox }: World, name: string, more = ""): Promise<void> {
  const ends = `source = ${sandbox.source}\ndestination = secret:${name}\n`;
  await sandbox.writeConfig(name, `[default]\n${ends}${more}`);
}

test("the service may write where the backups do, and systemd takes it", async (t) => {
  const world = await makeWorld(t);
  const { sandbox, units, read, to } = world;
  const dated = path.join(sandbox.store, "plain/dated.history");
  await mkdir(path.join(sandbox.store, "secret"));
  await mkdir(dated, { recursive: true });
  await addBackup(world, "data");
  await sandbox.writeConfig(
    "dated",
    `[default]\nextends = common.conf\ndestination = plain:dated\n[history]\nkind = dir\n[schedule]\ncron = 15 4 * * *\n`,
  );
  await sandbox.writeConfig(
    "common",
    `[default]\nsource = ${sandbox.home}\narchive_specials = no\n`,
  );
  await writeFile(path.join(sandbox.config, "rclone.conf"), "[x]\ntype = local\n");
  const result = await units("--systemd", "--writable", "/var/backups", "--at", "1:30");
  assert.deepEqual([result.code, result.stderr], [0, ""]);
  const text = await read(service);
  const writable = [...text.matchAll(/^ReadWritePaths=-(.*)$/gm)].map(([, found]) => found);
  // plain:dated isn't there yet, so that it can only be made in the directory above.
  assert.deepEqual(
    writable,
    [
      "/var/backups",
      sandbox.root,
      sandbox.source,
      sandbox.state,
      path.join(sandbox.store, "plain"),
      dated,
      path.join(sandbox.store, "secret"),
    ].toSorted(),
  );
  const program = path.join(sandbox.bin, "rclone-backups");
  assert.ok(text.includes(`\nExecStart=${program} run\n`), text);
  for (const variable of [
    `RCLONE_BACKUPS_DIR=${sandbox.config}`,
    `RCLONE_BACKUPS_STATE=${sandbox.state}`,
    `RCLONE_CONFIG=${sandbox.rcloneConf}`,
  ])
    assert.ok(text.includes(`\nEnvironment=${variable}\n`), variable);
  const directory = path.join(to, "etc/systemd/system");
  const names = await readdir(directory);
  assert.deepEqual(names.toSorted(), [
    "rclone-backups-due.service",
    "rclone-backups-due.timer",
    "rclone-backups.service",
    "rclone-backups.timer",
  ]);
  const verified = await run(
    tool("systemd-analyze"),
    ["verify", "--man=no", ...names.map((name) => `./${name}`)],
    { cwd: directory },
  );
  assert.deepEqual([verified.code, verified.stderr], [0, ""]);
  assert.match(result.stdout, /^new {6}\S+\/rclone-backups\.service\n/);
  assert.match(result.stdout, /next:\n[^]*systemctl enable --now rclone-backups\.timer/);

  const tight = await units("--systemd", "--read-only-source");
  assert.equal(tight.code, 0, tight.stderr);
  assert.ok(!(await read(service)).includes(`ReadWritePaths=-${sandbox.source}\n`));
});

test("a dry run writes nothing and shows all; JSON holds the same", async (t) => {
  const world = await makeWorld(t);
  await addBackup(world, "data");
  const shown = await world.units("--systemd", "-n");
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /\(mode 0644\)\n {4}# Written by rclone-backups units/);
  assert.match(shown.stdout, /\n {4}\[Timer\]\n/);
  await assert.rejects(stat(world.to));
  const json = await world.units("--cron", "--json");
  const document = v.parse(
    v.object({
      version: v.literal(1),
      kind: v.literal("units"),
      format: v.literal("cron"),
      files: v.array(
        v.object({ path: v.string(), mode: v.string(), change: v.string(), text: v.string() }),
      ),
    }),
    JSON.parse(json.stdout),
  );
  assert.deepEqual(
    document.files.map(({ path: file, mode, change }) => [
      path.relative(world.to, file),
      mode,
      change,
    ]),
    [["etc/cron.daily/z-rclone-backups", "0755", "new"]],
  );
  assert.equal(await world.read("etc/cron.daily/z-rclone-backups"), document.files[0]?.text);
});

test("what was edited, or is somebody else's, is never replaced without --force", async (t) => {
  const world = await makeWorld(t);
  const { units, to, read } = world;
  await addBackup(world, "data");
  assert.equal((await units("--systemd")).code, 0);
  const again = await units("--systemd");
  assert.match(again.stdout, /^same {5}\S+service\nsame {5}\S+timer\n/);
  const changed = await units("--systemd", "--at", "05:00");
  assert.match(changed.stdout, /^same {5}\S+service\nreplaced \S+timer\n/);

  const timer = path.join(to, "etc/systemd/system/rclone-backups.timer");
  const before = await read(service);
  await writeFile(timer, (await readFile(timer, "utf8")).replace("30min", "5min"));
  const refused = await units("--systemd", "--log", "/var/log/b.log");
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /timer: expected the file as units wrote it, found it edited/);
  assert.equal(await read(service), before, "all or none");
  await writeFile(timer, "[Timer]\n");
  const foreign = await units("--systemd", "-n");
  assert.equal(foreign.code, 2);
  assert.match(foreign.stderr, /expected no file, or one that units wrote, found another/);
  assert.equal((await units("--systemd", "--force", "--log", "/var/log/b.log")).code, 0);
  assert.match(await readFile(timer, "utf8"), /OnCalendar/);
  assert.match(await read("etc/logrotate.d/rclone-backups"), /"\/var\/log\/b\.log" \{/);
});

test("rclone's configuration is read with the password that the service is handed, and a log's directory is told", async (t) => {
  const world = await makeWorld(t);
  const { sandbox, units, read, to } = world;
  await addBackup(world, "data");
  const password = path.join(sandbox.root, "rclone-password");
  await writeFile(password, "open sesame\n", { mode: 0o600 });
  const set = ["--password-command", `cat ${password}`, "--config", sandbox.rcloneConf];
  // Only newer versions can be told without a dialogue.
  const args = ["config", "encryption", "set", ...set];
  const encrypted = await run(newRclone.path, args, { env: sandbox.env });
  assert.equal(encrypted.code, 0, encrypted.stderr);
  const without = await units("--systemd");
  assert.equal(without.code, 2);
  assert.match(without.stderr, /expected the password of the encrypted file, found none/);
  const log = ["--log", "/var/log/b c/run.log"];
  const result = await units("--systemd", "--rclone-password", password, ...log);
  assert.deepEqual([result.code, result.stderr], [0, ""]);
  assert.ok((await read(service)).includes(`LoadCredential=rclone-password:${password}\n`));
  const step = "  test -d '/var/log/b c' || install -d -m 0700 '/var/log/b c'\n";
  assert.ok(result.stdout.includes(step), result.stdout);
  await mkdir(path.join(to, "var/log/b c"), { recursive: true });
  const again = await units("--systemd", "--rclone-password", password, ...log);
  assert.doesNotMatch(again.stdout, /install -d/);
});

test("what serves nothing any more is told, with how to be rid of it", async (t) => {
  const world = await makeWorld(t);
  await addBackup(world, "data", "[schedule]\ncron = 0 4 * * *\n");
  const all = await world.units("--systemd", "--log", "/var/log/backups.log");
  assert.match(all.stdout, /enable --now rclone-backups-due\.timer\n/);
  await addBackup(world, "data");
  const { stdout } = await world.units("--systemd");
  assert.match(stdout, /systemctl disable --now rclone-backups-due\.timer\n/);
  assert.match(
    stdout,
    /rm \S+rclone-backups-due\.service \S+rclone-backups-due\.timer \S+logrotate\.d\/rclone-backups /,
  );
});

test("the job of cron that units wrote backs up, and has nothing to say", async (t) => {
  const world = await makeWorld(t);
  const { sandbox, to } = world;
  await writeFile(path.join(sandbox.source, "a.txt"), "a");
  await addBackup(world, "data");
  assert.equal((await world.units("--cron")).code, 0);
  // What cron gives a job: no more than this.
  const job = path.join(to, "etc/cron.daily/z-rclone-backups");
  const cron = { HOME: sandbox.home, LOGNAME: "root", SHELL: "/bin/sh", PATH: "/usr/bin:/bin" };
  const good = await run(job, [], { env: cron, cwd: "/" });
  assert.deepEqual([good.code, good.stdout, good.stderr], [0, "", ""]);
  assert.equal((await sandbox.runRclone(["lsf", "secret:data"])).stdout, "a.txt\n");
  await rm(path.join(sandbox.source, "a.txt"));
  const refused = await run(job, [], { env: cron, cwd: "/" });
  assert.equal(refused.code, 5);
  assert.match(refused.stderr, /data/);
});

test("the service that units wrote backs up and tells systemd what it is at", async (t) => {
  const world = await makeWorld(t);
  const { sandbox, read } = world;
  await writeFile(path.join(sandbox.source, "a.txt"), "a");
  await addBackup(world, "data");
  assert.equal((await world.units("--systemd")).code, 0);
  const told = path.join(sandbox.root, "told");
  await writeFile(
    path.join(sandbox.bin, "systemd-notify"),
    `#!/bin/sh\nprintf '%s ' "$@" >>'${told}'\n`,
    { mode: 0o755 },
  );
  const text = await read(service);
  const env = Object.fromEntries(
    [...text.matchAll(/^Environment=(\w+)=(.*)$/gm)].map(([, name = "", value = ""]) => [
      name,
      value,
    ]),
  );
  const [, command = ""] = /^ExecStart=(.*)$/m.exec(text) ?? [];
  const ran = await run("sh", ["-c", command], {
    env: {
      ...env,
      PATH: `${sandbox.bin}:${env["PATH"] ?? ""}`,
      HOME: "/root",
      NOTIFY_SOCKET: "/x",
    },
    cwd: "/",
  });
  assert.deepEqual([ran.code, ran.stdout, ran.stderr], [0, "", ""]);
  assert.equal((await sandbox.runRclone(["lsf", "secret:data"])).stdout, "a.txt\n");
  assert.match(
    await readFile(told, "utf8"),
    /^--ready --status=.*--status=1 success; 1 B of 1 GiB spent on reading back today $/s,
  );
});

test("who isn't root gets units of their own, and lines for their crontab", async (t) => {
  const world = await makeWorld(t);
  await addBackup(world, "data");
  const { sandbox } = world;
  const request = {
    started: { node: process.execPath, script: compiled("rclone-backups") },
    ...{ dryRun: false, force: false, readOnlySource: false, writable: [], credentials: [] },
  };
  const user = {
    ...{ env: sandbox.env, cwd: sandbox.root, now: () => new Date(), isRoot: false },
    signal: new AbortController().signal,
    events: { warn: () => {}, detail: () => {}, progress: () => {} },
  };
  const units = await makeUnits({ ...request, kind: "systemd" }, user);
  const own = path.join(sandbox.home, ".config/systemd/user/rclone-backups.service");
  assert.equal(units.files[0]?.path, own);
  const text = await readFile(own, "utf8");
  assert.doesNotMatch(text, /^(?:User|ProtectSystem|CapabilityBoundingSet|Wants)=/m);
  assert.ok(units.next.includes("systemctl --user daemon-reload"));
  const cron = await makeUnits({ ...request, kind: "cron" }, user);
  assert.deepEqual(cron.files, []);
  assert.match(cron.next.at(-1) ?? "", /^ {2}0 3 \* \* \* exec \S+\/bin\/rclone-backups run$/);
  const warnings: string[] = [];
  const mailed = await makeUnits(
    { ...request, dryRun: true, kind: "systemd", user: "backup", to: world.to },
    {
      ...user,
      env: { ...sandbox.env, NOTIFY_MAIL: "root", BEFORE_ALL: "true" },
      events: { ...user.events, warn: (warning: string) => void warnings.push(warning) },
    },
  );
  assert.match(mailed.files[0]?.text ?? "", /^ReadWritePaths=-\/var\/spool\/postfix\/maildrop$/m);
  assert.match(warnings.join("\n"), /^the commands of hooks and notices .*\nmail: .*set smtp/);
  const settings = "^BEFORE_ALL, NOTIFY_MAIL: set in the environment .* write it to /etc/default/";
  assert.match(warnings.at(-1) ?? "", new RegExp(settings));
  const machine = makeUnits({ ...request, kind: "cron", user: "root" }, user);
  await assert.rejects(machine, /expected root for units of the machine, found another user/);
});

test("the service reads the settings that units reads", async (t) => {
  const world = await makeWorld(t);
  const { sandbox, to } = world;
  await addBackup(world, "data", "[schedule]\ncron = 15 4 * * *\n");
  await addBackup(world, "more");
  const defaults = path.join(sandbox.root, "defaults");
  await writeFile(defaults, "JOBS=2\nVERIFY_BUDGET=5M\n");
  const warnings: string[] = [];
  const here = {
    // As from a shell that read the file, and something beside it.
    env: { ...sandbox.env, RCLONE_BACKUPS_DEFAULTS: "defaults", JOBS: "2", VERIFY_BUDGET: "9M" },
    ...{ cwd: sandbox.root, isRoot: true, now: () => new Date() },
    signal: new AbortController().signal,
    events: { warn: (text: string) => void warnings.push(text), detail() {}, progress() {} },
  };
  for (const kind of ["systemd", "cron", "launchd"] as const) {
    const request = { ...{ readOnlySource: true, writable: [], credentials: [] }, user: "root" };
    const started = { node: process.execPath, script: compiled("rclone-backups") };
    const { files } = await makeUnits(
      { ...request, kind, to, started, ...{ dryRun: true, force: false, set: [] } },
      here,
    );
    const callers = files.filter(({ text }) => text.includes("RCLONE_BACKUPS_DIR"));
    assert.ok(callers.length > 0, kind);
    for (const { text } of callers) {
      assert.match(text, /RCLONE_BACKUPS_DEFAULTS/);
      assert.ok(text.includes(defaults), text);
    }
  }
  assert.equal(warnings.length, 3, warnings.join("\n"));
  assert.match(warnings[0] ?? "", /^VERIFY_BUDGET: set in the environment .* write it to /);
});

test("wrong options and configurations are told, and nothing is written", async (t) => {
  const world = await makeWorld(t);
  const { units } = world;
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [["--systemd"], /expected a configuration to run, found none in /],
    [[], /expected --systemd, --cron or --launchd, found none/],
    [["--systemd", "--cron"], /cannot be used with option/],
    [["--cron", "--at", "25:00"], /--at: expected a time such as 03:00, found "25:00"/],
    [["--cron", "--writable", "x"], /--writable: expected an absolute path, found "x"/],
    [["--cron", "--rclone-password", "/x"], /expected credentials with --systemd only/],
    [["--systemd", "--credential", "x"], /--credential: expected NAME:FILE, found "x"/],
    [["--systemd", "--user", "a b"], /--user: expected the name of a user, found "a b"/],
  ];
  for (const [index, [args, message]] of cases.entries()) {
    if (index === 1) await addBackup(world, "data");
    const result = await units(...args);
    assert.equal(result.code, 2, args.join(" "));
    assert.match(result.stderr, message);
  }
  await addBackup(world, "broken", "[nonsense]\n");
  const broken = await units("--systemd");
  assert.equal(broken.code, 2);
  assert.match(broken.stderr, /broken\.conf:4/);
  await assert.rejects(stat(world.to));
});
