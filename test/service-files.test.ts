import assert from "node:assert/strict";
import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import * as fc from "fast-check";
import { SaxesParser } from "saxes";
import { Failure } from "../lib/errors.ts";
import { cronFiles, cronLines } from "../lib/service/cron.ts";
import { launchdFiles } from "../lib/service/launchd.ts";
import { logrotateFile, newsyslogFile } from "../lib/service/logrotate.ts";
import type { ServiceFile, ServiceOptions } from "../lib/service/options.ts";
import { sealOf } from "../lib/service/seal.ts";
import { systemdFiles } from "../lib/service/systemd.ts";
import { shellWords } from "../lib/units/shellwords.ts";
import { projectRoot, run } from "./helpers/command.ts";
import { makeSandbox } from "./helpers/sandbox.ts";
import { packagedOptions, plainOptions } from "./helpers/service.ts";
import { tool } from "./helpers/tools.ts";

/* The texts that start backups by time, read by the programs that they are for. */

const awkward = "/mnt/a b\"c'd\\e%f$g;h#i&<j>";
const names = (files: readonly ServiceFile[]): string[] => files.map((file) => file.path);
const lines = (files: readonly ServiceFile[], name: string): string[] =>
  files.find((file) => file.path.endsWith(name))?.text.split("\n") ?? [];

const machines: Readonly<Record<string, Partial<ServiceOptions>>> = {
  root: {},
  "another user": {
    user: "backup",
    env: { RCLONE_BACKUPS_STATE: "/srv/state" },
    state: "/srv/state",
    credentials: [{ name: "rclone-password", file: "/etc/rclone password" }],
  },
  "the whole machine": { access: { used: ["/", "/mnt/backup"], writable: ["/"] } },
  "mail of this machine": { localMail: true },
  "awkward names": {
    env: { RCLONE_BACKUPS_DIR: awkward },
    access: { used: [awkward], writable: [awkward] },
    logFile: "/var/log/rclone-backups/a b.log",
  },
  "a user's own units": { scope: "user", home: "/home/ann" },
};

/** Writes units so that systemd-analyze finds the program that they start. */
async function unitDirectory(t: TestContext, options: ServiceOptions): Promise<string> {
  const { root, bin } = await makeSandbox(t);
  const program = path.join(bin, "rclone-backups");
  await writeFile(program, "#!/bin/sh\n", { mode: 0o755 });
  await mkdir(path.join(root, "units"));
  for (const file of systemdFiles({ ...options, command: [program] }))
    await writeFile(path.join(root, "units", path.basename(file.path)), file.text);
  return path.join(root, "units");
}

/** The most that a service may be exposed, from 0 to 10, as systemd counts it. */
const thresholds: Readonly<Record<string, number>> = {
  root: 3.2,
  "another user": 2.4,
  "the whole machine": 3.7,
  "awkward names": 3.2,
};

for (const [name, changes] of Object.entries(machines)) {
  test(`systemd reads the units without a complaint: ${name}`, async (t) => {
    const options = { ...plainOptions, schedules: "some" as const, ...changes };
    const units = await unitDirectory(t, options);
    const files = systemdFiles(options).map((file) => path.basename(file.path));
    assert.equal(files.length, 4);
    const verified = await run(
      tool("systemd-analyze"),
      ["verify", "--man=no", "--recursive-errors=no", ...files.map((file) => `./${file}`)],
      { cwd: units },
    );
    assert.deepEqual([verified.code, verified.stdout, verified.stderr], [0, "", ""]);
    const threshold = thresholds[name];
    if (threshold === undefined) return;
    const security = await run(
      tool("systemd-analyze"),
      [
        "security",
        "--offline=true",
        `--threshold=${threshold * 10}`,
        "--no-pager",
        "./rclone-backups.service",
      ],
      { cwd: units },
    );
    assert.equal(security.code, 0, security.stdout);
  });
}

const service = (changes: Partial<ServiceOptions>): string[] =>
  lines(systemdFiles({ ...plainOptions, ...changes }), "rclone-backups.service");

