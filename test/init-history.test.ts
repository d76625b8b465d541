import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { chooseHistory } from "../lib/jobs/init/historykind.ts";
import { remotesBehind } from "../lib/jobs/init/chain.ts";
import { findTarget } from "../lib/jobs/init/target.ts";
import type { Remotes } from "../lib/rclone/resolve.ts";
import { startFake } from "./helpers/s3fake.ts";

// How a new backup keeps old versions, and what stands between it and its store.

function remotes(...entries: readonly (readonly [string, Record<string, string>])[]): Remotes {
  return new Map(entries.map(([name, options]) => [name, new Map(Object.entries(options))]));
}

const world = {
  ...{ env: {}, cwd: "/", isRoot: false, now: () => new Date() },
  signal: new AbortController().signal,
  events: { warn: () => {}, detail: () => {}, progress: () => {} },
};

async function onS3(t: TestContext, answer: string, status = 200): Promise<string> {
  const server = await startFake(t, (_, response) => response.writeHead(status).end(answer));
  const options = { ...Object.fromEntries(server.options), type: "s3" };
  return chooseHistory("far:bucket/x", { remotes: remotes(["far", options]), env: {} }, world);
}

const told = (status: string): string =>
  `<VersioningConfiguration>${status}</VersioningConfiguration>`;

test("S3 with versioning keeps old versions by itself; any other bucket gets dated directories", async (t) => {
  assert.equal(await onS3(t, told("<Status>Enabled</Status>")), "auto");
  assert.equal(await onS3(t, told("<Status>Suspended</Status>")), "dir");
  assert.equal(await onS3(t, told("")), "dir");
  assert.equal(await onS3(t, "<Error><Code>AccessDenied</Code></Error>", 403), "dir");
  const none = await onS3(t, "<Error><Code>NoSuchBucket</Code></Error>", 404);
  assert.equal(none, "dir", "rclone makes the bucket");
});

test("B2 does so always, where nothing hides its versions; a directory never", async () => {
  const context = {
    remotes: remotes(
      ["b2", { type: "b2", account: "a", key: "k" }],
      ["cut", { type: "chunker", remote: "b2:bucket/x" }],
    ),
    env: {},
  };
  assert.equal(await chooseHistory("b2:bucket/x", context, world), "auto");
  assert.equal(await chooseHistory("cut:y", context, world), "dir");
  assert.equal(await chooseHistory("/mnt/backup", context, world), "dir");
});

const context = {
  remotes: remotes(
    ["nas", { type: "sftp", host: "nas" }],
    ["b2", { type: "b2", account: "a" }],
    ["short", { type: "alias", remote: "nas:back/up" }],
    ["both", { type: "combine", upstreams: 'one=short: "two=b2:bucket/some where"' }],
    ["secret", { type: "crypt", remote: "short:x", password: "" }],
    ["home-crypt", { type: "alias", remote: "nas:" }],
  ),
  env: {},
  cwd: "/start",
  realpath: (path: string) => path,
};

const names = (location: string): string[] =>
  remotesBehind(location, context).map(({ name }) => name);

test("every remote between a backup and its store is found, once", () => {
  assert.deepEqual(names("secret:data"), ["secret", "short", "nas"]);
  assert.deepEqual(names("both:"), ["both", "short", "nas", "b2"]);
  assert.deepEqual(names("/mnt/x"), []);
  assert.throws(() => names("nowhere:"), /nowhere: expected a remote/);
});

const target = (remote: string, name = "photos"): (string | undefined)[] => {
  const { base, destination, crypt } = findTarget(name, remote, context);
  return [base, destination, crypt];
};

test("where a new backup goes", () => {
  assert.deepEqual(target("disk/x"), ["/start/disk/x", "photos-crypt:photos", "photos-crypt"]);
  assert.deepEqual(target("short:y"), ["short:y", "photos-crypt:photos", "photos-crypt"]);
  assert.deepEqual(target("secret:"), ["secret:", "secret:photos", undefined]);
  assert.deepEqual(target("secret:a/b/"), ["secret:a/b/", "secret:a/b", undefined]);
  assert.throws(() => target("b2:"), /expected a bucket, found none in b2:/);
  assert.throws(() => target("short:y", "home"), /remote home-crypt: expected no remote/);
  assert.throws(() => target("nas,user=me:x"), /found a connection string/);
  assert.throws(() => target("nowhere:x"), /nowhere: expected a remote/);
});
