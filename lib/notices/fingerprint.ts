import { createHash } from "node:crypto";

/** Of texts in any order: a state that holds thousands of paths for each channel would be large. */
export function digest(texts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(texts.toSorted())).digest("hex");
}

/** What is the same tomorrow, when it is so many files or bytes more. */
export function withoutNumbers(text: string): string {
  return text.replaceAll(/\d+(?:[.,]\d+)*/g, "#");
}
