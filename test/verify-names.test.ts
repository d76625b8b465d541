import assert from "node:assert/strict";
import { mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { rclones } from "./helpers/rclones.ts";
import { makeBacked, old } from "./helpers/verification.ts";

const names = [
  "0",
  "a\nb",
  "tab\there",
  " leading",
  "trailing ",
  "  ",
  "*",
  "star*",
  "[abc]",
  "{a,b}",
  "what?",
  "**",
  "# comment",
  "; comment",
  "- x",
  "+ y",
  "!",
  "-n",
  "--verify",
  "'single'",
  '"double"',
  "back\\slash",
  "caf\u00E9",
  "cafe\u0301",
  "\u001B[31mred",
  "\u202Ereversed",
  "na\u00EFve \uFFFD",
  "\u240A",
  "C:colon",
  "dir with space/ f ",
  "=",
  "= f",
  "x\ty",
  "special-files",
  "n".repeat(140),
].map((name) => Buffer.from(name));
const notUtf8 = [Buffer.from([0x66, 0xff, 0xfe]), Buffer.from([0xe2, 0x82]), Buffer.from([0x80])];
const all = [...names, ...notUtf8];

for (const rclone of rclones) {
  test(`every name is verified, whatever is in it (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files: {}, backUp: false });
    mkdirSync(path.join(backed.source, "dir with space"));
    for (const [at, name] of all.entries()) {
      const file = Buffer.concat([Buffer.from(`${backed.source}/`), name]);
      writeFileSync(file, `content ${at}`);
      utimesSync(file, old, old);
    }
    await backed.backUp();
    const combined = path.join(backed.root, "combined");
    await backed.double(`for arg; do
  case $last in --combined) answers=$arg;; esac
  last=$arg
done
"$REAL" "$@"
code=$?
[ -z "$answers" ] || cp "$answers" "${combined}"
exit $code
`);
    // The whole source goes by filter, a part of it by a list: both must match every name.
    for (const condition of ["all", "age=7d"]) {
      const { code, doc, stderr } = await backed.verify([condition]);
      assert.equal(code, 0, stderr);
      assert.equal(doc.verified.files, all.length, condition);
      const lines = readFileSync(combined, "latin1").split("\n");
      assert.equal(lines.filter((line) => line.startsWith("= ")).length, all.length, condition);
    }
  });

  test(`damage in a name that is not UTF-8 is told in full (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, {
      rclone,
      files: {},
      backUp: false,
      destination: "plain:data",
    });
    const name = Buffer.from([0x66, 0xff, 0x1b, 0x5b]);
    const file = (directory: string): Buffer => Buffer.concat([Buffer.from(`${directory}/`), name]);
    writeFileSync(file(backed.source), "right");
    utimesSync(file(backed.source), old, old);
    await backed.backUp();
    const stored = file(path.join(backed.store, "plain/data"));
    writeFileSync(stored, "wrong");
    utimesSync(stored, old, old);
    const { code, doc, stderr } = await backed.verify(["all"]);
    assert.equal(code, 4);
    const [difference] = doc.differences;
    assert.equal(difference?.problem, "differs");
    assert.equal(difference.path, "f\uFFFD\u241B[");
    assert.deepEqual(
      Buffer.from(difference.path_base64 ?? "", "base64"),
      Buffer.concat([Buffer.from([0x66, 0xff]), Buffer.from("\u241B[")]),
    );
    assert.ok(!stderr.includes("\u001B"), "nothing raw reaches the terminal");
    // The old rclone tells no reason for content that differs.
    assert.equal(difference.reason, rclone.version === "old" ? null : "contents differ");
  });
}