test("a service sees every file that it backs up, and may write where a backup writes", () => {
  const plain = service({});
  for (const line of [
    "Type=notify",
    "NotifyAccess=all",
    "SuccessExitStatus=75",
    "KillMode=mixed",
    "TimeoutStartSec=infinity",
    "ProtectSystem=strict",
    "ReadOnlyPaths=/run",
    "ReadWritePaths=-/mnt/backup",
    "ReadWritePaths=-/srv/data",
    "StateDirectory=rclone-backups",
    "PrivateTmp=yes",
    "ProtectKernelModules=yes",
  ])
    assert.ok(plain.includes(line), line);
  // Mounts are told by /dev/disk/by-uuid, owners by the real users.
  assert.ok(!plain.some((line) => /^Private(Devices|Users)=|^MemoryDeny/.test(line)));

  const inTmp = service({ access: { used: ["/tmp/x"], writable: [] } });
  assert.ok(!inTmp.includes("PrivateTmp=yes"));
  assert.ok(inTmp.includes("ProtectKernelModules=yes"));
  assert.ok(inTmp.includes("ProtectSystem=strict"));
  assert.ok(!inTmp.some((line) => line.startsWith("ReadWritePaths=")));
  const inRun = service({ access: { used: ["/run/media/disk"], writable: ["/run"] } });
  assert.ok(inRun.includes("ReadWritePaths=-/run"));
  assert.ok(!inRun.includes("ReadOnlyPaths=/run"));
  const modules = service({ access: { used: ["/usr"], writable: [] } });
  assert.ok(!modules.includes("ProtectKernelModules=yes"));
  const all = service({ access: { used: ["/"], writable: ["/"] } });
  assert.ok(all.includes("ProtectSystem=full"));
  assert.ok(!all.some((line) => /^(Read(Write|Only)Paths|ProtectHome|PrivateTmp)=/.test(line)));

  const spool = "ReadWritePaths=-/var/spool/postfix/maildrop";
  assert.ok(!plain.includes(spool));
  assert.ok(service({ localMail: true }).includes(spool));

  const other = service({ user: "backup", state: "/srv/state" });
  assert.ok(other.includes("AmbientCapabilities=CAP_DAC_READ_SEARCH"));
  assert.ok(other.includes("ReadWritePaths=-/srv/state"));
  assert.ok(!other.some((line) => line.startsWith("StateDirectory=")));
});

test("a password is handed over as a credential, and its file is named to the backups", () => {
  const credentials = [
    { name: "rclone-password", file: "/etc/pw" },
    { name: "hook", file: "/etc/hook" },
  ];
  const text = service({ credentials });
  assert.ok(text.includes("LoadCredential=rclone-password:/etc/pw"));
  assert.ok(text.includes("LoadCredential=hook:/etc/hook"));
  assert.ok(text.includes("Environment=RCLONE_BACKUPS_RCLONE_PASSWORD=file:%d/rclone-password"));
});

test("what runs when follows the schedules of the configurations", () => {
  const units = (schedules: ServiceOptions["schedules"]): string[] =>
    names(systemdFiles({ ...plainOptions, schedules })).map((name) => path.basename(name));
  const daily = ["rclone-backups.service", "rclone-backups.timer"];
  const due = ["rclone-backups-due.service", "rclone-backups-due.timer"];
  assert.deepEqual(units("none"), daily);
  assert.deepEqual(units("all"), due);
  assert.deepEqual(units("some"), [...daily, ...due]);
  const some = { ...plainOptions, schedules: "some" as const, at: { hour: 1, minute: 5 } };
  const files = systemdFiles(some);
  assert.ok(lines(files, "rclone-backups.timer").includes("OnCalendar=*-*-* 01:05:00"));
  assert.ok(lines(files, "rclone-backups.timer").includes("Persistent=yes"));
  assert.ok(lines(files, "backups-due.timer").includes("OnCalendar=*:0/15"));
  assert.ok(
    lines(files, "backups-due.service").includes("ExecStart=/usr/bin/rclone-backups run --due"),
  );
  assert.deepEqual(names(cronFiles({ ...plainOptions, schedules: "all" })), [
    "/etc/cron.d/rclone-backups",
  ]);
  assert.deepEqual(cronLines(some).slice(-2), [
    "5 1 * * * exec /usr/bin/rclone-backups run",
    "6-59/15 * * * * exec /usr/bin/rclone-backups run --due",
  ]);
  const late = cronLines({ ...some, at: { hour: 1, minute: 59 } });
  assert.match(late.at(-1) ?? "", /^0-59\/15 /, "four times an hour, whatever the minute");
  assert.deepEqual(cronFiles({ ...plainOptions, scope: "user" }), []);
});

test("a file tells whether it was edited, whatever its text", () => {
  const files = [
    ...systemdFiles(plainOptions),
    ...cronFiles({ ...plainOptions, schedules: "some" }),
    ...launchdFiles(plainOptions),
    logrotateFile("/var/log/x", plainOptions),
    newsyslogFile("/var/log/x", plainOptions),
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...files),
      fc.nat(),
      fc.string({ minLength: 1 }),
      (file, at, add) => {
        assert.equal(sealOf(file.text), "whole");
        const place = at % file.text.length;
        const edited = file.text.slice(0, place) + add + file.text.slice(place);
        assert.notEqual(sealOf(edited), "whole");
      },
    ),
  );
  assert.equal(sealOf("[Unit]\n"), "none");
});

