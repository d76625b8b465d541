import { usage } from "../errors.ts";

/** A connection string, taken apart as far as it must be. Its text holds a password: never show it. */
export interface MongoUri {
  readonly text: string;
  /** The hosts, without user and password: for messages. */
  readonly label: string;
  /** The database that it names; undefined for all. */
  readonly database: string | undefined;
  /** What must never be shown, as it stands and decoded. */
  readonly secrets: readonly string[];
}

const pattern =
  /^mongodb(?:\+srv)?:\/\/(?:([^/?#@:]*(?::[^/?#@:]*)?)@)?([^/?#@]+)(?:\/([^?#@]*))?(?:\?([^@]*))?$/;
/** A host of the list, with its port; what is no port may be a part of a password. */
const hostPattern = /^(?:\[[^\]]*\]|[^:\s[\]]+)(?::\d{1,5})?$/;
const secretKey = /password|token|secret/i;

/** Reads a connection string. Throws usage(), without it in the message. */
export function readUri(text: string, where: string): MongoUri {
  const match = pattern.exec(text.trim());
  const [, credentials = "", label, path = "", query = ""] = match ?? [];
  if (label === undefined || !label.split(",").every((host) => hostPattern.test(host)))
    throw usage(`${where}: expected mongodb://… or mongodb+srv://…, found something else`, {
      hint: "mongodb://USER:PASSWORD@HOST:27017/DATABASE; the characters @ : / ? # in user and password are written %40 %3A %2F %3F %23",
    });
  const colon = credentials.indexOf(":");
  const password = colon < 0 ? "" : credentials.slice(colon + 1);
  const database = decoded(path, where);
  return {
    text: text.trim(),
    label,
    database: database === "" ? undefined : database,
    secrets: [...new Set([password, decoded(password, where), ...secretsOf(query)])]
      .filter((secret) => secret !== "")
      // One may be a part of another one.
      .toSorted((a, b) => b.length - a.length),
  };
}

/** Values of options such as tlsCertificateKeyFilePassword, as they stand and decoded. */
function secretsOf(query: string): readonly string[] {
  const found: string[] = [];
  for (const option of query.split(/[&;]/)) {
    const [key = "", ...rest] = option.split("=");
    const value = rest.join("=");
    if (secretKey.test(key)) found.push(value);
    // Some are lists of KEY:VALUE.
    else
      for (const [, inner = ""] of value.matchAll(/(?:password|token|secret)[^:,]*:([^,]*)/gi))
        found.push(inner);
  }
  return found.flatMap((value) => [value, decodedOrNothing(value)]);
}

function decodedOrNothing(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

/** The connection strings of a file, one a line; empty lines and those that begin with # are passed over. */
export function readUriLines(text: string, file: string): readonly MongoUri[] {
  const found = text
    .split("\n")
    .map((line, at) => [line.trim(), `${file}:${at + 1}`] as const)
    .filter(([line]) => line !== "" && !line.startsWith("#"))
    .map(([line, where]) => readUri(line, where));
  if (found.length === 0)
    throw usage(`${file}: expected mongodb://…, found no line that holds one`);
  return found;
}

/** A text of the driver's or the server's without the secrets of a connection string. */
export function withoutSecrets(text: string, { secrets, text: whole, label }: MongoUri): string {
  let shown = text.replaceAll(whole, label);
  for (const secret of secrets) shown = shown.replaceAll(secret, "********");
  return shown;
}

function decoded(text: string, where: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw usage(`${where}: expected % and two hexadecimal digits, found % alone`, {
      hint: "a % in a password is written %25",
      cause,
    });
  }
}
