/** One call as it was logged; `class` is what the provider bills it as, `billed` how often. */
export interface B2Request {
  readonly api: string;
  readonly class: "A" | "B" | "C";
  readonly billed: number;
  /** 0 where there was no answer. */
  readonly status: number;
  readonly fileName: string | undefined;
}

const classB = new Set(["b2_download_file_by_id", "b2_download_file_by_name", "b2_get_file_info"]);

const classA = new Set([
  "b2_cancel_large_file",
  "b2_delete_bucket",
  "b2_delete_file_version",
  "b2_finish_large_file",
  "b2_get_upload_part_url",
  "b2_get_upload_url",
  "b2_hide_file",
  "b2_start_large_file",
  "b2_upload_file",
  "b2_upload_part",
]);

/** What the provider bills a call as. */
export function classOf(api: string): B2Request["class"] {
  if (classA.has(api)) return "A";
  return classB.has(api) ? "B" : "C";
}

/** How many transactions of each class these calls were billed as; refused ones are free. */
export function billed(requests: readonly B2Request[]): Record<"A" | "B" | "C", number> {
  const sums = { A: 0, B: 0, C: 0 };
  for (const { class: kind, billed: count } of requests) sums[kind] += count;
  return sums;
}