test("no name can begin a line of its own", () => {
  const broken = "/srv/a\nExecStartPre=/bin/rm";
  const changes: Partial<ServiceOptions>[] = [
    { env: { RCLONE_BACKUPS_DIR: broken } },
    { command: [broken] },
    { user: broken },
  ];
  for (const change of changes) {
    const options = { ...plainOptions, at: { hour: 1, minute: 1 }, ...change };
    for (const make of [systemdFiles, cronFiles, launchdFiles])
      assert.throws(() => make(options), Failure, JSON.stringify(change));
  }
  assert.throws(() => logrotateFile(broken, plainOptions), Failure);
  assert.throws(() => newsyslogFile(broken, plainOptions), Failure);
  const access = { used: [broken], writable: [broken] };
  assert.throws(() => systemdFiles({ ...plainOptions, access }), Failure);
});

/** A program on PATH that tells how it was called, and ends with $CODE. */
async function double(t: TestContext): Promise<{ root: string; program: string }> {
  const { root, bin } = await makeSandbox(t);
  const program = path.join(bin, "rclone-backups");
  await writeFile(
    program,
    '#!/bin/sh\n[ -z "$SAY" ] || echo "$SAY"\nprintf "%s\\n" "$# $* in $RCLONE_BACKUPS_DIR" >"${0%/*}/called"\nexit "${CODE:-0}"\n',
  );
  await chmod(program, 0o755);
  return { root, program };
}

test("the script of cron.daily is silent when all is well, and hands on output and exit code", async (t) => {
  const { root, program } = await double(t);
  const env = { RCLONE_BACKUPS_DIR: awkward };
  const [file] = cronFiles({ ...plainOptions, env, command: [program] });
  assert.equal(file?.path, "/etc/cron.daily/z-rclone-backups");
  assert.equal(file.mode, 0o755);
  const script = path.join(root, "z-rclone-backups");
  await writeFile(script, file.text, { mode: file.mode });
  assert.equal((await run("sh", ["-n", script])).code, 0);
  const good = await run(script, [], { env: { SAY: "" }, cwd: "/" });
  assert.deepEqual([good.code, good.stdout, good.stderr], [0, "", ""]);
  assert.equal(await readFile(path.join(root, "bin/called"), "utf8"), `1 run in ${awkward}\n`);
  const bad = await run(script, [], { env: { SAY: "data: failed", CODE: "3" }, cwd: "/" });
  assert.deepEqual([bad.code, bad.stdout], [3, "data: failed\n"]);
});

test("with a log, cron hears only that something was wrong", async (t) => {
  const { root, program } = await double(t);
  const logFile = path.join(root, "a 'log'");
  const [file] = cronFiles({ ...plainOptions, logFile, command: [program] });
  const go = async (env: Record<string, string>): ReturnType<typeof run> =>
    run("sh", ["-c", file?.text ?? ""], { env });
  const good = await go({ SAY: "done" });
  assert.deepEqual([good.code, good.stdout, good.stderr], [0, "", ""]);
  const bad = await go({ SAY: "broken", CODE: "1" });
  assert.deepEqual([bad.code, bad.stdout], [1, ""]);
  assert.equal(bad.stderr, `rclone-backups: exit code 1, see ${logFile}\n`);
  const skipped = await go({ SAY: "skipped", CODE: "75" });
  assert.deepEqual(
    [skipped.code, skipped.stderr !== ""],
    [75, true],
    "a whole day is worth a mail",
  );
  assert.equal(await readFile(logFile, "utf8"), "done\nbroken\nskipped\n");

  // Every quarter of an hour it is not.
  const table = cronLines({ ...plainOptions, schedules: "all", logFile, command: [program] });
  const [, command = ""] = /^\S+ \* \* \* \* (.*)$/.exec(table.at(-1) ?? "") ?? [];
  const ended = async (code: string): Promise<unknown[]> => {
    const result = await run("sh", ["-c", command], { env: { SAY: "", CODE: code } });
    return [result.code, result.stdout, result.stderr];
  };
  assert.deepEqual(await ended("0"), [0, "", ""]);
  assert.deepEqual(await ended("75"), [75, "", ""]);
  assert.deepEqual(await ended("5"), [5, "", `rclone-backups: exit code 5, see ${logFile}\n`]);
});

