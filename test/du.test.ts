import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { lstat, mkdir, readFile, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test } from "node:test";
import * as v from "valibot";
import { startB2, type B2Server } from "./helpers/b2/server.ts";
import { compiled, run, type Result, type RunOptions } from "./helpers/command.ts";
import { startMoto } from "./helpers/moto.ts";
import { eitherRclone, oldRclone, rclones, type Rclone } from "./helpers/rclones.ts";
import type { Scope } from "./helpers/s3server.ts";
import { makeSandbox, emptyPassword, type Sandbox } from "./helpers/sandbox.ts";

type Du = (args: readonly string[], options?: RunOptions) => Promise<Result>;

interface World {
  readonly sandbox: Sandbox;
  readonly du: Du;
}

async function makeWorld(t: Scope, rclone: Rclone = oldRclone): Promise<World> {
  const sandbox = await makeSandbox(t, rclone);
  return {
    sandbox,
    du: async (args, options = {}) =>
      run(process.execPath, [compiled("du"), ...args], {
        cwd: sandbox.root,
        ...options,
        env: { ...sandbox.env, ...options.env },
      }),
  };
}

/** What a good run printed; it told nothing else. */
async function told(result: Promise<Result>): Promise<string> {
  const { code, stdout, stderr } = await result;
  assert.deepEqual([code, stderr], [0, ""]);
  return stdout;
}

/** Bytes that the last line tells, which is that of everything. */
function whole(stdout: string): number {
  const match = /^(\d+) \.$/m.exec(stdout.trimEnd().split("\n").at(-1) ?? "");
  assert.ok(match, stdout);
  return Number(match[1]);
}

/** Three backups: `docs/a.txt` is overwritten twice, and `gone` deleted. */
async function makeVersions(
  { source }: Pick<Sandbox, "source">,
  backUp: () => Promise<unknown>,
): Promise<void> {
  const put = async (name: string, size: number): Promise<void> => {
    const file = path.join(source, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, "x".repeat(size));
  };
  await put("docs/a.txt", 100);
  await put("gone", 1000);
  await put("docs/deep/b", 10);
  await backUp();
  await put("docs/a.txt", 20);
  await rm(path.join(source, "gone"));
  await backUp();
  await put("docs/a.txt", 3);
  await backUp();
}

interface Kept extends World {
  readonly server: B2Server;
}

/** Such a backup through crypt on B2. */
async function makeKept(t: Scope, rclone: Rclone): Promise<Kept> {
  const server = await startB2(t);
  const { sandbox, du } = await makeWorld(t, rclone);
  await writeFile(
    sandbox.rcloneConf,
    `[store]\ntype = b2\naccount = ${server.keyId}\nkey = ${server.key}\nendpoint = ${server.url}\n[secret]\ntype = crypt\nremote = store:${server.bucket}/deep\npassword = ${emptyPassword}\n`,
  );
  await makeVersions(sandbox, async () => {
    const { code, stderr } = await sandbox.runRclone(["sync", sandbox.source, "secret:"]);
    assert.equal(code, 0, stderr);
    server.clock.advance(86_400_000);
  });
  await sandbox.writeConfig("b", `[default]\nsource = ${sandbox.source}\ndestination = secret:\n`);
  return { sandbox, du, server };
}

const made = new Map<Rclone, Promise<Kept>>();
const undone: (() => unknown)[] = [];
after(async () => {
  for (const action of undone.toReversed()) await action();
});

/** The same one for all who only look at it. */
async function lookAtKept(rclone: Rclone): Promise<Kept> {
  const kept =
    made.get(rclone) ?? makeKept({ after: (action) => void undone.push(action) }, rclone);
  made.set(rclone, kept);
  return kept;
}

