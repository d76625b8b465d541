import assert from "node:assert/strict";
import { readFile, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { backupOnTerminal, controlsIn, erase } from "./helpers/fault-pty.ts";
import { fillSource, inNamespace, writeHome } from "./helpers/fault.ts";
import { compiled, run } from "./helpers/command.ts";
import { eitherRclone, rclones } from "./helpers/rclones.ts";
import { makeSandbox, type Sandbox } from "./helpers/sandbox.ts";

/*
 * What reaches stdout, stderr and a terminal: nothing when all is well and nothing was asked,
 * results on stdout, all else on stderr, every line with the command's name.
 */

/** Every line but those that go on with the one before begins with the command's name. */
function assertLabelled(stderr: string): void {
  for (const line of stderr.trimEnd().split("\n"))
    assert.match(line, /^(rclone-backup: (error|hint|warning|skipped)?| {2}\S)/);
}

for (const rclone of rclones) {
  test(`-v tells each file and the sum, -q keeps warnings back (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    await writeHome(sandbox, "post_command = exit 1\n");
    await fillSource(sandbox, { a: 1 });
    const verbose = await sandbox.backup(["-v", "home"]);
    assert.equal(verbose.stdout, "");
    assert.match(verbose.stderr, /^rclone-backup: a: Copied \(new\)$/m);
    assert.match(verbose.stderr, /^rclone-backup: warning: post_command: /m);
    assert.match(verbose.stderr, /^rclone-backup: done with warnings: 1 file .* 1 new \(1 B\)/m);
    assertLabelled(verbose.stderr);
    const usual = await sandbox.backup(["home"]);
    assert.match(usual.stderr, /^rclone-backup: warning: post_command: [^\n]*\n$/);
    const quiet = await sandbox.backup(["-q", "home"]);
    assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr], [0, "", ""]);
    await rm(sandbox.source, { recursive: true });
    const refused = await sandbox.backup(["-q", "home"]);
    assert.equal(refused.code, 5);
    assert.match(refused.stderr, /^rclone-backup: error: source: expected the directory/);
  });

  test(`--json is one document whose exit code is the command's (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    await writeHome(sandbox, "[guards]\nmax_delete = 1\n[filters]\n- /no/**\n");
    await fillSource(sandbox, { a: 1, b: 2, c: 3, d: 4 });
    const document = async (
      args: readonly string[],
      kind: string,
      code: number,
      options = {},
    ): Promise<Record<string, unknown>> => {
      const result = await sandbox.backup(["--json", ...args], options);
      const shown = `${args.join(" ")}: ${result.stderr}${result.stdout}`;
      assert.equal(result.code, code, shown);
      assert.equal(result.stdout.split("\n").length, 2, shown);
      const value: unknown = JSON.parse(result.stdout);
      assert.ok(typeof value === "object" && value !== null, shown);
      const fields: Record<string, unknown> = { ...value };
      assert.equal(fields["version"], 1, shown);
      assert.equal(fields["kind"], kind, shown);
      if ("exit_code" in fields) assert.equal(fields["exit_code"], code, shown);
      return fields;
    };
    assert.equal((await document(["-n", "home"], "backup", 0))["dry_run"], true);
    const good = await document(["home"], "backup", 0);
    assert.deepEqual(good["deleted"], 0);
    assert.equal(good["message"], null);
    assert.deepEqual((await document(["--verify", "all", "home"], "verify", 0))["verified"], {
      files: 4,
      bytes: 10,
    });
    await document(["--newest", "home"], "newest", 0);
    assert.deepEqual((await document(["--filters", "home"], "filters", 0))["rules"], [
      ...["- *~", "- .#*", "- /no/**"],
    ]);
    for (const name of ["a", "b"]) await rm(path.join(sandbox.source, name));
    const refused = await document(["home"], "backup", 5);
    assert.equal(refused["outcome"], "refused");
    assert.match(String(refused["refused_plan"]), /^[0-9a-f]{12}$/);
    assert.match(String(refused["hint"]), /--allow-refused-plan/);
    await fillSource(sandbox, { a: 1, b: 2 });
    await writeFile(path.join(sandbox.source, "barred"), "", { mode: 0 });
    const partial = await document(["home"], "backup", 3, { unprivileged: true });
    assert.equal(partial["failure_count"], 1);
    assert.equal((await document(["nowhere"], "error", 2))["outcome"], "usage");
    const listed = await sandbox.backup(["--json", "--ls", "home"]);
    const lines = listed.stdout.trimEnd().split("\n");
    assert.deepEqual(
      lines.map((line) => {
        const value: unknown = JSON.parse(line);
        assert.ok(typeof value === "object" && value !== null && "path" in value);
        assert.ok("size" in value && "modified" in value);
        return value.path;
      }),
      ["a", "b", "barred", "c", "d"],
    );
    // A difference, by a stored file of the same size and time.
    await damageOne(sandbox);
    // In the last block: not every rclone tells that from a broken connection.
    const difference = await document(["--verify", "all", "home"], "verify", 4);
    assert.ok(Array.isArray(difference["differences"]));
    assert.equal(difference["differences"].length, 1);
  });

  // What follows is decided here, whatever the version of rclone is.
  if (!eitherRclone(import.meta.url).includes(rclone)) continue;

  test(`nothing is printed on a good run, whatever it did (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    await writeHome(sandbox);
    await fillSource(sandbox, { a: 1, b: 2, c: 3, d: 4 });
    await symlink("a", path.join(sandbox.source, "link"));
    for (const prepare of [
      async () => {},
      async () => {},
      async () => fillSource(sandbox, { a: 5, e: 6 }),
      async () => rm(path.join(sandbox.source, "b")),
    ]) {
      await prepare();
      const { code, stdout, stderr } = await sandbox.backup(["home"]);
      assert.deepEqual([code, stdout, stderr], [0, "", ""]);
    }
  });

  test(`the status line is on a terminal only, and gone at the end (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    await writeHome(sandbox, "[rclone]\nbwlimit = 512k\n");
    await fillSource(sandbox, { big: 1_500_000, b: 1, c: 1 });
    const shown = await backupOnTerminal(sandbox, ["home"]);
    assert.equal(shown.code, 0, shown.stdout);
    assert.ok(shown.stdout.includes(`${erase}syncing  `), shown.stdout);
    assert.deepEqual(controlsIn(shown.stdout), []);
    assert.equal(shown.stdout.split(erase).at(-1), "", "it was erased");
    for (const line of shown.stdout.split(erase)) assert.ok(line.length < 80, line);

    await fillSource(sandbox, { big: 1_500_001 });
    const piped = await sandbox.backup(["home"]);
    assert.deepEqual([piped.code, piped.stdout, piped.stderr], [0, "", ""]);
    for (const [args, env] of [
      [["-q", "home"], {}],
      [["home"], { TERM: "dumb" }],
    ] as const) {
      const none = await backupOnTerminal(sandbox, args, { env });
      assert.equal(none.stdout, "", args.join(" "));
    }
  });
}

