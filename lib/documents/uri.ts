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

const pattern = /^mongodb(?:\+srv)?:\/\/(?:([^/?#]*)@)?([^/?#@]+)(?:\/([^?#@]*))?(?:\?.*)?$/;

/** Reads a connection string. Throws usage(), without it in the message. */
export function readUri(text: string, where: string): MongoUri {
  const match = pattern.exec(text.trim());
  const [, credentials = "", label, path = ""] = match ?? [];
  if (label === undefined)
    throw usage(`${where}: expected mongodb://… or mongodb+srv://…, found something else`, {
      hint: "mongodb://USER:PASSWORD@HOST:27017/DATABASE; characters such as @ and / in a password are written %40 and %2F",
    });
  const colon = credentials.indexOf(":");
  const password = colon < 0 ? "" : credentials.slice(colon + 1);
  const database = decoded(path, where);
  return {
    text: text.trim(),
    label,
    database: database === "" ? undefined : database,
    secrets: [...new Set([password, decoded(password, where)])].filter((secret) => secret !== ""),
  };
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
