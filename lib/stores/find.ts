import { cryptNames } from "../crypt/cryptnames.ts";
import { prepareKeys } from "../crypt/keys.ts";
import type { Names } from "../crypt/names.ts";
import { plainNames, stackNames } from "../crypt/plainnames.ts";
import { prepareSecretBox } from "../crypt/secretbox.ts";
import { encryptsContent } from "../crypt/sizes.ts";
import { failed, usage } from "../errors.ts";
import { parseLocation } from "../rclone/location.ts";
import { combineUpstream, extend, remoteOptions, type ResolveContext } from "../rclone/resolve.ts";
import { rawFromBytes, rawFromText, type RawPath } from "../units/rawpath.ts";

/** The store below a location, and how what lies in it is named and encrypted. */
export interface FoundStore {
  /** rclone's name of the backend: `b2`, `s3`, `local`, … */
  readonly type: string;
  /** The configured remote of the store; undefined for a path or an on-the-fly remote. */
  readonly remote: string | undefined;
  readonly options: ReadonlyMap<string, string>;
  /** The directory in the store, the bucket first, as it is stored: encrypted where crypt is above. */
  readonly path: RawPath;
  readonly names: Names;
  /** Options of each crypt on the way, outermost first. */
  readonly crypts: readonly ReadonlyMap<string, string>[];
}

/** Overlays that change neither names nor contents. */
const transparent = new Set(["alias", "hasher", "cache"]);

/** Overlays that store files in a way of their own, in which versions of a file can't be told. */
const opaque: ReadonlyMap<string, string> = new Map([
  ["chunker", "it cuts files into chunks with names of their own"],
  ["compress", "it stores files compressed, under other names"],
  ["union", "it spreads files over several stores"],
  ["combine", "it is several stores side by side: name one of its directories"],
]);

/**
 * Sees through alias, combine, hasher and crypt to the store, for work that rclone can't do and that
 * is done there natively.
 * Throws a usage failure that names the layer which can't be seen through.
 */
export function findStore(
  location: string,
  context: Pick<ResolveContext, "remotes" | "env">,
): FoundStore {
  return findDeep(location, context, 0);
}

/**
 * Makes the keys of the crypt remotes on the way, which takes a while, beside other work: findStore then
 * finds them made. Over a directory of this machine it also loads what decrypts there. Never throws: what is wrong, findStore
 * tells, or whoever decrypts.
 */
export async function prepareStore(
  location: string,
  context: Pick<ResolveContext, "remotes" | "env">,
): Promise<void> {
  const ready: Promise<void>[] = [];
  let encrypted = false;
  try {
    let text: string | undefined = location;
    for (let depth = 0; text !== undefined && depth <= deepest; depth += 1) {
      const next = parseLocation(text);
      if (next.kind === "local") {
        if (encrypted) ready.push(prepareSecretBox());
        break;
      }
      const options = remoteOptions(next.name, next.onTheFly, next.parameters, context);
      const type = options.get("type") ?? "";
      if (type === "crypt") {
        ready.push(prepareKeys(options));
        encrypted ||= encryptsContent(options);
      }
      text = type === "crypt" || transparent.has(type) ? options.get("remote") : undefined;
    }
  } catch {
    // Told by whoever needs it.
  }
  await Promise.allSettled(ready);
}

const deepest = 20;

function findDeep(
  text: string,
  context: Pick<ResolveContext, "remotes" | "env">,
  depth: number,
): FoundStore {
  if (depth > deepest)
    throw usage(
      "expected remotes that end in a store, found overlays that refer to each other in a circle",
    );
  const location = parseLocation(text);
  if (location.kind === "local")
    return store("local", undefined, new Map(), rawFromText(location.path));
  const { name, onTheFly, parameters } = location;
  const options = remoteOptions(name, onTheFly, parameters, context);
  const type = options.get("type") ?? "";
  const below = (base: string | undefined, path: string): FoundStore => {
    if (base === undefined || base === "")
      throw failed(`remote ${name}: expected a remote below this ${type} remote, found none`);
    return findDeep(extend(base, path), context, depth + 1);
  };
  if (transparent.has(type)) return below(options.get("remote"), location.path);
  if (type === "crypt") {
    const under = below(options.get("remote"), "");
    const names = cryptNames(options);
    const path = rawFromText(tidy(location.path));
    const stored = under.names.encode(names.encode(path, "directory"), "directory");
    return {
      ...under,
      path: join(under.path, stored),
      names: under.crypts.length === 0 ? names : stackNames([names, under.names]),
      crypts: [options, ...under.crypts],
    };
  }
  if (type === "combine" && tidy(location.path) !== "") {
    const [first = "", ...rest] = tidy(location.path).split("/");
    return below(combineUpstream(options.get("upstreams") ?? "", first), rest.join("/"));
  }
  const why = opaque.get(type);
  if (why !== undefined)
    throw usage(
      `remote ${name}: expected a remote through which stored versions can be seen, found ${type}: ${why}`,
      { hint: "set [history] kind = dir, which works over it as rclone does" },
    );
  return store(type, onTheFly ? undefined : name, options, rawFromText(location.path));
}

function store(
  type: string,
  remote: string | undefined,
  options: ReadonlyMap<string, string>,
  path: RawPath,
): FoundStore {
  const kept = path.startsWith("/") && type === "local" ? "/" : "";
  return {
    ...{ type, remote, options, names: plainNames, crypts: [] },
    path: rawFromBytes(kept + tidy(path)),
  };
}

function tidy(path: string): string {
  return path
    .split("/")
    .filter((segment) => segment !== "" && segment !== ".")
    .join("/");
}

function join(directory: RawPath, path: RawPath): RawPath {
  if (path === "") return directory;
  return rawFromBytes(
    directory === "" || directory.endsWith("/") ? directory + path : `${directory}/${path}`,
  );
}
