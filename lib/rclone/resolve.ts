import { createHash } from "node:crypto";
import { isAbsolute, resolve as resolvePath } from "node:path";
import { reveal } from "../crypt/obscure.ts";
import { nameEncryption, type NameEncryption } from "../crypt/namelength.ts";
import { failed, usage } from "../errors.ts";
import { configVariable, parseLocation } from "./location.ts";
import { peerOf, type Peer } from "./peer.ts";

/** Options of every configured remote, by name and key, as `rclone config dump` gives them. */
export type Remotes = ReadonlyMap<string, ReadonlyMap<string, string>>;

/**
 * Where a location really is once crypt, alias and their like are seen through. Two locations
 * overlap when they share `store` and the segments of one begin those of the other. A name that
 * crypt encrypts is a segment marked with its key, so the same data through two remotes is equal.
 */
export interface Place {
  readonly store: string;
  readonly segments: readonly string[];
  /** Types of the layers seen through, outermost first; the last one is the store's. */
  readonly layers: readonly string[];
  /** How each crypt among them names files, outermost first; undefined where that is not known here. */
  readonly names: readonly (NameEncryption | undefined)[];
  /** Digests of the keys of each crypt among them, so that another password is another place. */
  readonly keys: readonly string[];
  /** Options met on the way that would make a sync delete for good or see old versions. */
  readonly hazards: readonly Hazard[];
  /** The host that serves the store, where that is told apart from a cloud's. */
  readonly peer: Peer | undefined;
}

export interface Hazard {
  /** The configured remote; undefined when a connection string sets the option. */
  readonly remote: string | undefined;
  readonly option: string;
}

export interface ResolveContext {
  readonly remotes: Remotes;
  /** The environment that rclone will get, for RCLONE_CONFIG_* options. */
  readonly env: Readonly<Record<string, string>>;
  /** Resolves symbolic links of the part of an absolute path that exists. */
  readonly realpath: (path: string) => string;
  readonly cwd: string;
}

/** Options that tell one account or server from another; none is a secret. */
const identifying = [
  "provider",
  "endpoint",
  "region",
  "host",
  "port",
  "user",
  "url",
  "account",
  "drive_id",
  "team_drive",
  "root_folder_id",
  "site_id",
  "share",
  "share_name",
  "namenode",
  "container",
];
const passThrough = new Set(["chunker", "compress", "hasher", "cache"]);

/**
 * Sees through overlays to the store below.
 * Throws a usage failure when a remote is not configured or overlays form a circle.
 */
export function resolveLocation(text: string, context: ResolveContext): Place {
  return resolveDeep(text, context, 0);
}

function resolveDeep(text: string, context: ResolveContext, depth: number): Place {
  if (depth > 20)
    throw usage(
      "expected remotes that end in a store, found overlays that refer to each other in a circle",
    );
  const location = parseLocation(text);
  if (location.kind === "local") return localPlace(location.path, context);
  const options = remoteOptions(location.name, location.onTheFly, location.parameters, context);
  const type = options.get("type") ?? "";
  const below = (base: string | undefined, path: string): Place => {
    if (base === undefined)
      throw failed(
        `remote ${location.name}: expected a remote below this ${type} remote, found none`,
      );
    return resolveDeep(extend(base, path), context, depth + 1);
  };
  const through = (place: Place): Place => ({
    ...place,
    layers: [type, ...place.layers],
    hazards: [
      ...hazardsOf(location.name, location.onTheFly, location.parameters, options),
      ...place.hazards,
    ],
  });
  if (type === "local") return through({ ...localPlace(location.path, context), layers: [] });
  if (type === "alias" || passThrough.has(type))
    return through(below(options.get("remote"), location.path));
  if (type === "combine" && location.path !== "") {
    const [first = "", ...rest] = split(location.path);
    return through(below(combineUpstream(options.get("upstreams") ?? "", first), rest.join("/")));
  }
  if (type === "crypt") {
    const place = below(options.get("remote"), "");
    const key = cryptKey(options);
    return through({
      ...place,
      names: [nameEncryption(options), ...place.names],
      keys: [key, ...place.keys],
      segments: [...place.segments, ...cryptSegments(options, key, location.path)],
    });
  }
  return through({
    store: storeName(type, location.name, options),
    segments: split(location.path),
    layers: [],
    names: [],
    keys: [],
    hazards: [],
    peer: peerOf(type, options),
  });
}

const hazardous = ["hard_delete", "versions", "version_at"];

