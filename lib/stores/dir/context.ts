import type { Tuning } from "../../rclone/argv.ts";
import type { Features } from "../../rclone/program.ts";
import type { Rclone } from "../../rclone/run.ts";
import type { StoredPlace } from "./stored.ts";

/** What work on dated directories needs to know. */
export interface DirContext {
  readonly rclone: Rclone;
  readonly features: Features;
  readonly tuning: Tuning;
  /** As rclone is given them: nothing secret in them. */
  readonly destination: string;
  readonly history: string;
  /** Where a location's files lie as they are stored, where whole listings are quicker there. */
  readonly stored?: (location: string) => StoredPlace | undefined;
  /** A private directory for temporaries; the caller removes it. */
  readonly scratch: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Where the files of a location lie, if they can be listed and read without rclone just as rclone would: through links, it goes by itself,
 * and where it tells whole seconds, manifests have those.
 */
export function readableHere(
  { stored, features, tuning }: DirContext,
  location: string,
): StoredPlace | undefined {
  if (tuning.copyLinks || !features.fineTimes) return undefined;
  const place = stored?.(location);
  return place?.opaque === true ? place : undefined;
}

/** A place below a location. */
export function below(location: string, path: string): string {
  return location.endsWith(":") || location.endsWith("/")
    ? `${location}${path}`
    : `${location}/${path}`;
}
