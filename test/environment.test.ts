import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { childEnvironment } from "../lib/rclone/environment.ts";
import { callsOf, makeBackedUp, makeBackup, manyFiles, until } from "./helpers/backups.ts";
import { eitherRclone, oldRclone } from "./helpers/rclones.ts";
import { serveS3 } from "./helpers/s3.ts";
import { obscuredPassword } from "./helpers/sandbox.ts";

// rclone gets the environment it needs and nothing that would change what a sync deletes.

test("only what rclone needs gets through", () => {
  const kept = {
    PATH: "/bin",
    HOME: "/root",
    TMPDIR: "/var/tmp",
    LANG: "C",
    LC_ALL: "C.UTF-8",
    RCLONE_CONFIG: "/x",
    RCLONE_CONFIG_PASS: "p",
    RCLONE_CONFIG_REMOTE_TYPE: "local",
    https_proxy: "http://proxy",
    NO_PROXY: "localhost",
    SSL_CERT_FILE: "/ca",
    AWS_ACCESS_KEY_ID: "key",
    AZURE_STORAGE_KEY: "key",
    GOOGLE_APPLICATION_CREDENTIALS: "/file",
  };
  const dropped = {
    RCLONE_EXCLUDE: "*",
    RCLONE_IGNORE_ERRORS: "true",
    RCLONE_DRY_RUN: "1",
    RCLONE_MAX_DELETE: "0",
    RCLONE_B2_HARD_DELETE: "true",
    RCLONE_S3_VERSIONS: "true",
  };
  const silent = {
    LD_PRELOAD: "x",
    BASH_ENV: "x",
    NODE_OPTIONS: "x",
    RCLONE_BACKUPS_STATE: "/state",
    EMPTY: undefined,
  };
  const result = childEnvironment({ ...silent, ...dropped, ...kept, TZ: "Asia/Tokyo" }, 2 ** 32);
  assert.deepEqual(result.dropped, Object.keys(dropped).toSorted());
  const { TZ, GOGC, GOMEMLIMIT, TCELL_MINIMIZE, ...rest } = result.env;
  assert.deepEqual(rest, kept);
  assert.equal(TZ, "UTC", "listings tell times in it");
  assert.ok(Number(GOGC) > 0 && Number(GOMEMLIMIT) > 0);
  assert.equal(TCELL_MINIMIZE, "1", "rclone starts without tables for terminals");
});

