import path from "node:path";
import { assignNames } from "./assign.ts";
import type { HashBytes } from "./hash.ts";
import { commitJournal, stagedManifest } from "./journal.ts";
import { manifestText, type Manifest, type SetFile } from "./manifest.ts";
import { writeAtomically } from "../state/atomic.ts";
import type { Section } from "./section.ts";
import { sectionsOf, type ChunkSet } from "./set.ts";
import type { Taken } from "./stage.ts";
import type { Staging } from "./staging.ts";

export interface TakenSection {
  readonly section: Section;
  readonly label: string;
  /** In their order. */
  readonly chunks: readonly Taken[];
}

/** What turns one set into the next. */
export interface Replacement {
  /** The files of the new set, in their order. */
  readonly files: readonly SetFile[];
  readonly unchanged: number;
  /** Names that hold other bytes than before. */
  readonly changed: readonly string[];
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Bytes that the old set has under another name; these files are among the changed or added too. */
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
  /** Bytes of what is changed or added. */
  readonly newBytes: number;
  readonly writes: readonly { readonly chunk: Taken; readonly name: string }[];
}

/** Decides which file each chunk becomes, and what of the old set goes. */
export function planReplacement(set: ChunkSet, sections: readonly TakenSection[]): Replacement {
  const names = assignNames(sectionsOf(set.files), sections);
  const old = new Set(set.files.map(({ name }) => name));
  const files: SetFile[] = [];
  const plan = {
    unchanged: 0,
    changed: [] as string[],
    added: [] as string[],
    renamed: [] as { from: string; to: string }[],
    newBytes: 0,
    writes: [] as { chunk: Taken; name: string }[],
  };
  for (const [at, { section, chunks }] of sections.entries())
    for (const [index, chunk] of chunks.entries()) {
      const name = names[at]?.[index] ?? "";
      files.push({ name, bytes: chunk.bytes, hash: chunk.hash, section });
      if (chunk.same === name) {
        plan.unchanged += 1;
        continue;
      }
      (old.has(name) ? plan.changed : plan.added).push(name);
      if (chunk.same !== undefined) plan.renamed.push({ from: chunk.same, to: name });
      plan.newBytes += chunk.bytes;
      plan.writes.push({ chunk, name });
    }
  const kept = new Set(files.map(({ name }) => name));
  return { ...plan, files, removed: [...old].filter((name) => !kept.has(name)) };
}

/**
 * Makes the old set the new one: whole, or not at all until the next run. Where nothing differs, nothing
 * is written. Throws failed().
 */
export async function replaceSet(
  set: ChunkSet,
  plan: Replacement,
  about: Omit<Manifest, "files">,
  staging: Staging,
  hash: HashBytes,
): Promise<void> {
  const text = manifestText({ ...about, files: plan.files }, hash);
  if (plan.writes.length === 0 && plan.removed.length === 0) {
    if (text !== set.manifest) await writeAtomically(set.place.manifest, text);
    return;
  }
  const moves: { staged: string; name: string }[] = [];
  for (const { chunk, name } of plan.writes) {
    const staged =
      chunk.staged ??
      (chunk.same === undefined
        ? undefined
        : await staging.stageOld(path.join(set.place.directory, chunk.same)));
    if (staged === undefined) throw new Error(`${name} was not staged`);
    moves.push({ staged, name });
  }
  await staging.stage(Buffer.from(text), stagedManifest);
  await staging.flush();
  await commitJournal(set.place, { moves, removals: plan.removed });
}