async function damageOne(sandbox: Sandbox): Promise<void> {
  const { stdout } = await sandbox.runRclone([
    ...["lsf", "--files-only", "--format", "ps", "--separator", "\t"],
    path.join(sandbox.store, "secret"),
  ]);
  const [name = ""] =
    stdout
      .split("\n")
      .find((line) => line.endsWith("\t52"))
      ?.split("\t") ?? [];
  const file = path.join(sandbox.store, "secret", name);
  const script = `f=$1; t=$(stat -c %y "$f"); printf X | dd of="$f" bs=1 seek=51 conv=notrunc status=none; touch -d "$t" "$f"`;
  const { code, stderr } = await run("sh", ["-c", script, "sh", file]);
  assert.equal(code, 0, stderr);
}

test("colours: on a terminal, not with NO_COLOR, and as --color says", async (t) => {
  const sandbox = await makeSandbox(t);
  const colored = "rclone-backup: \u001B[31merror\u001B[0m: ";
  const plain = "rclone-backup: error: ";
  const args = ["nowhere"];
  assert.ok((await backupOnTerminal(sandbox, args)).stdout.startsWith(colored));
  const env = { NO_COLOR: "1" };
  assert.ok((await backupOnTerminal(sandbox, args, { env })).stdout.startsWith(plain));
  // An empty one does not count, says no-color.org.
  const empty = { NO_COLOR: "" };
  assert.ok((await backupOnTerminal(sandbox, args, { env: empty })).stdout.startsWith(colored));
  assert.ok((await backupOnTerminal(sandbox, ["--color=never", ...args])).stdout.startsWith(plain));
  assert.ok((await sandbox.backup(args)).stderr.startsWith(plain));
  assert.ok((await sandbox.backup(["--color=always", ...args])).stderr.startsWith(colored));
});

test("a reader that goes away is no crash", async (t) => {
  const sandbox = await makeSandbox(t);
  await writeHome(sandbox);
  for (let at = 0; at < 3000; at += 1)
    await writeFile(path.join(sandbox.source, `file ${at} ${"x".repeat(100)}`), "");
  const shell = async (script: string): ReturnType<typeof run> =>
    run("bash", ["-c", `set -o pipefail; ${script}`, process.execPath, compiled("rclone-backup")], {
      env: sandbox.env,
      cwd: sandbox.root,
    });
  const listed = await shell('"$0" "$1" --ls home | head -1');
  assert.deepEqual([listed.code, listed.stderr], [0, ""]);
  assert.match(listed.stdout, /^ +0 file 0 x+\n$/);
  const gone = await shell('"$0" "$1" --ls home | true');
  assert.deepEqual([gone.code, gone.stderr], [0, ""]);
  const help = await shell('"$0" "$1" --help | true');
  assert.deepEqual([help.code, help.stderr], [0, ""]);
  // Nobody reads the errors: the exit code is what is left.
  const errors = await shell('"$0" "$1" -vv home 2> >(head -c 1 >/dev/null)');
  assert.equal(errors.code, 0);
  const closed = await shell('"$0" "$1" nowhere 2>&-');
  assert.equal(closed.code, 2);
});

test("a result that can't be written is a failure", async (t) => {
  const sandbox = await makeSandbox(t);
  await writeHome(sandbox);
  await fillSource(sandbox, { a: 1 });
  const results = await inNamespace(
    sandbox,
    `for mode in "--json home" "--ls home" "--newest home" "--json nowhere"; do
       code=0; "$NODE" "$CLI" $mode >/dev/full 2>"$ROOT/err" || code=$?
       echo "$code $(cat "$ROOT/err")" >>"$ROOT/full"
     done`,
  );
  assert.deepEqual(results, []);
  const lines = (await readFile(path.join(sandbox.root, "full"), "utf8")).trimEnd();
  const failures = lines.match(/^1 rclone-backup: error: cannot write standard output: .*ENOSPC/gm);
  assert.equal(failures?.length, 3, lines);
  assert.match(lines, /^2 rclone-backup: error: .*nowhere/m);
});
