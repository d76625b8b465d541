import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { makePassword } from "../lib/crypt/passphrase.ts";
import { obscure, reveal } from "../lib/crypt/obscure.ts";
import { newConfigText } from "../lib/jobs/init/configtext.ts";
import { sheetRemotes } from "../lib/jobs/init/credentials.ts";
import { cryptOptions } from "../lib/jobs/init/passwords.ts";
import { recoverySheet } from "../lib/jobs/init/sheet.ts";
import { sectionText, type Section } from "../lib/rclone/configfile.ts";
import { makeConfigDir } from "./helpers/config-dir.ts";
import { followSheet } from "./helpers/init.ts";
import { oldRclone } from "./helpers/rclones.ts";
import { makeSandbox } from "./helpers/sandbox.ts";

// What a sheet tells of remotes whose keys it may or may not hold.

const zeros = (bytes: number): Uint8Array => new Uint8Array(bytes);
const passwords = { password: 'it\'s a \\ "secret" $HOME `x`', salt: "pepper" };

const sections: readonly Section[] = [
  { name: "home-crypt", options: cryptOptions("nas:back up/home", passwords, zeros) },
  {
    name: "nas",
    options: new Map([
      ["type", "sftp"],
      ["host", "nas.example"],
      ["pass", obscure("hunter2", zeros(16))],
      ["key_file", "/root/.ssh/id_ed25519"],
      ["comment", "it's mine"],
    ]),
  },
  {
    name: "far",
    options: new Map([
      ["type", "b2"],
      ["account", "0012"],
      ["key", "K001secret"],
    ]),
  },
];

const obscured = new Map([["sftp", new Set(["pass", "key_file_pass"])]]);

function sheet(include: boolean): string {
  return recoverySheet({
    ...{ name: "home", source: "/srv", destination: "home-crypt:home", base: "nas:back up/home" },
    ...{ isDirectory: false, history: "home-crypt:home.history", day: "2026-01-31" },
    remotes: sheetRemotes(sections, obscured, include),
    config: "[default]\nsource = /srv\n",
  });
}

test("credentials are told by name and asked for; what was typed is in rclone's configuration then", async (t) => {
  const text = sheet(false);
  for (const secret of ["hunter2", "K001secret", obscure("hunter2", zeros(16))])
    assert.ok(!text.includes(secret), secret);
  assert.match(text, /^ {3}- pass of nas \(sftp\); step 3 asks for it$/m);
  assert.match(text, /^ {3}- the file \/root\/\.ssh\/id_ed25519 \(key_file of nas\)$/m);
  assert.match(text, /^ {3}- key of far \(b2\); step 3 asks for it$/m);
  const box = await makeSandbox(t, oldRclone);
  const onlyConfig = text.replaceAll(/^ {4}(?:rclone --config|if test|rm ).*$/gm, "");
  const { home, result } = await followSheet(box, onlyConfig, "typed pass\nK00 \\typed\n");
  assert.equal(result.code, 0, result.stderr);
  const file = path.join(home, "recovery/rclone.conf");
  const conf = await readFile(file, "utf8");
  assert.match(conf, /^host = nas\.example$/m);
  assert.match(conf, /^comment = it's mine$/m);
  assert.match(conf, /^key = K00 \\typed$/m);
  const value = (key: string): string => new RegExp(`^${key} = (.*)$`, "m").exec(conf)?.[1] ?? "";
  assert.equal(reveal(value("password")), passwords.password);
  assert.equal(reveal(value("password2")), passwords.salt);
  assert.equal(reveal(value("pass")), "typed pass");
});

test("with --include-credentials they stand there, as rclone has them", () => {
  const text = sheet(true);
  assert.ok(text.includes(`'pass = ${obscure("hunter2", zeros(16))}'`));
  assert.ok(text.includes("'key = K001secret'"));
  assert.ok(!text.includes("asks for it"));
  assert.match(text, /the file \/root\/\.ssh\/id_ed25519/);
});

test("obscured passwords come back, whatever they are", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      (text, iv) => {
        assert.equal(reveal(obscure(text, iv)), text);
      },
    ),
  );
});

test("made passwords have one form and use what randomness there is", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
      let at = 0;
      // Bytes that are too large to be fair are passed over, so that others must come in the end.
      const random = (count: number): Uint8Array =>
        Uint8Array.from({ length: count }, () => (bytes[(at += 1) % bytes.length] ?? 0) + at);
      assert.match(makePassword(random), /^(?:[a-hjkmnp-z2-9]{5}-){5}[a-hjkmnp-z2-9]{5}$/);
    }),
  );
  assert.equal(makePassword(zeros), "aaaaa-aaaaa-aaaaa-aaaaa-aaaaa-aaaaa");
});

test("the configuration that is written reads back, whatever source and destination are", async (t) => {
  const config = await makeConfigDir(t);
  const facts = {
    ...{ name: "home", history: "dir" as const, cron: "30 3 * * *", day: "2026-01-31" },
    ...{ rcloneConfig: "/etc/rclone's.conf", mount: "/srv/${x} ; y" },
  };
  for (const source of ["/srv/a ; b", "/srv/${HOME}", '/srv/"q', "/srv/a\nb", "/srv/ends "]) {
    const text = newConfigText({ ...facts, source, destination: "home-crypt:home" });
    const { backup } = await config.load(await config.write({ "home.conf": text }));
    assert.equal(backup.source, source);
    assert.equal(backup.guards.requireMount, facts.mount);
    assert.equal(backup.rclone.config, facts.rcloneConfig);
    assert.equal(backup.schedule.cron, facts.cron);
    const without = newConfigText({
      ...facts,
      source,
      destination: "x:y",
      mount: undefined,
      cron: undefined,
    });
    const plain = await config.load(await config.write({ "home.conf": without }));
    assert.equal(plain.backup.guards.requireMount, undefined);
    assert.equal(plain.backup.source, source);
  }
});

test("what rclone would read otherwise gets into no section", () => {
  for (const remote of ["/a\nb", " /a", "/a ", '"/a"', "/%(x)s"])
    assert.throws(
      () => sectionText({ name: "x", options: new Map([["remote", remote]]) }),
      /remote of the remote x: expected a text without line breaks/,
    );
  assert.equal(
    sectionText({ name: "x", options: new Map([["remote", "/a;b #c %d 'e'"]]) }),
    "[x]\nremote = /a;b #c %d 'e'\n",
  );
});
