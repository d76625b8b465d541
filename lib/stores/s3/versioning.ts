import { usage } from "../../errors.ts";
import type { S3Api } from "./api.ts";
import { faultFailure } from "./faults.ts";
import { optional } from "./xml.ts";

/** `unknown`: the key may not ask. */
export type Versioning = "enabled" | "suspended" | "unknown";

/**
 * Whether a bucket keeps old versions now. Throws a usage failure for one that never did. `shown` is
 * the bucket as the user names it to rclone.
 */
export async function versioningOf(
  api: S3Api,
  bucket: string,
  signal?: AbortSignal,
): Promise<Versioning> {
  const subject = `bucket ${bucket}: to ask for its versioning`;
  const answer = await api.ask(
    { billed: "get", method: "GET", query: { versioning: "" }, answer: "VersioningConfiguration" },
    { signal, subject },
  );
  if (answer.fault !== undefined) {
    const { status, code } = answer.fault;
    if (code === "AccessDenied") return "unknown";
    if (status === 501 || code === "NotImplemented")
      throw never(bucket, "a server without versions");
    throw faultFailure(subject, answer.fault);
  }
  const status = answer.root === undefined ? undefined : optional(answer.root, "Status")?.trim();
  if (status === "Enabled") return "enabled";
  if (status === "Suspended") return "suspended";
  throw never(bucket, "that it was never enabled");
}

function never(bucket: string, found: string): Error {
  return usage(`bucket ${bucket}: expected it to keep old versions, found ${found}`, {
    hint: `switch it on (rclone backend versioning REMOTE:${bucket} Enabled), or use [history] kind = dir`,
  });
}