function hazardsOf(
  name: string,
  onTheFly: boolean,
  parameters: ReadonlyMap<string, string>,
  options: ReadonlyMap<string, string>,
): Hazard[] {
  return hazardous
    .filter((option) => !["", "false", "off", undefined].includes(options.get(option)))
    .map((option) => ({ remote: onTheFly || parameters.has(option) ? undefined : name, option }));
}

function localPlace(path: string, context: ResolveContext): Place {
  const absolute = isAbsolute(path) ? resolvePath(path) : resolvePath(context.cwd, path);
  return {
    store: "local",
    segments: split(context.realpath(absolute)),
    layers: ["local"],
    names: [],
    keys: [],
    hazards: [],
    peer: undefined,
  };
}

/**
 * All options of a remote: of the configuration, then of RCLONE_CONFIG_* variables, then of the
 * connection string. Throws a usage failure when there is no such remote.
 */
export function remoteOptions(
  name: string,
  onTheFly: boolean,
  parameters: ReadonlyMap<string, string>,
  context: Pick<ResolveContext, "remotes" | "env">,
): ReadonlyMap<string, string> {
  if (onTheFly) return new Map([["type", name], ...parameters]);
  const prefix = configVariable(name, "");
  const fromEnv = Object.entries(context.env)
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, value]): [string, string] => [key.slice(prefix.length).toLowerCase(), value]);
  const configured = context.remotes.get(name);
  // The same object where nothing is added: the keys that are made of it, at some cost, are remembered by it.
  const options =
    configured !== undefined && fromEnv.length === 0 && parameters.size === 0
      ? configured
      : new Map([...(configured ?? []), ...fromEnv, ...parameters]);
  if (!options.has("type")) {
    const known = [...context.remotes.keys()].toSorted().join(", ");
    throw usage(
      `remote ${name}: expected a remote of rclone's configuration, found none by this name`,
      {
        hint:
          known === ""
            ? "no remote is configured: run rclone config"
            : `configured remotes: ${known}`,
      },
    );
  }
  return options;
}

/** Where a directory at the top of a combine remote is; undefined when it has none of this name. */
export function combineUpstream(upstreams: string, directory: string): string | undefined {
  const entries = upstreams.match(/"[^"]*"|\S+/g) ?? [];
  for (const entry of entries) {
    const text = entry.replace(/^"(.*)"$/, "$1");
    const at = text.indexOf("=");
    if (at >= 0 && text.slice(0, at) === directory) return text.slice(at + 1);
  }
  return undefined;
}

function cryptSegments(options: ReadonlyMap<string, string>, key: string, path: string): string[] {
  const plainNames =
    options.get("filename_encryption") === "off" ||
    options.get("directory_name_encryption") === "false";
  return plainNames ? split(path) : split(path).map((segment) => `${key}:${segment}`);
}

/** Tells one key of crypt from another. */
function cryptKey(options: ReadonlyMap<string, string>): string {
  const secret = (key: string): string => {
    const value = options.get(key) ?? "";
    return value === "" ? "" : reveal(value);
  };
  const identity = JSON.stringify([
    options.get("filename_encryption") ?? "standard",
    options.get("filename_encoding") ?? "base32",
    secret("password"),
    secret("password2"),
  ]);
  return createHash("sha256").update(identity).digest("hex").slice(0, 16);
}

function storeName(type: string, name: string, options: ReadonlyMap<string, string>): string {
  const known = identifying.flatMap((key) => {
    const value = options.get(key);
    return value === undefined || value === "" ? [] : [`${key}=${value}`];
  });
  // Without anything that tells the account apart, the remote's own name has to.
  return known.length === 0 ? `${type}:${name}` : `${type}:${known.join(",")}`;
}

function split(path: string): string[] {
  return path.split("/").filter((segment) => segment !== "" && segment !== ".");
}

/** A location with a path appended. */
export function extend(base: string, path: string): string {
  if (path === "") return base;
  return base.endsWith(":") || base.endsWith("/") ? base + path : `${base}/${path}`;
}

export type Overlap = "none" | "equal" | "first-inside-second" | "second-inside-first";

/** How two places lie to each other. */
export function overlap(first: Place, second: Place): Overlap {
  if (first.store !== second.store) return "none";
  const shared = Math.min(first.segments.length, second.segments.length);
  for (let at = 0; at < shared; at += 1) {
    if (first.segments[at] !== second.segments[at]) return "none";
  }
  if (first.segments.length === second.segments.length) return "equal";
  return first.segments.length > second.segments.length
    ? "first-inside-second"
    : "second-inside-first";
}

/** A short stable name of a place, for lock files and state directories. */
export function placeKey(place: Place): string {
  return createHash("sha256")
    .update(JSON.stringify([place.store, ...place.segments]))
    .digest("hex")
    .slice(0, 16);
}
