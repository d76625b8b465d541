import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { createServer } from "node:net";
import { test, type TestContext } from "node:test";
import { probeDestination } from "../lib/jobs/backup/probe.ts";
import { peerOf, peerText, type Peer } from "../lib/rclone/peer.ts";
import { resolveLocation } from "../lib/rclone/resolve.ts";
import { makeBackup } from "./helpers/backups.ts";
import { oldRclone } from "./helpers/rclones.ts";

// A destination whose host is down skips the run, and doesn't fail it halfway.

function peer(type: string, options: Readonly<Record<string, string>>): string | undefined {
  const found = peerOf(type, new Map(Object.entries(options)));
  return found === undefined ? undefined : peerText(found);
}

test("which host and port a remote means", () => {
  assert.equal(peer("sftp", { host: "nas" }), "nas:22");
  assert.equal(peer("sftp", { host: "nas", port: "2222" }), "nas:2222");
  assert.equal(peer("sftp", { host: "::1", port: "0" }), "[::1]:22");
  assert.equal(peer("ftp", { host: "[fd00::2]" }), "[fd00::2]:21");
  assert.equal(peer("smb", { host: "nas", share: "x" }), "nas:445");
  assert.equal(peer("webdav", { url: "https://cloud.example/dav" }), "cloud.example:443");
  assert.equal(peer("http", { url: "http://[::1]:8080/" }), "[::1]:8080");
  assert.equal(peer("http", { url: "http://nas" }), "nas:80");
});

test("what is no host's, and what is reached through something else, has none", () => {
  assert.equal(peer("b2", { account: "x" }), undefined);
  assert.equal(peer("s3", { endpoint: "https://s3.example" }), undefined);
  assert.equal(peer("local", {}), undefined);
  assert.equal(peer("sftp", {}), undefined);
  assert.equal(peer("sftp", { host: "nas", port: "x" }), undefined);
  assert.equal(peer("sftp", { host: "nas", ssh: "ssh -J jump nas" }), undefined);
  assert.equal(peer("ftp", { host: "nas", socks_proxy: "localhost:9050" }), undefined);
  assert.equal(peer("webdav", { url: "file:///x" }), undefined);
  assert.equal(peer("webdav", { url: "not a url" }), undefined);
});

const remotes = new Map([
  ["nas", new Map(Object.entries({ type: "sftp", host: "nas.example", port: "2200" }))],
  ["short", new Map(Object.entries({ type: "alias", remote: "nas:/backup" }))],
  ["secret", new Map(Object.entries({ type: "crypt", remote: "short:x", password: "" }))],
]);

function see(location: string, env: Record<string, string> = {}): Peer | undefined {
  return resolveLocation(location, { remotes, env, realpath: (path) => path, cwd: "/" }).peer;
}

test("the host is seen through crypt, alias, variables and connection strings", () => {
  assert.deepEqual(see("secret:photos"), { host: "nas.example", port: 2200 });
  const env = { RCLONE_CONFIG_NAS_HOST: "other" };
  assert.deepEqual(see("secret:photos", env), { host: "other", port: 2200 });
  assert.deepEqual(see(":sftp,host=there:photos"), { host: "there", port: 22 });
  assert.equal(see("/mnt/backup"), undefined);
});

/** What a probe of a host finds. */
async function probe(
  found: Peer,
  { env = {}, limit = 5000, signal = new AbortController().signal } = {},
): Promise<string | undefined> {
  const session = {
    destinationPlace: {
      ...{ store: "sftp", segments: [], layers: [], names: [], keys: [], hazards: [] },
      peer: found,
    },
    rclone: { program: "", env, common: [] },
  };
  return probeDestination(session, signal, limit);
}

/** A port that takes connections until the test ends, or no longer where `closed`. */
async function port(t: TestContext, closed = false): Promise<number> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const close = async (): Promise<void> => {
    await new Promise((resolve) => server.close(resolve));
  };
  if (closed) await close();
  else t.after(close);
  return address !== null && typeof address !== "string" ? address.port : 0;
}

test("a host that takes connections, one that refuses, one without an address", async (t) => {
  const open = await port(t);
  const closed = await port(t, true);
  const host = "127.0.0.1";
  assert.equal(await probe({ host, port: open }), undefined);
  assert.equal(
    await probe({ host, port: closed }),
    `destination: expected 127.0.0.1:${closed} to take connections, found none (refused)`,
  );
  assert.match(
    (await probe({ host: "no-such-host.invalid", port: 22 })) ?? "",
    /expected no-such-host.invalid:22 .*\((unknown host|the name could not be looked up|timed out)\)$/,
  );
  assert.match(
    // Of the addresses that are for documentation alone (RFC 5737).
    (await probe({ host: "192.0.2.1", port: 22 }, { limit: 50 })) ?? "",
    /\((timed out|host unreachable|network unreachable|refused)\)$/,
  );
});

test("a proxy stands for the host where HTTP is spoken, and a stopped run asks nothing", async (t) => {
  const closed = { host: "127.0.0.1", port: await port(t, true) };
  const env = { https_proxy: "http://proxy.example:3128" };
  assert.equal(await probe({ ...closed, scheme: "https" }, { env }), undefined);
  assert.equal(
    await probe({ ...closed, scheme: "http" }, { env: { ALL_PROXY: "socks5://x" } }),
    undefined,
  );
  assert.match((await probe(closed, { env })) ?? "", /refused/, "rclone's sftp knows no proxies");
  const stopped = AbortSignal.abort(new Error("stopped"));
  await assert.rejects(probe(closed, { signal: stopped }), /stopped/);
});

test("a backup whose host is down is skipped, and says so in its status", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  const closed = await port(t, true);
  await appendFile(
    backup.rcloneConf,
    `\n[nas]\ntype = sftp\nhost = 127.0.0.1\nport = ${closed}\nuser = me\n[far]\ntype = alias\nremote = nas:backup\n`,
  );
  await backup.configure({
    default: {
      destination: "far:x",
      pre_command: `echo pre >>${backup.root}/steps`,
      failure_command: `echo failure >>${backup.root}/steps`,
    },
    schedule: { skip_unless: `echo asked >>${backup.root}/steps` },
  });
  const text = `destination: expected 127.0.0.1:${closed} to take connections, found none (refused)`;
  const result = await backup.run();
  assert.equal(result.code, 75, result.stderr);
  assert.equal(
    result.stderr,
    `rclone-backup: skipped: ${text}\nrclone-backup: hint: is it switched on? The next run tries again; where pre_command makes the way there, set probe = no in [schedule]\n`,
  );
  const { last } = await backup.record();
  assert.equal(last?.result, "skipped");
  assert.equal(last?.message, text);
  const steps = await backup.run(["--ls"]);
  assert.equal(steps.code, 0, "listing the source asks no destination");
  assert.ok(!existsSync(`${backup.root}/steps`), "no command was run");
});

test("without probe a run goes on to what rclone finds", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  await appendFile(
    backup.rcloneConf,
    `\n[dav]\ntype = webdav\nurl = http://127.0.0.1:${await port(t, true)}\nvendor = other\n`,
  );
  await backup.configure({
    default: { destination: "dav:x", pre_command: "echo it would begin; exit 75" },
  });
  await backup.expect(75, { stderr: /to take connections/ });
  await backup.expect(75, { args: ["--set", "schedule.probe=no"], stderr: /it would begin/ });
});