for (const rclone of rclones) {
  test(`current, deleted and all versions of a backup on B2 (${rclone.version} rclone)`, async () => {
    const { du, sandbox } = await lookAtKept(rclone);
    await checkVersions(du);
    // Any remote will do, without a configuration.
    assert.equal(await told(du(["--all", "secret:docs"])), "10 deep\n133 .\n");
    assert.equal(await told(du(["-d", "0", "-b", "--all", "b"])), "1133 .\n");
    assert.equal(await told(du(["-H", "--all", "--min-size", "1K", "b"])), "  1.1K .\n");
    // Current files as rclone sees them.
    const ls = await sandbox.runRclone(["ls", "secret:"]);
    assert.equal(await told(du(["-"], { input: ls.stdout })), "10 docs/deep\n13 docs\n13 .\n");
  });

  test(`old versions have the names that rclone gives them (${rclone.version} rclone)`, async () => {
    const { du, sandbox } = await lookAtKept(rclone);
    const shown = await sandbox.runRclone(["ls", "--b2-versions", "secret:"]);
    const files = stripped(await told(du(["--files", "--all", "b"])));
    const lines = files.filter((line) => !/ (?:\.|docs|docs\/deep)$/.test(line));
    assert.deepEqual(lines, stripped(shown.stdout));
    assert.equal(lines.length, 5);
    assert.ok(
      lines.every((line) =>
        /^\d+ (?:docs\/(?:deep\/b|a(?:-v2026-01-0\d-\d{6}-\d{3})?\.txt)|gone-v2026-01-01-\d{6}-\d{3})$/.test(
          line,
        ),
      ),
    );
    assert.deepEqual(
      stripped(await told(du(["--files", "b"]))).filter((line) => line.includes("-v")),
      [],
    );
  });
}

/** Lines in an order that does not depend on who wrote them. */
function stripped(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .toSorted();
}

/** The same numbers on every kind of store. */
async function checkVersions(du: Du): Promise<void> {
  assert.equal(await told(du(["b"])), "10 docs/deep\n13 docs\n13 .\n");
  assert.equal(await told(du(["--deleted", "b"])), "120 docs\n1120 .\n");
  assert.equal(await told(du(["--all", "b"])), "10 docs/deep\n133 docs\n1133 .\n");
}

test("current, deleted and all versions of a backup on S3", async (t) => {
  const server = await startMoto(t);
  const { sandbox, du } = await makeWorld(t);
  const remote = [...server.options].map(([key, value]) => `${key} = ${value}\n`).join("");
  await writeFile(
    sandbox.rcloneConf,
    `[store]\n${remote}[secret]\ntype = crypt\nremote = store:bucket/deep\npassword = ${emptyPassword}\n`,
  );
  for (const args of [
    ["mkdir", "store:bucket"],
    ["backend", "versioning", "store:bucket", "Enabled"],
  ])
    assert.equal((await sandbox.runRclone(args)).code, 0);
  await sandbox.writeConfig("b", `[default]\nsource = ${sandbox.source}\ndestination = secret:\n`);
  await makeVersions(sandbox, async () => told(sandbox.backup(["b"])));
  await checkVersions(du);
});

test("current, deleted and all versions of a backup with dated directories", async (t) => {
  const { sandbox, du } = await makeWorld(t);
  await sandbox.writeConfig(
    "b",
    `[default]\nsource = ${sandbox.source}\ndestination = secret:b\n[history]\nkind = dir\n`,
  );
  await makeVersions(sandbox, async () => told(sandbox.backup(["b"])));
  await checkVersions(du);
});

test("live and old together are all, in --json and in lines", async () => {
  const { du } = await lookAtKept(oldRclone);
  const amount = v.object({ bytes: v.number(), files: v.number() });
  const document = v.strictObject({
    version: v.literal(1),
    kind: v.literal("usage"),
    from: v.literal("history"),
    name: v.literal("b"),
    format: v.null(),
    unread: v.literal(0),
    of: v.picklist(["current", "deleted", "all"]),
    sizes: v.literal("plain"),
    prices: v.null(),
    entries: v.array(
      v.strictObject({
        path: v.string(),
        type: v.literal("directory"),
        bytes: v.number(),
        current: amount,
        deleted: amount,
      }),
    ),
  });
  const sums: number[] = [];
  for (const of of ["current", "deleted", "all"] as const) {
    const flags = of === "current" ? [] : [`--${of}`];
    const json = v.parse(document, JSON.parse(await told(du(["--json", ...flags, "b"]))));
    const last = json.entries.at(-1);
    assert.equal(json.of, of);
    assert.equal(last?.path, ".");
    assert.deepEqual(last.current, { bytes: 13, files: 2 });
    assert.deepEqual(last.deleted, { bytes: 1120, files: 3 });
    assert.equal(last.bytes, whole(await told(du([...flags, "b"]))));
    sums.push(last.bytes);
  }
  const [live = 0, old = 0, all = 0] = sums;
  assert.equal(live + old, all);
});

