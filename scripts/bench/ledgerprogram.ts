/*
 * One night of the ledger without the reading back: chooses from a manifest within a budget, takes what was
 * chosen as proved, writes ledger and coverage. Prints how many files there were and were chosen. With `read`
 * it reads the manifest alone, page by page as a backup does.
 */
import path from "node:path";
import { chooseIn } from "../../lib/jobs/verify/next.ts";
import { openBook } from "../../lib/jobs/verify/book.ts";
import { keepProof, wholeFiles } from "../../lib/jobs/verify/keep.ts";
import { readCoverage } from "../../lib/verify/coverage.ts";
import { readManifest } from "../../lib/manifest/manifest.ts";

const [what, directory = "", budget] = process.argv.slice(2);
const at = (name: string): string => path.join(directory, name);
const manifest = at("manifest.gz");

if (what === "read") {
  let files = 0;
  for await (const page of readManifest(manifest)) files += page.length;
  console.log(JSON.stringify({ files, chosen: 0, never: 0 }));
} else {
  // Every night is another day: what was read back today is not chosen again.
  const last = (await readCoverage(at("coverage.json")))?.days.at(-1)?.day ?? "2026-01-01";
  const now = new Date(Date.parse(last) + 86_400_000);
  const events = { warn: complain, detail: () => {}, progress: () => {} };
  const open = {
    session: {
      world: { now: () => now, signal: new AbortController().signal, events },
      backup: { name: "bench" },
    },
    files: {
      directory,
      ledger: at("ledger"),
      parts: at("parts.json"),
      coverage: at("coverage.json"),
    },
    list: { kind: "manifest", file: manifest },
    setAside: true,
  } as const;
  const book = await openBook(open);
  const bytes = Number(budget);
  const next = await chooseIn(
    book,
    { bytes, transactions: Infinity },
    { scratch: at("scratch"), now, dryRun: false },
  );
  const { listing, isChosen, places } = next;
  const compared = { listing, isChosen, places };
  const coverage = await keepProof(open, { ...wholeFiles, compared, differences: new Set() }, book);
  console.log(
    JSON.stringify({
      files: next.pool.files,
      chosen: next.wholeFiles,
      never: coverage?.never.files,
    }),
  );
}

function complain(text: string): void {
  throw new Error(text);
}
