import { createReadStream } from "node:fs";
import type { Pages } from "../../manifest/pages.ts";
import { linePages } from "../../manifest/textpages.ts";
import type { LineSpool } from "../../process/spool.ts";
import { versionFields, versionFromFields } from "../../retention/spool.ts";
import type { StoredVersion } from "../../stores/store.ts";
import { fieldFromName, nameFromField } from "../../units/field.ts";
import type { RawPath } from "../../units/rawpath.ts";
import type { RecoverStep } from "./options.ts";

/** What of a step is carried out, and what it was decided on. */
export type PlannedStep = {
  readonly path: RawPath;
  /** As stored. */
  readonly name: RawPath;
  /** The newest entries of the file, as far as what is done depends on them. */
  readonly top: readonly StoredVersion[];
} & (
  | { readonly action: "undelete" | "restore"; readonly version: StoredVersion }
  | { readonly action: "hide" }
);

const fieldsOfVersion = 5;

/**
 * Writes a step as a line: `action TAB /path TAB stored name`, the newest entries, and the version that
 * is to become current, which for an undelete is the last of them.
 */
export function spoolStep(spool: LineSpool, step: RecoverStep): void {
  const { path, name, entries } = step.file;
  const { action } = step;
  const content = entries.findIndex(({ kind }) => kind === "file");
  // A restore and a hide don't touch what lies below the newest entry.
  const versions = entries.slice(0, action === "undelete" ? content + 1 : 1);
  if (action === "restore") versions.push(step.version.stored);
  const fields = [action, `/${fieldFromName(path)}`, fieldFromName(name)];
  spool.write([...fields, ...versions.map(versionFields)].join("\t"));
}

/** Reads what spoolStep wrote, so many steps at a time; of versions, what is needed to act on them. */
export async function* readSteps(file: string, atOnce: number): Pages<PlannedStep> {
  let steps: PlannedStep[] = [];
  for await (const lines of linePages(createReadStream(file)))
    for (const line of lines) {
      steps.push(parseStep(line));
      if (steps.length < atOnce) continue;
      yield steps;
      steps = [];
    }
  if (steps.length > 0) yield steps;
}

function parseStep(line: string): PlannedStep {
  const [action, path = "", stored = "", ...rest] = line.split("\t");
  const name = nameFromField(stored);
  const file = { path: nameFromField(path.slice(1)), name };
  const versions: StoredVersion[] = [];
  for (let at = 0; at < rest.length; at += fieldsOfVersion)
    versions.push(versionFromFields(name, rest.slice(at, at + fieldsOfVersion)));
  const version = versions.at(-1);
  if (action === "hide" && version !== undefined) return { ...file, action, top: versions };
  if (action === "undelete" && version !== undefined)
    return { ...file, action, top: versions, version };
  if (action === "restore" && version !== undefined)
    return { ...file, action, top: versions.slice(0, 1), version };
  throw new TypeError("expected a line of a planned step, found another");
}
