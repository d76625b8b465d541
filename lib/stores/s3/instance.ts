import { readFile } from "node:fs/promises";
import { failed, usage } from "../../errors.ts";
import type { StoreWorld } from "../world.ts";
import { withToken, type Keys } from "./keys.ts";

/** Milliseconds that a metadata service, which is near or not there, may take. */
const patience = 2000;
const attempts = 3;

/**
 * The keys of the role that a container or an instance has. Throws a usage failure where nothing
 * answers, since then there are no keys to be had at all.
 */
export async function instanceKeys(world: StoreWorld): Promise<Keys> {
  const { env } = world;
  const relative = env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"];
  const full = env["AWS_CONTAINER_CREDENTIALS_FULL_URI"];
  if (relative) return containerKeys(world, new URL(relative, "http://169.254.170.2").href);
  if (full) return containerKeys(world, full);
  if (env["AWS_EC2_METADATA_DISABLED"]?.toLowerCase() === "true") throw none();
  return rolesKeys(world, env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] || "http://169.254.169.254");
}

async function containerKeys(world: StoreWorld, url: string): Promise<Keys> {
  if (!URL.canParse(url) || !near(new URL(url)))
    throw usage(
      "AWS_CONTAINER_CREDENTIALS_FULL_URI: expected https or an address of this machine, found another",
    );
  const { env } = world;
  const file = env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"];
  const token = file
    ? (await readFile(file, "utf8")).trim()
    : env["AWS_CONTAINER_AUTHORIZATION_TOKEN"];
  const headers = token ? { authorization: token } : {};
  return keysIn((await ask(world, "GET", url, headers)).text, "the container's credentials");
}

/** Whether keys may be asked for there, so that nobody else gets the token to them. */
function near({ protocol, hostname }: URL): boolean {
  if (protocol === "https:") return true;
  const hosts = ["localhost", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];
  return protocol === "http:" && (hosts.includes(hostname) || /^127(\.\d+){3}$/.test(hostname));
}

async function rolesKeys(world: StoreWorld, endpoint: string): Promise<Keys> {
  const base = `${endpoint.replace(/\/+$/, "")}/latest`;
  const token = await ask(world, "PUT", `${base}/api/token`, {
    "x-aws-ec2-metadata-token-ttl-seconds": "21600",
  });
  // Services of the first version know no tokens.
  const headers = token.status === 200 ? { "x-aws-ec2-metadata-token": token.text } : {};
  const roles = `${base}/meta-data/iam/security-credentials/`;
  const found = await ask(world, "GET", roles, headers);
  const role = found.status === 200 ? found.text.split("\n")[0]?.trim() : undefined;
  if (!role) throw none();
  const { text } = await ask(world, "GET", `${roles}${encodeURIComponent(role)}`, headers);
  return keysIn(text, `the credentials of role ${role}`);
}

async function ask(
  world: StoreWorld,
  method: "GET" | "PUT",
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly status: number; readonly text: string }> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      // Not through a proxy: the address means this machine's own.
      const answer = await fetch(url, {
        method,
        headers: { ...headers },
        signal: AbortSignal.timeout(patience),
        redirect: "error",
      });
      const text = await answer.text();
      if (answer.status < 500 || attempt >= attempts) return { status: answer.status, text };
    } catch (cause) {
      if (attempt >= attempts) throw none(cause);
    }
    await world.sleep(attempt * 200);
  }
}

function keysIn(text: string, place: string): Keys {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    // Told below: the text itself may hold a key.
  }
  const field = (name: string): string => {
    const value: unknown =
      typeof answer === "object" && answer !== null && name in answer
        ? Reflect.get(answer, name)
        : undefined;
    return typeof value === "string" ? value : "";
  };
  const keys = withToken(field("AccessKeyId"), field("SecretAccessKey"), field("Token"));
  if (keys.accessKeyId === "" || keys.secretAccessKey === "")
    throw failed(`${place}: expected keys in JSON, found something else`, {
      hint: "check the role of this machine or container",
    });
  const expiresAt = Date.parse(field("Expiration"));
  return Number.isNaN(expiresAt) ? keys : { ...keys, expiresAt };
}

function none(cause?: unknown): Error {
  return usage("an s3 remote with env_auth: expected keys, found none", {
    hint: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile, or give this machine a role",
    cause,
  });
}