test("a line of a crontab runs the command, percent signs and all", async (t) => {
  const { root, program } = await double(t);
  const strange = path.join(root, "bin", "100% $HOME");
  await writeFile(strange, await readFile(program, "utf8"), { mode: 0o755 });
  const [file] = cronFiles({ ...plainOptions, schedules: "all", command: [strange] });
  const [line = ""] = file?.text.trimEnd().split("\n").slice(-1) ?? [];
  const [, command = ""] = /^1-59\/15 \* \* \* \* root (.*)$/.exec(line) ?? [];
  // cron ends a command at a percent sign, and takes the backslash before one away.
  assert.doesNotMatch(command, /(?<!\\)%/);
  const ran = await run("sh", ["-c", command.replaceAll(String.raw`\%`, "%")], {
    env: { SAY: "" },
  });
  assert.equal(ran.code, 0, ran.stderr);
  assert.equal(await readFile(path.join(root, "bin/called"), "utf8"), "2 run --due in \n");
});

/** A property list as values, as plutil would print it. */
function readPlist(text: string): unknown {
  const stack: unknown[][] = [];
  let chars = "";
  let result: unknown;
  const parser = new SaxesParser();
  const put = (value: unknown): void => {
    const top = stack.at(-1);
    if (top === undefined) result = value;
    else top.push(value);
  };
  parser.on("error", (error) => {
    throw error;
  });
  parser.on("text", (more) => (chars += more));
  parser.on("opentag", ({ name }) => {
    chars = "";
    if (name === "dict" || name === "array") stack.push([]);
  });
  parser.on("closetag", ({ name }) => {
    if (name === "key" || name === "string") put(chars);
    else if (name === "integer") put(Number(chars));
    else if (name === "true" || name === "false") put(name === "true");
    else if (name === "array") put(stack.pop());
    else if (name === "dict") {
      const items = stack.pop() ?? [];
      assert.equal(items.length % 2, 0);
      put(
        Object.fromEntries(
          items.flatMap((item, index) =>
            index % 2 === 0 ? [[String(item), items[index + 1]]] : [],
          ),
        ),
      );
    } else assert.equal(name, "plist");
  });
  parser.write(text).close();
  return result;
}

test("a property list is well formed and holds what launchd needs", () => {
  const options = { ...plainOptions, schedules: "some" as const, command: [awkward] };
  const [daily, due] = launchdFiles(options).map((file) => readPlist(file.text));
  assert.deepEqual(daily, {
    Label: "local.rclone-backups",
    ProgramArguments: [awkward, "run"],
    UserName: "root",
    EnvironmentVariables: {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      RCLONE_BACKUPS_DIR: "/etc/rclone-backups",
    },
    StartCalendarInterval: { Hour: 3, Minute: 0 },
    ProcessType: "Background",
    LowPriorityIO: true,
    Nice: 10,
    Umask: 63,
    ExitTimeOut: 120,
    StandardOutPath: "/var/log/rclone-backups.log",
    StandardErrorPath: "/var/log/rclone-backups.log",
  });
  assert.ok(typeof due === "object" && due !== null && "StartInterval" in due);
  assert.equal(due.StartInterval, 900);
  assert.deepEqual(names(launchdFiles({ ...options, scope: "user", home: "/Users/ann" })), [
    "/Users/ann/Library/LaunchAgents/local.rclone-backups.plist",
    "/Users/ann/Library/LaunchAgents/local.rclone-backups-due.plist",
  ]);
});

test("logs are kept small, names with blanks too", async (t) => {
  const { text } = logrotateFile('/var/log/a "b".log', plainOptions);
  assert.match(text, /^"\/var\/log\/a \\"b\\"\.log" \{\n(?: {4}[a-z]+(?: [\w]+){0,2}\n)+\}\n$/m);
  const { root } = await makeSandbox(t);
  const file = path.join(root, "rotate");
  await writeFile(file, text);
  const found = await run("sh", ["-c", "command -v logrotate"], {
    env: { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin` },
  });
  if (found.code === 0) {
    const checked = await run(found.stdout.trim(), ["-d", "-s", path.join(root, "s"), file]);
    assert.equal(checked.code, 0, checked.stderr);
  }
  assert.match(
    newsyslogFile("/var/log/a b.log", plainOptions).text,
    /^\/var\/log\/a\\ b\.log root: 600 8 \* \$W0D0 JN$/m,
  );
});

test("the files in cron/ are what units writes for a machine that it doesn't know", async () => {
  const files = [...systemdFiles(packagedOptions), ...cronFiles(packagedOptions)];
  assert.equal(files.length, 3);
  for (const file of files) {
    const packaged = path.join(projectRoot, "cron", path.basename(file.path));
    assert.equal(await readFile(packaged, "utf8"), file.text);
    assert.equal((await stat(packaged)).mode & 0o111, file.mode & 0o111);
    assert.ok(file.text.length < 1500, "a thin caller");
  }
});

test("words are quoted as a shell reads them", async () => {
  const words = ["a b", awkward, "", "plain"];
  const result = await run("sh", ["-c", `printf '%s\\n' ${shellWords(words)}`]);
  assert.equal(result.stdout, `${words.join("\n")}\n`);
});
