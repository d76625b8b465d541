import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { alwaysFits, nameEncryption, storedLength } from "../lib/crypt/namelength.ts";
import type { NameEncryption } from "../lib/crypt/namelength.ts";
import { excludeRule } from "../lib/rclone/exact.ts";
import { rawFromBytes, rawFromText } from "../lib/units/rawpath.ts";
import { run } from "./helpers/command.ts";
import { eitherRclone, rclones } from "./helpers/rclones.ts";
import { makeSandbox, obscuredPassword } from "./helpers/sandbox.ts";

/*
 * A name that is longer than the destination can hold once crypt has encrypted it is told before
 * the upload, and the rest of the backup goes on as if it were not there.
 */

function namesOf(options: Readonly<Record<string, string>>): NameEncryption {
  const names = nameEncryption(new Map(Object.entries(options)));
  assert.ok(names !== undefined);
  return names;
}

const kinds = [
  { filename_encryption: "standard", filename_encoding: "base32" },
  { filename_encryption: "standard", filename_encoding: "base64" },
  { filename_encryption: "standard", filename_encoding: "base32768" },
  { filename_encryption: "obfuscate" },
  { filename_encryption: "off" },
];

const characters = fc.constantFrom("a", "Z", "7", "-", "!", "é", "ÿ", "字", "😀", "␊");
const plainNames = fc.array(
  fc.tuple(
    fc.string({ unit: characters, minLength: 1, maxLength: 80 }),
    fc.constantFrom("", ".txt", "-v2024-01-02-030405-678.txt", "-v2024-01-02-030405-678"),
  ),
  { minLength: 10, maxLength: 10 },
);

for (const rclone of rclones) {
  test(`lengths of stored names are those of rclone itself (${rclone.version})`, async () => {
    const password = obscuredPassword;
    for (const kind of kinds) {
      const names = namesOf(kind);
      const env = Object.fromEntries(
        Object.entries({ type: "crypt", remote: "/nowhere", password, ...kind }).map(
          ([key, value]) => [`RCLONE_CONFIG_C_${key.toUpperCase()}`, value],
        ),
      );
      await fc.assert(
        fc.asyncProperty(plainNames, async (samples) => {
          const plain = samples.map(([name, end]) => `x${name}${end}`);
          const result = await run(rclone.path, ["cryptdecode", "--reverse", "C:", ...plain], {
            env: { ...env, RCLONE_CONFIG: "/dev/null" },
          });
          assert.equal(result.code, 0, result.stderr);
          const stored = result.stdout.trimEnd().split("\n");
          for (const [at, name] of plain.entries()) {
            const length = Buffer.byteLength(stored[at]?.split(" \t ")[1]?.trim() ?? "");
            const told = storedLength(rawFromText(name), true, names);
            if (names.encoding === "base32768" && names.mode === "standard")
              assert.ok(told <= length && length <= told + 12, `${told} ${length}`);
            else assert.equal(told, length, name);
          }
        }),
        { numRuns: 3 },
      );
    }
  });
}

test("a name up to the length that always fits does fit, whatever it holds", () => {
  const name = fc.string({ unit: characters, minLength: 1, maxLength: 255 });
  fc.assert(
    fc.property(
      fc.constantFrom(...kinds),
      fc.constantFrom(100, 143, 255),
      name,
      (kind, limit, s) => {
        const names = namesOf(kind);
        const raw = rawFromText(s);
        if (raw.length <= alwaysFits(limit, names))
          assert.ok(storedLength(raw, true, names) <= limit);
      },
    ),
  );
});

test("the longest names of a 255-byte store", () => {
  const longest = (kind: Readonly<Record<string, string>>): number =>
    alwaysFits(255, namesOf(kind));
  assert.equal(longest({}), 143);
  assert.equal(longest({ filename_encoding: "base64" }), 175);
  assert.equal(longest({ filename_encoding: "base32768" }), 143);
  assert.equal(longest({ filename_encryption: "off" }), 251);
  assert.equal(longest({ filename_encryption: "off", suffix: "none" }), 255);
  assert.equal(storedLength("a".repeat(143), true, namesOf({})), 231);
  assert.equal(storedLength("a".repeat(144), true, namesOf({})), 256);
  const plainDirectories = namesOf({ directory_name_encryption: "false" });
  assert.equal(storedLength("a".repeat(200), false, plainDirectories), 200);
  assert.equal(nameEncryption(new Map([["filename_encryption", "rot13"]])), undefined);
});

/** Names of which rules are made: the second of each pair must not be met by the first one's rule. */
const twins: readonly (readonly [string, string])[] = [
  ["a*b", "aXb"],
  ["a?b", "aXb"],
  ["[ab]", "a"],
  ["{a,b}", "a"],
  ["{{x}}", "x"],
  ["back\\slash", "backslash"],
  ["tail ", "tail"],
  ["tail\u2003", "tailx"],
  ["-", "--"],
  ["#x", "x"],
  [" lead", "lead"],
  ["d/e/f", "d/e/g"],
];

