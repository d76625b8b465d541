import { resolve } from "node:path";
import { usage, type Failure } from "../../errors.ts";
import { parseLocation, redactLocation, type Location } from "../../rclone/location.ts";

/** What the name of the directory of old versions ends in, unless it is set. */
const ending = ".history";

/**
 * Where the old versions of a destination lie: beside it, as `<destination>.history`, or at `dir` on
 * the same remote. Throws a usage failure where there is no beside, or `dir` is elsewhere. Whether the
 * places overlap is for the caller to see, who can look through crypt and alias.
 */
export function historyLocation(destination: string, dir: string | undefined, cwd: string): string {
  const place = parseLocation(destination);
  if (dir !== undefined) return requireSameRemote(place, destination, dir, cwd);
  if (place.kind === "local") {
    const path = resolve(cwd, place.path);
    if (path === "/") throw noBeside(destination);
    return `${path}${ending}`;
  }
  const path = place.path.replace(/(?:\/+\.?)+$/, "");
  if (["", ".", ".."].includes(path.slice(path.lastIndexOf("/") + 1))) throw noBeside(destination);
  return `${destination.slice(0, destination.length - place.path.length)}${path}${ending}`;
}

/** There is nothing beside a root. */
export function noBeside(destination: string): Failure {
  const shown = redactLocation(destination);
  const below = `${shown}${/[:/]$/.test(shown) ? "" : "/"}data`;
  return usage(
    `destination: expected a directory with room for ${ending.slice(1)} beside it, as [history] kind = dir needs, found the root of a remote, a bucket or a mount: ${shown}`,
    {
      hint: `set destination = ${below}, so that old versions lie in ${below}${ending}; what was backed up so far has to be moved there once, by rclone move`,
    },
  );
}

function requireSameRemote(
  destination: Location,
  destinationText: string,
  dir: string,
  cwd: string,
): string {
  const place = parseLocation(dir);
  if (destination.kind === "local" && place.kind === "local") return resolve(cwd, place.path);
  const same =
    destination.kind === "remote" &&
    place.kind === "remote" &&
    destination.name === place.name &&
    destination.onTheFly === place.onTheFly &&
    JSON.stringify([...destination.parameters]) === JSON.stringify([...place.parameters]);
  if (same) return dir;
  throw usage(
    `history.dir: expected a place on the remote of the destination, ${redactLocation(destinationText)}, found ${redactLocation(dir)}`,
    { hint: "old versions are moved there on the server, and rclone does that within one remote" },
  );
}
