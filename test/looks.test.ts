import assert from "node:assert/strict";
import { test } from "node:test";
import type { FileVersion } from "../lib/history/history.ts";
import { looksLike } from "../lib/restore/looks.ts";
import { rawFromText } from "../lib/units/rawpath.ts";

const seconds = Date.parse("2026-01-31T12:00:00Z");

/** Whether a file found with these times would be the version of a time; all from 12:00:00, in milliseconds. */
function looks(mtime: number, ctime: number, wanted: number): boolean {
  const version: FileVersion = {
    stored: {
      name: rawFromText("file"),
      id: "1",
      kind: "file",
      size: 7,
      storedAt: seconds,
      modifiedAt: seconds + wanted,
    },
    size: 7,
    from: seconds,
    until: undefined,
    end: "current",
    ended: undefined,
    doubtful: false,
  };
  const found = { size: 7, mtimeMs: seconds + mtime, ctimeMs: seconds + ctime, isFile: () => true };
  return looksLike("/nowhere/file", found, version);
}

test("a file on FAT or exFAT is the one that was written there, though its time is cut", () => {
  // FAT: every other second. What changes an inode there has such a time, too.
  assert.ok(looks(4000, 20_000, 5999));
  assert.ok(looks(4000, 20_000, 5000));
  assert.ok(!looks(4000, 20_000, 6000));
  assert.ok(!looks(4000, 20_000, 3998));
  // exFAT: hundredths.
  assert.ok(looks(4120, 20_010, 4129));
  assert.ok(!looks(4120, 20_010, 4130));
  assert.ok(!looks(4120, 20_010, 4118));
});

test("a file that keeps its times exactly is another one a millisecond later", () => {
  assert.ok(looks(4120, 20_010.123, 4120));
  assert.ok(!looks(4120, 20_010.123, 4121));
  assert.ok(!looks(4120, 20_010.123, 4118));
  assert.ok(!looks(4001, 20_010.123, 5999));
});
