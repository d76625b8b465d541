import assert from "node:assert/strict";
import { chmod, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import * as fc from "fast-check";
import { namedByRule, RuleMerger, ruleFor } from "../lib/packages/rules.ts";
import { projectRoot, run, type Result, type RunOptions } from "./helpers/command.ts";
import {
  addPacman,
  digest,
  dpkg,
  installDeb,
  makeDpkgRoot,
  writeFiles,
} from "./helpers/packages.ts";
import { blocksOf, readPage } from "./helpers/pages.ts";
import { rclones } from "./helpers/rclones.ts";
import { makeSandbox, type Sandbox } from "./helpers/sandbox.ts";

/* Which files of packages are left out of a backup, and by which rules. */

interface Machine extends Sandbox {
  /** Where the system is. */
  readonly system: string;
  filter: (args: readonly string[], options?: RunOptions) => Promise<Result>;
  /** What rclone still sees below a directory under these rules, sorted. */
  left: (rules: string, below?: string, rclone?: string) => Promise<string[]>;
}

const program = path.join(projectRoot, "dist/exporters/pkg-filter.js");

async function makeMachine(t: TestContext): Promise<Machine> {
  const sandbox = await makeSandbox(t);
  const system = path.join(sandbox.root, "system");
  await mkdir(system);
  return {
    ...sandbox,
    system,
    filter: async (args, options = {}) =>
      run(process.execPath, [program, ...args], {
        ...options,
        env: { ...sandbox.env, ...options.env },
      }),
    left: async (rules, below = system, rclone = sandbox.rclone.path) => {
      const file = path.join(sandbox.root, "rules");
      await writeFile(file, rules);
      const listed = await run(
        rclone,
        ["lsf", "-R", "--files-only", "--filter-from", file, below],
        {
          env: sandbox.env,
        },
      );
      assert.equal(listed.code, 0, listed.stderr);
      return listed.stdout.split("\n").slice(0, -1).toSorted();
    },
  };
}

const shipped = {
  "bin/program": "program\n",
  "usr/bin/patched": "as shipped\n",
  "usr/share/a b/[x]*{1}, ä ": "a strange name\n",
  "etc/kept.conf": "as shipped\n",
  "etc/changed.conf": "as shipped\n",
  "usr/lib/diverted": "as shipped\n",
  "usr/lib/link": "a file\n",
};

async function makeDebian(t: TestContext): Promise<Machine> {
  const machine = await makeMachine(t);
  const { system, root } = machine;
  await makeDpkgRoot(system);
  await installDeb(root, system, "sample", shipped, ["/etc/kept.conf", "/etc/changed.conf"]);
  await installDeb(root, system, "gone", { "etc/gone.conf": "x\n", "usr/gone": "x\n" }, [
    "/etc/gone.conf",
  ]);
  // Removed, but not purged: no package would bring its configuration back.
  await dpkg(system, "--remove", "gone");
  await writeFiles(system, {
    "usr/bin/patched": "patched\n!!",
    "etc/changed.conf": "mine, mine\n",
    "usr/local/own": "own",
  });
  await run("dpkg-divert", ["--root", system, "--local", "--rename", "--add", "/usr/lib/diverted"]);
  await rm(path.join(system, "usr/lib/link"));
  await symlink("diverted.distrib", path.join(system, "usr/lib/link"));
  return machine;
}

/** Everything there but dpkg's own files. */
const own = (names: readonly string[]): string[] =>
  names.filter((name) => !/^var\/lib\/dpkg|^dpkg\.log/.test(name));

const notOwned = ["etc/changed.conf", "etc/gone.conf", "usr/bin/patched", "usr/local/own"];

test("dpkg: what nobody changed is left out, by every rclone, as single rules and merged", async (t) => {
  const machine = await makeDebian(t);
  for (const merge of [[], ["--merge"]]) {
    const { code, stdout, stderr } = await machine.filter(["--root", machine.system, ...merge]);
    assert.equal(code, 0, stderr);
    assert.equal(stderr, "");
    assert.equal(stdout.split("\n").length - 1, merge.length === 0 ? 4 : 1, stdout);
    for (const { path: rclone } of rclones)
      assert.deepEqual(own(await machine.left(stdout, machine.system, rclone)), notOwned);
  }
  const told = await machine.filter(["-vv", "--root", machine.system]);
  assert.match(told.stderr, /4 files of packages left out \(.*\), 2 changed, 1 not a file/);
  assert.match(told.stderr, /changed: .*\/etc\/changed\.conf/);
});

test("rules begin at the source, and keep to the directories that are asked for", async (t) => {
  const { system, filter, left } = await makeDebian(t);
  const inside = await filter(["--root", system, "--source", `${system}/etc`]);
  assert.equal(inside.stdout, "- /kept.conf\n");
  assert.deepEqual(await left(inside.stdout, `${system}/etc`), ["changed.conf", "gone.conf"]);
  const above = await filter(["--root", system, "--source", path.dirname(system), `${system}/bin`]);
  assert.equal(above.stdout, "- /system/usr/bin/program\n");
  const json = await filter(["--json", "--root", system, `${system}/etc`]);
  assert.deepEqual(JSON.parse(json.stdout), {
    path: "etc/kept.conf",
    size: 11,
    manager: "dpkg",
    package: "sample",
    rule: "- /etc/kept.conf",
  });
});

test("docs/pkg-filter.md: a configuration extends the rules that its script writes", async (t) => {
  const machine = await makeDebian(t);
  const { system, config, bin } = machine;
  await writeFile(
    path.join(bin, "pkg-filter"),
    `#!/bin/sh\nexec '${process.execPath}' '${program}' --root '${system}' "$@"\n`,
    { mode: 0o755 },
  );
  const [script, page] = ["sh", "ini"].map((kind) => {
    const block = blocksOf("docs/pkg-filter.md").find((each) => each.kind === kind);
    assert.ok(block !== undefined);
    return block.text.replaceAll("/var/lib/rclone-backups", config);
  });
  const written = await run("sh", ["-ec", script ?? ""], { env: machine.env });
  assert.equal(written.code, 0, written.stderr);
  const text = (page ?? "").replace(/^source = .*/m, `source = ${system}`);
  await machine.writeConfig("x", `${text}\n- /var/**\n- /dpkg.log\n`);
  const listed = await machine.backup(["--ls", "x"]);
  assert.equal(listed.code, 0, listed.stderr);
  assert.deepEqual(
    listed.stdout
      .split("\n")
      .slice(0, -1)
      .map((line) => line.trim().replace(/^\d+ /, "")),
    notOwned,
  );
});

test("docs/pkg-filter.md has the options of --help that are its own", async (t) => {
  const { filter } = await makeMachine(t);
  const { stdout } = await filter(["--help"]);
  const documented = [...readPage("docs/pkg-filter.md").matchAll(/^- `(--[a-z]+)/gm)].map(
    ([, name]) => name,
  );
  assert.deepEqual(documented, ["--manager", "--root", "--source", "--merge", "--json"]);
  for (const name of documented) assert.ok(stdout.includes(`  ${name} `), name);
});

test("what can't be read stays in the backup and is told; a database that can't is a failure", async (t) => {
  const { system, filter } = await makeDebian(t);
  await chmod(path.join(system, "usr/bin/program"), 0);
  const { code, stdout, stderr } = await filter(["--root", system], { unprivileged: true });
  assert.equal(code, 0);
  assert.doesNotMatch(stdout, /program/);
  assert.match(
    stderr,
    /^pkg-filter: warning: .*\/usr\/bin\/program: stays in the backup: EACCES\n$/,
  );
  await chmod(path.join(system, "var/lib/dpkg/status"), 0);
  const closed = await filter(["--root", system], { unprivileged: true });
  assert.equal(closed.code, 1);
  assert.equal(closed.stdout, "");
  assert.match(closed.stderr, /expected dpkg's database, found that it can't be read: EACCES/);
});

test("pacman: mtree's names, defaults and digests", async (t) => {
  const { system, filter } = await makeMachine(t);
  await addPacman(system, "sample-1.0-1", {
    "usr/a\\040b": "content",
    "usr/bin/program": "content",
    "etc/changed.conf": "shipped",
    "etc/size.conf": "shipped",
  });
  await writeFiles(system, {
    "usr/a b": "content",
    "usr/bin/program": "content",
    "etc/changed.conf": "changed",
    "etc/size.conf": "shipped and more",
    "usr/own": "content",
  });
  const { code, stdout, stderr } = await filter(["-v", "--root", system]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "- /usr/a b\n- /usr/bin/program\n");
  assert.match(stderr, /2 files of packages left out \(14 B\), 2 changed\n/);
  await writeFile(path.join(system, "var/lib/pacman/local/sample-1.0-1/mtree"), "no gzip");
  const broken = await filter(["--root", system]);
  assert.equal(broken.code, 1);
  assert.match(broken.stderr, /mtree: expected pacman's database/);
});

const sha256 = (text: string): string => digest("sha256", text);

test("rpm: what rpm 4.18 prints about a package", async (t) => {
  const { system, bin, root, filter, left } = await makeMachine(t);
  const output = [
    `sample\t0\t5\t${sha256("kept\n")}\t/etc/kept.conf`,
    `sample\t0\t8\t${sha256("setting\n")}\t/etc/sample.conf`,
    "sample\t0\t7\t\t/usr/bin/link",
    `sample\t0\t8\t${digest("md5", "program\n")}\t/usr/bin/program`,
    `sample\t1\t5\t${sha256("taken\n")}\t/usr/bin/replaced`,
    "sample\t0\t0\t\t/usr/share/a b",
    `other\t0\t5\t${sha256("star\n")}\t/usr/share/a b/[x]*{1}`,
    "other\t0\t0\t\t/var/log/sample.log",
  ];
  await writeFile(path.join(root, "output"), `${output.join("\n")}\n`);
  await writeFile(
    path.join(bin, "rpm"),
    `#!/bin/sh\n[ "$1 $2 $3 $4" = "--root ${system} -qa --qf" ] || exit 9\nexec cat ${root}/output\n`,
  );
  await chmod(path.join(bin, "rpm"), 0o755);
  await writeFiles(system, {
    "etc/kept.conf": "kept\nchanged\n",
    "etc/sample.conf": "setting\n",
    "usr/bin/program": "program\n",
    "usr/bin/replaced": "taken\n",
    "usr/share/a b/[x]*{1}": "star\n",
    "var/log/sample.log": "",
    "usr/share/a b/other": "other",
  });
  const { code, stdout, stderr } = await filter(["--manager", "rpm", "--root", system]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(await left(stdout), [
    "etc/kept.conf",
    "usr/bin/replaced",
    "usr/share/a b/other",
    "var/log/sample.log",
  ]);
  await writeFile(path.join(bin, "rpm"), "#!/bin/sh\necho 'error: broken' >&2\nexit 1\n");
  const broken = await filter(["--manager", "rpm", "--root", system]);
  assert.equal(broken.code, 1);
  assert.match(broken.stderr, /rpm: expected its list of files, found exit code 1: error: broken/);
});

test("a wrong command line: 2, and what is wrong", async (t) => {
  const { system, filter } = await makeMachine(t);
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [["--root", system], /expected a database of dpkg, rpm, pacman below/],
    [["--root", `${system}/none`], /--root: expected a directory, found .*ENOENT/],
    [["--manager", "apk"], /Allowed choices are dpkg, rpm, pacman/],
    [["--merge", "--json"], /expected one of --json and --merge, found both/],
    [["--set", "a.b=c"], /expected no configuration/],
  ];
  for (const [args, expected] of wrong) {
    const { code, stdout, stderr } = await filter(args);
    assert.equal(code, 2, stderr);
    if (!args.includes("--json")) assert.equal(stdout, "");
    assert.match(stderr, expected);
  }
  const help = await filter(["--help"]);
  assert.match(help.stdout, /Exit codes:\n {2}0 {4}done/);
  assert.ok(help.stdout.split("\n").every((line) => line.length <= 105));
});

test("a rule leaves out the very file that it is for, whatever its name", async (t) => {
  const { system, left } = await makeMachine(t);
  const character = fc.constantFrom(
    ...Array.from("[]{}*?\\ ,.^$|()+-#!~;=:'\"aAäß\u3000\u00A0\u{1F600}\u240A\u201B"),
  );
  const name = fc.string({ unit: character, minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(name, { minLength: 30, maxLength: 60 }),
      fc.nat(),
      async (names, seed) => {
        const directory = path.join(system, "names");
        await rm(directory, { recursive: true, force: true });
        const real = names.filter((each) => each !== "." && each !== "..");
        await writeFiles(directory, Object.fromEntries(real.map((each) => [each, ""])));
        const all = await left("", directory);
        const chosen = real.filter((_, at) => (at + seed) % 2 === 0);
        const paths = chosen.flatMap(
          (each) => namedByRule(Buffer.from(each).toString("latin1")) ?? [],
        );
        const gone = new Set(paths.map((each) => Buffer.from(each, "latin1").toString()));
        const expected = all.filter((each) => !gone.has(each));
        const merger = new RuleMerger();
        for (const each of paths) assert.equal(merger.add(each), undefined);
        const merged = `${merger.end() ?? ""}\n`;
        const single = paths.map((each) => `${ruleFor(each)}\n`).join("");
        for (const rules of [single, merged])
          assert.deepEqual(await left(rules, directory), expected);
      },
    ),
    { numRuns: 4 },
  );
});

test("merged rules stay below the length that rclone takes", () => {
  const merger = new RuleMerger();
  const rules: string[] = [];
  for (let at = 0; at < 10_000; at += 1) {
    const named = namedByRule(`usr/share/doc/package-${at}/changelog.Debian.gz`);
    assert.ok(named !== undefined);
    rules.push(...[merger.add(named)].filter((rule) => rule !== undefined));
  }
  rules.push(merger.end() ?? "");
  assert.ok(rules.length > 5 && rules.every((rule) => rule.length < 64 * 1024));
  assert.equal(merger.end(), undefined);
});
