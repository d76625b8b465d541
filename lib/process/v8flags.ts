import { setFlagsFromString } from "node:v8";

/** V8 of Node 20, 22 and 24. An unknown flag is told on standard error, where every line is mail. */
const tested: ReadonlySet<string> = new Set(["11", "12", "13"]);

/** Sets flags of V8, written without dashes, where it is one that is known to have them; else it stays as it is. */
export function setV8Flags(...flags: readonly string[]): void {
  if (!tested.has(process.versions.v8.split(".")[0] ?? "")) return;
  for (const flag of flags) setFlagsFromString(`--${flag}`);
}
