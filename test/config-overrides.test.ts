import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { makeConfigDir, minimal } from "./helpers/config-dir.ts";

test("--set wins over the environment, which wins over the file", async (t) => {
  const { write, load } = await makeConfigDir(t);
  const file = await write({ "x.conf": `${minimal}[rclone]\ntransfers = 1\n` });
  const env = { RCLONE_BACKUPS_RCLONE_TRANSFERS: "2" };
  assert.equal((await load(file)).backup.rclone.transfers, 1);
  assert.equal((await load(file, { env })).backup.rclone.transfers, 2);
  const set = ["rclone.transfers=3", "rclone.transfers=4"];
  const { backup, provenance } = await load(file, { env, set });
  assert.equal(backup.rclone.transfers, 4);
  assert.equal(provenance().find(({ key }) => key === "transfers")?.origin, "--set");
  assert.equal(
    (await load(file, { env, set: ["rclone.transfers="] })).backup.rclone.transfers,
    undefined,
  );
});

test("an override is taken literally", async (t) => {
  const { write, load } = await makeConfigDir(t);
  const file = await write({ "x.conf": minimal });
  const text = " \"a\" ; ${HOME} = 'b' ";
  const env = { RCLONE_BACKUPS_DEFAULT_DESTINATION: text, HOME: "/h" };
  const { backup } = await load(file, {
    env,
    set: [`default.source=${text}`, "rclone.config=r.conf"],
  });
  assert.equal(backup.source, text);
  assert.equal(backup.destination, text);
  assert.equal(backup.rclone.config, path.resolve("r.conf"));
});

test("the suite's own variables are no overrides", async (t) => {
  const { write, load, dir } = await makeConfigDir(t);
  const file = await write({ "x.conf": minimal });
  const env = {
    RCLONE_BACKUPS_DIR: dir,
    RCLONE_BACKUPS_STATE: "/state",
    RCLONE_CONFIG: "/r",
    RCLONE_BACKUPS_X: undefined,
  };
  assert.equal((await load(file, { env })).backup.source, "/src");
});

test("overrides of no key and wrong values are errors that name them", async (t) => {
  const { fail } = await makeConfigDir(t);
  const name = async (variable: string) => fail(minimal, { env: { [variable]: "hunter2" } });
  assert.deepEqual(await name("RCLONE_BACKUPS_GUARD_MAXDELETE"), {
    message:
      "environment RCLONE_BACKUPS_GUARD_MAXDELETE: expected RCLONE_BACKUPS_SECTION_KEY with a known section and key, found another name",
    hint: "did you mean RCLONE_BACKUPS_GUARDS_MAX_DELETE?",
  });
  assert.equal((await name("RCLONE_BACKUPS_STATES")).hint, "did you mean RCLONE_BACKUPS_STATE?");
  assert.equal((await name("RCLONE_BACKUPS_ZZZZZZZZZ")).hint, "unset it");
  assert.equal((await name("RCLONE_BACKUPS_FILTERS")).hint, "unset it");
  assert.deepEqual(await fail(minimal, { env: { RCLONE_BACKUPS_VERIFY_MEND: "maybe" } }), {
    message:
      'environment RCLONE_BACKUPS_VERIFY_MEND: expected true, yes, 1, false, no or 0, found "maybe"',
    hint: undefined,
  });

  const set = async (text: string) => fail(minimal, { set: [text] });
  assert.deepEqual(await set("transfers=3"), {
    message: '--set: expected section.key=value with a known key, found "transfers"',
    hint: "did you mean rclone.transfers?",
  });
  assert.equal((await set("rclone.transfer=3")).hint, "did you mean rclone.transfers?");
  assert.equal((await set("guards.mend=3")).hint, "did you mean verify.mend?");
  assert.equal((await set("verify.zzzzzzz=3")).hint, "known: conditions, mend, budget, hash_every");
  assert.match((await set("zzz.zzzzzzz=3")).hint ?? "", /^known: default, filters, /);
  assert.equal(
    (await set("filters.x=- a")).hint,
    "filter rules are lines of the file and can't be set",
  );
  assert.deepEqual(await set("hunter2"), {
    message: "--set: expected section.key=value, found no =",
    hint: "--set rclone.transfers=8",
  });
  assert.equal(
    (await set("rclone.transfers=x")).message,
    '--set rclone.transfers: expected a whole number from 1 to 1000, found "x"',
  );
  assert.deepEqual(await set("rclone.password=hunter2"), {
    message: "--set rclone.password: expected file:PATH or command:CMD, found the secret itself",
    hint: "every user of the machine can see a program's arguments",
  });
});
