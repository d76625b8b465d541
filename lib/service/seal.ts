import { createHash } from "node:crypto";

/** Stands once in a text that is to be sealed, in a comment. */
export const sealHere = "@SEAL@";

const sentence = (digest: string): string =>
  `Written by rclone-backups units (${digest}), which won't replace it once it is edited.`;

/** The text with a line that tells who wrote it and, by a digest, whether it was changed since. */
export function sealed(text: string): string {
  return text.replace(sealHere, sentence(digestOf(text)));
}

/** Whether a text was sealed here, and is as it was then. */
export function sealOf(text: string): "whole" | "edited" | "none" {
  const digest = /Written by rclone-backups units \(([0-9a-f]{16})\)/.exec(text)?.[1];
  if (digest === undefined) return "none";
  return digestOf(text.replace(sentence(digest), sealHere)) === digest ? "whole" : "edited";
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
