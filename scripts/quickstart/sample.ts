import { appendFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { exists } from "./place.ts";

const files: Readonly<Record<string, string>> = {
  "letters/to the bank.txt": "Dear Sir or Madam,\n",
  "letters/Grüße.txt": "Viele Grüße\n",
  "notes/diary.txt": "The quickstart adds a line here with every run.\n",
  "notes/draft.txt": "The quickstart deletes this file and makes it again.\n",
  "notes/ideas.md": "# Ideas\n\n- a backup that was read back\n",
  "photos/2026/one.raw": pattern(300_000, 1),
  "photos/2026/two.raw": pattern(200_000, 2),
  "scratch~": "Names that end in ~ are not backed up.\n",
};

/** Makes the sample tree, and again what is missing of it. */
export function ensureSample(directory: string): void {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(directory, name);
    if (exists(file)) continue;
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  const link = path.join(directory, "latest");
  if (!exists(link)) symlinkSync("notes/diary.txt", link);
}

/** Changes one file of the sample, adds one and deletes one; tells so in a sentence. */
export function changeSample(directory: string, now: Date): string {
  const at = (name: string): string => path.join(directory, "notes", name);
  appendFileSync(at("diary.txt"), `${now.toISOString()}\n`);
  writeFileSync(at("new.txt"), `new at ${now.toISOString()}\n`);
  rmSync(at("draft.txt"));
  return "notes/diary.txt was changed, notes/new.txt written, notes/draft.txt deleted.";
}

/** Text that does not compress to nothing, the same in every run. */
function pattern(length: number, seed: number): string {
  let state = seed;
  const letters: string[] = [];
  for (let index = 0; index < length; index += 1) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    letters.push(String.fromCharCode(33 + (Math.floor(state / 65_536) % 94)));
  }
  return letters.join("");
}
