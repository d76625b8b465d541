// Where keys come from, what requests are signed with, and where they go.
import { test, type TestContext } from "node:test";
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { findEndpoint } from "../lib/stores/s3/endpoint.ts";
import { enabled, fault, send, startFake, type Fake } from "./helpers/s3fake.ts";
import { openOn, type OpenOptions } from "./helpers/s3store.ts";

const none = { access_key_id: "", secret_access_key: "" };

/** Key id, region and session token with which a store was opened. */
async function signedWith(t: TestContext, options: OpenOptions): Promise<string> {
  const fake = await startFake(t, (_, response) => send(response, 200, enabled));
  await openOn(t, fake, "bucket", options);
  const headers = fake.came[0]?.headers ?? {};
  const [, key, region] =
    /Credential=([^/]*)\/\d+\/([^/]*)\//.exec(headers.authorization ?? "") ?? [];
  return [key, region, headers["x-amz-security-token"]].join(" ").trim();
}

async function home(t: TestContext): Promise<string> {
  const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-aws-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  await mkdir(path.join(root, ".aws"));
  await writeFile(
    path.join(root, ".aws/credentials"),
    "[default]\naws_access_key_id = of-default\naws_secret_access_key = s=1\n# [other]\n\n[work]\naws_access_key_id=of-work\naws_secret_access_key=s2\naws_session_token = of-session\n[odd]\nregion = x-1\n",
  );
  await writeFile(
    path.join(root, ".aws/config"),
    "[default]\nregion = eu-1\n[profile odd]\ncredential_process = /bin/keys\n[profile work]\nregion = eu-2\ns3 =\n  max = 1\n",
  );
  return root;
}

const remote = { ...none, env_auth: "true" };

test("keys and session token of the remote", async (t) => {
  assert.equal(await signedWith(t, {}), "key-id us-east-1");
  const own = { session_token: "of-remote", region: "eu-9", env_auth: "true" };
  const env = { AWS_ACCESS_KEY_ID: "of-env", AWS_SECRET_ACCESS_KEY: "x" };
  assert.equal(await signedWith(t, { remote: own, env }), "key-id eu-9 of-remote");
  assert.equal(await signedWith(t, { remote: none, env }), "", "unsigned without env_auth");
  await assert.rejects(
    signedWith(t, { remote: { secret_access_key: "" } }),
    /expected the option secret_access_key/,
  );
});

test("keys of the environment and of profiles", async (t) => {
  const HOME = await home(t);
  const env = {
    HOME,
    AWS_ACCESS_KEY_ID: "of-env",
    AWS_SECRET_ACCESS_KEY: "x",
    AWS_SESSION_TOKEN: "y",
  };
  assert.equal(await signedWith(t, { remote, env }), "of-env eu-1 y");
  const work = { ...remote, profile: "work" };
  assert.equal(await signedWith(t, { remote: work, env }), "of-work eu-2 of-session");
  assert.equal(await signedWith(t, { remote, env: { HOME } }), "of-default eu-1");
  const named = { HOME, AWS_PROFILE: "work", AWS_REGION: "eu-3" };
  assert.equal(await signedWith(t, { remote, env: named }), "of-work eu-3 of-session");
  await assert.rejects(
    signedWith(t, { remote, env: { HOME, AWS_PROFILE: "odd" } }),
    /expected aws_access_key_id, found credential_process/,
  );
  await assert.rejects(
    signedWith(t, { remote, env: { HOME, AWS_PROFILE: "gone" } }),
    /profile gone, found none/,
  );
  await assert.rejects(
    signedWith(t, { remote, env: { AWS_EC2_METADATA_DISABLED: "true", HOME: "/nonexistent" } }),
    /with env_auth: expected keys, found none/,
  );
});

/** A metadata service: each set of keys has the number of its request. */
async function metadata(t: TestContext): Promise<Fake> {
  let given = 0;
  const keys = (): string => {
    given += 1;
    const Expiration = new Date(Date.now() + 3_600_000).toISOString();
    return JSON.stringify({
      AccessKeyId: `key-${given}`,
      SecretAccessKey: "s",
      Token: "t",
      Expiration,
    });
  };
  return startFake(t, ({ method, url, headers }, response) => {
    const allowed =
      headers["x-aws-ec2-metadata-token"] === "the-token" || headers.authorization === "pass";
    if (method === "PUT" && url === "/latest/api/token") return send(response, 200, "the-token");
    if (!allowed) return send(response, 401, "");
    if (url === "/latest/meta-data/iam/security-credentials/")
      return send(response, 200, "my-role\n");
    if (url.endsWith("/my-role") || url === "/container") return send(response, 200, keys());
    return send(response, 404, "");
  });
}

