import { resolve } from "node:path";
import { usage } from "../../errors.ts";
import { parseLocation } from "../../rclone/location.ts";
import { extend, resolveLocation, type Place, type ResolveContext } from "../../rclone/resolve.ts";
import { buckets } from "../history.ts";

/** Where a new backup goes. */
export interface Target {
  /** Where files lie as they are stored: a directory or a location without secrets. */
  readonly base: string;
  /** The backup's destination, through crypt. */
  readonly destination: string;
  /** The crypt remote to be made; undefined where the base is encrypted already. */
  readonly crypt: string | undefined;
  readonly place: Place;
}

/**
 * Understands what was given as the place of a backup's files: a directory, a remote, or a remote that
 * encrypts. Throws a usage failure for a remote that is not configured, for a name that is taken,
 * for a store without a bucket, and for a connection string, whose secrets would end in files.
 */
export function findTarget(name: string, remote: string, context: ResolveContext): Target {
  const location = parseLocation(remote);
  if (location.kind === "remote" && (location.onTheFly || location.parameters.size > 0))
    throw usage("--remote: expected a directory or REMOTE:PATH, found a connection string", {
      hint: "make a remote of it with rclone config",
    });
  const base = location.kind === "local" ? resolve(context.cwd, location.path) : remote;
  const place = resolveLocation(base, context);
  const isBucket = buckets.has(place.store.replace(/:.*$/s, ""));
  if (isBucket && place.segments.length === 0)
    throw usage(`--remote: expected a bucket, found none in ${remote}`, {
      hint: `write ${remote.replace(/:.*$/s, "")}:BUCKET or ${remote.replace(/:.*$/s, "")}:BUCKET/DIRECTORY`,
    });
  if (place.layers.includes("crypt")) {
    const path = location.path.replace(/\/+$/, "");
    const destination = path === "" ? extend(base, name) : base.replace(/\/+$/, "");
    return { base, destination, crypt: undefined, place };
  }
  const crypt = `${name}-crypt`;
  if (context.remotes.has(crypt))
    throw usage(`remote ${crypt}: expected no remote by this name, found one`, {
      hint: `--remote ${crypt}: uses it; or choose another name for the backup`,
    });
  return { base, destination: `${crypt}:${name}`, crypt, place };
}
