// Everybody hears what concerns them, once; a dead channel harms nothing and is itself told.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as v from "valibot";
import type { NotifySettings } from "../lib/config/backup.ts";
import { channelsOf, sendAll } from "../lib/notices/channels.ts";
import type { BackupScene } from "../lib/notices/events.ts";
import {
  coverageOf,
  differenceOf,
  failureOf,
  missedOf,
  refusedOf,
  skippedOf,
  successOf,
  suppressedOf,
  warningOf,
} from "../lib/notices/events.ts";
import type { Raised } from "../lib/notices/notice.ts";
import type { NoticesState } from "../lib/notices/state.ts";
import type { Audience } from "../lib/notices/tell.ts";
import { tell } from "../lib/notices/tell.ts";
import { noticeEvents } from "../lib/units/noticeevent.ts";
import {
  noNotify,
  noticeWorld,
  sampleNotice,
  tcpServer,
  webServer,
  type Asked,
} from "./helpers/notices.ts";

const start = Date.parse("2026-01-31T03:00:00Z");

function at(day: number): Date {
  return new Date(start + day * 86_400_000);
}

function scene(backup = "data", day = 0): BackupScene {
  return { host: "host", at: at(day), backup, argument: backup };
}

function failed(backup = "data"): Raised {
  return failureOf(scene(backup), {
    exitCode: 1,
    message: "rclone: expected x, found y",
    hint: undefined,
    files: [],
    fileCount: 0,
    lastGood: undefined,
  });
}

function audience(notify: Partial<NotifySettings>, backup?: string): Audience {
  return { id: backup ?? "all", backup, notify: { ...noNotify, ...notify } };
}

const document = v.object({ event: v.string(), phase: v.string(), backup: v.nullable(v.string()) });

/** `event phase backup` of each webhook document. */
function documents(asked: readonly Asked[]): string[] {
  return asked.map(({ body }) => {
    const { event, phase, backup } = v.parse(document, JSON.parse(body));
    return `${event} ${phase} ${backup}`;
  });
}

function judged(_: unknown, backup: string | undefined): boolean {
  return backup === "data";
}

test("each audience hears of its backup, of what it asked for, once", async (t) => {
  const all = await webServer(t);
  const own = await webServer(t);
  const audiences = [
    audience({ webhook: `http://${all.host}/` }),
    audience({ webhook: `http://${own.host}/`, on: noticeEvents }, "data"),
  ];
  const raised = [failed(), failed("other"), successOf(scene(), "1 file")];
  let state: NoticesState = new Map();
  for (const day of [0, 1]) {
    const result = await tell(audiences, raised, state, { world: noticeWorld, now: at(day) });
    assert.deepEqual(result.failures, []);
    ({ state } = result);
  }
  assert.deepEqual(documents(all.asked), ["failure new data", "failure new other"]);
  assert.deepEqual(documents(own.asked), [
    "success new data",
    "failure new data",
    "success new data",
  ]);
  await tell(audiences, [], state, { world: noticeWorld, now: at(2), judged });
  assert.deepEqual(documents(all.asked).slice(2), ["failure over data"]);
  assert.deepEqual(documents(own.asked).slice(3), ["failure over data"]);
});

