import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { escapeInterpolation, interpolate } from "../lib/config/interpolate.ts";
import { maskLocation } from "../lib/config/mask.ts";
import { configJson, showConfig } from "../lib/config/show.ts";
import { readValue, writeValue } from "../lib/config/value.ts";
import { makeConfigDir, minimal } from "./helpers/config-dir.ts";

function quoteWith(quote: string, text: string): string {
  return quote + text.replaceAll(quote, quote + quote) + quote;
}

test("the effective configuration tells every origin and masks secrets", async (t) => {
  const { write, load, dir } = await makeConfigDir(t);
  const file = await write({
    "x.conf":
      "[default]\nextends = common\nsource = /srv/${A}\ndestination = :sftp,host=h,pass=hunter2:dir\n[filters]\n- a \n- b\n",
    "common.conf":
      "[filters]\n- c\n[rclone]\npassword = hunter2\nflags = --b2-download-url=https://me:hunter2@host/\n",
  });
  const loaded = await load(file, {
    env: { A: " ; $${x}", RCLONE_BACKUPS_RCLONE_TRANSFERS: "8" },
    set: ["verify.mend=no"],
  });
  assert.equal(
    showConfig(loaded).replaceAll(dir, "DIR").replace(/ +; /g, " ; "),
    `; x: the effective configuration of DIR/x.conf

[default]
; extends = common ; DIR/x.conf:2
source = "/srv/ ; $$\${x}" ; DIR/x.conf:3
destination = :sftp,host=h,pass=********:dir ; DIR/x.conf:4
archive_specials = yes ; default
copy_links = no ; default

[filters]
; from DIR/x.conf:6 on
- a${" "}
- b
; from DIR/common.conf:2 on
- c

[guards]
max_delete = 50% ; default
max_change = off ; default

[rclone]
program = rclone ; default
password = ******** ; DIR/common.conf:4
transfers = 8 ; environment RCLONE_BACKUPS_RCLONE_TRANSFERS
flags = --b2-download-url=https://me:********@host/ ; DIR/common.conf:5

[verify]
mend = no ; --set

[history]
kind = auto ; default
prune = no ; default

[schedule]
require_network = no ; default
require_power = no ; default
probe = yes ; default

[notify]
on = warning failure refused difference skipped missed suppressed coverage ; default
remind = 7d ; default
`,
  );
  const json = configJson(loaded);
  assert.deepEqual(json.config["filters"], ["- a ", "- b", "- c"]);
  assert.deepEqual(json.settings[0], {
    section: "default",
    key: "extends",
    value: "common",
    origin: `${dir}/x.conf:2`,
  });
  assert.ok(!JSON.stringify(json).includes("hunter2"));
  const rule = { section: "filters", key: "", value: "- c", origin: `${dir}/common.conf:2` };
  assert.deepEqual(
    json.settings.find(({ value }) => value === "- c"),
    rule,
  );
});

test("how a secret is had is shown, as far as it holds none", async (t) => {
  const { write, load } = await makeConfigDir(t);
  const file = await write({ pw: "hunter2\n", "x.conf": "" });
  const shown = async (text: string) => {
    await write({ "x.conf": `${minimal}[rclone]\npassword = ${text}\n` });
    const { provenance } = await load(file.replace(/pw$/, "x.conf"), {
      env: { PATH: process.env["PATH"] },
    });
    return provenance().find(({ key }) => key === "password")?.value;
  };
  assert.equal(await shown("file:pw"), "file:pw");
  assert.equal(await shown("command:echo hunter2"), "command:********");
});

