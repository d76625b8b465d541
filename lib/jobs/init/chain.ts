import type { Section } from "../../rclone/configfile.ts";
import { parseLocation } from "../../rclone/location.ts";
import { remoteOptions, type ResolveContext } from "../../rclone/resolve.ts";

/** Options in which one remote names others. */
const naming = ["remote", "upstreams"];

/**
 * The configured remotes that a location leads through, outermost first, each once, with all their
 * options; passwords in them are obscured. Throws a usage failure for one that is not configured.
 */
export function remotesBehind(
  location: string,
  context: Pick<ResolveContext, "remotes" | "env">,
): Section[] {
  const found = new Map<string, Section>();
  const follow = (text: string): void => {
    const place = parseLocation(text);
    if (place.kind === "local" || place.onTheFly || found.has(place.name)) return;
    const options = remoteOptions(place.name, false, place.parameters, context);
    found.set(place.name, { name: place.name, options });
    for (const key of naming)
      for (const target of targets(key, options.get(key) ?? "")) follow(target);
  };
  follow(location);
  return [...found.values()];
}

/** `remote` is one location; `upstreams` are several, which may have a name and `=` before them. */
function targets(key: string, value: string): string[] {
  if (key === "remote") return value === "" ? [] : [value];
  const words = value.match(/"[^"]*"|\S+/g) ?? [];
  return words.map((word) => word.replace(/^"(.*)"$/, "$1").replace(/^[^:=/]*=/, ""));
}
