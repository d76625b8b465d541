/** What a notice can be about. `suppressed`: deletions were held back several runs in a row; `coverage`: verification falls behind. */
export const noticeEvents = [
  "success",
  "warning",
  "failure",
  "refused",
  "difference",
  "skipped",
  "missed",
  "suppressed",
  "coverage",
] as const;

export type NoticeEvent = (typeof noticeEvents)[number];