test("keys of an instance and of a container", async (t) => {
  const { url } = await metadata(t);
  const env = { HOME: "/nonexistent", AWS_EC2_METADATA_SERVICE_ENDPOINT: `${url}/` };
  assert.equal(await signedWith(t, { remote, env }), "key-1 us-east-1 t");
  const container = {
    HOME: "/nonexistent",
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/container`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: "pass",
  };
  assert.equal(await signedWith(t, { remote, env: container }), "key-2 us-east-1 t");
  const elsewhere = { ...container, AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://example.com/x" };
  await assert.rejects(
    signedWith(t, { remote, env: elsewhere }),
    /expected https or an address of this machine/,
  );
});

test("keys of an instance that ran out are fetched anew, once", async (t) => {
  const { url } = await metadata(t);
  const env = { HOME: "/nonexistent", AWS_EC2_METADATA_SERVICE_ENDPOINT: url };
  const fake = await startFake(t, (came, response) =>
    came.headers.authorization?.includes("key-1/") === true
      ? send(response, 400, fault("ExpiredToken"))
      : send(response, 200, enabled),
  );
  await openOn(t, fake, "bucket", { remote, env });
  assert.match(fake.came[1]?.headers.authorization ?? "", /key-2\//);
  assert.equal(fake.came.length, 2);
});

test("a server that names another region is asked again for that region", async (t) => {
  const fake = await startFake(t, (came, response) =>
    came.headers.authorization?.includes("/eu-7/") === true
      ? send(response, 200, enabled)
      : send(
          response,
          400,
          fault("AuthorizationHeaderMalformed", "no</Message><Region>eu-7</Region><Message>"),
        ),
  );
  await openOn(t, fake, "bucket");
  assert.equal(fake.came.length, 2);
});

test("signatures of version 2 and roles are told to be unknown", async (t) => {
  await assert.rejects(signedWith(t, { remote: { v2_auth: "true" } }), /found v2_auth/);
  await assert.rejects(
    signedWith(t, { remote: { role_arn: "arn:x" } }),
    /found the option role_arn/,
  );
});

const at = (
  options: Record<string, string>,
  bucket = "bucket",
  key: string | undefined = "a b/+ü",
): string =>
  findEndpoint(new Map(Object.entries(options)), undefined).url({
    bucket,
    key,
    query: { versionId: "x=/" },
    region: options["region"] ?? "us-east-1",
  });

test("addresses: path and host style, endpoints and regions", () => {
  const rest = "a%20b/%2B%C3%BC?versionId=x%3D%2F";
  assert.equal(
    at({ provider: "AWS", region: "eu-1" }),
    `https://bucket.s3.eu-1.amazonaws.com/${rest}`,
  );
  assert.equal(
    at({ provider: "AWS", region: "cn-n-1" }),
    `https://bucket.s3.cn-n-1.amazonaws.com.cn/${rest}`,
  );
  assert.equal(
    at({ provider: "AWS" }, "a.bucket"),
    `https://s3.us-east-1.amazonaws.com/a.bucket/${rest}`,
  );
  assert.equal(
    at({ provider: "Minio", endpoint: "http://h:9000" }),
    `http://h:9000/bucket/${rest}`,
  );
  assert.equal(
    at({ provider: "Other", endpoint: "h:9000", force_path_style: "false" }),
    `https://bucket.h:9000/${rest}`,
  );
  assert.equal(
    at({ endpoint: "http://127.0.0.1:1", force_path_style: "false" }),
    `http://127.0.0.1:1/bucket/${rest}`,
  );
  assert.equal(at({ endpoint: "https://h/base/" }), `https://h/base/bucket/${rest}`);
  assert.throws(() => at({ endpoint: "ftp://h" }), /expected an address as endpoint/);
  assert.throws(() => at({}, "bucket", "a/../b"), /expected a key that a URL can hold/);
});
