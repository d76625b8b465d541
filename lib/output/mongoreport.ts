import { exitCodes } from "../errors.ts";
import type { CollectionResult } from "../jobs/mongo/collection.ts";
import type { MongoExportResult } from "../jobs/mongoexport.ts";
import type { MongoImportResult } from "../jobs/mongoimport.ts";
import { formatBytes } from "../units/format.ts";
import { escapeText } from "./escape.ts";

/** What an export did, or would do: a line for each collection that differs, and the sum. */
export function mongoExportText(result: MongoExportResult, everything: boolean): string {
  const lines = result.collections
    .filter((each) => everything || isChanged(each))
    .map((each) => `${escapeText(`${each.database}.${each.collection}`)}: ${countsText(each)}`);
  for (const { path, documents } of result.dropped)
    lines.push(`${escapeText(path)}: gone, ${documentsText(documents)} removed`);
  const total = totalsOf(result);
  const would = result.dryRun ? "would be " : "";
  lines.push(
    `${documentsText(total.documents)} in ${result.collections.length} collections (${formatBytes(total.bytes)} read): ` +
      `${total.added} ${would}added, ${total.changed} changed, ${total.removed} removed`,
  );
  return lines.join("\n");
}

/** The JSON document of an export. */
export function mongoExportJson(result: MongoExportResult): string {
  const { outcome, dryRun, collections, missing, excluded, dropped } = result;
  const document = {
    version: 1,
    kind: "mongo-export",
    outcome,
    exit_code: exitCodes[outcome],
    dry_run: dryRun,
    ...totalsOf(result),
    collections: collections.map(({ metadataChanged, ...each }) => ({
      ...each,
      metadata_changed: metadataChanged,
    })),
    missing,
    excluded,
    dropped,
  };
  return `${JSON.stringify(document)}\n`;
}

function isChanged({ added, changed, removed, metadataChanged }: CollectionResult): boolean {
  return added + changed + removed > 0 || metadataChanged;
}

function countsText(each: CollectionResult): string {
  const { documents, added, changed, removed, metadataChanged, kind } = each;
  if (kind === "view") return metadataChanged ? "a view, new or changed" : "a view";
  const options = metadataChanged ? ", options or indexes new or changed" : "";
  return `${documentsText(documents)}, ${added} added, ${changed} changed, ${removed} removed${options}`;
}

function totalsOf({ collections, dropped }: MongoExportResult): {
  documents: number;
  bytes: number;
  added: number;
  changed: number;
  removed: number;
} {
  const total = { documents: 0, bytes: 0, added: 0, changed: 0, removed: 0 };
  for (const each of collections) {
    total.documents += each.documents;
    total.bytes += each.bytes;
    total.added += each.added;
    total.changed += each.changed;
    total.removed += each.removed;
  }
  for (const { documents } of dropped) total.removed += documents;
  return total;
}

function documentsText(count: number): string {
  return count === 1 ? "1 document" : `${count} documents`;
}

/** What an import did, or would do: a line for each collection, and the sum. */
export function mongoImportText({ collections, dryRun }: MongoImportResult): string {
  const lines = collections.map(({ database, collection, kind, inserted, existing, indexes }) => {
    const name = escapeText(`${database}.${collection}`);
    if (kind === "view") return `${name}: a view`;
    const there = existing > 0 ? `, ${existing} were there` : "";
    return `${name}: ${documentsText(inserted)}${there}, ${indexes} indexes`;
  });
  const inserted = collections.reduce((sum, each) => sum + each.inserted, 0);
  lines.push(
    `${documentsText(inserted)} ${dryRun ? "would be inserted" : "inserted"} into ${collections.length} collections`,
  );
  return lines.join("\n");
}

/** The JSON document of an import. */
export function mongoImportJson({ outcome, dryRun, collections }: MongoImportResult): string {
  const document = {
    version: 1,
    kind: "mongo-import",
    outcome,
    exit_code: exitCodes[outcome],
    dry_run: dryRun,
    documents: collections.reduce((sum, each) => sum + each.documents, 0),
    inserted: collections.reduce((sum, each) => sum + each.inserted, 0),
    collections: collections.map(({ outcome: own, ...each }) => ({ ...each, outcome: own })),
  };
  return `${JSON.stringify(document)}\n`;
}
