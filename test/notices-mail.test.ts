// Mail: what it looks like, and senders that hang, refuse or are not there.
import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import type { NoticeWorld } from "../lib/notices/channel.ts";
import { composeMail } from "../lib/notices/mail.ts";
import { parseSmtpUrl } from "../lib/notices/smtp.ts";
import { Failure } from "../lib/errors.ts";
import {
  deadHost,
  groupEnded,
  noticeWorld,
  sampleNotice,
  sendOne,
  tcpServer,
} from "./helpers/notices.ts";

const mail = ["me@example.org", "root"];

test("a mail is one header and one text, whatever the names hold", async () => {
  const evil = sampleNotice("x\r\nBcc: all@example.org\r\n\r\nü 日本", ".\r\n.\nü é \0 end");
  const raw = (await composeMail(evil, mail, "b@example.org", "unix")).toString("latin1");
  assert.ok(!raw.includes("\r"));
  const [head = "", body = ""] = raw.split(/\n\n([^]*)/);
  const fields = new Map(
    head
      .replaceAll(/\n[ \t]+/g, " ")
      .split("\n")
      .map((line): [string, string] => {
        const [name = "", value = ""] = line.split(/: ([^]*)/);
        return [name, value];
      }),
  );
  assert.deepEqual([...fields.keys()].toSorted(), [
    "Auto-Submitted",
    "Content-Transfer-Encoding",
    "Content-Type",
    "Date",
    "From",
    "MIME-Version",
    "Message-ID",
    "Subject",
    "To",
    "X-Rclone-Backups-Event",
  ]);
  assert.equal(fields.get("To"), "me@example.org, <root>");
  assert.equal(fields.get("Date"), "Sat, 31 Jan 2026 03:00:12 +0000");
  assert.match(raw, /^[\t\n\x20-\x7E]*$/);
  assert.equal(fields.get("Content-Transfer-Encoding"), "quoted-printable");
  const plain = Buffer.from(
    body
      .replaceAll("=\n", "")
      .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    "latin1",
  ).toString("utf8");
  assert.equal(plain.trimEnd(), ".\\x0d\n.\nü é \\x00 end");
});

/** A sendmail on PATH that runs `script` in a directory of its own. */
async function sendmail(
  t: TestContext,
  script: string,
): Promise<{ readonly world: NoticeWorld; readonly dir: string }> {
  const dir = await mkdtemp(path.join(tmpdir(), "rclone-backups-mail-"));
  t.after(async () => rm(dir, { recursive: true }));
  const program = path.join(dir, "sendmail");
  await writeFile(program, `#!/bin/sh\ncd ${dir}\n${script}\n`);
  await chmod(program, 0o755);
  const env = { PATH: `${dir}:${noticeWorld.env["PATH"]}` };
  return { dir, world: { ...noticeWorld, env } };
}

test("sendmail gets the mail, and the addresses in its header alone", async (t) => {
  const { dir, world } = await sendmail(t, 'cat > mail; echo "$@" > args');
  assert.equal(await sendOne({ mail, mailFrom: "b@example.org" }, { world }), undefined);
  assert.equal(await readFile(path.join(dir, "args"), "utf8"), "-i -t -f b@example.org\n");
  const text = await readFile(path.join(dir, "mail"), "utf8");
  assert.match(
    text,
    /^From: b@example\.org\nTo: me@example\.org, <root>\nSubject: host: data: the backup failed\n/m,
  );
  assert.equal(await sendOne({ mail }, { world }), undefined);
  assert.equal(await readFile(path.join(dir, "args"), "utf8"), "-i -t\n");
  assert.ok(!/^From:/m.test(await readFile(path.join(dir, "mail"), "utf8")));
});

test("a sendmail that fails, reads nothing or hangs is a failure in time", async (t) => {
  const failing = await sendmail(t, "echo no such user >&2; exit 67");
  assert.equal(
    (await sendOne({ mail }, { world: failing.world }))?.message,
    "sendmail: expected exit code 0, found 67; it printed last:\n  no such user",
  );
  const notice = sampleNotice("x", "long ".repeat(100_000));
  const deaf = await sendmail(t, "exit 1");
  assert.match((await sendOne({ mail }, { world: deaf.world, notice }))?.message ?? "", /found 1;/);
  const hanging = await sendmail(t, 'trap "" TERM; echo $$ > pid; sleep 300 & wait; sleep 300');
  const late = await sendOne({ mail }, { world: hanging.world, timeoutMs: 2000 });
  assert.equal(
    late?.message,
    "sendmail: expected it to end within 2 s, found it still running and ended it; it printed nothing",
  );
  const pid = Number(await readFile(path.join(hanging.dir, "pid"), "utf8"));
  await groupEnded(pid);
});

interface SmtpTalk {
  readonly host: string;
  readonly lines: string[];
}

/** A server that says `replies` for what begins so, and takes down what it hears. */
async function smtpServer(
  t: TestContext,
  replies: Readonly<Record<string, string | undefined>> = {},
): Promise<SmtpTalk> {
  const lines: string[] = [];
  const usual: Readonly<Record<string, string>> = {
    EHLO: "250-here\r\n250 AUTH PLAIN",
    AUTH: "235 fine",
    DATA: "354 go on",
    QUIT: "221 bye",
  };
  const host = await tcpServer(t, (socket: Socket) => {
    socket.write("220 here\r\n");
    let data = false;
    let rest = "";
    socket.on("data", (chunk) => {
      const parts = (rest + chunk.toString()).split("\r\n");
      rest = parts.pop() ?? "";
      for (const line of parts) {
        lines.push(line);
        if (data && line !== ".") continue;
        const verb = data ? "." : (line.split(" ", 1)[0] ?? "");
        data = verb === "DATA";
        const said = verb in replies ? replies[verb] : (usual[verb] ?? "250 ok");
        if (said !== undefined) socket.write(`${said}\r\n`);
      }
    });
  });
  return { host, lines };
}

