import * as v from "valibot";
import { count } from "../../state/count.ts";

const text = v.nullish(v.string());
const file = v.object({ path: v.string(), reason: v.nullish(v.string()) });

/** What we need of `rclone-backup --json`; see docs/json-output.md. */
const backupSchema = v.object({
  kind: v.literal("backup"),
  result: v.picklist(["success", "warning", "failure", "skipped"]),
  started_at: v.string(),
  finished_at: v.string(),
  message: text,
  hint: text,
  refused_plan: text,
  warnings: v.array(v.string()),
  failures: v.array(file),
  failure_count: v.number(),
  transferred: count,
  plan: v.nullish(v.object({ source: count, added: count, changed: count, deleted: count })),
});

const verifySchema = v.object({
  kind: v.literal("verify"),
  verified: count,
  spent: v.optional(v.object({ files: v.number(), bytes: v.number(), transactions: v.number() })),
  differences: v.array(v.object({ path: v.string(), problem: v.string(), reason: text })),
  errors: v.array(v.object({ path: v.string(), problem: v.string(), reason: text })),
  gone: v.nullish(count),
});

const errorSchema = v.object({ kind: v.literal("error"), message: v.string(), hint: text });

export type BackupDocument = v.InferOutput<typeof backupSchema>;
export type VerifyDocument = v.InferOutput<typeof verifySchema>;
export type ErrorDocument = v.InferOutput<typeof errorSchema>;

const documentSchema = v.variant("kind", [backupSchema, verifySchema, errorSchema]);

/** A document of `rclone-backup --json`; undefined when it is none. */
export function readDocument(
  value: unknown,
): BackupDocument | VerifyDocument | ErrorDocument | undefined {
  const parsed = v.safeParse(documentSchema, value);
  return parsed.success ? parsed.output : undefined;
}
