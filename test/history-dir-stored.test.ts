import assert from "node:assert/strict";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { listFiles } from "../lib/rclone/listing.ts";
import { plainListing, storedBelow } from "../lib/stores/dir/stored.ts";
import { quickStart, rclones } from "./helpers/rclones.ts";
import { nastyNames, writeAt } from "./helpers/restoring.ts";
import { makeSandbox, emptyPassword } from "./helpers/sandbox.ts";

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
      await rename(store, `${store}.gone`);
      await assert.rejects(list(stored.location, stored), /expected a directory, found none/);
    }
  });
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