for (const rclone of eitherRclone(import.meta.url)) {
  const titled = (title: string): string => `${title} (${rclone.version} rclone)`;

  test(titled("a left-over RCLONE_EXCLUDE is told and without effect"), async (t) => {
    const backup = await makeBackup(t, rclone, {}, manyFiles(3));
    const env = { RCLONE_EXCLUDE: "file1", RCLONE_DELETE_EXCLUDED: "true", RCLONE_DRY_RUN: "true" };
    const { stderr } = await backup.expect(0, { env, stderr: /warning: environment: / });
    assert.match(
      stderr,
      /RCLONE_DELETE_EXCLUDED, RCLONE_DRY_RUN, RCLONE_EXCLUDE are not passed on/,
    );
    assert.deepEqual(await backup.stored(), Object.keys(manyFiles(3)));
  });

  test(titled("RCLONE_IGNORE_ERRORS deletes nothing under an unreadable directory"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, { ...manyFiles(6), "closed/a": "1" });
    await chmod(path.join(backup.source, "closed"), 0o000);
    await backup.expect(3, {
      env: { RCLONE_IGNORE_ERRORS: "true" },
      unprivileged: true,
      stderr: /RCLONE_IGNORE_ERRORS is not passed on/,
    });
    assert.ok((await backup.stored()).includes("closed/a"));
  });

  test(titled("a remote that exists in RCLONE_CONFIG_* alone works"), async (t) => {
    const backup = await makeBackup(
      t,
      rclone,
      { default: { destination: "cron-job:x" } },
      { a: "1" },
    );
    const env = {
      "RCLONE_CONFIG_CRON-JOB_TYPE": "alias",
      "RCLONE_CONFIG_CRON-JOB_REMOTE": path.join(backup.store, "env"),
    };
    await backup.expect(0, { env });
    assert.deepEqual(await backup.stored(path.join(backup.store, "env/x")), ["a"]);
    await backup.expect(2, {
      stderr: /remote cron-job: expected a remote of rclone's configuration/,
    });
  });

  test(titled("a connection string's secrets are in no argument, message or state"), async (t) => {
    const backup = await makeBackup(t, rclone, {}, { a: Buffer.alloc(3_000_000) });
    const password = obscuredPassword;
    const destination = `:crypt,remote="${backup.store}/direct",password=${password}:sub`;
    await backup.configure({ default: { destination }, rclone: { bwlimit: "300k" } });
    await backup.trace(`[ "$1" = sync ] && echo $$ >'${backup.root}/pid'`);
    const live = backup.start(["-v", "-v"]);
    let cmdline = "";
    await until(async () => {
      const pid = (await readFile(path.join(backup.root, "pid"), "utf8")).trim();
      cmdline = await readFile(`/proc/${pid}/cmdline`, "utf8");
      return cmdline.includes("\0sync\0") && !cmdline.includes("/bin/sh");
    }, "rclone's command line can be read");
    assert.ok(!cmdline.includes(password), "/proc shows the password");
    assert.match(cmdline, /backup_destination:sub/);
    const own = await readFile(`/proc/${live.pid}/cmdline`, "utf8");
    assert.ok(!own.includes(password));
    const result = await live.done;
    assert.equal(result.code, 0, result.stderr);
    const calls = await backup.calls();
    assert.ok(callsOf(calls, "sync").length === 1);
    const state = await readFile(path.join(await backup.stateDirectory(), "state.json"), "utf8");
    for (const text of [JSON.stringify(calls), result.stderr, result.stdout, state])
      assert.ok(!text.includes(password));
    // What was stored can be read with the same words.
    const stored = await backup.runRclone(["lsf", destination]);
    assert.equal(stored.stdout, "a\n", stored.stderr);
  });

  test(titled("a remote that shows old versions is written to as if it did not"), async (t) => {
    const s3 = await serveS3(t);
    const backup = await makeBackup(
      t,
      rclone,
      { default: { destination: "my-cloud:bucket/x" } },
      manyFiles(3),
    );
    const keys = { access_key_id: "key", secret_access_key: "secret", no_check_bucket: "true" };
    const options = Object.entries({
      ...{ type: "s3", provider: "Other", endpoint: s3.url, ...keys },
      ...{ versions: "true", version_at: "2020-01-01" },
    });
    const section = options.map(([key, value]) => `${key} = ${value}\n`).join("");
    await writeFile(backup.rcloneConf, `\n[my-cloud]\n${section}`, { flag: "a" });
    const bare = await backup.runRclone([
      "copy",
      "--retries=1",
      backup.source,
      "my-cloud:bucket/x",
    ]);
    assert.notEqual(bare.code, 0, "rclone alone can't write there");
    assert.deepEqual(s3.stored(), []);
    await backup.expect(0);
    assert.deepEqual(s3.stored(), ["x/file0", "x/file1", "x/file2"]);
    await backup.remove("file0");
    await backup.expect(0);
    assert.deepEqual(s3.stored(), ["x/file1", "x/file2"]);
  });
}

test("hard_delete of a remote is off for every call, also below other remotes", async (t) => {
  const backup = await makeBackup(t, oldRclone, { default: { destination: "outer:" } }, { a: "1" });
  // A remote of our own that only looks like B2's: the option is what counts.
  await writeFile(
    backup.rcloneConf,
    `\n[outer]\ntype = alias\nremote = in-ner:\n[in-ner]\ntype = alias\nremote = ${backup.store}/x\nhard_delete = true\n`,
    { flag: "a" },
  );
  await backup.trace(
    `tr '\\0' '\\n' </proc/$$/environ | sed -n "s/^RCLONE_CONFIG_IN-NER_HARD_DELETE=/$1 /p" >>'${backup.root}/seen'`,
  );
  await backup.expect(0);
  const seen = (await readFile(path.join(backup.root, "seen"), "utf8")).split("\n");
  assert.ok(seen.includes("sync false"), seen.join());
});

test("what deletes for good can't be said in a connection string", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  for (const option of ["hard_delete", "versions"]) {
    await backup.configure({
      default: { destination: `:alias,remote=${backup.store}/x,${option}=true:` },
    });
    await backup.expect(2, { stderr: new RegExp(`connection string: expected no ${option}`) });
  }
});

test("flags that change what is deleted, filtered or told are refused", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  for (const flag of [
    "--ignore-errors",
    "--max-delete=0",
    "--delete-before",
    "--exclude=*.jpg",
    "--filter-from=/tmp/x",
    "--max-age=1d",
    "--dry-run",
    "--backup-dir=secret:old",
    "--suffix=.old",
    "--b2-hard-delete",
    "--s3-versions",
    "--log-file=/tmp/x",
  ]) {
    await backup.configure({ rclone: { flags: flag } });
    const name = flag.replace(/=.*/, "");
    await backup.expect(2, { stderr: new RegExp(`home\\.conf:\\d+.*found ${name}`) });
  }
});
