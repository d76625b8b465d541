// The command that gets notices.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { groupEnded, noticeWorld, sampleNotice, sendOne } from "./helpers/notices.ts";

test("the command gets the notice in its environment and on standard input", async (t) => {
  const dir = await mkdtemp(path.join(tmpdir(), "rclone-backups-command-"));
  t.after(async () => rm(dir, { recursive: true }));
  const world = { ...noticeWorld, env: { ...noticeWorld.env, OUT: dir, NONE: undefined } };
  const notice = sampleNotice("$(touch x) 'é'", "text\n".repeat(50_000));
  const command =
    'cat > "$OUT/stdin"; for n in EVENT PHASE BACKUP HOST AT SUBJECT; do eval "echo \\"\\$NOTICE_$n\\""; done > "$OUT/env"; printf %s "$NOTICE_TEXT" > "$OUT/text"';
  assert.equal(await sendOne({ command }, { world, notice }), undefined);
  assert.equal(await readFile(path.join(dir, "stdin"), "utf8"), notice.text);
  assert.deepEqual((await readFile(path.join(dir, "env"), "utf8")).split("\n"), [
    "failure",
    "new",
    "data",
    "host",
    "2026-01-31T03:00:12.345Z",
    "host: data: $(touch x) 'é'",
    "",
  ]);
  const text = await readFile(path.join(dir, "text"), "utf8");
  assert.ok(text.length <= 65_536 && text.endsWith("\n…"));
});

test("a command that reads nothing is fine; one that fails is told", async () => {
  const notice = sampleNotice("x", "long ".repeat(100_000));
  assert.equal(await sendOne({ command: "true" }, { notice }), undefined);
  assert.equal(
    (await sendOne({ command: "echo a; echo b >&2; exit 3" }, { notice }))?.message.split(";")[0],
    "command: expected exit code 0, found 3",
  );
  assert.equal(
    (await sendOne({ command: "kill -9 $$" }))?.message,
    "command: expected exit code 0, found SIGKILL; it printed nothing",
  );
});

test("a command that hangs is ended with all that it started", async () => {
  const command = "trap '' TERM; echo $$; sleep 300 & sleep 300";
  const failure = await sendOne({ command }, { timeoutMs: 2000 });
  const [, pid] =
    /^command: expected it to end within 2 s, found it still running and ended it; it printed last:\n {2}(\d+)$/.exec(
      failure?.message ?? "",
    ) ?? [];
  assert.ok(pid !== undefined, failure?.message);
  await groupEnded(Number(pid));
});
