import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { defaultEncodings, nameEncoding } from "../lib/stores/encoding.ts";
import { rawFromSystem, systemFromRaw } from "../lib/units/encoding.ts";
import { rawFromBytes, rawFromText } from "../lib/units/rawpath.ts";
import { listRawFiles, writeRawFiles } from "./helpers/rawfiles.ts";
import { rclones } from "./helpers/rclones.ts";
import { makeSandbox } from "./helpers/sandbox.ts";

/*
 * What a store can't hold in a name rclone replaces. The local backend takes an encoding too, so
 * rclone itself tells here what it makes of a name.
 */

const all =
  "Asterisk,BackQuote,BackSlash,Colon,CrLf,Ctl,Del,Dollar,Dot,DoubleQuote,Hash,InvalidUtf8,LtGt," +
  "Percent,Pipe,Question,Semicolon,SingleQuote,Slash,SquareBracket";
const ends =
  "Slash,Dot,LeftSpace,LeftPeriod,LeftTilde,LeftCrLfHtVt,RightSpace,RightPeriod,RightCrLfHtVt";
const encodings = [
  defaultEncodings.b2,
  defaultEncodings.s3,
  all,
  `${ends},InvalidUtf8`,
  "Slash,Dot,LeftSpace,RightPeriod",
  "Slash,Dot",
];

const pictures =
  "\u2400\u2401\u2409\u240a\u240b\u240d\u241f\u2420\u2421\uff0e\uff0f\uff3c\uff5e\uff0a\uff1c\uff1a\uff02";
const unit = fc.oneof(
  fc.constantFrom(..."aA0 .~*?<>[];:\"'`$|#%\\\t\n\r\v\x7f\x01\x1fFé字😀\ufffd".split("")),
  fc.constantFrom(...pictures.split(""), "\u201b", "\u201b"),
);
const bytes = fc.oneof(
  { weight: 8, arbitrary: unit.map((text) => Buffer.from(text, "utf8").toString("latin1")) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 0x80, max: 0xff }).map((byte) => String.fromCharCode(byte)),
  },
);
const names = fc.uniqueArray(
  fc.string({ unit: bytes, minLength: 1, maxLength: 7 }).filter((name) => !/^\.{1,2}$/.test(name)),
  { minLength: 250, maxLength: 250 },
);

for (const rclone of rclones) {
  test(`names of a store are shown and made as rclone does it (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    const target = path.join(sandbox.root, "target");
    const plain = path.join(sandbox.root, "plain");
    const check = async (samples: readonly string[]): Promise<void> => {
      // Where a quote quotes nothing, rclone doesn't find the file that it listed.
      const found = samples.filter(
        // The current rclone's partial files trip over the two names that stand for . and .. alone.
        (name) =>
          systemFromRaw(rawFromSystem(name)) === name && !/^(?:\xef\xbc\x8e){1,2}$/.test(name),
      );
      await Promise.all(
        [sandbox.source, plain].map(async (top) => rm(top, { recursive: true, force: true })),
      );
      await writeRawFiles(sandbox.source, samples);
      await writeRawFiles(plain, found);
      for (const option of rclone.version === "new"
        ? [...encodings, "Slash,Exclamation"]
        : encodings) {
        const { fromStore, toStore } = nameEncoding(option);
        const env = { RCLONE_CONFIG_E_TYPE: "local", RCLONE_CONFIG_E_ENCODING: option };
        const list = await sandbox.runRclone(["lsf", `E:${sandbox.source}`], { env });
        const shown = samples.map((name) => fromStore(rawFromBytes(name)));
        const listed = list.stdoutBytes.toString("latin1").split("\n").slice(0, -1);
        assert.deepEqual(listed.toSorted(), shown.toSorted(), option);

        const copy = await sandbox.runRclone(
          ["copy", "-q", "--no-unicode-normalization", plain, `E:${target}`],
          { env },
        );
        assert.equal(copy.code, 0, copy.stderr);
        const made = found.map((name) => toStore(rawFromSystem(name)));
        assert.deepEqual((await listRawFiles(target)).toSorted(), made.toSorted(), option);
        await rm(target, { recursive: true });
      }
    };
    await fc.assert(fc.asyncProperty(names, check), {
      numRuns: 1,
      endOnFailure: true,
      includeErrorInReport: true,
    });
  });
}

test("names that hold nothing special stay as they are, whole paths too", () => {
  for (const option of encodings) {
    const { fromStore, toStore } = nameEncoding(option);
    for (const name of ["a/b/c d.txt", "", "é/字/😀", "a//b", "/a/"].map(rawFromText)) {
      assert.equal(fromStore(name), name);
      assert.equal(toStore(name), name);
    }
  }
});

test("a store's own . and .. and control characters become harmless", () => {
  const { fromStore, toStore } = nameEncoding(defaultEncodings.s3);
  const evil = rawFromText("a/../../b/./c\nd");
  assert.equal(fromStore(evil), rawFromText("a/\uff0e\uff0e/\uff0e\uff0e/b/\uff0e/c\u240ad"));
  assert.equal(toStore(rawFromText("c\u240ad")), "c\nd");
});

test("what a store can hold is the same after there and back", () => {
  // A quote that quotes nothing is the one thing that rclone itself doesn't give back.
  const name = fc
    .string({ unit: bytes, maxLength: 12 })
    .filter((text) => !text.includes("\xe2\x80\x9b") && !/^\.{1,2}$/.test(text));
  const option = fc.constantFrom(...encodings);
  fc.assert(
    fc.property(option, fc.array(name, { minLength: 1, maxLength: 3 }), (encoding, parts) => {
      const { fromStore, toStore } = nameEncoding(encoding);
      const shown = rawFromSystem(parts.join("/"));
      assert.equal(fromStore(toStore(shown)), shown);
    }),
    { numRuns: 500 },
  );
});

test("an encoding that is not known is a wrong configuration", () => {
  assert.throws(() => nameEncoding("Slash,Slush"), /expected one of .*Slash.*, found Slush/);
  assert.doesNotThrow(() => nameEncoding("Slash, Dot"));
});
