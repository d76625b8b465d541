// Who is told what and when: once when it happens, again while it lasts, once when it is over.
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import * as fc from "fast-check";
import type { DecideOptions, Told } from "../lib/notices/decide.ts";
import { decideNotices, toldWithout } from "../lib/notices/decide.ts";
import type { Notice, Raised } from "../lib/notices/notice.ts";
import { combined, makeNotice } from "../lib/notices/notice.ts";
import type { NoticesState } from "../lib/notices/state.ts";
import { readNotices, writeNotices } from "../lib/notices/state.ts";
import type { NoticeEvent } from "../lib/units/noticeevent.ts";

const start = Date.parse("2026-01-01T03:00:00Z");
const day = 86_400_000;

function night(number: number): Date {
  return new Date(start + number * day);
}

function raised(event: NoticeEvent, backup: string | undefined = "data", fingerprint = ""): Raised {
  const notice = makeNotice({ host: "h", at: night(0), backup }, event, event, ["text"]);
  return { notice, fingerprint };
}

/** What is told night by night, as `event phase`. */
function nights(seen: readonly (readonly Raised[])[], more: Partial<DecideOptions> = {}): string[] {
  let told: readonly Told[] = [];
  return seen.map((each, index) => {
    const decision = decideNotices(told, each, {
      now: night(index),
      host: "h",
      remindSeconds: 7 * 86_400,
      ...more,
    });
    ({ told } = decision);
    return decision.send.map(({ event, phase }) => `${event} ${phase}`).join(", ");
  });
}

test("an event is told once, reminded of while it lasts, and told to be over", () => {
  const failure = [raised("failure")];
  const seen = [...Array.from({ length: 15 }, () => failure), [], [], failure];
  const expected = Array.from({ length: 18 }, () => "");
  expected[0] = "failure new";
  expected[7] = "failure reminder";
  expected[14] = "failure reminder";
  expected[15] = "failure over";
  expected[17] = "failure new";
  assert.deepEqual(nights(seen), expected);
});

test("a reminder is due although the run is some minutes earlier than the last", () => {
  const [before] = decideNotices([], [raised("missed")], options(night(0))).told;
  assert.ok(before !== undefined);
  const remind = (now: Date): number =>
    decideNotices([before], [raised("missed")], options(now)).send.length;
  assert.equal(remind(new Date(night(7).getTime() - 50 * 60_000)), 1);
  assert.equal(remind(new Date(night(7).getTime() - 2 * 3_600_000)), 0);
});

function options(now: Date, more: Partial<DecideOptions> = {}): DecideOptions {
  return { now, host: "h", remindSeconds: 7 * 86_400, ...more };
}

test("after a clock that was far ahead, reminders come all the same", () => {
  const { told } = decideNotices([], [raised("failure")], options(night(4000)));
  const { send } = decideNotices(told, [raised("failure")], options(night(1)));
  assert.deepEqual(
    send.map(({ phase }) => phase),
    ["reminder"],
  );
});

test("another occurrence of the same event is new, and what is of other backups is apart", () => {
  const one = raised("difference", "data", "a");
  const two = raised("difference", "data", "a b");
  const other = raised("difference", "other", "a");
  assert.deepEqual(nights([[one], [two], [two, other], [two], []]), [
    "difference new",
    "difference new",
    "difference new",
    "difference over",
    "difference over",
  ]);
});

test("every success is told, and none is ever over", () => {
  const success = [raised("success")];
  assert.deepEqual(nights([success, success, []]), ["success new", "success new", ""]);
});

test("a failure that becomes a refusal is not told as good again", () => {
  assert.deepEqual(nights([[raised("failure")], [raised("refused")], []]), [
    "failure new",
    "refused new",
    "refused over",
  ]);
  const both = decideNotices([], [raised("failure"), raised("coverage")], options(night(0)));
  const { send } = decideNotices(both.told, [raised("coverage")], options(night(1)));
  assert.deepEqual(
    send.map(({ subject, text }) => [subject, text.split("\n").at(-2)]),
    [["h: data: no more failure (still: coverage)", "But there still is: coverage."]],
  );
  const last = decideNotices(both.told, [], options(night(1))).send;
  assert.equal(last[0]?.subject, "h: data: good again (was: failure)");
});

function judged(_: NoticeEvent, backup: string | undefined): boolean {
  return backup !== "data";
}

test("what was not looked at goes on as it was", () => {
  const { told } = decideNotices(
    [],
    [raised("failure"), raised("failure", "b")],
    options(night(0)),
  );
  const next = decideNotices(told, [], options(night(30), { judged }));
  assert.deepEqual(
    next.send.map(({ backup, phase }) => `${backup} ${phase}`),
    ["b over"],
  );
  assert.deepEqual(
    next.told.map(({ backup }) => backup),
    ["data"],
  );
});

