import { usage } from "../../errors.ts";
import type { StoreWorld } from "../world.ts";
import { isTrue } from "./endpoint.ts";
import { instanceKeys } from "./instance.ts";
import { withToken, type Keys } from "./keys.ts";
import { readProfile } from "./profile.ts";

/** Keys to sign with. */
export interface Credentials {
  /** Undefined where requests go unsigned. Throws a usage failure where there are none to be had. */
  get(): Promise<Keys | undefined>;
  /** Fetches new ones after these were refused as expired; false where that makes no difference. */
  renew(): Promise<boolean>;
}

/** How long before their end keys are fetched anew. */
const margin = 300_000;

/** Keys for an s3 remote, from where rclone takes them, and the region named beside them. */
export async function findCredentials(
  options: ReadonlyMap<string, string>,
  world: StoreWorld,
): Promise<{ readonly credentials: Credentials; readonly region: string | undefined }> {
  const accessKeyId = options.get("access_key_id") ?? "";
  const secretAccessKey = options.get("secret_access_key") ?? "";
  if (options.get("role_arn"))
    throw usage("an s3 remote: expected keys of its own, found the option role_arn", {
      hint: "roles are not taken on here: use env_auth with the session's keys in the environment",
    });
  if (accessKeyId !== "" && secretAccessKey !== "") {
    const keys = withToken(accessKeyId, secretAccessKey, options.get("session_token"));
    return { credentials: fixed(keys), region: undefined };
  }
  if (!isTrue(options.get("env_auth"))) {
    if (accessKeyId === "" && secretAccessKey === "")
      return { credentials: fixed(undefined), region: undefined };
    const missing = accessKeyId === "" ? "access_key_id" : "secret_access_key";
    throw usage(`an s3 remote: expected the option ${missing}, found none`, {
      hint: "set it with rclone config, or env_auth = true to take keys from the environment",
    });
  }
  return fromEnvironment(options, world);
}

async function fromEnvironment(
  options: ReadonlyMap<string, string>,
  world: StoreWorld,
): Promise<{ readonly credentials: Credentials; readonly region: string | undefined }> {
  const { env } = world;
  const chosen = options.get("profile") || undefined;
  const name = chosen ?? (env["AWS_PROFILE"] || env["AWS_DEFAULT_PROFILE"] || undefined);
  const file = options.get("shared_credentials_file") || undefined;
  const profile = await readProfile(env, name ?? "default", file);
  const region = env["AWS_REGION"] || env["AWS_DEFAULT_REGION"] || profile.region;
  const keyId = env["AWS_ACCESS_KEY_ID"] || env["AWS_ACCESS_KEY"];
  const secret = env["AWS_SECRET_ACCESS_KEY"] || env["AWS_SECRET_KEY"];
  // A profile that the remote names goes before the environment, as in rclone.
  if (chosen === undefined && keyId && secret)
    return { credentials: fixed(withToken(keyId, secret, env["AWS_SESSION_TOKEN"])), region };
  if (profile.keys !== undefined) return { credentials: fixed(profile.keys), region };
  if (profile.unsupported !== undefined)
    throw usage(
      `profile ${name ?? "default"}: expected aws_access_key_id, found ${profile.unsupported}`,
      {
        hint: "this way to keys is not known here: put the session's keys into the environment (aws configure export-credentials --format env)",
      },
    );
  if (name !== undefined && !profile.found)
    throw usage(`an s3 remote: expected the profile ${name}, found none`, {
      hint: "check ~/.aws/credentials, or where AWS_SHARED_CREDENTIALS_FILE says that it is",
    });
  if (env["AWS_WEB_IDENTITY_TOKEN_FILE"])
    throw usage("an s3 remote: expected keys, found AWS_WEB_IDENTITY_TOKEN_FILE", {
      hint: "web identities are not known here: put the session's keys into the environment",
    });
  return { credentials: renewed(() => instanceKeys(world), world), region };
}

function fixed(keys: Keys | undefined): Credentials {
  return { get: () => Promise.resolve(keys), renew: () => Promise.resolve(false) };
}

/** Keys that are fetched when first needed, and again before they end. */
function renewed(fetchKeys: () => Promise<Keys>, world: StoreWorld): Credentials {
  let keys: Promise<Keys> | undefined;
  const get = async (): Promise<Keys> => {
    const mine = (keys ??= fetchKeys());
    try {
      const { expiresAt = Infinity } = await mine;
      if (expiresAt - world.now().getTime() > margin) return await mine;
    } catch (error) {
      if (keys === mine) keys = undefined;
      throw error;
    }
    if (keys === mine) keys = fetchKeys();
    return keys;
  };
  return {
    get,
    renew: () => {
      keys = undefined;
      return Promise.resolve(true);
    },
  };
}
