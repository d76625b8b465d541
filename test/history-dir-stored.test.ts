import assert from "node:assert/strict";
import { chmod, mkdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { execa } from "execa";
import { listFiles } from "../lib/rclone/listing.ts";
import { plainListing, storedBelow } from "../lib/stores/dir/stored.ts";
import { listStored } from "../lib/stores/dir/storedlisting.ts";
import { makeBackup } from "./helpers/backups.ts";
import { newRclone, quickStart, rclones } from "./helpers/rclones.ts";
import { nastyNames, readTree, restoreJson, runRestore, writeAt } from "./helpers/restoring.ts";
import { makeSandbox, emptyPassword, type Sandbox } from "./helpers/sandbox.ts";
import { secretPath } from "./helpers/secretstore.ts";

/* Listing what crypt has stored on this machine, and decrypting the names here, is what rclone would list. */

const modes: readonly Readonly<Record<string, string>>[] = [
  {},
  { filename_encoding: "base64", password2: "" },
  { filename_encoding: "base32768", directory_name_encryption: "false" },
  { filename_encryption: "obfuscate" },
  { filename_encryption: "off" },
];

for (const rclone of rclones) {
  test(`a listing of what is stored says what rclone says (${rclone.version})`, async (t) => {
    const box = await makeSandbox(t, rclone);
    for (const name of [...nastyNames, "dir/deep/empty"])
      await writeAt(box.source, name, name === "dir/deep/empty" ? "" : name, 1_600_000_000_123);
    const password = emptyPassword;
    // The older rclone has the same code for names.
    for (const [at, more] of (rclone.version === "new" ? modes : modes.slice(0, 1)).entries()) {
      const store = path.join(box.root, `store${at}`);
      const options = { type: "crypt", remote: store, password, ...more };
      const config = Object.fromEntries(
        Object.entries(options).map(([key, value]) => [
          `RCLONE_CONFIG_HIDDEN_${key.toUpperCase()}`,
          value,
        ]),
      );
      const env = { ...box.env, ...config, ...quickStart };
      const copied = await box.runRclone(["copy", box.source, "hidden:a"], { env });
      assert.equal(copied.code, 0, copied.stderr);
      const remotes = new Map([["hidden", new Map(Object.entries(options))]]);
      const stored = storedBelow("hidden:a", { remotes, env: {} });
      assert.ok(stored !== undefined);
      // What is not ours, a file too short to be ours, and a directory that isn't either.
      await mkdir(path.join(stored.location, "strange"), { recursive: true });
      await writeFile(path.join(stored.location, "strange", "file"), "x");
      await writeFile(path.join(stored.location, "stranger"), "x");
      const scratch = path.join(box.root, `scratch${at}`);
      await mkdir(scratch);
      assert.equal(stored.opaque, at === 0);
      const list = async (location: string, through?: typeof stored): Promise<string> => {
        const output = path.join(scratch, through === undefined ? "theirs" : "ours");
        const { complete } = await listFiles(
          { program: rclone.path, env, common: [] },
          { version: "", fineTimes: rclone.version === "new" },
          {
            ...{ copyLinks: false, transfers: undefined, checkers: undefined },
            ...{ bwlimit: undefined, flags: [] },
          },
          {
            ...{ location, filterFile: undefined, output, scratch, what: "history" },
            ...(through === undefined
              ? {}
              : { through: (told) => plainListing(through.names, told) }),
          },
        );
        assert.ok(complete);
        return readFile(output, "latin1");
      };
      const theirs = await list("hidden:a");
      assert.equal(await list(stored.location, stored), theirs, JSON.stringify(more));
      assert.equal(theirs.trimEnd().split("\n").length, nastyNames.length + 1);
      if (stored.opaque && rclone.version === "new") {
        await strangeTimes(store);
        await symlink("/nowhere", path.join(stored.location, "link"));
        await writeFile(path.join(stored.location, "two\nlines\t5\t6"), "x");
        const told = await list("hidden:a");
        assert.notEqual(told, theirs);
        const output = path.join(scratch, "found");
        const request = { output, scratch, below: false, sortFrom: undefined, signal: undefined };
        assert.equal(await listStored(stored, request), true);
        assert.equal(await readFile(output, "latin1"), told);
        // Only what lies below the top, in the order of what follows its name.
        const deep = { ...request, below: true, sortFrom: 3 };
        assert.equal(await listStored(stored, deep), true);
        const lower = told
          .split("\n")
          .filter((line) => line.slice(0, line.indexOf("\t")).includes("/"))
          .toSorted((a, b) => (`${a.slice(3)}\0${a}` < `${b.slice(3)}\0${b}` ? -1 : 1));
        assert.deepEqual((await readFile(output, "latin1")).trimEnd().split("\n"), lower);
      }
      await rename(store, `${store}.gone`);
      const gone = { output: path.join(scratch, "gone"), scratch, below: false };
      const request = { ...gone, sortFrom: undefined, signal: undefined };
      assert.equal(await listStored(stored, request), false);
      await assert.rejects(list(stored.location, stored), /expected a directory, found none/);
    }
  });
}

/** Sets times of what is stored: whole seconds, fractions of each length, long ago and far ahead. */
async function strangeTimes(store: string): Promise<void> {
  const { stdout } = await execa("find", [store, "-type", "f"]);
  const times = ["0", "1600000000", "1600000000.1", "1600000000.120000001", "-1.5", "4102444800.5"];
  for (const [at, file] of stdout.split("\n").entries())
    await execa("touch", ["-d", `@${times[at % times.length]}`, file]);
}

function remote(options: Readonly<Record<string, string>>): unknown {
  return storedBelow("r:a", {
    remotes: new Map([
      ["r", new Map(Object.entries(options))],
      ["disk", new Map([["type", "local"]])],
      ["odd", new Map(Object.entries({ type: "local", encoding: "Slash" }))],
      ["cloud", new Map([["type", "drive"]])],
      ["joined", new Map(Object.entries({ type: "union", upstreams: "/a /b" }))],
    ]),
    env: {},
  });
}

test("what rclone has to list by itself is left to it", () => {
  const crypt = { type: "crypt", password: "", remote: "/store" };
  assert.notEqual(remote(crypt), undefined);
  assert.notEqual(remote({ ...crypt, remote: "disk:/store" }), undefined);
  for (const other of [
    { type: "local" },
    { ...crypt, strict_names: "true" },
    { ...crypt, suffix: "none", filename_encryption: "off" },
    { ...crypt, remote: "relative/store" },
    { ...crypt, remote: "odd:/store" },
    { ...crypt, remote: "cloud:store" },
    { ...crypt, remote: "joined:store" },
    { ...crypt, remote: "missing:store" },
  ])
    assert.equal(remote(other), undefined, JSON.stringify(other));
});

/** A backup with dated directories of two nights, on this machine. */
async function twoNights(
  t: Parameters<typeof makeBackup>[0],
  settings: Readonly<Record<string, string>> = {},
): Promise<Sandbox & { between: string }> {
  const box = await makeBackup(t, newRclone, {
    default: { destination: "secret:data", ...settings },
    history: { kind: "dir" },
  });
  await writeAt(box.source, "dir/file", "before", 1_600_000_000_123);
  await writeAt(box.source, "other", "other", 1_600_000_000_123);
  await box.expect(0);
  const between = new Date().toISOString();
  await writeAt(box.source, "dir/file", "after it", 1_600_000_001_000);
  await box.expect(0);
  return { ...box, between };
}

test("where find is not that of GNU, or complains, rclone lists", async (t) => {
  const box = await twoNights(t);
  for (const [at, body] of [
    'for each; do [ "$each" != -printf ] || { echo "find: unknown: -printf" >&2; exit 1; }; done; exec /usr/bin/find "$@"',
    'case "$*" in *-printf*) /usr/bin/find "$@" | head -n 1; echo "find: input/output error" >&2; exit 0;; esac; exec /usr/bin/find "$@"',
    "exit 1",
    undefined,
  ].entries()) {
    const stub = path.join(box.bin, "find");
    await writeFile(stub, body === undefined ? "#!/nowhere/sh\n" : `#!/bin/sh\n${body}\n`);
    await chmod(stub, 0o755);
    const out = path.join(box.root, `out${at}`);
    const done = await restoreJson(box, ["home", "--as-of", box.between, "--to", out]);
    assert.deepEqual([done.restored.files, done.failure_count, done.uncertain], [2, 0, 0]);
    assert.equal((await readTree(out)).get("dir/file")?.content, "before");
  }
});

test("what lies behind links in the store is listed where copy_links says so", async (t) => {
  const box = await twoNights(t, { copy_links: "yes" });
  const moved = secretPath(box, "data/dir", "directory");
  await rename(moved, path.join(box.root, "elsewhere"));
  await symlink(path.join(box.root, "elsewhere"), moved);
  const { code, stdout, stderr } = await runRestore(box, ["home", "--list", "--as-of", "now"]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /dir\/file/);
});

const damages = {
  "can't be read": async (file: string): Promise<void> => chmod(file, 0),
  "is damaged where it is stored": async (file: string): Promise<void> => {
    const bytes = await readFile(file);
    bytes[40] = (bytes[40] ?? 0) ^ 1;
    await writeFile(file, bytes);
  },
};

for (const [what, damage] of Object.entries(damages))
  test(`a manifest that ${what} is told by rclone, not passed over`, async (t) => {
    const box = await twoNights(t);
    const history = secretPath(box, "data.history", "directory");
    const { stdout } = await execa("find", [history, "-maxdepth", "1", "-type", "f"]);
    for (const file of stdout.split("\n")) await damage(file);
    const args = ["home", "--as-of", box.between, "--to", path.join(box.root, "out")];
    const { code, stderr } = await runRestore(box, args, { unprivileged: true });
    assert.equal(code, 1);
    assert.match(stderr, /history: expected to read the manifests of the runs, found rclone exit/);
  });

test("a directory of the store that can't be read is told, and nothing taken for deleted", async (t) => {
  const box = await twoNights(t);
  const closed = secretPath(box, "data/dir", "directory");
  await chmod(closed, 0);
  const args = ["home", "--as-of", box.between, "--to", path.join(box.root, "out")];
  const { code, stderr } = await runRestore(box, args, { unprivileged: true });
  assert.equal(code, 1);
  assert.match(stderr, /history: expected a whole listing, found what can't be read/);
});