test("an SMTP server gets login, envelope and mail", async (t) => {
  const { host, lines } = await smtpServer(t);
  const smtp = `smtp://me%40example.org:s%3Acret@${host}`;
  const notice = sampleNotice("the backup failed", ".\nThe file ü failed.");
  assert.equal(await sendOne({ mail, smtp }, { notice }), undefined);
  const login = Buffer.from("\0me@example.org\0s:cret").toString("base64");
  assert.deepEqual(
    lines.filter((line) => /^(?:AUTH|MAIL|RCPT|DATA)/.test(line)),
    [
      `AUTH PLAIN ${login}`,
      "MAIL FROM:<me@example.org>",
      "RCPT TO:<me@example.org>",
      "RCPT TO:<root>",
      "DATA",
    ],
  );
  assert.ok(lines.includes("From: me@example.org") && lines.includes("To: me@example.org, <root>"));
  assert.ok(lines.includes("..") && lines.includes("The file =C3=BC failed."));
});

test("an SMTP server that refuses is told with what it said, but not with the password", async (t) => {
  const told = async (replies: Record<string, string | undefined>, user = "me:s3cret@") => {
    const { host } = await smtpServer(t, replies);
    const said = await sendOne({ mail, smtp: `smtp://${user}${host}` });
    return said?.message.replace("smtp at 127.0.0.1: expected ", "");
  };
  assert.equal(
    await told({ AUTH: "535 5.7.8 s3cret is wrong" }),
    "the server to take the mail, found 535 5.7.8 ******** is wrong",
  );
  assert.equal(await told({ RCPT: "550 who?" }, ""), "the server to take the mail, found 550 who?");
  assert.equal(
    await told({ ".": "452 disk full" }, ""),
    "the server to take the mail, found 452 disk full",
  );
  const dead = await deadHost(t);
  const gone = await sendOne({ mail, smtp: `smtp://${dead}` });
  assert.deepEqual(gone, {
    message: `smtp at 127.0.0.1: expected the server to take the mail, found connect ECONNREFUSED ${dead}`,
    hint: "check the network, and the port in the URL of smtp",
  });
});

test("an SMTP server that takes only some recipients is a failure that names the others", async (t) => {
  const host = await tcpServer(t, (socket) => {
    socket.write("220 here\r\n");
    socket.on("data", (chunk) => {
      const text = chunk.toString();
      if (text.startsWith("RCPT"))
        socket.write(text.includes("root") ? "550 no\r\n" : "250 ok\r\n");
      else if (text.startsWith("DATA")) socket.write("354 go\r\n");
      else if (/^\S+ ?.*\r\n$/.test(text) || text.endsWith("\r\n.\r\n")) socket.write("250 ok\r\n");
    });
  });
  assert.equal(
    (await sendOne({ mail, smtp: `smtp://${host}` }))?.message,
    "smtp at 127.0.0.1: expected all recipients to be taken, found root refused",
  );
});

test("an SMTP server that hangs at any point is given up when the time is over", async (t) => {
  const silent = await tcpServer(t, () => {});
  const hosts = [silent];
  for (const at of ["EHLO", "AUTH", "MAIL", "."])
    hosts.push((await smtpServer(t, { [at]: undefined })).host);
  const dripping = await tcpServer(t, (socket) => {
    const timer = setInterval(() => socket.write("2"), 20);
    socket.on("close", () => clearInterval(timer));
  });
  for (const host of [...hosts, dripping]) {
    const failure = await sendOne({ mail, smtp: `smtp://u:p@${host}` }, { timeoutMs: 250 });
    assert.match(failure?.message ?? "", /^smtp at 127\.0\.0\.1: expected /, host);
  }
});

test("no password goes to a server elsewhere without TLS", async (t) => {
  assert.deepEqual(parseSmtpUrl("smtp://u:p@mail.example"), {
    host: "mail.example",
    port: 587,
    secure: false,
    requireTls: true,
    login: { user: "u", pass: "p" },
  });
  assert.equal(parseSmtpUrl("smtps://u:p@mail.example").port, 465);
  assert.equal(parseSmtpUrl("smtp://u:p@mail.example?insecure=yes").requireTls, false);
  assert.equal(parseSmtpUrl("smtp://mail.example:25").requireTls, false);
  assert.equal(parseSmtpUrl("smtp://u:p@[::1]:25").host, "::1");
  assert.throws(
    () => parseSmtpUrl("http://s3cret@x"),
    (error) => error instanceof Failure && !error.message.includes("s3cret"),
  );
  // A name of this machine that is not known to be it.
  const { host, lines } = await smtpServer(t);
  const failure = await sendOne({
    mail,
    smtp: `smtp://u:s3cret@${host.replace("127.0.0.1", "0.0.0.0")}`,
  });
  assert.match(failure?.message ?? "", /^smtp at 0\.0\.0\.0: expected /);
  assert.ok(!lines.some((line) => line.startsWith("AUTH")));
});