test("the cost counts what is stored", async () => {
  const { du, server } = await lookAtKept(oldRclone);
  const stored = server.versions().reduce((sum, version) => sum + version.contentLength, 0);
  const args = ["-d", "0", "--all", "--cost", "--price-storage", "1000", "b"];
  const money = (stored / 1e9) * 1000;
  assert.equal(await told(du(args)), `${stored} ${money.toPrecision(2)} .\n`);
  const priced = [...args, "--price-files", "2", "--billed-size", "1M", "--json"];
  const json = v.parse(
    v.object({
      sizes: v.literal("stored"),
      prices: v.object({ storage_gb: v.literal(1000), files_1000: v.literal(2) }),
      entries: v.array(
        v.object({
          bytes: v.literal(5 * 1024 * 1024),
          cost: v.object({ current: v.number(), deleted: v.number() }),
        }),
      ),
    }),
    JSON.parse(await told(du(priced))),
  );
  const [entry] = json.entries;
  assert.equal(entry?.cost.current, ((2 * 2 ** 20) / 1e9) * 1000 + (2 / 1000) * 2);
  assert.equal(entry.cost.deleted, ((3 * 2 ** 20) / 1e9) * 1000 + (3 / 1000) * 2);
});

test("a wrong password is told, and foreign names are counted out loud", async (t) => {
  const { du, server, sandbox } = await makeKept(t, oldRclone);
  server.put("deep/not ours", "12345");
  const some = await du(["b"]);
  assert.deepEqual([some.code, some.stdout], [0, "10 docs/deep\n13 docs\n13 .\n"]);
  assert.match(some.stderr, /warning: .*1 version has a name .* not counted: not ours/);
  const { stdout } = await run(oldRclone.path, ["obscure", "another"]);
  const conf = await readFile(sandbox.rcloneConf, "utf8");
  await writeFile(sandbox.rcloneConf, conf.replace(/password = .*/, `password = ${stdout.trim()}`));
  const none = await du(["b"]);
  assert.deepEqual([none.code, none.stdout], [1, ""]);
  assert.match(
    none.stderr,
    /expected names that the password of the crypt remote decrypts, found 0 of .*\n.*hint: wrong password\?/,
  );
});

test("a store without versions tells its current files, and no others", async (t) => {
  const { du, sandbox } = await makeWorld(t);
  await mkdir(path.join(sandbox.source, "d"));
  await writeFile(path.join(sandbox.source, "d/a"), "12345");
  await writeFile(path.join(sandbox.source, "c"), "123");
  await sandbox.writeConfig("b", `[default]\nsource = ${sandbox.source}\ndestination = secret:b\n`);
  assert.equal((await sandbox.backup(["b"])).code, 0);
  assert.equal(await told(du(["b"])), "5 d\n8 .\n");
  assert.equal(await told(du(["secret:b"])), "5 d\n8 .\n");
  const old = await du(["--deleted", "b"]);
  assert.equal(old.code, 2);
  assert.match(old.stderr, /expected a store that keeps old versions/);
  const missing = await du(["secret:nothing"]);
  assert.deepEqual([missing.code, missing.stdout], [1, ""]);
  assert.match(missing.stderr, /destination: expected a directory, found none/);
});

test("it does not look while a backup runs", async (t) => {
  const { sandbox } = await makeWorld(t);
  await writeFile(path.join(sandbox.source, "a"), "12345");
  const env = Object.entries(sandbox.env).map(([key, value]) => `${key}='${value}'`);
  const out = path.join(sandbox.root, "out");
  await sandbox.writeConfig(
    "b",
    `[default]\nsource = ${sandbox.source}\ndestination = secret:b\npre_command = env ${env.join(" ")} ${process.execPath} ${compiled("du")} b 2> ${out}; echo $? >> ${out}\n`,
  );
  assert.equal((await sandbox.backup(["b"])).code, 0);
  assert.match(await readFile(out, "utf8"), /skipped: .*\n(?:.*\n)?75\n$/);
});

