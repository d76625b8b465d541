import { readFile } from "node:fs/promises";
import path from "node:path";
import { systemCode, usage } from "../../errors.ts";
import type { StoreWorld } from "../world.ts";
import { withToken, type Keys } from "./keys.ts";

export interface Profile {
  readonly found: boolean;
  readonly keys: Keys | undefined;
  readonly region: string | undefined;
  /** A setting that leads to keys in a way that is not known here. */
  readonly unsupported: string | undefined;
}

const otherWays = [
  "credential_process",
  "role_arn",
  "sso_session",
  "sso_start_url",
  "web_identity_token_file",
];

/** A profile of the shared files of AWS; `file` replaces the one with the keys. */
export async function readProfile(
  env: StoreWorld["env"],
  name: string,
  file: string | undefined,
): Promise<Profile> {
  const home = env["HOME"] ?? "";
  const place = (own: string | undefined, usual: string): string =>
    own || path.join(home, ".aws", usual);
  const [shared, config] = await Promise.all([
    settings(
      expanded(place(file ?? env["AWS_SHARED_CREDENTIALS_FILE"], "credentials"), home),
      name,
    ),
    settings(place(env["AWS_CONFIG_FILE"], "config"), name),
  ]);
  const both = new Map([...(config ?? []), ...(shared ?? [])]);
  const accessKeyId = both.get("aws_access_key_id");
  const secretAccessKey = both.get("aws_secret_access_key");
  const sessionToken = both.get("aws_session_token");
  return {
    found: shared !== undefined || config !== undefined,
    keys:
      accessKeyId && secretAccessKey
        ? withToken(accessKeyId, secretAccessKey, sessionToken)
        : undefined,
    region: both.get("region") || undefined,
    unsupported: otherWays.find((way) => both.has(way)),
  };
}

function expanded(file: string, home: string): string {
  return file.startsWith("~/") ? path.join(home, file.slice(2)) : file;
}

/** The settings of a section; undefined where the file or the section isn't there. */
async function settings(file: string, name: string): Promise<Map<string, string> | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    const code = systemCode(cause);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw usage(`${file}: expected a file to read, found ${code ?? "an error"}`, { cause });
  }
  let section = "";
  let found: Map<string, string> | undefined;
  for (const line of text.split(/\r?\n/)) {
    const header = /^\s*\[\s*(?:profile\s+)?(.*?)\s*\]/.exec(line);
    if (header !== null) {
      section = header[1] ?? "";
      if (section === name) found ??= new Map();
      continue;
    }
    // Indented lines are settings of a setting.
    const setting = /^([^\s#;=][^=]*?)\s*=\s*(.*?)\s*$/.exec(line);
    if (section === name && setting !== null)
      found?.set((setting[1] ?? "").toLowerCase(), setting[2] ?? "");
  }
  return found;
}
