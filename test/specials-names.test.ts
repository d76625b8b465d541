import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { rawFromSystem, systemFromRaw } from "../lib/units/encoding.ts";
import { rawFromBytes, textFromRaw } from "../lib/units/rawpath.ts";
import { rclones } from "./helpers/rclones.ts";
import { makeSandbox } from "./helpers/sandbox.ts";

/** The bytes of a text in a Latin-1 string. */
const bytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

const nasty = [
  "\n",
  "a\tb",
  "\x1b[31m",
  "\x7f",
  "\x01\x1f",
  " lead",
  "trail ",
  " ",
  '"',
  "'",
  "`",
  "\\",
  "*?[a]{b}",
  "- x",
  "+ x",
  "# x",
  "; x",
  "-n",
  bytes("é"),
  bytes("e\u0301"),
  bytes("␊"),
  bytes("␀"),
  bytes("␡"),
  bytes("␟␠␢"),
  bytes("‛␀"),
  bytes("‛‛␀"),
  bytes("‛‛"),
  bytes("‛‛‛‛"),
  bytes("x‛‛y"),
  bytes("／"),
  bytes("‛／"),
  bytes("．"),
  bytes("．．"),
  bytes("‛．"),
  bytes("‛．‛．"),
  bytes("．．．"),
  bytes("\ufffd"),
  "\xff",
  "\xe2\x80",
  "\xe2\x90",
  "\xe2",
  "\xc3(",
  "\xf0\x9f\xe2\x90\x8a",
  "x".repeat(255),
  bytes("é".repeat(127)),
  "\n".repeat(85),
  bytes("…"),
];

/** Names in which U+201B stands before nothing that it could quote: rclone doubles it. */
const loneQuotes = ["‛", "‛␊", "‛a", "a‛", "‛‛‛", "‛ ", "‛‛a‛b", "‛．．", "x‛．"].map(bytes);

/** Names built of what matters to the encoding. */
const names = fc
  .array(
    fc.oneof(
      fc.constantFrom(...["‛", "␀", "␊", "␡", "／", "．", "．．", "␠", "é", "‛␀"].map(bytes)),
      fc.constantFrom("\n", "\x7f", "\x01", " ", ".", "a", "\xff", "\xe2", "\xe2\x80", "\x80"),
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts) => parts.join(""))
  .filter((name) => name !== "." && name !== "..");

const at = (directory: string, name: string): Buffer =>
  Buffer.from(`${bytes(directory)}/${name}`, "latin1");

for (const rclone of rclones) {
  test(`names are listed as rclone ${rclone.version} lists them`, async (t) => {
    const { root, runRclone } = await makeSandbox(t, rclone);
    const compare = async (some: readonly string[]): Promise<void> => {
      const directory = path.join(root, "names");
      rmSync(directory, { recursive: true, force: true });
      mkdirSync(directory);
      for (const name of some) writeFileSync(at(directory, name), "");
      const listed = await runRclone(["lsf", directory]);
      assert.equal(listed.code, 0, listed.stderr);
      const found = listed.stdoutBytes.toString("latin1").split("\n").slice(0, -1);
      assert.deepEqual(found.toSorted(), some.map(rawFromSystem).toSorted());
    };
    await compare([...nasty, ...loneQuotes]);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(names, { minLength: 200, maxLength: 300 }), compare),
      { numRuns: 3, endOnFailure: true },
    );
  });

  test(`rclone ${rclone.version} opens the file that a raw path means, and gives its copy the same name`, async (t) => {
    const { root, runRclone, source } = await makeSandbox(t, rclone);
    for (const name of nasty) writeFileSync(at(source, name), name, "latin1");
    const list = path.join(root, "list");
    writeFileSync(list, nasty.map((name) => `${rawFromSystem(name)}\n`).join(""), "latin1");
    const target = path.join(root, "copy");
    const copied = await runRclone([
      "copy",
      "--no-unicode-normalization",
      "--files-from-raw",
      list,
      source,
      target,
    ]);
    assert.equal(copied.code, 0, copied.stderr);
    const there = readdirSync(Buffer.from(target), { encoding: "buffer" });
    assert.deepEqual(
      there.map((name) => name.toString("latin1")).toSorted(),
      nasty.map((name) => systemFromRaw(rawFromSystem(name))).toSorted(),
    );
    assert.deepEqual(there.map((name) => name.toString("latin1")).toSorted(), nasty.toSorted());
  });

  test(`rclone ${rclone.version} opens the doubled name for a lone quote`, async (t) => {
    const { runRclone, source } = await makeSandbox(t, rclone);
    const raw = rawFromSystem(bytes("‛a"));
    assert.equal(raw, rawFromSystem(bytes("‛‛a")));
    assert.equal(systemFromRaw(raw), bytes("‛‛a"));
    const cat = async () => runRclone(["cat", `${source}/${textFromRaw(raw)}`]);
    writeFileSync(at(source, bytes("‛a")), "single");
    assert.notEqual((await cat()).code, 0);
    rmSync(at(source, bytes("‛a")));
    writeFileSync(at(source, bytes("‛‛a")), "double");
    assert.equal((await cat()).stdout, "double");
  });
}

function back(name: string): string {
  return systemFromRaw(rawFromSystem(name));
}

test("a raw path leads back to the name on disk, unless a quote stands alone", () => {
  for (const name of nasty) assert.equal(back(name), name);
  const quotesInPairs = names.filter(
    (name) =>
      !name
        .replaceAll(/\xe2\x80\x9b(\xe2\x90\x80|\xe2\x80\x9b|\xef\xbc\x8f)/g, "")
        .includes(bytes("‛")),
  );
  fc.assert(fc.property(quotesInPairs, (name) => back(name) === name));
  fc.assert(fc.property(names, (name) => rawFromSystem(back(name)) === rawFromSystem(name)));
});

test("each segment of a path is encoded by itself", () => {
  assert.equal(rawFromSystem("a\nb/．/c".replace("．", bytes("．"))), bytes("a␊b/．/c"));
  assert.equal(rawFromSystem(bytes("‛/␀")), bytes("‛‛/␀"));
  assert.equal(systemFromRaw(rawFromBytes(bytes("a␊/‛␊/␡"))), bytes("a\n/␊/\x7f"));
});