for (const rclone of eitherRclone(import.meta.url)) {
  test(`--audit adds up the source under filters and test filters (${rclone.version} rclone)`, async (t) => {
    const { du, sandbox } = await makeWorld(t, rclone);
    const files = { "d/a": 5, "d/old": 70, c: 3, "cache/x": 100, "isos/y": 1000, "b~": 9 };
    for (const [name, size] of Object.entries(files)) {
      const file = path.join(sandbox.source, name);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, "x".repeat(size));
    }
    await utimes(path.join(sandbox.source, "d/old"), 1e9, 1e9);
    await sandbox.writeConfig(
      "b",
      `[default]\nsource = ${sandbox.source}\ndestination = secret:b\n[filters]\n- /cache/**\n[test-filters]\n- /isos/**\n`,
    );
    assert.equal(await told(du(["--audit", "b"])), "75 d\n78 .\n");
    assert.equal(await told(du(["--audit", "--max-age", "7d", "b"])), "5 d\n8 .\n");
    assert.equal(await told(du(["--audit", "--files", "-d1", "b"])), "3 c\n75 d\n78 .\n");
  });
}

test("what of the source can't be read makes the audit fail, after it told the rest", async (t) => {
  const { du, sandbox } = await makeWorld(t);
  await writeFile(path.join(sandbox.source, "a"), "12345");
  await mkdir(path.join(sandbox.source, "closed"), { mode: 0 });
  await sandbox.writeConfig("b", `[default]\nsource = ${sandbox.source}\ndestination = secret:b\n`);
  const { code, stdout, stderr } = await du(["--audit", "b"], { unprivileged: true });
  assert.deepEqual([code, stdout], [1, "5 .\n"]);
  assert.match(stderr, /found 1 place that is not: closed/);
});