test("what is shown, loaded again, is the same backup", async (t) => {
  const { write, load } = await makeConfigDir(t);
  await write({ "a.conf": "[default]\n" });
  const text = fc.oneof(
    fc.string({ unit: "binary", minLength: 1 }),
    fc.string({ unit: fc.constantFrom(...Array.from("\"' ;#\\${}=[]abé\n\t")), minLength: 1 }),
  );
  const value = text
    .map((each) => each.replaceAll("\0", "0"))
    .filter((each) => !each.startsWith("~"));
  await fc.assert(
    fc.asyncProperty(value, value, value, fc.array(value), async (source, pre, file, rules) => {
      const filters = rules.map((rule) => `- x${rule.replaceAll("\n", "")}`);
      await write({ "a.conf": `[filters]\n${filters.map((rule) => `${rule}\r\n`).join("")}` });
      const set = [
        `default.source=/${source}`,
        "default.destination=r:",
        `default.pre_command=${pre}`,
        `guards.require_file=${file}`,
      ];
      const first = await load("a", { set });
      assert.deepEqual(first.backup.filters, filters);
      await write({ "b.conf": showConfig(first) });
      const second = await load("b");
      assert.deepEqual({ ...second.backup, name: "a", file: first.backup.file }, first.backup);
    }),
    { numRuns: 200 },
  );
});

test("values are written so that they are read back", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.equal(readValue(` ${writeValue(text)}  ; origin`).text, text);
      assert.equal(interpolate(escapeInterpolation(text), {}).text, text);
    }),
  );
  for (const text of [
    "a;b",
    "/srv/data#1",
    "C:\\x",
    'say "a ; b" now',
    "it's",
    "1.50",
    "null",
    "[x]",
  ]) {
    assert.equal(writeValue(text), text);
  }
});

test("values: comments and quotes", () => {
  const cases: Readonly<Record<string, string>> = {
    " a;b#c ": "a;b#c",
    " a ;b": "a",
    "a\t# b": "a",
    " ; only a comment": "",
    ";a": ";a",
    ' "a ; b" ; c': "a ; b",
    ' "a\\u00e9\\n"': "aé\n",
    " '1.50'": "1.50",
    " 'null'#": "'null'#",
    " 'a \\n # b' # c": "a \\n # b",
    ' "a" "b ; c" ; d': '"a" "b ; c"',
    " it's ; bob's": "it's",
    " --x='a ; b' ; c": "--x='a ; b'",
    ' a\\;b "c\\" ; d" ; e': 'a\\;b "c\\" ; d"',
    ' ""': "",
  };
  for (const [raw, text] of Object.entries(cases)) {
    assert.deepEqual([readValue(raw).text, readValue(raw).problem], [text, undefined], raw);
  }
});

test("secrets in locations are masked, wherever they stand", () => {
  const cases: Readonly<Record<string, string>> = {
    "/srv/data": "/srv/data",
    "/srv/a,pass=b:c": "/srv/a,pass=b:c",
    "remote:path,pass=x": "remote:path,pass=x",
    "remote,key=abc:path": "remote,key=********:path",
    ":sftp,pass=xyz,host=h,key_file=/k:dir": ":sftp,pass=********,host=h,key_file=/k:dir",
    ':b2,account=a,key="x,""y:":': ":b2,account=a,key=********:",
    ":crypt,remote=':sftp,pass=x,user=u:a',password='o''b':":
      ":crypt,remote=':sftp,pass=********,user=u:a',password=********:",
    ":webdav,url='https://u:p@h/x',pass=a:b":
      ":webdav,url='https://u:********@h/x',pass=********:b",
    "r,hard_delete,token={}:x": "r,hard_delete,token=********:x",
    ":sftp,pass=never ends": ":sftp,********",
    ":sftp,pass='never ends:x": ":sftp,********",
    "https://u:p@h/": "https://u:********@h/",
  };
  for (const [text, masked] of Object.entries(cases)) assert.equal(maskLocation(text), masked);
});

test("no quoting of a secret gets it past the mask", () => {
  const secret = fc
    .string({ unit: fc.constantFrom(...Array.from("abc123,:'\"= ")), minLength: 4 })
    .map((text) => `S3CRET${text}S3CRET`);
  fc.assert(
    fc.property(
      secret,
      fc.constantFrom("pass", "password2", "secret_access_key"),
      fc.constantFrom("'", '"'),
      (text, key, quote) => {
        const inner = `:sftp,host=h,${key}=${quoteWith(quote, text)}:dir`;
        const outer = `:crypt,remote=${quoteWith(quote, inner)},x=y:`;
        assert.ok(!maskLocation(inner).includes("S3CRET"), inner);
        assert.ok(!maskLocation(outer).includes("S3CRET"), outer);
      },
    ),
  );
});