test("a dead channel misses nothing that lasts, and the others hear that it is dead", async (t) => {
  let working = false;
  const flaky = await webServer(t, (response) => response.writeHead(working ? 200 : 500).end());
  const good = await webServer(t);
  const audiences = [
    audience({ webhook: `http://${flaky.host}/s3cret`, ntfy: `http://${good.host}/topic` }),
  ];
  let state: NoticesState = new Map();
  const night = async (day: number, raised: readonly Raised[]) => {
    const result = await tell(audiences, raised, state, { world: noticeWorld, now: at(day) });
    ({ state } = result);
    return result.failures.map(({ label, failure }) => `${label}: ${failure.message}`);
  };
  const titles = () => good.asked.splice(0).map(({ headers }) => headers["title"]);
  assert.deepEqual(await night(0, [failed()]), [
    `notices of all backups: webhook at ${flaky.host}: expected a status of 200 to 299, found 500`,
  ]);
  const [, told] = good.asked;
  assert.ok(told !== undefined && !told.body.includes("s3cret"));
  assert.match(
    told.body,
    /^What should have been told there has not arrived:\n\n {2}webhook, notices of all backups\n {4}webhook at /,
  );
  assert.deepEqual(titles(), ["host: data: the backup failed", "host: a notice channel is dead"]);
  assert.equal((await night(1, [failed()])).length, 1);
  assert.deepEqual(titles(), []);
  assert.equal(flaky.asked.length, 2);
  working = true;
  assert.deepEqual(await night(2, [failed()]), []);
  assert.deepEqual(documents(flaky.asked.slice(2)), ["failure new data"]);
  assert.deepEqual(titles(), ["host: good again (was: warning)"]);
  assert.deepEqual(await night(3, []), []);
  assert.deepEqual(documents(flaky.asked.slice(3)), ["failure over data"]);
  assert.deepEqual(titles(), ["host: data: good again (was: failure)"]);
});

test("a channel that hangs costs one timeout, however many notices there are", async (t) => {
  let connections = 0;
  const host = await tcpServer(t, () => {
    connections += 1;
  });
  const good = await webServer(t);
  const raised = Array.from({ length: 30 }, (_, index) => failed(`b${index}`));
  const audiences = [
    audience({ webhook: `http://${host}/`, command: "cat > /dev/null; exit 7" }),
    audience({ webhook: `http://${good.host}/` }, "b3"),
  ];
  const options = { world: noticeWorld, now: at(0), timeoutMs: 3000 };
  const { failures, sent } = await tell(audiences, raised, new Map(), options);
  assert.deepEqual(
    failures.map(({ failure }) => failure.message.split(" ", 1)[0]),
    ["webhook", "command:"],
  );
  assert.equal(connections, 1);
  assert.equal(sent, 1);
  assert.deepEqual(documents(good.asked), ["failure new b3"]);
});

test("what people read comes as one message, what programs read one by one", async (t) => {
  const { host, asked } = await webServer(t);
  const notify = { ...noNotify, ntfy: `http://${host}/t`, webhook: `http://${host}/w` };
  const notices = [sampleNotice("a"), sampleNotice("b")];
  const results = await sendAll(
    channelsOf(notify, noticeWorld).map((channel) => ({ channel, notices })),
  );
  assert.deepEqual(
    results.map(({ sent }) => sent.length),
    [2, 2],
  );
  assert.deepEqual(asked.map(({ path }) => path).toSorted(), ["/t", "/w", "/w"]);
  const digest = asked.find(({ path }) => path === "/t");
  assert.equal(digest?.headers["title"], "host: 2 notices: 2 failure");
});

test("state of channels that are gone is forgotten, that of others' is kept", async (t) => {
  const { host } = await webServer(t);
  const told = {
    event: "failure",
    backup: "x",
    fingerprint: "",
    since: at(-1).toISOString(),
    toldAt: at(-1).toISOString(),
    subject: "s",
  } as const;
  const old = { ...told, toldAt: at(-200).toISOString() };
  const before: NoticesState = new Map([
    ["all:mail", { told: [told] }],
    ["/etc/x.conf:mail", { told: [told] }],
    ["/etc/old.conf:mail", { told: [old] }],
  ]);
  const audiences = [audience({ webhook: `http://${host}/` })];
  const { state } = await tell(audiences, [], before, { world: noticeWorld, now: at(0) });
  assert.deepEqual([...state.keys()].toSorted(), ["/etc/x.conf:mail", "all:webhook"]);
  // An event that is no longer asked for is not told to be over.
  const { asked, host: second } = await webServer(t);
  const quiet = [audience({ webhook: `http://${second}/`, on: ["missed"] })];
  await tell(quiet, [], new Map([["all:webhook", { told: [told] }]]), {
    world: noticeWorld,
    now: at(0),
  });
  assert.equal(asked.length, 0);
});