test("a listing on standard input", async (t) => {
  const { du } = await makeWorld(t);
  const input = "5 a/b\n3 c\n";
  assert.equal(await told(du(["-"], { input })), "5 a\n8 .\n");
  assert.equal(await told(du(["--files", "-"], { input })), "3 c\n5 a/b\n5 a\n8 .\n");
  assert.equal(await told(du(["-n", "-q", "--format", "plain", "-"], { input })), "5 a\n8 .\n");
  assert.equal(await told(du(["-"], { input: "" })), "0 .\n");
  const verbose = await du(["-v", "-"], { input });
  assert.equal(verbose.stderr, "rclone-du: listing: read as plain\n");
  const partly = await du(["-"], { input: "5 a/b\nhello\u001b[31m\n" });
  assert.deepEqual([partly.code, partly.stdout], [3, "5 a\n5 .\n"]);
  assert.match(partly.stderr, /found 1 that can't be read; the first is line 2: "hello/);
  assert.ok(!partly.stderr.includes("\u001b"));
  const none = await du(["-"], { input: "hello" });
  assert.deepEqual([none.code, none.stdout], [1, ""]);
});

function ncduFile(name: string, size: number): object {
  return { name, asize: size, dsize: size };
}

test("--ncdu writes what ncdu reads, names byte for byte", async (t) => {
  const { du } = await makeWorld(t);
  const name = Buffer.concat([Buffer.from('q"\\'), Buffer.from([0xff, 0x07])]);
  const input = Buffer.concat([Buffer.from("5 d/e/"), name, Buffer.from("\n3 c\n7 d/f\n")]);
  const { code, stdoutBytes } = await du(["--ncdu", "-"], { input });
  assert.equal(code, 0);
  assert.ok(stdoutBytes.includes(Buffer.from([0x71, 0x5c, 0x22, 0x5c, 0x5c, 0xff])));
  const [major, minor, head, tree] = v.parse(
    v.tuple([v.literal(1), v.literal(0), v.looseObject({}), v.array(v.unknown())]),
    JSON.parse(stdoutBytes.toString("latin1")),
  );
  assert.deepEqual([major, minor, head["progname"]], [1, 0, "rclone-du"]);
  assert.deepEqual(tree, [
    ncduFile("listing", 0),
    [ncduFile("d", 0), [ncduFile("e", 0), ncduFile('q"\\\xff\x07', 5)], ncduFile("f", 7)],
    ncduFile("c", 3),
  ]);
});

test("--html writes a whole file or none, and to stdout where no file is named", async (t) => {
  const { du, sandbox } = await makeWorld(t);
  const input = "5 a/b\n";
  assert.equal(await told(du(["--html", "page.html", "-"], { input })), "");
  const page = path.join(sandbox.root, "page.html");
  const text = await readFile(page, "utf8");
  assert.match(text, /^<!doctype html>[^]*<\/html>\n$/);
  assert.equal((await stat(page)).mode & 0o777, 0o600, "names of files are private");
  for (const args of [
    ["--html", "-"],
    ["-", "--html"],
    ["--html=-", "-"],
  ])
    assert.match(await told(du(args, { input })), /^<!doctype html>[^]*<\/html>\n$/);
  const link = path.join(sandbox.root, "link.html");
  await symlink("page.html", link);
  await du(["--html", link, "-"], { input: "7 q/b\n" });
  assert.match(await readFile(page, "utf8"), /"q"/, "what the link leads to is replaced");
  assert.ok((await lstat(link)).isSymbolicLink());
  const standard = path.join(sandbox.root, "stdout");
  await symlink("/proc/self/fd/1", standard);
  const piped = `echo 5 a | '${process.execPath}' '${compiled("du")}' --html '${standard}' - | cat`;
  assert.match(await told(run("sh", ["-c", piped], { env: sandbox.env })), /<\/html>\n$/);
  assert.ok((await lstat(standard)).isSymbolicLink());
  const nowhere = await du(["--html", "no/such/page.html", "-"], { input });
  assert.equal(nowhere.code, 1);
});

test("names are escaped on a terminal, and raw in a pipe", async (t) => {
  const { du, sandbox } = await makeWorld(t);
  const input = "5 x\u202Ey\u009Bz/f\n";
  assert.equal(await told(du(["-"], { input })), "5 x\u202Ey\u009Bz\n5 .\n");
  await writeFile(path.join(sandbox.root, "list"), input);
  const line = `'${process.execPath}' '${compiled("du")}' - < list`;
  const { stdout } = await run("script", ["-qec", line, "/dev/null"], {
    cwd: sandbox.root,
    env: sandbox.env,
  });
  assert.match(stdout, /5 x\\u202ey\\x9bz\r\n5 \.\r\n$/);
});

test("what does not go together is wrong usage", async (t) => {
  const { du } = await makeWorld(t);
  for (const [args, expected] of [
    [[], /expected a backup, a location or -/],
    [["--html", "--json", "-"], /found --html and --json/],
    [["--ncdu", "--json", "-"], /found --ncdu and --json/],
    [["--deleted", "--all", "b"], /cannot be used with/],
    [["--deleted", "-"], /expected --deleted with a backup/],
    [["--all", "--audit", "b"], /expected --all with a backup/],
    [["--audit", "-"], /expected --audit with a backup/],
    [["--max-age", "7d", "b"], /expected --max-age with --audit/],
    [["--format", "ls", "b"], /expected --format with -/],
    [["--format", "xml", "-"], /expected one of ls, tar, rclone-ls, lsjson, plain, found xml/],
    [["--cost", "-"], /expected --price-storage with --cost/],
    [["--price-storage", "1", "-"], /expected prices with --cost/],
    [["--price-storage", "much", "--cost", "-"], /Expected a number/],
    [["--cost", "--price-storage", "1", "--ncdu", "-"], /expected --cost with lines or --json/],
    [["-d", "-1", "-"], /whole number/],
    [["--min-size", "10GB", "-"], /expected a size such as 10G/],
    [["nothing"], /expected a backup's name or the path/],
  ] as const) {
    const { code, stdout, stderr } = await du(args, { input: "5 a\n" });
    assert.deepEqual([code, stdout.startsWith("{") ? "" : stdout], [2, ""], args.join(" "));
    assert.match(stderr, expected);
  }
});

test("^C while standard input says nothing ends it with 130", async (t) => {
  const { sandbox } = await makeWorld(t);
  const child = spawn(process.execPath, [compiled("du"), "-"], {
    env: sandbox.env,
    stdio: ["pipe", "pipe", "ignore"],
  });
  const ended = once(child, "exit");
  // More than a pipe holds: when all of it is taken, the command is reading.
  await new Promise((resolve) => child.stdin.write("5 a\n".repeat(100_000), resolve));
  child.kill("SIGINT");
  assert.deepEqual(await ended, [130, null]);
});