function linesOf(listing: Buffer): string[] {
  return listing.toString("latin1").split("\n").toSorted();
}

for (const rclone of eitherRclone(import.meta.url)) {
  test(`an exact rule leaves out one file and no other (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    const put = async (name: string | Buffer): Promise<void> => {
      const file = Buffer.concat([Buffer.from(`${sandbox.source}/`), Buffer.from(name)]);
      await mkdir(path.dirname(file.toString()), { recursive: true });
      await writeFile(file, "");
    };
    for (const pair of twins) for (const name of pair) await put(name);
    await put(Buffer.from("bad\xffbyte", "latin1"));
    await put("badbyte");
    const rules = path.join(sandbox.root, "rules");
    const left = async (rule: string): Promise<Buffer> => {
      await writeFile(rules, `${rule}\n`);
      const args = ["lsf", "-R", "--files-only", "--filter-from", rules, sandbox.source];
      const result = await sandbox.runRclone(args);
      assert.equal(result.code, 0, result.stderr);
      return result.stdoutBytes;
    };
    const all = linesOf(await left("- /nothing"));
    for (const [name] of twins) {
      const raw = rawFromText(name);
      const without = linesOf(await left(excludeRule(raw, false)));
      assert.deepEqual(
        without,
        all.filter((line) => line !== raw),
        name,
      );
    }
    const bad = rawFromBytes("bad\xffbyte");
    assert.deepEqual(
      linesOf(await left(excludeRule(bad, false))),
      all.filter((line) => line !== bad),
    );
    assert.deepEqual(
      linesOf(await left(excludeRule(rawFromText("d/e"), true))),
      all.filter((line) => !line.startsWith("d/e/")),
    );
  });

  test(`too long names are told before the upload and the rest is backed up (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    await sandbox.writeConfig(
      "long",
      `[default]\nsource = ${sandbox.source}\ndestination = secret:\n`,
    );
    const put = async (name: string, text = name): Promise<void> => {
      const file = path.join(sandbox.source, name);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, text);
    };
    const fits = "f".repeat(143);
    const long = `${"n".repeat(143)} `;
    const deep = "d".repeat(150);
    await put(fits);
    await put("gone");
    await put(long);
    await put(`deep/${deep}/one`);
    await put(`deep/${deep}/below/two`);
    await put("deep/short");
    // Not in any listing of files, so no rule leaves it out.
    await mkdir(path.join(sandbox.source, "e".repeat(200)));

    const dry = await sandbox.backup(["-n", "long"]);
    assert.equal(dry.code, 0, dry.stderr);
    assert.match(dry.stderr, /^rclone-backup: warning: 3 files are left out of the backup/);
    assert.ok(!dry.stdout.includes("nnnn"), "a dry run does not promise to upload it");

    const first = await sandbox.backup(["--json", "long"]);
    assert.equal(first.code, 3, first.stderr);
    // The warning comes first, and rclone was never given the files.
    assert.match(first.stderr, /^rclone-backup: warning: 3 files are left out/);
    assert.match(first.stderr, /its name has 144 bytes, more than 255 when it is encrypted/);
    assert.match(first.stderr, /the name of a directory on its path has 150 bytes/);
    assert.match(first.stderr, /error: 3 files or directories failed, the rest is backed up:/);
    assert.match(first.stderr, /hint: .*filter these files out/);
    assert.doesNotMatch(first.stderr, /file name too long|exit code/);
    const document: unknown = JSON.parse(first.stdout);
    assert.ok(typeof document === "object" && document !== null);
    assert.ok("failure_count" in document && document.failure_count === 3);
    assert.ok("outcome" in document && document.outcome === "partial");

    // What is deleted in the source goes at the destination too.
    await rm(path.join(sandbox.source, "gone"));
    const second = await sandbox.backup(["long"]);
    assert.equal(second.code, 3, second.stderr);
    assert.doesNotMatch(second.stderr, /nothing is deleted/);
    const held = await sandbox.runRclone(["lsf", "-R", "--files-only", "secret:"]);
    assert.deepEqual(held.stdout.trimEnd().split("\n").toSorted(), ["deep/short", fits]);

    // Filtered out, as the hint says, or shortened: all is well.
    await sandbox.writeConfig(
      "long",
      `[default]\nsource = ${sandbox.source}\ndestination = secret:\n[filters]\n- /n*\n- /deep/d*/**\n`,
    );
    const third = await sandbox.backup(["long"]);
    assert.equal(third.code, 0, third.stderr);
    assert.equal(third.stderr, "");
  });

  test(`a store without crypt holds names of 255 bytes (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    const file = await sandbox.writeConfig(
      "long",
      `[default]\nsource = ${sandbox.source}\ndestination = plain:\n`,
    );
    const name = "é".repeat(127) + "x";
    await writeFile(path.join(sandbox.source, name), "whole");
    const result = await sandbox.backup([file]);
    assert.equal(result.code, 0, result.stderr);
    assert.equal(await readFile(path.join(sandbox.store, "plain", name), "utf8"), "whole");
  });
}
