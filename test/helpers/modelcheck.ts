// Holds what a store tells of a path against the model.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { at } from "../../lib/history/at.ts";
import type { FileHistory, FileVersion } from "../../lib/history/history.ts";
import { allowedAt, type Model, type ModelFile } from "./model.ts";
import { told } from "./modelsequence.ts";

/**
 * Throws unless the versions of a path are those of the model that no prune removed, each with its
 * content, and what is current is.
 */
export function checkVersions(model: Model, path: string, history: FileHistory | undefined): void {
  const found = history?.versions ?? [];
  const wanted = model.kept(path).toReversed();
  assert.deepEqual(
    found.map(({ from }) => new Date(from).toISOString()),
    wanted.map(({ from }) => new Date(from).toISOString()),
    `${path}: expected these versions, newest first`,
  );
  for (const [index, version] of found.entries()) checkFile(path, version, wanted[index]?.file);
  const isCurrent = history?.current !== undefined;
  assert.equal(isCurrent, model.current(path) !== undefined, `${path}: whether it is there now`);
  assert.equal(history?.current, isCurrent ? found[0] : undefined, `${path}: what is current`);
  // What hides nothing is not told of.
  assert.equal(found.length === 0 ? history : undefined, undefined, `${path}: an empty history`);
  if (history !== undefined && !isCurrent)
    assert.equal(history.deletedAt, model.deletedAt(path), `${path}: when it was deleted`);
}

function checkFile(
  path: string,
  { stored, size, from }: FileVersion,
  file: ModelFile | undefined,
): void {
  assert.ok(file !== undefined);
  const what = `${path} of ${new Date(from).toISOString()}: expected ${told(file)}`;
  assert.equal(size, Buffer.byteLength(file.content), `${what}, its size`);
  if (stored.modifiedAt !== undefined) assert.equal(stored.modifiedAt, file.modifiedAt, what);
  if (stored.hash === undefined) return;
  const hash = createHash(stored.hash.kind).update(file.content).digest("hex");
  assert.equal(stored.hash.hex, hash, `${what}, its checksum`);
}

/** Throws unless the history's answer for a time is one that the model allows; returns the answer. */
export function checkAt(
  model: Model,
  path: string,
  history: FileHistory | undefined,
  time: number,
): FileVersion | undefined {
  const found = history === undefined ? undefined : at(history, time);
  const answer = found === undefined ? undefined : fileOf(model, path, found);
  const allowed = allowedAt(model, path, time);
  if (allowed.includes(answer)) return found;
  return assert.fail(
    `${path} as of ${new Date(time).toISOString()}: expected ${allowed.map(told).join(" or ")}, found ${told(answer)}`,
  );
}

function fileOf(model: Model, path: string, { from }: FileVersion): ModelFile | undefined {
  return model.versions(path).find((version) => version.from === from)?.file;
}