test("a notice says what happened, to which file, and what to type", () => {
  const odd = { ...scene("my data"), argument: "/etc/my data.conf" };
  const files = Array.from({ length: 25 }, (_, index) => ({
    path: `f${index}\n  evil: ok`,
    reason: "no\tright",
  }));
  const partial = failureOf(odd, {
    exitCode: 3,
    message: "25 files failed\n\u001B[2J",
    hint: "read them",
    files,
    fileCount: 30,
    lastGood: "2026-01-30T03:00:00.123Z",
  });
  assert.equal(partial.notice.subject, "host: my data: backed up in part, 30 files failed");
  assert.ok(
    partial.notice.text.includes("\n30 files failed:\n  f0 | evil: ok: no\\x09right\n  f1 "),
  );
  assert.ok(partial.notice.text.includes("\n  … and 10 more\n"));
  assert.ok(partial.notice.text.includes("  \\x1b[2J\n"));
  assert.ok(partial.notice.text.includes("The last good run ended 2026-01-30 03:00:00 UTC."));
  assert.ok(partial.notice.text.includes("\n  rclone-backup -v '/etc/my data.conf'\n"));
  const refused = refusedOf(odd, {
    message: "guards.max_delete: expected a, found b",
    hint: undefined,
    plan: "f1753cb9bc33",
    kinds: ["max-delete"],
    lastGood: undefined,
  });
  assert.ok(
    refused.notice.text.includes(
      "rclone-backup --allow-refused-plan f1753cb9bc33 '/etc/my data.conf'\n\nNo earlier run of it was good.",
    ),
  );
  const one = { path: "a.jpg", reason: "damaged" };
  const texts: readonly [Raised, RegExp][] = [
    [
      successOf(scene(), "5 files"),
      /^The backup data on host went well, 2026-01-31 03:00:00 UTC\.\n\n5 files\n$/,
    ],
    [warningOf(scene(), ["post_command: x"]), /\n\n {2}post_command: x\n\n/],
    [differenceOf(scene(), [one], 1), /\n1 file differs:\n {2}a\.jpg: damaged\n/],
    [
      skippedOf(scene(), 3, "no network", undefined),
      /skipped 3 times in a row.*\n\n {2}no network\n/,
    ],
    [
      missedOf(scene(), "2026-01-29T03:00:00Z", undefined),
      /overdue since 2026-01-29 03:00:00 UTC\./,
    ],
    [
      suppressedOf(scene(), 4, "2026-01-27T03:00:00Z"),
      /last 4 runs .* since 2026-01-27 03:00:00 UTC/,
    ],
    [coverageOf(scene(), "behind"), /\n\n {2}behind\n\nRaise VERIFY_BUDGET/],
  ];
  for (const [{ notice }, expected] of texts) assert.match(notice.text, expected);
});

const warned = (...texts: readonly string[]): string => warningOf(scene(), texts).fingerprint;
const differing = (count: number): string =>
  differenceOf(
    scene(),
    Array.from({ length: count }, (_, file) => ({ path: `file ${file}`, reason: "x" })),
    count,
  ).fingerprint;

test("what tells one occurrence from another: not the numbers of a warning, and never a long list", () => {
  assert.equal(warned("3 files of 1.5 MiB", "b"), warned("b", "12 files of 20 MiB"));
  assert.notEqual(warned("3 files"), warned("3 files", "post_command: exit code 1"));
  assert.notEqual(differing(1000), differing(1001));
  assert.equal(differing(10_000).length, 64);
});

test("of hundreds of channels, a few are used at once", async () => {
  let running = 0;
  let most = 0;
  const deliveries = Array.from({ length: 100 }, () => ({
    notices: [sampleNotice()],
    channel: {
      kind: "command" as const,
      combines: true,
      send: async () => {
        most = Math.max(most, (running += 1));
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
      },
    },
  }));
  const results = await sendAll(deliveries);
  assert.deepEqual([results.length, results.filter(({ failure }) => failure).length], [100, 0]);
  assert.equal(most, 8);
});
