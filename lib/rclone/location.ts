import { usage, type Failure } from "../errors.ts";

/** A place as rclone names it, taken apart. */
export type Location =
  | { readonly kind: "local"; readonly path: string }
  | {
      readonly kind: "remote";
      /** Name of a configured remote, or a backend's type when `onTheFly`. */
      readonly name: string;
      readonly onTheFly: boolean;
      /** Parameters of a connection string; values may be secrets. */
      readonly parameters: ReadonlyMap<string, string>;
      readonly path: string;
    };

const remoteName = /^[\w\p{L}\p{N}.+@](?:[\w\p{L}\p{N} .+@-]*[\w\p{L}\p{N}.+@-])?$/u;

/**
 * Takes `path`, `remote:path`, `:backend,key=value:path` or `remote,key=value:path` apart, by the
 * grammar of rclone's fspath.Parse (https://rclone.org/docs/#connection-strings).
 * Throws a usage failure on a malformed connection string, and on a text that was meant to be one:
 * taken for a local path it would stand whole in arguments and messages. The text is not quoted, for
 * it may hold a secret.
 */
export function parseLocation(text: string): Location {
  const onTheFly = text.startsWith(":");
  const start = onTheFly ? 1 : 0;
  const end = text.slice(start).search(/[:,/]/);
  const stop = end < 0 ? "" : text[start + end];
  const isRemote = stop === ":" || stop === ",";
  const name = isRemote ? text.slice(start, start + end) : "";
  if (!remoteName.test(name)) {
    if (onTheFly || (stop === "," && /=.*:/s.test(text))) throw malformed();
    return { kind: "local", path: text };
  }
  const parameters = new Map<string, string>();
  let at = start + end;
  while (text[at] === ",") {
    const parameter = readParameter(text, at + 1);
    if (parameter === undefined) {
      // `a,b/c` without a colon is a local path; rclone reads it so too.
      if (!text.includes(":")) return { kind: "local", path: text };
      throw usage(
        `location ${name}: expected key=value,…: after the comma, found a connection string that does not end`,
        {
          hint: "quote values that hold a comma or a colon: ,key='a,b':path",
        },
      );
    }
    parameters.set(parameter.key, parameter.value);
    at = parameter.end;
  }
  return { kind: "remote", name, onTheFly, parameters, path: text.slice(at + 1) };
}

function malformed(): Failure {
  return usage("location: expected the name of a remote or a backend, found another text", {
    hint: "write remote:path or :backend,key=value:path, and ./ before a directory whose name looks like one",
  });
}

function readParameter(
  text: string,
  from: number,
): { key: string; value: string; end: number } | undefined {
  const keyEnd = text.slice(from).search(/[=,:]/);
  if (keyEnd <= 0) return undefined;
  const key = text.slice(from, from + keyEnd);
  let at = from + keyEnd;
  if (text[at] !== "=") return { key, value: "true", end: at };
  at += 1;
  const quote = text[at];
  if (quote !== "'" && quote !== '"') {
    const length = text.slice(at).search(/[,:]/);
    if (length < 0) return undefined;
    return { key, value: text.slice(at, at + length), end: at + length };
  }
  let value = "";
  for (at += 1; at < text.length; at += 1) {
    if (text[at] !== quote) value += text[at];
    else if (text[at + 1] === quote) {
      value += quote;
      at += 1;
    } else {
      at += 1;
      return text[at] === "," || text[at] === ":" ? { key, value, end: at } : undefined;
    }
  }
  return undefined;
}

/** The location without its parameters' values, fit for messages and state files. */
export function redactLocation(text: string): string {
  let location: Location;
  try {
    location = parseLocation(text);
  } catch {
    return "(a malformed connection string)";
  }
  if (location.kind === "local" || location.parameters.size === 0) return text;
  const parameters = [...location.parameters.keys()].map((key) => `,${key}=***`).join("");
  return `${location.onTheFly ? ":" : ""}${location.name}${parameters}:${location.path}`;
}

/** A location as rclone is given it: what goes to the argument vector and what to the environment. */
export interface SafeLocation {
  readonly argument: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Moves a connection string's parameters, which may be secrets, out of the argument vector into
 * RCLONE_CONFIG_* variables. `alias` names the remote made for an on-the-fly backend, such as
 * `backup_source`.
 */
export function safeLocation(text: string, alias: string): SafeLocation {
  const location = parseLocation(text);
  if (location.kind === "local") {
    // A leading dash would be read as a flag, and `a:b` as a remote.
    const plain = /^[/.]/.test(location.path) ? location.path : `./${location.path}`;
    return { argument: plain, env: {} };
  }
  if (!location.onTheFly && location.parameters.size === 0) return { argument: text, env: {} };
  const name = location.onTheFly ? alias : location.name;
  const env: Record<string, string> = {};
  if (location.onTheFly) env[configVariable(name, "type")] = location.name;
  for (const [key, value] of location.parameters) env[configVariable(name, key)] = value;
  return { argument: `${name}:${location.path}`, env };
}

/** The variable by which rclone takes one option of a remote from the environment; a dash in the remote's name stays. */
export function configVariable(remote: string, key: string): string {
  return `RCLONE_CONFIG_${remote.toUpperCase()}_${key.replaceAll("-", "_").toUpperCase()}`;
}