interface Seen {
  readonly event: NoticeEvent;
  readonly backup: string | undefined;
  readonly fingerprint: string;
}

function build(list: readonly Seen[]): Raised[] {
  return list.map(({ event, backup, fingerprint }) => raised(event, backup ?? "c", fingerprint));
}

function phasesOf(list: readonly Notice[]): string[] {
  return list.map(({ event, backup, phase }) => `${event} ${backup} ${phase}`).toSorted();
}

function lasting(texts: readonly string[]): string[] {
  return texts.filter((text) => !text.endsWith(" over"));
}

function keyed(list: readonly Told[]): string[] {
  return list.map((each) => JSON.stringify(each)).toSorted();
}

test("what did not arrive is decided again, whatever it was", () => {
  const events = fc.constantFrom<NoticeEvent>("failure", "missed", "coverage");
  const seen = fc.array(
    fc.record({
      event: events,
      backup: fc.constantFrom("a", "b", undefined),
      fingerprint: fc.constantFrom("", "x"),
    }),
    { maxLength: 4 },
  );
  fc.assert(
    fc.property(
      seen,
      seen,
      fc.integer({ min: 1, max: 20 }),
      fc.func(fc.boolean()),
      (before, after, later, lost) => {
        const { told } = decideNotices([], build(before), options(night(0)));
        const now = options(night(later));
        const decision = decideNotices(told, build(after), now);
        const missed = decision.send.filter((_, index) => lost(index));
        const kept = toldWithout(told, decision.told, missed);
        const again = decideNotices(kept, build(after), now).send;
        const late = phasesOf(again);
        for (const text of phasesOf(missed)) assert.ok(late.includes(text), text);
        // What is over may have been left out beside something new that has arrived since.
        assert.deepEqual(lasting(late), lasting(phasesOf(missed)));
        assert.deepEqual(keyed(toldWithout(told, decision.told, decision.send)), keyed(told));
      },
    ),
  );
});

test("several notices become one, which names the gravest way first", () => {
  const list = [raised("success", "a"), raised("failure", "b"), raised("failure", "c")].map(
    ({ notice }) => notice,
  );
  const one = combined(list);
  assert.equal(one.subject, "h: 3 notices: 1 success, 2 failure");
  assert.equal(one.event, "failure");
  assert.match(one.text, /^== h: a: success\n\ntext\n\n\n== h: b: failure\n/);
  assert.equal(combined(list.slice(0, 1)), list[0]);
  assert.throws(() => combined([]), RangeError);
});

test("a subject is one line of bounded length that moves no cursor", () => {
  const scene = { host: "h", at: night(0), backup: "a\nBcc: x\u001B[2J\u202E" };
  const notice = makeNotice(scene, "failure", "é".repeat(500), ["a\rb\n\u0007", undefined, ""]);
  assert.ok(notice.subject.startsWith("h: a\\x0aBcc: x\\x1b[2J\\u202e: é"));
  assert.equal(Array.from(notice.subject).length, 200);
  assert.equal(notice.text, "a\\x0db\n\\x07\n");
});

async function stateFile(t: TestContext): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), "rclone-backups-notices-"));
  t.after(async () => rm(dir, { recursive: true }));
  return path.join(dir, "notices.json");
}

test("what was told is read back as it was written", async (t) => {
  const file = await stateFile(t);
  const { told } = decideNotices(
    [],
    [raised("failure"), raised("missed", undefined)],
    options(night(0)),
  );
  const dead = { label: "mail", since: "2026-01-01T00:00:00.000Z", message: "m" };
  const state: NoticesState = new Map([
    ["all:mail", { told, dead }],
    ["__proto__:ntfy", { told: [] }],
  ]);
  assert.equal((await readNotices(file, { setAside: true })).state.size, 0);
  await writeNotices(file, state);
  const back = await readNotices(file, { setAside: true });
  assert.equal(back.damaged, undefined);
  assert.deepEqual(back.state.get("all:mail"), { told, dead });
  assert.deepEqual([...back.state.keys()], [...state.keys()]);
});

test("a damaged file is set aside, or told where nothing may be changed", async (t) => {
  const file = await stateFile(t);
  for (const text of ["", "{", '{"version":1}', '{"version":2,"channels":{}}', "\0\0"]) {
    await writeFile(file, text);
    const shown = await readNotices(file, { setAside: false });
    assert.deepEqual([shown.state.size, shown.damaged], [0, file]);
    const { state, damaged } = await readNotices(file, { setAside: true });
    assert.deepEqual([state.size, damaged], [0, `${file}.damaged`]);
    assert.deepEqual(await readdir(path.dirname(file)), ["notices.json.damaged"]);
  }
});
